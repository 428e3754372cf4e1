/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/ept.h"
#include "hv/lib/errno.h"
#include "hv/lib/memmap.h"

#define GB  EPT_PAGE_1G
#define MB2 EPT_PAGE_2M

/* The pool: page n lies at physical BASE + n * 4096; a page is a block of its own for ASan. */
#define POOL_BASE 0x7000000000ull
#define POOL_MAX  4096

static struct {
	void *page[POOL_MAX];
	unsigned int used, limit;
} pool;

static void *pool_alloc(void *ctx, uint64_t *pa)
{
	(void)ctx;
	if (pool.used >= pool.limit)
		return NULL;
	for (unsigned int i = 0; i < POOL_MAX; i++) {
		if (pool.page[i])
			continue;
		pool.page[i] = aligned_alloc(4096, 4096);
		memset(pool.page[i], 0xff, 4096);
		*pa = POOL_BASE + i * 4096ull;
		pool.used++;
		return pool.page[i];
	}
	return NULL;
}

static void *pool_ptr(void *ctx, uint64_t pa)
{
	(void)ctx;
	assert_in_range(pa, POOL_BASE, POOL_BASE + (POOL_MAX - 1) * 4096ull);
	assert_non_null(pool.page[(pa - POOL_BASE) / 4096]);
	return pool.page[(pa - POOL_BASE) / 4096];
}

static void pool_free(void *ctx, void *page, uint64_t pa)
{
	assert_ptr_equal(pool_ptr(ctx, pa), page);
	free(page);
	pool.page[(pa - POOL_BASE) / 4096] = NULL;
	pool.used--;
}

static const struct ept_pool ops = {pool_alloc, pool_free, pool_ptr, NULL};
static const struct ept_caps all_caps = {true, true, true, true, 40};
static struct ept ept;

static int setup(void **state)
{
	(void)state;
	pool.limit = POOL_MAX;
	return ept_init(&ept, &ops, &all_caps);
}

static int teardown(void **state)
{
	(void)state;
	ept_free(&ept);
	assert_int_equal(pool.used, 0);
	assert_int_equal(ept.pages, 0);
	return 0;
}

static void check(uint64_t gpa, uint64_t hpa, uint64_t page, uint32_t perms, enum memory_type type)
{
	struct ept_mapping m;

	assert_true(ept_lookup(&ept, gpa, &m));
	assert_int_equal(m.hpa, hpa);
	assert_int_equal(m.page, page);
	assert_int_equal(m.perms, perms);
	assert_int_equal(m.type, type);
	assert_int_equal(4096ull << (9 * (m.level - 1)), page);
}

static void hole(uint64_t gpa)
{
	struct ept_mapping m;

	assert_false(ept_lookup(&ept, gpa, &m));
}

static void largest_pages(void **state)
{
	(void)state;
	/* 4K, 2M, 1G, 2M, 4K pages on the way */
	assert_int_equal(ept_map(&ept, MB2 - 4096, 2 * GB + 8192, MB2 - 4096, EPT_RWX, MEMORY_WB),
			 0);
	hole(0);
	check(MB2 - 1, MB2 - 1, 4096, EPT_RWX, MEMORY_WB);
	check(MB2, MB2, MB2, EPT_RWX, MEMORY_WB);
	check(GB + 12345, GB + 12345, GB, EPT_RWX, MEMORY_WB);
	check(2 * GB, 2 * GB, MB2, EPT_RWX, MEMORY_WB);
	check(2 * GB + MB2, 2 * GB + MB2, 4096, EPT_RWX, MEMORY_WB);
	hole(2 * GB + MB2 + 4096);
	hole(1ull << 40);
	hole(UINT64_MAX);
	assert_int_equal(ept.pages, 1 + 1 + 2 + 2);
	assert_int_equal(ept.pages, pool.used);
	assert_int_equal(ept_pointer(&ept), ept.root_pa | 0x5e); /* WB, 4 levels, accessed/dirty */
}

static void caps_and_offsets(void **state)
{
	(void)state;
	/* gpa and hpa aligned differently: no large page fits */
	assert_int_equal(ept_map(&ept, GB, MB2, 4096, EPT_READ, MEMORY_WT), 0);
	check(GB, 4096, 4096, EPT_READ, MEMORY_WT);
	assert_int_equal(ept_map(&ept, 2 * GB, GB, 3 * GB + MB2, EPT_READ, MEMORY_WT), 0);
	check(2 * GB, 3 * GB + MB2, MB2, EPT_READ, MEMORY_WT);
	ept.caps.page_1g = false;
	assert_int_equal(ept_map(&ept, 4 * GB, GB, GB, EPT_RWX, MEMORY_WB), 0);
	check(5 * GB - 1, 2 * GB - 1, MB2, EPT_RWX, MEMORY_WB);
	ept.caps.page_2m = false;
	assert_int_equal(ept_map(&ept, 8 * GB, MB2, GB, EPT_RWX, MEMORY_WB), 0);
	check(8 * GB, GB, 4096, EPT_RWX, MEMORY_WB);
}

static void split_change_unmap(void **state)
{
	uint32_t pages;
	uint64_t list;

	(void)state;
	assert_int_equal(ept_map(&ept, 0, 4 * GB, 0, EPT_RWX, MEMORY_WB), 0);
	assert_int_equal(ept.pages, 2);
	/* one page out of a 1 GB page */
	assert_int_equal(ept_unmap(&ept, GB + MB2 + 4096, 4096), 0);
	assert_int_equal(ept.pages, 4);
	hole(GB + MB2 + 4096);
	check(GB + MB2, GB + MB2, 4096, EPT_RWX, MEMORY_WB);
	check(GB + MB2 + 8192, GB + MB2 + 8192, 4096, EPT_RWX, MEMORY_WB);
	check(GB, GB, MB2, EPT_RWX, MEMORY_WB);
	check(2 * GB - 1, 2 * GB - 1, MB2, EPT_RWX, MEMORY_WB);
	check(0, 0, GB, EPT_RWX, MEMORY_WB);

	/* rights change through tables, leave holes and addresses alone */
	assert_int_equal(ept_change(&ept, GB, GB, EPT_READ, MEMORY_UC), 0);
	hole(GB + MB2 + 4096);
	check(GB + MB2, GB + MB2, 4096, EPT_READ, MEMORY_UC);
	check(GB, GB, MB2, EPT_READ, MEMORY_UC);
	check(2 * GB, 2 * GB, GB, EPT_RWX, MEMORY_WB);

	/* mapping it again gives the tables back, but only after reclaim */
	pages = pool.used;
	assert_int_equal(ept_map(&ept, GB, GB, GB, EPT_RWX, MEMORY_WB), 0);
	check(GB + MB2 + 4096, GB + MB2 + 4096, GB, EPT_RWX, MEMORY_WB);
	assert_int_equal(ept.pages, 2);
	assert_int_equal(pool.used, pages);
	/* what falls out of use between detaching and reclaiming stays */
	list = ept_detach(&ept);
	assert_int_equal(ept_unmap(&ept, 2 * GB + 4096, 4096), 0);
	assert_int_equal(ept_unmap(&ept, 2 * GB, GB), 0);
	pages = pool.used;
	ept_reclaim(&ept, list);
	assert_int_equal(pool.used, pages - 2);
	ept_reclaim(&ept, ept_detach(&ept));
	assert_int_equal(pool.used, 2);

	assert_int_equal(ept_unmap(&ept, 0, 1ull << 40), 0);
	hole(0);
	hole(4 * GB - 1);
}

static void refuses(void **state)
{
	(void)state;
	assert_int_equal(ept_map(&ept, 1, 4096, 0, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4095, 0, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 8, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 1ull << 40, 4096, 0, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 1ull << 40, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, -4096ull, 4096, EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_WRITE, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_WRITE | EPT_EXEC, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, 0, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, 8 | EPT_RWX, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_RWX, 2), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_RWX, 7), -EINVAL);
	assert_int_equal(ept_change(&ept, 0, 4096, 0, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_EXEC, MEMORY_WB), 0);
	ept.caps.exec_only = false;
	assert_int_equal(ept_map(&ept, 0, 4096, 0, EPT_EXEC, MEMORY_WB), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 0, 0, EPT_RWX, MEMORY_WB), 0);
}

static void out_of_pages(void **state)
{
	struct ept_mapping m;

	(void)state;
	assert_int_equal(ept_map(&ept, 0, 4 * GB, 0, EPT_RWX, MEMORY_WB), 0);
	for (int more = 0; more < 2; more++) { /* the second time it gets half way */
		pool.limit = pool.used + more;
		assert_int_equal(ept_unmap(&ept, GB + 4096, 4096), -ENOMEM);
		for (uint64_t gpa = 0; gpa < 4 * GB; gpa += MB2)
			assert_true(ept_lookup(&ept, gpa, &m) && m.hpa == gpa);
	}
	pool.limit = pool.used;
	assert_int_equal(ept_map(&ept, 512 * GB, GB, 0, EPT_RWX, MEMORY_WB), -ENOMEM);
	{
		static const struct memmap nothing;
		static const struct mtrr off;
		const struct ept_identity id = {&nothing, &off, NULL, 0};

		assert_int_equal(ept_map_identity(&ept, &id, 512 * GB, 513 * GB), -ENOMEM);
	}
	pool.limit = POOL_MAX;
	assert_int_equal(ept_unmap(&ept, GB + 4096, 4096), 0);
	hole(GB + 4096);
}

/* Random operations in a small space, against one word per page. */
static void agrees_with_a_model(void **state)
{
	enum {
		PAGES = 4096
	}; /* 16 MB: several 2 MB pages at a 1 GB border */
	static struct {
		uint64_t hpa;
		uint32_t perms, type;
	} model[PAGES];
	const uint64_t base = GB - PAGES / 2 * 4096;
	static const uint8_t types[] = {0, 1, 4, 5, 6};

	(void)state;
	srand(3);
	memset(model, 0, sizeof(model));
	for (int round = 0; round < 400; round++) {
		uint32_t first = rand() % PAGES, count = 1 + rand() % (PAGES - first);
		uint32_t perms = (uint32_t[]){1, 3, 5, 7}[rand() % 4], type = types[rand() % 5];
		uint64_t hpa = rand() % 3 ? base + first * 4096ull : rand() % 1000 * 4096ull;
		int action = rand() % 3, error;

		if (rand() % 2) { /* whole 2 MB pages */
			first &= ~511u;
			count = (count + 511) & ~511u;
			hpa &= ~(MB2 - 1);
			if (first + count > PAGES)
				count = PAGES - first;
		}
		if (action == 0)
			error = ept_map(&ept, base + first * 4096ull, count * 4096ull, hpa, perms,
					type);
		else if (action == 1)
			error = ept_unmap(&ept, base + first * 4096ull, count * 4096ull);
		else
			error =
			    ept_change(&ept, base + first * 4096ull, count * 4096ull, perms, type);
		assert_int_equal(error, 0);
		for (uint32_t i = first; i < first + count; i++) {
			if (action == 2 && !model[i].perms)
				continue;
			if (action == 0)
				model[i].hpa = hpa + (i - first) * 4096ull;
			model[i].perms = action == 1 ? 0 : perms;
			model[i].type = type;
		}
		if (rand() % 4 == 0)
			ept_reclaim(&ept, ept_detach(&ept));
		for (uint32_t i = 0; i < PAGES; i++) {
			struct ept_mapping m;
			bool mapped = ept_lookup(&ept, base + i * 4096ull + 7, &m);

			assert_int_equal(mapped, model[i].perms != 0);
			if (mapped)
				assert_true(m.hpa == model[i].hpa + 7 &&
					    m.perms == model[i].perms && m.type == model[i].type);
		}
	}
	ept_reclaim(&ept, ept_detach(&ept));
	assert_int_equal(ept.pages, pool.used);
}

static void identity(void **state)
{
	static struct memmap map;
	struct mtrr mtrr = {.cap = 0x508, .def_type = 1 << 11 | MEMORY_WB};
	const struct range deny[] = {
	    {0x1000000, 0x800000}, /* the hypervisor */
	    {0xfee00300, 4},       /* a page goes as a whole */
	    {0x140000000, GB},     /* the dataplanes */
	    {0, 0},
	};
	const struct ept_identity id = {&map, &mtrr, deny, 4};
	struct ept_mapping m;

	(void)state;
	memset(&map, 0, sizeof(map));
	memmap_add(&map, 0, 0x9fc00, MEM_RAM);
	memmap_add(&map, 0x9fc00, 0x400, MEM_RESERVED);
	memmap_add(&map, 0xf0000, 0x10000, MEM_RESERVED);
	memmap_add(&map, 0x100000, 0xbff00000, MEM_RAM);
	memmap_add(&map, 4 * GB, 4 * GB, MEM_RAM);
	mtrr.base[0] = 0xc0000000 | MEMORY_UC;
	mtrr.mask[0] = 0xffc0000000 | 1 << 11;
	assert_int_equal(ept_map_identity(&ept, &id, 0, 1ull << 48), 0);

	check(0, 0, 4096, EPT_RWX, MEMORY_WB);
	check(0x9f000, 0x9f000, 4096, EPT_RWX, MEMORY_WB);
	check(0xa0000, 0xa0000, 4096, EPT_RWX, MEMORY_UC);
	check(0xf0000, 0xf0000, 4096, EPT_RWX, MEMORY_WB);
	check(0x200000, 0x200000, MB2, EPT_RWX, MEMORY_WB);
	hole(0x1000000);
	hole(0x17fffff);
	check(0x1800000, 0x1800000, MB2, EPT_RWX, MEMORY_WB);
	check(GB, GB, GB, EPT_RWX, MEMORY_WB);
	check(0xc0000000, 0xc0000000, MB2, EPT_RWX, MEMORY_UC);
	check(0xfedff000, 0xfedff000, MB2, EPT_RWX, MEMORY_UC);
	hole(0xfee00000);
	check(0xfee01000, 0xfee01000, 4096, EPT_RWX, MEMORY_UC);
	check(4 * GB, 4 * GB, GB, EPT_RWX, MEMORY_WB);
	hole(0x140000000);
	hole(0x17fffffff);
	check(0x180000000, 0x180000000, GB, EPT_RWX, MEMORY_WB);
	check(8 * GB, 8 * GB, GB, EPT_RWX, MEMORY_UC);
	check((1ull << 40) - 1, (1ull << 40) - 1, GB, EPT_RWX, MEMORY_UC);

	/* a part alone */
	assert_int_equal(ept_unmap(&ept, 0, 1ull << 40), 0);
	assert_int_equal(ept_map_identity(&ept, &id, 0xfec00000, 0xff000000), 0);
	hole(0xfebfffff);
	hole(0xff000000);
	check(0xfec00000, 0xfec00000, MB2, EPT_RWX, MEMORY_UC);
	assert_int_equal(ept_map_identity(&ept, &id, 0, 4095), -EINVAL);
	/* beyond what four levels reach: nothing would be mapped */
	assert_int_equal(ept_map_identity(&ept, &id, 1ull << 48, (1ull << 48) + EPT_PAGE_2M),
			 -EINVAL);
	/* an invalid denied range denies everything */
	assert_int_equal(ept_unmap(&ept, 0, 1ull << 40), 0);
	{
		const struct range bad = {1ull << 63, UINT64_MAX};
		const struct ept_identity none = {&map, &mtrr, &bad, 1};

		assert_int_equal(ept_map_identity(&ept, &none, 0, 1 << 24), 0);
		for (uint64_t gpa = 0; gpa < 1 << 24; gpa += 4096)
			assert_false(ept_lookup(&ept, gpa, &m));
	}
}

static void init_refuses(void **state)
{
	struct ept e;
	struct ept_caps caps = all_caps;

	(void)state;
	pool.limit = 0;
	assert_int_equal(ept_init(&e, &ops, &caps), -ENOMEM);
	ept_free(&e);
	caps.phys_width = 53;
	assert_int_equal(ept_init(&e, &ops, &caps), -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(largest_pages),      T(caps_and_offsets),
	    T(split_change_unmap), T(refuses),
	    T(out_of_pages),       T(agrees_with_a_model),
	    T(identity),           cmocka_unit_test(init_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
