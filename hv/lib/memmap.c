/* SPDX-License-Identifier: MIT */
#include "hv/lib/memmap.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

/* Where firmware contradicts itself, believe the claim that costs us memory, not safety. */
static unsigned int severity(uint32_t type)
{
	switch (type) {
	case MEM_RAM:
		return 0;
	case MEM_ACPI: /* RAM once the tables have been read, so weaker than the rest */
		return 1;
	case MEM_NVS:
		return 2;
	case MEM_UNUSABLE:
		return 4;
	default:
		return 3;
	}
}

static uint64_t entry_end(const struct memmap_entry *e)
{
	return e->base + e->size;
}

static void insert(struct memmap *map, uint32_t at, uint64_t base, uint64_t end, uint32_t type)
{
	struct memmap_entry *e = &map->entry[at];

	memmove(e + 1, e, (map->count - at) * sizeof(*e));
	*e = (struct memmap_entry){base, end - base, type};
	map->count++;
}

static void merge(struct memmap *map)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		struct memmap_entry *last = &map->entry[out];

		if (out && last[-1].type == map->entry[i].type &&
		    entry_end(&last[-1]) == map->entry[i].base)
			last[-1].size += map->entry[i].size;
		else
			map->entry[out++] = map->entry[i];
	}
	map->count = out;
}

/* Lays a range over the map; with `force` it wins over whatever was there. */
static int overlay(struct memmap *map, uint64_t base, uint64_t size, uint32_t type, bool force)
{
	uint64_t end = base + size;
	uint32_t i, touched = 0;

	if (!range_ok(base, size))
		return -EINVAL;
	if (!size)
		return 0;

	/* Each entry touched can leave a hole before it; the first and last one can be split. */
	for (i = 0; i < map->count; i++)
		touched += range_overlaps(base, size, map->entry[i].base, map->entry[i].size);
	if (map->count + touched + 3 > MEMMAP_MAX)
		return -ENOSPC;

	for (i = 0; i < map->count && base < end; i++) {
		struct memmap_entry *e = &map->entry[i];

		if (entry_end(e) <= base)
			continue;
		if (e->base > base) {
			uint64_t hole_end = e->base < end ? e->base : end;

			insert(map, i, base, hole_end, type);
			base = hole_end;
			continue;
		}
		if (force || severity(type) > severity(e->type)) {
			if (e->base < base) {
				insert(map, i, e->base, base, e->type);
				e[1].size = entry_end(&e[1]) - base;
				e[1].base = base;
				continue;
			}
			if (entry_end(e) > end) {
				insert(map, i + 1, end, entry_end(e), e->type);
				e->size = end - e->base;
			}
			e->type = type;
		}
		base = entry_end(e);
	}
	if (base < end)
		insert(map, map->count, base, end, type);
	merge(map);
	return 0;
}

int memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
	return overlay(map, base, size, type, false);
}

int memmap_set(struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
	return overlay(map, base, size, type, true);
}

int memmap_carve(struct memmap *map, uint64_t base, uint64_t size, uint32_t from, uint32_t to)
{
	if (!range_ok(base, size))
		return -EINVAL;
	if (!memmap_contains(map, base, size, from))
		return -ENOENT;
	return overlay(map, base, size, to, true);
}

bool memmap_contains(const struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
	/* Ranges of one type are merged, so a contained range lies in a single entry. */
	const struct memmap_entry *e = memmap_lookup(map, base);

	return e && e->type == type && range_contains(e->base, e->size, base, size);
}

const struct memmap_entry *memmap_lookup(const struct memmap *map, uint64_t address)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct memmap_entry *e = &map->entry[i];

		if (address >= e->base && address - e->base < e->size)
			return e;
	}
	return NULL;
}

/* The part of an entry within [min, max) that has the type; false when there is none. */
static bool clip(const struct memmap_entry *e, uint32_t type, uint64_t min, uint64_t max,
		 uint64_t *low, uint64_t *high)
{
	*low = e->base > min ? e->base : min;
	*high = entry_end(e) < max ? entry_end(e) : max;
	return e->type == type && *low < *high;
}

int memmap_find_lowest(const struct memmap *map, uint32_t type, uint64_t size, uint64_t align,
		       uint64_t min, uint64_t max, uint64_t *base)
{
	uint64_t low, high;

	if (!size || !is_power_of_2(align))
		return -EINVAL;
	for (uint32_t i = 0; i < map->count; i++) {
		if (!clip(&map->entry[i], type, min, max, &low, &high))
			continue;
		if (align_up(low, align, &low) && range_contains(0, high, low, size)) {
			*base = low;
			return 0;
		}
	}
	return -ENOENT;
}

int memmap_find_highest(const struct memmap *map, uint32_t type, uint64_t size, uint64_t align,
			uint64_t min, uint64_t max, uint64_t *base)
{
	uint64_t low, high;

	if (!size || !is_power_of_2(align))
		return -EINVAL;
	for (uint32_t i = map->count; i-- > 0;) {
		if (!clip(&map->entry[i], type, min, max, &low, &high) || high - low < size)
			continue;
		high = align_down(high - size, align);
		if (high >= low) {
			*base = high;
			return 0;
		}
	}
	return -ENOENT;
}

uint64_t memmap_total(const struct memmap *map, uint32_t type)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < map->count; i++)
		total += map->entry[i].type == type ? map->entry[i].size : 0;
	return total;
}

uint64_t memmap_top(const struct memmap *map, uint32_t type)
{
	for (uint32_t i = map->count; i-- > 0;)
		if (map->entry[i].type == type)
			return entry_end(&map->entry[i]);
	return 0;
}
