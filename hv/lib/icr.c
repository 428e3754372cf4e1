/* SPDX-License-Identifier: MIT */
#include "hv/lib/icr.h"
#include "hv/lib/string.h"

/* SDM 3A figures 11-12 and 11-28 */
#define LOW_LOGICAL     (1u << 11)
#define LOW_ASSERT      (1u << 14)
#define LOW_LEVEL       (1u << 15)
#define X2APIC_RESERVED 0xfff32000u

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST 0xffffffffu

static struct icr decode(uint32_t low, uint32_t dest, bool x2apic)
{
	return (struct icr){
	    .vector = low,
	    .mode = low >> 8 & 7,
	    .shorthand = low >> 18 & 3,
	    .logical = low & LOW_LOGICAL,
	    .assert = low &LOW_ASSERT,
	    .level = low &LOW_LEVEL,
	    .x2apic = x2apic,
	    .dest = dest,
	};
}

struct icr icr_decode_xapic(uint32_t high, uint32_t low)
{
	return decode(low, high >> 24, false);
}

bool icr_decode_x2apic(uint64_t value, struct icr *icr)
{
	*icr = decode(value, value >> 32, true);
	return !(value & X2APIC_RESERVED);
}

enum icr_action icr_action(const struct icr *icr)
{
	/* SDM 3A table 11-4: these shorthands reach the sender, who may only interrupt itself. */
	if ((icr->shorthand == ICR_SELF || icr->shorthand == ICR_ALL) && icr->mode != ICR_FIXED)
		return ICR_DO_REFUSE;
	/* Level and trigger mode mean something for INIT alone, the rest is always edge. */
	switch (icr->mode) {
	case ICR_FIXED:
	case ICR_LOWEST:
		return icr->vector < 16 ? ICR_DO_REFUSE : ICR_DO_SEND;
	case ICR_NMI:
		return ICR_DO_NMI;
	case ICR_INIT:
		return icr->level && !icr->assert ? ICR_DO_NOTHING : ICR_DO_INIT;
	case ICR_SIPI:
		return ICR_DO_SIPI;
	default:
		return ICR_DO_REFUSE;
	}
}

/* SDM 3A 11.6.2.2 */
static bool matches_logical_xapic(const struct icr *icr, const struct icr_cpu *cpu)
{
	uint32_t mda = icr->dest & 0xff, id = cpu->ldr >> 24;

	switch (cpu->dfr >> 28) {
	case 0xf: /* flat */
		return mda & id;
	case 0: /* cluster */
		return (mda >> 4 == 0xf || mda >> 4 == id >> 4) && mda & id & 0xf;
	default:
		return false;
	}
}

/* SDM 3A 11.12.10.2: the logical ID follows from the x2APIC ID */
static bool matches_logical_x2apic(const struct icr *icr, const struct icr_cpu *cpu)
{
	return icr->dest >> 16 == (cpu->apic_id >> 4 & 0xffff) &&
	       icr->dest & (1u << (cpu->apic_id & 15));
}

bool icr_matches(const struct icr *icr, const struct icr_cpu *cpu, bool self)
{
	switch (icr->shorthand) {
	case ICR_SELF:
		return self;
	case ICR_ALL:
		return true;
	case ICR_OTHERS:
		return !self;
	}
	if (icr->dest == (icr->x2apic ? X2APIC_BROADCAST : XAPIC_BROADCAST))
		return true;
	if (!icr->logical)
		return icr->dest == cpu->apic_id;
	return cpu->x2apic ? matches_logical_x2apic(icr, cpu) : matches_logical_xapic(icr, cpu);
}

uint32_t icr_expand(const struct icr *icr, const struct icr_cpu *cpus, uint32_t count,
		    uint32_t sender, uint64_t *set)
{
	uint32_t found = 0;

	memset(set, 0, (count + 63) / 64 * sizeof(*set));
	for (uint32_t i = 0; i < count; i++) {
		if (cpus[i].domain != cpus[sender].domain ||
		    !icr_matches(icr, &cpus[i], i == sender))
			continue;
		set[i / 64] |= 1ull << i % 64;
		found++;
		if (icr->mode == ICR_LOWEST)
			break;
	}
	return found;
}
