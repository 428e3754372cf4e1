/* SPDX-License-Identifier: MIT */
#include "hv/panic.h"

#include <stdarg.h>

#include "hv/arch/cpu.h"
#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/fmt.h"
#include "hv/mem.h"
#include "hv/symbols.h"

#define MAX_FRAMES 16

/* ICR, low half: INIT, assert, to all but the sender (SDM 3A figure 11-12). */
#define INIT_OTHERS 0xc4500

static uint32_t panicked; /* 1 + index of the core that reports; the others stop */

noreturn void halt_forever(void)
{
	__atomic_store_n(&this_cpu()->halted, 1, __ATOMIC_RELEASE);
	for (;;)
		asm volatile("cli; hlt");
}

/* A frame pointer is followed only where stacks are: the per-core ones and the boot stack. */
static bool on_a_stack(uint64_t rbp)
{
	extern const char hv_image_start[], hv_image_end[];
	uint64_t offset;

	if (rbp & 7)
		return false;
	if (rbp >= (uint64_t)hv_image_start && rbp < (uint64_t)hv_image_end - 16)
		return true;
	if (rbp < HV_STACKS || rbp >= CPU_STACKS(ncpus))
		return false;
	offset = (rbp - HV_STACKS) % STACK_SPAN;
	return offset >= PAGE_SIZE && offset < PAGE_SIZE + STACK_SIZE - 8;
}

/* `rip` is where it happened; the addresses above it are those that calls return to, which for a
 * call of a function that does not return may be another function's first: one less is looked up. */
static void backtrace(uint64_t rip, uint64_t rbp, bool exact)
{
	for (unsigned int i = 0; i < MAX_FRAMES && rip; i++) {
		uint64_t offset, next, less = i || !exact;
		const char *name = symbol_name(rip - less, &offset);

		log_error("  #%u %016lx %s+%#lx", i, rip, name, offset + less);
		if (!on_a_stack(rbp))
			break;
		rip = ((const uint64_t *)rbp)[1];
		next = *(const uint64_t *)rbp;
		if (next <= rbp)
			break;
		rbp = next;
	}
}

static noreturn void end(void)
{
	uint32_t left = smp_stop_others();

	if (left)
		log_error("PANIC: %u core(s) did not stop", left);
	else
		log_error("PANIC: all cores stopped");
	halt_forever();
}

static void begin(const char *reason)
{
	uint32_t me = this_cpu()->index + 1;
	uint32_t first = 0;

	if (!__atomic_compare_exchange_n(&panicked, &first, me, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE) &&
	    first != me)
		halt_forever();
	console_break_lock();
	if (!console_ready()) /* before the command line was read: the usual place */
		console_init(0x3f8, 115200);
	log_error("PANIC: %s", reason);
	if (first == me) /* while it reported */
		end();
}

noreturn void panic(const char *format, ...)
{
	char reason[LOG_LINE];
	const uint64_t *frame = __builtin_frame_address(0);
	va_list args;

	va_start(args, format);
	vfmt(reason, sizeof(reason), format, args);
	va_end(args);
	begin(reason);
	backtrace(frame[1], frame[0], false);
	end();
}

/* An overflow hits the page below the stack, which is not mapped. */
static void name_guard_page(uint64_t address)
{
	static const char *const names[NSTACKS] = {"main", "NMI", "#DF", "#MC"};
	uint64_t at = address - HV_STACKS;

	if (address >= HV_STACKS && address < CPU_STACKS(ncpus) && at % STACK_SPAN < PAGE_SIZE)
		log_error("  stack overflow: guard page of core %lu's %s stack",
			  at / STACK_SPAN / NSTACKS, names[at / STACK_SPAN % NSTACKS]);
}

noreturn void panic_trap(const struct trap_frame *f, const char *what)
{
	begin(what);
	log_error("  error code %#lx, cr2 %016lx, cr3 %016lx", f->error, read_cr2(), read_cr3());
	log_error("  rip %016lx cs %04lx rflags %08lx rsp %016lx", f->rip, f->cs, f->rflags,
		  f->rsp);
	log_error("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_error("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
	log_error("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
	log_error("  r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
	if (f->vector == VEC_PF || f->vector == VEC_DF)
		name_guard_page(read_cr2());
	backtrace(f->rip, f->rbp, true);
	end();
}

noreturn void refuse(const char *format, ...)
{
	char reason[LOG_LINE];
	va_list args;

	va_start(args, format);
	vfmt(reason, sizeof(reason), format, args);
	va_end(args);
	log_error("REFUSED: %s", reason);
	/* Cores that were not started may be busy in the firmware: INIT makes them wait for SIPI. It is
	 * blocked in VMX root mode, and those cores have been stopped. */
	if (!this_cpu()->index && cpuid(1, 0).edx & BIT(9))
		lapic_ipi(0, INIT_OTHERS);
	if (!smp_stop_others())
		log_info("all cores halted");
	halt_forever();
}
