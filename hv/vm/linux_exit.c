/* SPDX-License-Identifier: MIT
 *
 * VM exits of the control VM. What Linux may not do is answered as hardware without the feature
 * would answer; nothing that it does ends the hypervisor.
 */
#include "hv/vm/linux_exit.h"

#include "hv/arch/smp.h"
#include "hv/arch/trap.h"
#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/vm/common_exit.h"
#include "hv/vm/domain.h"
#include "hv/vm/linux.h"
#include "hv/vm/linux_io.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/linux_policy.h"
#include "hv/vm/vf.h"

#define WATCH_S 2 /* how often a core is looked at, and how long it may be deaf */
#define HANG_S  10u

static bool handle_rdmsr(struct vcpu *v)
{
	uint64_t value;

	if (!linux_rdmsr((uint32_t)v->reg[RCX], &value)) {
		log_debug("%s: RDMSR %#x refused", v->vm->name, (uint32_t)v->reg[RCX]);
		vcpu_inject_gp(v);
		return true;
	}
	exit_rdmsr_done(v, value);
	return true;
}

static bool handle_wrmsr(struct vcpu *v)
{
	uint64_t value = exit_wrmsr_value(v);
	uint32_t msr = (uint32_t)v->reg[RCX];

	if (!linux_wrmsr(v, msr, value)) {
		log_debug("%s: WRMSR %#x = %#lx refused", v->vm->name, msr, value);
		vcpu_inject_gp(v);
		return true;
	}
	vcpu_skip(v);
	return true;
}

/*
 * A core that is seen with interrupts off again and again has no way to tell of its trouble itself. The
 * timer starts anew with each VM entry, so one that exits often is not looked at, and is no such core.
 */
void linux_watch(struct vcpu *v)
{
	uint64_t now = rdtsc(), second = tsc_khz() * 1000;
	bool deaf = !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && !vmread(VMCS_GUEST_ACTIVITY);

	if (!deaf || now - v->watch.looked > 2 * WATCH_S * second) {
		v->watch.deaf_since = now;
		v->watch.told = false;
	}
	v->watch.looked = now;
	/* An image may unpack itself for long before it turns them on. */
	v->watch.heard |= !deaf;
	if (v->watch.heard && !v->watch.told && now - v->watch.deaf_since >= HANG_S * second) {
		v->watch.told = true;
		log_error("Linux, core %u: interrupts off for %u s, at %#lx: it hangs; %u "
			  "dataplane(s) go on",
			  v->cpu->index, HANG_S, vmread(VMCS_GUEST_RIP), domains_running());
	}
	vcpu_set_timer(v, WATCH_S * second);
}

static bool died(struct vcpu *v, uint32_t reason)
{
	vcpu_dump(v, reason);
	linux_end(exit_reason_name(reason));
	return false;
}

bool linux_exit(struct vcpu *v, uint32_t reason)
{
	switch (reason) {
	case EXIT_CPUID:
		exit_cpuid(v, linux_cpuid);
		return true;
	case EXIT_CR_ACCESS:
		exit_cr_access(v);
		return true;
	case EXIT_RDMSR:
		return handle_rdmsr(v);
	case EXIT_WRMSR:
		return handle_wrmsr(v);
	case EXIT_XSETBV:
		exit_xsetbv(v);
		return true;
	case EXIT_EPT_VIOLATION:
		return linux_ept_violation(v);
	case EXIT_PREEMPTION_TIMER:
		vcpu_stop_timer(v);
		linux_watch(v);
		vf_timer(v);
		return true;
	case EXIT_IO:
		return linux_io(v);
	case EXIT_VMCALL:
		/* Linux's calls go through the control function: control.c. */
		vcpu_inject_ud(v);
		return true;
	case EXIT_INVD:
	case EXIT_WBINVD:
		exit_wbinvd(v);
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
	uint32_t from = VM_LINUX;

	if (requests & REQ_FLUSH)
		invept_all(&hv.vmx, v->vm->eptp);
	if (requests & REQ_NMI)
		v->nmi_pending = true;
	if (requests & (REQ_INIT | REQ_GIVE)) {
		v->wait_sipi = true;
		v->sipi_pending = false;
	}
	if (requests & REQ_GIVE)
		__atomic_compare_exchange_n(&v->cpu->owner, &from, VM_NONE, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
	/* One that Linux sends while it gives the core away starts nothing when the core comes back. */
	if (requests & REQ_SIPI && !(requests & REQ_GIVE) && v->wait_sipi)
		v->sipi_pending = true;
	return !v->wait_sipi;
}
