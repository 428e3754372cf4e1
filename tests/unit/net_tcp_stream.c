/* SPDX-License-Identifier: MIT */
/* TCP between two stacks: every byte once and in order, whatever the wire does. */
#include "tests/lib/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct pair {
	struct sim *s;
	struct sim_host *a, *b;
	struct stream ca, cb;
};

static void pair_open(struct pair *p, uint64_t seed, const struct ixn_config *ca,
		      const struct ixn_config *cb)
{
	memset(p, 0, sizeof(*p));
	p->s = sim_new(seed);
	p->a = sim_add(p->s, ca);
	p->b = sim_add(p->s, cb);
	const char *pcap = getenv("NETSIM_PCAP");
	if (pcap)
		sim_pcap(p->s, pcap);
}

static void wire(struct pair *p, const struct sim_wire *w)
{
	p->a->wire = p->b->wire = *w;
}

static void small_config(struct ixn_config *c)
{
	ixn_config_default(c);
	c->max_conns = 64;
	c->max_timewait = 64;
	c->tx_recs = 8192;
	c->tx_pkts = 512;
}

/* All resources must be back when connections are gone. */
static void assert_clean(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct sim_host *h = i ? p->b : p->a;
		struct ixn_usage u;
		ixn_usage(h->n, &u);
		assert_int_equal(u.conns, 0);
		assert_int_equal(u.tx_recs, 0);
		assert_int_equal(u.tx_pkts, 0);
		assert_int_equal(h->held, 0);
		uint32_t g[IXN_GROUPS];
		ixn_group_counts(h->n, g);
		for (int k = 0; k < IXN_GROUPS; k++)
			assert_int_equal(g[k], 0);
	}
}

static void pair_close(struct pair *p)
{
	sim_free(p->s);
}

static bool both_dead(void *arg)
{
	struct pair *p = arg;

	return p->ca.dead && p->cb.dead;
}

static void transfer(struct pair *p, uint64_t bytes_a, uint64_t bytes_b, uint64_t limit_us)
{
	p->ca.to_send = bytes_a;
	p->cb.to_send = bytes_b;
	if (!p->ca.close_when_sent)
		p->ca.shutdown_when_sent = true;
	p->ca.close_on_eof = true;
	p->cb.close_on_eof = true;
	assert_int_equal(stream_listen(&p->cb, p->b, 80, 16), 0);
	assert_int_equal(stream_connect(&p->ca, p->a, 1, 80), 0);
	bool ok = sim_run(p->s, p->s->now + limit_us, both_dead, p);
	if (!ok || p->ca.corrupt || p->cb.corrupt) {
		struct ixn_info ia = {0}, ib = {0};
		ixn_info(p->a->n, p->ca.c, &ia);
		ixn_info(p->b->n, p->cb.c, &ib);
		print_message(
		    "a: off %lu acked %lu rcvd %lu eof %d dead %d st %d | b: rcvd %lu eof "
		    "%d dead %d st %d; now %lu\n",
		    p->ca.offered, p->ca.acked, p->ca.received, p->ca.eof, p->ca.dead, ia.state,
		    p->cb.received, p->cb.eof, p->cb.dead, ib.state, p->s->now);
		print_message(
		    "a: una.. in flight %u queued %u cwnd %u wnd %u rto %u backoff %u rec %d\n",
		    ia.in_flight, ia.queued, ia.cwnd, ia.snd_wnd, ia.rto_us, ia.backoff,
		    ia.in_recovery);
	}
	assert_true(ok);
	assert_false(p->ca.corrupt);
	assert_false(p->cb.corrupt);
	assert_int_equal(p->cb.received, bytes_a);
	assert_int_equal(p->ca.received, bytes_b);
	assert_int_equal(p->ca.acked, bytes_a);
	assert_int_equal(p->ca.result, 0);
	assert_int_equal(p->cb.result, 0);
	/* TIME-WAIT ends, delayed packets arrive */
	sim_run(p->s, p->s->now + 200000000, NULL, NULL);
	assert_clean(p);
}

static void test_small(void **state)
{
	struct pair p;

	(void)state;
	for (uint64_t bytes = 1; bytes < 5000; bytes = bytes * 2 + 1) {
		pair_open(&p, bytes, NULL, NULL);
		transfer(&p, bytes, bytes / 2, 60000000);
		pair_close(&p);
	}
}

static void test_bulk(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, 1, NULL, NULL);
	wire(&p, &(struct sim_wire){.delay_us = 100});
	transfer(&p, 8 << 20, 1 << 20, 60000000);
	assert_int_equal(ixn_stats(p.a->n)->tcp_retrans, 0);
	pair_close(&p);
}

static void impaired(uint64_t seed, const struct sim_wire *w, uint64_t bytes,
		     const struct ixn_config *ca, const struct ixn_config *cb)
{
	struct pair p;

	pair_open(&p, seed, ca, cb);
	wire(&p, w);
	transfer(&p, bytes, bytes / 3, 3600000000ull);
	pair_close(&p);
}

static void test_impaired(void **state)
{
	static const struct sim_wire w[] = {
	    {.delay_us = 500, .loss = 0.001},
	    {.delay_us = 10000, .loss = 0.01},
	    {.delay_us = 50000, .loss = 0.05},
	    {.delay_us = 1000, .jitter_us = 3000},
	    {.delay_us = 1000, .reorder = 0.05, .dup = 0.02},
	    {.delay_us = 1000, .corrupt = 0.02},
	    {.delay_us = 5000,
	     .loss = 0.02,
	     .reorder = 0.05,
	     .dup = 0.05,
	     .corrupt = 0.01,
	     .jitter_us = 1000},
	    {.delay_us = 1000, .loss = 0.2},
	};

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		for (uint32_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
			impaired(seed * 100 + i, &w[i], 300000, NULL, NULL);
	}
}

/* The options of the two sides differ in all ways. */
static void test_option_matrix(void **state)
{
	const struct sim_wire w = {.delay_us = 2000, .loss = 0.02, .reorder = 0.02, .dup = 0.01};
	struct ixn_config a, b;

	(void)state;
	for (uint32_t m = 0; m < 64; m++) {
		small_config(&a);
		small_config(&b);
		a.tcp.timestamps = m & 1;
		a.tcp.sack = m & 2;
		b.tcp.sack = !(m & 4);
		b.tcp.timestamps = !(m & 8);
		a.tcp.rack = b.tcp.rack = m & 16;
		a.tcp.ecn = m & 32;
		a.tcp.wscale = m % 9;
		a.tcp.cc = m % 3;
		b.tcp.cc = (m / 3) % 3;
		b.mtu = m & 1 ? 1500 : 576;
		a.caps = m & 2 ? IXN_CAP_TX_TSO | IXN_CAP_NO_CSUM : 0;
		b.caps = m & 2 ? IXN_CAP_NO_CSUM : 0;
		a.tso_max = 65535 - 256;
		a.tcp.rcv_wnd = m & 4 ? 1 << 20 : 20000;
		impaired(m + 1, &w, 150000, &a, &b);
	}
}

static bool b_has_all(void *arg)
{
	struct pair *p = arg;

	return p->cb.received == p->ca.to_send;
}

#define SEEDS 12

/* Frames that the receiver takes, and so acknowledges, at once. */
static uint32_t receiver_batch = 64;

/* Bytes per second of a transfer. */
static double goodput(uint64_t seed, const struct sim_wire *w, uint64_t bytes,
		      const struct ixn_config *cfg, struct pair *p)
{
	pair_open(p, seed, cfg, cfg);
	wire(p, w);
	p->b->batch = receiver_batch;
	p->ca.to_send = bytes;
	stream_listen(&p->cb, p->b, 80, 16);
	stream_connect(&p->ca, p->a, 1, 80);
	uint64_t start = p->s->now;
	assert_true(sim_run(p->s, start + 600000000, b_has_all, p));
	assert_false(p->cb.corrupt);
	return (double)bytes * 1e6 / (double)(p->s->now - start);
}

/*
 * Random loss: AIMD gives MSS/RTT * 1.22/sqrt(p) (Mathis et al. 1997); 883 KB/s here. The receiver acknowledges each
 * segment or, when it finds a burst, all of it at once; the sender finds many ACKs in a cycle.
 */
static void test_goodput_loss(void **state)
{
	const struct sim_wire w = {.delay_us = 10000, .loss = 0.01};
	double sum[3] = {0};
	struct pair p;

	(void)state;
	for (uint32_t m = 0; m < 4; m++) {
		uint8_t cc = m & 1 ? IXN_CC_NEWRENO : IXN_CC_CUBIC;
		sum[cc] = 0;
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct ixn_config c;
			small_config(&c);
			c.tcp.cc = cc;
			receiver_batch = m & 2 ? 1 : 64;
			sum[cc] += goodput(seed, &w, 6 << 20, &c, &p) / SEEDS;
			const struct ixn_stats *st = ixn_stats(p.a->n);
			/* Hardly more is sent again than was lost. Timeouts come from lost ACKs of whole
			 * bursts; with an ACK for each segment, there is no excuse. */
			assert_true(st->tcp_retrans <
				    p.a->dropped + 5 + (m & 2 ? 0 : p.a->dropped / 4));
			assert_true(st->tcp_rto < p.a->dropped / 4);
			pair_close(&p);
		}
		print_message("goodput at 1 %% loss, 20 ms: %s, ACK per %s, %.0f KB/s\n",
			      cc ? "newreno" : "cubic", m & 2 ? "segment" : "burst",
			      sum[cc] / 1000);
		assert_true(sum[cc] > (cc ? 0.7 : 1.0) * 883000);
	}
	receiver_batch = 64;
}

/* A bottleneck with a queue: filled, shared with nobody, hardly anything sent twice. */
static void test_goodput_bottleneck(void **state)
{
	const struct sim_wire w = {.delay_us = 5000, .rate_bps = 50000000, .queue_us = 10000};
	struct pair p;

	(void)state;
	for (uint8_t cc = 0; cc < 2; cc++) {
		struct ixn_config c;
		small_config(&c);
		c.tcp.cc = cc;
		double g = goodput(cc + 1, &w, 20 << 20, &c, &p);
		print_message("goodput through 50 Mbit/s: %.2f Mbit/s, %lu sent again\n",
			      g * 8 / 1e6, ixn_stats(p.a->n)->tcp_retrans);
		assert_true(g * 8 > 0.85 * 50e6);
		assert_true(ixn_stats(p.a->n)->tcp_rto == 0);
		pair_close(&p);
	}
}

/* RFC 8257: with a marking threshold DCTCP keeps the queue short and the link full, without loss. */
static void test_dctcp(void **state)
{
	const struct sim_wire w = {
	    .delay_us = 500, .rate_bps = 100000000, .queue_us = 20000, .mark_us = 1500};
	struct ixn_config c;
	struct ixn_info i;
	struct pair p;

	(void)state;
	small_config(&c);
	c.tcp.cc = IXN_CC_DCTCP;
	c.tcp.ecn = true;
	double g = goodput(1, &w, 20 << 20, &c, &p);
	assert_int_equal(ixn_info(p.a->n, p.ca.c, &i), 0);
	print_message("dctcp: %.1f Mbit/s, cwnd %u, %lu marks\n", g * 8 / 1e6, i.cwnd,
		      ixn_stats(p.b->n)->tcp_ecn_ce);
	assert_true(i.ecn);
	assert_true(g * 8 > 0.85 * 100e6);
	assert_int_equal(p.a->dropped, 0);
	assert_true(ixn_stats(p.b->n)->tcp_ecn_ce > 20);
	assert_true(i.cwnd < 60000); /* 31 KB are the path and the threshold */
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small),        cmocka_unit_test(test_bulk),
	    cmocka_unit_test(test_impaired),     cmocka_unit_test(test_option_matrix),
	    cmocka_unit_test(test_goodput_loss), cmocka_unit_test(test_goodput_bottleneck),
	    cmocka_unit_test(test_dctcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
