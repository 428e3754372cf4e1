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
	/* The rest is taken and forgotten: the hypervisor has made the MTRRs of all cores equal and
	 * its EPT follows them, and microcode is loaded before the hypervisor starts. */
	return true;
}
