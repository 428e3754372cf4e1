/* SPDX-License-Identifier: MIT
 *
 * Spreading in software, for a NIC that has fewer queues than the domain has cores: core 0 owns the
 * one queue, copies frames of other cores' flows into buffers that these have lent it, and transmits
 * for them. Flows are spread as an 82599 would do it.
 *
 * Each pair of cores is joined by rings with one producer and one consumer; nothing locks.
 */
#ifndef GUEST_SPREAD_H
#define GUEST_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <ix/net.h>
#include <ix/rss.h>

#define SPREAD_RING 1024 /* entries; a power of two */

/* One frame on its way: a buffer of the receiving core. */
struct spread_frame {
	uint32_t number, len, hash, flags;
};

/* Head is written by the producer only, tail by the consumer only. */
struct spread_ring {
	_Alignas(64) uint32_t head;
	_Alignas(64) uint32_t tail;
	_Alignas(64) union {
		struct spread_frame frame;
		uint64_t word;
	} at[SPREAD_RING];
};

struct spread {
	struct spread_ring lent; /* numbers of empty buffers, to core 0 */
	struct spread_ring full; /* frames, from core 0 */
	struct spread_ring tx;   /* packets, to core 0 */
	struct spread_ring done; /* packets sent, from core 0 */
	uint32_t in_flight;      /* packets in tx, in the NIC and in done */
	uint8_t *rx_base;        /* of the core's receive buffer 0 */
	uint64_t dropped;        /* frames for which no buffer was lent */
};

static inline uint32_t ring_used(const struct spread_ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

static inline uint32_t ring_room(const struct spread_ring *r)
{
	return SPREAD_RING - ring_used(r);
}

/* The hash of a received frame (82599 7.1.2.8), or false: it is for core 0. */
bool spread_hash(const struct ix_toeplitz *t, const uint8_t *frame, uint32_t len, uint32_t *hash);

/* Core 0's side. */
void spread_give(struct spread *s, const struct ixn_rxbuf *buf, uint32_t hash);

/* The other side; numbers of elements. */
uint32_t spread_lend(struct spread *s, const uint32_t *numbers, uint32_t n);
bool spread_take(struct spread *s, struct spread_frame *frame);
uint32_t spread_send(struct spread *s, struct ixn_txpkt **pkts, uint32_t n);
struct ixn_txpkt *spread_done(struct spread *s);

#endif
