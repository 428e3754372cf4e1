/* SPDX-License-Identifier: MIT
 *
 * The application's timers. A binary heap: few compared with the stack's own timers, which live in
 * the stack's wheel, and each a call of its own anyway.
 */
#include "guest/core/priv.h"

enum {
	FREE,
	IDLE,
	ARMED
};

#define NONE UINT32_MAX

size_t timers_size(uint32_t n)
{
	return (size_t)n * (sizeof(struct user_timer) + sizeof(uint32_t));
}

void timers_init(struct user_timers *t, void *mem, uint32_t n)
{
	t->timer = mem;
	t->heap = (uint32_t *)(t->timer + n);
	t->nheap = 0;
	t->ntimers = n;
	t->free = n ? 0 : NONE;
	for (uint32_t i = 0; i < n; i++)
		t->timer[i] = (struct user_timer){.pos = i + 1 < n ? i + 1 : NONE, .generation = 1};
}

static void place(struct user_timers *t, uint32_t pos, uint32_t id)
{
	t->heap[pos] = id;
	t->timer[id].pos = pos;
}

static void sift_up(struct user_timers *t, uint32_t pos)
{
	uint32_t id = t->heap[pos];

	while (pos) {
		uint32_t up = (pos - 1) / 2;

		if (t->timer[t->heap[up]].expiry <= t->timer[id].expiry)
			break;
		place(t, pos, t->heap[up]);
		pos = up;
	}
	place(t, pos, id);
}

static void sift_down(struct user_timers *t, uint32_t pos)
{
	uint32_t id = t->heap[pos];

	for (;;) {
		uint32_t kid = 2 * pos + 1;

		if (kid >= t->nheap)
			break;
		if (kid + 1 < t->nheap &&
		    t->timer[t->heap[kid + 1]].expiry < t->timer[t->heap[kid]].expiry)
			kid++;
		if (t->timer[t->heap[kid]].expiry >= t->timer[id].expiry)
			break;
		place(t, pos, t->heap[kid]);
		pos = kid;
	}
	place(t, pos, id);
}

static void unheap(struct user_timers *t, struct user_timer *u)
{
	uint32_t pos = u->pos;
	uint32_t last = t->heap[--t->nheap];

	u->state = IDLE;
	if (pos == t->nheap)
		return;
	place(t, pos, last);
	sift_up(t, pos);
	sift_down(t, t->timer[last].pos);
}

static uint64_t handle_of(const struct user_timers *t, uint32_t id)
{
	return (uint64_t)t->timer[id].generation << 32 | (id + 1);
}

static struct user_timer *lookup(struct user_timers *t, uint64_t handle)
{
	uint32_t id = (uint32_t)handle - 1;

	if (id >= t->ntimers || t->timer[id].state == FREE ||
	    t->timer[id].generation != handle >> 32)
		return NULL;
	return &t->timer[id];
}

int64_t timers_arm(struct user_timers *t, uint64_t handle, uint64_t cookie, uint64_t expiry)
{
	struct user_timer *u;

	if (handle) {
		u = lookup(t, handle);
		if (!u)
			return -E_BADF;
		if (u->state == ARMED)
			unheap(t, u);
	} else {
		if (t->free == NONE)
			return -E_NOBUFS;
		u = &t->timer[t->free];
		t->free = u->pos;
	}
	u->state = ARMED;
	u->cookie = cookie;
	u->expiry = expiry;
	t->heap[t->nheap] = (uint32_t)(u - t->timer);
	sift_up(t, t->nheap++);
	return (int64_t)handle_of(t, (uint32_t)(u - t->timer));
}

int timers_cancel(struct user_timers *t, uint64_t handle)
{
	struct user_timer *u = lookup(t, handle);

	if (!u)
		return -E_BADF;
	if (u->state == ARMED)
		unheap(t, u);
	u->state = FREE;
	u->generation++;
	u->pos = t->free;
	t->free = (uint32_t)(u - t->timer);
	return 0;
}

void timers_clear(struct user_timers *t)
{
	for (uint32_t id = 0; id < t->ntimers; id++)
		if (t->timer[id].state != FREE)
			timers_cancel(t, handle_of(t, id));
}

uint64_t timers_next(const struct user_timers *t)
{
	return t->nheap ? t->timer[t->heap[0]].expiry : UINT64_MAX;
}

bool timers_pop(struct user_timers *t, uint64_t now, uint64_t *handle, uint64_t *cookie)
{
	struct user_timer *u;

	if (timers_next(t) > now)
		return false;
	u = &t->timer[t->heap[0]];
	*handle = handle_of(t, t->heap[0]);
	*cookie = u->cookie;
	unheap(t, u);
	return true;
}
