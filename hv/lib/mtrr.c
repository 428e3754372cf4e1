/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "hv/lib/mtrr.h"

#define CAP_FIX          (1u << 8)
#define DEF_TYPE_FE      (1u << 10)
#define DEF_TYPE_E       (1u << 11)
#define MASK_VALID       (1u << 11)
#define ADDRESS_BITS     0x000ffffffffff000ull
#define FIXED_RANGES_END 0x100000u

/* SDM 3A table 12-9 */
const uint16_t mtrr_fixed_msr[MTRR_FIXED_COUNT] = {
    0x250,                                                  /* 64K each, from 0 */
    0x258, 0x259,                                           /* 16K each, from 0x80000 */
    0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, /* 4K each, from 0xc0000 */
};

uint32_t mtrr_variable_count(uint64_t cap)
{
	uint32_t n = cap & 0xff;

	return n < MTRR_VARIABLE_MAX ? n : MTRR_VARIABLE_MAX;
}

/* Reserved encodings cannot be in a register; were one there, no caching is safe. */
static enum memory_type to_type(uint64_t value)
{
	switch (value & 0xff) {
	case MEMORY_WC:
	case MEMORY_WT:
	case MEMORY_WP:
	case MEMORY_WB:
		return value & 0xff;
	default:
		return MEMORY_UC;
	}
}

static enum memory_type fixed_type(const struct mtrr *m, uint64_t pa, uint64_t *end)
{
	uint32_t reg, field, shift;

	if (pa < 0x80000) {
		shift = 16;
		reg = 0;
		field = pa >> shift;
	} else if (pa < 0xc0000) {
		shift = 14;
		field = (pa - 0x80000) >> shift;
		reg = 1 + field / 8;
	} else {
		shift = 12;
		field = (pa - 0xc0000) >> shift;
		reg = 3 + field / 8;
	}
	*end = ((pa >> shift) + 1) << shift;
	return to_type(m->fixed[reg] >> (field % 8 * 8));
}

/* SDM 3A 12.11.4.1; combinations that it leaves undefined are made uncached. */
static enum memory_type combine(enum memory_type a, enum memory_type b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_WT && b == MEMORY_WB) || (a == MEMORY_WB && b == MEMORY_WT))
		return MEMORY_WT;
	return MEMORY_UC;
}

/* Whether a variable range holds `pa`; the answer is the same up to *end. The mask is not 0. */
static bool range_matches(uint64_t base, uint64_t mask, uint64_t pa, uint64_t *end)
{
	uint64_t unit = mask & -mask; /* addresses are treated alike in blocks of this size */
	uint64_t window = mask + unit;
	bool match = (pa & mask) == (base & mask);

	*end = (pa & -unit) + unit;
	/* An ordinary mask has no gaps: within a window there is a single block, at the base. */
	if (!match && !(window & mask)) {
		uint64_t start = pa & -window;

		base &= mask;
		*end = pa - start < base ? start + base : start + window;
	}
	if (*end <= pa) /* wrapped */
		*end = UINT64_MAX;
	return match;
}

enum memory_type mtrr_type(const struct mtrr *m, uint64_t pa, uint64_t *end)
{
	enum memory_type type = to_type(m->def_type);
	bool found = false;

	*end = UINT64_MAX;
	if (!(m->def_type & DEF_TYPE_E))
		return MEMORY_UC;
	if (pa < FIXED_RANGES_END) {
		if (m->cap & CAP_FIX && m->def_type & DEF_TYPE_FE)
			return fixed_type(m, pa, end);
		*end = FIXED_RANGES_END;
	}
	for (uint32_t i = 0; i < mtrr_variable_count(m->cap); i++) {
		uint64_t mask = m->mask[i] & ADDRESS_BITS, range_end;

		if (!(m->mask[i] & MASK_VALID))
			continue;
		if (!mask) { /* matches everything */
			type = found ? combine(type, to_type(m->base[i])) : to_type(m->base[i]);
			found = true;
			continue;
		}
		if (range_matches(m->base[i] & ADDRESS_BITS, mask, pa, &range_end)) {
			type = found ? combine(type, to_type(m->base[i])) : to_type(m->base[i]);
			found = true;
		}
		if (range_end < *end)
			*end = range_end;
	}
	return type;
}
