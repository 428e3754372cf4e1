/* SPDX-License-Identifier: MIT
 *
 * The local APIC: timer, end of interrupt, kicks between the domain's own cores.
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "guest/kernel/cpu.h"

struct ix_bootinfo;

/* Once, before the cores' apic_init(). */
void apic_setup(const struct ix_bootinfo *bi);
/* On each core: software-enables it. The timer is stopped. */
void apic_init(void);
/* One interrupt VEC_TIMER when the TSC reaches `tsc`, or a little later; 0 stops the timer. */
void timer_at(uint64_t tsc);
/* Makes another core leave ring 3 or HLT. */
void apic_kick(const struct cpu *c);
/* Whether an exception's vector was sent by a device: possible from 16 on (SDM 3A 11.5.2). */
bool interrupt_in_disguise(uint64_t vector);
/* An interrupt, from ring 3 or from the idle loop. */
void interrupt(struct regs *r);

extern uint64_t tsc_khz;
/* Nanoseconds in a TSC tick and ticks in a nanosecond, times 2^32. */
extern uint64_t tsc_ns_scale, ns_tsc_scale;

static inline uint64_t tsc_to_ns(uint64_t t)
{
	return (uint64_t)((unsigned __int128)t * tsc_ns_scale >> 32);
}

static inline uint64_t ns_to_tsc(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * ns_tsc_scale >> 32);
}

#endif
