/* SPDX-License-Identifier: MIT */
#include "net/core/wheel.h"
#include "net/core/bytes.h"

#define WHEEL_HEAD 0x80000000u

void wheel_init(struct wheel *w, struct wheel_node *nodes, uint32_t count, uint32_t now)
{
	w->now = now;
	w->armed = 0;
	w->node = nodes;
	for (uint32_t i = 0; i < count; i++)
		nodes[i].prev = WHEEL_OUT;
	memset(w->used, 0, sizeof(w->used));
	memset(w->slot, 0xff, sizeof(w->slot));
}

static void link_node(struct wheel *w, uint32_t id)
{
	struct wheel_node *t = &w->node[id];
	uint32_t at = (int32_t)(t->at - w->now) > 0 ? t->at : w->now + 1;
	uint32_t diff = at ^ w->now;
	/* The level is that of the highest digit in which the time differs from now. */
	unsigned level = diff < 1u << 8 ? 0 : diff < 1u << 16 ? 1 : diff < 1u << 24 ? 2 : 3;
	uint32_t s = at >> (8 * level) & 255;

	t->next = w->slot[level][s];
	t->prev = WHEEL_HEAD | level << 8 | s;
	if (t->next != WHEEL_NONE)
		w->node[t->next].prev = id;
	w->slot[level][s] = id;
	w->used[level][s >> 6] |= 1ull << (s & 63);
}

void wheel_add(struct wheel *w, uint32_t id, uint32_t at)
{
	w->node[id].at = at;
	w->armed++;
	link_node(w, id);
}

static void unlink_node(struct wheel *w, uint32_t id)
{
	struct wheel_node *t = &w->node[id];

	if (t->next != WHEEL_NONE)
		w->node[t->next].prev = t->prev;
	if (t->prev & WHEEL_HEAD) {
		uint32_t level = t->prev >> 8 & 3, s = t->prev & 255;
		w->slot[level][s] = t->next;
		if (t->next == WHEEL_NONE)
			w->used[level][s >> 6] &= ~(1ull << (s & 63));
	} else {
		w->node[t->prev].next = t->next;
	}
	t->prev = WHEEL_OUT;
}

void wheel_del(struct wheel *w, uint32_t id)
{
	if (!wheel_armed(w, id))
		return;
	unlink_node(w, id);
	w->armed--;
}

/* The first used slot of a level at or after `from`; 256: none. */
static uint32_t find(const struct wheel *w, unsigned level, uint32_t from)
{
	for (uint32_t i = from >> 6; i < 4; i++) {
		uint64_t bits = w->used[level][i];
		if (i == from >> 6)
			bits &= ~0ull << (from & 63);
		if (bits)
			return i * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	return 256;
}

static void cascade(struct wheel *w, unsigned level)
{
	uint32_t s = w->now >> (8 * level) & 255;
	uint32_t id = w->slot[level][s];

	w->slot[level][s] = WHEEL_NONE;
	w->used[level][s >> 6] &= ~(1ull << (s & 63));
	while (id != WHEEL_NONE) {
		uint32_t next = w->node[id].next;
		/* A timer due exactly now belongs to the slot that is about to be read. */
		if (w->node[id].at == w->now) {
			uint32_t z = w->now & 255;
			w->node[id].next = w->slot[0][z];
			w->node[id].prev = WHEEL_HEAD | z;
			if (w->slot[0][z] != WHEEL_NONE)
				w->node[w->slot[0][z]].prev = id;
			w->slot[0][z] = id;
			w->used[0][z >> 6] |= 1ull << (z & 63);
		} else {
			link_node(w, id);
		}
		id = next;
	}
}

uint32_t wheel_expire(struct wheel *w, uint32_t until)
{
	for (;;) {
		uint32_t z = w->now & 255;
		uint32_t id = w->slot[0][z];

		if (id != WHEEL_NONE) {
			unlink_node(w, id);
			w->armed--;
			return id;
		}
		if ((int32_t)(until - w->now) <= 0)
			return WHEEL_NONE;
		if (!w->armed) {
			w->now = until;
			return WHEEL_NONE;
		}
		/* Jump to the next used slot of this level, else of the next, else to the end of
		 * that one's revolution; at most to `until`. */
		uint32_t s = z == 255 ? 256 : find(w, 0, z + 1);
		uint32_t step = s - z;
		if (s == 256) {
			uint32_t b = w->now >> 8 & 255;
			step = ((b == 255 ? 256 : find(w, 1, b + 1)) - b) * 256 - z;
		}
		if (step > until - w->now)
			step = until - w->now;
		w->now += step;
		if (!(w->now & 255)) {
			if (!(w->now & 0xffff)) {
				if (!(w->now & 0xffffff))
					cascade(w, 3);
				cascade(w, 2);
			}
			cascade(w, 1);
		}
	}
}

uint32_t wheel_next(const struct wheel *w)
{
	if (!w->armed)
		return UINT32_MAX;
	if (w->slot[0][w->now & 255] != WHEEL_NONE)
		return 0;
	for (unsigned level = 0; level < 4; level++) {
		uint32_t pos = w->now >> (8 * level) & 255;
		uint32_t s = pos == 255 ? 256 : find(w, level, pos + 1);
		if (s < 256) {
			uint32_t at = (w->now & ~(uint32_t)((1ull << (8 * level + 8)) - 1)) |
				      s << (8 * level);
			return at - w->now;
		}
	}
	/* Only beyond the wrap of the top level. */
	return (uint32_t) - (int32_t)w->now;
}
