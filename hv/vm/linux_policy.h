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

/* The leaf as Linux shall see it. osxsave: the guest's CR4.OSXSAVE. */
struct cpuid linux_cpuid(uint32_t leaf, uint32_t subleaf, bool osxsave);

/* Sets the bits of the MSRs whose access must exit. */
void linux_msr_bitmap(uint8_t *bitmap);

/* The MSRs that exit. False: #GP. */
bool linux_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool linux_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
