// SPDX-License-Identifier: MIT
/* 82599 VF: the data path. Advanced descriptors, one buffer per frame. */
#include "nic/ring.h"
#include "nic/vf_regs.h"

#define PREFETCH_AHEAD 4
#define IPLEN_MAX      511 /* X550 7.2.1.1 */
#define MACLEN_MAX     127
#define HEADERS_MAX    512

/* Checksum status and hash of a good frame, from the two words of its descriptor. */
static inline uint32_t rx_flags(struct ix_nic_queue *q, uint64_t w0, uint64_t w1)
{
	uint32_t flags = 0, type = w0 & VF_RX_RSSTYPE_MASK;

	/*
	 * What the device found wrong is left to software, which then knows for sure (82599 parts
	 * are known to call a zero UDP checksum wrong).
	 */
	if ((w1 & (VF_RX_IPCS | VF_RX_ERR_IP)) == VF_RX_IPCS)
		flags |= IX_NIC_RX_IP_OK;
	if ((w1 & (VF_RX_L4CS | VF_RX_ERR_L4)) == VF_RX_L4CS &&
	    (w1 & (VF_RX_IPCS | VF_RX_ERR_IP)) != (VF_RX_IPCS | VF_RX_ERR_IP))
		flags |= IX_NIC_RX_L4_OK;
	if (unlikely(w1 & (VF_RX_ERR_IP | VF_RX_ERR_L4)))
		q->stats.rx_csum_bad++;
	if (type) {
		flags |= IX_NIC_RX_HASH;
		if (type != VF_RSSTYPE_IP4 && type != VF_RSSTYPE_IP6 && type != 4 /* IPv6 EX */)
			flags |= IX_NIC_RX_HASH4;
	}
	if (w1 & VF_RX_VP)
		flags |= IX_NIC_RX_VLAN;
	if (w1 & VF_RX_LB)
		flags |= IX_NIC_RX_LOCAL;
	return flags;
}

/* Drops a descriptor that is part of a frame we cannot use; its buffer goes back to the device. */
static __attribute__((noinline)) void rx_drop(struct ix_nic_queue *q, uint64_t w1, uint32_t slot)
{
	bool eop = w1 & VF_RX_EOP;

	if (!eop || q->rx_skip) {
		if (eop)
			q->stats.rx_chained++;
	} else {
		q->stats.rx_errors++;
	}
	q->rx_skip = !eop;
	/* rx_next is past the slot, so there is room. */
	rx_put(q, q->rx_buf[slot]);
}

unsigned vf_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max)
{
	unsigned n = 0;
	uint64_t bytes = 0;

	/*
	 * The device is believed about DD only within what it was told of; the bound makes the loop
	 * end, too: dropped buffers are posted beyond it.
	 */
	for (uint32_t end = q->rx_told; n < max && q->rx_next != end;) {
		uint32_t slot = q->rx_next & q->rx_mask;
		struct nic_desc *d = &q->rx_desc[slot];
		uint64_t w1 = __atomic_load_n(&d->q[1], __ATOMIC_ACQUIRE);
		uint64_t w0;
		uint32_t len;

		if (!(w1 & VF_RX_DD))
			break;
		w0 = d->q[0];
		len = w1 >> VF_RX_LEN_SHIFT & 0xffff;
		__builtin_prefetch(q->rx_buf[slot].va);
		__builtin_prefetch(&q->rx_desc[(slot + PREFETCH_AHEAD) & q->rx_mask]);
		q->rx_next++;
		if (unlikely((w1 & (VF_RX_EOP | VF_RX_ERR_MAC)) != VF_RX_EOP || q->rx_skip ||
			     len == 0 || len > q->rx_buf_size)) {
			rx_drop(q, w1, slot);
			continue;
		}
		out[n].va = q->rx_buf[slot].va;
		out[n].dma = q->rx_buf[slot].dma;
		out[n].hash = w0 >> 32;
		out[n].len = len;
		out[n].vlan = w1 >> VF_RX_VLAN_SHIFT;
		out[n].flags = rx_flags(q, w0, w1);
		bytes += len;
		n++;
	}
	q->stats.rx_packets += n;
	q->stats.rx_bytes += bytes;
	if (unlikely(q->rx_posted != q->rx_told))
		rx_tell_if_due(q);
	return n;
}

/* What packets with the same flags and header lengths ask of the device. */
struct request {
	uint64_t ctx[2]; /* context descriptor, without its index */
	uint64_t first;  /* word 1 of the first data descriptor, without PAYLEN and index */
	uint32_t hdr;    /* TSO: bytes of headers, which PAYLEN leaves out */
	uint32_t min_len, max_len;
};

/* Checks and translates; a request that breaks the rules allows no length. */
static __attribute__((noinline)) void tx_translate(const struct ix_nic_tx *p, struct request *r)
{
	uint32_t l2 = p->l2_len ? p->l2_len : 14, l3 = p->l3_len, flags = p->flags;
	uint32_t l4_off = l2 + l3;
	bool v6 = flags & IX_NIC_TX_IPV6;

	r->ctx[0] = (uint64_t)l2 << VF_CTX_MACLEN | l3;
	r->ctx[1] = VF_TX_DEXT | VF_TX_CTX;
	r->first = VF_TX_CC;
	r->hdr = 0;
	r->min_len = l4_off > 14 ? l4_off : 14;
	r->max_len = 0;
	if (l2 < 14 || l2 > MACLEN_MAX || l3 > IPLEN_MAX || (l3 && l3 < (v6 ? 40 : 20)))
		return;
	if (l3 && !v6)
		r->ctx[1] |= VF_CTX_IPV4;
	if (flags & IX_NIC_TX_IP_CSUM) {
		if (!l3 || v6)
			return;
		r->first |= VF_TX_IXSM;
	}
	if (flags & (IX_NIC_TX_TCP_CSUM | IX_NIC_TX_UDP_CSUM)) {
		if (!l3)
			return;
		r->first |= VF_TX_TXSM;
		r->min_len = l4_off + (flags & IX_NIC_TX_TCP_CSUM ? 20 : 8);
	}
	if (flags & IX_NIC_TX_TCP_CSUM)
		r->ctx[1] |= VF_CTX_L4T_TCP;
	if (flags & IX_NIC_TX_VLAN) {
		r->ctx[0] |= (uint64_t)p->vlan << VF_CTX_VLAN;
		r->first |= VF_TX_VLE;
	}
	if (!(flags & IX_NIC_TX_TSO)) {
		r->max_len = VF_FRAME_MAX;
		return;
	}
	r->hdr = l4_off + p->l4_len;
	r->min_len = r->hdr + 1;
	if (!(flags & IX_NIC_TX_TCP_CSUM) || p->l4_len < 20 || p->mss == 0 ||
	    r->hdr > HEADERS_MAX || r->hdr + p->mss > VF_FRAME_MAX ||
	    !(flags & (IX_NIC_TX_IPV6 | IX_NIC_TX_IP_CSUM)))
		return;
	r->ctx[1] |= (uint64_t)p->l4_len << VF_CTX_L4LEN | (uint64_t)p->mss << VF_CTX_MSS;
	r->first |= VF_TX_TSE;
	r->max_len = VF_PAYLEN_MAX;
}

/*
 * The device keeps two contexts per queue. A packet names one that fits; if none does, a context
 * descriptor in front of it replaces the one used longer ago.
 */
static inline unsigned tx_context(struct ix_nic_queue *q, const struct request *r, uint32_t *tail)
{
	unsigned i = q->tx_ctx_last;
	struct nic_desc *d;

	if (likely(q->tx_ctx[i][0] == r->ctx[0] && q->tx_ctx[i][1] == r->ctx[1]))
		return i;
	i ^= 1;
	q->tx_ctx_last = i;
	if (q->tx_ctx[i][0] == r->ctx[0] && q->tx_ctx[i][1] == r->ctx[1])
		return i;
	q->tx_ctx[i][0] = r->ctx[0];
	q->tx_ctx[i][1] = r->ctx[1];
	d = &q->tx_desc[(*tail)++ & q->tx_mask];
	d->q[0] = r->ctx[0];
	d->q[1] = r->ctx[1] | (uint64_t)i << VF_TX_IDX_SHIFT;
	return i;
}

static inline uint32_t tx_piece(struct ix_nic_queue *q, uint32_t tail, uint64_t dma, uint32_t len,
				uint64_t cmd)
{
	do {
		uint32_t part = len < TX_DESC_MAX ? len : TX_DESC_MAX;
		struct nic_desc *d = &q->tx_desc[tail++ & q->tx_mask];

		d->q[0] = dma;
		d->q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | cmd | part;
		cmd = 0; /* the descriptors after the first carry an address and a length only */
		dma += part;
		len -= part;
	} while (len);
	return tail;
}

unsigned vf_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n)
{
	const struct ix_nic_tx *known = NULL; /* the packet whose request is in r */
	uint32_t first = q->tx_tail;
	struct request r;
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct ix_nic_tx *p = &pkts[i];
		uint32_t len, ndesc = tx_measure(p, &len), tail = q->tx_tail, padded;
		uint64_t w1;

		/* One more for the context, one for padding. */
		if (unlikely(tx_room(q) < ndesc + 2))
			break;
		if (!known || !same_request(p, known)) {
			tx_translate(p, &r);
			known = p;
		}
		/* What is cut into segments is padded by the device, or padding would be payload. */
		padded = len < TX_MIN_LEN && !r.hdr ? TX_MIN_LEN : len;
		if (unlikely(!ndesc || len < 14 || padded < r.min_len || len > r.max_len)) {
			tx_refuse(q, p->cookie);
			continue;
		}
		w1 = r.first | (uint64_t)(padded - r.hdr) << VF_TX_PAYLEN;
		w1 |= (uint64_t)tx_context(q, &r, &tail) << VF_TX_IDX_SHIFT;
		tail = tx_piece(q, tail, p->seg[0].dma, p->seg[0].len, w1);
		for (unsigned s = 1; s < p->nseg; s++)
			tail = tx_piece(q, tail, p->seg[s].dma, p->seg[s].len, 0);
		if (padded != len)
			tail = tx_piece(q, tail, q->pad_dma, padded - len, 0);
		q->tx_desc[(tail - 1) & q->tx_mask].q[1] |= VF_TX_EOP;
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
