/* SPDX-License-Identifier: MIT
 *
 * Interprocessor interrupts of a VM: every write to the interrupt command register ends here.
 */
#ifndef HV_VM_ICR_H
#define HV_VM_ICR_H

#include "hv/vm/vm.h"

/* value: as written to the x2APIC MSR; an xAPIC's two halves are put into that form. */
void icr_write(struct vcpu *v, uint64_t value);

#endif
