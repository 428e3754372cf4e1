/* SPDX-License-Identifier: MIT */
/* Segment arrival (RFC 9293 3.10.7) for synchronised states. */
#include "net/tcp/tcp.h"

#define RXB_FIN 0x80000000u /* in rxbuf.flags of segments held out of order */

bool tcp_parse_options(struct seg *s, const uint8_t *o, uint32_t len)
{
	s->has_ts = s->has_wscale = s->sack_ok = false;
	s->nsack = 0;
	s->mss = 0;
	while (len) {
		uint8_t kind = o[0];
		if (kind == 0)
			break;
		if (kind == 1) {
			o++;
			len--;
			continue;
		}
		/* RFC 9293 MUST-7: an illegal length ends the parsing */
		if (len < 2 || o[1] < 2 || o[1] > len)
			return false;
		switch (kind) {
		case 2:
			if (o[1] == 4)
				s->mss = get16(o + 2);
			break;
		case 3:
			if (o[1] == 3) {
				s->has_wscale = true;
				/* RFC 7323 2.3: more than 14 means 14 */
				s->wscale = o[2] > 14 ? 14 : o[2];
			}
			break;
		case 4:
			s->sack_ok = o[1] == 2;
			break;
		case 5:
			if (o[1] >= 10 && (o[1] - 2) % 8 == 0) {
				s->nsack = (uint8_t)((o[1] - 2) / 8);
				s->sack = o + 2;
			}
			break;
		case 8:
			if (o[1] == 10) {
				s->has_ts = true;
				s->tsval = get32(o + 2);
				s->tsecr = get32(o + 6);
			}
			break;
		default: /* MUST-6 */
			break;
		}
		len -= o[1];
		o += o[1];
	}
	return true;
}

/*
 * RFC 7323 5: PAWS. After 24 days of silence a timestamp says nothing (5.5). An active connection is
 * seen by its timer, so that there is no need to note the time of each segment.
 */
static bool paws_reject(struct ixn *n, struct tcb *t, const struct seg *s)
{
	return (int32_t)(s->tsval - t->ts_recent) < 0 &&
	       now_seconds(n) - tcb_cold(n, t)->seen_at < 24u * 24 * 3600;
}

/* Both directions are finished. An application that has not closed yet keeps what it holds. */
static void finished(struct ixn *n, struct tcb *t)
{
	if (t->flags & F_CLOSED)
		conn_end(n, t, 0, true);
	else
		conn_linger(n, t);
}

/* Our FIN has been acknowledged. True: the connection is gone. */
static bool fin_acked(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);

	switch (t->state) {
	case IXN_FIN_WAIT_1:
		t->state = IXN_FIN_WAIT_2;
		if (t->flags & F_CLOSED) {
			c->life_at = tick_after(n, us_to_ticks(n->cfg.tcp.fin_wait2_us));
			t->flags |= F_COLD_TIMER;
			tcp_pend(n, t);
		}
		return false;
	case IXN_CLOSING:
		tw_enter(n, t);
		finished(n, t);
		return true;
	case IXN_LAST_ACK:
		finished(n, t);
		return true;
	default:
		return false;
	}
}

/* The acknowledgement that a segment carries. True: the connection is gone. */
static inline bool ack_in(struct ixn *n, struct tcb *t, struct seg *s)
{
	bool had_fin = t->flags & F_FIN_ACKED;

	tcp_ack(n, t, s);
	return unlikely(!had_fin && t->flags & F_FIN_ACKED) && fin_acked(n, t);
}

/* The peer's FIN has been reached in order. True: the connection is gone. */
static bool fin_received(struct ixn *n, struct tcb *t)
{
	t->rcv_nxt++;
	t->flags |= F_FIN_RCVD | F_ACK_NOW;
	tcp_pend(n, t);
	conn_event(n, t, EVP_EOF);
	switch (t->state) {
	case IXN_SYN_RCVD:
	case IXN_ESTABLISHED:
		t->state = IXN_CLOSE_WAIT;
		return false;
	case IXN_FIN_WAIT_1:
		t->state = IXN_CLOSING;
		return false;
	case IXN_FIN_WAIT_2:
		tcp_send_ack(n, t);
		tw_enter(n, t);
		finished(n, t);
		return true;
	default:
		return false;
	}
}

static void note_rcv_wrap(struct ixn *n, struct tcb *t, uint32_t old)
{
	if (unlikely(t->rcv_nxt < old)) {
		tcb_cold(n, t)->rcv_wraps++;
		tcb_cold(n, t)->seen_at =
		    now_seconds(n); /* PAWS is for old numbers that come back */
	}
}

/* A duplicate is reported once, in the first SACK block (RFC 2883 4). */
static void note_dsack(struct ixn *n, struct tcb *t, uint32_t lo, uint32_t hi)
{
	if (!(t->flags & F_SACK))
		return;
	struct tcb_cold *c = tcb_cold(n, t);
	if (t->flags & F_DSACK && SEQ_LEQ(c->dsack[0], hi) && SEQ_LEQ(lo, c->dsack[1])) {
		if (SEQ_LT(lo, c->dsack[0]))
			c->dsack[0] = lo;
		if (SEQ_GT(hi, c->dsack[1]))
			c->dsack[1] = hi;
		return;
	}
	c->dsack[0] = lo;
	c->dsack[1] = hi;
	t->flags |= F_DSACK;
}

/* While buffers are short a connection holds no more than so many. */
#define SCARCE_BUFS 8
/* Out of order, so many segments may be small: each arrival walks the list (CVE-2018-5390). */
#define OOO_CRUMBS 256

/* Whether the connection may hold another buffer. */
static bool may_hold(const struct ixn *n, const struct tcb *t, const struct ixn_rxbuf *b)
{
	uint32_t held = conn_held(t);

	if (t->flags & F_OOO)
		held += tcb_cold(n, t)->ooo_count;
	/* Of the buffers of reassembly, which TCP hardly needs, it holds half. */
	if (unlikely(b->flags & IXN_RX_SCARCE) && (held >= SCARCE_BUFS || b->flags & IXN_RX_REASM))
		return false;
	return held < n->cfg.tcp.max_rx_bufs;
}

/* Keeps a segment that came too early. What is already there wins over what comes later. */
static void ooo_insert(struct ixn *n, struct tcb *t, struct seg *s)
{
	struct tcb_cold *c = tcb_cold(n, t);
	struct ixn_rxbuf **p = &c->ooo, *prev = NULL;
	uint32_t lo = s->seq, hi = s->seq + s->len, off = 0;
	bool told = !(t->flags & F_ACK_NOW);

	n->st.tcp_ooo++;
	t->flags |= F_ACK_NOW; /* RFC 5681 4.2 */
	tcp_pend(n, t);
	if (!s->len)
		return; /* a FIN on its own will be sent again */
	/* What is out of order helps nobody else: it goes first when buffers are short. */
	if (s->buf->flags & (IXN_RX_SCARCE | IXN_RX_REASM) || !may_hold(n, t, s->buf) ||
	    (c->ooo_count >= OOO_CRUMBS && s->len < t->mss / 2u)) {
		n->st.tcp_ooo_drop++;
		return;
	}
	while (*p && SEQ_LT((*p)->seq, lo)) {
		prev = *p;
		p = &prev->next;
	}
	if (prev && SEQ_GT(prev->seq + prev->paylen, lo)) {
		uint32_t end = prev->seq + prev->paylen;
		note_dsack(n, t, lo, SEQ_LT(end, hi) ? end : hi);
		if (SEQ_GEQ(end, hi)) {
			n->st.tcp_dup_data++;
			return;
		}
		off = end - lo;
		lo = end;
	}
	/* Segments inside the new one are dropped in its favour only if wholly covered. */
	while (*p && SEQ_GEQ(hi, (*p)->seq + (*p)->paylen)) {
		struct ixn_rxbuf *old = *p;
		if (old->seq == lo && old->paylen == hi - lo) {
			note_dsack(n, t, lo, hi);
			n->st.tcp_dup_data++;
			return;
		}
		note_dsack(n, t, old->seq, old->seq + old->paylen);
		*p = old->next;
		c->ooo_count--;
		rx_release(n, old);
	}
	bool fin = s->flags & TH_FIN;
	if (*p && SEQ_GT(hi, (*p)->seq)) {
		note_dsack(n, t, (*p)->seq, hi);
		hi = (*p)->seq;
		fin = false;
		if (SEQ_GEQ(lo, hi))
			return;
	}
	/* An ACK has room for few blocks, and the first is the latest. Usually one ACK tells of all
	 * that a cycle has brought; but before a further block begins, what is known of the others
	 * goes out, or the sender would take for lost what is here (RFC 2018 4). */
	if (!told && c->ooo && !(prev && prev->seq + prev->paylen == lo))
		tcp_send_ack(n, t);
	struct ixn_rxbuf *b = s->buf;
	b->pay = s->data + off;
	b->paylen = hi - lo;
	b->seq = lo;
	b->flags = fin ? b->flags | RXB_FIN : b->flags & ~RXB_FIN;
	b->next = *p;
	*p = b;
	c->ooo_count++;
	c->ooo_last = lo;
	t->flags |= F_OOO;
	s->kept = true;
}

/* Delivers what has become contiguous. True: a FIN was reached. */
static bool ooo_drain(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);
	bool fin = false;

	while (c->ooo && SEQ_LEQ(c->ooo->seq, t->rcv_nxt)) {
		struct ixn_rxbuf *b = c->ooo;
		uint32_t end = b->seq + b->paylen, old = t->rcv_nxt;
		c->ooo = b->next;
		c->ooo_count--;
		if (SEQ_LEQ(end, t->rcv_nxt)) {
			note_dsack(n, t, b->seq, end);
			rx_release(n, b);
			continue;
		}
		uint32_t off = t->rcv_nxt - b->seq;
		b->pay += off;
		b->paylen -= off;
		fin = b->flags & RXB_FIN;
		t->rcv_nxt = end;
		note_rcv_wrap(n, t, old);
		t->rcv_wnd -= (int32_t)b->paylen;
		conn_deliver(n, t, b);
		if (fin)
			break;
	}
	/* RFC 5681 4.2: a segment that fills a gap is acknowledged at once */
	t->flags |= F_ACK_NOW;
	if (!c->ooo)
		t->flags &= ~F_OOO;
	return fin;
}

static void urgent(struct ixn *n, struct tcb *t, const struct seg *s)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t up = s->seq + s->urg; /* MUST-62: the octet after (RFC 6093 agrees in 3.1) */

	if (SEQ_LEQ(up, t->rcv_nxt) || (t->flags & F_URG && SEQ_LEQ(up, c->urg)))
		return;
	c->urg = up;
	t->flags |= F_URG;
	conn_event(n, t, EVP_URGENT);
}

/* Decides when new in-order data is acknowledged. */
static inline void ack_policy(struct ixn *n, struct tcb *t)
{
	tcp_pend(n, t);
	if (t->flags & (F_QUICK | F_QUICKACK) || !n->cfg.tcp.delack_us) {
		t->flags |= F_ACK_NOW;
		if (t->flags & F_QUICK) {
			struct tcb_cold *c = tcb_cold(n, t);
			if (!--c->quick)
				t->flags &= ~F_QUICK;
		}
		return;
	}
	/* RFC 9293 SHLD-19: more than one full segment is waiting */
	if (t->rcv_nxt - t->last_ack_sent > t->mss)
		t->flags |= F_ACK_NOW;
	else if (!t->ack_at)
		t->ack_at = tick_after(n, us_to_ticks(n->cfg.tcp.delack_us));
}

/* Data and FIN of an acceptable segment. True: the connection is gone. */
static bool data_in(struct ixn *n, struct tcb *t, struct seg *s)
{
	uint32_t end = s->seq + s->len;
	bool fin = s->flags & TH_FIN;

	if (t->flags & F_FIN_RCVD || t->state == IXN_SYN_RCVD) {
		/* Nothing new can follow a FIN. */
		if (s->len || fin) {
			t->flags |= F_ACK_NOW;
			tcp_pend(n, t);
		}
		return false;
	}
	if (unlikely(s->seq != t->rcv_nxt)) {
		if (SEQ_LT(s->seq, t->rcv_nxt)) { /* old bytes in front */
			uint32_t cut = t->rcv_nxt - s->seq;
			if (cut > s->len)
				cut = s->len;
			if (cut) {
				n->st.tcp_dup_data++;
				note_dsack(n, t, s->seq, s->seq + cut);
			}
			t->flags |= F_ACK_NOW;
			tcp_pend(n, t);
			s->data += cut;
			s->len -= cut;
			s->seq += cut;
			if (s->seq != t->rcv_nxt || (!s->len && !fin))
				return false;
		}
	}
	if (unlikely(SEQ_GT(end, t->rcv_adv))) { /* what lies beyond the window is cut off */
		uint32_t cut = end - t->rcv_adv;
		if (cut >= s->len) {
			n->st.tcp_out_of_window++;
			t->flags |= F_ACK_NOW;
			tcp_pend(n, t);
			return false;
		}
		s->len -= cut;
		fin = false;
		s->flags &= ~TH_FIN;
		t->flags |= F_ACK_NOW;
	}
	if (unlikely(t->flags & F_CLOSED && s->len)) {
		/* RFC 9293 SHLD-3, RFC 2525 2.17: nobody will read this */
		tcp_send_rst(n, t);
		conn_end(n, t, -IXN_ECONNABORTED, true);
		return true;
	}
	if (unlikely(s->seq != t->rcv_nxt)) {
		ooo_insert(n, t, s);
		return false;
	}
	if (likely(s->len)) {
		if (unlikely(!may_hold(n, t, s->buf))) {
			n->st.tcp_rx_limit++;
			t->flags |= F_ACK_NOW;
			tcp_pend(n, t);
			return false;
		}
		uint32_t old = t->rcv_nxt;
		t->rcv_nxt += s->len;
		note_rcv_wrap(n, t, old);
		t->rcv_wnd -= (int32_t)s->len;
		s->buf->pay = s->data;
		s->buf->paylen = s->len;
		s->buf->seq = s->seq;
		s->kept = true;
		conn_deliver(n, t, s->buf);
		ack_policy(n, t);
	}
	if (unlikely(t->flags & F_OOO) && ooo_drain(n, t))
		fin = true;
	if (unlikely(t->flags & F_URG) && SEQ_GEQ(t->rcv_nxt, tcb_cold(n, t)->urg))
		t->flags &= ~F_URG;
	return fin ? fin_received(n, t) : false;
}

/* RFC 9293 3.10.7.4, "first, check sequence number". */
static inline bool acceptable(const struct tcb *t, const struct seg *s)
{
	uint32_t wnd = t->rcv_adv - t->rcv_nxt;
	uint32_t len = s->len + (s->flags & TH_FIN);

	if (!len)
		return s->seq == t->rcv_nxt || s->seq - t->rcv_nxt < wnd;
	return s->seq - t->rcv_nxt < wnd || (s->seq + len - 1) - t->rcv_nxt < wnd ||
	       /* covers the window wholly, or all of it is expected with an empty window */
	       (SEQ_LEQ(s->seq, t->rcv_nxt) && SEQ_GT(s->seq + len, t->rcv_nxt) && wnd);
}

static inline void ecn_in(struct ixn *n, struct tcb *t, const struct seg *s)
{
	if (!(t->flags & F_ECN))
		return;
	bool ce = (s->tos & 3) == 3;
	if (tcb_cold(n, t)->cc == IXN_CC_DCTCP) {
		/* RFC 8257 3.2: a change of CE is reported at once, with the old state */
		if (s->len && ce != !!(t->flags & F_ECE)) {
			if (t->ack_at || t->flags & F_ACK_NOW)
				tcp_send_ack(n, t);
			t->flags = ce ? t->flags | F_ECE : t->flags & ~F_ECE;
		}
	} else {
		/* RFC 3168 6.1.3 */
		if (s->flags & TH_CWR)
			t->flags &= ~F_ECE;
		if (ce && s->len)
			t->flags |= F_ECE;
	}
	if (ce)
		n->st.tcp_ecn_ce++;
}

/* A segment that cannot be used as it is. Returns true if processing ends. */
static bool odd_segment(struct ixn *n, struct tcb *t, struct seg *s)
{
	/* RFC 7323 5.3 R1; RST is exempt */
	if (t->flags & F_TS && s->has_ts && !(s->flags & TH_RST) && paws_reject(n, t, s)) {
		n->st.tcp_paws++;
		if (s->len || s->flags & (TH_SYN | TH_FIN))
			note_dsack(n, t, s->seq, s->seq + s->len);
		tcp_challenge_ack(n, t, s);
		return true;
	}
	/* RFC 7323 3.2: once agreed, a segment without timestamps (but RST) is dropped */
	if (t->flags & F_TS && !s->has_ts && !(s->flags & TH_RST))
		return true;
	if (!acceptable(t, s)) {
		/* MUST-66: RST and URG count even with a closed window; an ACK in a segment
		 * that is only just outside is still news (zero-window probes). */
		if (s->flags & TH_RST)
			return true;
		n->st.tcp_out_of_window++;
		if (t->state == IXN_SYN_RCVD && (s->flags & (TH_SYN | TH_ACK)) == TH_SYN &&
		    s->seq == tcb_cold(n, t)->irs) {
			tcp_send_syn(n, t); /* our SYN-ACK was lost */
			return true;
		}
		if (s->flags & TH_SYN) {
			tcp_challenge_ack(n, t, s);
			return true;
		}
		if (s->len && SEQ_LT(s->seq, t->rcv_nxt))
			note_dsack(n, t, s->seq,
				   SEQ_LT(s->seq + s->len, t->rcv_nxt) ? s->seq + s->len
								       : t->rcv_nxt);
		if (s->len || s->flags & TH_FIN) {
			n->st.tcp_dup_data++;
			t->flags |= F_ACK_NOW;
			tcp_pend(n, t);
		} else if (s->seq != t->rcv_nxt) {
			tcp_answer_probe(n, t); /* of an old number, as a rule */
		}
		/* Use the acknowledgement of an old or early segment, not its data. */
		if (s->flags & TH_ACK && SEQ_GEQ(s->ack, t->snd_una) &&
		    SEQ_LEQ(s->ack, t->snd_nxt) && t->state >= IXN_ESTABLISHED &&
		    t->rcv_adv == t->rcv_nxt)
			ack_in(n, t, s);
		return true;
	}
	if (s->flags & TH_RST) {
		n->st.tcp_rst_in++;
		/* RFC 5961 3.2: only the exact number resets */
		if (s->seq != t->rcv_nxt) {
			tcp_challenge_ack(n, t, s);
			return true;
		}
		/* An accepted RST in SYN-RCVD of a passive open just goes back to LISTEN. */
		conn_end(n, t, t->state == IXN_SYN_RCVD ? -IXN_ECONNREFUSED : -IXN_ECONNRESET,
			 true);
		return true;
	}
	if (s->flags & TH_SYN) { /* RFC 5961 4.2 */
		tcp_challenge_ack(n, t, s);
		return true;
	}
	if (!(s->flags & TH_ACK))
		return true;
	/* RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT */
	if (SEQ_GT(s->ack, t->snd_nxt) ||
	    SEQ_LT(s->ack, t->snd_una - tcb_cold(n, t)->max_wnd - t->snd_wnd)) {
		n->st.tcp_ack_bad++;
		tcp_challenge_ack(n, t, s);
		return true;
	}
	return false;
}

static void segment(struct ixn *n, struct tcb *t, struct seg *s)
{
	if (unlikely(t->state <= IXN_SYN_SENT)) {
		if (t->state == IXN_SYN_SENT)
			tcp_syn_sent_input(n, t, s);
		return;
	}
	/* The expected: in order, nothing but data and an ACK of what is in flight. */
	bool plain = (s->flags & (TH_ACK | TH_RST | TH_SYN | TH_FIN | TH_URG)) == TH_ACK &&
		     s->seq == t->rcv_nxt && s->has_ts == !!(t->flags & F_TS) &&
		     (!s->has_ts || (int32_t)(s->tsval - t->ts_recent) >= 0) &&
		     s->ack - t->snd_una <= t->snd_nxt - t->snd_una &&
		     s->len <= t->rcv_adv - t->rcv_nxt;
	if (unlikely(!plain) && odd_segment(n, t, s))
		return;
	/* RFC 7323 4.3 (2): the segment that spans the last number acknowledged */
	if (s->has_ts && t->flags & F_TS && SEQ_LEQ(s->seq, t->last_ack_sent) &&
	    (int32_t)(s->tsval - t->ts_recent) > 0)
		t->ts_recent = s->tsval;
	if (unlikely(t->flags & (F_KEEPALIVE | F_COLD_TIMER))) {
		struct tcb_cold *c = tcb_cold(n, t);
		c->last_rx = n->tick;
		c->keep_sent = 0;
	}
	if (unlikely(t->state == IXN_SYN_RCVD)) {
		if (SEQ_LEQ(s->ack, t->snd_una) || SEQ_GT(s->ack, t->snd_nxt)) {
			tcp_reset_reply(n, s);
			return;
		}
		if (!tcb_cold(n, t)->retries && !(t->flags & F_LOSS) && t->rack_xmit)
			tcp_rtt_sample(n, t, (uint32_t)n->now - t->rack_xmit);
		t->snd_una = s->ack;
		t->snd_wnd = s->wnd << t->snd_wscale;
		t->snd_wl1 = s->seq;
		tcp_established(n, t);
		if (t->flags & F_DEAD)
			return;
	}
	if (unlikely(t->flags & F_ECN))
		ecn_in(n, t, s);
	if (ack_in(n, t, s))
		return;
	if (unlikely(s->flags & TH_URG) && t->state <= IXN_FIN_WAIT_2)
		urgent(n, t, s);
	if (likely(s->len) || s->flags & TH_FIN)
		data_in(n, t, s);
}

void tcp_input(struct ixn *n, struct seg *s, uint32_t hash, uint32_t id)
{
	const uint8_t *th = s->th;
	uint32_t optlen = (uint32_t)(s->data - th) - 20;

	n->st.tcp_in++;
	s->kept = s->reopens = false;
	s->seq = get32(th + 4);
	s->ack = get32(th + 8);
	s->flags = th[13];
	s->wnd = get16(th + 14);
	s->urg = get16(th + 18);
	/* RFC 7323 appendix A: the usual layout is NOP, NOP, timestamps */
	if (likely(optlen == 12 && get32(th + 20) == 0x0101080a)) {
		s->has_ts = true;
		s->has_wscale = s->sack_ok = false;
		s->nsack = 0;
		s->mss = 0;
		s->tsval = get32(th + 24);
		s->tsecr = get32(th + 28);
	} else if (unlikely(!tcp_parse_options(s, th + 20, optlen))) {
		n->st.tcp_bad++; /* the options read so far count (MUST-7) */
	}

	uint32_t lip = n->addr[s->laddr].ip;
	if (likely(id != NONE)) {
		struct tcb *t = &n->tcb[id];
		/* One that has just ended, or gone over to TIME-WAIT, is not in the table any more. */
		if (likely(t->raddr == s->raddr && t->rport == s->rport && t->lport == s->lport &&
			   t->laddr == s->laddr && t->state != IXN_CLOSED &&
			   t->state != IXN_TIME_WAIT)) {
			segment(n, t, s);
			return;
		}
	}
	id = flow_find(n, hash, s->raddr, lip, s->rport, s->lport);
	if (id == NONE) {
		tcp_listen_input(n, s, hash);
	} else if (id & ID_TIMEWAIT) {
		if (!tw_input(n, id & ~ID_TIMEWAIT, s))
			tcp_listen_input(n, s, hash);
	} else {
		segment(n, &n->tcb[id], s);
	}
}

void tcp_rx(struct ixn *n, struct rxinfo *r)
{
	struct seg s = {
	    .buf = r->buf, .th = r->l4, .laddr = r->laddr, .raddr = r->src, .tos = r->tos};
	uint32_t off;

	if (r->l4_len < 20 || (off = (uint32_t)(r->l4[12] >> 4) * 4) < 20 || off > r->l4_len) {
		n->st.tcp_bad++;
		goto drop;
	}
	/* MUST-57 */
	if (r->laddr == 0xff || r->bcast)
		goto drop;
	if (!r->l4_ok && csum_fold(csum_add(csum_pseudo(r->src, r->dst, PROTO_TCP, r->l4_len),
					    r->l4, r->l4_len, 0)) != 0xffff) {
		n->st.tcp_csum++;
		goto drop;
	}
	s.rport = get16(r->l4);
	s.lport = get16(r->l4 + 2);
	s.data = r->l4 + off;
	s.len = r->l4_len - off;
	tcp_input(n, &s, flow_hash(n, r->src, r->dst, s.rport, s.lport), NONE);
	if (s.kept)
		return;
drop:
	rx_release(n, r->buf);
}

/* An ICMP error about a segment of ours (RFC 5927: only if it quotes a number in flight). */
void tcp_icmp(struct ixn *n, const uint8_t *l4, uint32_t raddr, uint32_t laddr, uint8_t type,
	      uint8_t code, uint16_t mtu)
{
	uint16_t lport = get16(l4), rport = get16(l4 + 2);
	uint32_t seq = get32(l4 + 4);
	uint32_t id =
	    flow_find(n, flow_hash(n, raddr, laddr, rport, lport), raddr, laddr, rport, lport);

	if (id == NONE || id & ID_TIMEWAIT)
		return;
	struct tcb *t = &n->tcb[id];
	struct tcb_cold *c = tcb_cold(n, t);
	if (SEQ_LT(seq, t->snd_una) || SEQ_GEQ(seq, t->snd_nxt))
		return;
	if (type == 3 && code == 4) { /* RFC 1191 */
		if (n->cfg.tcp.pmtud)
			tcp_mtu_reduced(n, t, mtu);
		return;
	}
	int err = type == 3 && (code == 0 || code == 6) ? -IXN_ENETUNREACH
		  : type == 3 && code == 3              ? -IXN_ECONNREFUSED
		  : type == 3 && code == 2              ? -IXN_EPROTO
							: -IXN_EHOSTUNREACH;
	if (t->state == IXN_SYN_SENT && type == 3) {
		/* RFC 9293 SHLD-26 for 2..4; RFC 5461 for the rest: a connect fails early on
		 * hard errors only. */
		if (code == 2 || code == 3)
			conn_end(n, t, err, true);
		else
			c->soft_err = (int16_t)err;
		return;
	}
	/* MUST-56, RFC 5927 4: in synchronised states all of them are soft. */
	c->soft_err = (int16_t)err;
	if (c->soft_errors && t->flags & F_APP)
		conn_event(n, t, EVP_ERROR);
}
