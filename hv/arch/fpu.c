/* SPDX-License-Identifier: MIT */
#include "hv/arch/fpu.h"

#include "hv/arch/x86.h"

#define CPUID_1_ECX_XSAVE BIT(26)
#define MXCSR_DEFAULT     0x1f80
#define MXCSR_OFFSET      24

/* An XSAVE area whose header says that every component is in its initial state (SDM 1 13.8). */
static const uint8_t initial[4096] __attribute__((aligned(64))) = {
    [MXCSR_OFFSET] = MXCSR_DEFAULT & 0xff,
    [MXCSR_OFFSET + 1] = MXCSR_DEFAULT >> 8,
};

void fpu_reset(void)
{
	/* Not all processors have all of them. */
	static const uint32_t msr[] = {
	    MSR_STAR,    MSR_LSTAR,     MSR_CSTAR, MSR_FMASK,   MSR_KERNEL_GS_BASE,
	    MSR_TSC_AUX, MSR_SPEC_CTRL, MSR_XFD,   MSR_XFD_ERR, MSR_U_CET,
	    MSR_S_CET,   MSR_PKRS,      MSR_XSS};
	uint64_t zero = 0;

	asm volatile("fninit");
	if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
		struct cpuid d = cpuid(0xd, 0);
		uint64_t all = (uint64_t)d.edx << 32 | d.eax;

		write_cr4(read_cr4() | CR4_OSXSAVE);
		if (xsetbv_safe(0, all))
			asm volatile("xrstor64 %0"
				     :
				     : "m"(initial), "a"((uint32_t)all),
				       "d"((uint32_t)(all >> 32)));
		xsetbv_safe(0, 1);
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
	} else {
		asm volatile("fxrstor64 %0" : : "m"(initial));
	}
	asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(zero));
	asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
	for (unsigned int i = 0; i < sizeof(msr) / sizeof(msr[0]); i++)
		wrmsr_safe(msr[i], 0);
}
