/* SPDX-License-Identifier: MIT
 *
 * Virtual machines: Linux (one, for ever) and dataplanes (at run time).
 */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/arch/cpu.h"
#include "hv/arch/spinlock.h"
#include "hv/arch/vmx.h"
#include "hv/lib/ept.h"
#include "hv/lib/icr.h"

#define PENDING_BS BIT(14) /* of VMCS_GUEST_PENDING_DEBUG: single step, SDM 3C table 25-4 */

struct vm;
struct vcpu;

/* General registers, numbered as instructions number them. */
enum reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	NREGS
};

struct exit_counts {
	uint64_t count[EXIT_REASONS]; /* by basic exit reason */
	uint64_t root_cycles;         /* time-stamp counter spent in root mode between guest runs */
};

/* A core of a VM. It is bound to its physical core. */
struct vcpu {
	uint64_t reg[NREGS]; /* reg[RSP] is in the VMCS */
	uint64_t cr2;
	struct cpu *cpu;
	struct vm *vm;
	void *vmcs; /* region, one page */
	bool launched;
	bool wait_sipi;    /* Linux: not started, or INIT received */
	bool sipi_pending; /* then SIPI, too */
	bool nmi_pending;  /* to be injected */
	uint64_t injected; /* event put into the next entry, as VMCS_ENTRY_INTR_INFO; 0: none */

	/* mailbox: INIT and SIPI from other cores, with REQ_INIT and REQ_SIPI */
	uint32_t sipi_vector;

	uint64_t refused_ipis;
	uint32_t icr_high; /* xAPIC: what the guest wrote to register 0x310 */

	/* One step over an access to absent memory (linux_mem.c); 0 pages: none under way. */
	struct {
		uint32_t pages;
		uint64_t page[2];
		uint64_t rflags; /* the guest's TF and IF */
		uint64_t debugctl;
	} step;
	void *ones; /* the page that it goes to */

	/* Linux: does it hang here? In ticks of the time-stamp counter (linux_exit.c). */
	struct {
		uint64_t looked, deaf_since;
		bool heard, told; /* interrupts were on, once; a report was made */
	} watch;

	struct exit_counts exits;
};

#define VM_LINUX 0 /* vm->id; the hypervisor's own cores have cpu->owner VM_NONE */
#define VM_NONE  0xffffffffu

struct vm {
	uint32_t id; /* 0: Linux */
	char name[32];
	struct spinlock lock; /* EPT */
	struct ept ept;
	uint64_t eptp;
	void *msr_bitmap; /* 4 KB: SDM 3C 25.6.9 */
	void *io_bitmap;  /* 8 KB */
	/* Handles what vcpu_run() has no general answer for; true: the VM goes on. */
	bool (*exit)(struct vcpu *v, uint32_t reason);
	/* Requests from the mailbox that concern the VM; true: the VM goes on. */
	bool (*request)(struct vcpu *v, uint32_t requests);
	/* An exception while vcpu.step is under way. True: it was the step's, not the guest's own. */
	bool (*stepped)(struct vcpu *v, uint8_t vector);
};

/* A core of the VM, not loaded; NULL: no memory. */
struct vcpu *vcpu_new(struct vm *vm, struct cpu *cpu);
void vcpu_free(struct vcpu *v);

/* Makes it current on this core: host state, controls, a clean guest state as after INIT. */
void vcpu_load(struct vcpu *v);

/* As after SIPI: real mode at vector << 12. SDM 3A 9.4.4. */
void vcpu_start_real(struct vcpu *v, uint8_t vector);

/* 64-bit mode with flat segments of the given selectors, paging on, interrupts off. */
void vcpu_start_long(struct vcpu *v, uint64_t rip, uint64_t cr3, uint16_t cs, uint16_t ds);

/* The counterpart, for one that is not run. */
void vcpu_unload(struct vcpu *v);

/* Runs the guest until its exit or request function returns false, and unloads it. */
void vcpu_run(struct vcpu *v);

/* An exit (reason EXIT_PREEMPTION_TIMER) of this, the running, vCPU after so many ticks of the
 * time-stamp counter; without the processor's timer, at the next exit. */
void vcpu_set_timer(struct vcpu *v, uint64_t ticks);
void vcpu_stop_timer(struct vcpu *v);

/* For exit functions. */
/* Past the instruction that caused the exit; of so many bytes, where the processor does not say. */
void vcpu_skip(struct vcpu *v);
void vcpu_skip_bytes(struct vcpu *v, uint64_t length);
void vcpu_inject(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
#define vcpu_inject_gp(v) vcpu_inject(v, VEC_GP, true, 0)
#define vcpu_inject_ud(v) vcpu_inject(v, VEC_UD, false, 0)
/* Whether every exception of the guest exits, or only those that must; the rest is given back to it. */
void vcpu_catch_exceptions(struct vcpu *v, bool all);
/* CR0 and CR4 as the guest wants them; the owned bits are kept apart. */
void vcpu_set_cr0(struct vcpu *v, uint64_t value);
void vcpu_set_cr4(struct vcpu *v, uint64_t value);
unsigned int vcpu_cpl(void); /* of the current VMCS's guest */

/* Guest registers and position to the log, for reports. */
void vcpu_dump(struct vcpu *v, uint32_t reason);

/* In entry.S. */
int vmx_enter(struct vcpu *v, bool launched);
extern const char vmx_exit[];

#endif
