/* SPDX-License-Identifier: MIT
 *
 * A cache: items found by key, bounded in memory; the least recently used ones make room. An item is
 * counted, so that it can be sent by reference while it is replaced or dropped.
 *
 * An item is one block from malloc() that begins with struct ix_cache_item and belongs to the cache from
 * ix_cache_insert() on. A cache has no lock: calls for it are made by one thread at a time. References may
 * be taken and given back by any thread that has one.
 */
#ifndef IX_CACHE_H
#define IX_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct ix_cache_item {
	const char *key; /* set by the caller, as klen and size; in the item's own memory */
	struct ix_cache_item *next;          /* in its bucket */
	struct ix_cache_item *older, *newer; /* by use */
	size_t size;                         /* bytes that count against the limit */
	uint32_t klen;
	uint32_t hash;
	uint32_t refs;
};

struct ix_cache {
	struct ix_cache_item **bucket;
	uint32_t nbuckets; /* a power of two */
	struct ix_cache_item *newest, *oldest;
	size_t size, limit;
};

/* At least `buckets` buckets; `limit`: bytes of all items. -ENOMEM. */
int ix_cache_init(struct ix_cache *c, uint32_t buckets, size_t limit);
void ix_cache_fini(struct ix_cache *c);

/* The hash that the cache uses, to choose one of several caches by its low bits. */
uint32_t ix_cache_hash(const void *key, size_t klen);

/* NULL: there is none. An item that was found is the most recently used one. */
struct ix_cache_item *ix_cache_find(struct ix_cache *c, const void *key, size_t klen);

/*
 * Takes over a new item, in place of one with the same key. Others go until the limit holds; the new one
 * stays even if it is larger.
 */
void ix_cache_insert(struct ix_cache *c, struct ix_cache_item *it);
void ix_cache_remove(struct ix_cache *c, struct ix_cache_item *it);
void ix_cache_clear(struct ix_cache *c);

/* Takes a reference; gives one back (NULL: none), the last frees the item. */
void ix_cache_hold(struct ix_cache_item *it);
void ix_cache_drop(void *it);

#endif
