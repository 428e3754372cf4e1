/* SPDX-License-Identifier: MIT
 *
 * Ranges of addresses [base, base + size): the one place where their arithmetic can overflow.
 *
 * A range is valid when its end can be written in 64 bits. Ranges that come from outside go through
 * range_ok() once; the other functions are right for every argument, and an invalid range overlaps
 * everything and is contained in nothing, so that forgetting the check refuses rather than permits.
 */
#ifndef HV_LIB_RANGE_H
#define HV_LIB_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
	uint64_t base;
	uint64_t size;
};

static inline bool range_ok(uint64_t base, uint64_t size)
{
	return size <= UINT64_MAX - base;
}

/* True when at least one byte lies in both. */
static inline bool range_overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	if (!range_ok(a, a_size) || !range_ok(b, b_size))
		return true;
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

/* True when every byte of the inner range, and its base, lies in the outer one. */
static inline bool range_contains(uint64_t outer, uint64_t outer_size, uint64_t inner,
				  uint64_t inner_size)
{
	if (!range_ok(outer, outer_size) || !range_ok(inner, inner_size))
		return false;
	return inner >= outer && inner + inner_size <= outer + outer_size;
}

static inline bool is_power_of_2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* `align` is a power of two. */
static inline bool is_aligned(uint64_t v, uint64_t align)
{
	return !(v & (align - 1));
}

static inline uint64_t align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/* False when the aligned value does not fit in 64 bits. */
static inline bool align_up(uint64_t v, uint64_t align, uint64_t *out)
{
	if (v > UINT64_MAX - (align - 1))
		return false;
	*out = (v + align - 1) & ~(align - 1);
	return true;
}

#endif
