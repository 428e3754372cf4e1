/* SPDX-License-Identifier: MIT */
/*
 * Timers. A connection has one entry in the wheel at most. It stands for the earliest deadline
 * at the time it was set; when a deadline moves to a later time or away, as nearly each ACK does,
 * the wheel is left alone and the deadlines are compared when the entry fires.
 */
#include "net/tcp/tcp.h"

static uint32_t earlier(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	return (int32_t)(a - b) < 0 ? a : b;
}

void tcp_arm(struct ixn *n, struct tcb *t)
{
	uint32_t at = earlier(t->rto_at, t->ack_at);

	if (unlikely(t->flags & F_COLD_TIMER)) {
		const struct tcb_cold *c = tcb_cold(n, t);
		at = earlier(at, earlier(c->life_at, c->keep_at));
	}
	if (!at || (t->wheel_at && (int32_t)(t->wheel_at - at) <= 0))
		return;
	uint32_t id = tcb_id(n, t);
	if (t->wheel_at)
		wheel_del(&n->wheel, id);
	t->wheel_at = at;
	wheel_add(&n->wheel, id, at);
}

uint32_t tcp_rto(const struct ixn *n, const struct tcb *t)
{
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	uint64_t us = tcp_rto_us(cfg, t);

	if (unlikely(t->flags & F_LOSS)) {
		uint8_t b = tcb_cold(n, t)->backoff;
		us <<= b < 16 ? b : 16;
	}
	if (us > cfg->rto_max_us)
		us = cfg->rto_max_us;
	return us_to_ticks(us);
}

void tcp_rtt_sample(struct ixn *n, struct tcb *t, uint32_t us)
{
	if (!us)
		us = 1;
	if (unlikely(us > 1u << 27)) /* two minutes: no real path */
		us = 1u << 27;
	if (unlikely(!t->srtt)) { /* RFC 6298 2.2 */
		t->srtt = us << 3;
		t->rttvar = us << 1;
		tcb_cold(n, t)->min_rtt = us;
		return;
	}
	/* RFC 6298 2.3; srtt is scaled by 8, rttvar by 4 */
	int32_t delta = (int32_t)(us - (t->srtt >> 3));
	uint32_t mag = (uint32_t)(delta < 0 ? -delta : delta);
	/* The minimum is looked at only when a sample is well below the average: it is an upper
	 * bound, and an ordinary sample leaves the cold part alone. */
	if (delta < 0 && mag > t->srtt >> 4) {
		struct tcb_cold *c = tcb_cold(n, t);
		if (us < c->min_rtt)
			c->min_rtt = us;
	}
	t->srtt += (uint32_t)delta;
	t->rttvar += mag - (t->rttvar >> 2);
	if (!t->srtt)
		t->srtt = 1;
}

void tcp_set_rto(struct ixn *n, struct tcb *t)
{
	uint32_t rto = tcp_rto(n, t), at = rto;

	t->flags &= ~F_TLP;
	if (unlikely(t->snd_nxt == t->snd_una)) {
		if (t->rec_send == NONE) {
			t->rto_at = 0;
			return;
		}
		/* RFC 9293 3.8.6.1: first probe after one RTO, then backing off */
		uint8_t r = tcb_cold(n, t)->retries;
		uint64_t wait = (uint64_t)rto << (r < 16 ? r : 16);
		uint32_t max = us_to_ticks(n->cfg.tcp.rto_max_us);
		t->rto_at = tick_after(n, wait > max ? max : (uint32_t)wait);
		return;
	}
	if (unlikely(t->flags & F_LOSS)) {
		tcb_cold(n, t)->timer = TM_RTO;
	} else if (t->flags & F_SACK && n->cfg.tcp.rack && t->srtt) {
		uint32_t pto = us_to_ticks(tcp_pto_us(&n->cfg.tcp, t));
		if (pto < rto) {
			at = pto;
			t->flags |= F_TLP;
		}
	}
	t->rto_at = tick_after(n, at);
}

static void syn_timeout(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint8_t max = t->flags & F_PASSIVE ? n->cfg.tcp.synack_retries : n->cfg.tcp.syn_retries;

	if (c->retries >= max) {
		n->st.tcp_timeout++;
		conn_end(n, t, c->soft_err ? c->soft_err : -IXN_ETIMEDOUT, true);
		return;
	}
	c->retries++;
	if (c->backoff < 16)
		c->backoff++;
	n->st.tcp_retrans++;
	t->flags |= F_LOSS;
	tcp_send_syn(n, t);
}

/* R2 of a closed connection, for which nobody waits: the least that RFC 9293 asks for (SHLD-11). */
#define ORPHAN_US 100000000

/* R2: nothing was acknowledged for too long. True: the connection is gone. */
static bool give_up(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint32_t r2 = c->user_timeout;

	if (t->flags & F_CLOSED && r2 > us_to_ticks(ORPHAN_US))
		r2 = us_to_ticks(ORPHAN_US);
	if (!c->retrans_at) {
		c->retrans_at = n->tick ? n->tick : 1;
		return false;
	}
	if (n->tick - c->retrans_at < r2)
		return false;
	n->st.tcp_timeout++;
	conn_end(n, t, c->soft_err ? c->soft_err : -IXN_ETIMEDOUT, true);
	return true;
}

static void persist(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	if (give_up(n, t, c))
		return;
	/* MUST-37 is for applications that wait. Nobody waits for a closed connection, and a peer
	 * that never opens its window would keep it, and memory, for ever (RFC 6429 4). */
	if (t->flags & F_CLOSED && c->retries >= n->cfg.tcp.orphan_probes) {
		n->st.tcp_timeout++;
		tcp_send_rst(n, t);
		conn_end(n, t, -IXN_ETIMEDOUT, true);
		return;
	}
	if (c->retries < 255)
		c->retries++;
	if (t->snd_nxt != t->snd_una && c->backoff < 16)
		c->backoff++;
	loss_watch(n, t);
	if ((int32_t)(t->snd_una + t->snd_wnd - t->snd_nxt) > 0)
		tcp_send_forced(n, t); /* MUST-38: the time for waiting is over */
	else
		tcp_send_probe(n, t);
	tcp_set_rto(n, t);
}

static void tail_probe(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	n->st.tcp_tlp++;
	t->flags &= ~F_TLP;
	loss_watch(n, t);
	c->tlp_retrans = !tcp_send_forced(n, t);
	c->tlp_end = t->snd_nxt;
	if (c->tlp_retrans && !tcp_retransmit_tail(n, t)) {
		tcp_set_rto(n, t);
		return;
	}
	c->tlp_out = true;
	tcp_set_rto(n, t);
}

static void retransmit_timeout(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	n->st.tcp_rto++;
	if (give_up(n, t, c))
		return;
	loss_watch(n, t);
	if (c->backoff < 16)
		c->backoff++;
	if (c->backoff == n->cfg.tcp.r1_retries && c->soft_errors && t->flags & F_APP) {
		c->soft_err = -IXN_ETIMEDOUT; /* SHLD-9 */
		conn_event(n, t, EVP_ERROR);
		c->soft_err = 0;
	}
	loss_rto(n, t);
	tcp_set_rto(n, t);
	tcp_pend(n, t);
}

static void keepalive(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	uint32_t idle = n->tick - c->last_rx;

	if (!(t->flags & F_KEEPALIVE) || t->state == IXN_TIME_WAIT)
		return;
	/* MUST-26: only when nothing is outstanding, and after silence */
	if (!c->keep_sent && idle < c->keep_idle) {
		c->keep_at = tick_after(n, c->keep_idle - idle);
		return;
	}
	if (t->state < IXN_ESTABLISHED || t->snd_nxt != t->snd_una || t->rec_send != NONE) {
		c->keep_at = tick_after(n, c->keep_idle);
		return;
	}
	if (c->keep_sent >= c->keep_cnt) { /* MUST-29: only after several */
		n->st.tcp_timeout++;
		tcp_send_rst(n, t);
		conn_end(n, t, -IXN_ETIMEDOUT, true);
		return;
	}
	c->keep_sent++;
	n->st.tcp_keepalive++;
	tcp_send_probe(n, t); /* SHLD-12: without data */
	c->keep_at = tick_after(n, c->keep_intvl);
}

static bool due(const struct ixn *n, uint32_t at)
{
	return at && (int32_t)(n->tick - at) >= 0;
}

void tcp_timer(struct ixn *n, uint32_t id)
{
	struct tcb *t = &n->tcb[id];
	struct tcb_cold *c = &n->cold[id];

	t->wheel_at = 0;
	if (t->state == IXN_CLOSED)
		return;
	c->seen_at = now_seconds(n); /* see paws_reject() */
	if (due(n, t->ack_at)) {
		t->ack_at = 0;
		t->flags |= F_ACK_NOW;
		tcp_pend(n, t);
	}
	if (due(n, t->rto_at)) {
		t->rto_at = 0;
		if (t->state == IXN_SYN_SENT || t->state == IXN_SYN_RCVD)
			syn_timeout(n, t, c);
		else if (t->flags & F_TLP)
			tail_probe(n, t, c);
		else if (t->snd_nxt == t->snd_una)
			persist(n, t, c);
		else if (t->flags & F_LOSS && c->timer == TM_REORDER)
			loss_reorder_timer(n, t);
		else if (!t->snd_wnd) /* SHLD-17: the peer took its window back */
			persist(n, t, c);
		else
			retransmit_timeout(n, t, c);
	}
	if (unlikely(t->flags & F_COLD_TIMER) && t->state != IXN_CLOSED) {
		if (due(n, c->life_at)) { /* FIN-WAIT-2 of a closed connection */
			c->life_at = 0;
			n->st.tcp_timeout++;
			conn_end(n, t, 0, true);
			return;
		}
		if (due(n, c->keep_at)) {
			c->keep_at = 0;
			keepalive(n, t, c);
		}
	}
	if (t->state != IXN_CLOSED)
		tcp_arm(n, t);
}
