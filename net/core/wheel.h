/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical timing wheel (Varghese, Lauck 1987): four levels of 256 slots over 32-bit ticks of
 * 16 us, that is 4 ms, 1 s, 268 s and 19 hours. Insertion and removal are O(1). Timers are
 * numbered 0..count-1; one is at most once in the wheel.
 */
#ifndef NET_CORE_WHEEL_H
#define NET_CORE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SHIFT 4 /* microseconds to ticks */
#define WHEEL_NONE  UINT32_MAX
#define WHEEL_OUT   (UINT32_MAX - 1)

struct wheel_node {
	uint32_t next;
	uint32_t prev; /* WHEEL_OUT: not in the wheel; with WHEEL_HEAD: the slot */
	uint32_t at;
};

struct wheel {
	uint32_t now; /* every timer at or before this tick has fired */
	uint32_t armed;
	struct wheel_node *node;
	uint64_t used[4][4]; /* non-empty slots */
	uint32_t slot[4][256];
};

void wheel_init(struct wheel *w, struct wheel_node *nodes, uint32_t count, uint32_t now);
/* at: absolute; what is not in the future fires with the next tick. id must not be armed. */
void wheel_add(struct wheel *w, uint32_t id, uint32_t at);
void wheel_del(struct wheel *w, uint32_t id);

/* With nothing armed time may jump by any amount; else wheel_expire() must be called each 9 hours. */
static inline void wheel_skip(struct wheel *w, uint32_t now)
{
	if (!w->armed)
		w->now = now;
}

static inline bool wheel_armed(const struct wheel *w, uint32_t id)
{
	return w->node[id].prev != WHEEL_OUT;
}

/* Takes one timer due at or before tick `until` out of the wheel; WHEEL_NONE: no more. */
uint32_t wheel_expire(struct wheel *w, uint32_t until);
/* Ticks from now to the next time wheel_expire() has work, a lower bound; UINT32_MAX: none. */
uint32_t wheel_next(const struct wheel *w);

#endif
