/* SPDX-License-Identifier: MIT
 *
 * Instructions that C has no words for, and the registers they touch. SDM 2A/2B, 3A 2.5, 4.
 */
#ifndef HV_ARCH_X86_H
#define HV_ARCH_X86_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/creg.h"

#define BIT(n) (1ul << (n))

/* Bits of control registers beyond those of creg.h. */
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_AM BIT(18)

#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_OSXSAVE    BIT(18)

#define EFER_SCE BIT(0)
#define EFER_NXE BIT(11)

#define RFLAGS_FIXED BIT(1)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_VM    BIT(17)

/* Model-specific registers, SDM 4 chapter 2. */
#define MSR_APIC_BASE         0x1b
#define MSR_FEATURE_CONTROL   0x3a
#define MSR_SPEC_CTRL         0x48
#define MSR_BIOS_UPDT_TRIG    0x79
#define MSR_BIOS_SIGN_ID      0x8b
#define MSR_CORE_CAPABILITIES 0xcf
#define MSR_MTRR_CAP          0xfe
#define MSR_SYSENTER_CS       0x174
#define MSR_SYSENTER_ESP      0x175
#define MSR_SYSENTER_EIP      0x176
#define MSR_MISC_ENABLE       0x1a0
#define MSR_XFD               0x1c4
#define MSR_XFD_ERR           0x1c5
#define MSR_DEBUGCTL          0x1d9
#define MSR_PAT               0x277
#define MSR_MTRR_DEF_TYPE     0x2ff
#define MSR_PERF_CAPABILITIES 0x345
#define MSR_PERF_GLOBAL_CTRL  0x38f
#define MSR_VMX_BASIC         0x480
#define MSR_VMX_PINBASED      0x481
#define MSR_VMX_MISC          0x485
#define MSR_VMX_CR0_FIXED0    0x486
#define MSR_VMX_CR0_FIXED1    0x487
#define MSR_VMX_CR4_FIXED0    0x488
#define MSR_VMX_CR4_FIXED1    0x489
#define MSR_VMX_PROC2         0x48b
#define MSR_VMX_EPT_VPID_CAP  0x48c
#define MSR_VMX_TRUE_PINBASED 0x48d
#define MSR_VMX_TRUE_PROC     0x48e
#define MSR_VMX_TRUE_EXIT     0x48f
#define MSR_VMX_TRUE_ENTRY    0x490
#define MSR_U_CET             0x6a0
#define MSR_S_CET             0x6a2
#define MSR_TSC_DEADLINE      0x6e0
#define MSR_PKRS              0x6e1
#define MSR_X2APIC_BASE       0x800
#define MSR_X2APIC_ICR        0x830
#define MSR_XSS               0xda0
#define MSR_EFER              0xc0000080
#define MSR_STAR              0xc0000081
#define MSR_LSTAR             0xc0000082
#define MSR_CSTAR             0xc0000083
#define MSR_FMASK             0xc0000084
#define MSR_FS_BASE           0xc0000100
#define MSR_GS_BASE           0xc0000101
#define MSR_KERNEL_GS_BASE    0xc0000102
#define MSR_TSC_AUX           0xc0000103

#define FEATURE_CONTROL_LOCK        BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE BIT(2)
#define MISC_ENABLE_MONITOR         BIT(18)
#define MISC_ENABLE_LIMIT_CPUID     BIT(22)
#define MISC_ENABLE_XD_DISABLE      BIT(34)
#define DEBUGCTL_LBR                BIT(0)
#define DEBUGCTL_BTF                BIT(1)
#define PERF_PEBS                   0x14fc0ul /* trap, arch, format, baseline, output to PT */
#define PERF_FREEZE_SMM             BIT(12)
#define CORE_CAPS_RAR               BIT(1) /* remote action request */
#define APIC_BASE_BSP               BIT(8)
#define APIC_BASE_EXTD              BIT(10)
#define APIC_BASE_EN                BIT(11)

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* An instruction that may fault with #GP: the fault is taken as "no". */
#define EX_TABLE(from, to) \
	".pushsection .rodata.ex_table, \"a\"\n\t.quad " from ", " to "\n\t.popsection\n\t"

static inline bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;
	bool ok = false;

	asm volatile("1: rdmsr; movb $1, %2; 2:\n\t" EX_TABLE("1b", "2b")
		     : "+a"(lo), "+d"(hi), "+r"(ok)
		     : "c"(msr));
	*value = (uint64_t)hi << 32 | lo;
	return ok;
}

static inline bool wrmsr_safe(uint32_t msr, uint64_t v)
{
	bool ok = false;

	asm volatile("1: wrmsr; movb $1, %0; 2:\n\t" EX_TABLE("1b", "2b")
		     : "+r"(ok)
		     : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
		     : "memory");
	return ok;
}

static inline bool xsetbv_safe(uint32_t xcr, uint64_t v)
{
	bool ok = false;

	asm volatile("1: xsetbv; movb $1, %0; 2:\n\t" EX_TABLE("1b", "2b")
		     : "+r"(ok)
		     : "c"(xcr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
	return ok;
}

#define CR_ACCESSORS(n)                                                \
	static inline uint64_t read_cr##n(void)                        \
	{                                                              \
		uint64_t v;                                            \
                                                                       \
		asm volatile("mov %%cr" #n ", %0" : "=r"(v));          \
		return v;                                              \
	}                                                              \
	static inline void write_cr##n(uint64_t v)                     \
	{                                                              \
		asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); \
	}
CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void pause(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void halt(void)
{
	asm volatile("hlt" : : : "memory");
}

static inline void invlpg(uint64_t va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

#endif
