/* SPDX-License-Identifier: MIT
 *
 * Set-up of a core: descriptor tables, control registers, system-call entry.
 */
#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/string.h"

struct cpu_features cpu_features __ro_after_init;
bool smap_on __ro_after_init; /* read by assembly code */

/* SDM 3A 6.14.1, figure 6-8 */
struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};
static struct gate idt[256] __ro_after_init;

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern char trap_stubs[], syscall_entry[];

#define STUB_SIZE 16 /* trap_stubs in entry.S */

/* SDM 2A CPUID, table 3-8 */
void cpu_detect(void)
{
	uint32_t max = cpuid(0, 0).a;
	struct cpuid one = cpuid(1, 0);
	struct cpuid seven = {0};

	if (max >= 7)
		seven = cpuid(7, 0);
	cpu_features = (struct cpu_features){
	    .smep = seven.b >> 7 & 1,
	    .smap = seven.b >> 20 & 1,
	    .umip = seven.c >> 2 & 1,
	    .fsgsbase = seven.b & 1,
	    .x2apic = one.c >> 21 & 1,
	    .tsc_deadline = one.c >> 24 & 1,
	    .rdrand = one.c >> 30 & 1,
	};
	smap_on = cpu_features.smap;

	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)trap_stubs + v * STUB_SIZE;

		idt[v] = (struct gate){
		    .offset0 = (uint16_t)at,
		    .selector = SEL_KCODE,
		    .ist = v == 8    ? 1
			   : v == 2  ? 2
			   : v == 18 ? 3
				     : 0,
		    .type = 0x8e, /* interrupt gate, DPL 0: ring 3 cannot call any */
		    .offset1 = (uint16_t)(at >> 16),
		    .offset2 = (uint32_t)(at >> 32),
		};
	}
}

static void set_descriptors(struct cpu *c)
{
	uint64_t tss = (uint64_t)&c->tss, area = (uint64_t)c - CPU_STRUCT;

	c->tss.rsp[0] = c->kernel_rsp;
	c->tss.ist[0] = area + CPU_DF_TOP;
	c->tss.ist[1] = area + CPU_NMI_TOP;
	c->tss.ist[2] = area + CPU_MC_TOP;
	c->tss.iomap = sizeof(c->tss); /* beyond the limit: ring 3 has no port */

	c->gdt[SEL_KCODE / 8] = 0x00af9b000000ffff;
	c->gdt[SEL_KDATA / 8] = 0x00cf93000000ffff;
	c->gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
	c->gdt[SEL_UCODE / 8] = 0x00affb000000ffff;
	c->gdt[SEL_TSS / 8] = (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
			      (tss >> 24 & 0xff) << 56;
	c->gdt[SEL_TSS / 8 + 1] = tss >> 32;
}

void cpu_init(struct cpu *c)
{
	struct table_register gdtr = {sizeof(c->gdt) - 1, (uint64_t)c->gdt};
	struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

	set_descriptors(c);
	__asm__ volatile("lgdt %0\n\t"
			 "lidt %1\n\t"
			 "pushq %2\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %3, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "movl %4, %%eax\n\t"
			 "ltr %%ax"
			 :
			 : "m"(gdtr), "m"(idtr), "i"(SEL_KCODE), "i"(SEL_KDATA), "i"(SEL_TSS)
			 : "rax", "memory");
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);

	uint64_t cr4 = read_cr4();

	cr4 |= cpu_features.smep ? CR4_SMEP : 0;
	cr4 |= cpu_features.smap ? CR4_SMAP : 0;
	cr4 |= cpu_features.umip ? CR4_UMIP : 0;
	cr4 |= cpu_features.fsgsbase ? CR4_FSGSBASE : 0;
	write_cr4(cr4);

	wrmsr(MSR_STAR, (uint64_t)((SEL_UDATA & ~3) - 8) << 48 | (uint64_t)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	/* AC above all: ring 3 could open its memory to the kernel's mistakes. */
	wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC);
}
