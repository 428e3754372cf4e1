/* SPDX-License-Identifier: MIT */
#include "hv/lib/ept.h"
#include "hv/lib/errno.h"
#include "hv/lib/memmap.h"
#include "hv/lib/string.h"

#define ENTRIES      512
#define TOP_LEVEL    4
#define GUEST_BITS   48 /* four levels */
#define PAGE_MASK    (EPT_PAGE_4K - 1)
#define ADDRESS_BITS 0x000ffffffffff000ull

/* SDM 3C tables 29-1 to 29-7 */
#define ENTRY_PERMS      7ull
#define ENTRY_TYPE_SHIFT 3
#define ENTRY_TYPE       (7ull << ENTRY_TYPE_SHIFT)
#define ENTRY_LARGE      (1ull << 7)
#define ENTRY_TABLE      ENTRY_PERMS /* rights are decided by the leaf */

enum action {
	MAP,
	UNMAP,
	CHANGE
};

struct update {
	enum action action;
	uint64_t gpa; /* what is left to do: [gpa, end) */
	uint64_t end;
	uint64_t hpa;        /* of gpa, for MAP */
	uint64_t attributes; /* bits of a leaf */
};

/* Bytes that an entry of a table of the level covers: level 1 is the lowest. */
static uint64_t span(int level)
{
	return EPT_PAGE_4K << (9 * (level - 1));
}

static bool is_present(uint64_t entry)
{
	return entry & ENTRY_PERMS;
}

static bool is_leaf(uint64_t entry, int level)
{
	return level == 1 || entry & ENTRY_LARGE;
}

static bool leaf_allowed(const struct ept *ept, int level)
{
	return level == 1 || (level == 2 && ept->caps.page_2m) || (level == 3 && ept->caps.page_1g);
}

/* Other processors may be walking the tables: an entry changes in one store. */
static void set_entry(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t *table_of(const struct ept *ept, uint64_t entry)
{
	return ept->pool.ptr(ept->pool.ctx, entry & ADDRESS_BITS);
}

static uint64_t *alloc_table(struct ept *ept, uint64_t *pa)
{
	uint64_t *table = ept->pool.alloc(ept->pool.ctx, pa);

	if (table) {
		memset(table, 0, EPT_PAGE_4K);
		ept->pages++;
	}
	return table;
}

/* Puts the tables below an entry on the retired list. */
static void retire(struct ept *ept, uint64_t entry, int level)
{
	uint64_t *table;

	if (!is_present(entry) || is_leaf(entry, level))
		return;
	table = table_of(ept, entry);
	for (int i = 0; i < ENTRIES; i++)
		retire(ept, table[i], level - 1);
	/* The link is page aligned, so a processor that still walks the table finds no entry. */
	set_entry(&table[0], ept->retired);
	ept->retired = entry & ADDRESS_BITS;
	ept->pages--;
}

/* Replaces a large leaf by a table that says the same. */
static int split(struct ept *ept, uint64_t *entry, int level)
{
	uint64_t pa, leaf = *entry;
	uint64_t *table = alloc_table(ept, &pa);

	if (!table)
		return -ENOMEM;
	if (level == 2)
		leaf &= ~ENTRY_LARGE;
	for (int i = 0; i < ENTRIES; i++)
		table[i] = leaf + i * span(level - 1);
	set_entry(entry, pa | ENTRY_TABLE);
	return 0;
}

/* Tries to deal with an entry as a whole; false when the level below must. */
static bool update_whole(struct ept *ept, const struct update *u, uint64_t *entry, int level,
			 uint64_t size)
{
	uint64_t old = *entry;

	if (u->action != MAP && !is_present(old))
		return true;
	if (size < span(level))
		return false;
	switch (u->action) {
	case MAP:
		if (!leaf_allowed(ept, level) || !is_aligned(u->hpa, span(level)))
			return false;
		set_entry(entry, u->hpa | u->attributes | (level > 1 ? ENTRY_LARGE : 0));
		break;
	case UNMAP:
		set_entry(entry, 0);
		break;
	case CHANGE:
		if (!is_leaf(old, level))
			return false;
		set_entry(entry, (old & ~(ENTRY_PERMS | ENTRY_TYPE)) | u->attributes);
		return true;
	}
	retire(ept, old, level);
	return true;
}

/* Does what is left of the update within one table. */
static int update_table(struct ept *ept, uint64_t *table, int level, struct update *u)
{
	unsigned int i = u->gpa / span(level) % ENTRIES;

	for (; i < ENTRIES && u->gpa < u->end; i++) {
		uint64_t next = align_down(u->gpa, span(level)) + span(level);
		uint64_t size = (next < u->end ? next : u->end) - u->gpa;
		int error;

		if (update_whole(ept, u, &table[i], level, size)) {
			u->gpa += size;
			u->hpa += size;
			continue;
		}
		if (!is_present(table[i])) {
			uint64_t pa;

			if (!alloc_table(ept, &pa))
				return -ENOMEM;
			set_entry(&table[i], pa | ENTRY_TABLE);
		} else if (is_leaf(table[i], level)) {
			error = split(ept, &table[i], level);
			if (error)
				return error;
		}
		error = update_table(ept, table_of(ept, table[i]), level - 1, u);
		if (error)
			return error;
	}
	return 0;
}

static uint64_t guest_limit(const struct ept *ept)
{
	return 1ull << (ept->caps.phys_width < GUEST_BITS ? ept->caps.phys_width : GUEST_BITS);
}

static int update(struct ept *ept, enum action action, uint64_t gpa, uint64_t size, uint64_t hpa,
		  uint32_t perms, enum memory_type type)
{
	struct update u = {
	    .action = action,
	    .gpa = gpa,
	    .end = gpa + size,
	    .hpa = hpa,
	    .attributes = perms | (uint64_t)type << ENTRY_TYPE_SHIFT,
	};

	if ((gpa | size | hpa) & PAGE_MASK || !range_contains(0, guest_limit(ept), gpa, size) ||
	    !range_contains(0, 1ull << ept->caps.phys_width, hpa, size))
		return -EINVAL;
	/* Rights and types that are misconfigurations: SDM 3C 29.3.3.1 */
	if (perms & ~EPT_RWX || type > MEMORY_WB || type == 2 || type == 3)
		return -EINVAL;
	if (action != UNMAP && !(perms & EPT_READ) && !(perms == EPT_EXEC && ept->caps.exec_only))
		return -EINVAL;
	return update_table(ept, ept->root, TOP_LEVEL, &u);
}

int ept_map(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t hpa, uint32_t perms,
	    enum memory_type type)
{
	return update(ept, MAP, gpa, size, hpa, perms, type);
}

int ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size)
{
	return update(ept, UNMAP, gpa, size, 0, 0, MEMORY_UC);
}

int ept_change(struct ept *ept, uint64_t gpa, uint64_t size, uint32_t perms, enum memory_type type)
{
	return update(ept, CHANGE, gpa, size, 0, perms, type);
}

int ept_init(struct ept *ept, const struct ept_pool *pool, const struct ept_caps *caps)
{
	*ept = (struct ept){.pool = *pool, .caps = *caps};
	if (caps->phys_width < 32 || caps->phys_width > 52)
		return -EINVAL;
	ept->root = alloc_table(ept, &ept->root_pa);
	return ept->root ? 0 : -ENOMEM;
}

uint64_t ept_detach(struct ept *ept)
{
	uint64_t list = ept->retired;

	ept->retired = 0;
	return list;
}

void ept_reclaim(const struct ept *ept, uint64_t list)
{
	while (list) {
		uint64_t pa = list;
		uint64_t *page = table_of(ept, pa);

		list = page[0];
		ept->pool.free(ept->pool.ctx, page, pa);
	}
}

void ept_free(struct ept *ept)
{
	if (!ept->root)
		return;
	retire(ept, ept->root_pa | ENTRY_TABLE, TOP_LEVEL + 1);
	ept_reclaim(ept, ept_detach(ept));
	ept->root = NULL;
}

bool ept_lookup(const struct ept *ept, uint64_t gpa, struct ept_mapping *mapping)
{
	const uint64_t *table = ept->root;

	if (gpa >= guest_limit(ept))
		return false;
	for (int level = TOP_LEVEL; level > 0; level--) {
		uint64_t entry = table[gpa / span(level) % ENTRIES];

		if (!is_present(entry))
			return false;
		if (is_leaf(entry, level)) {
			uint64_t offset = gpa & (span(level) - 1);

			mapping->hpa = (entry & ADDRESS_BITS & -span(level)) + offset;
			mapping->page = span(level);
			mapping->perms = entry & ENTRY_PERMS;
			mapping->type = (entry & ENTRY_TYPE) >> ENTRY_TYPE_SHIFT;
			mapping->level = level;
			return true;
		}
		table = table_of(ept, entry);
	}
	return false;
}

uint64_t ept_pointer(const struct ept *ept)
{
	return ept->root_pa | MEMORY_WB | (TOP_LEVEL - 1) << 3 |
	       (ept->caps.accessed_dirty ? 1u << 6 : 0);
}

/* Whether the page at `pa` must stay unmapped; the answer holds for the pages up to *end. */
static bool is_denied(const struct ept_identity *id, uint64_t pa, uint64_t *end)
{
	*end = UINT64_MAX & ~PAGE_MASK;
	for (uint32_t i = 0; i < id->deny_count; i++) {
		uint64_t base = id->deny[i].base, size = id->deny[i].size;

		if (range_overlaps(base, size, pa, EPT_PAGE_4K)) {
			if (!range_ok(base, size) || !align_up(base + size, EPT_PAGE_4K, end))
				*end = pa + EPT_PAGE_4K;
			return true;
		}
		base = align_down(base, EPT_PAGE_4K);
		if (size && base > pa && base < *end)
			*end = base;
	}
	return false;
}

/* Type of the page at `pa`, which is the same up to *end. */
static enum memory_type identity_type(const struct ept_identity *id, uint64_t pa, uint64_t *end)
{
	uint64_t list_end = UINT64_MAX, mtrr_end;
	const struct memmap_entry *e = NULL;
	enum memory_type type;

	for (uint32_t i = 0; i < id->memmap->count; i++) {
		e = &id->memmap->entry[i];
		if (e->base + e->size > pa)
			break;
		e = NULL;
	}
	type = mtrr_type(id->mtrr, pa, &mtrr_end);
	if (!e || pa < e->base) {
		type = MEMORY_UC;
		mtrr_end = UINT64_MAX;
		if (e)
			list_end = e->base;
	} else {
		list_end = e->base + e->size;
	}
	*end = list_end < mtrr_end ? list_end : mtrr_end;
	/* A page goes by its first byte. */
	if (!align_up(*end, EPT_PAGE_4K, end))
		*end = UINT64_MAX & ~PAGE_MASK;
	return type;
}

int ept_map_identity(struct ept *ept, const struct ept_identity *id, uint64_t from, uint64_t to)
{
	uint64_t start = from; /* of the pages of one kind that are yet to be mapped */
	enum memory_type held = MEMORY_UC;
	bool held_denied = true;

	if (to > guest_limit(ept))
		to = guest_limit(ept);
	if ((from | to) & PAGE_MASK || from > to)
		return -EINVAL;
	for (uint64_t pa = from; pa < to;) {
		uint64_t deny_end, end;
		bool denied = is_denied(id, pa, &deny_end);
		enum memory_type type = identity_type(id, pa, &end);

		if (denied != held_denied || (!denied && type != held)) {
			if (!held_denied) {
				int error = ept_map(ept, start, pa - start, start, EPT_RWX, held);

				if (error)
					return error;
			}
			start = pa;
			held = type;
			held_denied = denied;
		}
		pa = end < deny_end ? end : deny_end;
	}
	if (!held_denied && start < to)
		return ept_map(ept, start, to - start, start, EPT_RWX, held);
	return 0;
}
