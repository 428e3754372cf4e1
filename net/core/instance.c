/* SPDX-License-Identifier: MIT */
/* Creation, configuration, the cycle, packets out. */
#include "net/core/siphash.h"
#include "net/tcp/tcp.h"

struct arena {
	uint8_t *base;
	size_t used;
};

static void *take(struct arena *a, size_t size)
{
	void *p = a->base ? a->base + a->used : NULL;

	/* 128: the adjacent cache line, which CPUs fetch along, is of the same connection. */
	a->used += (size + 127) & ~(size_t)127;
	return p;
}

static uint32_t bucket_count(const struct ixn_config *cfg)
{
	uint32_t want = (cfg->max_conns + cfg->max_timewait) / 4, n = 16;

	while (n < want)
		n *= 2;
	return n;
}

#define TICKS_US ((uint64_t)INT32_MAX << WHEEL_SHIFT)

static bool config_ok(const struct ixn_config *c)
{
	const struct ixn_tcp_config *t = &c->tcp;

	return c->max_conns >= 1 && c->max_conns <= 1u << 24 && c->max_timewait <= 1u << 24 &&
	       c->max_listeners <= 65536 && c->max_udp <= 65536 && c->tx_pkts >= 8 &&
	       c->tx_pkts <= 1u << 24 && c->tx_recs >= 8 && c->tx_recs <= 1u << 26 &&
	       c->reasm_slots <= 4096 && c->max_acl <= 65536 && c->mtu >= 576 && c->mtu <= 9216 &&
	       c->port_lo && c->port_lo <= c->port_hi && t->wscale <= 14 && t->iw && t->ttl &&
	       t->cc <= IXN_CC_DCTCP && t->rto_min_us >= 16 && t->rto_initial_us >= t->rto_min_us &&
	       t->rto_max_us >= t->rto_initial_us && t->rto_max_us < 1u << 31 &&
	       t->slack_segs >= 1 && t->rcv_wnd >= 2048 && t->rcv_wnd <= 1u << 30 &&
	       t->max_rx_bufs >= 4 && (c->tso_max == 0 || c->tso_max >= c->mtu) &&
	       c->tso_max <= 65535 - 128 && t->mss_min >= 48 && t->mss_min <= 536 &&
	       /* what ticks of 32 bits can compare */
	       t->user_timeout_us <= TICKS_US && t->keepalive_idle_us <= TICKS_US &&
	       t->keepalive_intvl_us <= TICKS_US && c->reasm_timeout_us &&
	       c->reasm_timeout_us <= 120000000;
}

void ixn_config_default(struct ixn_config *c)
{
	memset(c, 0, sizeof(*c));
	c->max_conns = 65536;
	c->max_timewait = 32768;
	c->max_listeners = 256;
	c->max_udp = 256;
	c->tx_pkts = 4096;
	c->tx_recs = 65536;
	c->reasm_slots = 16;
	c->reasm_timeout_us = 30000000;
	c->arp_entries = 1024;
	c->max_acl = 256;
	c->mtu = 1500;
	c->port_lo = 32768;
	c->port_hi = 60999;
	c->icmp_echo = true;
	c->icmp_per_s = 1000;
	c->tcp = (struct ixn_tcp_config){
	    .rcv_wnd = 1 << 20,
	    .max_rx_bufs = 4096,
	    .wscale = 8,
	    .timestamps = true,
	    .sack = true,
	    .syncookies = true,
	    .pmtud = true,
	    .rack = true,
	    .cc = IXN_CC_CUBIC,
	    .iw = 10,
	    .quickacks = 16,
	    .ttl = 64,
	    .syn_retries = 7,
	    .synack_retries = 5,
	    .mss_min = 48,
	    .rto_initial_us = 1000000,
	    .rto_min_us = 200000,
	    .rto_max_us = 120000000,
	    .delack_us = 40000,
	    .r1_retries = 3,
	    .user_timeout_us = 924600000, /* Linux: 15 retries from 200 ms */
	    .time_wait_us = 60000000,
	    .fin_wait2_us = 60000000,
	    .orphan_probes = 8,
	    .keepalive_idle_us = 7200000000, /* two hours */
	    .keepalive_intvl_us = 75000000,
	    .keepalive_count = 9,
	    .challenge_ack_per_s = 1000,
	    .challenge_ack_us = 500000, /* Linux: tcp_invalid_ratelimit */
	    .slack_segs = 2,
	};
}

void ixn_config_datacenter(struct ixn_config *c)
{
	ixn_config_default(c);
	c->tcp.rto_min_us = 1000;
	c->tcp.rto_initial_us = 10000;
	c->tcp.delack_us = 0;
	c->tcp.cc = IXN_CC_DCTCP;
	c->tcp.ecn = true;
	c->tcp.time_wait_us = 1000000;
	c->tcp.challenge_ack_us = 10000;
}

static struct ixn *lay_out(struct arena *a, const struct ixn_config *c)
{
	struct ixn *n = take(a, sizeof(*n));
	struct ixn tmp = {0};
	struct ixn *o = n ? n : &tmp;

	if (n)
		memset(n, 0, sizeof(*n));
	o->tcb = take(a, (size_t)c->max_conns * sizeof(struct tcb));
	o->cold = take(a, (size_t)c->max_conns * sizeof(struct tcb_cold));
	o->bucket = take(a, (size_t)bucket_count(c) * sizeof(struct bucket));
	o->rec = take(a, (size_t)c->tx_recs * sizeof(struct txrec));
	o->pending = take(a, (size_t)c->max_conns * sizeof(uint32_t));
	o->reap = take(a, (size_t)c->max_conns * sizeof(uint32_t));
	o->tw = take(a, (size_t)c->max_timewait * sizeof(struct timewait));
	o->listener = take(a, (size_t)c->max_listeners * sizeof(struct listener));
	o->udp = take(a, (size_t)c->max_udp * sizeof(struct udp_bind));
	o->acl = take(a, (size_t)c->max_acl * sizeof(struct ixn_acl));
	o->wheel.node = take(a, (size_t)c->max_conns * sizeof(struct wheel_node));
	o->arp = c->arp ? c->arp : take(a, ixn_arp_size(c->arp_entries));
	o->reasm = take(a, reasm_bytes(c));
	return n;
}

/* Header buffers lie behind everything else: a packet's descriptor and its headers. */
struct hdr_block {
	struct ixn_txpkt pkt;
	uint8_t pad[(64 - sizeof(struct ixn_txpkt) % 64) % 64];
	uint8_t hdr[IXN_HDR_MAX];
};
_Static_assert(sizeof(struct hdr_block) % 64 == 0, "whole cache lines");

size_t ixn_size(const struct ixn_config *cfg)
{
	struct arena a = {0};

	if (!config_ok(cfg))
		return 0;
	lay_out(&a, cfg);
	/* A header must not cross a 4 KB boundary (ops->dma): room to skip. */
	size_t per_page = 4096 / sizeof(struct hdr_block);
	a.used += 4096 + (cfg->tx_pkts + per_page - 1) / per_page * 4096;
	if (!cfg->reasm_mem)
		a.used += 65536 + (size_t)cfg->reasm_slots * 65536;
	return a.used;
}

static void init_tx(struct ixn *n, uint8_t *mem, uint32_t count)
{
	uint32_t per_page = 4096 / sizeof(struct hdr_block);

	mem = (uint8_t *)(((uintptr_t)mem + 4095) & ~(uintptr_t)4095);
	for (uint32_t i = count; i-- > 0;) {
		struct hdr_block *h = (void *)(mem + (size_t)(i / per_page) * 4096 +
					       (size_t)(i % per_page) * sizeof(struct hdr_block));
		memset(h, 0, sizeof(*h));
		h->pkt.hdr = h->hdr;
		h->pkt.hdr_dma = n->ops.dma ? n->ops.dma(n->user, h->hdr, sizeof(h->hdr))
					    : (uint64_t)(uintptr_t)h->hdr;
		h->pkt.priv[0] = (uint64_t)(uintptr_t)n->tx_free;
		n->tx_free = &h->pkt;
	}
	n->tx_free_count = count;
}

struct ixn *ixn_init(void *mem, const struct ixn_config *cfg, const struct ixn_ops *ops, void *user,
		     struct ixn_evq *q, uint64_t now)
{
	size_t size = ixn_size(cfg);
	struct arena a = {.base = mem};

	if (!size || !mem || (uintptr_t)mem & 63 || !ops->tx || !ops->rx_release || q->cap < 16)
		return NULL;
	struct ixn *n = lay_out(&a, cfg);
	n->size = size;
	n->ops = *ops;
	n->user = user;
	n->q = q;
	n->cfg = *cfg;
	/* Until TSO is available there is nothing to gain from long packets. */
	if (!(cfg->caps & IXN_CAP_TX_TSO))
		n->cfg.tso_max = 0;
	n->rng = siphash2(cfg->secret, now, 0x726e67);
	for (uint32_t i = 0; i < 3; i++)
		n->hash_key[i] = siphash2(cfg->secret + 2, i, 0x666c6f77) | 1;
	n->tick = (uint32_t)(now >> WHEEL_SHIFT);
	set_now(n, now);
	n->icmp_limit.filled = n->challenge_limit.filled = n->rst_limit.filled = now;
	n->icmp_limit.tokens = n->rst_limit.tokens = cfg->icmp_per_s;
	n->challenge_limit.tokens = cfg->tcp.challenge_ack_per_s;
	n->ev_head = n->ev_tail = NONE;

	memset(n->tcb, 0, (size_t)cfg->max_conns * sizeof(struct tcb));
	n->tcb_free = NONE;
	for (uint32_t i = cfg->max_conns; i-- > 0;) {
		n->tcb[i].rec_head = n->tcb_free;
		n->tcb_free = i;
	}
	n->bucket_mask = bucket_count(cfg) - 1;
	memset(n->bucket, 0xff, (size_t)bucket_count(cfg) * sizeof(struct bucket));
	for (uint32_t i = 0; i <= n->bucket_mask; i++)
		n->bucket[i].spill = 0;
	n->rec_reserve = cfg->tx_recs / 8;
	n->rec_cut = n->rec_reserve / 4 + 1;
	n->rec_free = NONE;
	for (uint32_t i = cfg->tx_recs; i-- > 0;)
		rec_put(n, i);
	wheel_init(&n->wheel, n->wheel.node, cfg->max_conns, n->tick);
	memset(n->listener, 0, (size_t)cfg->max_listeners * sizeof(struct listener));
	memset(n->udp, 0, (size_t)cfg->max_udp * sizeof(struct udp_bind));
	memset(n->listen_hash, 0xff, sizeof(n->listen_hash));
	memset(n->udp_hash, 0xff, sizeof(n->udp_hash));
	tw_init(n);
	if (!cfg->arp)
		ixn_arp_init(n->arp, cfg->arp_entries);

	uint8_t *rest = a.base + a.used;
	uint32_t per_page = 4096 / sizeof(struct hdr_block);
	init_tx(n, rest, cfg->tx_pkts);
	rest += 4096 + (size_t)((cfg->tx_pkts + per_page - 1) / per_page) * 4096;
	rest = (uint8_t *)(((uintptr_t)rest + 65535) & ~(uintptr_t)65535);
	reasm_init(n, n->reasm, cfg->reasm_mem ? cfg->reasm_mem : rest);
	return n;
}

void set_now(struct ixn *n, uint64_t now)
{
	if (now < n->now)
		return;
	n->now = now;
	n->tick = (uint32_t)(now >> WHEEL_SHIFT);
	n->ts_now = (uint32_t)(now / 1000);
	wheel_skip(&n->wheel, n->tick);
}

uint64_t rng_next(struct ixn *n)
{
	n->rng = siphash2(n->cfg.secret, n->rng, n->now);
	return n->rng;
}

bool limit_take(struct ixn *n, struct limit *l, uint32_t rate)
{
	uint64_t us = n->now - l->filled;

	if (us >= 1000000) {
		l->tokens = rate;
		l->filled = n->now;
	} else if (us * rate >= 1000000) {
		uint32_t more = (uint32_t)(us * rate / 1000000);
		l->tokens = l->tokens + more > rate ? rate : l->tokens + more;
		l->filled += (uint64_t)more * 1000000 / rate;
	}
	if (!l->tokens)
		return false;
	/* One or two, at random: who counts what is left to him cannot tell what others have used
	 * (Cao et al., "Off-Path TCP Exploits", 2016; CVE-2020-25705). */
	l->tokens -= l->tokens > 1 ? 1 + (uint32_t)(rng_next(n) >> 7 & 1) : 1;
	return true;
}

/* ---- packets out */

void ixn_tx_done(struct ixn *n, struct ixn_txpkt *p)
{
	if (unlikely(p->priv[1]))
		ip_tx_done(n, p);
	else
		txpkt_put(n, p);
}

void tx_burst(struct ixn *n)
{
	uint32_t sent = n->ops.tx(n->user, n->txq, n->txq_n);

	if (unlikely(sent < n->txq_n)) {
		n->st.tx_refused += n->txq_n - sent;
		for (uint32_t i = sent; i < n->txq_n; i++)
			n->txq[i - sent] = n->txq[i];
	}
	n->txq_n -= sent;
}

/* ---- the cycle */

void ixn_rx(struct ixn *n, struct ixn_rxbuf **bufs, uint32_t count, uint64_t now)
{
	set_now(n, now);
	if (unlikely(n->ev_head != NONE || n->udp_sent_head))
		conn_events_retry(n);
	while (count) {
		uint32_t c = count > RX_BURST ? RX_BURST : count;
		tcp_rx_burst(n, bufs, c);
		bufs += c;
		count -= c;
	}
}

/* Things without a timer of their own are looked at when the earliest of them is due. */
static void house_next(struct ixn *n)
{
	uint64_t t = arp_next(n), u = reasm_next(n), w = tw_next(n);

	n->house = t < u ? t : u;
	if (w < n->house)
		n->house = w;
}

void ixn_timers(struct ixn *n, uint64_t now)
{
	uint32_t id;

	set_now(n, now);
	if (unlikely(n->ev_head != NONE || n->udp_sent_head))
		conn_events_retry(n);
	while ((id = wheel_expire(&n->wheel, n->tick)) != WHEEL_NONE)
		tcp_timer(n, id);
	house_next(n);
	if (n->house <= n->now) {
		arp_house(n);
		reasm_house(n);
		tw_expire(n);
	}
}

void ixn_transmit(struct ixn *n, uint64_t now)
{
	set_now(n, now);
	if (n->npending)
		tcp_output_all(n);
	if (n->txq_n)
		tx_burst(n);
}

void ixn_flush(struct ixn *n, uint64_t now)
{
	ixn_transmit(n, now);
	if (n->nreap)
		conn_reap(n);
}

uint64_t ixn_next_timer(const struct ixn *n)
{
	uint64_t t = arp_next(n), u = reasm_next(n), w = tw_next(n);
	uint32_t ticks = wheel_next(&n->wheel);

	if (u < t)
		t = u;
	if (w < t)
		t = w;
	if (ticks != UINT32_MAX) {
		/* The wheel may lag behind n->tick when ixn_timers() was not called. */
		uint64_t base = (n->now >> WHEEL_SHIFT) - (uint32_t)(n->tick - n->wheel.now);
		uint64_t v = (base + ticks) << WHEEL_SHIFT;
		if (v < t)
			t = v;
	}
	return t;
}

bool ixn_backlogged(const struct ixn *n)
{
	/* Without records a connection waits for ACKs of others: there is nothing to be done. */
	bool can = n->rec_free_count || !n->tx_free;

	return n->ev_head != NONE || n->udp_sent_head || n->txq_n || (n->npending && can);
}

const struct ixn_stats *ixn_stats(const struct ixn *n)
{
	return &n->st;
}

void ixn_group_counts(const struct ixn *n, uint32_t counts[IXN_GROUPS])
{
	memcpy(counts, n->group_count, sizeof(n->group_count));
}
