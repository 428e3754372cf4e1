/* SPDX-License-Identifier: MIT
 *
 * Extended page tables (SDM 3C 29.3): build, change, look up.
 *
 * Works on pages from a pool that the caller gives. After a change that takes rights away or moves
 * memory the caller detaches, invalidates (INVEPT on every processor of the VM) and then calls
 * ept_reclaim(): until then no page that a processor may still walk is reused.
 */
#ifndef HV_LIB_EPT_H
#define HV_LIB_EPT_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/mtrr.h"
#include "hv/lib/range.h"

struct memmap;

#define EPT_READ  (1u << 0)
#define EPT_WRITE (1u << 1)
#define EPT_EXEC  (1u << 2)
#define EPT_RWX   (EPT_READ | EPT_WRITE | EPT_EXEC)

#define EPT_PAGE_4K (1ull << 12)
#define EPT_PAGE_2M (1ull << 21)
#define EPT_PAGE_1G (1ull << 30)

struct ept_pool {
	/* One 4 KB page, of any content, with its physical address; NULL when there is none. */
	void *(*alloc)(void *ctx, uint64_t *pa);
	void (*free)(void *ctx, void *page, uint64_t pa);
	/* Where a page that alloc() gave is mapped. */
	void *(*ptr)(void *ctx, uint64_t pa);
	void *ctx;
};

/* What the processor supports: IA32_VMX_EPT_VPID_CAP (SDM 3D A.10) and CPUID 0x80000008. */
struct ept_caps {
	bool page_2m;
	bool page_1g;
	bool exec_only;
	bool accessed_dirty;
	uint8_t phys_width; /* MAXPHYADDR, 32 to 52 */
};

struct ept {
	struct ept_pool pool;
	struct ept_caps caps;
	uint64_t *root;
	uint64_t root_pa;
	uint32_t pages;   /* in use, the root included */
	uint64_t retired; /* list of pages to reclaim, by physical address; 0: empty */
};

struct ept_mapping {
	uint64_t hpa;   /* of the address asked for */
	uint64_t page;  /* size of the page that maps it */
	uint32_t perms; /* EPT_READ | ... */
	enum memory_type type;
	uint8_t level; /* 1: 4 KB, 2: 2 MB, 3: 1 GB */
};

/* Returns 0, -ENOMEM, or -EINVAL (width). */
int ept_init(struct ept *ept, const struct ept_pool *pool, const struct ept_caps *caps);

/* Gives all pages back, the retired ones too. No processor may use the tables any more. */
void ept_free(struct ept *ept);

/*
 * All take multiples of 4 KB. They return 0; -EINVAL (alignment, range beyond what 4 levels or the
 * processor can address, rights that the processor refuses); or -ENOMEM: the range is then changed
 * in part, every entry is valid, and the call can be repeated.
 *
 * ept_map() maps whatever was there before. ept_unmap() and ept_change() pass over holes.
 */
int ept_map(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t hpa, uint32_t perms,
	    enum memory_type type);
int ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size);
int ept_change(struct ept *ept, uint64_t gpa, uint64_t size, uint32_t perms, enum memory_type type);

/*
 * The pages that have fallen out of use so far, as a list for ept_reclaim(), which gives them back to
 * the pool: only when every processor has executed INVEPT since they were detached. What falls out of
 * use meanwhile is not on the list.
 */
uint64_t ept_detach(struct ept *ept);
void ept_reclaim(const struct ept *ept, uint64_t list);

/* What a guest-physical address leads to; false when it is not mapped. */
bool ept_lookup(const struct ept *ept, uint64_t gpa, struct ept_mapping *mapping);

/* Value of the EPTP field (SDM 3C 25.6.11). */
uint64_t ept_pointer(const struct ept *ept);

/* Physical memory as a guest sees it that owns the machine. */
struct ept_identity {
	const struct memmap *memmap; /* what firmware says is there */
	const struct mtrr *mtrr;
	const struct range *deny; /* pages that must stay unmapped */
	uint32_t deny_count;
};

/*
 * Maps [from, to) onto itself, readable, writable and executable, in the largest pages: what the
 * memory map lists with its MTRR type, the rest (devices) uncached, and no page that a denied range
 * touches. `to` is cut to what can be addressed; -EINVAL when `from` lies beyond. Errors as of ept_map().
 */
int ept_map_identity(struct ept *ept, const struct ept_identity *id, uint64_t from, uint64_t to);

#endif
