/* SPDX-License-Identifier: MIT
 *
 * What must be true of the page tables at any time, whatever the application has done. Looked at when
 * an application ends in a test boot.
 */
#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/invariants.h"
#include "guest/kernel/memory.h"

#define LEVELS    4
#define PTE_TABLE 0x000ffffffffff000ull

static unsigned seen_user, seen_kernel;

static void leaf(uint64_t va, uint64_t e)
{
	uint64_t pa = e & PTE_PA;
	bool write = e & PTE_W, execute = !(e & PTE_NX), user = e & PTE_U;

	if (va >> 63) {
		seen_kernel++;
		if (user)
			panic("invariant: ring 3 can reach kernel address %p", (void *)va);
		if (write && execute)
			panic("invariant: kernel address %p is writable and executable",
			      (void *)va);
		if (execute && va < IX_KERNEL_BASE)
			panic("invariant: %p is executable and no kernel code", (void *)va);
		if (write && page_is_kernel_code(pa))
			panic("invariant: kernel code or read-only data is writable at %p",
			      (void *)va);
		return;
	}
	seen_user++;
	if (!user)
		panic("invariant: the kernel has a page in the user half, %p", (void *)va);
	if (va >= USER_SHARED && va < USER_SHARED + MAX_CPUS * USER_WINDOW) {
		if (write || execute || !page_is(pa, false))
			panic("invariant: the window at %p is not read-only kernel memory",
			      (void *)va);
		return;
	}
	if (!page_is(pa, true))
		panic("invariant: %p maps a page that is not the application's", (void *)va);
	/* The program's own pages may be, if it was linked so; see load.c. */
	bool program = va < USER_BRK || (va >= USER_PIE && va < USER_SHARED);

	if (!program && write && execute)
		panic("invariant: %p is writable and executable", (void *)va);
}

static void walk(const uint64_t *table, unsigned level, uint64_t base)
{
	unsigned shift = 12 + 9 * (LEVELS - level);

	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = table[i], va = base | (uint64_t)i << shift;

		if (level == 1 && i >= 256)
			va |= 0xffffull << 48;
		if (!(e & PTE_P))
			continue;
		if (level == LEVELS - 1) {
			if (!(e & PTE_BIG))
				panic("invariant: %p has small pages", (void *)va);
			leaf(va, e);
			continue;
		}
		if (!page_is(e & PTE_TABLE, false))
			panic("invariant: a page table of %p lies outside kernel memory",
			      (void *)va);
		walk(phys_to_virt(e & PTE_TABLE), level + 1, va);
	}
}

void invariants_check(void)
{
	seen_user = seen_kernel = 0;
	walk(phys_to_virt(read_cr3() & PTE_TABLE), 1, 0);
	say("invariants hold: %u user pages, %u kernel pages", seen_user, seen_kernel);
}
