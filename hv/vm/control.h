/* SPDX-License-Identifier: MIT
 *
 * The control channel (<ix/hypercall.h>): the PCI function that Linux sees, and its calls.
 */
#ifndef HV_VM_CONTROL_H
#define HV_VM_CONTROL_H

#include <stdint.h>

/* Makes the function appear. Panics when there is no memory for it. */
void control_init(void);

/* Puts an event into the ring that Linux reads. */
void control_event(uint64_t handle, const char *domain, const char *kind, const char *text);

#endif
