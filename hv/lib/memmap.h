/* SPDX-License-Identifier: MIT
 *
 * The physical memory map: sorted, disjoint, merged ranges with a type.
 *
 * Firmware maps overlap and come in any order. memmap_add() sorts them in; where two claims overlap,
 * the more restrictive type wins. A map is a plain value: zero it to start, copy it by assignment.
 */
#ifndef HV_LIB_MEMMAP_H
#define HV_LIB_MEMMAP_H

#include <stdbool.h>
#include <stdint.h>

#define MEMMAP_MAX 256

/* E820 types (ACPI 6.5 table 15.4); other values are kept and treated as reserved. */
enum mem_type {
	MEM_RAM = 1,
	MEM_RESERVED = 2,
	MEM_ACPI = 3,
	MEM_NVS = 4,
	MEM_UNUSABLE = 5,
	MEM_DISABLED = 6,
	MEM_PERSISTENT = 7,
};

struct memmap_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

struct memmap {
	uint32_t count;
	struct memmap_entry entry[MEMMAP_MAX];
};

/*
 * All that change a map return 0, -EINVAL (bad range) or -ENOSPC (too many entries, the map is then
 * unchanged). Empty ranges are accepted and change nothing.
 */

/* Adds what firmware says of a range. */
int memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* Gives a range the type, whatever it was before, holes included. */
int memmap_set(struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* Turns a range that is wholly of type `from` into type `to`; -ENOENT when it is not. */
int memmap_carve(struct memmap *map, uint64_t base, uint64_t size, uint32_t from, uint32_t to);

/* True when the whole range has the type. */
bool memmap_contains(const struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* The entry that holds the address, or NULL for a hole. */
const struct memmap_entry *memmap_lookup(const struct memmap *map, uint64_t address);

/*
 * Finds the lowest (or highest) free range of the type, aligned (a power of two), within [min, max).
 * Returns 0 and *base, -EINVAL (size 0, alignment) or -ENOENT.
 */
int memmap_find_lowest(const struct memmap *map, uint32_t type, uint64_t size, uint64_t align,
		       uint64_t min, uint64_t max, uint64_t *base);
int memmap_find_highest(const struct memmap *map, uint32_t type, uint64_t size, uint64_t align,
			uint64_t min, uint64_t max, uint64_t *base);

/* Bytes of the type. */
uint64_t memmap_total(const struct memmap *map, uint32_t type);

/* First address above the last range of the type; 0 when there is none. */
uint64_t memmap_top(const struct memmap *map, uint32_t type);

#endif
