/* SPDX-License-Identifier: MIT */
#include "hv/arch/trap.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/x86.h"
#include "hv/panic.h"

struct fixup {
	uint64_t from, to;
};
extern const struct fixup ex_table_start[], ex_table_end[];

static const char *const names[32] = {
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound range",
    "#UD invalid opcode",
    "#NM no FPU",
    "#DF double fault",
    "coprocessor overrun",
    "#TS invalid TSS",
    "#NP segment not present",
    "#SS stack fault",
    "#GP general protection",
    "#PF page fault",
    "vector 15",
    "#MF x87 error",
    "#AC alignment check",
    "#MC machine check",
    "#XM SIMD error",
    "#VE virtualization",
    "#CP control protection",
};

void trap_handler(struct trap_frame *frame)
{
	if (frame->vector == VEC_NMI) {
		nmi_handler(frame);
		return;
	}
	/* An interrupt meant for a guest, while lapic_quiet() takes off what is pending; of a vector below 32
	 * by trap_interrupt. */
	if (frame->vector >= 32) {
		lapic_write(APIC_EOI, 0);
		return;
	}
	for (const struct fixup *f = ex_table_start; f < ex_table_end; f++) {
		if (frame->rip == f->from) {
			frame->rip = f->to;
			return;
		}
	}
	panic_trap(frame, frame->vector < 32 && names[frame->vector] ? names[frame->vector]
								     : "unexpected interrupt");
}
