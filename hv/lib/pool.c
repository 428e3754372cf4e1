/* SPDX-License-Identifier: MIT */
#include "hv/lib/pool.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

int pool_add(struct memmap *pool, uint64_t base, uint64_t size)
{
	uint64_t first, end;

	if (!range_ok(base, size) || !align_up(base, POOL_UNIT, &first))
		return -EINVAL;
	end = align_down(base + size, POOL_UNIT);
	return first < end ? memmap_add(pool, first, end - first, MEM_RAM) : 0;
}

/* The free range to take from next: the smallest that holds it all, else the largest. */
static const struct memmap_entry *best_fit(const struct memmap *pool, uint64_t size)
{
	const struct memmap_entry *best = NULL;

	for (uint32_t i = 0; i < pool->count; i++) {
		const struct memmap_entry *e = &pool->entry[i];

		if (e->type != MEM_RAM)
			continue;
		if (!best || (e->size >= size ? best->size < size || e->size < best->size
					      : best->size < size && e->size > best->size))
			best = e;
	}
	return best;
}

static void sort(struct range *ranges, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct range r = ranges[i];
		uint32_t j = i;

		for (; j > 0 && ranges[j - 1].base > r.base; j--)
			ranges[j] = ranges[j - 1];
		ranges[j] = r;
	}
}

int pool_take(struct memmap *pool, uint64_t size, struct range *ranges, uint32_t max)
{
	uint32_t count = 0;
	int error = -ENOMEM;

	if (!size || !is_aligned(size, POOL_UNIT))
		return -EINVAL;
	while (size) {
		const struct memmap_entry *e = best_fit(pool, size);

		if (!e || count == max)
			goto undo;
		ranges[count].base = e->base;
		ranges[count].size = e->size < size ? e->size : size;
		error = memmap_carve(pool, ranges[count].base, ranges[count].size, MEM_RAM,
				     MEM_RESERVED);
		if (error)
			goto undo;
		error = -ENOMEM;
		size -= ranges[count].size;
		count++;
	}
	sort(ranges, count);
	return count;
undo:
	/* Merging back needs no more entries than there were. */
	pool_give(pool, ranges, count);
	return error;
}

int pool_give(struct memmap *pool, const struct range *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!memmap_contains(pool, ranges[i].base, ranges[i].size, MEM_RESERVED))
			return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		int error =
		    memmap_carve(pool, ranges[i].base, ranges[i].size, MEM_RESERVED, MEM_RAM);

		if (error)
			return error;
	}
	return 0;
}
