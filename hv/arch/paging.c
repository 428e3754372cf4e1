/* SPDX-License-Identifier: MIT */
#include "hv/arch/paging.h"

#include "hv/arch/cpu.h"
#include "hv/arch/spinlock.h"
#include "hv/arch/x86.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define PTE_ADDR    0x000ffffffffff000ul
#define WINDOW_SPAN PAGE_2M /* one page table a core */

extern const char hv_image_start[], hv_image_end[], hv_text_start[], hv_text_end[];
extern const char hv_rodata_start[], hv_rodata_end[], hv_data_start[], hv_data_end[];

static uint64_t *root;
static uint64_t mmio_next = HV_MMIO;
static struct spinlock lock;

static uint64_t *next_table(uint64_t *entry)
{
	if (!(*entry & PTE_P)) {
		void *table = page_alloc(1);

		if (!table)
			panic("no memory for page tables");
		*entry = direct_pa(table) | PTE_P | PTE_W;
	}
	if (*entry & PTE_PS)
		panic("page table: a large page is in the way");
	return direct(*entry & PTE_ADDR);
}

/* Level 1 holds 4 KB entries, level 2 2 MB ones, level 3 1 GB ones. */
static uint64_t *entry_at(uint64_t va, unsigned int level)
{
	uint64_t *table = root;

	for (unsigned int l = 4; l > level; l--)
		table = next_table(&table[va >> (12 + 9 * (l - 1)) & 511]);
	return &table[va >> (12 + 9 * (level - 1)) & 511];
}

static void map(uint64_t va, uint64_t pa, uint64_t size, uint64_t prot)
{
	while (size) {
		uint64_t at = va | pa;
		uint64_t step = PAGE_SIZE;
		unsigned int level = 1;

		if (!(at & (PAGE_2M - 1)) && size >= PAGE_2M) {
			level = 2;
			step = PAGE_2M;
		}
		*entry_at(va, level) = pa | prot | PTE_P | (level > 1 ? PTE_PS : 0);
		va += step;
		pa += step;
		size -= step;
	}
}

static void map_image(const char *start, const char *end, uint64_t load_base, uint64_t prot)
{
	uint64_t va = (uint64_t)start;

	map(va, va - HV_BASE + load_base, (uint64_t)(end - start), prot);
}

/* The direct map in 2 MB pages covers a little more than RAM at the edges; what lies there is
 * read-only too. RAM that shares a 2 MB page with a hole is mapped in 4 KB pages. */
static void map_ram(const struct memmap *m, uint64_t prot)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const struct memmap_entry *e = &m->entry[i];
		uint64_t start = e->base & ~(PAGE_SIZE - 1);
		uint64_t end = (e->base + e->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

		if (e->type != MEM_RAM && e->type != MEM_ACPI && e->type != MEM_NVS)
			continue;
		map(HV_DIRECT + start, start, end - start, prot | PTE_NX | PTE_G);
	}
	/* The first megabyte: firmware tables are searched for in it. */
	map(HV_DIRECT, 0, 0x100000, PTE_NX | PTE_G);
}

void paging_direct(uint64_t pa, uint64_t size, uint64_t prot)
{
	spin_lock(&lock);
	map(HV_DIRECT + pa, pa, size, prot | PTE_NX | PTE_G);
	spin_unlock(&lock);
	for (uint64_t va = HV_DIRECT + pa; size >= PAGE_SIZE; va += PAGE_SIZE, size -= PAGE_SIZE)
		invlpg(va);
}

void paging_readable(uint64_t pa, uint64_t size)
{
	uint64_t end = pa + size;

	for (pa &= ~(PAGE_SIZE - 1); pa < end; pa += PAGE_SIZE) {
		uint64_t *large = entry_at(HV_DIRECT + pa, 2);

		if (!(*large & PTE_PS) && !(*entry_at(HV_DIRECT + pa, 1) & PTE_P))
			map(HV_DIRECT + pa, pa, PAGE_SIZE, PTE_NX | PTE_G);
	}
}

/* Tables that the first page tables are extended with. */
#define BOOT_TABLES 8

static uint64_t *boot_next(uint64_t *entry)
{
	static uint64_t table[BOOT_TABLES][512] __attribute__((aligned(4096)));
	static unsigned int used;

	if (!(*entry & PTE_P)) {
		if (used == BOOT_TABLES)
			return NULL;
		*entry = image_pa(table[used++]) | PTE_P | PTE_W;
	}
	return direct(*entry & PTE_ADDR);
}

const void *paging_boot_map(uint64_t pa, uint64_t size)
{
	extern uint64_t boot_pml4[];
	uint64_t width = cpuid(0x80000008, 0).eax & 0xff;

	if (!size || (pa + size - 1) >> width)
		return NULL;
	for (uint64_t at = pa & ~(PAGE_2M - 1); at < pa + size; at += PAGE_2M) {
		uint64_t va = HV_DIRECT + at;
		uint64_t *table = direct(image_pa(boot_pml4));

		for (unsigned int shift = 39; shift > 21 && table; shift -= 9)
			table = boot_next(&table[va >> shift & 511]);
		if (!table)
			return NULL;
		table[va >> 21 & 511] = at | PTE_P | PTE_PS;
	}
	return direct(pa);
}

static void map_stacks(uint32_t ncpus)
{
	for (uint32_t cpu = 0; cpu < ncpus; cpu++) {
		for (unsigned int s = 0; s < NSTACKS; s++) {
			void *stack = page_alloc(STACK_SIZE / PAGE_SIZE);

			if (!stack)
				panic("no memory for the stacks of core %u", cpu);
			map(STACK_TOP(cpu, s) - STACK_SIZE, direct_pa(stack), STACK_SIZE,
			    PTE_W | PTE_NX);
		}
		entry_at(HV_WINDOW + cpu * WINDOW_SPAN, 1);
	}
}

void paging_init(const struct memmap *m, uint64_t ram_prot, uint64_t load_base, uint32_t ncpus)
{
	uint64_t base, size;

	root = page_alloc(1);
	if (!root)
		panic("no memory for page tables");
	map_ram(m, ram_prot);
	mem_range(&base, &size);
	map(HV_DIRECT + base, base, size, PTE_W | PTE_NX | PTE_G);

	map_image(hv_image_start, hv_text_start, load_base, PTE_NX | PTE_G);
	map_image(hv_text_start, hv_rodata_start, load_base, PTE_G);
	map_image(hv_rodata_start, hv_data_start, load_base, PTE_NX | PTE_G);
	map_image(hv_data_start, hv_data_end, load_base, PTE_W | PTE_NX | PTE_G);
	map_stacks(ncpus);
}

void paging_activate(void)
{
	write_cr3(direct_pa(root));
}

uint64_t paging_root(void)
{
	return direct_pa(root);
}

volatile void *map_mmio(uint64_t pa, size_t size)
{
	uint64_t offset = pa & (PAGE_SIZE - 1);
	uint64_t va, span = (offset + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	spin_lock(&lock);
	va = mmio_next;
	mmio_next += span + PAGE_SIZE;
	map(va, pa - offset, span, MAP_UC | PTE_NX | PTE_G);
	spin_unlock(&lock);
	return (volatile void *)(va + offset);
}

void *map_window(uint64_t pa, size_t len)
{
	uint64_t base = HV_WINDOW + this_cpu()->index * WINDOW_SPAN;
	uint64_t offset = pa & (PAGE_SIZE - 1);
	uint64_t *pte = entry_at(base, 1);
	size_t n = (offset + len + PAGE_SIZE - 1) / PAGE_SIZE;

	if (len > WINDOW_MAX)
		panic("window of %zu bytes", len);
	for (size_t i = 0; i < n; i++) {
		pte[i] = (pa - offset + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_NX;
		invlpg(base + i * PAGE_SIZE);
	}
	return (void *)(base + offset);
}
