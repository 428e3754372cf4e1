/* SPDX-License-Identifier: MIT
 *
 * What a device of a domain may reach by DMA. With an IOMMU these calls confine it; without one
 * they say that it is not confined.
 */
#ifndef HV_VM_DMA_H
#define HV_VM_DMA_H

#include <stdbool.h>
#include <stdint.h>

/* Joins the function to the domain's memory. *open: it can reach all memory. 0 or negative errno. */
static inline int dma_join(uint32_t vm, uint16_t segment, uint16_t bdf, bool *open)
{
	(void)vm;
	(void)segment;
	(void)bdf;
	*open = true;
	return 0;
}

/* The function reaches nothing any more; what it had under way has ended. */
static inline void dma_leave(uint32_t vm, uint16_t segment, uint16_t bdf)
{
	(void)vm;
	(void)segment;
	(void)bdf;
}

#endif
