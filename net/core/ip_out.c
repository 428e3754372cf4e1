/* SPDX-License-Identifier: MIT */
/* Sending UDP and ICMP: one packet or several fragments that refer to the same payload. */
#include "net/core/core.h"
#include "net/core/siphash.h"

#define L4_HLEN 8

/*
 * The packets of a datagram share a "master", the first of them, which counts those under way in
 * priv[0]. priv[1] of each points to it; priv[2], [3] of the master are cookie and handle of an
 * IXN_EV_UDP_SENT, priv[4] a received buffer that the payload lies in.
 */
static struct ixn_txpkt *master_of(const struct ixn_txpkt *p)
{
	return (struct ixn_txpkt *)(uintptr_t)p->priv[1];
}

void ip_tx_done(struct ixn *n, struct ixn_txpkt *p)
{
	struct ixn_txpkt *m = master_of(p);

	if (p != m)
		txpkt_put(n, p);
	if (--m->priv[0])
		return;
	if (m->priv[4])
		rx_release(n, (struct ixn_rxbuf *)(uintptr_t)m->priv[4]);
	if (!m->priv[3]) {
		txpkt_put(n, m);
		return;
	}
	/* The packet itself is the note that an event is due. */
	m->priv[0] = 0;
	if (n->udp_sent_tail)
		n->udp_sent_tail->priv[0] = (uint64_t)(uintptr_t)m;
	else
		n->udp_sent_head = m;
	n->udp_sent_tail = m;
}

struct cursor {
	const struct ixn_seg *seg;
	uint32_t off;
};

/* Appends up to len bytes of payload to a packet; returns how many. */
static uint32_t append(struct ixn_txpkt *p, struct cursor *c, const struct ixn_seg *end,
		       uint32_t len)
{
	uint32_t done = 0;

	while (done < len && c->seg < end) {
		uint32_t part = c->seg->len - c->off;
		if (part > len - done)
			part = len - done;
		if (part) {
			struct ixn_seg *s = &p->seg[p->nsegs++];
			s->ptr = (const uint8_t *)c->seg->ptr + c->off;
			s->dma = c->seg->dma + c->off;
			s->len = part;
		}
		done += part;
		c->off += part;
		if (c->off == c->seg->len) {
			c->seg++;
			c->off = 0;
		}
	}
	p->pay_len = done;
	return done;
}

static void checksum(struct ixn *n, struct ixn_txpkt *p, const struct ip_send *d, uint32_t src,
		     uint32_t total, bool whole)
{
	uint8_t *l4 = p->hdr + p->l4_off, *field = l4 + d->csum_at;
	uint64_t sum = d->proto == PROTO_UDP ? csum_pseudo(src, d->dst, PROTO_UDP, total) : 0;

	if (d->proto == PROTO_UDP && n->cfg.caps & IXN_CAP_NO_CSUM)
		return;
	if (d->proto == PROTO_UDP && n->cfg.caps & IXN_CAP_TX_L4_CSUM && whole) {
		p->flags |= IXN_TX_UDP_CSUM;
		put_csum(field, csum_fold(sum));
		return;
	}
	uint32_t off = 0;
	sum = csum_add(sum, l4, L4_HLEN, 0);
	for (uint32_t i = 0; i < d->nsegs; i++) {
		sum = csum_add(sum, d->seg[i].ptr, d->seg[i].len, off);
		off += d->seg[i].len;
	}
	uint16_t v = (uint16_t)~csum_fold(sum);
	if (d->proto == PROTO_UDP && !v) /* RFC 768: 0 says "none" */
		v = 0xffff;
	put_csum(field, v);
}

/*
 * One counter for all, from a place for each pair of addresses that others cannot know: who could
 * foresee the number could put fragments of his own among ours (RFC 7739 5.3).
 */
uint16_t ip_ident(struct ixn *n, uint32_t src, uint32_t dst)
{
	return (uint16_t)(siphash2(n->cfg.secret, (uint64_t)src << 32 | dst, 0x6970) + ++n->ip_id);
}

int ip_send(struct ixn *n, const struct ip_send *d)
{
	uint32_t total = L4_HLEN + d->len, room = (n->cfg.mtu - IX_IP_HLEN) & ~7u, nexthop, count;
	uint8_t laddr = d->laddr;
	bool whole = total + IX_IP_HLEN <= n->cfg.mtu;

	if (total + IX_IP_HLEN > 65535)
		return -IXN_EMSGSIZE;
	if (!ip_route(n, d->dst, &nexthop, &laddr))
		return -IXN_ENETUNREACH;
	count = whole ? 1 : (total + room - 1) / room;
	/* Leave some packets to those who cannot wait: TCP and ARP. */
	if (n->tx_free_count < count + 4)
		return -IXN_ENOBUFS;
	uint32_t src = n->addr[laddr].ip;
	bool df = whole && n->cfg.tcp.pmtud && d->proto == PROTO_UDP;
	uint16_t id = df ? 0 : ip_ident(n, src, d->dst);
	struct cursor c = {d->seg, 0};
	struct ixn_txpkt *master = NULL;
	for (uint32_t off = 0; off < total;) {
		struct ixn_txpkt *p = txpkt_get(n);
		uint32_t part = whole || total - off <= room ? total - off : room;
		if (!master) {
			master = p;
			p->priv[0] = count;
			p->priv[2] = d->cookie;
			p->priv[3] = d->handle;
			p->priv[4] = (uint64_t)(uintptr_t)d->rx;
		}
		p->priv[1] = (uint64_t)(uintptr_t)master;
		p->l4_off = IX_ETH_HLEN + IX_IP_HLEN;
		p->hdr_len = p->l4_off;
		if (!off) {
			memcpy(p->hdr + p->l4_off, d->l4, L4_HLEN);
			p->hdr_len += L4_HLEN;
		}
		append(p, &c, d->seg + d->nsegs, off ? part : part - L4_HLEN);
		if (!off)
			checksum(n, p, d, src, total, whole);
		uint16_t frag = (uint16_t)(off / 8);
		if (off + part < total)
			frag |= 0x2000;
		if (!whole)
			n->st.tx_frags++;
		else if (df)
			frag = 0x4000;
		ip_header(n, p, src, d->dst, d->proto, d->ttl, d->tos, id, frag, IX_IP_HLEN + part);
		off += part;
		arp_send(n, p, nexthop, NULL);
	}
	return 0;
}
