/* SPDX-License-Identifier: MIT
 *
 * Reading a guest's memory by its own addresses.
 */
#ifndef HV_VM_GUEST_MEM_H
#define HV_VM_GUEST_MEM_H

#include <stddef.h>

#include "hv/lib/mmio.h"
#include "hv/vm/vm.h"

/* Physical memory that a VM may read, as a pointer, or NULL: the range must be RAM of the VM, within
 * one of its EPT pages. */
const void *guest_pointer(struct vm *vm, uint64_t gpa, size_t len);

/* Reads the instruction at the guest's RIP and decodes it; 0 or -EINVAL, -EFAULT. */
int guest_decode_mmio(struct vcpu *v, struct mmio_insn *insn);

/* What the instruction writes to memory; what it has read goes to its register. */
uint64_t guest_mmio_stores(struct vcpu *v, const struct mmio_insn *insn);
void guest_mmio_loads(struct vcpu *v, const struct mmio_insn *insn, uint64_t value);

#endif
