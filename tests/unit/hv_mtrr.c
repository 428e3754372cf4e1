/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/mtrr.h"

#define E      (1u << 11)
#define FE     (1u << 10)
#define VALID  (1u << 11)
#define GB     (1ull << 30)
#define MASK36 0xffffff000ull
#define MASK40 0xfffffff000ull

static void set(struct mtrr *m, int i, uint64_t base, uint64_t size, uint64_t width_mask, int type)
{
	m->base[i] = base | type;
	m->mask[i] = (~(size - 1) & width_mask) | VALID;
}

/* Steps through [0, top) and checks the types against a list of {first address, type}. */
struct step {
	uint64_t from;
	enum memory_type type;
};

static void check(const struct mtrr *m, const struct step *steps, size_t n, uint64_t top)
{
	uint64_t pa = 0, end;
	size_t i = 0;

	while (pa < top) {
		enum memory_type type = mtrr_type(m, pa, &end);

		assert_true(end > pa);
		if (i + 1 < n && pa >= steps[i + 1].from)
			i++;
		assert_true(type == steps[i].type);
		if (i + 1 < n)
			assert_true(end <= steps[i + 1].from || type == steps[i + 1].type);
		pa = end;
	}
	assert_int_equal(i, n - 1);
}

#define CHECK(m, top, ...)                                              \
	do {                                                            \
		static const struct step steps[] = {__VA_ARGS__};       \
		check(m, steps, sizeof(steps) / sizeof(steps[0]), top); \
	} while (0)

/* Bochs 2.7: default WB, one UC range from 3 GB up; fixed ranges as its BIOS sets them. */
static void bochs(void **state)
{
	struct mtrr m = {.cap = 0x508, .def_type = E | FE | MEMORY_WB};

	(void)state;
	m.fixed[0] = 0x0606060606060606;
	m.fixed[1] = 0x0606060606060606;
	for (int i = 3; i < MTRR_FIXED_COUNT; i++)
		m.fixed[i] = 0x0505050505050505;
	set(&m, 0, 0xc0000000, GB, MASK40, MEMORY_UC);
	CHECK(&m, 1ull << 40, {0, MEMORY_WB}, {0xa0000, MEMORY_UC}, {0xc0000, MEMORY_WP},
	      {0x100000, MEMORY_WB}, {0xc0000000, MEMORY_UC}, {4 * GB, MEMORY_WB});
}

/* A laptop with 8 GB: default UC, WB over all memory, UC holes cut into it. */
static void laptop(void **state)
{
	struct mtrr m = {.cap = 0xd0a, .def_type = E | FE | MEMORY_UC};

	(void)state;
	for (int i = 0; i < MTRR_FIXED_COUNT; i++)
		m.fixed[i] = i < 2 ? 0x0606060606060606 : 0;
	set(&m, 0, 0, 8 * GB, MASK36, MEMORY_WB);
	set(&m, 1, 8 * GB, GB / 2, MASK36, MEMORY_WB);
	set(&m, 2, 0xe0000000, GB / 2, MASK36, MEMORY_UC);
	set(&m, 3, 0xdc000000, GB / 16, MASK36, MEMORY_UC);
	set(&m, 4, 0x21fe00000, 2 << 20, MASK36, MEMORY_UC);
	CHECK(&m, 64 * GB, {0, MEMORY_WB}, {0xa0000, MEMORY_UC}, {0x100000, MEMORY_WB},
	      {0xdc000000, MEMORY_UC}, {4 * GB, MEMORY_WB}, {0x21fe00000, MEMORY_UC});
}

/* A two-socket server: WB default, write-combining and write-through windows. */
static void overlaps(void **state)
{
	struct mtrr m = {.cap = 0xd0a, .def_type = E | MEMORY_WB};

	(void)state;
	set(&m, 0, 1 * GB, GB, MASK40, MEMORY_WT);
	set(&m, 1, 1 * GB, GB / 2, MASK40, MEMORY_WB); /* with WT: WT */
	set(&m, 2, 2 * GB, GB, MASK40, MEMORY_WC);
	set(&m, 3, 2 * GB, GB / 4, MASK40, MEMORY_WB); /* undefined: UC */
	set(&m, 4, 3 * GB, GB, MASK40, MEMORY_WC);
	set(&m, 5, 3 * GB, GB / 2, MASK40, MEMORY_WC); /* the same */
	set(&m, 6, 3 * GB, GB / 4, MASK40, MEMORY_UC); /* UC wins */
	CHECK(&m, 1ull << 40, {0, MEMORY_WB}, {GB, MEMORY_WT}, {2 * GB, MEMORY_UC},
	      {2 * GB + GB / 4, MEMORY_WC}, {3 * GB, MEMORY_UC}, {3 * GB + GB / 4, MEMORY_WC},
	      {4 * GB, MEMORY_WB});
}

static void switches(void **state)
{
	struct mtrr m = {.cap = 0x508, .def_type = MEMORY_WB | FE};
	uint64_t end;

	(void)state;
	m.fixed[0] = 0x0606060606060606;
	assert_int_equal(mtrr_type(&m, 0, &end), MEMORY_UC); /* all off */
	assert_int_equal(end, UINT64_MAX);
	m.def_type = E | MEMORY_WT; /* fixed ranges off */
	assert_int_equal(mtrr_type(&m, 0, &end), MEMORY_WT);
	m.def_type |= FE;
	assert_int_equal(mtrr_type(&m, 0, &end), MEMORY_WB);
	assert_int_equal(end, 0x10000);
	m.cap = 8; /* no fixed ranges */
	assert_int_equal(mtrr_type(&m, 0, &end), MEMORY_WT);
	m.base[0] = MEMORY_WB;
	m.mask[0] = 0; /* not valid */
	assert_int_equal(mtrr_type(&m, 1 << 20, &end), MEMORY_WT);
	m.mask[0] = VALID; /* all of memory */
	assert_int_equal(mtrr_type(&m, 1 << 20, &end), MEMORY_WB);
	m.base[0] = 3; /* reserved */
	assert_int_equal(mtrr_type(&m, 1 << 20, &end), MEMORY_UC);
	assert_int_equal(mtrr_variable_count(0xff), MTRR_VARIABLE_MAX);
}

static void fixed_ranges(void **state)
{
	struct mtrr m = {.cap = 0x508, .def_type = E | FE};
	uint64_t end;

	(void)state;
	m.fixed[0] = 0x0605040100060504; /* field 0 is 0 to 64K */
	assert_int_equal(mtrr_type(&m, 0xffff, &end), MEMORY_WT);
	assert_int_equal(mtrr_type(&m, 0x10000, &end), MEMORY_WP);
	assert_int_equal(mtrr_type(&m, 0x7ffff, &end), MEMORY_WB);
	assert_int_equal(end, 0x80000);
	m.fixed[2] = 0x0600000000000001; /* 0xa0000 to 0xbffff */
	assert_int_equal(mtrr_type(&m, 0xa0000, &end), MEMORY_WC);
	assert_int_equal(end, 0xa4000);
	assert_int_equal(mtrr_type(&m, 0xbffff, &end), MEMORY_WB);
	m.fixed[10] = 0x0500000000000000;
	assert_int_equal(mtrr_type(&m, 0xfffff, &end), MEMORY_WP);
	assert_int_equal(end, 0x100000);
	assert_int_equal(mtrr_type(&m, 0xfefff, &end), MEMORY_UC);
}

/* Any masks, gaps included: every page agrees with the definition, and up to *end nothing changes. */
static void agrees_with_a_model(void **state)
{
	static const uint8_t types[] = {0, 1, 4, 5, 6};

	(void)state;
	srand(2);
	for (int round = 0; round < 3000; round++) {
		struct mtrr m = {.cap = 3, .def_type = E | types[rand() % 5]};
		uint64_t end = 0;
		enum memory_type held = MEMORY_UC;

		for (int i = 0; i < 3; i++) {
			m.base[i] = (uint64_t)(rand() % 64) << 12 | types[rand() % 5];
			m.mask[i] = (uint64_t)(rand() % 64) << 12 | (rand() % 4 ? VALID : 0);
			if (rand() % 2)
				m.mask[i] = (0x3full << rand() % 6 & 0x3f) << 12 | VALID;
		}
		for (uint64_t pa = 1 << 20; pa < (1 << 20) + (64 << 12); pa += 4096) {
			int seen = 0, model = m.def_type & 0xff;
			enum memory_type type;

			for (int i = 0; i < 3; i++) {
				uint64_t mask = m.mask[i] & ~0xfffull;
				int t = m.base[i] & 0xff;

				if (!(m.mask[i] & VALID) || ((pa ^ m.base[i]) & mask) != 0)
					continue;
				if (!seen || model == t)
					model = t;
				else if (model + t == MEMORY_WT + MEMORY_WB)
					model = MEMORY_WT;
				else
					model = MEMORY_UC;
				seen++;
			}
			if (pa < end)
				assert_int_equal(model, held);
			type = mtrr_type(&m, pa, &end);
			assert_int_equal(type, model);
			held = type;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bochs),        cmocka_unit_test(laptop),
	    cmocka_unit_test(overlaps),     cmocka_unit_test(switches),
	    cmocka_unit_test(fixed_ranges), cmocka_unit_test(agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
