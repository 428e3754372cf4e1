/* SPDX-License-Identifier: MIT
 *
 * The harmful wire: frames in a binary heap by the time they come out.
 */
#include <stdlib.h>
#include <string.h>

#include "guest/hosted/link.h"

#define REORDER_US 1000 /* how much later a reordered frame comes out when there is no delay */

struct frame {
	uint64_t when;
	uint64_t order; /* frames of one time keep their order */
	size_t len;
	uint8_t data[];
};

struct link {
	struct link_config cfg;
	uint64_t rng, order, last;
	uint64_t free_at; /* when the last frame has left a rate-limited wire, nanoseconds */
	struct frame **heap;
	size_t n, cap;
};

/* xorshift64*: good enough to throw dice, and the same everywhere. */
static uint64_t dice(struct link *l)
{
	l->rng ^= l->rng >> 12;
	l->rng ^= l->rng << 25;
	l->rng ^= l->rng >> 27;
	return l->rng * 0x2545f4914f6cdd1dull;
}

static bool chance(struct link *l, double p)
{
	return p > 0 && (double)(dice(l) >> 11) / (double)(1ull << 53) < p;
}

bool link_is_plain(const struct link_config *c)
{
	return c->loss <= 0 && c->reorder <= 0 && c->dup <= 0 && c->corrupt <= 0 && !c->delay_us &&
	       !c->jitter_us && !c->rate_kbps;
}

struct link *link_new(const struct link_config *cfg)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->cfg = *cfg;
	if (!l->cfg.queue)
		l->cfg.queue = 1000;
	l->rng = (cfg->seed + 1) * 0x9e3779b97f4a7c15ull;
	return l;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->heap[i]);
	free(l->heap);
	free(l);
}

static bool earlier(const struct frame *a, const struct frame *b)
{
	return a->when < b->when || (a->when == b->when && a->order < b->order);
}

static void enqueue(struct link *l, const void *data, size_t len, uint64_t when)
{
	struct frame *f;
	size_t i;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct frame **heap = realloc(l->heap, cap * sizeof(struct frame *));

		if (!heap)
			return;
		l->heap = heap;
		l->cap = cap;
	}
	f = malloc(sizeof(*f) + len);
	if (!f)
		return;
	f->when = when;
	f->order = l->order++;
	f->len = len;
	memcpy(f->data, data, len);
	if (len > 14 && chance(l, l->cfg.corrupt)) {
		uint64_t r = dice(l);

		f->data[r % len] ^= (uint8_t)(1u << (r >> 40) % 8);
	}
	for (i = l->n++; i && earlier(f, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = f;
}

void link_push(struct link *l, const void *frame, size_t len, uint64_t now)
{
	uint64_t when = now + l->cfg.delay_us;

	if (!len || len > LINK_FRAME_MAX || chance(l, l->cfg.loss))
		return;
	if (l->cfg.rate_kbps) {
		/* 24 bytes of preamble, gap and checksum go along with each frame. */
		uint64_t ns = (len + 24) * 8 * 1000000 / l->cfg.rate_kbps;

		if (l->free_at < now * 1000)
			l->free_at = now * 1000;
		if (l->free_at - now * 1000 > l->cfg.queue * ns)
			return;
		l->free_at += ns;
		when += l->free_at / 1000 - now;
	}
	if (l->cfg.jitter_us)
		when += dice(l) % l->cfg.jitter_us;
	if (l->cfg.jitter_us && when < l->last) /* jitter alone does not reorder */
		when = l->last;
	l->last = when;
	if (chance(l, l->cfg.reorder))
		when += l->cfg.delay_us / 4 + REORDER_US;
	enqueue(l, frame, len, when);
	if (chance(l, l->cfg.dup))
		enqueue(l, frame, len, when);
}

uint64_t link_next(const struct link *l)
{
	return l->n ? l->heap[0]->when : UINT64_MAX;
}

size_t link_pop(struct link *l, void *buf, uint64_t now, uint64_t *when)
{
	struct frame *f, *last;
	size_t i = 0, kid, len;

	if (link_next(l) > now)
		return 0;
	f = l->heap[0];
	last = l->heap[--l->n];
	while ((kid = 2 * i + 1) < l->n) {
		if (kid + 1 < l->n && earlier(l->heap[kid + 1], l->heap[kid]))
			kid++;
		if (!earlier(l->heap[kid], last))
			break;
		l->heap[i] = l->heap[kid];
		i = kid;
	}
	l->heap[i] = last;
	len = f->len;
	memcpy(buf, f->data, len);
	*when = f->when;
	free(f);
	return len;
}
