/* SPDX-License-Identifier: MIT */
#include "hv/reserve.h"

#include "hv/console.h"
#include "hv/hv.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define LOW_LIMIT     0x100000000ul
#define MB            0x100000ul
#define OWN_FIXED     (16 * MB) /* page tables, VMCSs, rings, the control function's memory */
#define OWN_PER_CPU   (256 * 1024ul)
#define POOL_MINIMUM  (16 * MB) /* address: what lies below stays with Linux */
#define LINUX_MINIMUM (64 * MB)

static uint64_t round_2m(uint64_t v)
{
	return (v + PAGE_2M - 1) & ~(PAGE_2M - 1);
}

/* Free memory: RAM without the image, the loader's data and its modules. */
static void mark_busy(struct memmap *map, uint64_t base, uint64_t size)
{
	uint64_t start = base & ~(PAGE_SIZE - 1);

	if (memmap_set(map, start, (base + size + PAGE_SIZE - 1 - start) & ~(PAGE_SIZE - 1),
		       MEM_RESERVED))
		refuse("the memory map has too many entries");
}

static void take_own(struct memmap *free, uint32_t ncpus)
{
	uint64_t size = round_2m(OWN_FIXED + ncpus * OWN_PER_CPU +
				 memmap_total(&hv.firmware_map, MEM_RAM) / 1024);

	if (memmap_find_highest(free, MEM_RAM, size, PAGE_2M, 0, LOW_LIMIT, &hv.own.base))
		refuse("no %lu MB of contiguous free memory below 4 GB for the hypervisor",
		       size / MB);
	hv.own.size = size;
	mark_busy(free, hv.own.base, size);
}

/* The pool is taken from the top of memory down, in as many pieces as it needs. */
static void take_pool(struct memmap *free)
{
	uint64_t total = memmap_total(&hv.firmware_map, MEM_RAM);
	uint64_t wanted = hv.options.ixmem_given ? hv.options.ixmem : total / 4 & ~(PAGE_2M - 1);
	uint64_t left = wanted;

	if (wanted > total || wanted + hv.own.size + LINUX_MINIMUM > total)
		refuse("ixmem=%luM does not fit: the machine has %lu MB and Linux needs %lu MB; "
		       "give a smaller ixmem=",
		       wanted / MB, total / MB, LINUX_MINIMUM / MB);
	for (uint32_t i = free->count; i-- > 0 && left && hv.npool < POOL_RANGES;) {
		const struct memmap_entry *e = &free->entry[i];
		uint64_t start = round_2m(e->base), end = (e->base + e->size) & ~(PAGE_2M - 1);
		uint64_t size;

		if (start < POOL_MINIMUM)
			start = POOL_MINIMUM;
		if (e->type != MEM_RAM || end <= start)
			continue;
		size = end - start < left ? end - start : left;
		hv.pool[hv.npool++] = (struct range){end - size, size};
		left -= size;
	}
	if (left)
		refuse("ixmem=%luM: no 2 MB aligned free memory for %lu MB of it; give a smaller "
		       "ixmem=",
		       wanted / MB, left / MB);
	for (uint32_t i = 0; i < hv.npool / 2; i++) {
		struct range r = hv.pool[i];

		hv.pool[i] = hv.pool[hv.npool - 1 - i];
		hv.pool[hv.npool - 1 - i] = r;
	}
}

void reserve_memory(uint32_t ncpus)
{
	static struct memmap free;

	free = hv.firmware_map;
	mark_busy(&free, 0, 0x1000);
	mark_busy(&free, hv.image.base, hv.image.size);
	mark_busy(&free, hv.boot_info.base, hv.boot_info.size);
	for (uint32_t i = 0; i < hv.boot.nmodules; i++)
		mark_busy(&free, hv.boot.module[i].base, hv.boot.module[i].size);
	take_own(&free, ncpus);
	take_pool(&free);

	hv.linux_map = hv.firmware_map;
	mark_busy(&hv.linux_map, hv.image.base, hv.image.size);
	mark_busy(&hv.linux_map, hv.own.base, hv.own.size);
	for (uint32_t i = 0; i < hv.npool; i++)
		mark_busy(&hv.linux_map, hv.pool[i].base, hv.pool[i].size);

	log_info("memory: %lu MB; hypervisor %#lx + %lu KB, %#lx + %lu MB",
		 memmap_total(&hv.firmware_map, MEM_RAM) / MB, hv.image.base, hv.image.size / 1024,
		 hv.own.base, hv.own.size / MB);
	for (uint32_t i = 0; i < hv.npool; i++)
		log_info("memory: dataplane pool %#lx + %lu MB", hv.pool[i].base,
			 hv.pool[i].size / MB);
}
