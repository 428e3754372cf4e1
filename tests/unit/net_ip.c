/* SPDX-License-Identifier: MIT */
/* Ethernet, ARP, IPv4, ICMP, UDP and the access table, against a scripted peer. */
#include "tests/lib/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define US   0x0a000001
#define PEER 0x0a000002

static struct peer p;
static uint8_t blob[80000];

static void arp_frame(uint8_t *f, uint16_t op, uint8_t host, uint32_t sip, uint32_t tip)
{
	memset(f, 0, 42);
	memset(f, 0xff, 6);
	memcpy(f + 6, "\2\0\0\0\0", 5);
	f[11] = host;
	memcpy(f + 12, "\x08\x06\0\1\x08\0\6\4", 8);
	put_be16(f + 20, op);
	memcpy(f + 22, f + 6, 6);
	put_be32(f + 28, sip);
	put_be32(f + 38, tip);
}

static void test_arp_reply(void **state)
{
	uint8_t f[60];

	(void)state;
	peer_start(&p, NULL);
	arp_frame(f, 1, 9, 0x0a000009, US);
	peer_frame(&p, f, 42);
	struct frame *r = peer_next(&p);
	assert_non_null(r);
	assert_int_equal(r->len, 42);
	assert_memory_equal(r->d, "\2\0\0\0\0\11\2\0\0\0\0\1\x08\x06", 14);
	assert_int_equal(r->d[21], 2);
	assert_memory_equal(r->d + 22, "\2\0\0\0\0\1\x0a\0\0\1\2\0\0\0\0\11\x0a\0\0\11", 20);
	/* Not for us: no answer. A bad one: none either. */
	arp_frame(f, 1, 9, 0x0a000009, 0x0a000077);
	peer_frame(&p, f, 42);
	arp_frame(f, 1, 9, 0x0a000009, US);
	f[16] = 9;
	peer_frame(&p, f, 42);
	peer_frame(&p, f, 30);
	arp_frame(f, 3, 9, 0x0a000009, US);
	peer_frame(&p, f, 42);
	assert_null(peer_next(&p));
	assert_int_equal(ixn_stats(p.n)->arp_bad, 3);
	peer_stop(&p);
}

static int send_udp(ixn_udp u, uint32_t dst, uint32_t len, uint64_t cookie)
{
	struct ixn_seg s = {.ptr = blob, .len = len};

	int err = ixn_udp_send(p.n, u, ixn_from_u32(dst), 7, &s, 1, cookie, p.now);
	peer_cycle(&p);
	return err;
}

static void test_arp_resolve(void **state)
{
	ixn_udp u;
	uint8_t f[60];

	(void)state;
	peer_start(&p, NULL);
	assert_int_equal(ixn_udp_bind(p.n, IXN_ANY, 53, 0, &u), 0);
	/* Packets wait for the answer, in order. */
	assert_int_equal(send_udp(u, 0x0a000005, 10, 1), 0);
	assert_int_equal(send_udp(u, 0x0a000005, 11, 2), 0);
	struct frame *r = peer_next(&p);
	assert_int_equal(r->d[13], 6);
	assert_int_equal(r->d[21], 1);
	assert_int_equal(get_be32(r->d + 38), 0x0a000005);
	assert_null(peer_next(&p));
	/* RFC 1122 2.3.2.1: not more than one request per second */
	peer_wait(&p, 999000);
	assert_null(peer_next(&p));
	peer_wait(&p, 2000);
	assert_non_null(peer_next(&p));
	arp_frame(f, 2, 5, 0x0a000005, US);
	peer_frame(&p, f, 42);
	r = peer_next(&p);
	assert_int_equal(r->len, 14 + 28 + 10);
	assert_memory_equal(r->d, "\2\0\0\0\0\5", 6);
	r = peer_next(&p);
	assert_int_equal(r->len, 14 + 28 + 11);
	/* The entry is refreshed by a unicast question when used after a minute, */
	peer_clear(&p);
	peer_wait(&p, 61000000);
	send_udp(u, 0x0a000005, 10, 3);
	r = peer_next(&p);
	assert_int_equal(r->d[13], 6);
	assert_memory_equal(r->d, "\2\0\0\0\0\5", 6);
	assert_non_null(peer_next(&p));
	/* and asked for anew when long unused. */
	peer_clear(&p);
	peer_wait(&p, 100000000);
	send_udp(u, 0x0a000005, 10, 4);
	r = peer_next(&p);
	assert_memory_equal(r->d, "\xff\xff\xff\xff\xff\xff", 6);
	assert_null(peer_next(&p));
	/* Without an answer the packets are dropped after three requests, and accounted for. */
	peer_clear(&p);
	peer_wait(&p, 10000000);
	assert_non_null(peer_next(&p));
	assert_non_null(peer_next(&p));
	assert_null(peer_next(&p));
	struct ixn_event ev;
	assert_int_equal(peer_events(&p, IXN_EV_UDP_SENT, &ev), 1);
	assert_int_equal(ev.cookie, 4);
	assert_int_equal(ixn_stats(p.n)->arp_queue_drop, 1);
	/* The queue is bounded, and so is the number of addresses asked for. */
	for (uint32_t i = 0; i < 80; i++)
		send_udp(u, 0x0a000006, 10, 4);
	assert_int_equal(ixn_stats(p.n)->arp_queue_drop, 1 + 80 - 64);
	for (uint32_t i = 0; i < 60; i++)
		send_udp(u, 0x0a000010 + i, 10, 4);
	struct ixn_usage us;
	ixn_usage(p.n, &us);
	assert_int_equal(us.arp, 32);
	peer_wait(&p, 10000000);
	peer_stop(&p);
}

static void test_arp_merge(void **state)
{
	uint8_t f[60];
	ixn_udp u;

	(void)state;
	peer_start(&p, NULL);
	ixn_udp_bind(p.n, IXN_ANY, 53, 0, &u);
	arp_frame(f, 1, 5, 0x0a000005, US);
	peer_frame(&p, f, 42);
	/* A known address may change (gratuitous ARP); a static one does not. */
	arp_frame(f, 1, 6, 0x0a000005, 0x0a000005);
	peer_frame(&p, f, 42);
	arp_frame(f, 1, 6, PEER, US);
	peer_frame(&p, f, 42);
	peer_clear(&p);
	send_udp(u, 0x0a000005, 10, 1);
	assert_memory_equal(peer_must(&p)->d, "\2\0\0\0\0\6", 6);
	send_udp(u, PEER, 10, 1);
	assert_memory_equal(peer_must(&p)->d, "\2\0\0\0\0\2", 6);
	/* One who does not talk to us gets no entry. */
	arp_frame(f, 1, 8, 0x0a000008, 0x0a000009);
	peer_frame(&p, f, 42);
	send_udp(u, 0x0a000008, 10, 1);
	assert_int_equal(peer_must(&p)->d[13], 6);
	/* Nobody is the broadcast address. */
	uint64_t bad = ixn_stats(p.n)->arp_bad;
	arp_frame(f, 1, 8, 0x0a0000ff, US);
	peer_frame(&p, f, 42);
	assert_int_equal(ixn_stats(p.n)->arp_bad, bad + 1);
	/* A full table forgets old entries, never more. */
	for (uint32_t i = 0; i < 200; i++) {
		arp_frame(f, 1, (uint8_t)(i + 10), 0x0a000010 + i % 200, US);
		p.now += 1000;
		peer_frame(&p, f, 42);
		peer_clear(&p);
	}
	peer_wait(&p, 10000000);
	peer_stop(&p);
}

/* RFC 5227: probe, announce, notice and defend. */
static void test_arp_announce(void **state)
{
	struct ixn_config c;
	uint8_t f[60];
	struct ixn_addr a;

	(void)state;
	peer_default(&c);
	c.arp_announce = true;
	peer_start(&p, &c);
	peer_wait(&p, 2500000);
	for (int i = 0; i < 3; i++) {
		struct frame *r = peer_next(&p);
		assert_int_equal(get_be32(r->d + 28), 0);
		assert_int_equal(get_be32(r->d + 38), US);
	}
	assert_null(peer_next(&p));
	peer_wait(&p, 5000000);
	for (int i = 0; i < 2; i++) {
		struct frame *r = peer_next(&p);
		assert_int_equal(get_be32(r->d + 28), US);
		assert_int_equal(get_be32(r->d + 38), US);
	}
	assert_null(peer_next(&p));
	/* Defended at most every ten seconds */
	for (int i = 0; i < 3; i++) {
		arp_frame(f, 1, 7, US, 0x0a000009);
		peer_frame(&p, f, 42);
	}
	assert_int_equal(get_be32(peer_must(&p)->d + 28), US);
	assert_null(peer_next(&p));
	assert_int_equal(ixn_stats(p.n)->arp_conflict, 3);
	/* Another address is probed and found taken. */
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(10, 0, 0, 50), 24), 0);
	peer_cycle(&p);
	arp_frame(f, 2, 7, 0x0a000032, 0x0a000032);
	peer_frame(&p, f, 42);
	assert_int_equal(ixn_local_addr(p.n, 1, &a), -IXN_EADDRINUSE);
	peer_wait(&p, 10000000);
	assert_int_equal(ixn_addr_del(p.n, ixn_v4(10, 0, 0, 50)), 0);
	assert_int_equal(ixn_addr_del(p.n, ixn_v4(10, 0, 0, 50)), -IXN_EINVAL);
	peer_stop(&p);
}

static void ping(uint32_t src, uint32_t dst, uint32_t len, uint32_t mtu)
{
	uint8_t f[2048], *m = malloc(len + 8);

	m[0] = 8;
	m[1] = 0;
	put_be16(m + 2, 0);
	put_be32(m + 4, 0x12340001);
	memcpy(m + 8, blob, len);
	put_be16(m + 2, inet_sum(m, len + 8, 0));
	for (uint32_t off = 0; off < len + 8;) {
		uint32_t part = len + 8 - off, room = (mtu - 20) & ~7u;
		uint16_t frag = (uint16_t)(off / 8);
		if (part + 20 > mtu) {
			part = room;
			frag |= 0x2000;
		}
		peer_frame(&p, f, peer_ip(f, src, dst, 1, m + off, part, 77, frag));
		off += part;
	}
	free(m);
}

/* Echo of all sizes: the answer is the same bytes, in fragments that fit. */
static void test_ping(void **state)
{
	static const uint32_t sizes[] = {0,    1,    7,    56,    100,   1472,  1473,
					 1480, 3000, 8191, 16384, 40000, 65499, 65507};

	(void)state;
	peer_start(&p, NULL);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t len = sizes[i], got = 0;
		uint8_t *m = calloc(1, len + 8);
		peer_clear(&p);
		ping(PEER, US, len, 1500);
		struct frame *f;
		while ((f = peer_next(&p))) {
			uint32_t off = ((uint32_t)(f->d[20] & 31) << 8 | f->d[21]) * 8;
			uint32_t part = f->len - 34;
			assert_true(f->len <= 1514);
			assert_true(off + part <= len + 8);
			assert_int_equal(!!(f->d[20] & 0x20), off + part < len + 8);
			memcpy(m + off, f->d + 34, part);
			got += part;
		}
		assert_int_equal(got, len + 8);
		assert_int_equal(m[0], 0);
		assert_int_equal(inet_sum(m, len + 8, 0), 0);
		assert_memory_equal(m + 4, "\x12\x34\0\1", 4);
		assert_memory_equal(m + 8, blob, len);
		free(m);
	}
	assert_int_equal(ixn_stats(p.n)->icmp_echo, 14);
	/* The buffer of the request is held until the answer has left. */
	p.hold_tx = true;
	ping(PEER, US, 100, 1500);
	assert_int_equal(p.held, 1);
	ixn_tx_done(p.n, p.txwait[--p.ntxwait]);
	assert_int_equal(p.held, 0);
	p.hold_tx = false;
	/* What may be fragmented has a number of its own; others' numbers do not tell it. */
	assert_int_equal(ixn_arp_set(p.n, ixn_v4(10, 0, 0, 3), (uint8_t[6]){2}, p.now), 0);
	uint32_t id[3];
	for (uint32_t i = 0; i < 3; i++) {
		peer_clear(&p);
		ping(i < 2 ? PEER : PEER + 1, US, 100, 1500);
		const uint8_t *d = peer_must(&p)->d;
		assert_int_equal(d[20], 0);
		id[i] = (uint32_t)d[18] << 8 | d[19];
	}
	assert_int_equal((id[1] - id[0]) & 0xffff, 1);
	assert_true(((id[2] - id[1]) & 0xffff) > 100);
	peer_stop(&p);
}

static void test_ip_checks(void **state)
{
	uint8_t f[200], g[200];
	uint32_t len;

	(void)state;
	peer_start(&p, NULL);
	uint8_t echo[12] = {8, 0, 0xf7, 0xff};
	len = peer_ip(f, PEER, US, 1, echo, 12, 1, 0);
	peer_frame(&p, f, len);
	assert_non_null(peer_next(&p));
#define GONE(change)                                                      \
	do {                                                              \
		memcpy(g, f, len);                                        \
		change;                                                   \
		put_be16(g + 24, 0);                                      \
		put_be16(g + 24, inet_sum(g + 14, (g[14] & 15) * 4u, 0)); \
		peer_frame(&p, g, len);                                   \
		peer_expect_none(&p);                                     \
	} while (0)
	GONE(g[14] = 0x65);                 /* version */
	GONE(g[14] = 0x44);                 /* header too short */
	GONE(g[14] = 0x4f);                 /* header longer than the packet */
	GONE(put_be16(g + 16, 200));        /* total length beyond the frame */
	GONE(put_be16(g + 16, 10));         /* shorter than the header */
	GONE(put_be32(g + 30, 0x0a000063)); /* not ours */
	GONE(put_be32(g + 26, 0x0a0000ff)); /* from a broadcast address */
	GONE(put_be32(g + 26, 0xe0000001)); /* from multicast */
	GONE(put_be32(g + 26, 0x7f000001)); /* from loopback */
	GONE(put_be32(g + 26, US));         /* from ourselves */
	GONE(put_be32(g + 26, 0));
	GONE(g[5] = 3);                    /* another MAC */
	GONE(memset(g, 0xff, 6));          /* unicast IP in a broadcast frame */
	GONE(put_be32(g + 30, 0x0a0000ff); /* echo to broadcast */
	     memset(g, 0xff, 6));
	GONE(put_be16(g + 12, 0x86dd));
	memcpy(g, f, len);
	g[24] ^= 1; /* header checksum */
	peer_frame(&p, g, len);
	assert_int_equal(ixn_stats(p.n)->rx_ip_csum, 1);
	memcpy(g, f, len);
	g[36] ^= 1; /* ICMP checksum */
	peer_frame(&p, g, len);
	assert_int_equal(ixn_stats(p.n)->icmp_bad, 1);
	for (uint32_t i = 0; i < len; i++)
		peer_frame(&p, f, i);
	peer_expect_none(&p);
	/* Options are ignored (MUST-50). */
	memcpy(g, f, 34);
	g[14] = 0x47;
	memcpy(g + 34, "\x07\x07\x04\0\0\0\0\0", 8);
	memcpy(g + 42, echo, 12);
	put_be16(g + 16, 40);
	put_be16(g + 24, 0);
	put_be16(g + 24, inet_sum(g + 14, 28, 0));
	peer_frame(&p, g, 54);
	assert_non_null(peer_next(&p));
	/* Source Quench and unknown types are ignored (MUST-55). */
	uint8_t quench[36] = {4, 0};
	put_be16(quench + 2, inet_sum(quench, 36, 0));
	peer_frame(&p, g, peer_ip(g, PEER, US, 1, quench, 36, 1, 0));
	/* An unknown protocol is reported as such. */
	peer_frame(&p, g, peer_ip(g, PEER, US, 99, echo, 12, 1, 0));
	struct frame *r = peer_next(&p);
	assert_int_equal(r->d[34], 3);
	assert_int_equal(r->d[35], 2);
	peer_stop(&p);
}

static void frag(uint32_t off, uint32_t len, bool more, uint16_t id, uint32_t src)
{
	uint8_t f[2048];

	peer_frame(&p, f,
		   peer_ip(f, src, US, 17, blob + off, len, id,
			   (uint16_t)(off / 8 | (more ? 0x2000 : 0))));
}

static void test_reassembly(void **state)
{
	ixn_udp u;
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	p.auto_done = false;
	ixn_udp_bind(p.n, IXN_ANY, 53, 0, &u);
	for (uint32_t i = 0; i < sizeof(blob); i++)
		blob[i] = (uint8_t)(i * 7 + i / 256);
	put_be16(blob, 1000);
	put_be16(blob + 2, 53);
	put_be16(blob + 4, 3000);
	put_be16(blob + 6, 0);
	/* Out of order, with a duplicate */
	frag(2000, 1000, false, 5, PEER);
	frag(0, 1000, true, 5, PEER);
	frag(0, 1000, true, 5, PEER);
	frag(1000, 1000, true, 5, PEER);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, &ev), 1);
	assert_int_equal(ev.len, 2992);
	assert_memory_equal(ev.ptr, blob + 8, 2992);
	struct ixn_usage us;
	ixn_usage(p.n, &us);
	assert_int_equal(us.reasm, 1);
	ixn_udp_recv_done(p.n, ev.buf);
	ixn_usage(p.n, &us);
	assert_int_equal(us.reasm, 0);
	/* An overlap ends the datagram. */
	frag(0, 1000, true, 6, PEER);
	frag(992, 1000, true, 6, PEER);
	assert_int_equal(ixn_stats(p.n)->reasm_drop, 1);
	/* So does a piece beyond the end, or a second end. */
	frag(2000, 1000, false, 7, PEER);
	frag(3000, 8, true, 7, PEER);
	frag(2000, 1000, false, 8, PEER);
	frag(1000, 8, false, 8, PEER);
	frag(2000, 1000, true, 8, PEER);
	frag(1000, 8, false, 8, PEER);
	assert_int_equal(ixn_stats(p.n)->reasm_drop, 4);
	/* Nonsense: no data, a length that is no multiple of 8, beyond 64 KB */
	frag(8, 0, true, 9, PEER);
	frag(8, 9, true, 9, PEER);
	frag(65528, 1000, true, 9, PEER);
	assert_int_equal(ixn_stats(p.n)->reasm_drop, 7);
	/* No source takes more than its share. */
	peer_wait(&p, 31000000);
	peer_clear(&p);
	uint64_t before = ixn_stats(p.n)->reasm_drop;
	for (uint16_t i = 0; i < 10; i++)
		frag(0, 8, true, (uint16_t)(100 + i), PEER);
	assert_int_equal(ixn_stats(p.n)->reasm_drop, before + 7);
	frag(0, 8, true, 100, 0x0a000003);
	assert_int_equal(ixn_stats(p.n)->reasm_drop, before + 7);
	/* After 30 s: time exceeded, code 1, for those whose first fragment is here. */
	peer_wait(&p, 31000000);
	struct frame *f;
	do
		f = peer_next(&p);
	while (f && f->d[13] == 6); /* ARP for the other source */
	assert_non_null(f);
	assert_int_equal(f->d[34], 11);
	assert_int_equal(f->d[35], 1);
	ixn_usage(p.n, &us);
	assert_int_equal(us.reasm, 0);
	/* What is lost once does not keep others out: the oldest gives way. */
	peer_clear(&p);
	for (uint16_t i = 0; i < 20; i++)
		frag(0, 8, true, (uint16_t)(200 + i), 0x0a000010 + i);
	frag(0, 1000, true, 12, PEER);
	frag(1000, 1000, true, 12, PEER);
	frag(2000, 1000, false, 12, PEER);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, &ev), 1);
	ixn_udp_recv_done(p.n, ev.buf);
	/* An error about a reassembled datagram quotes its first bytes. */
	peer_clear(&p);
	ixn_udp_unbind(p.n, u);
	frag(0, 8, true, 13, PEER);
	frag(8, 1000, true, 13, PEER);
	frag(1008, 1992, false, 13, PEER);
	f = peer_must(&p);
	assert_int_equal(f->d[34] << 8 | f->d[35], 0x0303);
	assert_true(f->len >= 34 + 8 + 20 + 40);
	assert_memory_equal(f->d + 34 + 8 + 20, blob, f->len - 34 - 8 - 20);
	/* Fragments for an address that is taken away go with it. */
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(10, 0, 0, 9), 24), 0);
	uint8_t g[2048];
	peer_frame(&p, g, peer_ip(g, PEER, 0x0a000009, 17, blob, 1000, 14, 0x2000));
	ixn_usage(p.n, &us);
	uint32_t open = us.reasm;
	assert_int_equal(ixn_addr_del(p.n, ixn_v4(10, 0, 0, 9)), 0);
	ixn_usage(p.n, &us);
	assert_int_equal(us.reasm, open - 1);
	peer_wait(&p, 40000000);
	peer_clear(&p);
	/* Sixty-four holes are enough for anybody. */
	for (uint32_t i = 0; i < 70; i++)
		frag(i * 16, 8, true, 11, PEER);
	peer_wait(&p, 40000000);
	peer_stop(&p);
}

static void udp_in(uint32_t dst, uint16_t port, const void *pay, uint32_t len, bool sum)
{
	uint8_t f[2048], u[2048];

	put_be16(u, 1000);
	put_be16(u + 2, port);
	put_be16(u + 4, 8 + len);
	put_be16(u + 6, 0);
	memcpy(u + 8, pay, len);
	if (sum) {
		uint32_t ps =
		    17 + 8 + len + (PEER >> 16) + (PEER & 0xffff) + (dst >> 16) + (dst & 0xffff);
		put_be16(u + 6, inet_sum(u, 8 + len, ps));
	}
	uint32_t n = peer_ip(f, PEER, dst, 17, u, 8 + len, 1, 0);
	if (dst == 0xffffffff || (dst & 0xff) == 0xff)
		memset(f, 0xff, 6);
	peer_frame(&p, f, n);
}

static void test_udp(void **state)
{
	ixn_udp any, one, tmp;
	struct ixn_event ev;
	struct ixn_addr a;
	uint16_t port;

	(void)state;
	peer_start(&p, NULL);
	assert_int_equal(ixn_udp_bind(p.n, IXN_ANY, 53, 1, &any), 0);
	assert_int_equal(ixn_udp_bind(p.n, IXN_ANY, 53, 1, &tmp), -IXN_EADDRINUSE);
	assert_int_equal(ixn_udp_bind(p.n, ixn_v4(10, 0, 0, 1), 53, 2, &one), 0);
	assert_int_equal(ixn_udp_bind(p.n, ixn_v4(10, 0, 0, 9), 53, 2, &tmp), -IXN_EADDRNOTAVAIL);
	struct ixn_addr v6 = {{0x20, 1}};
	assert_int_equal(ixn_udp_bind(p.n, v6, 53, 2, &tmp), -IXN_EINVAL);
	udp_in(US, 53, "hello", 5, true);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, &ev), 1);
	assert_int_equal(ev.cookie, 2);
	assert_int_equal(ev.handle, one);
	assert_int_equal(ev.len, 5);
	assert_int_equal(ev.rport, 1000);
	assert_int_equal(ixn_to_u32(&ev.raddr), PEER);
	assert_int_equal(ixn_udp_unbind(p.n, one), 0);
	assert_int_equal(ixn_udp_unbind(p.n, one), -IXN_EBADF);
	peer_clear(&p);
	udp_in(US, 53, "hello", 5, false); /* checksum 0: none */
	udp_in(0x0a0000ff, 53, "hello", 5, true);
	udp_in(0xffffffff, 53, "hello", 5, true);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, &ev), 3);
	assert_int_equal(ev.cookie, 1);
	assert_int_equal(ev.laddr, 0xff);
	/* Bad length, bad checksum: dropped without a word */
	peer_clear(&p);
	uint8_t f[200], u[20] = {0, 1, 0, 53, 0, 50};
	peer_frame(&p, f, peer_ip(f, PEER, US, 17, u, 20, 1, 0));
	u[5] = 7;
	peer_frame(&p, f, peer_ip(f, PEER, US, 17, u, 20, 1, 0));
	u[5] = 20;
	u[6] = 1;
	peer_frame(&p, f, peer_ip(f, PEER, US, 17, u, 20, 1, 0));
	assert_int_equal(ixn_stats(p.n)->udp_bad, 3);
	peer_expect_none(&p);
	/* Closed port: unreachable, with the datagram quoted; never for a broadcast; limited. */
	udp_in(US, 54, "hello", 5, true);
	struct frame *r = peer_next(&p);
	assert_int_equal(r->d[34], 3);
	assert_int_equal(r->d[35], 3);
	assert_int_equal(inet_sum(r->d + 34, r->len - 34, 0), 0);
	assert_int_equal(get_be32(r->d + 42 + 12), PEER);
	udp_in(0xffffffff, 54, "hello", 5, true);
	peer_expect_none(&p);
	for (int i = 0; i < 300; i++) {
		udp_in(US, 54, "hello", 5, true);
		peer_clear(&p);
	}
	assert_int_equal(ixn_stats(p.n)->icmp_limited, 0);
	/* Sending: checksum, ports, completion, fragments */
	assert_int_equal(send_udp(any, PEER, 100, 42), 0);
	r = peer_next(&p);
	assert_int_equal(r->len, 14 + 28 + 100);
	uint32_t ps = 17 + 108 + (PEER >> 16) + (PEER & 0xffff) + (US >> 16) + (US & 0xffff);
	assert_int_equal(inet_sum(r->d + 34, 108, ps), 0);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_SENT, &ev), 0);
	peer_cycle(&p);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_SENT, &ev), 1);
	assert_int_equal(ev.cookie, 42);
	assert_int_equal(send_udp(any, PEER, 65507, 43), 0);
	uint32_t total = 0, count = 0;
	while ((r = peer_next(&p))) {
		total += r->len - 34;
		count++;
	}
	assert_int_equal(total, 65515);
	assert_int_equal(count, 45);
	assert_int_equal(send_udp(any, PEER, 65508, 43), -IXN_EMSGSIZE);
	assert_int_equal(send_udp(any, 0xe0000001, 1, 43), -IXN_EINVAL);
	assert_int_equal(send_udp(any, 0, 1, 43), -IXN_EINVAL);
	assert_int_equal(send_udp(tmp, PEER, 1, 43), -IXN_EBADF);
	/* A broadcast goes to all. */
	assert_int_equal(send_udp(any, 0x0a0000ff, 10, 44), 0);
	assert_memory_equal(peer_must(&p)->d, "\xff\xff\xff\xff\xff\xff", 6);
	/* Pools: refused, not broken */
	p.hold_tx = true;
	int err = 0, sent = 0;
	while (!(err = send_udp(any, PEER, 10, 45)))
		sent++;
	assert_int_equal(err, -IXN_ENOBUFS);
	assert_true(sent > 200);
	p.hold_tx = false;
	while (p.ntxwait)
		ixn_tx_done(p.n, p.txwait[--p.ntxwait]);
	peer_clear(&p);
	peer_cycle(&p);
	peer_cycle(&p);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_SENT, NULL), (uint32_t)sent);
	/* ICMP errors find their binding. */
	peer_clear(&p);
	send_udp(any, PEER, 10, 46);
	r = peer_next(&p);
	uint8_t e[64] = {3, 3};
	memcpy(e + 8, r->d + 14, 28);
	put_be16(e + 2, inet_sum(e, 36, 0));
	peer_frame(&p, f, peer_ip(f, PEER, US, 1, e, 36, 1, 0));
	assert_int_equal(peer_events(&p, IXN_EV_UDP_ERROR, &ev), 1);
	assert_int_equal(ev.result, -IXN_ECONNREFUSED);
	/* Ephemeral ports */
	assert_int_equal(ixn_udp_bind(p.n, IXN_ANY, 0, 2, &tmp), 0);
	assert_int_equal(ixn_udp_name(p.n, tmp, &a, &port), 0);
	assert_in_range(port, p.cfg.port_lo, p.cfg.port_hi);
	assert_int_equal(ixn_udp_name(p.n, 1234, &a, &port), -IXN_EBADF);
	/* Nothing is sent from an address that is gone. */
	struct ixn_seg seg = {.ptr = blob, .len = 10};
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(10, 0, 0, 9), 24), 0);
	assert_int_equal(ixn_udp_bind(p.n, ixn_v4(10, 0, 0, 9), 99, 2, &tmp), 0);
	assert_int_equal(ixn_udp_send(p.n, tmp, ixn_from_u32(PEER), 9, &seg, 1, 1, p.now), 0);
	assert_int_equal(ixn_addr_del(p.n, ixn_v4(10, 0, 0, 9)), 0);
	assert_int_equal(ixn_udp_send(p.n, tmp, ixn_from_u32(PEER), 9, &seg, 1, 1, p.now),
			 -IXN_EADDRNOTAVAIL);
	peer_stop(&p);
}

static void test_routes(void **state)
{
	ixn_udp u;

	(void)state;
	peer_start(&p, NULL);
	ixn_udp_bind(p.n, IXN_ANY, 53, 0, &u);
	static const uint8_t m3[6] = {2, 0, 0, 0, 0, 3};
	ixn_arp_set(p.n, ixn_v4(10, 0, 0, 3), m3, p.now);
	/* Default gateway is the peer; a longer prefix wins. */
	send_udp(u, 0xc0a80101, 1, 1);
	assert_int_equal(peer_must(&p)->d[5], 2);
	assert_int_equal(ixn_route_add(p.n, ixn_v4(192, 168, 0, 0), 16, ixn_v4(10, 0, 0, 3)), 0);
	send_udp(u, 0xc0a80101, 1, 1);
	assert_int_equal(peer_must(&p)->d[5], 3);
	assert_int_equal(ixn_route_del(p.n, ixn_v4(192, 168, 0, 0), 16), 0);
	assert_int_equal(ixn_route_del(p.n, ixn_v4(192, 168, 0, 0), 16), -IXN_EINVAL);
	assert_int_equal(ixn_route_del(p.n, IXN_ANY, 0), 0);
	assert_int_equal(send_udp(u, 0xc0a80101, 1, 1), -IXN_ENETUNREACH);
	assert_int_equal(ixn_route_add(p.n, IXN_ANY, 33, IXN_ANY), -IXN_EINVAL);
	for (uint8_t i = 0; i < 16; i++)
		assert_int_equal(ixn_route_add(p.n, ixn_v4(172, i, 0, 0), 16, IXN_ANY), 0);
	assert_int_equal(ixn_route_add(p.n, IXN_ANY, 0, IXN_ANY), -IXN_ENOMEM);
	/* Several addresses: the one in the network of the destination is the source. */
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(11, 0, 0, 1), 24), 0);
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(11, 0, 0, 1), 24), -IXN_EADDRINUSE);
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(11, 0, 0, 255), 24), -IXN_EINVAL);
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(127, 0, 0, 1), 8), -IXN_EINVAL);
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(11, 0, 0, 9), 33), -IXN_EINVAL);
	ixn_arp_set(p.n, ixn_v4(11, 0, 0, 2), m3, p.now);
	send_udp(u, 0x0b000002, 1, 1);
	assert_int_equal(get_be32(peer_must(&p)->d + 26), 0x0b000001);
	for (uint8_t i = 0; i < 6; i++)
		assert_int_equal(ixn_addr_add(p.n, ixn_v4(12, 0, i, 1), 24), 0);
	assert_int_equal(ixn_addr_add(p.n, ixn_v4(13, 0, 0, 1), 24), -IXN_ENOMEM);
	peer_stop(&p);
}

static void test_acl(void **state)
{
	struct ixn_acl acl[3] = {
	    {.remote = ixn_v4(10, 0, 0, 2),
	     .prefix = 32,
	     .proto = 17,
	     .in = true,
	     .port_lo = 53,
	     .port_hi = 53,
	     .allow = true},
	    {.remote = ixn_v4(10, 0, 0, 0),
	     .prefix = 24,
	     .in = true,
	     .out = true,
	     .port_hi = 65535},
	};
	ixn_udp a, b;

	(void)state;
	peer_start(&p, NULL);
	ixn_udp_bind(p.n, IXN_ANY, 53, 0, &a);
	ixn_udp_bind(p.n, IXN_ANY, 54, 0, &b);
	assert_int_equal(ixn_acl_set(p.n, acl, 2), 0);
	udp_in(US, 53, "x", 1, true);
	udp_in(US, 54, "x", 1, true);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, NULL), 1);
	assert_int_equal(ixn_stats(p.n)->acl_denied, 1);
	ping(PEER, US, 8, 1500);
	peer_expect_none(&p);
	assert_int_equal(send_udp(a, PEER, 1, 1), -IXN_EACCES);
	assert_int_equal(send_udp(a, 0x08080808, 1, 1), 0);
	peer_clear(&p);
	/* TCP in and out */
	ixn_listener l;
	ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
	peer_tcp(&p, SYN, 1, 0, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	/* Nor does a closed port tell that it is closed. */
	p.lport = 99;
	peer_tcp(&p, SYN, 1, 0, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, ACK, 1, 1, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	struct ixn_tuple t = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 80};
	ixn_conn c;
	assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), -IXN_EACCES);
	acl[0].prefix = 40;
	assert_int_equal(ixn_acl_set(p.n, acl, 1), -IXN_EINVAL);
	assert_int_equal(ixn_acl_set(p.n, acl, 1000), -IXN_ENOMEM);
	assert_int_equal(ixn_acl_set(p.n, NULL, 0), 0);
	udp_in(US, 54, "x", 1, true);
	assert_int_equal(peer_events(&p, IXN_EV_UDP_RECV, NULL), 1);
	peer_stop(&p);
}

static void test_config(void **state)
{
	struct ixn_config c;

	(void)state;
	ixn_config_default(&c);
	assert_true(ixn_size(&c) != 0);
	ixn_config_datacenter(&c);
	assert_true(ixn_size(&c) != 0);
	c.tcp.rto_min_us = 16;
	c.tcp.rto_initial_us = 16;
	assert_true(ixn_size(&c) != 0);
	c.tcp.rto_min_us = 15;
	assert_int_equal(ixn_size(&c), 0);
	ixn_config_default(&c);
	c.mtu = 500;
	assert_int_equal(ixn_size(&c), 0);
	ixn_config_default(&c);
	c.max_conns = 0;
	assert_int_equal(ixn_size(&c), 0);
	/* Times that ticks of 32 bits cannot tell apart */
	ixn_config_default(&c);
	c.tcp.user_timeout_us = 40000000000;
	assert_int_equal(ixn_size(&c), 0);
	ixn_config_default(&c);
	c.tcp.keepalive_idle_us = 40000000000;
	assert_int_equal(ixn_size(&c), 0);
	ixn_config_default(&c);
	c.reasm_timeout_us = 0;
	assert_int_equal(ixn_size(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_arp_reply),  cmocka_unit_test(test_arp_resolve),
	    cmocka_unit_test(test_arp_merge),  cmocka_unit_test(test_arp_announce),
	    cmocka_unit_test(test_ping),       cmocka_unit_test(test_ip_checks),
	    cmocka_unit_test(test_reassembly), cmocka_unit_test(test_udp),
	    cmocka_unit_test(test_routes),     cmocka_unit_test(test_acl),
	    cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
