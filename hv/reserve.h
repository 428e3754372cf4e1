/* SPDX-License-Identifier: MIT
 *
 * Who gets which memory: decided once, at start, from the firmware's map.
 */
#ifndef HV_RESERVE_H
#define HV_RESERVE_H

#include <stdint.h>

/*
 * Fills hv.own, hv.pool and hv.linux_map from hv.firmware_map. info, info_size: the loader's
 * information structure, kept until Linux runs, as are its modules. Refuses the machine, with what
 * to change, where memory does not suffice.
 */
void reserve_memory(uint64_t info, uint64_t info_size, uint32_t ncpus);

#endif
