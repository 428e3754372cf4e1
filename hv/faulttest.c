/* SPDX-License-Identifier: MIT */
#include "hv/faulttest.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define NMI_POLLS 1000000
#define SEND_NMI  0x4400 /* ICR, low half: NMI, assert (SDM 3A figure 11-12) */

extern const char hv_text_start[], hv_rodata_start[];

/* Recursion without end; the compiler cannot know. */
static __attribute__((noinline)) uint64_t overflow(uint64_t depth)
{
	volatile uint64_t room[64];

	room[0] = depth;
	if (hv.options.test == TEST_STACK)
		room[1] = overflow(depth + 1);
	return room[0];
}

static __attribute__((noinline)) void write_byte(const char *where, uint64_t address)
{
	log_info("test: writing to %s at %#lx", where, address);
	*(volatile uint8_t *)address = 0;
	log_error("test: %s was writable", where);
}

/* An NMI must run on its own stack: it leaves what lies below this one's pointer alone. */
static void take_nmi(void)
{
	uint32_t before = this_cpu()->nmis;
	uint64_t below;

	asm volatile("movq $0x5afe, -64(%%rsp)" : : : "memory");
	lapic_ipi(this_cpu()->apic_id, SEND_NMI);
	for (unsigned int i = 0; i < NMI_POLLS && this_cpu()->nmis == before; i++)
		pause();
	asm volatile("movq -64(%%rsp), %0" : "=r"(below) : : "memory");
	log_info("test: %u NMI(s) taken, stack below the pointer %s", this_cpu()->nmis - before,
		 below == 0x5afe ? "untouched" : "overwritten");
}

void fault_test_boot(void)
{
	static const uint8_t ret = 0xc3;
	static uint8_t data = 0xc3;
	volatile uint64_t address = 0x10;

	switch (hv.options.test) {
	case TEST_PANIC:
		panic("test: panic asked for on the command line");
	case TEST_READ:
		log_info("test: reading at %#lx", address);
		*(volatile uint8_t *)address;
		break;
	case TEST_TEXT:
		write_byte("text", (uint64_t)hv_text_start);
		break;
	case TEST_RODATA:
		write_byte("constants", (uint64_t)&ret);
		break;
	case TEST_DIRECT:
		write_byte("Linux's memory", (uint64_t)direct(0x1000));
		break;
	case TEST_EXEC:
		log_info("test: executing data at %#lx", (uint64_t)&data);
		((void (*)(void))(uint64_t)&data)();
		break;
	case TEST_STACK:
		log_info("test: overflowing the stack");
		overflow(0);
		break;
	case TEST_NMI:
		take_nmi();
		break;
	default:
		break;
	}
}

static uint32_t boot_core_waits;

void fault_test_core(const struct cpu *cpu)
{
	if (hv.options.test != TEST_LAST_CORE)
		return;
	if (cpu->index == ncpus - 1) {
		while (!__atomic_load_n(&boot_core_waits, __ATOMIC_ACQUIRE))
			pause();
		panic("test: panic asked for on the last core");
	}
	if (!cpu->index)
		__atomic_store_n(&boot_core_waits, 1, __ATOMIC_RELEASE);
	for (;;) /* until the last core stops this one */
		halt();
}
