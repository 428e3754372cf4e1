/* SPDX-License-Identifier: MIT */
#include "hv/panic.h"

#include <stdarg.h>

#include "hv/arch/cpu.h"
#include "hv/arch/smp.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/fmt.h"
#include "hv/symbols.h"

#define MAX_FRAMES 16

static uint32_t panicked; /* one core reports; the others stop */

noreturn void halt_forever(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

/* A frame pointer is followed only where stacks are: the per-core ones and the boot stack. */
static bool on_a_stack(uint64_t rbp)
{
	extern const char hv_image_start[], hv_image_end[];

	if (rbp & 7)
		return false;
	return (rbp >= HV_STACKS && rbp < HV_MMIO) ||
	       (rbp >= (uint64_t)hv_image_start && rbp < (uint64_t)hv_image_end - 16);
}

static void backtrace(uint64_t rip, uint64_t rbp)
{
	for (unsigned int i = 0; i < MAX_FRAMES && rip; i++) {
		uint64_t offset, next;
		const char *name = symbol_name(rip, &offset);

		log_error("  #%u %016lx %s+%#lx", i, rip, name, offset);
		if (!on_a_stack(rbp))
			break;
		rip = ((const uint64_t *)rbp)[1];
		next = *(const uint64_t *)rbp;
		if (next <= rbp)
			break;
		rbp = next;
	}
}

static void begin(const char *reason)
{
	if (__atomic_exchange_n(&panicked, 1, __ATOMIC_ACQ_REL))
		halt_forever();
	console_break_lock();
	log_error("PANIC: %s", reason);
}

noreturn void panic(const char *format, ...)
{
	char reason[LOG_LINE];
	va_list args;

	va_start(args, format);
	vfmt(reason, sizeof(reason), format, args);
	va_end(args);
	begin(reason);
	backtrace((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
	smp_stop_others();
	log_error("PANIC: all cores stopped");
	halt_forever();
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
	backtrace(f->rip, f->rbp);
	smp_stop_others();
	log_error("PANIC: all cores stopped");
	halt_forever();
}

noreturn void refuse(const char *format, ...)
{
	char reason[LOG_LINE];
	va_list args;

	va_start(args, format);
	vfmt(reason, sizeof(reason), format, args);
	va_end(args);
	log_error("REFUSED: %s", reason);
	smp_stop_others();
	halt_forever();
}
