/* SPDX-License-Identifier: MIT
 *
 * Memory of a base: free lists that grow by malloc and are given back at the end.
 */
#include <stdlib.h>

#include "userlib/lib/ixev_priv.h"

static const uint32_t class_size[NCLASSES] = {512, 16384}; /* bytes with the header */

struct ixev_seg *seg_get(struct ixev *b)
{
	struct ixev_seg *s = b->free_segs;

	if (!s) {
		struct slab *slab = malloc(sizeof(*slab) + SEG_SLAB * sizeof(*s));

		if (!slab)
			return NULL;
		slab->next = b->slabs;
		b->slabs = slab;
		s = (struct ixev_seg *)(slab + 1);
		for (int i = 0; i < SEG_SLAB; i++)
			seg_put(b, &s[i]);
		s = b->free_segs;
	}
	b->free_segs = s->next;
	return s;
}

void seg_put(struct ixev *b, struct ixev_seg *s)
{
	s->next = b->free_segs;
	b->free_segs = s;
}

/* Chunks are recognized by these; they are never called. */
static void small_chunk(struct ixev_buf *buf)
{
	(void)buf;
}

static void large_chunk(struct ixev_buf *buf)
{
	(void)buf;
}

static void (*const class_mark[NCLASSES])(struct ixev_buf *) = {small_chunk, large_chunk};

static int class_of(const struct ixev_buf *buf)
{
	for (int i = 0; i < NCLASSES; i++)
		if (buf->release == class_mark[i])
			return i;
	return -1;
}

bool chunk_is(const struct ixev_buf *buf)
{
	return class_of(buf) >= 0;
}

/* Frees an idle chunk. False: there is none. */
static bool free_idle(struct ixev *b)
{
	for (int i = NCLASSES - 1; i >= 0; i--) {
		struct ixev_buf *buf = b->free_chunks[i];

		if (buf) {
			b->free_chunks[i] = buf->next;
			mem_put(b, buf, class_size[i]);
			return true;
		}
	}
	return false;
}

void *mem_get(struct ixev *b, size_t n)
{
	void *p;

	while (b->memory_limit && b->memory + n > b->memory_limit)
		if (!free_idle(b))
			return NULL;
	while (!(p = malloc(n)))
		if (!free_idle(b))
			return NULL;
	b->memory += n;
	return p;
}

void mem_put(struct ixev *b, void *p, size_t n)
{
	free(p);
	b->memory -= n;
}

struct ixev_buf *chunk_get(struct ixev *b, size_t want)
{
	int class = want > class_size[0] - sizeof(struct ixev_buf) &&
		    (!b->memory_limit || b->memory_limit >= class_size[1]);
	struct ixev_buf *buf = b->free_chunks[class];

	if (buf)
		b->free_chunks[class] = buf->next;
	else
		buf = mem_get(b, class_size[class]);
	if (!buf)
		return NULL;
	*buf = (struct ixev_buf){
	    .data = chunk_data(buf),
	    .room = class_size[class] - (uint32_t)sizeof(*buf),
	    .release = class_mark[class],
	};
	return buf;
}

void chunk_put(struct ixev *b, struct ixev_buf *buf)
{
	int class = class_of(buf);

	buf->next = b->free_chunks[class];
	b->free_chunks[class] = buf;
}

void buf_done(struct ixev *b, struct ixev_buf *buf)
{
	if (chunk_is(buf)) {
		chunk_put(b, buf);
	} else if (buf->release) {
		buf->next = b->released;
		b->released = buf;
	}
}

void buf_run_released(struct ixev *b)
{
	while (b->released) {
		struct ixev_buf *buf = b->released;

		b->released = buf->next;
		buf->next = NULL;
		buf->release(buf);
	}
}

struct ix_iov *iov_get(struct ixev *b, uint32_t n)
{
	struct ix_iov *iov = &b->iov[b->niov];

	if (n > IOV_ARENA - b->niov)
		return NULL;
	b->niov += n;
	return iov;
}

void mem_free_all(struct ixev *b)
{
	while (free_idle(b))
		;
	while (b->slabs) {
		struct slab *s = b->slabs;

		b->slabs = s->next;
		free(s);
	}
	free(b->iov);
}
