/* SPDX-License-Identifier: MIT */
#include "hv/arch/cpu.h"

#include "hv/arch/trap.h"
#include "hv/arch/x86.h"
#include "hv/lib/string.h"

#define NVECTORS    256
#define NEXCEPTIONS 32

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define GDT_CODE       0x00af9b000000fffful
#define GDT_DATA       0x00cf93000000fffful
#define TSS_AVAILABLE  0x89ul /* present, 64-bit TSS, not busy */

static struct gate idt[NVECTORS] __attribute__((aligned(16)));
static struct gate interrupt_idt[NVECTORS] __attribute__((aligned(16)));
extern const char trap_stubs[], trap_interrupt[];

static struct gate gate_to(const char *code)
{
	uint64_t at = (uint64_t)code;

	return (struct gate){
	    .offset_low = (uint16_t)at,
	    .selector = SEL_CODE,
	    .type = GATE_INTERRUPT,
	    .offset_mid = (uint16_t)(at >> 16),
	    .offset_high = (uint32_t)(at >> 32),
	};
}

void idt_init(void)
{
	for (unsigned int v = 0; v < NVECTORS; v++)
		idt[v] = gate_to(trap_stubs + 16 * v);
}

void idt_use_stacks(void)
{
	idt[VEC_NMI].ist = STACK_NMI;
	idt[VEC_DF].ist = STACK_DF;
	idt[VEC_MC].ist = STACK_MC;
	memcpy(interrupt_idt, idt, sizeof(idt));
	for (unsigned int v = 0; v < NEXCEPTIONS; v++)
		if (v != VEC_NMI)
			interrupt_idt[v] = gate_to(trap_interrupt);
}

static void load_idt(const struct gate *table)
{
	struct table_register idtr = {sizeof(idt) - 1, (uint64_t)table};

	asm volatile("lidt %0" : : "m"(idtr));
}

void idt_expect_interrupts(bool expect)
{
	load_idt(expect ? interrupt_idt : idt);
}

static void gdt_init(struct cpu *cpu)
{
	uint64_t base = (uint64_t)&cpu->tss;
	struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};

	for (unsigned int s = STACK_NMI; s < NSTACKS; s++)
		cpu->tss.ist[s - 1] = STACK_TOP(cpu->index, s);
	cpu->tss.iomap = sizeof(cpu->tss);

	cpu->gdt[0] = 0;
	cpu->gdt[SEL_CODE / 8] = GDT_CODE;
	cpu->gdt[SEL_DATA / 8] = GDT_DATA;
	/* 64-bit TSS descriptor, SDM 3A 8.2.3. */
	cpu->gdt[SEL_TSS / 8] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 |
				TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = base >> 32;

	asm volatile("lgdt %0\n\t"
		     "pushq %1\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1: mov %2, %%ds\n\t"
		     "mov %2, %%es\n\t"
		     "mov %2, %%ss\n\t"
		     "mov %3, %%fs\n\t"
		     "mov %3, %%gs\n\t"
		     "ltr %w4\n\t"
		     :
		     : "m"(gdtr), "i"(SEL_CODE), "r"(SEL_DATA), "r"(0), "r"(SEL_TSS)
		     : "rax", "memory");
}

void cpu_init(struct cpu *cpu)
{
	uint64_t cr4 = read_cr4() & ~(CR4_PCIDE | CR4_SMXE);

	cpu->self = cpu;
	gdt_init(cpu);
	load_idt(idt);
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);

	/* VM entry and exit keep the host's CD and NW, and an INIT sets them (SDM 3A table 9-1):
	 * cleared here for good. WP makes W^X hold for the hypervisor too. */
	write_cr0((read_cr0() | CR0_PE | CR0_PG | CR0_NE | CR0_WP | CR0_ET | CR0_MP) &
		  ~(CR0_CD | CR0_NW | CR0_TS | CR0_EM | CR0_AM));
	write_cr4(cr4 | CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}
