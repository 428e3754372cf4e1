/* SPDX-License-Identifier: MIT
 *
 * Port I/O of the control VM that must be looked at.
 */
#ifndef HV_VM_LINUX_IO_H
#define HV_VM_LINUX_IO_H

#include "hv/vm/vm.h"

/* Sets the bits of the ports whose access must exit. */
void linux_io_bitmap(uint8_t *bitmap);

bool linux_io(struct vcpu *v);

#endif
