/* SPDX-License-Identifier: MIT
 *
 * Traps and interrupts. A fault in ring 3 ends the application, one in ring 0 the domain, unless it
 * is an access to user memory that has a fix-up.
 */
#include "guest/kernel/apic.h"
#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/process.h"
#include "guest/kernel/symbols.h"
#include "guest/kernel/trap.h"

static const struct {
	const char *name;
	int signal; /* as Linux would have it */
} traps[32] = {
    [0] = {"divide error (#DE)", 8},
    [1] = {"debug exception (#DB)", 5},
    [2] = {"NMI", 0},
    [3] = {"breakpoint (#BP)", 5},
    [4] = {"overflow (#OF)", 11},
    [5] = {"bound range exceeded (#BR)", 11},
    [6] = {"invalid opcode (#UD)", 4},
    [7] = {"device not available (#NM)", 8},
    [8] = {"double fault (#DF)", 0},
    [10] = {"invalid TSS (#TS)", 11},
    [11] = {"segment not present (#NP)", 7},
    [12] = {"stack fault (#SS)", 7},
    [13] = {"general protection (#GP)", 11},
    [14] = {"page fault (#PF)", 11},
    [16] = {"floating-point error (#MF)", 8},
    [17] = {"alignment check (#AC)", 7},
    [18] = {"machine check (#MC)", 7},
    [19] = {"SIMD floating-point error (#XM)", 8},
    [20] = {"virtualization exception (#VE)", 11},
    [21] = {"control protection (#CP)", 11},
};

struct extable_entry {
	uint64_t at, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];

static const char *trap_name(uint64_t vector)
{
	return vector < 32 && traps[vector].name ? traps[vector].name : "reserved exception";
}

void regs_print(const struct regs *r)
{
	say("  rax %p rbx %p rcx %p rdx %p", (void *)r->ax, (void *)r->bx, (void *)r->cx,
	    (void *)r->dx);
	say("  rsi %p rdi %p rbp %p rsp %p", (void *)r->si, (void *)r->di, (void *)r->bp,
	    (void *)r->sp);
	say("  r8  %p r9  %p r10 %p r11 %p", (void *)r->r8, (void *)r->r9, (void *)r->r10,
	    (void *)r->r11);
	say("  r12 %p r13 %p r14 %p r15 %p", (void *)r->r12, (void *)r->r13, (void *)r->r14,
	    (void *)r->r15);
	say("  rip %p cs %lx rflags %lx ss %lx error %lx", (void *)r->ip, r->cs, r->flags, r->ss,
	    r->error);
}

static void describe(const struct regs *r, uint64_t address)
{
	if (r->vector == 14)
		say("  address %p: %s of a page that is %s%s", (void *)address,
		    r->error & 16  ? "execution"
		    : r->error & 2 ? "write"
				   : "read",
		    r->error & 1 ? "protected" : "not there",
		    r->error & 8 ? ", reserved bit set" : "");
	regs_print(r);
}

static _Noreturn void kernel_fault(const struct regs *r, uint64_t address)
{
	uint64_t offset = 0;
	const char *s = symbol_of(r->ip, &offset);

	console_break_lock();

	say("kernel fault on core %u: %s at %p %s+0x%lx", this_cpu()->index, trap_name(r->vector),
	    (void *)r->ip, s ? s : "?", offset);
	describe(r, address);
	if (r->bp > (uint64_t)r && r->bp - (uint64_t)r < CPU_STACK_TOP)
		backtrace(r->bp);
	panic("%s in ring 0 at %s+0x%lx", trap_name(r->vector), s ? s : "?", offset);
}

static bool fix_up(struct regs *r)
{
	uint64_t bytes = (uint64_t)extable_end - (uint64_t)extable_start;

	for (uint64_t i = 0; i < bytes / sizeof(*extable_start); i++) {
		if (extable_start[i].at == r->ip) {
			r->ip = extable_start[i].fixup;
			return true;
		}
	}
	return false;
}

static void exception(struct regs *r)
{
	uint64_t address = r->vector == 14 ? read_cr2() : 0;

	if (!from_user(r)) {
		if ((r->vector == 14 || r->vector == 13) && fix_up(r))
			return;
		kernel_fault(r, address);
	}
	say("application fault on core %u: %s at %p", this_cpu()->index, trap_name(r->vector),
	    (void *)r->ip);
	describe(r, address);
	process_kill(r->vector < 32 ? traps[r->vector].signal : 11);
}

void trap_handle(struct regs *r)
{
	if (r->vector < 32 && !interrupt_in_disguise(r->vector))
		exception(r);
	else
		interrupt(r);
	if (from_user(r))
		process_user_return();
}

/* NMIs have no meaning here: those that come are meant for somebody else (docs/guest.md). */
void trap_ist_handle(struct regs *r)
{
	if (r->vector == 2)
		this_cpu()->nmis++;
	else if (interrupt_in_disguise(r->vector))
		interrupt(r);
	else
		kernel_fault(r, read_cr2());
}
