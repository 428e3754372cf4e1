/* SPDX-License-Identifier: MIT
 *
 * Interprocessor interrupts of a VM: every write to the interrupt command register ends here.
 */
#ifndef HV_VM_ICR_H
#define HV_VM_ICR_H

#include "hv/vm/vm.h"

/* Once, when all cores are known. Panics without memory. */
void icr_init(void);

/* A write to MSR 0x830. False: a reserved bit is set, #GP. */
bool icr_write_x2apic(struct vcpu *v, uint64_t value);

/* A write to register 0x300 of the xAPIC, with what register 0x310 holds. */
void icr_write_xapic(struct vcpu *v, uint32_t high, uint32_t low);

/* A message-signalled interrupt of a virtual function to Linux's cores. From any core. */
void icr_message(const struct icr *icr);

#endif
