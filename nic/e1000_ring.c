// SPDX-License-Identifier: MIT
/* 82540EM: the data path. Legacy RX descriptors; legacy or extended TX descriptors. */
#include "nic/e1000_regs.h"
#include "nic/ring.h"

#define FRAME_MAX   16288 /* what the transmit FIFO takes, 82540EM 3.3 */
#define HEADERS_MAX 255   /* offsets are bytes */

static __attribute__((noinline)) void rx_drop(struct ix_nic_queue *q, uint64_t w1, uint32_t slot)
{
	bool eop = w1 & E1000_RX_EOP;

	if (!eop || q->rx_skip) {
		if (eop)
			q->stats.rx_chained++;
	} else {
		q->stats.rx_errors++;
	}
	q->rx_skip = !eop;
	rx_put(q, q->rx_buf[slot]);
}

unsigned e1000_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max)
{
	unsigned n = 0;
	uint64_t bytes = 0;

	for (uint32_t end = q->rx_told; n < max && q->rx_next != end;) {
		uint32_t slot = q->rx_next & q->rx_mask, len;
		uint64_t w1 = __atomic_load_n(&q->rx_desc[slot].q[1], __ATOMIC_ACQUIRE);

		if (!(w1 & E1000_RX_DD))
			break;
		len = w1 & 0xffff;
		__builtin_prefetch(q->rx_buf[slot].va);
		q->rx_next++;
		if (unlikely((w1 & (E1000_RX_EOP | E1000_RX_ERR_MAC)) != E1000_RX_EOP ||
			     q->rx_skip || len == 0 || len > q->rx_buf_size)) {
			rx_drop(q, w1, slot);
			continue;
		}
		out[n].va = q->rx_buf[slot].va;
		out[n].dma = q->rx_buf[slot].dma;
		out[n].hash = 0;
		out[n].len = len;
		out[n].vlan = 0;
		out[n].flags = 0; /* neither model verifies checksums */
		bytes += len;
		n++;
	}
	q->stats.rx_packets += n;
	q->stats.rx_bytes += bytes;
	if (unlikely(q->rx_posted != q->rx_told))
		rx_tell_if_due(q);
	return n;
}

struct offload {
	uint64_t ctx[2]; /* context descriptor; all 0: none is needed */
	uint64_t cmd;    /* bits of all data descriptors */
	uint64_t popts;  /* bits of the first */
	uint32_t min_len;
};

/* False: the request breaks the rules. */
static __attribute__((noinline)) bool tx_offload(const struct ix_nic_tx *p, uint32_t len,
						 struct offload *o)
{
	uint32_t l2 = p->l2_len ? p->l2_len : 14, l3 = p->l3_len, flags = p->flags;
	uint32_t l4_off = l2 + l3, l4_field, hdr;

	*o = (struct offload){.min_len = 14};
	if (flags & IX_NIC_TX_VLAN) {
		o->cmd |= E1000_TX_VLE;
		o->popts |= (uint64_t)p->vlan << E1000_TX_VLAN;
	}
	if (!(flags &
	      (IX_NIC_TX_IP_CSUM | IX_NIC_TX_TCP_CSUM | IX_NIC_TX_UDP_CSUM | IX_NIC_TX_TSO)))
		return true;
	l4_field = l4_off + (flags & IX_NIC_TX_UDP_CSUM ? 6 : 16);
	if (l2 < 14 || l3 < 20 || l4_field > HEADERS_MAX || len < l4_field + 2)
		return false;
	o->min_len = l4_field + 2;
	o->cmd |= E1000_TX_DEXT | E1000_TX_DATA;
	o->ctx[1] = E1000_TX_DEXT;
	if (flags & IX_NIC_TX_IP_CSUM) {
		if (flags & IX_NIC_TX_IPV6)
			return false;
		o->popts |= E1000_TX_IXSM;
	}
	if (flags & (IX_NIC_TX_TCP_CSUM | IX_NIC_TX_UDP_CSUM))
		o->popts |= E1000_TX_TXSM;
	/* Where sums start, go, and end (inclusive; 0: the end of the packet). */
	o->ctx[0] = l2 | (uint64_t)(l2 + 10) << 8 | (uint64_t)(l4_off - 1) << 16 |
		    (uint64_t)l4_off << 32 | (uint64_t)l4_field << 40;
	if (flags & IX_NIC_TX_TCP_CSUM)
		o->ctx[1] |= E1000_CTX_TCP;
	if (!(flags & IX_NIC_TX_IPV6))
		o->ctx[1] |= E1000_CTX_IPV4;
	if (!(flags & IX_NIC_TX_TSO))
		return true;
	hdr = l4_off + p->l4_len;
	if (!(flags & IX_NIC_TX_TCP_CSUM) || p->l4_len < 20 || p->mss == 0 || hdr > HEADERS_MAX ||
	    hdr >= len || hdr + p->mss > FRAME_MAX ||
	    !(flags & (IX_NIC_TX_IPV6 | IX_NIC_TX_IP_CSUM)))
		return false;
	o->ctx[1] |= E1000_TX_TSE | (len - hdr) | (uint64_t)hdr << E1000_CTX_HDRLEN |
		     (uint64_t)p->mss << E1000_CTX_MSS;
	o->cmd |= E1000_TX_TSE;
	return true;
}

static uint32_t tx_piece(struct ix_nic_queue *q, uint32_t tail, uint64_t dma, uint32_t len,
			 uint64_t bits)
{
	do {
		uint32_t part = len < TX_DESC_MAX ? len : TX_DESC_MAX;
		struct nic_desc *d = &q->tx_desc[tail++ & q->tx_mask];

		d->q[0] = dma;
		d->q[1] = E1000_TX_IFCS | bits | part;
		dma += part;
		len -= part;
	} while (len);
	return tail;
}

unsigned e1000_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n)
{
	const struct ix_nic_tx *known = NULL; /* the packet whose request is in o */
	uint32_t first = q->tx_tail;
	struct offload o;
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct ix_nic_tx *p = &pkts[i];
		uint32_t len, ndesc = tx_measure(p, &len), tail = q->tx_tail, padded;

		if (unlikely(tx_room(q) < ndesc + 2))
			break;
		/* What is cut into segments must not be padded: that would be payload. */
		padded = len < TX_MIN_LEN && !(p->flags & IX_NIC_TX_TSO) ? TX_MIN_LEN : len;
		if (unlikely(!ndesc || len < 14 ||
			     (len > FRAME_MAX && !(p->flags & IX_NIC_TX_TSO)))) {
			tx_refuse(q, p->cookie);
			continue;
		}
		/* With TSO the context has the length too. */
		if (!known || (p->flags & IX_NIC_TX_TSO) || padded < o.min_len ||
		    !same_request(p, known)) {
			known = p;
			if (unlikely(!tx_offload(p, padded, &o))) {
				known = NULL;
				tx_refuse(q, p->cookie);
				continue;
			}
		}
		/* Bochs keeps one context for everything, so only the last one counts. */
		if (o.ctx[1] && (o.ctx[0] != q->tx_ctx[0][0] || o.ctx[1] != q->tx_ctx[0][1])) {
			struct nic_desc *d = &q->tx_desc[tail++ & q->tx_mask];

			d->q[0] = q->tx_ctx[0][0] = o.ctx[0];
			d->q[1] = q->tx_ctx[0][1] = o.ctx[1];
		}
		tail = tx_piece(q, tail, p->seg[0].dma, p->seg[0].len, o.cmd | o.popts);
		for (unsigned s = 1; s < p->nseg; s++)
			tail = tx_piece(q, tail, p->seg[s].dma, p->seg[s].len, o.cmd | o.popts);
		if (padded != len)
			tail = tx_piece(q, tail, q->pad_dma, padded - len, o.cmd | o.popts);
		q->tx_desc[(tail - 1) & q->tx_mask].q[1] |= E1000_TX_EOP;
		tx_note(q, p->cookie, tail);
		q->tx_since_rs += tail - q->tx_tail;
		q->tx_tail = tail;
		if (q->tx_since_rs >= TX_RS_EVERY)
			tx_ask_report(q, tail);
		q->stats.tx_packets++;
		q->stats.tx_bytes += len;
	}
	tx_tell(q, first);
	return i;
}
