/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/errno.h"
#include "hv/lib/memmap.h"
#include "hv/lib/range.h"

#define CHECK_ENTRY(map, i, b, s, t)                       \
	do {                                               \
		assert_int_equal((map)->entry[i].base, b); \
		assert_int_equal((map)->entry[i].size, s); \
		assert_int_equal((map)->entry[i].type, t); \
	} while (0)

static void ranges(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(range_ok(0, UINT64_MAX));
	assert_false(range_ok(1, UINT64_MAX));
	assert_true(range_overlaps(0, 2, 1, 1));
	assert_false(range_overlaps(0, 1, 1, 1));
	assert_false(range_overlaps(0, 4, 2, 0));
	assert_true(range_overlaps(UINT64_MAX, 2, 0, 1)); /* invalid: refuse */
	assert_true(range_contains(0, 4, 0, 4));
	assert_true(range_contains(0, 4, 4, 0));
	assert_false(range_contains(0, 4, 1, 4));
	assert_false(range_contains(0, UINT64_MAX, 2, UINT64_MAX));
	assert_true(align_up(1, 4096, &v));
	assert_int_equal(v, 4096);
	assert_false(align_up(UINT64_MAX - 4094, 4096, &v));
	assert_true(is_power_of_2(1ull << 63));
	assert_false(is_power_of_2(0));
}

static void overlaps_take_the_stricter_type(void **state)
{
	struct memmap m = {0};

	(void)state;
	assert_int_equal(memmap_add(&m, 0x100000, 0x100000, MEM_RAM), 0);
	assert_int_equal(memmap_add(&m, 0, 0xa0000, MEM_RAM), 0);
	assert_int_equal(memmap_add(&m, 0x9f000, 0x2000, MEM_RESERVED), 0);
	assert_int_equal(m.count, 3);
	CHECK_ENTRY(&m, 0, 0, 0x9f000, MEM_RAM);
	CHECK_ENTRY(&m, 1, 0x9f000, 0x2000, MEM_RESERVED);
	CHECK_ENTRY(&m, 2, 0x100000, 0x100000, MEM_RAM);

	/* A weaker claim fills the holes only and merges with what it touches. */
	assert_int_equal(memmap_add(&m, 0x90000, 0x90000, MEM_RAM), 0);
	assert_int_equal(m.count, 3);
	CHECK_ENTRY(&m, 2, 0xa1000, 0x15f000, MEM_RAM);

	/* A stricter one in the middle splits. */
	assert_int_equal(memmap_add(&m, 0x110000, 0x1000, MEM_NVS), 0);
	assert_int_equal(m.count, 5);
	CHECK_ENTRY(&m, 3, 0x110000, 0x1000, MEM_NVS);
	CHECK_ENTRY(&m, 4, 0x111000, 0xef000, MEM_RAM);
	assert_int_equal(memmap_add(&m, 0, UINT64_MAX, 77), 0);
	assert_int_equal(memmap_total(&m, MEM_RAM), 0);
	assert_int_equal(memmap_total(&m, MEM_NVS), 0);
	assert_int_equal(memmap_total(&m, MEM_RESERVED), 0x2000);
}

static void refuses_bad_ranges(void **state)
{
	struct memmap m = {0};

	(void)state;
	assert_int_equal(memmap_add(&m, UINT64_MAX - 10, 12, MEM_RAM), -EINVAL);
	assert_int_equal(memmap_add(&m, 5, 0, MEM_RAM), 0);
	assert_int_equal(m.count, 0);
}

static void full_map_stays_whole(void **state)
{
	struct memmap m = {0};
	static struct memmap before;
	uint64_t base = 0;
	int error;

	(void)state;
	while (!(error = memmap_add(&m, base, 1, MEM_RAM))) {
		before = m;
		base += 2;
	}
	assert_int_equal(error, -ENOSPC);
	assert_memory_equal(&m, &before, sizeof(m));
	assert_in_range(m.count, MEMMAP_MAX - 4, MEMMAP_MAX);
	assert_int_equal(memmap_set(&m, 0, base, MEM_RESERVED), -ENOSPC);
	assert_memory_equal(&m, &before, sizeof(m));
}

static void carves(void **state)
{
	struct memmap m = {0};

	(void)state;
	memmap_add(&m, 0x1000, 0x10000, MEM_RAM);
	assert_int_equal(memmap_carve(&m, 0, 0x2000, MEM_RAM, MEM_RESERVED), -ENOENT);
	assert_int_equal(memmap_carve(&m, 0x2000, 0x1000, MEM_RAM, MEM_RESERVED), 0);
	assert_int_equal(m.count, 3);
	assert_int_equal(memmap_carve(&m, 0x2000, 0x1000, MEM_RAM, MEM_RESERVED), -ENOENT);
	assert_int_equal(memmap_carve(&m, 0x1000, UINT64_MAX, MEM_RAM, MEM_RESERVED), -EINVAL);
	assert_int_equal(memmap_carve(&m, 0x2000, 0x1000, MEM_RESERVED, MEM_RAM), 0);
	assert_int_equal(m.count, 1);
	assert_true(memmap_contains(&m, 0x1000, 0x10000, MEM_RAM));
	assert_false(memmap_contains(&m, 0x1000, 0x10001, MEM_RAM));
	assert_null(memmap_lookup(&m, 0xfff));
	assert_null(memmap_lookup(&m, 0x11000));
	assert_non_null(memmap_lookup(&m, 0x10fff));
}

static void finds(void **state)
{
	struct memmap m = {0};
	uint64_t b;

	(void)state;
	memmap_add(&m, 0x1000, 0x9e000, MEM_RAM);
	memmap_add(&m, 0x100000, 0x7ff00000, MEM_RAM);
	memmap_add(&m, 0x100000000, 0x80000000, MEM_RAM);
	memmap_add(&m, 0xfee00000, 0x1000, MEM_RESERVED);
	assert_int_equal(memmap_total(&m, MEM_RAM), 0x9e000ull + 0x7ff00000 + 0x80000000);
	assert_int_equal(memmap_top(&m, MEM_RAM), 0x180000000);
	assert_int_equal(memmap_top(&m, MEM_NVS), 0);

	assert_int_equal(memmap_find_lowest(&m, MEM_RAM, 0x1000, 0x1000, 0, UINT64_MAX, &b), 0);
	assert_int_equal(b, 0x1000);
	assert_int_equal(memmap_find_lowest(&m, MEM_RAM, 1 << 21, 1 << 21, 0, UINT64_MAX, &b), 0);
	assert_int_equal(b, 0x200000);
	assert_int_equal(memmap_find_highest(&m, MEM_RAM, 1 << 21, 1 << 21, 0, UINT64_MAX, &b), 0);
	assert_int_equal(b, 0x17fe00000);
	assert_int_equal(memmap_find_highest(&m, MEM_RAM, 0x3000, 0x1000, 0, 1 << 20, &b), 0);
	assert_int_equal(b, 0x9c000);
	assert_int_equal(memmap_find_highest(&m, MEM_RAM, 0x1000, 0x1000, 0, 0x2001, &b), 0);
	assert_int_equal(b, 0x1000);
	assert_int_equal(memmap_find_highest(&m, MEM_RAM, 1ull << 31, 4096, 0, 1ull << 32, &b),
			 -ENOENT);
	assert_int_equal(memmap_find_lowest(&m, MEM_RAM, 1ull << 40, 1, 0, UINT64_MAX, &b),
			 -ENOENT);
	assert_int_equal(memmap_find_lowest(&m, MEM_RAM, 0, 1, 0, UINT64_MAX, &b), -EINVAL);
	assert_int_equal(memmap_find_highest(&m, MEM_RAM, 1, 3, 0, UINT64_MAX, &b), -EINVAL);
}

/* Every byte of a small space must end up as a byte-wise model says. */
static void agrees_with_a_model(void **state)
{
	enum {
		SPACE = 200
	};
	static const uint32_t rank[] = {0, 1, 4, 2, 3, 5}; /* of types 0 (hole) to 5 */

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		struct memmap m = {0};
		uint32_t model[SPACE] = {0};

		for (int op = 0; op < 20; op++) {
			uint32_t base = rand() % SPACE, size = rand() % (SPACE - base);
			uint32_t type = 1 + rand() % 5;
			bool force = rand() % 4 == 0;

			assert_int_equal(force ? memmap_set(&m, base, size, type)
					       : memmap_add(&m, base, size, type),
					 0);
			for (uint32_t i = base; i < base + size; i++)
				if (force || rank[type] > rank[model[i]])
					model[i] = type;
		}
		for (uint32_t i = 0; i < SPACE; i++) {
			const struct memmap_entry *e = memmap_lookup(&m, i);

			assert_int_equal(e ? e->type : 0, model[i]);
		}
		for (uint32_t i = 1; i < m.count; i++) {
			uint64_t end = m.entry[i - 1].base + m.entry[i - 1].size;

			assert_true(end <= m.entry[i].base);
			assert_true(end < m.entry[i].base ||
				    m.entry[i - 1].type != m.entry[i].type);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges),
	    cmocka_unit_test(overlaps_take_the_stricter_type),
	    cmocka_unit_test(refuses_bad_ranges),
	    cmocka_unit_test(full_map_stays_whole),
	    cmocka_unit_test(carves),
	    cmocka_unit_test(finds),
	    cmocka_unit_test(agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
