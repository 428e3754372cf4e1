/* SPDX-License-Identifier: MIT */
/* Building and sending segments. */
#include "net/tcp/tcp.h"

/* Writes ports, numbers and flags of a TCP header that is followed by optlen bytes of options. */
static inline void tcp_header(uint8_t *h, uint16_t lport, uint16_t rport, uint32_t seq,
			      uint32_t ack, uint8_t flags, uint32_t optlen, uint16_t wnd)
{
	put32(h, (uint32_t)lport << 16 | rport);
	put32(h + 4, seq);
	put32(h + 8, ack);
	put32(h + 12, (20 + optlen) << 26 | (uint32_t)flags << 16 | wnd);
	put32(h + 16, 0); /* checksum, urgent pointer */
}

void tcp_checksum(struct ixn *n, struct ixn_txpkt *p, uint32_t src, uint32_t dst)
{
	uint8_t *th = p->hdr + IX_ETH_HLEN + IX_IP_HLEN;
	uint32_t hlen = p->hdr_len - (IX_ETH_HLEN + IX_IP_HLEN), len = hlen + p->pay_len;
	uint32_t caps = n->cfg.caps;

	if (caps & IXN_CAP_TX_L4_CSUM) {
		p->flags |= IXN_TX_TCP_CSUM;
		put_csum(th + 16, csum_fold(csum_pseudo(src, dst, PROTO_TCP,
							p->flags & IXN_TX_TSO ? 0 : len)));
	} else if (!(caps & IXN_CAP_NO_CSUM)) {
		uint64_t sum = csum_add(csum_pseudo(src, dst, PROTO_TCP, len), th, hlen, 0);
		uint32_t off = hlen;
		for (uint32_t i = 0; i < p->nsegs; i++) {
			sum = csum_add(sum, p->seg[i].ptr, p->seg[i].len, off);
			off += p->seg[i].len;
		}
		put_csum(th + 16, (uint16_t)~csum_fold(sum));
	}
}

/* Checksums, IP header, Ethernet header; off it goes. */
static inline void finish(struct ixn *n, struct ixn_txpkt *p, uint8_t laddr, uint32_t raddr,
			  uint8_t ttl, uint8_t tos, uint16_t *hint)
{
	uint32_t len = p->hdr_len - (IX_ETH_HLEN + IX_IP_HLEN) + p->pay_len;
	uint32_t src = n->addr[laddr].ip, nexthop;

	n->st.tcp_out++;
	p->l4_off = IX_ETH_HLEN + IX_IP_HLEN;
	tcp_checksum(n, p, src, raddr);
	uint16_t id = likely(n->cfg.tcp.pmtud) ? 0 : ip_ident(n, src, raddr);
	ip_header(n, p, src, raddr, PROTO_TCP, ttl, tos, id, n->cfg.tcp.pmtud ? 0x4000 : 0,
		  IX_IP_HLEN + len);
	if (unlikely(!ip_next_hop(n, raddr, laddr, &nexthop))) {
		txpkt_put(n, p);
		return;
	}
	arp_send(n, p, nexthop, hint);
}

static inline void finish_tcb(struct ixn *n, struct tcb *t, struct ixn_txpkt *p, bool ect)
{
	uint8_t ttl = n->cfg.tcp.ttl, tos = (uint8_t)(n->cfg.tcp.dscp << 2);

	if (unlikely(t->flags & F_MARK)) {
		const struct tcb_cold *c = tcb_cold(n, t);
		ttl = c->ttl;
		tos = c->tos;
	}
	p->hash = t->group;
	finish(n, p, t->laddr, t->raddr, ttl, ect ? tos | 2 : tos, &t->arp_hint);
}

uint32_t syn_options(uint8_t *o, uint16_t mss, bool sack, bool ts, uint32_t tsval, uint32_t tsecr,
		     int wscale)
{
	uint32_t len = 4;

	put32(o, 0x02040000u | mss);
	/* Linux's order and padding: SACK-permitted, timestamps, NOP, window scale */
	if (ts) {
		put32(o + 4, sack ? 0x0402080au : 0x0101080au);
		put32(o + 8, tsval);
		put32(o + 12, tsecr);
		len = 16;
	} else if (sack) {
		put32(o + 4, 0x01010402u);
		len = 8;
	}
	if (wscale >= 0) {
		put32(o + len, 0x01030300u | (uint32_t)wscale);
		len += 4;
	}
	return len;
}

void tcp_send_raw(struct ixn *n, uint8_t laddr, uint32_t raddr, uint16_t lport, uint16_t rport,
		  uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd, const uint8_t *opt,
		  uint32_t optlen)
{
	struct ixn_txpkt *p = txpkt_get(n);

	if (!p)
		return;
	uint8_t *th = p->hdr + IX_ETH_HLEN + IX_IP_HLEN;
	tcp_header(th, lport, rport, seq, ack, flags, optlen, wnd);
	if (optlen)
		memcpy(th + 20, opt, optlen);
	p->hdr_len = (uint16_t)(IX_ETH_HLEN + IX_IP_HLEN + 20 + optlen);
	p->hash = 0;
	finish(n, p, laddr, raddr, n->cfg.tcp.ttl, (uint8_t)(n->cfg.tcp.dscp << 2), NULL);
}

void tcp_send_syn(struct ixn *n, struct tcb *t)
{
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	bool reply = t->state == IXN_SYN_RCVD;
	bool ts = reply ? !!(t->flags & F_TS) : cfg->timestamps;
	bool sack = reply ? !!(t->flags & F_SACK) : cfg->sack;
	struct tcb_cold *c = tcb_cold(n, t);
	uint8_t opt[40], flags = TH_SYN;
	uint32_t wnd = t->rcv_wnd < 65535 ? (uint32_t)t->rcv_wnd : 65535;

	/* RFC 7323 2.2: scaling is offered in answer only to a SYN that had it. */
	int wscale = !reply ? cfg->wscale : c->peer_scales ? t->rcv_wscale : -1;
	uint32_t len = syn_options(opt, (uint16_t)tcp_our_mss(n), sack, ts, tcp_ts(n, t),
				   reply ? t->ts_recent : 0, wscale);
	if (reply)
		flags |= TH_ACK | (t->flags & F_ECN ? TH_ECE : 0);
	else if (t->flags & F_ECN && c->retries < 2) /* RFC 3168 6.1.1.1: then without */
		flags |= TH_ECE | TH_CWR;
	else
		t->flags &= ~F_ECN;
	if (reply)
		t->rcv_adv = t->rcv_nxt + wnd;
	if (!c->retries)
		t->rack_xmit = (uint32_t)n->now;
	tcp_send_raw(n, t->laddr, t->raddr, t->lport, t->rport, c->iss, reply ? t->rcv_nxt : 0,
		     flags, (uint16_t)wnd, opt, len);
	uint64_t rto = (uint64_t)us_to_ticks(cfg->rto_initial_us) << c->backoff;
	uint32_t max = us_to_ticks(cfg->rto_max_us);
	t->rto_at = tick_after(n, rto > max ? max : (uint32_t)rto);
	tcp_arm(n, t);
}

/* ---- the receive window */

/*
 * The right edge never moves back (SHLD-14), and forward only by something worth sending
 * (MUST-39): a full segment or half of the buffer.
 */
static uint32_t new_edge(const struct tcb *t)
{
	uint32_t wnd = t->rcv_wnd > 0 ? (uint32_t)t->rcv_wnd : 0;
	uint32_t edge = t->rcv_nxt + wnd, worth = t->mss;

	if (unlikely(SEQ_LT(edge, t->rcv_adv)))
		return t->rcv_adv;
	/* A buffer of less than two segments: half of it (wnd itself is a lower bound). */
	if (edge - t->rcv_adv < worth && t->rcv_adv - t->rcv_nxt < worth && wnd < worth)
		return t->rcv_adv;
	return edge;
}

static inline uint16_t tcp_window(struct tcb *t)
{
	uint32_t wnd = (uint32_t)t->rcv_wnd, field = wnd >> t->rcv_wscale;
	uint32_t edge = t->rcv_nxt + (field << t->rcv_wscale);

	/* Usually there is room for much, and the edge moves on or stays. */
	if (likely(t->rcv_wnd >= t->mss && field <= 65535 && SEQ_GEQ(edge, t->rcv_adv))) {
		t->rcv_adv = edge;
		return (uint16_t)field;
	}
	wnd = new_edge(t) - t->rcv_nxt;
	if (wnd > 65535u << t->rcv_wscale)
		wnd = 65535u << t->rcv_wscale;
	field = wnd >> t->rcv_wscale;
	/* Rounding down must not take back what was offered. */
	if (SEQ_LT(t->rcv_nxt + (field << t->rcv_wscale), t->rcv_adv) && field < 65535)
		field = (t->rcv_adv - t->rcv_nxt + (1u << t->rcv_wscale) - 1) >> t->rcv_wscale;
	if (field > 65535)
		field = 65535;
	edge = t->rcv_nxt + (field << t->rcv_wscale);
	if (SEQ_GT(edge, t->rcv_adv))
		t->rcv_adv = edge;
	return (uint16_t)field;
}

void tcp_window_opened(struct ixn *n, struct tcb *t)
{
	uint32_t left = t->rcv_adv - t->rcv_nxt;
	uint32_t edge = new_edge(t), worth = 2u * t->mss;
	if (t->flags & F_FIN_RCVD)
		return;
	/* Worth an ACK of its own: two segments more; or the end of a window too small for one. */
	if (edge - t->rcv_adv >= worth || (left < t->mss && edge != t->rcv_adv)) {
		t->flags |= F_ACK_NOW;
		tcp_pend(n, t);
	}
}

/* ---- ordinary segments */

/* Timestamps and SACK blocks; returns their length. */
static uint32_t put_options(struct ixn *n, struct tcb *t, uint8_t *o)
{
	uint32_t len = 0;

	if (likely(t->flags & F_TS)) {
		put32(o, 0x0101080a);
		put32(o + 4, tcp_ts(n, t));
		put32(o + 8, t->ts_recent);
		len = 12;
	}
	if (likely(!(t->flags & (F_OOO | F_DSACK))) || !(t->flags & F_SACK))
		return len;

	/* RFC 2018 4, RFC 2883 4: a duplicate first, then the block of the latest segment */
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t lo[4], hi[4], count = 0, max = t->flags & F_TS ? 3 : 4;
	if (t->flags & F_DSACK) {
		lo[count] = c->dsack[0];
		hi[count++] = c->dsack[1];
		t->flags &= ~F_DSACK;
	}
	/* Two passes over the merged blocks: the one with the latest segment, then the rest. */
	for (int pass = 0; pass < 2; pass++) {
		for (struct ixn_rxbuf *b = c->ooo; b && count < max;) {
			uint32_t l = b->seq, h = l;
			for (; b && b->seq == h; b = b->next)
				h += b->paylen;
			bool latest = c->ooo_last - l < h - l;
			if (latest == (pass == 0)) {
				lo[count] = l;
				hi[count++] = h;
			}
		}
	}
	if (!count)
		return len;
	put32(o + len, 0x01010500u | (2 + 8 * count));
	len += 4;
	for (uint32_t i = 0; i < count; i++) {
		put32(o + len, lo[i]);
		put32(o + len + 4, hi[i]);
		len += 8;
	}
	return len;
}

static inline struct ixn_txpkt *segment_new(struct ixn *n, struct tcb *t, uint32_t seq,
					    uint8_t flags)
{
	if (unlikely(n->txq_n == TX_BURST)) { /* better to wait than to be dropped */
		tx_burst(n);
		if (n->txq_n == TX_BURST)
			return NULL;
	}
	struct ixn_txpkt *p = txpkt_get(n);
	if (unlikely(!p))
		return NULL;
	uint8_t *th = p->hdr + IX_ETH_HLEN + IX_IP_HLEN;
	uint32_t optlen = put_options(n, t, th + 20);
	if (unlikely(t->flags & F_ECN) && t->flags & F_ECE)
		flags |= TH_ECE;
	tcp_header(th, t->lport, t->rport, seq, t->rcv_nxt, flags, optlen, tcp_window(t));
	p->hdr_len = (uint16_t)(IX_ETH_HLEN + IX_IP_HLEN + 20 + optlen);
	return p;
}

static inline void acked(struct tcb *t)
{
	t->last_ack_sent = t->rcv_nxt;
	t->ack_at = 0;
	t->flags &= ~F_ACK_NOW;
}

void tcp_send_ack(struct ixn *n, struct tcb *t)
{
	struct ixn_txpkt *p = segment_new(n, t, t->snd_nxt, TH_ACK);

	if (!p) {
		t->flags |= F_ACK_NOW;
		tcp_pend(n, t);
		return;
	}
	acked(t);
	finish_tcb(n, t, p, false);
}

/* Two ends that find each other's ACKs wrong would go on for ever. */
static bool challenged_lately(const struct ixn *n, const struct tcb_cold *c)
{
	return c->challenged_at &&
	       n->tick - c->challenged_at < us_to_ticks(n->cfg.tcp.challenge_ack_us);
}

static void challenge(struct ixn *n, struct tcb *t)
{
	n->st.tcp_challenge++;
	tcb_cold(n, t)->challenged_at = n->tick ? n->tick : 1;
	tcp_send_ack(n, t);
}

void tcp_challenge_ack(struct ixn *n, struct tcb *t, const struct seg *s)
{
	bool data = s->len && !(s->flags & (TH_SYN | TH_RST));

	/* Data is repeated no faster than its sender's timer runs. RFC 5961 7: a limit for all. */
	if ((!data && challenged_lately(n, tcb_cold(n, t))) ||
	    !limit_take(n, &n->challenge_limit, n->cfg.tcp.challenge_ack_per_s))
		n->st.tcp_challenge_limited++;
	else
		challenge(n, t);
}

void tcp_answer_probe(struct ixn *n, struct tcb *t)
{
	if (challenged_lately(n, tcb_cold(n, t)))
		n->st.tcp_challenge_limited++;
	else
		challenge(n, t);
}

void tcp_send_rst(struct ixn *n, struct tcb *t)
{
	struct ixn_txpkt *p;

	if (t->state == IXN_SYN_SENT || !(p = segment_new(n, t, t->snd_nxt, TH_RST | TH_ACK)))
		return;
	n->st.tcp_rst_out++;
	finish_tcb(n, t, p, false);
}

void tcp_reset_reply(struct ixn *n, const struct seg *s)
{
	if (s->flags & TH_RST || bad_source(n, s->raddr))
		return;
	if (!limit_take(n, &n->rst_limit, n->cfg.icmp_per_s))
		return;
	n->st.tcp_rst_out++;
	if (s->flags & TH_ACK)
		tcp_send_raw(n, s->laddr, s->raddr, s->lport, s->rport, s->ack, 0, TH_RST, 0, NULL,
			     0);
	else
		tcp_send_raw(n, s->laddr, s->raddr, s->lport, s->rport, 0,
			     s->seq + s->len + !!(s->flags & TH_SYN) + !!(s->flags & TH_FIN),
			     TH_RST | TH_ACK, 0, NULL, 0);
}

/* A window probe: an old number without data, which the peer must answer (as Linux does). */
void tcp_send_probe(struct ixn *n, struct tcb *t)
{
	struct ixn_txpkt *p = segment_new(n, t, t->snd_una - 1, TH_ACK);

	if (!p)
		return;
	n->st.tcp_probe++;
	acked(t);
	finish_tcb(n, t, p, false);
}

/*
 * ECN of a segment with len bytes of data: its flags, and whether it is ECN-capable. RFC 3168 6.1.5:
 * retransmissions are not; CWR goes with new data.
 */
static uint8_t ecn_out(struct tcb *t, bool again, uint32_t len, bool *ect)
{
	uint8_t flags = t->flags & F_ECE ? TH_ECE : 0;

	*ect = !again && len;
	if (*ect && t->flags & F_CWR) {
		flags |= TH_CWR;
		t->flags &= ~F_CWR;
	}
	return flags;
}

/*
 * Sends the records from *first on as one segment of at most max bytes, and moves *first behind
 * them. Records are split so that the segment ends with one. Returns the sequence space sent; 0:
 * no packet or record was free.
 */
static uint32_t send_records(struct ixn *n, struct tcb *t, uint32_t *first, uint32_t max,
			     bool again)
{
	struct ixn_txpkt *p = segment_new(n, t, n->rec[*first].seq, TH_ACK);

	if (unlikely(!p))
		return 0;
	uint32_t len = 0, id = *first, extra = 0;
	uint8_t *th = p->hdr + IX_ETH_HLEN + IX_IP_HLEN;
	uint32_t optlen = p->hdr_len - (IX_ETH_HLEN + IX_IP_HLEN + 20);
	uint32_t base = t->flags & F_TS ? 12 : 0;
	/* SACK blocks take their room from the data */
	uint32_t full = t->mss - (optlen - base);
	if (unlikely(max > full && max <= t->mss))
		max = full;
	uint8_t flags = TH_ACK, last = 0;
	/* What is sent again is lost, or the tail, of which nothing is known. */
	uint8_t kind = n->rec[id].flags & (REC_LOST | REC_SACKED);
	uint32_t now = (uint32_t)n->now;
	while (id != NONE && p->nsegs < IXN_TX_SEGS) {
		struct txrec *r = &n->rec[id];
		if (again && (id == t->rec_send || (r->flags & (REC_LOST | REC_SACKED)) != kind))
			break;
		if (r->len > max - len) {
			if (max == len || !rec_split(n, t, id, max - len))
				break;
		}
		if (likely(r->len)) {
			struct ixn_seg *s = &p->seg[p->nsegs++];
			s->ptr = r->ptr;
			s->dma = r->dma;
			s->len = r->len;
		}
		len += r->len;
		r->xmit = now;
		last = r->flags;
		if (unlikely(again)) {
			struct tcb_cold *c = tcb_cold(n, t);
			if (r->flags & REC_LOST) {
				c->lost -= rec_seqlen(r);
				c->prr_out += r->len;
			}
			r->flags = (r->flags & ~REC_LOST) | REC_RETRANS;
		}
		id = r->next;
		if (last & REC_FIN) {
			flags |= TH_FIN;
			extra = 1;
			break;
		}
		if (len == max)
			break;
	}
	if (unlikely(!len && !extra)) { /* no record to split with */
		txpkt_put(n, p);
		return 0;
	}
	if (last & REC_PSH || id == NONE)
		flags |= TH_PSH;
	p->pay_len = len;
	bool ect = false;
	if (unlikely(t->flags & F_ECN))
		flags |= ecn_out(t, again, len, &ect);
	th[13] = flags;
	if (unlikely(len > full)) {
		p->flags |= IXN_TX_TSO;
		p->mss = (uint16_t)full;
	}
	*first = id;
	acked(t);
	if (unlikely(again)) {
		struct tcb_cold *c = tcb_cold(n, t);
		n->st.tcp_retrans++;
		c->retransmits++;
		c->undo_retrans++;
		if (!c->retrans_ts)
			c->retrans_ts = tcp_ts(n, t) | 1;
	}
	finish_tcb(n, t, p, ect);
	return len + extra;
}

bool tcp_retransmit_tail(struct ixn *n, struct tcb *t)
{
	uint32_t id = NONE, i;

	/* The last records that fit one segment. */
	for (i = t->rec_head; i != t->rec_send; i = n->rec[i].next) {
		if (n->rec[i].flags & REC_SACKED)
			continue;
		if (id == NONE || t->snd_nxt - n->rec[id].seq > t->mss)
			id = i;
	}
	if (id == NONE)
		return false;
	if (n->rec[id].len > t->mss) { /* TSO: its last segment */
		if (!rec_split(n, t, id, n->rec[id].len - t->mss))
			return false;
		id = n->rec[id].next;
	}
	return send_records(n, t, &id, t->mss, true) != 0;
}

static void send_lost(struct ixn *n, struct tcb *t)
{
	uint32_t id;

	while ((id = loss_next(n, t)) != NONE) {
		/* SHLD-16: only what lies within the window */
		if (unlikely(SEQ_GEQ(n->rec[id].seq, t->snd_una + t->snd_wnd)))
			return;
		uint32_t room = tcp_cwnd_room(n, t), len = n->rec[id].len;
		if (len > t->mss)
			len = t->mss;
		if (room < len && tcp_pipe(n, t))
			return;
		if (!send_records(n, t, &id, t->mss, true)) {
			tcp_pend(n, t); /* pools refill: again in the next cycle */
			return;
		}
	}
}

/* Bytes queued and not sent, without FIN. */
static uint32_t unsent_bytes(const struct ixn *n, const struct tcb *t)
{
	if (t->rec_send == NONE)
		return 0;
	return snd_end(n, t) - t->snd_nxt - !!(n->rec[t->rec_tail].flags & REC_FIN);
}

/* Whether a segment of len bytes, which is not a full one, may go (MUST-38, SHLD-7). */
static bool small_may_go(struct ixn *n, struct tcb *t, uint32_t len, bool all)
{
	if (!all) {
		/* Cut by the peer's window: at least half of the largest it ever had. */
		struct tcb_cold *c = tcb_cold(n, t);
		if (c->max_wnd < t->snd_wnd)
			c->max_wnd = t->snd_wnd;
		return len >= c->max_wnd / 2;
	}
	if (t->flags & F_FIN_QUEUED)
		return true;
	if (t->flags & F_CORK)
		return false;
	return t->flags & F_NODELAY || t->snd_nxt == t->snd_una;
}

/* Sends len bytes that were not sent yet. */
static inline bool send_next(struct ixn *n, struct tcb *t, uint32_t len)
{
	uint32_t first = t->rec_send, before = t->snd_nxt;
	uint32_t sent = send_records(n, t, &first, len, false);

	if (unlikely(!sent)) {
		tcp_pend(n, t);
		return false;
	}
	t->rec_send = first;
	t->snd_nxt += sent;
	if (unlikely(t->snd_nxt < before))
		tcb_cold(n, t)->snd_wraps++;
	if (unlikely(t->flags & F_LOSS))
		tcb_cold(n, t)->prr_out += sent;
	return true;
}

static void send_new(struct ixn *n, struct tcb *t)
{
	if (unlikely(t->flags & F_FULL))
		t->flags &= ~F_FULL;
	while (t->rec_send != NONE) {
		uint32_t left = unsent_bytes(n, t), max = t->mss;
		int32_t wnd = (int32_t)(t->snd_una + t->snd_wnd - t->snd_nxt);
		if (unlikely(n->cfg.tso_max && left > max))
			max = n->cfg.tso_max / t->mss * t->mss;
		uint32_t len = left < max ? left : max;
		/* Small segments in great number must not take all records; an ACK or the timer
		 * goes on. */
		if (unlikely(n->rec_free_count < n->rec_reserve) && n->rec[t->rec_send].len > len &&
		    t->snd_nxt != t->snd_una)
			return;
		if (unlikely(!len)) { /* only a FIN is left; it may pass a closed window */
			send_next(n, t, 1);
			return;
		}
		bool all = len == left;
		if (unlikely((int32_t)len > wnd)) {
			if (wnd <= 0)
				return;
			len = (uint32_t)wnd;
			all = false;
		}
		uint32_t room = tcp_cwnd_room(n, t);
		if (unlikely(len > room)) {
			/* Whole segments only: the rest of the window is for the next ACK. */
			len = room / t->mss * t->mss;
			if (!len) {
				t->flags |= F_FULL;
				return;
			}
			all = false;
		} else if (len > t->mss && !all) {
			len = len / t->mss * t->mss;
		}
		if (len < t->mss && !small_may_go(n, t, len, all))
			return;
		if (unlikely(!send_next(n, t, len)))
			return;
	}
}

bool tcp_send_forced(struct ixn *n, struct tcb *t)
{
	uint32_t len = unsent_bytes(n, t);
	int32_t wnd = (int32_t)(t->snd_una + t->snd_wnd - t->snd_nxt);

	if (len > t->mss)
		len = t->mss;
	if ((int32_t)len > wnd)
		len = wnd > 0 ? (uint32_t)wnd : 0;
	return len && send_next(n, t, len);
}

void tcp_restart_after_idle(struct ixn *n, struct tcb *t)
{
	if (likely(t->cwnd <= n->cfg.tcp.iw * (uint32_t)t->mss) || t->snd_nxt != t->snd_una)
		return;
	struct tcb_cold *c = tcb_cold(n, t);
	if (n->tick - c->last_send > tcp_rto(n, t))
		t->cwnd = cc_initial_window(n, t->mss);
}

void tcp_output(struct ixn *n, struct tcb *t)
{
	if (unlikely(t->state < IXN_ESTABLISHED || t->state == IXN_TIME_WAIT)) {
		t->flags &= ~F_ACK_NOW;
		return;
	}
	if (unlikely(t->flags & F_RETRY))
		conn_queue_fin(n, t);
	if (unlikely(t->flags & F_LOSS))
		send_lost(n, t);
	if (t->rec_send != NONE) {
		uint32_t before = t->snd_nxt;
		tcp_restart_after_idle(n, t);
		send_new(n, t);
		if (t->snd_nxt != before) {
			if (t->cwnd > n->cfg.tcp.iw * (uint32_t)t->mss)
				tcb_cold(n, t)->last_send = n->tick;
			tcp_set_rto(n, t);
		}
	}
	/* After a retransmission, or to probe a closed window. */
	if (unlikely(!t->rto_at && t->rec_head != NONE))
		tcp_set_rto(n, t);
	if (t->flags & F_ACK_NOW)
		tcp_send_ack(n, t);
	tcp_arm(n, t);
}

void tcp_mtu_reduced(struct ixn *n, struct tcb *t, uint16_t mtu)
{
	/* RFC 1191 5: routers that do not say are taken at the next plateau; 552 is the least
	 * that is believed (as Linux's min_pmtu), so that nobody makes us send crumbs. */
	static const uint16_t plateau[] = {4352, 2002, 1492, 1006, 576};
	uint32_t hdr = 40 + (t->flags & F_TS ? 12 : 0), now = t->mss + hdr;

	if (mtu < 68) {
		for (uint32_t i = 0; i < 5 && mtu < 68; i++) {
			if (plateau[i] < now)
				mtu = plateau[i];
		}
	}
	if (mtu < 552)
		mtu = 552;
	if (mtu >= now)
		return;
	t->mss = (uint16_t)(mtu - hdr);
	/* What is in flight was too long: send it again, without a congestion reaction. */
	struct tcb_cold *c = tcb_cold(n, t);
	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		if (r->len > t->mss && !(r->flags & (REC_SACKED | REC_LOST))) {
			loss_watch(n, t);
			r->flags |= REC_LOST;
			c->lost += rec_seqlen(r);
		}
	}
	tcp_pend(n, t);
}
