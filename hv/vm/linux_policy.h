/* SPDX-License-Identifier: MIT
 *
 * What Linux sees of the processor: CPUID and MSRs.
 */
#ifndef HV_VM_LINUX_POLICY_H
#define HV_VM_LINUX_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/arch/x86.h"
#include "hv/vm/vm.h"

/* The leaf as Linux shall see it, with its CR4. */
struct cpuid linux_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t cr4);

/* The MSRs whose access exits. False: #GP. */
bool linux_rdmsr(uint32_t msr, uint64_t *value);
bool linux_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
