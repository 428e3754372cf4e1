/* SPDX-License-Identifier: MIT
 *
 * What CPUID tells a guest: the processor's answer, less what the guest cannot or must not use.
 */
#ifndef HV_LIB_CPUID_H
#define HV_LIB_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

/* Signature leaves 0x40000000 and up; Linux takes x2APIC without interrupt remapping from this one. */
#define CPUID_SIGNATURE_KVM "KVMKVMKVM\0\0"
#define CPUID_HV_BASE       0x40000000u
#define CPUID_HV_LAST       0x40000001u /* features: none */

/* Secondary processor-based controls (SDM 3C table 25-7) without which an instruction is #UD in a
 * guest: each that the processor has should be granted. */
#define CPUID_GATED_CONTROLS (1u << 3 | 1u << 12 | 1u << 20 | 1u << 26 | 1u << 27)

/* Supervisor state components that XRSTORS would load past the MSR bitmap: Processor Trace, user
 * interrupts (SDM 1 table 13-1). For the XSS-exiting bitmap, and hidden. */
#define CPUID_XSS_HIDDEN (1u << 8 | 1u << 14)

struct cpuid_policy {
	uint32_t secondary; /* secondary controls that are on for this guest */
	bool hide_monitor;  /* MONITOR/MWAIT */
	bool hide_x2apic;
	const char *signature; /* 12 characters of the hypervisor, or NULL: none is to be seen */
};

/*
 * Changes the processor's answer, *regs, into the guest's. cr4 is the guest's own: some bits of the
 * answer mirror it, and were read with the hypervisor's.
 */
void cpuid_filter(const struct cpuid_policy *policy, uint32_t leaf, uint32_t subleaf, uint64_t cr4,
		  struct cpuid_regs *regs);

#endif
