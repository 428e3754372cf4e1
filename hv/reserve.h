/* SPDX-License-Identifier: MIT
 *
 * Who gets which memory: decided once, at start, from the firmware's map.
 */
#ifndef HV_RESERVE_H
#define HV_RESERVE_H

#include <stdint.h>

/*
 * Fills hv.own, hv.pool and hv.linux_map from hv.firmware_map. The loader's information structure
 * and its modules are kept until Linux runs. Refuses the machine, with what to change, where memory
 * does not suffice.
 */
void reserve_memory(uint32_t ncpus);

#endif
