/* SPDX-License-Identifier: MIT
 *
 * A wire that does harm: one direction, with seeded loss, duplication, corruption, reordering and
 * delay. Frames are copied. Not thread-safe.
 */
#ifndef GUEST_HOSTED_LINK_H
#define GUEST_HOSTED_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_FRAME_MAX 9216

struct link_config {
	double loss, reorder, dup, corrupt; /* probabilities, 0..1 */
	uint64_t delay_us, jitter_us;       /* delay: fixed, plus up to jitter */
	uint64_t rate_kbps;                 /* 0: no limit */
	uint32_t queue;                     /* frames that wait for the rate at most; 0: 1000 */
	uint64_t seed;
};

struct link;

/* NULL: no memory. */
struct link *link_new(const struct link_config *cfg);
void link_free(struct link *l);

/* Whether the configuration harms at all. */
bool link_is_plain(const struct link_config *cfg);

/* A frame goes in at `now` (microseconds). Too long ones and those without memory are lost. */
void link_push(struct link *l, const void *frame, size_t len, uint64_t now);

/* The next frame that is out at `now`: its length, and the time it came out in *when; 0: none. `buf`
 * has room for LINK_FRAME_MAX bytes. */
size_t link_pop(struct link *l, void *buf, uint64_t now, uint64_t *when);

/* When the next frame is out; UINT64_MAX: there is none. */
uint64_t link_next(const struct link *l);

#endif
