/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's own memory: one physical range taken out of the machine's map at start, given
 * out in 4 KB pages.
 *
 * Pages come zeroed. Running out is not an error of the caller's at boot (the range is sized from
 * the machine, too little is a panic there), and is -ENOMEM (NULL) later.
 */
#ifndef HV_MEM_H
#define HV_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "hv/arch/layout.h"

#define PAGE_SIZE 4096ul
#define PAGE_2M   0x200000ul
#define PAGE_1G   0x40000000ul

/* The direct map: valid for RAM. Readable for all of it, writable for the hypervisor's own. */
static inline void *direct(uint64_t pa)
{
	return (void *)(HV_DIRECT + pa);
}

static inline uint64_t direct_pa(const volatile void *va)
{
	return (uint64_t)va - HV_DIRECT;
}

/* Physical address of something in the image: text, static data. */
extern uint64_t image_base; /* physical address of HV_BASE */
static inline uint64_t image_pa(const volatile void *va)
{
	return (uint64_t)va - HV_BASE + image_base;
}

/* Takes over the range; both multiples of 4 KB. Once. */
void mem_init(uint64_t base, uint64_t size);

/* n contiguous pages, or NULL. They are given back one by one. */
void *page_alloc(size_t n);

/* Gives a page back. */
void page_free(void *page);

/* Free pages, for reports and leak checks. */
uint64_t pages_free(void);

/* The range given to mem_init. */
void mem_range(uint64_t *base, uint64_t *size);

#endif
