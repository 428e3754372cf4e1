/* SPDX-License-Identifier: MIT */
/*
 * Bursts of packets, and the short way of ordinary segments.
 *
 * Header prediction (Jacobson 1990): on an established connection with nothing unusual going on, the
 * next segment carries data in order, acknowledges what is in flight, or both, and the answer is one
 * segment within all windows. fast_in() and fast_out() do for these what tcp_input() and tcp_output()
 * would have done, with the same result in every field, event and frame, only without asking for
 * all that is known not to be the case. Either takes a segment wholly or, before anything was
 * changed, not at all. The fuzzer net_tcp_state and the test net_fast run the same input through both
 * ways and compare.
 *
 * A burst passes in three steps, each of which asks for the memory of the next: parse the headers;
 * look up the connection; process.
 */
#include "net/core/arp.h"
#include "net/tcp/tcp.h"

/* How many packets ahead of the one at work the send records and connections are asked for. */
#define AHEAD 8

/* For what is compiled once with timestamps and once without. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define TCP_AT (IX_ETH_HLEN + IX_IP_HLEN)

/* Little-endian loads, for comparisons with constants. */
static inline uint64_t raw64(const uint8_t *p)
{
	uint64_t v;
	__builtin_memcpy(&v, p, 8);
	return v;
}

static inline uint32_t raw32(const uint8_t *p)
{
	uint32_t v;
	__builtin_memcpy(&v, p, 4);
	return v;
}

/* ---- packets in */

/* What the first look at a packet finds: enough to ask for its connection's memory. */
struct peek {
	uint64_t key;  /* tcb.key */
	uint32_t hash; /* of the flow */
	uint32_t id;   /* a likely connection; NONE: unknown, or not plain TCP */
	uint8_t laddr;
	bool plain;
};

/* What is the same for all packets of a burst. */
struct burst {
	uint64_t mac;     /* ours, as in the first six bytes of a frame */
	uint64_t ip;      /* of address 0, if it is in use; else nothing equals it */
	uint32_t delack;  /* ticks */
	uint32_t csum_ok; /* flags of a buffer whose checksums need no look */
};

/*
 * A plain TCP segment: IPv4 without options, not a fragment, to this host, lengths in order. All
 * else goes through ip_rx().
 */
static inline bool peek(const struct ixn *n, const struct ixn_rxbuf *b, const struct burst *u,
			struct peek *k)
{
	const uint8_t *p = b->data, *ip = p + IX_ETH_HLEN;

	if (b->len < TCP_AT + 20)
		return false;
	/* destination; IPv4 without options; neither offset nor MF, and TCP (RFC 791 3.1) */
	if ((raw64(p) & 0xffffffffffff) != u->mac || (raw32(p + 12) & 0xffffff) != 0x450008 ||
	    (raw32(ip + 6) & 0xff00ff3f) != PROTO_TCP << 24)
		return false;
	uint32_t total = get16(ip + 2);
	if (total > b->len - IX_ETH_HLEN || total < IX_IP_HLEN + 20)
		return false;
	uint64_t addrs = __builtin_bswap64(raw64(ip + 12));
	uint32_t ports = get32(ip + 20), dst = (uint32_t)addrs;
	k->laddr = 0;
	if (unlikely(dst != u->ip)) {
		k->laddr = local_index(n, dst);
		if (k->laddr == 0xff)
			return false;
	}
	k->key = (addrs & ~0xffffffffull) | ports;
	k->hash =
	    flow_hash(n, (uint32_t)(addrs >> 32), dst, (uint16_t)(ports >> 16), (uint16_t)ports);
	return true;
}

/* The segment of a packet that peek() took. False: its data offset is wrong. */
static bool parse(const struct peek *k, struct ixn_rxbuf *b, struct seg *s)
{
	const uint8_t *ip = b->data + IX_ETH_HLEN, *th = ip + IX_IP_HLEN;
	uint32_t len = get16(ip + 2) - IX_IP_HLEN, off = (uint32_t)(th[12] >> 4) * 4;

	if (off < 20 || off > len)
		return false;
	s->buf = b;
	s->laddr = k->laddr;
	s->tos = ip[1];
	s->raddr = get32(ip + 12);
	s->th = th;
	s->rport = get16(th);
	s->lport = get16(th + 2);
	s->data = th + off;
	s->len = len - off;
	return true;
}

static bool checksums(struct ixn *n, const struct ixn_rxbuf *b)
{
	const uint8_t *ip = b->data + IX_ETH_HLEN;

	if (!(b->flags & IXN_RX_IP_CSUM_OK) &&
	    csum_fold(csum_add(0, ip, IX_IP_HLEN, 0)) != 0xffff) {
		n->st.rx_ip_csum++;
		return false;
	}
	if (!(b->flags & IXN_RX_L4_CSUM_OK)) {
		uint32_t len = get16(ip + 2) - IX_IP_HLEN;
		uint64_t sum = csum_pseudo(get32(ip + 12), get32(ip + 16), PROTO_TCP, len);
		if (csum_fold(csum_add(sum, ip + IX_IP_HLEN, len, 0)) != 0xffff) {
			n->st.tcp_csum++;
			return false;
		}
	}
	return true;
}

/* Flags of a connection whose segments take the full path. */
#define IN_UNUSUAL                                                                               \
	(F_EVENTS | F_LOSS | F_ECN | F_OOO | F_QUICK | F_FIN_QUEUED | F_FIN_ACKED | F_FIN_RCVD | \
	 F_CLOSED | F_URG | F_DEAD | F_RETRY)

/* conn_room() without loss state: all that is queued counts alike, sent or not. */
static inline uint32_t calm_room(const struct ixn *n, const struct tcb *t)
{
	uint32_t least = t->cwnd < t->snd_wnd ? t->cwnd : t->snd_wnd;
	uint32_t queued = snd_end(n, t) - t->snd_una;
	int32_t room = (int32_t)(least - queued + n->cfg.tcp.slack_segs * t->mss);

	return room > 0 ? (uint32_t)room : 0;
}

/* Takes what `ack` acknowledges out of the send queue; see remove_acked(). */
static ALWAYS_INLINE void fast_ack(struct ixn *n, struct tcb *t, uint32_t ack, uint32_t flight)
{
	uint32_t id = t->rec_head, acked = ack - t->snd_una, rtt = 0;

	while (id != t->rec_send) {
		struct txrec *r = &n->rec[id];
		if (unlikely(SEQ_GT(r->seq + r->len, ack))) { /* in the middle of it */
			uint32_t cut = ack - r->seq;
			if (SEQ_LEQ(ack, r->seq))
				break;
			r->ptr += cut;
			r->dma += cut;
			r->seq += cut;
			r->len -= cut;
			break;
		}
		t->rack_xmit = r->xmit;
		if (!rtt && !(r->flags & (REC_RETRANS | REC_SACKED))) /* RFC 6298 3: Karn */
			rtt = (uint32_t)n->now != r->xmit ? (uint32_t)n->now - r->xmit : 1;
		uint32_t next = r->next;
		rec_put(n, id);
		id = next;
	}
	t->rec_head = id;
	t->snd_una = ack;
	if (likely(rtt))
		tcp_rtt_sample(n, t, rtt);
	tcp_grow(n, t, flight, acked);
	if (likely(id == NONE)) {
		t->rec_tail = NONE;
		t->rto_at = 0;
		t->flags &= ~(F_TLP | F_WANT);
	} else {
		t->flags &= ~F_WANT;
		tcp_set_rto(n, t);
		tcp_pend(n, t);
	}
	struct ixn_event *ev = &n->q->ev[n->q->n++];
	conn_event_head(n, t, ev, IXN_EV_SENT);
	ev->len = acked;
	ev->window = calm_room(n, t);
}

/* New data in order: for the application, and when it is to be acknowledged. */
static ALWAYS_INLINE void fast_data(struct ixn *n, struct tcb *t, struct ixn_rxbuf *b,
				    const uint8_t *data, uint32_t len, uint32_t delack)
{
	uint32_t seq = t->rcv_nxt;

	t->rcv_nxt = seq + len;
	t->rcv_wnd -= (int32_t)len;
	b->pay = data;
	b->paylen = len;
	b->seq = seq;
	conn_hold(t, b);
	struct ixn_event *ev = &n->q->ev[n->q->n++];
	conn_event_head(n, t, ev, IXN_EV_RECV);
	ev->len = len;
	ev->window = 0;
	ev->ptr = data;
	ev->buf = b;
	tcp_pend(n, t);
	if (t->flags & F_QUICKACK || !delack || seq + len - t->last_ack_sent > t->mss)
		t->flags |= F_ACK_NOW;
	else if (!t->ack_at)
		t->ack_at = tick_after(n, delack);
}

/* True: the segment was taken, and the buffer with it. hlen: of the TCP header, 20 or with timestamps 32. */
static ALWAYS_INLINE bool fast_segment(struct ixn *n, struct tcb *t, struct ixn_rxbuf *b,
				       const struct burst *u, uint32_t hlen)
{
	const uint8_t *ip = b->data + IX_ETH_HLEN, *th = ip + IX_IP_HLEN;
	uint32_t flags = t->flags, len = get16(ip + 2) - IX_IP_HLEN - hlen, tsval = 0;

	/* What is expected next (a header longer than the packet makes len enormous); in the flags
	 * ACK and perhaps PSH. */
	if (len > t->rcv_adv - t->rcv_nxt || get32(th + 4) != t->rcv_nxt ||
	    (get16(th + 12) & ~TH_PSH) != (hlen << 10 | TH_ACK))
		return false;
	if (hlen == 32) { /* nothing else in the options; RFC 7323 5.3 R1 */
		tsval = get32(th + 24);
		if (raw32(th + 20) != __builtin_bswap32(0x0101080a) ||
		    (int32_t)(tsval - t->ts_recent) < 0)
			return false;
	}
	uint32_t ack = get32(th + 8), acked = ack - t->snd_una, flight = t->snd_nxt - t->snd_una;
	uint32_t wnd = (uint32_t)get16(th + 14) << t->snd_wscale;
	if (acked > flight || (unlikely(!acked) && (!len || flags & F_WANT)))
		return false;
	/* Events need room, the count of wraps the cold part, data held back a look at the window. */
	if (unlikely(n->q->n + 2 > n->q->cap || t->rcv_nxt + len < t->rcv_nxt ||
		     (t->rx_head &&
		      (conn_held(t) >= n->cfg.tcp.max_rx_bufs || b->flags & IXN_RX_SCARCE)) ||
		     (wnd != t->snd_wnd && t->rec_send != NONE)))
		return false;

	if (hlen == 32 && SEQ_LEQ(t->rcv_nxt, t->last_ack_sent)) /* RFC 7323 4.3 (2) */
		t->ts_recent = tsval;
	if (unlikely(flags & (F_KEEPALIVE | F_COLD_TIMER))) {
		struct tcb_cold *c = tcb_cold(n, t);
		c->last_rx = n->tick;
		c->keep_sent = 0;
	}
	/* RFC 9293 3.10.7.4, "fifth"; see tcp_ack() */
	if (acked || SEQ_GT(t->rcv_nxt, t->snd_wl1) ||
	    (t->rcv_nxt == t->snd_wl1 && (wnd > t->snd_wnd || !wnd))) {
		t->snd_wl1 = t->rcv_nxt;
		t->snd_wnd = wnd;
	}
	if (acked)
		fast_ack(n, t, ack, flight);
	if (likely(len))
		fast_data(n, t, b, th + hlen, len, u->delack);
	else
		rx_release(n, b);
	return true;
}

static inline bool fast_in(struct ixn *n, const struct peek *k, struct ixn_rxbuf *b,
			   const struct burst *u)
{
	struct tcb *t = &n->tcb[k->id];

	if (t->key != k->key || t->laddr != k->laddr || t->state != IXN_ESTABLISHED ||
	    (t->flags & (F_APP | IN_UNUSUAL)) != F_APP)
		return false;
	return t->flags & F_TS ? fast_segment(n, t, b, u, 32) : fast_segment(n, t, b, u, 20);
}

/* A packet after its turn has come. Takes the buffer. */
static inline void process(struct ixn *n, const struct peek *k, struct ixn_rxbuf *b,
			   const struct burst *u)
{
	struct seg s;

	if (unlikely(!k->plain)) {
		ip_rx(n, b);
		return;
	}
	if ((b->flags & u->csum_ok) != u->csum_ok && unlikely(!checksums(n, b))) {
		rx_release(n, b);
		return;
	}
	if (likely(k->id != NONE && !n->no_fast) && likely(fast_in(n, k, b, u))) {
		n->st.tcp_in++;
		return;
	}
	n->st.tcp_full_path++;
	if (!parse(k, b, &s)) {
		n->st.tcp_bad++;
		rx_release(n, b);
		return;
	}
	tcp_input(n, &s, k->hash, k->id);
	if (!s.kept)
		rx_release(n, b);
}

void tcp_rx_burst(struct ixn *n, struct ixn_rxbuf **bufs, uint32_t count)
{
	const struct ifaddr *a = &n->addr[0];
	struct peek pk[RX_BURST];
	struct burst u = {
	    .mac = raw64(n->cfg.mac) & 0xffffffffffff,
	    .ip = a->state == ADDR_OK || a->state == ADDR_ANNOUNCE ? a->ip : UINT64_MAX,
	    .delack = us_to_ticks(n->cfg.tcp.delack_us),
	    .csum_ok = n->cfg.caps & IXN_CAP_NO_CSUM ? 0 : IXN_RX_IP_CSUM_OK | IXN_RX_L4_CSUM_OK,
	};
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			__builtin_prefetch(bufs[i + AHEAD]->data);
		bytes += bufs[i]->len;
		pk[i].plain = peek(n, bufs[i], &u, &pk[i]);
		if (likely(pk[i].plain))
			__builtin_prefetch(flow_bucket(n, pk[i].hash));
	}
	n->st.rx_packets += count;
	n->st.rx_bytes += bytes;
	/* The tag alone is a good guess; fast_in() and tcp_input() compare the whole tuple. */
	for (uint32_t i = 0; i < count; i++) {
		pk[i].id = NONE;
		if (unlikely(!pk[i].plain))
			continue;
		const struct bucket *k = flow_bucket(n, pk[i].hash);
		for (uint32_t j = 0; j < 7; j++) {
			if (k->tag[j] == pk[i].hash && k->id[j] < ID_TIMEWAIT) {
				pk[i].id = k->id[j];
				__builtin_prefetch(&n->tcb[pk[i].id]);
				__builtin_prefetch((char *)&n->tcb[pk[i].id] + 64);
				break;
			}
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		if (i + AHEAD < count && pk[i + AHEAD].id != NONE) {
			uint32_t rec = n->tcb[pk[i + AHEAD].id].rec_head;
			if (rec != NONE)
				__builtin_prefetch(&n->rec[rec]);
		}
		process(n, &pk[i], bufs[i], &u);
	}
}

/* ---- packets out */

/* Flags of a connection whose output takes the full path. */
#define OUT_UNUSUAL \
	(F_LOSS | F_ECN | F_OOO | F_DSACK | F_MARK | F_CORK | F_FIN_QUEUED | F_RETRY | F_DEAD)

/* What is the same for all packets of a cycle. */
struct headers {
	uint64_t ip0;  /* first 8 bytes of the IPv4 header, length 0 */
	uint64_t ip1;  /* next 8: TTL and protocol, checksum and source 0 */
	uint32_t csum; /* of the two, as a sum of 16-bit words in host order */
	uint32_t iw;   /* initial window in segments */
	bool rack;
};

/* The IPv4 header; as ip_header(). */
static inline void fast_ip(struct ixn *n, struct ixn_txpkt *p, const struct headers *h,
			   uint32_t src, uint32_t dst, uint32_t total)
{
	uint8_t *ip = p->hdr + IX_ETH_HLEN;
	uint64_t w0 = h->ip0 | (uint64_t)__builtin_bswap16((uint16_t)total) << 16;
	uint64_t w1 = h->ip1 | (uint64_t)__builtin_bswap32(src) << 32;

	if (n->cfg.caps & IXN_CAP_TX_IP_CSUM) {
		p->flags |= IXN_TX_IP_CSUM;
	} else if (!(n->cfg.caps & IXN_CAP_NO_CSUM)) {
		uint32_t sum =
		    h->csum + total + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);
		w1 |= (uint64_t)__builtin_bswap16((uint16_t)~csum_fold(sum)) << 16;
	}
	__builtin_memcpy(ip, &w0, 8);
	__builtin_memcpy(ip + 8, &w1, 8);
	put32(ip + 16, dst);
}

/*
 * All that waits, as the payload of one packet: its length, or 0 if that is too much. Packet and records
 * are nobody's yet, so that they can be written before it is decided.
 */
static inline uint32_t fast_payload(struct ixn *n, const struct tcb *t, struct ixn_txpkt *p,
				    uint32_t *nsegs)
{
	uint32_t id = t->rec_send, len = 0, k = 0;

	do {
		struct txrec *r = &n->rec[id];
		len += r->len;
		if (unlikely(len > t->mss || k == IXN_TX_SEGS))
			return 0;
		p->seg[k].ptr = r->ptr;
		p->seg[k].dma = r->dma;
		p->seg[k++].len = r->len;
		r->xmit = (uint32_t)n->now;
		id = r->next;
	} while (id != NONE);
	*nsegs = k;
	return len;
}

/* The timer of what was just sent; see tcp_set_rto(). Other deadlines have not moved, and the wheel's
 * entry comes before them. */
static inline void fast_timer(struct ixn *n, struct tcb *t, bool rack)
{
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	uint64_t us = tcp_rto_us(cfg, t);
	uint32_t at = us_to_ticks(us < cfg->rto_max_us ? us : cfg->rto_max_us);
	uint32_t flags = t->flags & ~F_TLP;

	if (likely(flags & F_SACK && rack && t->srtt)) {
		uint32_t pto = us_to_ticks(tcp_pto_us(cfg, t));
		if (pto < at) {
			at = pto;
			flags |= F_TLP;
		}
	}
	t->flags = flags;
	t->rto_at = tick_after(n, at);
	if (unlikely(!t->wheel_at || (int32_t)(t->wheel_at - t->rto_at) > 0))
		tcp_arm(n, t);
}

/* True: all that waited was sent, in one segment. */
static inline bool fast_out(struct ixn *n, struct tcb *t, const struct headers *h)
{
	uint32_t flags = t->flags, mss = t->mss, nsegs;
	uint32_t flight = t->snd_nxt - t->snd_una, hlen = flags & F_TS ? 32 : 20;
	struct ixn_txpkt *p = n->tx_free;

	if (t->state != IXN_ESTABLISHED || flags & OUT_UNUSUAL || t->rec_send == NONE)
		return false;
	if (unlikely(!p || n->txq_n == TX_BURST))
		return false;
	/* The window to tell: it moves on or stays, and is that of a buffer with room. */
	uint32_t wnd = (uint32_t)t->rcv_wnd >> t->rcv_wscale;
	uint32_t edge = t->rcv_nxt + (wnd << t->rcv_wscale);
	if (unlikely(t->rcv_wnd < (int32_t)mss || wnd > 65535 || SEQ_LT(edge, t->rcv_adv)))
		return false;
	uint32_t len = fast_payload(n, t, p, &nsegs);
	if (unlikely(!len))
		return false;
	/* Nagle (RFC 9293 SHLD-7) */
	if (len < mss && flight && !(flags & F_NODELAY))
		return false;
	uint32_t iw = h->iw * mss;
	if (unlikely(t->cwnd > iw))
		tcp_restart_after_idle(n, t);
	uint32_t room = t->cwnd < t->snd_wnd ? t->cwnd : t->snd_wnd;
	if (unlikely((int32_t)len > (int32_t)(room - flight) || t->snd_nxt + len < t->snd_nxt))
		return false;
	uint32_t nexthop = t->raddr;
	const struct ifaddr *a = &n->addr[t->laddr];
	if (unlikely((n->nroutes || (a->ip ^ nexthop) & a->mask) &&
		     !ip_next_hop(n, t->raddr, t->laddr, &nexthop)))
		return false;
	if (unlikely(!arp_known(n, p->hdr, nexthop, t->arp_hint)))
		return false;

	txpkt_get(n);
	uint8_t *th = p->hdr + TCP_AT;
	put32(th, (uint32_t)t->lport << 16 | t->rport);
	put32(th + 4, t->snd_nxt);
	put32(th + 8, t->rcv_nxt);
	put32(th + 12, hlen << 26 | (TH_ACK | TH_PSH) << 16 | wnd);
	put32(th + 16, 0);
	if (likely(flags & F_TS)) {
		put32(th + 20, 0x0101080a);
		put32(th + 24, tcp_ts(n, t));
		put32(th + 28, t->ts_recent);
	}
	p->hdr_len = (uint16_t)(TCP_AT + hlen);
	p->l4_off = TCP_AT;
	p->nsegs = (uint8_t)nsegs;
	p->pay_len = len;
	p->hash = t->group;
	fast_ip(n, p, h, a->ip, t->raddr, IX_IP_HLEN + hlen + len);
	if (!(n->cfg.caps & IXN_CAP_NO_CSUM))
		tcp_checksum(n, p, a->ip, t->raddr);
	n->st.tcp_out++;
	tx_queue(n, p);

	t->rec_send = NONE;
	t->snd_nxt += len;
	t->rcv_adv = edge;
	t->last_ack_sent = t->rcv_nxt;
	t->ack_at = 0;
	if (unlikely(t->cwnd > iw))
		tcb_cold(n, t)->last_send = n->tick;
	t->flags = flags & ~(F_ACK_NOW | F_FULL);
	fast_timer(n, t, h->rack);
	return true;
}

void tcp_output_all(struct ixn *n)
{
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	uint32_t tos = (uint32_t)cfg->dscp << 2, df = cfg->pmtud ? 0x4000 : 0;
	uint32_t count = n->npending;
	struct headers h = {
	    .ip0 = 0x45 | tos << 8 | (uint64_t)__builtin_bswap16((uint16_t)df) << 48,
	    .ip1 = cfg->ttl | PROTO_TCP << 8,
	    .csum = (0x4500 | tos) + df + ((uint32_t)cfg->ttl << 8) + PROTO_TCP,
	    .iw = cfg->iw,
	    .rack = cfg->rack,
	};

	/* Without DF each packet needs an identification of its own. */
	bool fast = !n->no_fast && cfg->pmtud;

	/* tcp_output() may pend a connection again when a pool is empty: for the next cycle. */
	for (uint32_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			__builtin_prefetch(&n->tcb[n->pending[i + AHEAD]]);
		struct tcb *t = &n->tcb[n->pending[i]];
		t->flags &= ~F_PENDING;
		if (likely(fast) && likely(fast_out(n, t, &h)))
			continue;
		if (likely(!(t->flags & F_DEAD)))
			tcp_output(n, t);
	}
	for (uint32_t i = count; i < n->npending; i++)
		n->pending[i - count] = n->pending[i];
	n->npending -= count;
}
