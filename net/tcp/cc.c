/* SPDX-License-Identifier: MIT */
/* Congestion control: NewReno (RFC 5681), CUBIC (RFC 9438), DCTCP (RFC 8257). */
#include "net/tcp/tcp.h"

#define CWND_MAX (1u << 30)

/* RFC 6928, with the number of segments configurable. */
uint32_t cc_initial_window(const struct ixn *n, uint32_t mss)
{
	return n->cfg.tcp.iw * mss;
}

static void add(struct tcb *t, uint32_t bytes)
{
	t->cwnd = t->cwnd + bytes > CWND_MAX ? CWND_MAX : t->cwnd + bytes;
}

/* Slow start; returns the bytes that are left for congestion avoidance. */
static uint32_t slow_start(struct tcb *t, struct tcb_cold *c, uint32_t acked)
{
	if (t->cwnd >= c->ssthresh)
		return acked;
	uint32_t room = c->ssthresh - t->cwnd, step = acked;
	/* RFC 5681 3.1, RFC 3465 2.3: one segment per ACK after a timeout */
	if (c->recovery == RECOVERY_RTO && step > t->mss)
		step = t->mss;
	if (step > room)
		step = room;
	add(t, step);
	return acked - step;
}

/* One segment for each window's worth of acknowledged bytes (RFC 3465). */
static void reno_avoid(struct tcb *t, struct tcb_cold *c, uint32_t acked)
{
	c->cc_count += acked;
	if (c->cc_count >= t->cwnd) {
		c->cc_count -= t->cwnd;
		add(t, t->mss);
	}
}

static void reno_init(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	(void)n;
	(void)t;
	c->cc_count = 0;
}

static void reno_ack(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t acked)
{
	(void)n;
	acked = slow_start(t, c, acked);
	if (acked)
		reno_avoid(t, c, acked);
}

static uint32_t reno_reduce(struct ixn *n, struct tcb *t, struct tcb_cold *c, bool ecn)
{
	(void)n;
	(void)ecn;
	c->cc_count = 0;
	uint32_t flight = t->snd_nxt - t->snd_una;
	return (flight < t->cwnd ? flight : t->cwnd) / 2; /* RFC 5681 (4) */
}

/* ---- CUBIC: windows in bytes, times in milliseconds */

static void cubic_init(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	(void)n;
	(void)t;
	memset(&c->cc_state.cubic, 0, sizeof(c->cc_state.cubic));
	c->cc_count = 0;
}

static uint32_t cube_root(uint64_t v)
{
	uint32_t r = 0;

	for (uint32_t bit = 1u << 20; bit; bit >>= 1) {
		uint64_t x = r | bit;
		if (x * x * x <= v)
			r |= bit;
	}
	return r;
}

static void cubic_epoch(struct ixn *n, struct tcb *t, struct cubic *q)
{
	q->epoch = n->ts_now ? n->ts_now : 1;
	q->w_est = t->cwnd;
	q->est_cnt = 0;
	if (t->cwnd < q->w_max) {
		/* (2): K = cbrt((W_max - cwnd_epoch) / C) seconds, C = 0.4, windows in segments */
		uint64_t segs = (q->w_max - t->cwnd) * 1000ull / t->mss; /* in thousandths */
		q->k_ms = cube_root(segs * 2500000);
		q->origin = q->w_max;
	} else {
		q->k_ms = 0;
		q->origin = t->cwnd;
	}
}

static void cubic_ack(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t acked)
{
	struct cubic *q = &c->cc_state.cubic;

	acked = slow_start(t, c, acked);
	if (!acked)
		return;
	/* 4.2: time in which the application left the window unused does not count. */
	uint32_t gap = n->ts_now - q->last;
	if (q->epoch && gap > 2 * ((t->srtt >> 3) / 1000) + 1)
		q->epoch += gap;
	q->last = n->ts_now;
	if (!q->epoch)
		cubic_epoch(n, t, q);
	/* (1): W(t + RTT) = C (t - K)^3 + W_max */
	int64_t d = (int64_t)(n->ts_now - q->epoch) + (t->srtt >> 3) / 1000 - q->k_ms;
	if (d > 300000)
		d = 300000;
	if (d < -300000)
		d = -300000;
	int64_t target = (int64_t)q->origin + d * d * d / 2500000 * t->mss / 1000;
	if (target < t->cwnd)
		target = t->cwnd;
	if (target > (int64_t)t->cwnd * 3 / 2)
		target = (int64_t)t->cwnd * 3 / 2;
	/* (target - cwnd) / cwnd per segment */
	uint64_t step = (uint64_t)(target - t->cwnd) * acked + c->cc_count;
	add(t, (uint32_t)(step / t->cwnd));
	c->cc_count = (uint32_t)(step % t->cwnd);
	/* 4.3: not slower than Reno; alpha = 3 (1 - beta) / (1 + beta) = 9/17, 1 above W_max */
	uint64_t est = (uint64_t)acked * t->mss * (q->w_est < q->w_max ? 9 : 17) / 17 + q->est_cnt;
	q->w_est += (uint32_t)(est / t->cwnd);
	q->est_cnt = (uint32_t)(est % t->cwnd);
	if (q->w_est > t->cwnd && q->w_est <= CWND_MAX)
		t->cwnd = q->w_est;
}

static uint32_t cubic_reduce(struct ixn *n, struct tcb *t, struct tcb_cold *c, bool ecn)
{
	struct cubic *q = &c->cc_state.cubic;

	(void)n;
	(void)ecn;
	q->w_undo = q->w_max;
	/* 4.7: fast convergence */
	q->w_max = t->cwnd < q->w_max ? (uint32_t)((uint64_t)t->cwnd * 17 / 20) : t->cwnd;
	q->epoch = 0;
	c->cc_count = 0;
	return (uint32_t)((uint64_t)t->cwnd * 7 / 10); /* beta = 0.7 */
}

static void cubic_undo(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	(void)n;
	(void)t;
	c->cc_state.cubic.w_max = c->cc_state.cubic.w_undo;
	c->cc_state.cubic.epoch = 0;
}

/* ---- DCTCP */

static void dctcp_init(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	(void)n;
	c->cc_state.dctcp = (struct dctcp){.alpha = 1024, .end = t->snd_nxt};
	c->cc_count = 0;
}

static void dctcp_mark(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t acked, bool ece)
{
	struct dctcp *d = &c->cc_state.dctcp;

	(void)n;
	d->acked += acked;
	if (ece)
		d->marked += acked;
	if (SEQ_LEQ(t->snd_una, d->end)) /* RFC 8257 3.3: once per window */
		return;
	uint32_t f = d->acked ? (uint32_t)(((uint64_t)d->marked << 10) / d->acked) : 0;
	d->alpha = d->alpha - (d->alpha >> 4) + (f >> 4);
	if (d->alpha < 16 && !f) /* what the shift cannot reach */
		d->alpha = d->alpha ? d->alpha - 1 : 0;
	if (d->alpha > 1024)
		d->alpha = 1024;
	d->acked = d->marked = 0;
	d->end = t->snd_nxt;
}

static uint32_t dctcp_reduce(struct ixn *n, struct tcb *t, struct tcb_cold *c, bool ecn)
{
	if (!ecn) /* RFC 8257 3.5: loss is answered as by others */
		return reno_reduce(n, t, c, false);
	c->cc_count = 0;
	return t->cwnd - (uint32_t)((uint64_t)t->cwnd * c->cc_state.dctcp.alpha / 2048);
}

const struct cc_ops *cc_ops(uint8_t cc)
{
	static const struct cc_ops ops[] = {
	    [IXN_CC_CUBIC] = {"cubic", cubic_init, cubic_ack, cubic_reduce, NULL, cubic_undo},
	    [IXN_CC_NEWRENO] = {"newreno", reno_init, reno_ack, reno_reduce, NULL, NULL},
	    [IXN_CC_DCTCP] = {"dctcp", dctcp_init, reno_ack, dctcp_reduce, dctcp_mark, NULL},
	};

	return &ops[cc];
}
