/* SPDX-License-Identifier: MIT */
#include "hv/arch/vmx.h"

#include "hv/arch/x86.h"
#include "hv/lib/errno.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define CPUID_1_ECX_VMX     BIT(5)
#define VMX_BASIC_TRUE_CTLS BIT(55)
#define VMX_BASIC_REVISION  0x7fffffff

/* A capability MSR: low half the bits that must be 1, high half those that may be (SDM A.2). */
static void read_ctls(uint32_t msr, uint32_t *fixed1, uint32_t *allowed1)
{
	uint64_t v = rdmsr(msr);

	*fixed1 = (uint32_t)v;
	*allowed1 = (uint32_t)(v >> 32);
}

bool vmx_read_caps(struct vmx_caps *c)
{
	uint64_t basic;
	bool true_ctls;

	*c = (struct vmx_caps){0};
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
		return false;
	basic = rdmsr(MSR_VMX_BASIC);
	true_ctls = basic & VMX_BASIC_TRUE_CTLS;
	c->revision = (uint32_t)(basic & VMX_BASIC_REVISION);
	/* Without the TRUE MSRs (SDM A.3.1) the older ones at 0x481-0x484 say the same, with the
	 * "default1" bits fixed. */
	read_ctls(true_ctls ? MSR_VMX_TRUE_PINBASED : MSR_VMX_PINBASED, &c->pin1, &c->pin);
	read_ctls(true_ctls ? MSR_VMX_TRUE_PROC : MSR_VMX_PINBASED + 1, &c->proc1, &c->proc);
	read_ctls(true_ctls ? MSR_VMX_TRUE_EXIT : MSR_VMX_PINBASED + 2, &c->exit1, &c->exit);
	read_ctls(true_ctls ? MSR_VMX_TRUE_ENTRY : MSR_VMX_PINBASED + 3, &c->entry1, &c->entry);
	if (c->proc & PROC_SECONDARY) {
		read_ctls(MSR_VMX_PROC2, &c->proc21, &c->proc2);
		if (c->proc2 & (PROC2_EPT | PROC2_VPID))
			c->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
	}
	c->creg.cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	c->creg.cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	c->creg.cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	c->creg.cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	c->creg.unrestricted = c->proc2 & PROC2_UNRESTRICTED;
	return true;
}

void vmx_merge_caps(struct vmx_caps *a, const struct vmx_caps *b)
{
	a->pin &= b->pin;
	a->proc &= b->proc;
	a->proc2 &= b->proc2;
	a->exit &= b->exit;
	a->entry &= b->entry;
	a->pin1 |= b->pin1;
	a->proc1 |= b->proc1;
	a->proc21 |= b->proc21;
	a->exit1 |= b->exit1;
	a->entry1 |= b->entry1;
	a->ept_vpid &= b->ept_vpid;
	a->creg.cr0_fixed0 |= b->creg.cr0_fixed0;
	a->creg.cr0_fixed1 &= b->creg.cr0_fixed1;
	a->creg.cr4_fixed0 |= b->creg.cr4_fixed0;
	a->creg.cr4_fixed1 &= b->creg.cr4_fixed1;
	a->creg.unrestricted &= b->creg.unrestricted;
}

bool vmx_unlock(void)
{
	uint64_t v = rdmsr(MSR_FEATURE_CONTROL);

	if (!(v & FEATURE_CONTROL_LOCK)) {
		wrmsr(MSR_FEATURE_CONTROL, v | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE);
		return true;
	}
	return v & FEATURE_CONTROL_VMX_OUTSIDE;
}

/* VMX instructions report failure in CF or ZF (SDM 3C 31.2). */
#define VMX_OP(insn, pa)                                                          \
	({                                                                        \
		uint64_t pa_ = (pa);                                              \
		bool fail_;                                                       \
		asm volatile(insn " %1" : "=@ccbe"(fail_) : "m"(pa_) : "memory"); \
		fail_;                                                            \
	})

int vmx_on(void *region, uint32_t revision)
{
	write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | CR4_VMXE | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));
	*(uint32_t *)region = revision;
	return VMX_OP("vmxon", direct_pa(region)) ? -EIO : 0;
}

void vmx_off(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

void vmwrite(enum vmcs_field field, uint64_t value)
{
	bool fail;

	asm volatile("vmwrite %2, %1"
		     : "=@ccbe"(fail)
		     : "r"((uint64_t)field), "r"(value)
		     : "memory");
	if (fail)
		panic("VMWRITE of field %#x failed", field);
}

int vmcs_clear(void *region)
{
	return VMX_OP("vmclear", direct_pa(region)) ? -EIO : 0;
}

int vmcs_load(void *region)
{
	return VMX_OP("vmptrld", direct_pa(region)) ? -EIO : 0;
}

struct inv_descriptor {
	uint64_t first, second;
};

void invept_all(const struct vmx_caps *caps, uint64_t eptp)
{
	struct inv_descriptor d = {eptp, 0};
	uint64_t type = caps->ept_vpid & EPT_CAP_INVEPT_ALL ? 2 : 1;

	if (type == 2)
		d.first = 0;
	asm volatile("invept %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

void invvpid_all(const struct vmx_caps *caps, uint16_t vpid)
{
	struct inv_descriptor d = {vpid, 0};
	uint64_t type = caps->ept_vpid & EPT_CAP_INVVPID_ALL ? 2 : 1;

	if (!(caps->ept_vpid & EPT_CAP_INVVPID))
		return;
	asm volatile("invvpid %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

const char *exit_reason_name(uint32_t reason)
{
	static const char *const names[EXIT_REASONS] = {
	    [EXIT_EXCEPTION_NMI] = "exception or NMI",
	    [EXIT_EXTERNAL_INTERRUPT] = "external interrupt",
	    [EXIT_TRIPLE_FAULT] = "triple fault",
	    [EXIT_INIT] = "INIT",
	    [EXIT_SIPI] = "SIPI",
	    [EXIT_INTERRUPT_WINDOW] = "interrupt window",
	    [EXIT_NMI_WINDOW] = "NMI window",
	    [EXIT_TASK_SWITCH] = "task switch",
	    [EXIT_CPUID] = "CPUID",
	    [EXIT_GETSEC] = "GETSEC",
	    [EXIT_HLT] = "HLT",
	    [EXIT_INVD] = "INVD",
	    [EXIT_INVLPG] = "INVLPG",
	    [EXIT_RDPMC] = "RDPMC",
	    [EXIT_RDTSC] = "RDTSC",
	    [EXIT_VMCALL] = "VMCALL",
	    [EXIT_VMXON] = "VMXON",
	    [EXIT_CR_ACCESS] = "CR access",
	    [EXIT_DR_ACCESS] = "DR access",
	    [EXIT_IO] = "I/O",
	    [EXIT_RDMSR] = "RDMSR",
	    [EXIT_WRMSR] = "WRMSR",
	    [EXIT_ENTRY_GUEST_STATE] = "entry: bad guest state",
	    [EXIT_ENTRY_MSR_LOAD] = "entry: MSR load",
	    [EXIT_ENTRY_CONTROLS] = "entry: bad control or host state",
	    [EXIT_ENTRY_MC] = "entry: machine check",
	    [EXIT_EPT_VIOLATION] = "EPT violation",
	    [EXIT_EPT_MISCONFIG] = "EPT misconfiguration",
	    [EXIT_INVEPT] = "INVEPT",
	    [EXIT_PREEMPTION_TIMER] = "preemption timer",
	    [EXIT_INVVPID] = "INVVPID",
	    [EXIT_WBINVD] = "WBINVD",
	    [EXIT_XSETBV] = "XSETBV",
	    [EXIT_INVPCID] = "INVPCID",
	    [EXIT_VMFUNC] = "VMFUNC",
	};

	reason &= 0xffff;
	return reason < EXIT_REASONS && names[reason] ? names[reason] : "other";
}
