/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's page tables (layout.h). One set for all cores.
 */
#ifndef HV_ARCH_PAGING_H
#define HV_ARCH_PAGING_H

#include <stddef.h>
#include <stdint.h>

#include "hv/lib/memmap.h"

#define PTE_P   (1ul << 0)
#define PTE_W   (1ul << 1)
#define PTE_PWT (1ul << 3)
#define PTE_PCD (1ul << 4)
#define PTE_PS  (1ul << 7)
#define PTE_G   (1ul << 8)
#define PTE_NX  (1ul << 63)

#define MAP_RO 0
#define MAP_RW PTE_W
#define MAP_UC (PTE_W | PTE_PCD | PTE_PWT)

/* Builds the tables: the image with W^X, RAM of the map in the direct map as ram_prot says, own
 * memory there writable, stacks for ncpus cores. Does not switch to them. */
void paging_init(const struct memmap *map, uint64_t ram_prot, uint64_t load_base, uint32_t ncpus);

/* Before paging_activate: makes physical memory above 4 GB, that the first page tables do not have,
 * readable in the direct map. NULL: out of tables, or beyond what the processor can address. */
const void *paging_boot_map(uint64_t pa, uint64_t size);

/* After paging_init: a range that need not be RAM (firmware tables) is readable in the direct map,
 * too. */
void paging_readable(uint64_t pa, uint64_t size);

/* Switches this core to them. */
void paging_activate(void);

/* Makes a range of the direct map writable or read-only again: the dataplane pool, 2 MB units. */
void paging_direct(uint64_t pa, uint64_t size, uint64_t prot);

/* Maps device registers, uncached. Never unmapped. Panics when memory runs out. */
volatile void *map_mmio(uint64_t pa, size_t size);

/* A window on this core through which [pa, pa + len) of any RAM is writable, until the next call
 * on this core. len <= WINDOW_MAX. */
#define WINDOW_MAX 0x100000
void *map_window(uint64_t pa, size_t len);

/* Physical address of the tables, for the host state of a VMCS. */
uint64_t paging_root(void);

#endif
