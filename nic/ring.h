/* SPDX-License-Identifier: MIT
 *
 * Ring bookkeeping that does not depend on the form of descriptors.
 */
#ifndef NIC_RING_H
#define NIC_RING_H

#include "nic/e1000_regs.h"
#include "nic/nic_priv.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define TX_RS_EVERY 16    /* descriptors after which the device is asked to report at the latest */
#define TX_DESC_MAX 16384 /* bytes in one descriptor */
#define TX_PKT_DESC 36    /* the 82599 takes 38 (40 - WTHRESH - 2), context and padding included */
#define TX_MIN_LEN  60

static inline bool queue_runs(struct ix_nic_queue *q)
{
	uint32_t want = __atomic_load_n(&q->want, __ATOMIC_ACQUIRE);

	if (likely(want == q->have))
		return want & 1;
	return nic_queue_sync(q);
}

/* Tells the device about posted buffers. */
static inline void rx_tell(struct ix_nic_queue *q)
{
	nic_wmb();
	nic_write32(q->dev, q->rdt, q->rx_posted & q->rx_mask);
	q->rx_told = q->rx_posted;
	q->stats.rx_doorbells++;
	if (unlikely(q->rx_enable)) {
		nic_write32(q->dev, E1000_RCTL, q->rx_enable);
		q->rx_enable = 0;
	}
}

/*
 * A doorbell is worth it for IX_NIC_RX_STEP buffers, or when more is held back than the device has
 * left.
 */
static inline void rx_tell_if_due(struct ix_nic_queue *q)
{
	uint32_t held = q->rx_posted - q->rx_told;

	if (held >= IX_NIC_RX_STEP || held > q->rx_told - q->rx_next)
		rx_tell(q);
}

/* Puts a buffer into the next free slot. RX descriptors of all kinds are an address and zeroes. */
static inline void rx_put(struct ix_nic_queue *q, struct ix_nic_buf buf)
{
	uint32_t slot = q->rx_posted++ & q->rx_mask;

	q->rx_buf[slot] = buf;
	q->rx_desc[slot].q[0] = buf.dma;
	q->rx_desc[slot].q[1] = 0;
}

static inline uint32_t tx_room(const struct ix_nic_queue *q)
{
	uint32_t slots = q->tx_mask - (q->tx_tail - q->tx_clean);
	uint32_t pkts = q->tx_mask + 1 - (q->pkt_tail - q->pkt_head);

	return slots < pkts ? slots : pkts;
}

/* Descriptor bits at the same place in every kind of TX descriptor we write. */
#define TX_DESC_RS (1ull << 27) /* report when done */
#define TX_DESC_DD (1ull << 32) /* done */

/* The device shall report the descriptor before `end`, and with it all before. */
static inline void tx_ask_report(struct ix_nic_queue *q, uint32_t end)
{
	q->tx_desc[(end - 1) & q->tx_mask].q[1] |= TX_DESC_RS;
	q->tx_rs[q->rs_tail++ & q->tx_mask] = end;
	q->tx_since_rs = 0;
}

/* Notes a packet that ends at ring position `end`. */
static inline void tx_note(struct ix_nic_queue *q, uint64_t cookie, uint32_t end)
{
	struct tx_pkt *pkt = &q->tx_pkt[q->pkt_tail++ & q->tx_mask];

	pkt->cookie = cookie;
	pkt->end = end;
}

/* Notes a packet that breaks the rules: nothing of it is sent. */
static inline void tx_refuse(struct ix_nic_queue *q, uint64_t cookie)
{
	tx_note(q, cookie, q->tx_tail);
	q->stats.tx_invalid++;
}

/* Ends a burst: the last packet is reported, the doorbell rung once. */
static inline void tx_tell(struct ix_nic_queue *q, uint32_t old_tail)
{
	if (q->tx_tail == old_tail)
		return;
	if (q->tx_since_rs)
		tx_ask_report(q, q->tx_tail);
	nic_wmb();
	nic_write32(q->dev, q->tdt, q->tx_tail & q->tx_mask);
	q->stats.tx_doorbells++;
}

/* Finds out what the device is done with. */
static inline void tx_scan(struct ix_nic_queue *q)
{
	while (q->rs_head != q->rs_tail) {
		uint32_t end = q->tx_rs[q->rs_head & q->tx_mask];
		struct nic_desc *d = &q->tx_desc[(end - 1) & q->tx_mask];

		if (!(__atomic_load_n(&d->q[1], __ATOMIC_ACQUIRE) & TX_DESC_DD))
			break;
		q->tx_clean = end;
		q->rs_head++;
	}
}

/* Whether two packets ask the same of the device, but for their lengths. */
static inline bool same_request(const struct ix_nic_tx *a, const struct ix_nic_tx *b)
{
	return a->flags == b->flags && a->mss == b->mss && a->vlan == b->vlan &&
	       a->l2_len == b->l2_len && a->l4_len == b->l4_len && a->l3_len == b->l3_len;
}

/* Number of descriptors a packet's pieces take, and its length; 0 if it breaks the rules. */
static inline uint32_t tx_measure(const struct ix_nic_tx *pkt, uint32_t *len)
{
	uint32_t total = 0, ndesc = 0;

	*len = 0;
	if (unlikely(pkt->nseg == 0 || pkt->nseg > IX_NIC_MAX_SEGS))
		return 0;
	for (unsigned i = 0; i < pkt->nseg; i++) {
		uint32_t l = pkt->seg[i].len;

		if (unlikely(l == 0 || l > 65535))
			return 0;
		total += l;
		ndesc += (l + TX_DESC_MAX - 1) / TX_DESC_MAX;
	}
	*len = total;
	return ndesc <= TX_PKT_DESC ? ndesc : 0;
}

#endif
