/* SPDX-License-Identifier: MIT */
/*
 * Acknowledgements: the send queue, the window, loss detection and recovery.
 *
 * tcp_ack() has a short path for connections without loss state (F_LOSS), which is the usual case.
 * The rest follows RFC 8985 (RACK-TLP) or, by configuration, RFC 6675, and RFC 6582 for peers
 * without SACK; the window in recovery follows RFC 6937 (PRR); spurious recoveries are undone by
 * timestamps (RFC 3522) and D-SACK (RFC 3708).
 */
#include "net/tcp/tcp.h"

struct ack {
	uint32_t data;      /* payload bytes acknowledged cumulatively */
	uint32_t delivered; /* sequence space that has newly arrived, SACKed or not */
	uint32_t rtt;       /* of the oldest record that was sent once; 0: none */
	uint32_t una;       /* before */
	uint32_t flight;    /* before */
	bool newer, fin, dup, dsack;
};

/* RFC 8985 5.2: whether (x1, seq1) was sent after (x2, seq2). */
static inline bool sent_after(uint32_t x1, uint32_t seq1, uint32_t x2, uint32_t seq2)
{
	return (int32_t)(x1 - x2) > 0 || (x1 == x2 && SEQ_GT(seq1, seq2));
}

/* RFC 8985 6.2 step 2 */
static void rack_update(struct ixn *n, struct tcb *t, struct tcb_cold *c, const struct txrec *r)
{
	uint32_t rtt = (uint32_t)n->now - r->xmit, end = r->seq + rec_seqlen(r);

	if (r->flags & REC_RETRANS && rtt < c->min_rtt)
		return; /* more likely an answer to the first transmission */
	c->rack_rtt = rtt;
	if (sent_after(r->xmit, end, t->rack_xmit, c->rack_end)) {
		t->rack_xmit = r->xmit;
		c->rack_end = end;
	}
}

/* Takes what is acknowledged out of the send queue. */
static inline void remove_acked(struct ixn *n, struct tcb *t, uint32_t ack, struct ack *a,
				bool slow)
{
	uint32_t now = (uint32_t)n->now;

	while (t->rec_head != t->rec_send) {
		uint32_t id = t->rec_head;
		struct txrec *r = &n->rec[id];
		uint32_t len = rec_seqlen(r);
		if (unlikely(SEQ_GT(r->seq + len, ack))) {
			uint32_t cut = ack - r->seq;
			if (SEQ_LEQ(ack, r->seq))
				break;
			if (slow) {
				struct tcb_cold *c = tcb_cold(n, t);
				if (r->flags & REC_SACKED)
					c->sacked -= cut;
				else
					a->delivered += cut;
				if (r->flags & REC_LOST)
					c->lost -= cut;
			}
			r->ptr += cut;
			r->dma += cut;
			r->seq += cut;
			r->len -= cut;
			a->data += cut;
			break;
		}
		if (unlikely(slow)) {
			struct tcb_cold *c = tcb_cold(n, t);
			if (r->flags & REC_SACKED) {
				c->sacked -= len;
			} else {
				a->delivered += len;
				rack_update(n, t, c, r);
				/* Data below what is SACKed that was sent once came late. */
				if (!(r->flags & REC_RETRANS) && SEQ_LT(r->seq, c->fack))
					c->reordering = true;
			}
			if (r->flags & REC_LOST)
				c->lost -= len;
		} else {
			t->rack_xmit = r->xmit;
		}
		if (!(r->flags & (REC_RETRANS | REC_SACKED)) && !a->rtt)
			a->rtt = now - r->xmit ? now - r->xmit : 1;
		a->data += r->len;
		a->fin |= r->flags & REC_FIN;
		t->rec_head = r->next;
		rec_put(n, id);
	}
	if (t->rec_head == NONE)
		t->rec_tail = NONE;
	t->snd_una = ack;
	if (unlikely(a->fin))
		t->flags |= F_FIN_ACKED;
}

static void report_sent(struct ixn *n, struct tcb *t, uint32_t data)
{
	t->flags &= ~F_WANT;
	if (likely((t->flags & (F_APP | F_EVENTS)) == F_APP)) {
		struct ixn_event *ev = ev_get(n);
		if (likely(ev != NULL)) {
			conn_event_head(n, t, ev, IXN_EV_SENT);
			ev->len = data;
			ev->window = conn_room(n, t);
			return;
		}
	}
	tcb_cold(n, t)->acked_unreported += data;
	conn_event(n, t, EVP_SENT);
}

/* ---- the congestion window */

uint32_t tcp_cwnd_room(const struct ixn *n, const struct tcb *t)
{
	int32_t room = (int32_t)(t->cwnd - tcp_pipe(n, t));

	return room > 0 ? (uint32_t)room : 0;
}

void tcp_grow_limited(struct ixn *n, struct tcb *t, uint32_t flight, uint32_t acked)
{
	bool full = t->flags & F_FULL;
	struct tcb_cold *c = tcb_cold(n, t);
	if (!full && t->cwnd >= c->ssthresh && flight + t->mss < t->cwnd)
		return;
	uint32_t iw = cc_initial_window(n, t->mss);
	bool small = t->cwnd <= iw;
	cc_ops(c->cc)->ack(n, t, c, acked);
	if (unlikely(small && t->cwnd > iw)) /* so far nobody has noted it */
		c->last_send = n->tick;
	/* Whatever the size of its segments, one connection takes a quarter of the records. */
	uint64_t most = (uint64_t)(n->cfg.tx_recs / 4) * t->mss;
	if (unlikely(t->cwnd > most) && t->cwnd > iw)
		t->cwnd = (uint32_t)most > iw ? (uint32_t)most : iw;
}

static void reduce(struct ixn *n, struct tcb *t, struct tcb_cold *c, bool ecn)
{
	c->undo = true;
	c->undo_cwnd = t->cwnd;
	c->undo_ssthresh = c->ssthresh;
	c->undo_retrans = 0;
	c->retrans_ts = 0;
	c->ssthresh = cc_ops(c->cc)->reduce(n, t, c, ecn);
	if (c->ssthresh < 2u * t->mss)
		c->ssthresh = 2u * t->mss;
}

static void undo(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	n->st.tcp_undo++;
	if (t->cwnd < c->undo_cwnd)
		t->cwnd = c->undo_cwnd;
	c->last_send = n->tick;
	if (c->ssthresh < c->undo_ssthresh)
		c->ssthresh = c->undo_ssthresh;
	if (cc_ops(c->cc)->undo)
		cc_ops(c->cc)->undo(n, t, c);
	/* What was judged lost was not. */
	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next)
		n->rec[id].flags &= ~REC_LOST;
	c->lost = 0;
	c->undo = false;
	c->recovery = RECOVERY_NONE;
}

static void enter_recovery(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	n->st.tcp_fast_recovery++;
	c->recover_fs = t->snd_nxt - t->snd_una;
	reduce(n, t, c, false);
	c->recovery = RECOVERY_FAST;
	c->recover = t->snd_nxt;
	c->prr_delivered = c->prr_out = 0;
	c->dupacks = 0;
}

/* RFC 6937 3.1, with the slow-start reduction bound. */
static void prr(const struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t delivered)
{
	uint32_t pipe = tcp_pipe(n, t);
	int64_t count;

	c->prr_delivered += delivered;
	if (pipe > c->ssthresh) {
		count = (int64_t)(((uint64_t)c->prr_delivered * c->ssthresh + c->recover_fs - 1) /
				  (c->recover_fs ? c->recover_fs : 1)) -
			c->prr_out;
	} else {
		int64_t bound = (int64_t)c->prr_delivered - c->prr_out;
		if (bound < (int64_t)delivered)
			bound = delivered;
		count = (int64_t)c->ssthresh - pipe;
		if (count > bound + t->mss)
			count = bound + t->mss;
	}
	/* The first retransmission of a recovery always goes. */
	if (count < t->mss && !c->prr_out)
		count = t->mss;
	t->cwnd = pipe + (count > 0 ? (uint32_t)count : 0);
}

/* ---- SACK */

/* before: the highest number known to have arrived when the ACK came. */
static uint32_t mark_sacked(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t lo,
			    uint32_t hi, uint32_t before)
{
	uint32_t fresh = 0;

	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		uint32_t end = r->seq + rec_seqlen(r);
		if (SEQ_LEQ(hi, r->seq))
			break;
		if (SEQ_LEQ(end, lo) || r->flags & REC_SACKED)
			continue;
		/* Boundaries of blocks are boundaries of packets; but with TSO several packets
		 * are one record. */
		if (SEQ_LT(r->seq, lo)) {
			if (!rec_split(n, t, id, lo - r->seq))
				continue;
			continue; /* the second part is next */
		}
		if (SEQ_GT(end, hi)) {
			if (hi - r->seq >= r->len || !rec_split(n, t, id, hi - r->seq))
				continue;
			r = &n->rec[id];
			end = hi;
		}
		uint32_t len = rec_seqlen(r);
		if (r->flags & REC_LOST) {
			c->lost -= len;
			r->flags &= ~REC_LOST;
		}
		if (!(r->flags & REC_RETRANS) && SEQ_LT(r->seq, before))
			c->reordering = true;
		r->flags |= REC_SACKED;
		c->sacked += len;
		fresh += len;
		rack_update(n, t, c, r);
		if (SEQ_GT(end, c->fack))
			c->fack = end;
	}
	return fresh;
}

static void sack_in(struct ixn *n, struct tcb *t, struct tcb_cold *c, const struct seg *s,
		    struct ack *a)
{
	uint32_t before = c->fack;

	for (uint32_t i = 0; i < s->nsack; i++) {
		uint32_t lo = get32(s->sack + 8 * i), hi = get32(s->sack + 8 * i + 4);
		if (SEQ_GEQ(lo, hi))
			continue;
		/* RFC 2883 4: first block below the ACK, or inside the second one */
		if (!i &&
		    (SEQ_LEQ(hi, s->ack) || (s->nsack > 1 && SEQ_GEQ(lo, get32(s->sack + 8)) &&
					     SEQ_LEQ(hi, get32(s->sack + 12))))) {
			n->st.tcp_dsack_in++;
			a->dsack = true;
			if (SEQ_LEQ(hi, s->ack))
				continue;
		}
		if (SEQ_LT(lo, t->snd_una) || SEQ_GT(hi, t->snd_nxt))
			continue;
		a->delivered += mark_sacked(n, t, c, lo, hi, before);
	}
}

/* ---- loss detection */

static void mark_lost(struct tcb_cold *c, struct txrec *r)
{
	r->flags |= REC_LOST;
	c->lost += rec_seqlen(r);
}

static uint32_t reo_wnd(const struct tcb *t, const struct tcb_cold *c)
{
	/* RFC 8985 6.2 step 4 */
	if (!c->reordering && (c->recovery != RECOVERY_NONE || c->sacked >= 3u * t->mss))
		return 0;
	uint32_t w = c->min_rtt / 4 * c->reo_mult, srtt = t->srtt >> 3;
	return w < srtt ? w : srtt;
}

/* RFC 8985 6.2 step 5. Returns microseconds until more can be judged; 0: nothing is waiting. */
static uint32_t rack_detect(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint32_t wnd = reo_wnd(t, c), now = (uint32_t)n->now, wait = 0;

	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		if (r->flags & (REC_SACKED | REC_LOST))
			continue;
		/*
		 * All that leaves in one cycle has one time. New data is then in the order of its
		 * numbers, which a retransmission is not. And what follows a piece that was sent
		 * once was sent no earlier than that.
		 */
		if (r->flags & REC_RETRANS) {
			if ((int32_t)(t->rack_xmit - r->xmit) <= 0)
				continue;
		} else if (!sent_after(t->rack_xmit, c->rack_end, r->xmit,
				       r->seq + rec_seqlen(r))) {
			break;
		}
		int32_t left = (int32_t)(r->xmit + c->rack_rtt + wnd - now);
		if (left <= 0)
			mark_lost(c, r);
		else if ((uint32_t)left > wait)
			wait = (uint32_t)left;
	}
	return wait;
}

/* RFC 6675 4, IsLost(): more than two segments' worth of SACKed data above. */
static void dupthresh_detect(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint32_t above = c->sacked;

	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		if (r->flags & REC_SACKED)
			above -= rec_seqlen(r);
		else if (above > 2u * t->mss && !(r->flags & (REC_LOST | REC_RETRANS)))
			mark_lost(c, r);
	}
}

/* Without SACK: the first segment not acknowledged is the one that is missing. */
static void head_lost(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint32_t id = t->rec_head, len = 0;

	while (id != t->rec_send && len < t->mss) {
		struct txrec *r = &n->rec[id];
		if (len + r->len > t->mss && len)
			break;
		if (r->len > t->mss && !rec_split(n, t, id, t->mss))
			break;
		r = &n->rec[id];
		len += r->len;
		if (!(r->flags & REC_LOST))
			mark_lost(c, r);
		id = r->next;
	}
}

uint32_t loss_next(const struct ixn *n, const struct tcb *t)
{
	if (!tcb_cold(n, t)->lost)
		return NONE;
	for (uint32_t id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		if (n->rec[id].flags & REC_LOST)
			return id;
	}
	return NONE;
}

void loss_rto(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t now = (uint32_t)n->now, id = t->rec_head, wnd = reo_wnd(t, c);
	bool first = true;

	/* RFC 2018 8: a peer that SACKed the first record and did not acknowledge it has
	 * changed its mind. Without SACK the count was only estimated. */
	if (!(t->flags & F_SACK) || (id != t->rec_send && n->rec[id].flags & REC_SACKED)) {
		for (; id != t->rec_send; id = n->rec[id].next)
			n->rec[id].flags &= ~REC_SACKED;
		c->sacked = 0;
	}
	if (c->recovery != RECOVERY_RTO) { /* RFC 5681 3.1: once per loss event */
		if (c->recovery == RECOVERY_NONE)
			reduce(n, t, c, false);
		else
			c->undo = false;
		c->recovery = RECOVERY_RTO;
	}
	c->recover = t->snd_nxt;
	c->tlp_out = false;
	c->dupacks = 0;
	/* RFC 8985 6.3: the first, and all that were sent long enough ago */
	for (id = t->rec_head; id != t->rec_send; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		if (r->flags & (REC_SACKED | REC_LOST))
			continue;
		if (first || !n->cfg.tcp.rack || !(t->flags & F_SACK) ||
		    (int32_t)(r->xmit + c->rack_rtt + wnd - now) <= 0)
			mark_lost(c, r);
		first = false;
	}
	t->cwnd = t->mss + tcp_pipe(n, t);
}

static void arm_reorder(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t wait)
{
	t->rto_at = tick_after(n, us_to_ticks(wait) + 1);
	t->flags &= ~F_TLP;
	c->timer = TM_REORDER;
	tcp_arm(n, t);
}

void loss_reorder_timer(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t wait = rack_detect(n, t, c);

	c->timer = TM_RTO;
	if (c->lost && c->recovery == RECOVERY_NONE) {
		enter_recovery(n, t, c);
		prr(n, t, c, 0);
	}
	if (wait)
		arm_reorder(n, t, c, wait);
	else
		tcp_set_rto(n, t);
	tcp_pend(n, t);
}

/* RFC 8985 7.4: what the answer to a tail loss probe tells. */
static void tlp_answer(struct ixn *n, struct tcb *t, struct tcb_cold *c, const struct ack *a)
{
	if (SEQ_LT(t->snd_una, c->tlp_end))
		return;
	if (!c->tlp_retrans || a->dsack) {
		c->tlp_out = false;
	} else if (SEQ_GT(t->snd_una, c->tlp_end) || a->newer) {
		/* The probe repaired a loss: the congestion must be answered, if later ACKs do
		 * not show a duplicate. RFC 8985 7.4.2 reacts when the ACK passes the probe. */
		if (SEQ_GT(t->snd_una, c->tlp_end)) {
			c->tlp_out = false;
			if (c->recovery == RECOVERY_NONE) {
				reduce(n, t, c, false);
				t->cwnd = c->ssthresh;
				c->undo = false;
			}
		}
	} else if (a->dup) {
		c->tlp_out = false;
	}
}

static void ecn_echo(struct ixn *n, struct tcb *t, struct tcb_cold *c, const struct seg *s,
		     uint32_t delivered)
{
	bool ece = s->flags & TH_ECE;
	const struct cc_ops *cc = cc_ops(c->cc);

	if (cc->mark)
		cc->mark(n, t, c, delivered, ece);
	/* RFC 3168 6.1.2: once per window of data */
	if (SEQ_LT(t->snd_una, c->cwr_end))
		return;
	c->cwr_end = t->snd_una; /* does not fall behind by half of the number space */
	if (!ece || c->recovery != RECOVERY_NONE)
		return;
	reduce(n, t, c, true);
	c->undo = false;
	if (t->cwnd > c->ssthresh)
		t->cwnd = c->ssthresh;
	c->cwr_end = t->snd_nxt;
	t->flags |= F_CWR;
}

/* D-SACKs say that retransmissions were needless (RFC 8985 6.2 step 3, RFC 3708). */
static void dsack_in(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	if (SEQ_GEQ(t->snd_una, c->dsack_round)) { /* once per round trip */
		if (c->reo_mult < 255)
			c->reo_mult++;
		c->reo_persist = 16;
		c->dsack_round = t->snd_nxt;
	}
	if (c->undo && c->undo_retrans && !--c->undo_retrans && !c->lost)
		undo(n, t, c);
}

static void leave_recovery(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	if (c->recovery == RECOVERY_FAST) {
		/* RFC 6582 3.2 (3): no burst */
		uint32_t flight = t->snd_nxt - t->snd_una;
		uint32_t calm = (flight > t->mss ? flight : t->mss) + t->mss;
		t->cwnd = c->ssthresh;
		if (!(t->flags & F_SACK) && calm < t->cwnd)
			t->cwnd = calm;
		c->last_send = n->tick;
	}
	if (c->reo_persist && !--c->reo_persist)
		c->reo_mult = 1;
	c->recovery = RECOVERY_NONE;
}

static void detect(struct ixn *n, struct tcb *t, struct tcb_cold *c, const struct ack *a,
		   uint32_t *wait)
{
	if (t->flags & F_SACK) {
		if (n->cfg.tcp.rack)
			*wait = rack_detect(n, t, c);
		else
			dupthresh_detect(n, t, c);
		return;
	}
	/* RFC 6582: the third duplicate, or a partial ACK in recovery */
	if (c->recovery == RECOVERY_FAST ? a->newer : c->dupacks == 3)
		head_lost(n, t, c);
}

/* Without SACK each duplicate ACK stands for a segment that has arrived (RFC 5681 3.2). */
static void reno_dup(struct tcb *t, struct tcb_cold *c, struct ack *a)
{
	uint32_t flight = t->snd_nxt - t->snd_una;

	if (c->dupacks < 255)
		c->dupacks++;
	if (c->sacked + c->lost + t->mss < flight) {
		c->sacked += t->mss;
		a->delivered += t->mss;
	}
}

static void reno_newer(struct tcb *t, struct tcb_cold *c, const struct ack *a)
{
	uint32_t gone = t->snd_una - a->una;

	/* The segments in front of which there was a hole are now acknowledged. */
	gone = gone > t->mss ? gone - t->mss : 0;
	c->sacked = c->sacked > gone ? c->sacked - gone : 0;
	uint32_t flight = t->snd_nxt - t->snd_una;
	if (c->sacked + c->lost > flight)
		c->sacked = flight - c->lost;
	if (c->recovery == RECOVERY_NONE) {
		c->sacked = 0;
		c->dupacks = 0;
	}
}

static void ack_slow(struct ixn *n, struct tcb *t, struct seg *s, struct ack *a)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t wait = 0;

	loss_watch(n, t);
	if (t->snd_nxt == t->snd_una || !t->snd_wnd) /* answers a window probe (MUST-37) */
		c->retrans_at = 0;
	if (a->newer) {
		remove_acked(n, t, s->ack, a, true);
		if (SEQ_LT(c->fack, t->snd_una))
			c->fack = t->snd_una;
		c->backoff = c->retries = 0;
		c->retrans_at = 0;
		if (a->rtt) {
			tcp_rtt_sample(n, t, a->rtt);
		} else if (s->has_ts && s->tsecr) {
			/* RFC 7323 4: the echo tells even where Karn's rule does not allow to
			 * count; else a path that has become slower would never be learnt. */
			uint32_t ms = tcp_ts(n, t) - s->tsecr;
			if (ms && ms < 60000)
				tcp_rtt_sample(n, t, ms * 1000);
		}
		if (!(t->flags & F_SACK))
			reno_newer(t, c, a);
		/* RFC 3522: the ACK is for a segment sent before the first retransmission */
		if (c->undo && c->retrans_ts && s->has_ts && s->tsecr &&
		    (int32_t)(s->tsecr - c->retrans_ts) < -1)
			undo(n, t, c);
	} else if (a->dup && !(t->flags & F_SACK)) {
		reno_dup(t, c, a);
	}
	if (t->flags & F_SACK && s->nsack)
		sack_in(n, t, c, s, a);
	if (a->dsack)
		dsack_in(n, t, c);
	if (c->tlp_out)
		tlp_answer(n, t, c, a);
	if (c->recovery != RECOVERY_NONE && SEQ_GEQ(t->snd_una, c->recover))
		leave_recovery(n, t, c);

	detect(n, t, c, a, &wait);
	if (c->lost && c->recovery == RECOVERY_NONE)
		enter_recovery(n, t, c);
	if (c->recovery == RECOVERY_FAST)
		prr(n, t, c, a->delivered);
	else if (a->newer)
		tcp_grow(n, t, c->recovery == RECOVERY_RTO ? t->cwnd : a->flight, s->ack - a->una);
	if (t->flags & F_ECN)
		ecn_echo(n, t, c, s, a->delivered);

	if (wait)
		arm_reorder(n, t, c, wait);
	else if (a->newer || c->timer == TM_REORDER ||
		 (t->flags & F_TLP && c->recovery != RECOVERY_NONE)) /* RFC 8985 7.2 */
		tcp_set_rto(n, t);
	/* Back to the short path when nothing is left to watch. */
	if (c->recovery == RECOVERY_NONE && !c->sacked && !c->lost && !c->tlp_out && !c->backoff &&
	    !c->retries && !(c->dupacks && t->snd_nxt != t->snd_una)) {
		t->flags &= ~F_LOSS;
		c->dupacks = 0;
		c->timer = TM_RTO;
		if (SEQ_GEQ(t->snd_una, c->recover))
			c->undo = false;
	}
	tcp_pend(n, t);
}

void tcp_ack(struct ixn *n, struct tcb *t, struct seg *s)
{
	uint32_t wnd = s->wnd << t->snd_wscale;
	struct ack a = {.una = t->snd_una,
			.flight = t->snd_nxt - t->snd_una,
			.newer = SEQ_GT(s->ack, t->snd_una)};
	bool moved = false, shut = !t->snd_wnd;

	if (unlikely(SEQ_LT(s->ack, t->snd_una)))
		return;
	/* SND.WL2 is not kept: an ACK that is not old may only open the window further with the
	 * same segment, which is what comparing the acknowledgement numbers is for. */
	if (a.newer || SEQ_GT(s->seq, t->snd_wl1) ||
	    (s->seq == t->snd_wl1 && (wnd > t->snd_wnd || !wnd))) {
		t->snd_wl1 = s->seq;
		moved = wnd != t->snd_wnd;
		t->snd_wnd = wnd;
	}
	/* RFC 5681 2 */
	a.dup = !a.newer && a.flight && !s->len && !moved && !(s->flags & (TH_SYN | TH_FIN));
	if (unlikely(t->flags & (F_LOSS | F_ECN) || s->nsack || a.dup)) {
		ack_slow(n, t, s, &a);
	} else if (a.newer) {
		remove_acked(n, t, s->ack, &a, false);
		if (likely(a.rtt))
			tcp_rtt_sample(n, t, a.rtt);
		tcp_grow(n, t, a.flight, s->ack - a.una);
		if (likely(t->rec_head == NONE)) {
			t->rto_at = 0;
			t->flags &= ~F_TLP;
		} else {
			tcp_set_rto(n, t);
			tcp_pend(n, t);
		}
	} else if (moved && t->rec_send != NONE) {
		tcp_pend(n, t);
	}
	if (unlikely(moved && t->snd_nxt == t->snd_una && t->rec_send != NONE && wnd)) {
		/* The window has opened: no more probing. */
		tcb_cold(n, t)->retries = 0;
		t->rto_at = 0;
		tcp_pend(n, t);
	} else if (unlikely(shut && moved && a.flight && !a.newer && t->flags & F_LOSS)) {
		/* What was in flight when the peer took its window back: wait one RTO for it. */
		struct tcb_cold *c = tcb_cold(n, t);
		c->retries = c->backoff = 0;
		tcp_set_rto(n, t);
		tcp_pend(n, t);
	}
	if (a.data || unlikely(t->flags & F_WANT && conn_room(n, t)))
		report_sent(n, t, a.data);
}
