/* SPDX-License-Identifier: MIT
 *
 * Power-off and reset, when Linux asks for them. While a dataplane runs, they end Linux alone.
 */
#ifndef HV_VM_POWER_H
#define HV_VM_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* The write to the port that Linux wanted; for a reset the chipset's own register first. Does not
 * return when the machine goes; false: Linux has ended and the dataplanes go on. */
bool power_off(uint16_t port, uint16_t value);
bool power_reset(uint16_t port, uint8_t value);

#endif
