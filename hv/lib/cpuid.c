/* SPDX-License-Identifier: MIT */
#include "hv/lib/cpuid.h"
#include "hv/lib/bytes.h"

#define BIT(n)        (1u << (n))
#define ANY_SUBLEAF   UINT32_MAX
#define ALWAYS_HIDDEN 0
#define CR4_OSXSAVE   (1ull << 18)
#define CR4_PKE       (1ull << 22)

enum reg {
	EAX,
	EBX,
	ECX,
	EDX
};

/*
 * Feature bits that a guest sees only where a secondary control is on: from one table with the
 * controls, so that no instruction is announced that would be #UD (SDM 2A, CPUID; SDM 3C 26.2).
 */
static const struct {
	uint32_t leaf, subleaf;
	enum reg reg;
	uint32_t bits;
	uint32_t control; /* or ALWAYS_HIDDEN */
} gated[] = {
    /* VMX, SMX: there is no nesting. PEBS and BTS write through linear addresses of the guest,
	 * which mean other memory while the hypervisor runs: no DTES64, DS-CPL, PDCM, DS. */
    {1, ANY_SUBLEAF, ECX, BIT(5) | BIT(6) | BIT(2) | BIT(4) | BIT(15), ALWAYS_HIDDEN},
    {1, ANY_SUBLEAF, EDX, BIT(21), ALWAYS_HIDDEN},
    /* Hardware feedback, by which the processor writes to physical memory: with Thread Director */
    {6, ANY_SUBLEAF, EAX, BIT(19) | BIT(23), ALWAYS_HIDDEN},
    /* SGX, Processor Trace; bus-lock detection (DEBUGCTL is filtered), ENQCMD, SGX launch control; user
     * interrupts, by which SENDUIPI would pass the ICR filter */
    {7, 0, EBX, BIT(2) | BIT(25), ALWAYS_HIDDEN},
    {7, 0, ECX, BIT(24) | BIT(29) | BIT(30), ALWAYS_HIDDEN},
    {7, 0, EDX, BIT(5), ALWAYS_HIDDEN},
    {7, 1, EAX, BIT(17) | BIT(22), ALWAYS_HIDDEN},         /* FRED, HRESET */
    {0x80000001, ANY_SUBLEAF, ECX, BIT(2), ALWAYS_HIDDEN}, /* SVM */
    {7, 0, EBX, BIT(10), BIT(12)},                         /* INVPCID */
    {7, 0, ECX, BIT(5), BIT(26)},                          /* WAITPKG */
    {7, 0, ECX, BIT(22), BIT(3)},                          /* RDPID */
    {7, 0, EDX, BIT(18), BIT(27)},                         /* PCONFIG */
    {0x80000001, ANY_SUBLEAF, EDX, BIT(27), BIT(3)},       /* RDTSCP */
    {0xd, 1, EAX, BIT(3), BIT(20)},                        /* XSAVES */
    {0xd, 1, ECX, CPUID_XSS_HIDDEN, ALWAYS_HIDDEN},
};

static uint32_t *reg_of(struct cpuid_regs *regs, enum reg reg)
{
	switch (reg) {
	case EAX:
		return &regs->eax;
	case EBX:
		return &regs->ebx;
	case ECX:
		return &regs->ecx;
	default:
		return &regs->edx;
	}
}

static void set_bit(uint32_t *reg, uint32_t bit, bool value)
{
	*reg = value ? *reg | bit : *reg & ~bit;
}

/* Leaves that describe a feature which the guest does not have. */
static bool is_empty(const struct cpuid_policy *policy, uint32_t leaf)
{
	switch (leaf) {
	case 5: /* MONITOR */
		return policy->hide_monitor;
	case 0x12:       /* SGX */
	case 0x14:       /* Processor Trace */
	case 0x20:       /* HRESET */
	case 0x8000000a: /* SVM */
		return true;
	case 0x1b: /* PCONFIG */
		return !(policy->secondary & BIT(27));
	default:
		return false;
	}
}

static void signature_leaf(const struct cpuid_policy *policy, uint32_t leaf,
			   struct cpuid_regs *regs)
{
	*regs = (struct cpuid_regs){0};
	if (!policy->signature || leaf != CPUID_HV_BASE)
		return;
	regs->eax = CPUID_HV_LAST;
	regs->ebx = get_le32(policy->signature, 0);
	regs->ecx = get_le32(policy->signature, 4);
	regs->edx = get_le32(policy->signature, 8);
}

void cpuid_filter(const struct cpuid_policy *policy, uint32_t leaf, uint32_t subleaf, uint64_t cr4,
		  struct cpuid_regs *regs)
{
	/* Where we run in a VM ourselves, its signature is not for the guest. */
	if (leaf >> 16 == CPUID_HV_BASE >> 16) {
		signature_leaf(policy, leaf, regs);
		return;
	}
	if (is_empty(policy, leaf)) {
		*regs = (struct cpuid_regs){0};
		return;
	}
	for (uint32_t i = 0; i < sizeof(gated) / sizeof(gated[0]); i++)
		if (gated[i].leaf == leaf &&
		    (gated[i].subleaf == subleaf || gated[i].subleaf == ANY_SUBLEAF) &&
		    !(policy->secondary & gated[i].control))
			*reg_of(regs, gated[i].reg) &= ~gated[i].bits;

	if (leaf == 1) {
		set_bit(&regs->ecx, BIT(27), cr4 & CR4_OSXSAVE);
		set_bit(&regs->ecx, BIT(31), policy->signature);
		if (policy->hide_monitor)
			regs->ecx &= ~BIT(3);
		if (policy->hide_x2apic)
			regs->ecx &= ~BIT(21);
	}
	if (leaf == 7 && subleaf == 0)
		set_bit(&regs->ecx, BIT(4), cr4 & CR4_PKE); /* OSPKE */
	if (leaf == 0xd && subleaf == 1 && !(policy->secondary & BIT(20)))
		regs->ebx = regs->ecx = regs->edx = 0; /* what XSAVES would save */
}
