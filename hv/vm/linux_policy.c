/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_policy.h"

#include "hv/arch/lapic.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/mtrr.h"

/* CPUID leaf 1, ECX. */
#define C1_MONITOR    BIT(3)
#define C1_VMX        BIT(5)
#define C1_SMX        BIT(6)
#define C1_X2APIC     BIT(21)
#define C1_OSXSAVE    BIT(27)
#define C1_HYPERVISOR BIT(31)
/* Leaf 7. */
#define C7B_SGX     BIT(2)
#define C7B_INVPCID BIT(10)
#define C7B_PT      BIT(25)
#define C7C_WAITPKG BIT(5)
#define C7C_CET_SS  BIT(7)
#define C7C_ENQCMD  BIT(29)
#define C7C_SGX_LC  BIT(30)
#define C7C_PKS     BIT(31)
#define C7D_UINTR   BIT(5)
#define C7D_PCONFIG BIT(18)
#define C7D_CET_IBT BIT(20)
#define CD1_XSAVES  BIT(3)
#define C81_RDTSCP  BIT(27)

#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_FEATURES   0x40000001u

/*
 * The hypervisor leaves. Linux turns x2APIC mode on without interrupt remapping only under a
 * hypervisor whose signature it knows to allow that; KVM's does, and with an empty feature leaf
 * Linux changes nothing else. In xAPIC mode the signature is our own.
 */
static struct cpuid hypervisor_leaf(uint32_t leaf)
{
	static const char kvm[12] = "KVMKVMKVM", own[12] = "IronixIronix";
	const uint32_t *s = (const uint32_t *)(const void *)(lapic_x2apic() ? kvm : own);

	if (leaf == LEAF_HYPERVISOR)
		return (struct cpuid){LEAF_FEATURES, s[0], s[1], s[2]};
	return (struct cpuid){0};
}

struct cpuid linux_cpuid(uint32_t leaf, uint32_t subleaf, bool osxsave)
{
	struct cpuid r;

	if (leaf >= LEAF_HYPERVISOR && leaf < LEAF_HYPERVISOR + 0x100)
		return hypervisor_leaf(leaf);
	r = cpuid(leaf, subleaf);
	switch (leaf) {
	case 1:
		r.ecx &= ~(uint32_t)(C1_VMX | C1_SMX | C1_MONITOR | C1_OSXSAVE);
		r.ecx |= C1_HYPERVISOR;
		if (osxsave)
			r.ecx |= C1_OSXSAVE;
		if (hv.options.nox2apic)
			r.ecx &= ~(uint32_t)C1_X2APIC;
		break;
	case 5: /* MONITOR/MWAIT */
		r = (struct cpuid){0};
		break;
	case 7:
		if (subleaf)
			break;
		r.ebx &= ~(uint32_t)(C7B_SGX | C7B_PT);
		r.ecx &= ~(uint32_t)(C7C_CET_SS | C7C_ENQCMD | C7C_SGX_LC | C7C_PKS);
		r.edx &= ~(uint32_t)(C7D_UINTR | C7D_PCONFIG | C7D_CET_IBT);
		if (!(hv.vmx.proc2 & PROC2_INVPCID))
			r.ebx &= ~(uint32_t)C7B_INVPCID;
		if (!(hv.vmx.proc2 & PROC2_USER_WAIT))
			r.ecx &= ~(uint32_t)C7C_WAITPKG;
		break;
	case 0xd:
		if (subleaf == 1 && !(hv.vmx.proc2 & PROC2_XSAVES))
			r.eax &= ~(uint32_t)CD1_XSAVES;
		break;
	case 0x12: /* SGX */
	case 0x14: /* Processor Trace */
		r = (struct cpuid){0};
		break;
	case 0x80000001:
		if (!(hv.vmx.proc2 & PROC2_RDTSCP))
			r.edx &= ~(uint32_t)C81_RDTSCP;
		break;
	}
	return r;
}

/* The bitmap's four parts: reads of low MSRs, of high ones, writes of low, of high. */
enum {
	MSR_READ = 0,
	MSR_WRITE = 2048
};

static void trap_msr(uint8_t *bitmap, uint32_t msr, unsigned int access)
{
	uint8_t *part = bitmap + access + (msr >= 0xc0000000 ? 1024 : 0);

	part[(msr & 0x1fff) / 8] |= (uint8_t)(1u << (msr & 7));
}

static bool is_mtrr(uint32_t msr)
{
	if (msr == MSR_MTRR_DEF_TYPE || (msr >= 0x200 && msr < 0x200 + 2 * MTRR_VARIABLE_MAX))
		return true;
	for (unsigned int i = 0; i < MTRR_FIXED_COUNT; i++)
		if (msr == mtrr_fixed_msr[i])
			return true;
	return false;
}

static bool is_vmx(uint32_t msr)
{
	return msr >= MSR_VMX_BASIC && msr <= 0x4ff;
}

void linux_msr_bitmap(uint8_t *bitmap)
{
	for (uint32_t msr = 0; msr < 0x2000; msr++) {
		if (is_vmx(msr))
			trap_msr(bitmap, msr, MSR_READ);
		if (is_vmx(msr) || is_mtrr(msr))
			trap_msr(bitmap, msr, MSR_WRITE);
	}
	trap_msr(bitmap, MSR_FEATURE_CONTROL, MSR_READ);
	trap_msr(bitmap, MSR_FEATURE_CONTROL, MSR_WRITE);
	trap_msr(bitmap, MSR_APIC_BASE, MSR_WRITE);
	trap_msr(bitmap, MSR_BIOS_UPDT_TRIG, MSR_WRITE);
	trap_msr(bitmap, MSR_X2APIC_ICR, MSR_WRITE);
}

bool linux_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	(void)v;
	if (msr == MSR_FEATURE_CONTROL) {
		*value = FEATURE_CONTROL_LOCK; /* locked, VMX off */
		return true;
	}
	if (is_vmx(msr) || (msr >= LEAF_HYPERVISOR && msr < LEAF_HYPERVISOR + 0x10000))
		return false;
	return rdmsr_safe(msr, value);
}

/* The local APIC stays where it is and on; xAPIC to x2APIC mode is the one change allowed. */
static bool write_apic_base(uint64_t value)
{
	uint64_t now = rdmsr(MSR_APIC_BASE);

	if (value == now)
		return true;
	if (value != (now | APIC_BASE_EXTD) || hv.options.nox2apic)
		return false;
	wrmsr(MSR_APIC_BASE, value);
	return true;
}

bool linux_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	if (msr == MSR_APIC_BASE)
		return write_apic_base(value);
	/* The hypervisor has made the MTRRs of all cores equal, and its EPT follows them; microcode
	 * is loaded before the hypervisor starts. Both are taken and forgotten. */
	if (is_mtrr(msr) || msr == MSR_BIOS_UPDT_TRIG)
		return true;
	if (is_vmx(msr) || msr == MSR_FEATURE_CONTROL ||
	    (msr >= LEAF_HYPERVISOR && msr < LEAF_HYPERVISOR + 0x10000))
		return false;
	return wrmsr_safe(msr, value);
}
