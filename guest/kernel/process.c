/* SPDX-License-Identifier: MIT
 *
 * The application's threads, its end, its time limits.
 */
#include <errno.h>

#include "guest/kernel/apic.h"
#include "guest/kernel/console.h"
#include "guest/kernel/dataplane.h"
#include "guest/kernel/futex.h"
#include "guest/kernel/invariants.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/string.h"
#include "guest/kernel/uaccess.h"
#include "guest/kernel/uvm.h"

#define CLONE_VM             0x100
#define CLONE_SETTLS         0x80000
#define CLONE_PARENT_SETTID  0x100000
#define CLONE_CHILD_CLEARTID 0x200000
#define CLONE_CHILD_SETTID   0x1000000
#define CLONE_THREAD         0x10000

#define PARK_MS       1000    /* how long the last words wait for the other cores */
#define BACKGROUND_NS 1000000 /* how often the network runs while a thread computes too long */
#define WAIT_NS       50000   /* and while it waits for something else */

_Noreturn void switch_stack(uint64_t top, void (*to)(void), uint64_t argument);

static int ended; /* atomic: 1 from when the application is over */
static int next_tid = 2;
static uint64_t report_tsc, stop_tsc; /* watchdog; 0: none */

static bool self_check;

bool process_ended(void)
{
	return __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
}

/* ---- waiting ---- */

static void timer_by(struct cpu *c, uint64_t tsc)
{
	if (c->timer == 0 || tsc < c->timer) {
		c->timer = tsc;
		timer_at(tsc);
	}
}

static _Noreturn void park(void)
{
	struct cpu *c = this_cpu();

	c->thread.state = THREAD_NONE;
	dataplane_end(c, true);
	__atomic_store_n(&c->parked, 1, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void process_check(void)
{
	if (process_ended())
		park();
	uvm_sync(this_cpu());
}

void process_wait_bare(const int *word, int value, uint64_t until)
{
	struct cpu *c = this_cpu();

	process_check();
	/* Announced before the last look, so that who changes the word sees it or is seen. */
	__atomic_store_n(&c->sleeping, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value && !process_ended() &&
	    rdtsc() < until) {
		if (until != UINT64_MAX)
			timer_by(c, until);
		/* STI takes effect after HLT has begun: no interrupt is lost between the two. */
		uint64_t seen = uvm_pause(c);

		__asm__ volatile("sti; hlt; cli" ::: "memory");
		uvm_resume(c, seen);
	}
	__atomic_store_n(&c->sleeping, 0, __ATOMIC_RELAXED);
}

void process_wait(const int *word, int value, uint64_t until)
{
	struct cpu *c = this_cpu();
	uint64_t start = rdtsc();

	dataplane_background(c);
	if (dataplane_active(c)) {
		uint64_t soon = rdtsc() + ns_to_tsc(WAIT_NS);

		until = soon < until ? soon : until;
	}
	process_wait_bare(word, value, until);
	c->user_since += rdtsc() - start; /* a wait is no computing */
}

void process_notify(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < ncpus; i++) {
		struct cpu *c = cpu_of(i);

		if (c != this_cpu() && __atomic_load_n(&c->sleeping, __ATOMIC_RELAXED))
			apic_kick(c);
	}
}

/* ---- threads ---- */

void process_core_loop(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = &c->thread;

	while (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) != THREAD_STARTING)
		process_wait(&t->state, THREAD_NONE, UINT64_MAX);
	t->attached = t->serving = false;
	c->user_since = rdtsc();
	c->unresponsive = false;
	fpu_reset();
	wrmsr(MSR_FS_BASE, t->fs_base);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	__atomic_store_n(&t->state, THREAD_RUNNING, __ATOMIC_RELEASE);

	struct regs frame = t->start_regs;

	enter_user(&frame);
}

int64_t process_clone(const struct regs *r)
{
	uint64_t flags = r->di, stack = r->si, parent_tid = r->dx, child_tid = r->r10, tls = r->r8;

	if ((flags & (CLONE_VM | CLONE_THREAD)) != (CLONE_VM | CLONE_THREAD))
		return -ENOSYS; /* a process of its own: there is one application */
	if (stack >= USER_TOP || ((flags & CLONE_SETTLS) && tls >= USER_TOP))
		return -EINVAL;
	for (unsigned i = 0; i < ncpus; i++) {
		struct cpu *c = cpu_of(i);
		struct thread *t = &c->thread;
		int none = THREAD_NONE;

		if (!__atomic_compare_exchange_n(&t->state, &none, THREAD_TAKEN, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		int tid = __atomic_fetch_add(&next_tid, 1, __ATOMIC_RELAXED);

		t->tid = tid;
		t->clear_tid = flags & CLONE_CHILD_CLEARTID ? child_tid : 0;
		t->fs_base = flags & CLONE_SETTLS ? tls : 0;
		t->signal_mask = this_cpu()->thread.signal_mask;
		t->start_regs = *r;
		t->start_regs.ax = 0;
		t->start_regs.sp = stack;
		if (((flags & CLONE_PARENT_SETTID) && put_user(parent_tid, tid)) ||
		    ((flags & CLONE_CHILD_SETTID) && put_user(child_tid, tid))) {
			__atomic_store_n(&t->state, THREAD_NONE, __ATOMIC_RELEASE);
			return -EFAULT;
		}
		__atomic_store_n(&t->state, THREAD_STARTING, __ATOMIC_RELEASE);
		process_notify();
		return tid;
	}
	return -EAGAIN; /* each core has its thread */
}

static bool any_thread(void)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (__atomic_load_n(&cpu_of(i)->thread.state, __ATOMIC_ACQUIRE) != THREAD_NONE)
			return true;
	return false;
}

void process_thread_exit(int status)
{
	struct cpu *c = this_cpu();
	uint64_t clear = c->thread.clear_tid;
	static const uint32_t zero;

	if (process_ended())
		park();
	dataplane_end(c, false);
	/* First the core is free, then it is said: who has joined this thread can start another one. */
	__atomic_store_n(&c->thread.state, THREAD_NONE, __ATOMIC_RELEASE);
	if (clear && clear % 4 == 0 && put_user(clear, zero) == 0)
		futex_wake(clear, 1);
	if (!any_thread())
		process_exit(status);
	switch_stack(c->kernel_rsp, process_core_loop, 0);
}

/* ---- the end ---- */

static void say_interrupts(void)
{
	for (unsigned i = 0; i < ncpus; i++) {
		const struct cpu *c = cpu_of(i);

		say("core %u: %lu calls; interrupts: %lu timer, %lu kick, %lu NIC, %lu spurious, "
		    "%lu unexpected, %lu NMI",
		    i, c->syscalls, c->irq_timer, c->irq_kick, c->irq_nic, c->irq_spurious,
		    c->irq_unexpected, c->nmis);
	}
}

/* The first core to get here says the last words; the others park. */
static _Noreturn void end(uint64_t event, int status)
{
	if (__atomic_exchange_n(&ended, 1, __ATOMIC_ACQ_REL))
		park();
	struct cpu *self = this_cpu();

	for (unsigned i = 0; i < ncpus; i++)
		if (cpu_of(i) != self)
			apic_kick(cpu_of(i));
	dataplane_end(self, true);
	uint64_t until = rdtsc() + tsc_khz * PARK_MS;

	for (unsigned i = 0; i < ncpus; i++)
		while (cpu_of(i) != self && rdtsc() < until &&
		       !__atomic_load_n(&cpu_of(i)->parked, __ATOMIC_ACQUIRE))
			cpu_pause();
	if (self_check) {
		say_interrupts();
		dataplane_say_stats();
		invariants_check();
	}
	tell(IX_GEVENT_APP_EXIT, event);
	domain_exit(status);
}

void process_exit(int status)
{
	if (!process_ended())
		say("application ended: exit status %d", status & 255);
	end((uint64_t)status & 255, status & 255);
}

void process_kill(int signal)
{
	if (!process_ended())
		say("application ended: signal %d", signal);
	end(256 + (uint64_t)signal, 128 + signal);
}

void process_user_return(void)
{
	struct cpu *c = this_cpu();

	if (process_ended())
		park();
	uvm_sync(c);
	/* As a rule it is set, for some earlier call's limit, and only moved when it fires; but a sleep
	 * that a packet has ended leaves a later time behind. Once the limit is past, it is process_tick()
	 * that says when: a timer for the past would let the application do nothing, ever. */
	if (c->thread.serving && report_tsc && (c->timer == 0 || !c->unresponsive))
		timer_by(c, c->user_since + report_tsc);
}

void process_set_self_check(bool on)
{
	self_check = on;
}

/* ---- time limits ---- */

void process_set_limits(uint64_t report_us, uint64_t stop_us)
{
	report_tsc = ns_to_tsc(report_us * 1000);
	stop_tsc = ns_to_tsc(stop_us * 1000);
}

void process_watchdog_reset(struct cpu *c)
{
	c->user_since = rdtsc();
	if (c->unresponsive) {
		c->unresponsive = false;
		say("core %u: the application responds again", c->index);
	}
}

void process_tick(struct cpu *c, const struct regs *r)
{
	c->timer = 0;
	/* Before its first run_io() a thread has no time limit: it may load and compute. */
	if (!from_user(r) || !c->thread.serving || !report_tsc)
		return;
	uint64_t now = rdtsc(), gone = now - c->user_since;

	if (gone < report_tsc) {
		timer_by(c, c->user_since + report_tsc);
		return;
	}
	if (!c->unresponsive) {
		c->unresponsive = true;
		say("core %u: the application is unresponsive: %lu us in user mode, at %p",
		    c->index, tsc_to_ns(gone) / 1000, (void *)r->ip);
		tell(IX_GEVENT_UNRESPONSIVE, c->index);
	}
	if (stop_tsc && gone >= stop_tsc) {
		say("core %u: the application is stopped: %lu us in user mode", c->index,
		    tsc_to_ns(gone) / 1000);
		process_kill(9);
	}
	dataplane_background(c);
	timer_by(c, now + ns_to_tsc(BACKGROUND_NS));
}
