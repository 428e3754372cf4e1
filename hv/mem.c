/* SPDX-License-Identifier: MIT */
#include "hv/mem.h"

#include "hv/arch/spinlock.h"
#include "hv/lib/string.h"

/* Never-used pages lie in [next, end); pages given back are chained through their first word. */
static struct {
	struct spinlock lock;
	uint64_t base, end, next;
	void *free_list;
	uint64_t listed;
} mem;

void mem_init(uint64_t base, uint64_t size)
{
	mem.base = base;
	mem.next = base;
	mem.end = base + size;
}

void *page_alloc(size_t n)
{
	void *page = NULL;

	spin_lock(&mem.lock);
	if (n == 1 && mem.free_list) {
		page = mem.free_list;
		mem.free_list = *(void **)page;
		mem.listed--;
	} else if (n <= (mem.end - mem.next) / PAGE_SIZE) {
		page = direct(mem.next);
		mem.next += n * PAGE_SIZE;
	}
	spin_unlock(&mem.lock);
	if (page)
		memset(page, 0, n * PAGE_SIZE);
	return page;
}

void page_free(void *page)
{
	spin_lock(&mem.lock);
	*(void **)page = mem.free_list;
	mem.free_list = page;
	mem.listed++;
	spin_unlock(&mem.lock);
}

uint64_t pages_free(void)
{
	return (mem.end - mem.next) / PAGE_SIZE + mem.listed;
}

void mem_range(uint64_t *base, uint64_t *size)
{
	*base = mem.base;
	*size = mem.end - mem.base;
}
