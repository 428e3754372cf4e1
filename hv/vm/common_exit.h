/* SPDX-License-Identifier: MIT
 *
 * Exits that Linux and dataplanes have in common. Each finishes the instruction, or injects what the
 * processor would have raised.
 */
#ifndef HV_VM_COMMON_EXIT_H
#define HV_VM_COMMON_EXIT_H

#include "hv/arch/x86.h"
#include "hv/vm/vm.h"

void exit_cpuid(struct vcpu *v,
		struct cpuid (*policy)(uint32_t leaf, uint32_t subleaf, uint64_t cr4));
void exit_cr_access(struct vcpu *v);
void exit_xsetbv(struct vcpu *v);
void exit_wbinvd(struct vcpu *v);

/* The value that WRMSR writes, and the result of RDMSR. */
uint64_t exit_wrmsr_value(const struct vcpu *v);
void exit_rdmsr_done(struct vcpu *v, uint64_t value);

#endif
