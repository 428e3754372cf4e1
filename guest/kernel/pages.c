/* SPDX-License-Identifier: MIT
 *
 * Allocation of physical memory in 2 MB pages.
 */
#include "guest/kernel/console.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/string.h"

enum page_use {
	PAGE_FREE,
	PAGE_KERNEL,
	PAGE_USER,
	PAGE_USER_FREE
};

/* One range of memory; use[] has a byte for each page. */
static struct zone {
	uint64_t base;
	unsigned n;
	uint8_t *use;
} zones[IX_MAX_MEM];
static unsigned nzones, total, available;
static struct lock pages_lock;

void pages_init(const struct ix_bootinfo *bi)
{
	unsigned all = 0;

	for (unsigned i = 0; i < bi->nmem; i++)
		all += bi->mem[i].size >> PAGE_BITS;

	/* The map takes the first pages after what the loader has put into mem[0]. */
	uint64_t first = (bi->free_base + all + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

	if (first > bi->mem[0].base + bi->mem[0].size)
		refuse("not enough memory");
	uint8_t *use = phys_to_virt(bi->free_base);

	memset(use, PAGE_FREE, all);
	nzones = bi->nmem;
	for (unsigned i = 0; i < nzones; i++) {
		zones[i] = (struct zone){bi->mem[i].base, bi->mem[i].size >> PAGE_BITS, use};
		use += zones[i].n;
	}
	unsigned used = (first - bi->mem[0].base) >> PAGE_BITS;

	memset(zones[0].use, PAGE_KERNEL, used);
	total = all;
	available = all - used;
}

/* Finds `want` pages in a row that have use `from`, and gives them use `to`. Under the lock. */
static uint64_t take(unsigned want, enum page_use from, enum page_use to)
{
	for (unsigned i = 0; i < nzones; i++) {
		unsigned run = 0;

		for (unsigned j = 0; j < zones[i].n; j++) {
			run = zones[i].use[j] == from ? run + 1 : 0;
			if (run < want)
				continue;
			memset(&zones[i].use[j + 1 - want], to, want);
			available -= want;
			return zones[i].base + ((uint64_t)(j + 1 - want) << PAGE_BITS);
		}
	}
	return 0;
}

uint64_t page_alloc_run(unsigned n)
{
	lock(&pages_lock);
	uint64_t pa = n ? take(n, PAGE_FREE, PAGE_KERNEL) : 0;

	unlock(&pages_lock);
	if (pa)
		memset(phys_to_virt(pa), 0, (size_t)n << PAGE_BITS);
	return pa;
}

uint64_t page_alloc_user(void)
{
	lock(&pages_lock);
	uint64_t pa = take(1, PAGE_USER_FREE, PAGE_USER);

	if (!pa)
		pa = take(1, PAGE_FREE, PAGE_USER);
	unlock(&pages_lock);
	if (pa)
		memset(phys_to_virt(pa), 0, PAGE_SIZE);
	return pa;
}

void page_free_user(uint64_t pa)
{
	lock(&pages_lock);
	for (unsigned i = 0; i < nzones; i++) {
		uint64_t page = (pa - zones[i].base) >> PAGE_BITS;

		if (pa < zones[i].base || page >= zones[i].n)
			continue;
		ASSERT(zones[i].use[page] == PAGE_USER);
		zones[i].use[page] = PAGE_USER_FREE;
		available++;
	}
	unlock(&pages_lock);
}

bool page_is(uint64_t pa, bool user)
{
	for (unsigned i = 0; i < nzones; i++)
		if (pa >= zones[i].base && (pa - zones[i].base) >> PAGE_BITS < zones[i].n)
			return zones[i].use[(pa - zones[i].base) >> PAGE_BITS] ==
			       (user ? PAGE_USER : PAGE_KERNEL);
	return false;
}

unsigned pages_free(void)
{
	return __atomic_load_n(&available, __ATOMIC_RELAXED);
}

unsigned pages_total(void)
{
	return total;
}

uint64_t *table_alloc(void)
{
	static uint64_t next, end;
	static struct lock l;
	uint64_t *t = NULL;

	lock(&l);
	if (next == end) {
		next = page_alloc_run(1);
		end = next ? next + PAGE_SIZE : 0;
	}
	if (next) {
		t = phys_to_virt(next);
		next += SMALL_PAGE;
	}
	unlock(&l);
	return t;
}
