/* SPDX-License-Identifier: MIT
 *
 * Reading a guest's memory by its own addresses.
 */
#ifndef HV_VM_GUEST_MEM_H
#define HV_VM_GUEST_MEM_H

#include <stddef.h>

#include "hv/lib/mmio.h"
#include "hv/vm/vm.h"

/* Memory of a VM as a pointer, or NULL: all of the range must be RAM of the VM. Guest-physical addresses
 * of RAM are physical ones. */
const void *guest_pointer(const struct vm *vm, uint64_t gpa, uint64_t len);

/* Reads the instruction at the guest's RIP and decodes it; 0 or -EINVAL, -EFAULT. */
int guest_decode_mmio(struct vcpu *v, struct mmio_insn *insn);

/* What the instruction writes to memory; what it has read goes to its register. */
uint64_t guest_mmio_stores(struct vcpu *v, const struct mmio_insn *insn);
void guest_mmio_loads(struct vcpu *v, const struct mmio_insn *insn, uint64_t value);

#endif
