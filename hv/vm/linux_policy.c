/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_policy.h"

#include "hv/arch/lapic.h"
#include "hv/hv.h"
#include "hv/lib/cpuid.h"
#include "hv/lib/msr.h"
#include "hv/vm/icr.h"

struct cpuid linux_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t cr4)
{
	/* Linux turns x2APIC mode on without interrupt remapping only under a hypervisor whose
	 * signature it knows to allow that; KVM's does, and with an empty feature leaf it changes
	 * nothing else. In xAPIC mode the signature is our own. */
	struct cpuid_policy policy = {
	    .secondary = (uint32_t)vmread(VMCS_PROC2_CTLS),
	    .hide_monitor = true,
	    .hide_x2apic = hv.options.nox2apic,
	    .signature = lapic_x2apic() ? CPUID_SIGNATURE_KVM : "IronixIronix",
	};
	struct cpuid r = cpuid(leaf, subleaf);
	struct cpuid_regs regs = {r.eax, r.ebx, r.ecx, r.edx};

	cpuid_filter(&policy, leaf, subleaf, cr4, &regs);
	return (struct cpuid){regs.eax, regs.ebx, regs.ecx, regs.edx};
}

bool linux_rdmsr(uint32_t msr, uint64_t *value)
{
	switch (msr_root(msr, false)) {
	case MSR_PASS:
		return rdmsr_safe(msr, value);
	case MSR_DENY:
		return false;
	case MSR_EMULATE:
		break;
	}
	if (msr == MSR_FEATURE_CONTROL) {
		*value = FEATURE_CONTROL_LOCK; /* locked, VMX off */
		return true;
	}
	if (!rdmsr_safe(msr, value))
		return false;
	if (msr == MSR_PERF_CAPABILITIES)
		*value &= ~(PERF_PEBS | PERF_FREEZE_SMM);
	if (msr == MSR_CORE_CAPABILITIES)
		*value &= ~CORE_CAPS_RAR;
	return true;
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

/* Branch records and single steps by branch: the rest is of features that are hidden. The processor
 * loads it at VM entry, and clears its own at VM exit. */
static bool write_debugctl(uint64_t value)
{
	if (value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF))
		return false;
	vmwrite(VMCS_GUEST_DEBUGCTL, value);
	return true;
}

/* What CPUID says must stay the same. */
static bool write_misc_enable(uint64_t value)
{
	uint64_t fixed = MISC_ENABLE_MONITOR | MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XD_DISABLE;
	uint64_t now;

	return rdmsr_safe(MSR_MISC_ENABLE, &now) &&
	       wrmsr_safe(MSR_MISC_ENABLE, (value & ~fixed) | (now & fixed));
}

bool linux_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	switch (msr_root(msr, true)) {
	case MSR_PASS:
		return wrmsr_safe(msr, value);
	case MSR_DENY:
		return false;
	case MSR_EMULATE:
		break;
	}
	if (msr == MSR_APIC_BASE)
		return write_apic_base(value);
	if (msr == MSR_X2APIC_ICR)
		return lapic_x2apic() && icr_write_x2apic(v, value);
	if (msr == MSR_DEBUGCTL)
		return write_debugctl(value);
	if (msr == MSR_MISC_ENABLE)
		return write_misc_enable(value);
	/* The rest is taken and forgotten: the hypervisor has made the MTRRs of all cores equal and
	 * its EPT follows them, and microcode is loaded before the hypervisor starts. */
	return true;
}
