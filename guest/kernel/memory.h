/* SPDX-License-Identifier: MIT
 *
 * Physical memory of the domain, in 2 MB pages, and the kernel's page tables.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/bootinfo.h>

#include "guest/kernel/layout.h"

/* Marks data that is written before memory_seal() and never after. */
#define __ro_after_init __attribute__((section(".ro_after_init")))

static inline void *phys_to_virt(uint64_t pa)
{
	return (void *)(IX_DIRECT_BASE + pa);
}

/* Of direct-mapped and kernel-image addresses. */
uint64_t virt_to_phys(const void *va);

/*
 * Pages. What was once the application's stays the application's: page_alloc_user() hands such a page out
 * again, page_alloc_run() never does. So a NIC that still reads memory which the application has
 * given back, for a retransmission, reads nothing but the application's own bytes, and memory under
 * way needs no count of references. Any core.
 */
void pages_init(const struct ix_bootinfo *bi);
uint64_t page_alloc_run(unsigned n); /* n pages in a row, of zeroes, for good; or 0 */
uint64_t page_alloc_user(void);      /* physical address of a page of zeroes, or 0 */
void page_free_user(uint64_t pa);
unsigned pages_free(void); /* for the application */
unsigned pages_total(void);
/* For invariants.c: whether the page is the application's (else the kernel's) now. */
bool page_is(uint64_t pa, bool user);
bool page_is_kernel_code(uint64_t pa);

/* A page table's worth of zeroes, for page tables: never given back. NULL: no memory. */
uint64_t *table_alloc(void);

/* Page-table entries (SDM 3A 4.5.4). */
#define PTE_P   1ull
#define PTE_W   2ull
#define PTE_U   4ull
#define PTE_PWT 8ull
#define PTE_PCD 0x10ull
#define PTE_BIG 0x80ull
#define PTE_G   0x100ull
#define PTE_NX  (1ull << 63)
#define PTE_PA  0x000fffffffe00000ull /* of a 2 MB page */

/*
 * The entry that maps the 2 MB page at va; makes tables on the way if `make`. NULL: there is none.
 * The one root serves all cores.
 */
uint64_t *pte_of(uint64_t va, bool make);
int map_page(uint64_t va, uint64_t pa, uint64_t flags); /* flags: PTE_W, PTE_U, PTE_NX ... */

/* Builds the final tables; returns the value for CR3. */
uint64_t memory_init(const struct ix_bootinfo *bi);
/* Makes read-only data so; each core calls it, when core 0 has ended its preparations. */
void memory_seal(void);
/* Maps device registers; NULL: no memory. */
void *map_mmio(uint64_t pa, uint64_t size);

#endif
