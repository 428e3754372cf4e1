/* SPDX-License-Identifier: MIT
 *
 * VM exits of the control VM. What Linux may not do is answered as hardware without the feature
 * would answer; nothing that it does ends the hypervisor.
 */
#include "hv/vm/linux_exit.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/trap.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/vm/icr.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/linux_policy.h"
#include "hv/vm/linux_io.h"
#include "hv/vm/hypercall.h"

#define CR_ACCESS_MOV_TO 0
#define CR_ACCESS_CLTS   2
#define CR_ACCESS_LMSW   3

static bool handle_cpuid(struct vcpu *v)
{
	struct cpuid r = linux_cpuid((uint32_t)v->reg[RAX], (uint32_t)v->reg[RCX],
				     vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE);

	v->reg[RAX] = r.eax;
	v->reg[RBX] = r.ebx;
	v->reg[RCX] = r.ecx;
	v->reg[RDX] = r.edx;
	vcpu_skip(v);
	return true;
}

/* Only accesses that touch the owned bits of CR0 and CR4 come here. SDM 3C table 28-3. */
static bool handle_cr(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned int cr = q & 15, type = q >> 4 & 3, reg = q >> 8 & 15;
	uint64_t value = reg == RSP ? vmread(VMCS_GUEST_RSP) : v->reg[reg];
	uint64_t shadow = vmread(VMCS_CR0_SHADOW);

	if (cr == 0 && type == CR_ACCESS_LMSW) {
		/* LMSW sets the low four bits, and cannot clear PE. */
		uint64_t low = q >> 16 & 15;

		value = (vmread(VMCS_GUEST_CR0) & ~0xeul) | low | (shadow & (CR0_CD | CR0_NW));
	} else if (type != CR_ACCESS_MOV_TO) {
		vcpu_inject_gp(v);
		return true;
	}
	if (cr == 0) {
		bool bad = (value & CR0_PG && !(value & CR0_PE)) || value >> 32 ||
			   (value & CR0_NW && !(value & CR0_CD));

		if (bad) {
			vcpu_inject_gp(v);
			return true;
		}
		vcpu_set_cr0(v, value);
	} else if (cr == 4 && !(value & (CR4_VMXE | CR4_SMXE))) {
		vcpu_set_cr4(v, value);
	} else {
		vcpu_inject_gp(v);
		return true;
	}
	vcpu_skip(v);
	return true;
}

static bool handle_rdmsr(struct vcpu *v)
{
	uint64_t value;

	if (!linux_rdmsr(v, (uint32_t)v->reg[RCX], &value)) {
		log_debug("%s: RDMSR %#x refused", v->vm->name, (uint32_t)v->reg[RCX]);
		vcpu_inject_gp(v);
		return true;
	}
	v->reg[RAX] = (uint32_t)value;
	v->reg[RDX] = value >> 32;
	vcpu_skip(v);
	return true;
}

static bool handle_wrmsr(struct vcpu *v)
{
	uint64_t value = (v->reg[RDX] << 32) | (uint32_t)v->reg[RAX];
	uint32_t msr = (uint32_t)v->reg[RCX];

	if (msr == MSR_X2APIC_ICR && lapic_x2apic()) {
		icr_write(v, value);
	} else if (!linux_wrmsr(v, msr, value)) {
		log_debug("%s: WRMSR %#x = %#lx refused", v->vm->name, msr, value);
		vcpu_inject_gp(v);
		return true;
	}
	vcpu_skip(v);
	return true;
}

static bool handle_xsetbv(struct vcpu *v)
{
	uint64_t value = (v->reg[RDX] << 32) | (uint32_t)v->reg[RAX];

	/* The processor itself knows best which values are good; the exit comes before the check.
	 * CR4.OSXSAVE is the guest's: it is set here for the instruction. */
	if (vcpu_cpl() || !(vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE)) {
		vcpu_inject_gp(v);
		return true;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	if (xsetbv_safe((uint32_t)v->reg[RCX], value))
		vcpu_skip(v);
	else
		vcpu_inject_gp(v);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	return true;
}

static bool died(struct vcpu *v, uint32_t reason)
{
	vcpu_dump(v, reason);
	log_error("Linux has stopped on core %u: %s", v->cpu->index, exit_reason_name(reason));
	return false;
}

bool linux_exit(struct vcpu *v, uint32_t reason)
{
	switch (reason) {
	case EXIT_CPUID:
		return handle_cpuid(v);
	case EXIT_CR_ACCESS:
		return handle_cr(v);
	case EXIT_RDMSR:
		return handle_rdmsr(v);
	case EXIT_WRMSR:
		return handle_wrmsr(v);
	case EXIT_XSETBV:
		return handle_xsetbv(v);
	case EXIT_EPT_VIOLATION:
		return linux_ept_violation(v);
	case EXIT_IO:
		return linux_io(v);
	case EXIT_VMCALL:
		return linux_vmcall(v);
	case EXIT_INVD:
		/* WBINVD is what an operating system means (SDM 2A INVD). */
		asm volatile("wbinvd" : : : "memory");
		vcpu_skip(v);
		return true;
	case EXIT_WBINVD:
		asm volatile("wbinvd" : : : "memory");
		vcpu_skip(v);
		return true;
	case EXIT_TRIPLE_FAULT:
		return died(v, reason);
	default:
		if (reason & EXIT_REASON_ENTRY_FAILED || reason == EXIT_EPT_MISCONFIG)
			return died(v, reason);
		/* VMX and other instructions that this machine does not have, as far as Linux can
		 * tell. */
		vcpu_inject_ud(v);
		return true;
	}
}

bool linux_request(struct vcpu *v, uint32_t requests)
{
	if (requests & REQ_FLUSH) {
		invept_all(&hv.vmx, v->vm->eptp);
		__atomic_add_fetch(&v->cpu->flushes, 1, __ATOMIC_RELEASE);
	}
	if (requests & REQ_NMI)
		v->nmi_pending = true;
	if (requests & REQ_INIT) {
		v->wait_sipi = true;
		v->sipi_pending = false;
	}
	if (requests & REQ_SIPI && v->wait_sipi)
		v->sipi_pending = true;
	return !v->wait_sipi;
}
