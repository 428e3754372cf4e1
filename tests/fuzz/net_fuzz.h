/* SPDX-License-Identifier: MIT */
/* What the fuzzers of the stack share: one instance with an application, fed by the input. */
#ifndef TESTS_FUZZ_NET_FUZZ_H
#define TESTS_FUZZ_NET_FUZZ_H

#include "tests/lib/netcheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct in {
	const uint8_t *p;
	size_t left;
};

static inline uint32_t in_u8(struct in *i)
{
	if (!i->left)
		return 0;
	i->left--;
	return *i->p++;
}

static inline uint32_t in_u16(struct in *i)
{
	uint32_t a = in_u8(i);

	return a << 8 | in_u8(i);
}

struct fz {
	struct ixn *n;
	void *mem;
	struct ixn_evq q;
	struct ixn_event ev[64];
	uint64_t now;
	uint32_t held, app_udp;
	uint8_t last[1600]; /* the last frame sent */
	uint32_t last_len, sent;
	struct ixn_txpkt *wait[64]; /* taken and not completed */
	uint32_t waiting;
	bool slow_tx;
	ixn_conn conn[16];
	uint32_t conns;
	ixn_udp udp;
	bool lazy;
	uint64_t trace; /* digest of all that could be seen from outside, and of the connections */
};

static uint8_t fz_payload[4096];

static inline void fz_note(struct fz *f, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		f->trace = (f->trace ^ w) * 0x9e3779b97f4a7c15ull;
		f->trace ^= f->trace >> 29;
	}
	while (len--)
		f->trace = (f->trace ^ *p++) * 0x100000001b3ull;
}

static inline uint32_t fz_tx(void *user, struct ixn_txpkt **p, uint32_t n)
{
	struct fz *f = user;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = p[i]->hdr_len;
		if (f->slow_tx && f->waiting == 64)
			return i;
		if (len > IXN_HDR_MAX || p[i]->nsegs > IXN_TX_SEGS)
			abort();
		memcpy(f->last, p[i]->hdr, len);
		uint32_t pay = 0;
		for (uint32_t k = 0; k < p[i]->nsegs; k++) {
			uint32_t l = p[i]->seg[k].len;
			pay += l;
			if (len + l <= sizeof(f->last)) {
				memcpy(f->last + len, p[i]->seg[k].ptr, l);
				len += l;
			}
		}
		if (pay != p[i]->pay_len ||
		    (!(p[i]->flags & IXN_TX_TSO) && p[i]->hdr_len + pay > 1514))
			abort();
		f->last_len = len;
		f->sent++;
		fz_note(f, f->last, len);
		if (f->slow_tx)
			f->wait[f->waiting++] = p[i];
		else
			ixn_tx_done(f->n, p[i]);
	}
	return n;
}

static inline void fz_complete(struct fz *f)
{
	while (f->waiting)
		ixn_tx_done(f->n, f->wait[--f->waiting]);
}

static inline void fz_release(void *user, struct ixn_rxbuf *b)
{
	struct fz *f = user;

	f->held--;
	free((void *)b->data);
	free(b);
}

static inline void fz_start(struct fz *f, uint32_t evs)
{
	static const struct ixn_ops ops = {.tx = fz_tx, .rx_release = fz_release};
	struct ixn_config c;

	memset(f, 0, sizeof(*f));
	ixn_config_default(&c);
	c.max_conns = 16;
	c.max_timewait = 4;
	c.tx_pkts = 64;
	c.tx_recs = 64;
	c.reasm_slots = 2;
	c.arp_entries = 16;
	c.max_listeners = 4;
	c.max_udp = 4;
	c.max_acl = 4;
	c.caps = IXN_CAP_NO_CSUM;
	c.tcp.max_rx_bufs = 32;
	c.tcp.ecn = true;
	c.tcp.rcv_wnd = 65536;
	memcpy(c.mac, "\2\0\0\0\0\1", 6);
	memset(fz_payload, 0, sizeof(fz_payload));
	f->now = 1000000;
	f->q = (struct ixn_evq){.ev = f->ev, .cap = evs};
	f->mem = aligned_alloc(65536, (ixn_size(&c) + 65535) & ~(size_t)65535);
	f->n = ixn_init(f->mem, &c, &ops, f, &f->q, f->now);
	ixn_addr_add(f->n, ixn_v4(10, 0, 0, 1), 24);
	ixn_route_add(f->n, IXN_ANY, 0, ixn_v4(10, 0, 0, 2));
	ixn_arp_set(f->n, ixn_v4(10, 0, 0, 2), (const uint8_t *)"\2\0\0\0\0\2", f->now);
	ixn_listener l;
	ixn_listen(f->n, IXN_ANY, 80, 2, 0, &l);
	ixn_udp_bind(f->n, IXN_ANY, 53, 0, &f->udp);
}

static inline void fz_frame(struct fz *f, const uint8_t *d, uint32_t len)
{
	struct ixn_rxbuf *b = calloc(1, sizeof(*b));
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, d, len);
	b->data = copy;
	b->len = len;
	f->held++;
	ixn_rx(f->n, &b, 1, f->now);
}

/* The application: takes connections, answers, reads now and then. */
static inline void fz_events(struct fz *f)
{
	for (uint32_t i = 0; i < f->q.n; i++) {
		struct ixn_event *ev = &f->ev[i];
		struct ixn_seg seg = {.ptr = fz_payload, .len = ev->len + 1};
		uint64_t what[] = {ev->type,  ev->len,   ev->window, ev->handle, ev->cookie,
				   ev->lport, ev->rport, ev->laddr,  ev->group};
		fz_note(f, what, sizeof(what));
		if (ev->type == IXN_EV_RECV)
			fz_note(f, ev->ptr, ev->len);
		switch (ev->type) {
		case IXN_EV_KNOCK:
			if (ixn_accept(f->n, ev->handle, 1) == 0)
				f->conn[f->conns++ % 16] = ev->handle;
			break;
		case IXN_EV_MOVED:
			f->conn[f->conns++ % 16] = ev->handle;
			break;
		case IXN_EV_RECV:
			for (uint32_t k = 0; k < ev->len; k++)
				fz_payload[0] ^= ev->ptr[k];
			if (!f->lazy)
				ixn_recv_done(f->n, ev->handle, ev->len);
			if (seg.len < sizeof(fz_payload))
				ixn_sendv(f->n, ev->handle, &seg, 1);
			break;
		case IXN_EV_EOF:
			ixn_close(f->n, ev->handle);
			break;
		case IXN_EV_UDP_RECV:
			for (uint32_t k = 0; k < ev->len; k++)
				fz_payload[0] ^= ev->ptr[k];
			ixn_udp_recv_done(f->n, ev->buf);
			if (seg.len < sizeof(fz_payload))
				ixn_udp_send(f->n, f->udp, ev->raddr, ev->rport, &seg, 1, 7,
					     f->now);
			break;
		default:
			break;
		}
	}
	f->q.n = 0;
}

static inline void fz_check(struct fz *f)
{
	uint32_t held;
	const char *bad = net_check(f->n, &held);
	struct ixn_usage u;

	ixn_usage(f->n, &u);
	if (bad || held > f->held || f->held > held + u.tx_pkts) {
		fprintf(stderr, "invariant: %s (held %u of %u)\n", bad ? bad : "buffers", held,
			f->held);
		abort();
	}
}

static inline void fz_cycle(struct fz *f)
{
	ixn_timers(f->n, f->now);
	fz_events(f);
	ixn_flush(f->n, f->now);
	fz_check(f);
}

static inline void fz_end(struct fz *f)
{
	/* All ends well after a long silence: the connections time out or are ended. */
	f->slow_tx = false;
	for (uint32_t i = 0; i < 16; i++)
		ixn_abort(f->n, f->conn[i]);
	for (int i = 0; i < 40; i++) {
		fz_complete(f);
		f->now += 60000000;
		fz_cycle(f);
	}
	struct ixn_usage u;
	ixn_usage(f->n, &u);
	if (u.tx_pkts || u.conns > 16) {
		fprintf(stderr, "%u packets, %u connections left\n", u.tx_pkts, u.conns);
		abort();
	}
	/* What connections still hold belongs to them. */
	for (uint32_t i = 0; f->held && i < 1; i++) {
		struct ixn_addr a = ixn_v4(10, 0, 0, 1);
		ixn_addr_del(f->n, a);
		fz_cycle(f);
		fz_cycle(f);
		fz_cycle(f);
	}
	if (f->held) {
		fprintf(stderr, "%u buffers left\n", f->held);
		abort();
	}
	free(f->mem);
}

#endif
