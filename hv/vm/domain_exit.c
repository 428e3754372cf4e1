/* SPDX-License-Identifier: MIT */
#include "hv/vm/domain_exit.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/trap.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/cpuid.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/vm/common_exit.h"
#include "hv/vm/control.h"
#include "hv/vm/domain.h"
#include "hv/vm/icr.h"
#include "hv/vm/passthrough.h"
#include "hv/vm/vf.h"

static struct domain *domain_of(struct vcpu *v)
{
	return (struct domain *)v->vm;
}

static struct cpuid domain_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t cr4)
{
	struct cpuid_policy policy = {
	    .secondary = (uint32_t)vmread(VMCS_PROC2_CTLS),
	    .hide_monitor = true,
	    .signature = "IronixIronix",
	};
	struct cpuid r = cpuid(leaf, subleaf);
	struct cpuid_regs regs = {r.eax, r.ebx, r.ecx, r.edx};

	cpuid_filter(&policy, leaf, subleaf, cr4, &regs);
	return (struct cpuid){regs.eax, regs.ebx, regs.ecx, regs.edx};
}

/* A dataplane's words are shown on Linux's terminal, and shall not control it. */
static char printable(char c)
{
	return c < ' ' || c > '~' ? '?' : c;
}

static void make_printable(char *text)
{
	for (; *text; text++)
		*text = printable(*text);
}

/* The domain ends; what happened is kept for Linux. The first core to fail has the word. */
static bool end(struct vcpu *v, enum domain_state state, uint32_t reason, const char *why)
{
	struct domain *d = domain_of(v);
	uint32_t none = 0;

	if (__atomic_compare_exchange_n(&d->failing, &none, state, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		fmt(d->why, sizeof(d->why), "%s", why);
		make_printable(d->why);
		v->reg[RSP] = vmread(VMCS_GUEST_RSP);
		memcpy(d->reg, v->reg, sizeof(d->reg));
		d->rip = vmread(VMCS_GUEST_RIP);
		d->rflags = vmread(VMCS_GUEST_RFLAGS);
		d->cr2 = v->cr2;
		d->fail_cr3 = vmread(VMCS_GUEST_CR3);
		d->exit_reason = reason;
		d->exit_qualification = vmread(VMCS_EXIT_QUALIFICATION);
		if (state == DOMAIN_FAILED)
			vcpu_dump(v, reason);
		for (uint32_t i = 0; i < d->ncores; i++)
			if (d->core[i] != v->cpu)
				cpu_request(d->core[i], REQ_HALT);
	}
	return false;
}

static void put_line(struct domain *d)
{
	char prefix[48];

	fmt(prefix, sizeof(prefix), "ix[%s]: ", d->vm.name);
	console_line(prefix, d->line, d->line_length);
	d->line_length = 0;
}

static void console_write(struct domain *d, const char *text, uint64_t n)
{
	spin_lock(&d->console_lock);
	for (uint64_t i = 0; i < n; i++) {
		char c = text[i];

		if (c != '\n' && c != '\t')
			c = printable(c);
		d->console[d->console_head++ % CONSOLE_RING] = c;
		if (c == '\n') {
			put_line(d);
			continue;
		}
		d->line[d->line_length++] = c;
		if (d->line_length == sizeof(d->line))
			put_line(d);
	}
	spin_unlock(&d->console_lock);
}

static void event(struct domain *d, uint64_t kind, uint64_t arg)
{
	static const char *const names[] = {"event", "unresponsive", "app-exit", "ready"};
	char text[IX_TEXT];

	fmt(text, sizeof(text), "%lu", arg);
	control_event(domain_handle(d), d->vm.name, kind < 4 ? names[kind] : names[0], text);
}

static bool vmcall(struct vcpu *v)
{
	struct domain *d = domain_of(v);
	uint64_t a = v->reg[RDI], b = v->reg[RSI];
	const uint64_t arg[4] = {a, b, v->reg[RDX], v->reg[RCX]};
	int64_t result;
	char text[IX_TEXT];

	if (vcpu_cpl()) {
		vcpu_inject_ud(v);
		return true;
	}
	vcpu_skip(v);
	result = gcall_check(d->mem, d->nmem, v->reg[RAX], arg);
	if (result) {
		v->reg[RAX] = (uint64_t)result;
		return true;
	}
	switch (v->reg[RAX]) {
	case IX_GCALL_CONSOLE:
		console_write(d, direct(a), b);
		break;
	case IX_GCALL_EXIT:
		fmt(text, sizeof(text), "exit %lu", a);
		return end(v, DOMAIN_STOPPED, EXIT_VMCALL, text);
	case IX_GCALL_PANIC:
		if (b < sizeof(text) && domain_memory_has(d->mem, d->nmem, a, b))
			fmt(text, sizeof(text), "panic: %.*s", (int)b, (const char *)direct(a));
		else
			fmt(text, sizeof(text), "panic, with a bad reason");
		return end(v, DOMAIN_FAILED, EXIT_VMCALL, text);
	case IX_GCALL_STATS:
		d->stats_size = b;
		__atomic_store_n(&d->stats, a, __ATOMIC_RELEASE);
		break;
	case IX_GCALL_EVENT:
		event(d, a, b);
		break;
	case IX_GCALL_PCI_READ:
		result = passthrough_config_read(d, a, b, arg[2]);
		break;
	case IX_GCALL_PCI_WRITE:
		result = passthrough_config_write(d, a, b, arg[2], arg[3]);
		break;
	default: /* IX_GCALL_HELLO */
		result = (int64_t)(a + 1);
	}
	v->reg[RAX] = (uint64_t)result;
	return true;
}

/* The bitmap lets through what a dataplane may touch; but for the ICR the rest is #GP. */
static void msr(struct vcpu *v, bool write)
{
	if (write && (uint32_t)v->reg[RCX] == MSR_X2APIC_ICR && lapic_x2apic() &&
	    icr_write_x2apic(v, exit_wrmsr_value(v)))
		vcpu_skip(v);
	else
		vcpu_inject_gp(v);
}

static bool ept_violation(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	char why[IX_TEXT];

	if (vf_access(v, vmread(VMCS_GUEST_PHYSICAL), q & EPT_WRITE))
		return true;
	fmt(why, sizeof(why), "%s of memory that is not its own, at %#lx",
	    q & EPT_WRITE  ? "write"
	    : q & EPT_READ ? "read"
			   : "execution",
	    vmread(VMCS_GUEST_PHYSICAL));
	return end(v, DOMAIN_FAILED, EXIT_EPT_VIOLATION, why);
}

bool domain_exit(struct vcpu *v, uint32_t reason)
{
	switch (reason) {
	case EXIT_CPUID:
		exit_cpuid(v, domain_cpuid);
		return true;
	case EXIT_CR_ACCESS:
		exit_cr_access(v);
		return true;
	case EXIT_XSETBV:
		exit_xsetbv(v);
		return true;
	case EXIT_INVD:
	case EXIT_WBINVD:
		exit_wbinvd(v);
		return true;
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		msr(v, reason == EXIT_WRMSR);
		return true;
	case EXIT_IO:
		vcpu_inject_gp(v);
		return true;
	case EXIT_VMCALL:
		return vmcall(v);
	case EXIT_PREEMPTION_TIMER:
		vcpu_stop_timer(v);
		vf_timer(v);
		return true;
	case EXIT_EPT_VIOLATION:
		return ept_violation(v);
	default:
		if (reason & EXIT_REASON_ENTRY_FAILED || reason == EXIT_EPT_MISCONFIG ||
		    reason == EXIT_TRIPLE_FAULT || reason == EXIT_TASK_SWITCH)
			return end(v, DOMAIN_FAILED, reason, exit_reason_name(reason));
		vcpu_inject_ud(v);
		return true;
	}
}

/* A request only makes the core look: one that came late, for a run that is over, stops nothing. */
bool domain_request(struct vcpu *v, uint32_t requests)
{
	(void)requests;
	return !domain_ends(domain_of(v));
}
