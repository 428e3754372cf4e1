/* SPDX-License-Identifier: MIT
 *
 * Linux's view of physical memory: all of it, one to one, but for what is the hypervisor's or a
 * dataplane's.
 */
#ifndef HV_VM_LINUX_MEM_H
#define HV_VM_LINUX_MEM_H

#include "hv/vm/vm.h"

/* Builds the EPT. Panics when memory does not suffice. */
void linux_mem_init(struct vm *vm);

/* For any VM's EPT: pages of mem.h, and what this machine can do. */
extern const struct ept_pool ept_pages;
struct ept_caps ept_capabilities(void);

bool linux_ept_violation(struct vcpu *v);

/* Reads the MTRRs of this core (the boot core) into *mtrr of all. */
void linux_mem_read_mtrr(void);

#endif
