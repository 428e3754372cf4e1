/* SPDX-License-Identifier: MIT
 *
 * Spreading in software.
 */
#include <string.h>

#include "guest/core/core.h"
#include "guest/kernel/spread.h"

#define ETH_LEN   14
#define ETH_IPV4  0x0800
#define PROTO_TCP 6
#define PROTO_UDP 17
#define FRAGMENT  0x3fff /* more fragments, or an offset */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool spread_hash(const struct ix_toeplitz *t, const uint8_t *frame, uint32_t len, uint32_t *hash)
{
	const uint8_t *ip = frame + ETH_LEN;

	if (len < ETH_LEN + 20 || be16(frame + 12) != ETH_IPV4)
		return false;
	uint32_t ihl = (ip[0] & 15u) * 4;

	if ((ip[9] == PROTO_TCP || ip[9] == PROTO_UDP) && !(be16(ip + 6) & FRAGMENT) && ihl >= 20 &&
	    len >= ETH_LEN + ihl + 4)
		*hash = ix_toeplitz_flow4(t, be32(ip + 12), be32(ip + 16), be16(ip + ihl),
					  be16(ip + ihl + 2));
	else
		*hash = ix_toeplitz(t, ip + 12, 8);
	return true;
}

static void push(struct spread_ring *r)
{
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

static void pop(struct spread_ring *r)
{
	__atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE);
}

void spread_give(struct spread *s, const struct ixn_rxbuf *buf, uint32_t hash)
{
	if (!ring_used(&s->lent) || !ring_room(&s->full)) {
		s->dropped++;
		return;
	}
	uint32_t number = (uint32_t)s->lent.at[s->lent.tail % SPREAD_RING].word;

	pop(&s->lent);
	memcpy(s->rx_base + (uint64_t)number * CORE_RXBUF_SIZE, buf->data, buf->len);
	s->full.at[s->full.head % SPREAD_RING].frame =
	    (struct spread_frame){number, buf->len, hash, buf->flags | IXN_RX_HASH};
	push(&s->full);
}

uint32_t spread_lend(struct spread *s, const uint32_t *numbers, uint32_t n)
{
	uint32_t i = 0;

	for (; i < n && ring_room(&s->lent); i++) {
		s->lent.at[s->lent.head % SPREAD_RING].word = numbers[i];
		push(&s->lent);
	}
	return i;
}

bool spread_take(struct spread *s, struct spread_frame *frame)
{
	if (!ring_used(&s->full))
		return false;
	*frame = s->full.at[s->full.tail % SPREAD_RING].frame;
	pop(&s->full);
	return true;
}

uint32_t spread_send(struct spread *s, struct ixn_txpkt **pkts, uint32_t n)
{
	uint32_t i = 0;

	/* What is in flight fits into `done`, so core 0 always finds room there. */
	for (; i < n && s->in_flight < SPREAD_RING; i++, s->in_flight++) {
		s->tx.at[s->tx.head % SPREAD_RING].word = (uint64_t)(uintptr_t)pkts[i];
		push(&s->tx);
	}
	return i;
}

struct ixn_txpkt *spread_done(struct spread *s)
{
	if (!ring_used(&s->done))
		return NULL;
	uint64_t word = s->done.at[s->done.tail % SPREAD_RING].word;

	pop(&s->done);
	s->in_flight--;
	return (struct ixn_txpkt *)(uintptr_t)word;
}
