/* SPDX-License-Identifier: MIT */
#include "tests/lib/peer.h"
#include "tests/lib/netcheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint16_t inet_sum(const void *d, uint32_t len, uint32_t start)
{
	const uint8_t *p = d;
	uint64_t s = start;

	for (uint32_t i = 0; i < len; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint32_t pseudo(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	uint32_t s = proto + len;

	for (uint32_t i = 12; i < 20; i += 2)
		s += (uint32_t)ip[i] << 8 | ip[i + 1];
	return s;
}

static uint32_t tx(void *user, struct ixn_txpkt **pkts, uint32_t n)
{
	struct peer *p = user;

	for (uint32_t i = 0; i < n; i++) {
		struct ixn_txpkt *k = pkts[i];
		assert_true(p->nout < 512);
		struct frame *f = &p->out[p->nout++];
		memset(f, 0, sizeof(*f));
		f->at = p->now;
		memcpy(f->d, k->hdr, k->hdr_len);
		f->len = k->hdr_len;
		for (uint32_t j = 0; j < k->nsegs; j++) {
			if (f->len + k->seg[j].len > sizeof(f->d))
				break;
			memcpy(f->d + f->len, k->seg[j].ptr, k->seg[j].len);
			f->len += k->seg[j].len;
		}
		if (f->d[12] == 8 && f->d[13] == 0) {
			const uint8_t *ip = f->d + 14, *t = ip + 20;
			f->tos = ip[1];
			f->ttl = ip[8];
			/* What goes out is right, always. */
			if (!(p->cfg.caps & IXN_CAP_NO_CSUM)) {
				assert_int_equal(inet_sum(ip, 20, 0), 0);
				if (ip[9] == 6)
					assert_int_equal(
					    inet_sum(t, f->len - 34, pseudo(ip, 6, f->len - 34)),
					    0);
			}
			assert_int_equal(ip[2] << 8 | ip[3], f->len - 14);
			if (ip[9] == 6) {
				f->sport = (uint16_t)(t[0] << 8 | t[1]);
				f->dport = (uint16_t)(t[2] << 8 | t[3]);
				f->seq = get_be32(t + 4);
				f->ack = get_be32(t + 8);
				f->flags = t[13];
				f->wnd = (uint16_t)(t[14] << 8 | t[15]);
				f->opt = t + 20;
				f->optlen = (uint32_t)(t[12] >> 4) * 4 - 20;
				f->pay = f->opt + f->optlen;
				f->paylen = f->len - 54 - f->optlen;
			}
		}
		if (p->hold_tx)
			p->txwait[p->ntxwait++] = k;
		else
			ixn_tx_done(p->n, k);
	}
	return n;
}

/* Buffers go back to the peer that they came from, whichever stack has them at the end. */
static void release(void *user, struct ixn_rxbuf *b)
{
	(void)user;
	if (b->flags & IXN_RX_REASM) {
		ixn_rx_return((struct ixn *)(uintptr_t)b->user, b);
		return;
	}
	((struct peer *)(uintptr_t)b->user)->held--;
	free((void *)b->data);
	free(b);
}

static bool stray(void *user, struct ixn_rxbuf *b, uint32_t group)
{
	struct peer *p = user;

	(void)group;
	if (!p->keep_stray)
		return false;
	p->stray[p->nstray++] = b;
	return true;
}

void peer_default(struct ixn_config *c)
{
	ixn_config_default(c);
	c->max_conns = 32;
	c->max_timewait = 8;
	c->tx_pkts = 256;
	c->tx_recs = 1024;
	c->reasm_slots = 4;
	c->arp_entries = 32;
}

void peer_start(struct peer *p, const struct ixn_config *cfg)
{
	static const struct ixn_ops ops = {.tx = tx, .rx_release = release, .stray = stray};
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};

	memset(p, 0, sizeof(*p));
	if (cfg)
		p->cfg = *cfg;
	else
		peer_default(&p->cfg);
	memcpy(p->cfg.mac, "\2\0\0\0\0\1", 6);
	p->now = 1000000000;
	p->auto_accept = p->auto_done = true;
	p->q = (struct ixn_evq){.ev = p->ev, .cap = 256};
	p->mem = aligned_alloc(65536, (ixn_size(&p->cfg) + 65535) & ~(size_t)65535);
	p->n = ixn_init(p->mem, &p->cfg, &ops, p, &p->q, p->now);
	assert_non_null(p->n);
	assert_int_equal(ixn_addr_add(p->n, ixn_v4(10, 0, 0, 1), 24), 0);
	assert_int_equal(ixn_route_add(p->n, IXN_ANY, 0, ixn_v4(10, 0, 0, 2)), 0);
	assert_int_equal(ixn_arp_set(p->n, ixn_v4(10, 0, 0, 2), mac, p->now), 0);
	p->port = 4000;
	p->lport = 80;
	p->wnd = 65535;
	p->raddr = 0x0a000002;
	p->seq = 100000;
	p->tsval = 7000;
}

static void check(struct peer *p)
{
	uint32_t held;
	const char *bad = net_check(p->n, &held);

	if (bad)
		print_message("invariant broken: %s\n", bad);
	assert_null(bad);
}

void peer_stop(struct peer *p)
{
	struct ixn_usage u;

	for (uint32_t i = 0; i < p->ntxwait; i++)
		ixn_tx_done(p->n, p->txwait[i]);
	peer_cycle(p);
	check(p);
	/* Removing the address ends all connections. */
	ixn_addr_del(p->n, ixn_v4(10, 0, 0, 1));
	peer_cycle(p);
	peer_cycle(p);
	ixn_usage(p->n, &u);
	assert_int_equal(u.conns, 0);
	assert_int_equal(u.tx_recs, 0);
	assert_int_equal(p->held, 0);
	free(p->mem);
}

static void events(struct peer *p)
{
	for (uint32_t i = 0; i < p->q.n; i++) {
		struct ixn_event *e = &p->ev[i];
		assert_true(p->ngot < 1024);
		p->got[p->ngot++] = *e;
		if (e->type == IXN_EV_KNOCK || e->type == IXN_EV_CONNECTED ||
		    e->type == IXN_EV_MOVED)
			p->conn = e->handle;
		if (e->type == IXN_EV_KNOCK && p->auto_accept)
			assert_int_equal(ixn_accept(p->n, e->handle, 99), 0);
		if (e->type == IXN_EV_RECV && p->auto_done)
			assert_int_equal(ixn_recv_done(p->n, e->handle, e->len), 0);
		if (e->type == IXN_EV_UDP_RECV && p->auto_done)
			ixn_udp_recv_done(p->n, e->buf);
	}
	p->q.n = 0;
}

void peer_cycle(struct peer *p)
{
	ixn_timers(p->n, p->now);
	events(p);
	ixn_flush(p->n, p->now);
	check(p);
}

void peer_frame_only(struct peer *p, const uint8_t *d, uint32_t len)
{
	struct ixn_rxbuf *b = calloc(1, sizeof(*b));
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, d, len);
	b->data = copy;
	b->len = len;
	b->user = (uintptr_t)p;
	b->flags = p->rx_flags;
	p->held++;
	if (p->gather)
		p->burst[p->nburst++] = b;
	else
		ixn_rx(p->n, &b, 1, p->now);
}

void peer_burst(struct peer *p)
{
	p->gather = false;
	ixn_rx(p->n, p->burst, p->nburst, p->now);
	p->nburst = 0;
	peer_cycle(p);
}

void peer_frame(struct peer *p, const uint8_t *d, uint32_t len)
{
	peer_frame_only(p, d, len);
	peer_cycle(p);
}

void peer_wait(struct peer *p, uint64_t us)
{
	uint64_t end = p->now + us;

	for (;;) {
		uint64_t t = ixn_backlogged(p->n) ? p->now : ixn_next_timer(p->n);
		if (t >= end)
			break;
		if (t > p->now)
			p->now = t;
		peer_cycle(p);
		if (ixn_next_timer(p->n) <= p->now && !ixn_backlogged(p->n))
			p->now += 16; /* the bound was early */
	}
	p->now = end;
	peer_cycle(p);
}

struct frame *peer_next(struct peer *p)
{
	if (p->nread == p->nout) {
		p->nread = p->nout = 0;
		return NULL;
	}
	return &p->out[p->nread++];
}

void peer_clear(struct peer *p)
{
	p->nread = p->nout = p->ngot = 0;
}

uint32_t peer_events(struct peer *p, uint8_t type, struct ixn_event *last)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->ngot; i++) {
		if (p->got[i].type == type) {
			n++;
			if (last)
				*last = p->got[i];
		}
	}
	return n;
}

uint32_t peer_ip(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, const void *pay,
		 uint32_t len, uint16_t id, uint16_t frag)
{
	memset(f, 0, 34);
	memcpy(f, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45\0", 16);
	put_be16(f + 16, 20 + len);
	put_be16(f + 18, id);
	put_be16(f + 20, frag);
	f[22] = 64;
	f[23] = proto;
	put_be32(f + 26, src);
	put_be32(f + 30, dst);
	put_be16(f + 24, inet_sum(f + 14, 20, 0));
	memcpy(f + 34, pay, len);
	return 34 + len;
}

void peer_tcp(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t wnd,
	      const uint8_t *opt, uint32_t optlen, const void *pay, uint32_t len)
{
	uint8_t t[2048] = {0}, f[2048];
	uint32_t pad = (4 - optlen % 4) % 4;

	put_be16(t, p->port);
	put_be16(t + 2, p->lport);
	put_be32(t + 4, seq);
	put_be32(t + 8, ack);
	t[12] = (uint8_t)((20 + pad + optlen) / 4 << 4);
	t[13] = flags;
	put_be16(t + 14, wnd);
	memset(t + 20, 1, pad);
	if (optlen)
		memcpy(t + 20 + pad, opt, optlen);
	uint32_t total = 20 + pad + optlen;
	if (len) {
		memcpy(t + total, pay, len);
		total += len;
	}
	uint32_t n = peer_ip(f, p->raddr, 0x0a000001, 6, t, total, 1, 0);
	put_be16(f + 34 + 16, inet_sum(t, total, pseudo(f + 14, 6, total)));
	peer_frame(p, f, n);
}

void peer_send(struct peer *p, uint8_t flags, int32_t dseq, int32_t dack, const void *pay,
	       uint32_t len)
{
	uint8_t ts[12] = {1, 1, 8, 10};

	put_be32(ts + 4, p->tsval);
	put_be32(ts + 8, p->tsecr);
	peer_tcp(p, flags, p->seq + (uint32_t)dseq, p->ack + (uint32_t)dack, p->wnd, ts,
		 p->ts ? 12 : 0, pay, len);
}

void peer_open(struct peer *p, bool ts)
{
	uint8_t opt[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
	ixn_listener l;

	ixn_listen(p->n, IXN_ANY, p->lport, 8, 5, &l);
	p->ts = ts;
	put_be32(opt + 8, p->tsval);
	peer_tcp(p, SYN, p->seq, 0, p->wnd, opt, ts ? 20 : 4, NULL, 0);
	struct frame *f = peer_next(p);
	assert_non_null(f);
	assert_int_equal(f->flags, SYN | ACK);
	assert_int_equal(f->ack, p->seq + 1);
	p->seq++;
	p->ack = f->seq + 1;
	if (ts)
		p->tsecr = get_be32(f->opt + 8);
	peer_send(p, ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_events(p, IXN_EV_KNOCK, NULL), 1);
	peer_clear(p);
}

struct frame *peer_expect(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct frame *f = peer_next(p);

	assert_non_null(f);
	assert_int_equal(f->flags, flags);
	assert_int_equal(f->seq, seq);
	if (flags & ACK)
		assert_int_equal(f->ack, ack);
	assert_int_equal(f->paylen, len);
	return f;
}

void peer_expect_none(struct peer *p)
{
	struct frame *f = peer_next(p);

	if (f)
		print_message("unexpected: flags %x seq %u len %u\n", f->flags, f->seq, f->paylen);
	assert_null(f);
}

struct frame *peer_must(struct peer *p)
{
	struct frame *f = peer_next(p);

	assert_non_null(f);
	return f;
}
