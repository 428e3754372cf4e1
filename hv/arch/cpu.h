/* SPDX-License-Identifier: MIT
 *
 * What each core owns: its descriptor tables, stacks, and place in the hypervisor.
 *
 * A core finds its struct cpu through the GS base. Only the core itself writes to it, except for
 * the fields under "mailbox".
 */
#ifndef HV_ARCH_CPU_H
#define HV_ARCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/arch/layout.h"

/* Stacks, each between two unmapped pages. NMI, #DF and #MC have their own (SDM 3A 6.14.5). */
enum stack {
	STACK_MAIN,
	STACK_NMI,
	STACK_DF,
	STACK_MC,
	NSTACKS
};
#define STACK_SIZE        0x4000
#define STACK_SPAN        (STACK_SIZE + 0x2000) /* with a guard page on either side */
#define CPU_STACKS(cpu)   (HV_STACKS + (uint64_t)(cpu)*NSTACKS * STACK_SPAN)
#define STACK_TOP(cpu, s) (CPU_STACKS(cpu) + (uint64_t)(s)*STACK_SPAN + 0x1000 + STACK_SIZE)

struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
};

struct vcpu;
struct icr_cpu;

struct cpu {
	struct cpu *self;    /* at gs:0 */
	uint64_t main_stack; /* top; at 8, used by the trampoline */

	/* mailbox: written by others */
	uint32_t requests; /* REQ_ bits, set atomically; at CPU_REQUESTS */
	uint32_t kicks;    /* NMIs sent to it that it has not taken yet */
	uint32_t online;   /* the core reached C */
	uint32_t halted;   /* and will do nothing any more */

	uint32_t index; /* 0 is the boot core */
	uint32_t apic_id;
	uint32_t nmis; /* taken */
	bool vmx_on;
	void *vmxon_region;
	uint32_t owner;          /* vm->id of the domain that the core belongs to */
	uint32_t ldr, dfr;       /* xAPIC logical ID and format, as Linux set them */
	struct vcpu *vcpu;       /* what runs here now, or NULL */
	struct vcpu *linux_vcpu; /* Linux's core here */

	/* Scratch for interprocessor interrupts (hv/vm/icr.c): an element and a bit for each core. */
	struct icr_cpu *icr_cpus;
	uint64_t *icr_set;

	uint64_t gdt[5] __attribute__((aligned(16)));
	struct tss tss __attribute__((aligned(16)));
};

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Loads GDT, IDT, TSS and the GS base of this core, and sets CR0, CR4 and EFER as the hypervisor
 * wants them. cpu->index and cpu->apic_id are set by the caller. */
void cpu_init(struct cpu *cpu);

/* Fills the interrupt descriptor table that all cores share. Once, before the first cpu_init. */
void idt_init(void);

/* From now on NMI, #DF and #MC run on their own stacks: those are mapped. */
void idt_use_stacks(void);

/* On this core: interrupts are to be taken, of which a guest may have aimed some at the vectors of
 * exceptions; or back to exceptions. A local APIC takes vectors from 16 on (SDM 3A 11.5.2), an ExtINT
 * message brings any. Meanwhile nothing may be executed that can fault. */
void idt_expect_interrupts(bool expect);

#endif
