/* SPDX-License-Identifier: MIT
 *
 * A cache of counted items: a hash table with chains, and a list by use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ix/cache.h>

int ix_cache_init(struct ix_cache *c, uint32_t buckets, size_t limit)
{
	uint32_t n = 1;

	while (n < buckets && n < 1u << 31)
		n *= 2;
	*c = (struct ix_cache){.nbuckets = n, .limit = limit};
	c->bucket = calloc(n, sizeof(struct ix_cache_item *));
	return c->bucket ? 0 : -ENOMEM;
}

void ix_cache_fini(struct ix_cache *c)
{
	ix_cache_clear(c);
	free(c->bucket);
	c->bucket = NULL;
}

/* FNV-1a with a final mix: both ends of the word are used. */
uint32_t ix_cache_hash(const void *key, size_t klen)
{
	const unsigned char *p = key;
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < klen; i++)
		h = (h ^ p[i]) * 1099511628211ull;
	h ^= h >> 29;
	h *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(h >> 32);
}

static struct ix_cache_item **slot(struct ix_cache *c, const void *key, size_t klen, uint32_t hash)
{
	/* High bits: who has several caches has chosen this one by the low ones. */
	struct ix_cache_item **p = &c->bucket[((uint64_t)hash * c->nbuckets) >> 32];

	while (*p && ((*p)->hash != hash || (*p)->klen != klen || memcmp((*p)->key, key, klen)))
		p = &(*p)->next;
	return p;
}

static void set_newest(struct ix_cache *c, struct ix_cache_item *it)
{
	it->newer = NULL;
	it->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = it;
	c->newest = it;
}

static void unlist(struct ix_cache *c, struct ix_cache_item *it)
{
	*(it->newer ? &it->newer->older : &c->newest) = it->older;
	*(it->older ? &it->older->newer : &c->oldest) = it->newer;
}

struct ix_cache_item *ix_cache_find(struct ix_cache *c, const void *key, size_t klen)
{
	struct ix_cache_item *it = *slot(c, key, klen, ix_cache_hash(key, klen));

	if (it && it != c->newest) {
		unlist(c, it);
		set_newest(c, it);
	}
	return it;
}

void ix_cache_remove(struct ix_cache *c, struct ix_cache_item *it)
{
	struct ix_cache_item **p = slot(c, it->key, it->klen, it->hash);

	*p = it->next;
	unlist(c, it);
	c->size -= it->size;
	ix_cache_drop(it);
}

void ix_cache_insert(struct ix_cache *c, struct ix_cache_item *it)
{
	struct ix_cache_item **p;

	it->hash = ix_cache_hash(it->key, it->klen);
	it->refs = 1;
	p = slot(c, it->key, it->klen, it->hash);
	if (*p)
		ix_cache_remove(c, *p);
	p = slot(c, it->key, it->klen, it->hash);
	it->next = *p;
	*p = it;
	set_newest(c, it);
	c->size += it->size;
	while (c->size > c->limit && c->oldest != it)
		ix_cache_remove(c, c->oldest);
}

void ix_cache_clear(struct ix_cache *c)
{
	while (c->oldest)
		ix_cache_remove(c, c->oldest);
}

void ix_cache_hold(struct ix_cache_item *it)
{
	__atomic_fetch_add(&it->refs, 1, __ATOMIC_RELAXED);
}

void ix_cache_drop(void *item)
{
	struct ix_cache_item *it = item;

	if (it && __atomic_fetch_sub(&it->refs, 1, __ATOMIC_ACQ_REL) == 1)
		free(it);
}
