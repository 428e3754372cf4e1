/* SPDX-License-Identifier: MIT
 *
 * A core: what it owns and what it is doing. Each core has one, in its own page, found through GS.
 */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "guest/kernel/layout.h"
#include "guest/kernel/x86.h"

/* Registers of the interrupted context, as entry.S saves them; ring 3's at the top of the stack. */
struct regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, bp, di, si, dx, cx, bx, ax;
	uint64_t vector, error; /* error: the processor's error code, or the system call's number */
	uint64_t ip, cs, flags, sp, ss;
};

static inline bool from_user(const struct regs *r)
{
	return r->cs & 3;
}

/* SDM 3A 7.7, figure 7-11 */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));

enum thread_state {
	THREAD_NONE,     /* no thread on this core */
	THREAD_TAKEN,    /* another core is about to start one */
	THREAD_STARTING, /* another core has put start_regs here */
	THREAD_RUNNING,
};

/* The one thread of a core. */
struct thread {
	int state; /* enum thread_state; atomic */
	int tid;
	uint64_t clear_tid; /* user address: zeroed and woken when the thread ends */
	uint64_t fs_base;   /* of a starting thread */
	uint64_t signal_mask;
	bool attached; /* has called attach(): elastic */
	bool serving;  /* and run_io(): has a time limit */
	struct regs start_regs;
};

struct cpu {
	struct cpu *self;
	uint64_t user_rsp;   /* scratch of the system-call entry */
	uint64_t kernel_rsp; /* top of the kernel stack */
	uint32_t index;      /* 0..ncores-1 */
	uint32_t apic_id;

	uint64_t tlb_seen; /* see uvm.c; atomic */
	struct thread thread;

	/* Watchdog: when ring 3 was last given the core (TSC), and whether that is too long ago. */
	uint64_t user_since;
	bool unresponsive;
	uint64_t timer; /* when the timer will fire (TSC); 0: it is stopped */

	int sleeping; /* in HLT or about to be: wants a kick when something changes; atomic */
	int parked;   /* the application has ended and this core knows; atomic */

	/* Futex wait of this core's thread; see futex.c. */
	uint64_t futex_key; /* user address waited for, or 0; under the futex lock */
	int futex_woken;    /* atomic */

	/* Interrupts and calls so far. */
	uint64_t irq_timer, irq_kick, irq_nic, irq_spurious, irq_unexpected, nmis;
	uint64_t syscalls;

	uint64_t gdt[8];
	struct tss tss;
	char bounce[SMALL_PAGE]; /* user data on its way to the console */
};

_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "entry.S");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "entry.S");
_Static_assert(offsetof(struct cpu, kernel_rsp) == CPU_KERNEL_RSP, "entry.S");
_Static_assert(CPU_STRUCT + sizeof(struct cpu) <= PAGE_SIZE, "a core's area is one page");

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__("mov %%gs:0, %0" : "=r"(c));
	return c;
}

static inline struct cpu *cpu_of(unsigned index)
{
	return (struct cpu *)(CPU_BASE + (uint64_t)index * CPU_STRIDE + PAGE_SIZE + CPU_STRUCT);
}

/* What the processor offers, of what we use; the same on every core. */
struct cpu_features {
	bool smep, smap, umip, fsgsbase, x2apic, tsc_deadline, rdrand;
};
extern struct cpu_features cpu_features;
extern unsigned ncpus; /* cores of the domain */

void cpu_detect(void);
/* Loads tables and registers of this core. The core's area is mapped. */
void cpu_init(struct cpu *c);

/* Leaves to ring 3 with these registers; entry.S. */
_Noreturn void enter_user(const struct regs *r);
/* Gives floating-point and vector registers their first values; entry.S. */
void fpu_reset(void);

#endif
