/* SPDX-License-Identifier: MIT
 *
 * The kernel's page tables: W^X, 2 MB pages only.
 */
#include <errno.h>

#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/memory.h"

extern char text_start[], rodata_start[], data_start[], kernel_end[];

static uint64_t *root __ro_after_init;
static uint64_t kernel_base __ro_after_init;

uint64_t virt_to_phys(const void *va)
{
	uint64_t v = (uint64_t)va;

	if (v >= IX_KERNEL_BASE)
		return v - IX_KERNEL_BASE + kernel_base;
	if (v >= CPU_BASE)
		return (*pte_of(v, false) & PTE_PA) + (v & (PAGE_SIZE - 1));
	return v - IX_DIRECT_BASE;
}

bool page_is_kernel_code(uint64_t pa)
{
	return pa >= kernel_base && pa - kernel_base < (uint64_t)data_start - IX_KERNEL_BASE;
}

uint64_t *pte_of(uint64_t va, bool make)
{
	uint64_t *t = root;

	for (int shift = 39; shift > PAGE_BITS; shift -= 9) {
		uint64_t *e = &t[(va >> shift) & 511];

		if (!(*e & PTE_P)) {
			uint64_t *next = make ? table_alloc() : NULL;

			if (!next)
				return NULL;
			/* Permissions are those of the last level. */
			*e = ((uint64_t)next - IX_DIRECT_BASE) | PTE_P | PTE_W |
			     (va < USER_TOP ? PTE_U : 0);
		}
		t = phys_to_virt(*e & ~PTE_NX & ~0xfffull);
	}
	return &t[(va >> PAGE_BITS) & 511];
}

int map_page(uint64_t va, uint64_t pa, uint64_t flags)
{
	uint64_t *e = pte_of(va, true);

	if (!e)
		return -ENOMEM;
	__atomic_store_n(e, pa | flags | PTE_P | PTE_BIG, __ATOMIC_RELEASE);
	return 0;
}

static void map_or_panic(uint64_t va, uint64_t pa, uint64_t flags)
{
	if (map_page(va, pa, flags))
		refuse("not enough memory for page tables");
}

/*
 * Code is mapped executable once and writable nowhere; all else is not executable. Read-only data can be
 * written until memory_seal().
 */
static uint64_t image_flags(uint64_t va)
{
	if (va < (uint64_t)rodata_start)
		return PTE_G;
	return PTE_G | PTE_W | PTE_NX;
}

uint64_t memory_init(const struct ix_bootinfo *bi)
{
	kernel_base = bi->kernel_base;
	pages_init(bi);
	root = table_alloc();
	if (!root)
		refuse("not enough memory for page tables");

	for (uint64_t off = 0; off < bi->kernel_size; off += PAGE_SIZE)
		map_or_panic(IX_KERNEL_BASE + off, bi->kernel_base + off,
			     image_flags(IX_KERNEL_BASE + off));
	uint64_t fixed_end = bi->kernel_base + ((uint64_t)data_start - IX_KERNEL_BASE);

	for (unsigned i = 0; i < bi->nmem; i++) {
		uint64_t pa = bi->mem[i].base;

		for (uint64_t end = pa + bi->mem[i].size; pa < end; pa += PAGE_SIZE) {
			bool fixed = pa >= bi->kernel_base && pa < fixed_end;

			map_or_panic(IX_DIRECT_BASE + pa, pa, PTE_G | PTE_NX | (fixed ? 0 : PTE_W));
		}
	}
	for (unsigned i = 0; i < bi->ncores; i++) {
		uint64_t pa = page_alloc_run(1);

		if (!pa)
			refuse("not enough memory for core %u", i);
		map_or_panic(CPU_BASE + (uint64_t)i * CPU_STRIDE + PAGE_SIZE, pa,
			     PTE_G | PTE_W | PTE_NX);
	}
	return (uint64_t)root - IX_DIRECT_BASE;
}

void memory_seal(void)
{
	for (uint64_t va = (uint64_t)rodata_start; va < (uint64_t)data_start; va += PAGE_SIZE) {
		__atomic_fetch_and(pte_of(va, false), ~PTE_W, __ATOMIC_RELAXED);
		invlpg(va);
	}
}

void *map_mmio(uint64_t pa, uint64_t size)
{
	static uint64_t next = MMIO_BASE;
	uint64_t first = pa & ~(uint64_t)(PAGE_SIZE - 1), va = next;

	for (uint64_t at = first; at < pa + size; at += PAGE_SIZE) {
		if (map_page(next, at, PTE_G | PTE_W | PTE_NX | PTE_PCD | PTE_PWT))
			return NULL;
		next += PAGE_SIZE;
	}
	return (void *)(va + (pa - first));
}
