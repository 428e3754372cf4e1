/* SPDX-License-Identifier: MIT */
/* TCP against a scripted peer. Numbers in comments are those of docs/tcp-conformance.md. */
#include "net/tcp/tcp.h"
#include "tests/lib/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct peer p;
static uint8_t data[100000];

static int64_t send_bytes(uint32_t len)
{
	struct ixn_seg s = {.ptr = data, .dma = 1, .len = len};
	int64_t n = ixn_sendv(p.n, p.conn, &s, 1);

	peer_cycle(&p);
	return n;
}

static struct ixn_info info(void)
{
	struct ixn_info i = {0};

	ixn_info(p.n, p.conn, &i);
	return i;
}

static uint32_t sack_blocks(const struct frame *f, uint32_t *lo, uint32_t *hi)
{
	for (uint32_t i = 0; i + 1 < f->optlen;) {
		if (f->opt[i] == 1) {
			i++;
			continue;
		}
		if (f->opt[i] == 5) {
			uint32_t n = (f->opt[i + 1] - 2u) / 8;
			for (uint32_t k = 0; k < n; k++) {
				lo[k] = get_be32(f->opt + i + 2 + 8 * k);
				hi[k] = get_be32(f->opt + i + 6 + 8 * k);
			}
			return n;
		}
		i += f->opt[i + 1];
	}
	return 0;
}

/* An ACK with SACK blocks given relative to p.ack */
static void send_sack(int32_t dack, uint32_t n, const uint32_t (*b)[2])
{
	uint8_t o[44] = {1, 1, 8, 10};

	put_be32(o + 4, p.tsval);
	put_be32(o + 8, p.tsecr);
	put_be32(o + 12, 0x01010500 | (2 + 8 * n));
	for (uint32_t i = 0; i < n; i++) {
		put_be32(o + 16 + 8 * i, p.ack + b[i][0]);
		put_be32(o + 20 + 8 * i, p.ack + b[i][1]);
	}
	peer_tcp(&p, ACK, p.seq, p.ack + (uint32_t)dack, p.wnd, o, 16 + 8 * n, NULL, 0);
}

/* ---- opening */

static void test_syn_ack(void **state)
{
	uint8_t opt[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
	ixn_listener l;

	(void)state;
	peer_start(&p, NULL);
	ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
	/* Options as Linux orders them; the window of a SYN-ACK is not scaled. */
	peer_tcp(&p, SYN, 500, 0, 1000, opt, 20, NULL, 0);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->flags, SYN | ACK);
	assert_int_equal(f->ack, 501);
	assert_int_equal(f->optlen, 20);
	assert_memory_equal(f->opt, "\2\4\5\xb4\4\2\10\12", 8);
	assert_int_equal(get_be32(f->opt + 12), 9);
	assert_memory_equal(f->opt + 16, "\1\3\3\10", 4);
	assert_int_equal(f->wnd, 65535);
	assert_int_equal(f->ttl, 64);
	/* What the SYN does not offer is not in the answer. */
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 1000, opt, 4, NULL, 0);
	f = peer_must(&p);
	assert_int_equal(f->optlen, 4);
	/* No MSS option: 536 (MUST-15) */
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 5000, NULL, 0, NULL, 0);
	f = peer_must(&p);
	peer_tcp(&p, ACK, 501, f->seq + 1, 5000, NULL, 0, NULL, 0);
	assert_int_equal(info().mss, 536);
	send_bytes(2000);
	peer_clear(&p);
	/* Retransmitted SYN: the SYN-ACK again, with the same number */
	p.port = 4000;
	peer_tcp(&p, SYN, 500, 0, 1000, opt, 20, NULL, 0);
	f = peer_must(&p);
	assert_int_equal(f->flags, SYN | ACK);
	peer_expect_none(&p);
	peer_stop(&p);
}

/* MUST-5, 6, 7, 64, 68: options of all kinds */
static void test_options(void **state)
{
	static const uint8_t odd[][12] = {
	    {0},                         /* EOL, padding */
	    {1, 1, 1, 1},                /* NOPs */
	    {253, 6, 1, 2, 3, 4, 1, 1},  /* unknown */
	    {2, 0, 5, 5},                /* length 0 */
	    {2, 1, 5, 5},                /* length 1 */
	    {8, 40, 1, 1},               /* beyond the header */
	    {5, 9, 1, 1, 1, 1, 1, 1, 1}, /* SACK of odd length */
	    {1, 2, 4, 5, 180, 3, 3, 20}, /* MSS unaligned, scale above 14 */
	    {2, 4, 0, 1},                /* tiny MSS */
	    {3, 2, 3},                   /* wrong lengths */
	};
	ixn_listener l;

	(void)state;
	for (uint32_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		peer_start(&p, NULL);
		ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
		peer_tcp(&p, SYN, 500, 0, 1000, odd[i], 12, NULL, 0);
		struct frame *f = peer_must(&p);
		assert_int_equal(f->flags, SYN | ACK);
		uint32_t iss = f->seq;
		/* in any segment (MUST-5) */
		peer_tcp(&p, ACK, 501, iss + 1, 1000, odd[i], 12, "hi", 2);
		assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 1);
		peer_cycle(&p);
		assert_int_equal(peer_events(&p, IXN_EV_RECV, NULL), 1);
		assert_true(info().mss >= 48);
		if (i == 7) {
			assert_int_equal(info().mss, 1460);
			assert_int_equal(info().snd_wscale, 14);
		}
		peer_stop(&p);
	}
}

static ixn_conn start_connect(bool expect_syn)
{
	struct ixn_tuple t = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 4000};
	ixn_conn c;

	assert_int_equal(ixn_connect(p.n, &t, 77, p.now, &c), 0);
	peer_cycle(&p);
	if (expect_syn) {
		struct frame *f = peer_must(&p);
		assert_int_equal(f->flags, SYN);
		assert_int_equal(f->wnd, 65535);
		assert_int_equal(f->optlen, 20);
		p.lport = f->sport;
		p.ack = f->seq + 1;
	}
	return c;
}

static void test_connect(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	start_connect(true);
	/* A wrong acknowledgement is answered with RST and changes nothing. */
	peer_tcp(&p, SYN | ACK, 900, p.ack + 5, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, RST, p.ack + 5, 0, 0);
	peer_tcp(&p, RST | ACK, 900, p.ack + 5, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, RST, 900, 0, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, ACK, 900, p.ack, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	peer_tcp(&p, SYN | ACK, 900, p.ack, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, 901, 0);
	assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, &ev), 1);
	assert_int_equal(ev.result, 0);
	assert_int_equal(ev.cookie, 77);
	/* Refused */
	peer_clear(&p);
	start_connect(true);
	peer_tcp(&p, RST | ACK, 0, p.ack, 0, NULL, 0, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, &ev), 1);
	assert_int_equal(ev.result, -IXN_ECONNREFUSED);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 0);
	assert_int_equal(ixn_close(p.n, ev.handle), -IXN_EBADF);
	/* Not reachable by configuration; bad addresses (MUST-46) */
	static const uint8_t bad[][4] = {
	    {0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1}, {255, 255, 255, 255}, {10, 0, 0, 255}};
	for (uint32_t i = 0; i < 5; i++) {
		struct ixn_tuple t = {.raddr = ixn_v4(bad[i][0], bad[i][1], bad[i][2], bad[i][3]),
				      .rport = 80};
		ixn_conn c;
		assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), -IXN_EINVAL);
	}
	struct ixn_tuple t = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 4000, .lport = 1234};
	ixn_conn c;
	t.laddr = ixn_v4(10, 0, 0, 77); /* MUST-43 */
	assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), -IXN_EADDRNOTAVAIL);
	t.laddr = IXN_ANY;
	assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), 0);
	assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), -IXN_EADDRINUSE);
	ixn_route_del(p.n, IXN_ANY, 0);
	t.raddr = ixn_v4(9, 9, 9, 9);
	assert_int_equal(ixn_connect(p.n, &t, 0, p.now, &c), -IXN_ENETUNREACH);
	peer_stop(&p);
}

/* MUST-22, 23: SYN retransmission goes on for at least three minutes. */
static void test_syn_timeout(void **state)
{
	struct ixn_event ev;
	uint64_t last, gap = 1000000;

	(void)state;
	peer_start(&p, NULL);
	uint64_t start = p.now;
	start_connect(true);
	last = p.now;
	for (int i = 0; i < 7; i++) {
		while (p.nread == p.nout)
			peer_wait(&p, 10000);
		struct frame *f = peer_must(&p);
		assert_int_equal(f->flags, SYN);
		assert_in_range(f->at - last, gap - 1000, gap + 1000);
		last = f->at;
		gap = gap * 2 > 120000000 ? 120000000 : gap * 2;
		assert_null(peer_next(&p));
	}
	peer_wait(&p, 130000000);
	assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, &ev), 1);
	assert_int_equal(ev.result, -IXN_ETIMEDOUT);
	assert_true(p.now - start > 180000000);
	peer_stop(&p);
}

/* MUST-10, 11: both sides open at once. */
static void test_simultaneous_open(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	start_connect(true);
	peer_tcp(&p, SYN, 900, 0, 1000, NULL, 0, NULL, 0);
	struct frame *f = peer_expect(&p, SYN | ACK, p.ack - 1, 901, 0);
	assert_int_equal(f->optlen, 4);
	peer_tcp(&p, SYN | ACK, 900, p.ack, 1000, NULL, 0, NULL, 0);
	f = peer_must(&p);
	assert_int_equal(f->flags, ACK);
	peer_tcp(&p, ACK, 901, p.ack, 1000, NULL, 0, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, NULL), 1);
	assert_int_equal(info().state, IXN_ESTABLISHED);
	/* An RST in SYN-RCVD of an active open tells the application. */
	peer_clear(&p);
	start_connect(true);
	peer_tcp(&p, SYN, 900, 0, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, RST, 901, 0, 0, NULL, 0, NULL, 0);
	struct ixn_event ev;
	assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, &ev), 1);
	assert_int_equal(ev.result, -IXN_ECONNREFUSED);
	peer_stop(&p);
}

static void test_listen(void **state)
{
	ixn_listener l, m;

	(void)state;
	peer_start(&p, NULL);
	p.auto_accept = false;
	/* Closed port: RST, in the form the segment calls for (RFC 9293 3.10.7.1) */
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, "abc", 3);
	peer_expect(&p, RST | ACK, 0, 504, 0);
	peer_tcp(&p, ACK, 500, 777, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, RST, 777, 0, 0);
	peer_tcp(&p, RST, 500, 777, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	assert_int_equal(ixn_listen(p.n, IXN_ANY, 0, 1, 1, &l), -IXN_EINVAL);
	assert_int_equal(ixn_listen(p.n, ixn_v4(9, 9, 9, 9), 80, 1, 1, &l), -IXN_EADDRNOTAVAIL);
	assert_int_equal(ixn_listen(p.n, IXN_ANY, 80, 2, 1, &l), 0);
	assert_int_equal(ixn_listen(p.n, IXN_ANY, 80, 2, 1, &m), -IXN_EADDRINUSE);
	assert_int_equal(ixn_listen(p.n, ixn_v4(10, 0, 0, 1), 80, 2, 2, &m), 0);
	/* LISTEN: RST ignored, ACK reset, nothing else taken */
	peer_tcp(&p, RST, 500, 777, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, FIN, 500, 0, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, SYN | FIN, 500, 0, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	peer_tcp(&p, ACK, 500, 777, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, RST, 777, 0, 0);
	/* MUST-63: invalid sources */
	p.raddr = 0xe0000005;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	p.raddr = 0x0a0000ff;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	p.raddr = 0x0a000001;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	p.raddr = 0x0a000002;
	peer_expect_none(&p);
	/* The more specific listener is knocked; reject resets. */
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	uint32_t iss = peer_must(&p)->seq;
	peer_tcp(&p, ACK, 501, iss + 1, 1000, NULL, 0, "early", 5);
	struct ixn_event ev;
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, &ev), 1);
	assert_int_equal(ev.cookie, 2);
	assert_int_equal(ev.rport, 4000);
	assert_int_equal(ixn_to_u32(&ev.raddr), 0x0a000002);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 0);
	peer_clear(&p);
	assert_int_equal(ixn_reject(p.n, p.conn), 0);
	assert_int_equal(ixn_reject(p.n, p.conn), -IXN_EBADF);
	peer_cycle(&p);
	assert_int_equal(peer_must(&p)->flags, RST | ACK);
	/* Unlisten resets what was not accepted. */
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	iss = peer_must(&p)->seq;
	peer_tcp(&p, ACK, 501, iss + 1, 1000, NULL, 0, NULL, 0);
	ixn_conn c = p.conn;
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	peer_clear(&p);
	assert_int_equal(ixn_unlisten(p.n, m), 0);
	assert_int_equal(ixn_unlisten(p.n, m), -IXN_EBADF);
	peer_cycle(&p);
	assert_int_equal(peer_must(&p)->flags & RST, RST);
	assert_int_equal(peer_must(&p)->flags & RST, RST);
	assert_int_equal(ixn_accept(p.n, c, 1), -IXN_EBADF);
	/* A connection that is reset before it was accepted */
	peer_clear(&p);
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
	iss = peer_must(&p)->seq;
	peer_tcp(&p, ACK, 501, iss + 1, 1000, NULL, 0, NULL, 0);
	peer_tcp(&p, RST, 501, iss + 1, 1000, NULL, 0, NULL, 0);
	assert_int_equal(ixn_accept(p.n, p.conn, 1), -IXN_EBADF);
	/* A full backlog of connections not accepted: SYNs are dropped. */
	for (uint32_t i = 0; i < 3; i++) {
		peer_clear(&p);
		p.port++;
		peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
		struct frame *f = peer_next(&p);
		assert_int_equal(!!f, i < 2);
		if (f)
			peer_tcp(&p, ACK, 501, f->seq + 1, 1000, NULL, 0, NULL, 0);
	}
	assert_int_equal(ixn_stats(p.n)->tcp_syn_drop, 1);
	peer_stop(&p);
}

/* SYN flood: cookies keep the door open, with the options kept in the timestamp. */
static void test_cookies(void **state)
{
	uint8_t opt[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 5};
	ixn_listener l;
	struct ixn_usage u;

	(void)state;
	peer_start(&p, NULL);
	ixn_listen(p.n, IXN_ANY, 80, 4, 5, &l);
	for (uint32_t i = 0; i < 100; i++) {
		p.raddr = 0x0b000000 + i;
		peer_tcp(&p, SYN, 500, 0, 1000, opt, 20, NULL, 0);
		peer_clear(&p);
	}
	ixn_usage(p.n, &u);
	assert_int_equal(u.conns, 4);
	assert_int_equal(ixn_stats(p.n)->tcp_cookie_sent, 96);
	p.raddr = 0x0a000002;
	peer_tcp(&p, SYN | ECE | CWR, 500, 0, 1000, opt, 20, NULL, 0);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->flags, SYN | ACK | ECE);
	uint8_t ts[12] = {1, 1, 8, 10, 0, 0, 0, 10};
	memcpy(ts + 8, f->opt + 8, 4);
	uint32_t iss = f->seq;
	/* A guess is reset, */
	peer_tcp(&p, ACK, 501, iss + 2, 1000, ts, 12, NULL, 0);
	peer_expect(&p, RST, iss + 2, 0, 0);
	/* the cookie opens, with data at once. */
	peer_tcp(&p, ACK, 501, iss + 1, 1000, ts, 12, "data", 4);
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 1);
	peer_cycle(&p);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, NULL), 1);
	assert_int_equal(info().snd_wscale, 5);
	assert_int_equal(info().mss, 1448);
	assert_true(info().sack);
	assert_true(info().timestamps);
	assert_true(info().ecn);
	assert_int_equal(info().snd_wnd, 1000 << 5);
	/* Without timestamps only the MSS survives; old cookies do not. */
	peer_clear(&p);
	p.port++;
	peer_tcp(&p, SYN, 500, 0, 1000, opt, 4, NULL, 0);
	iss = peer_must(&p)->seq;
	peer_wait(&p, 60000000);
	peer_clear(&p);
	peer_tcp(&p, ACK, 501, iss + 1, 1000, NULL, 0, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 1);
	assert_int_equal(info().mss, 1460);
	assert_int_equal(info().snd_wscale, 0);
	for (uint32_t i = 0; i < 20; i++) {
		p.raddr = 0x0b000000 + i;
		peer_tcp(&p, SYN, 500, 0, 1000, opt, 20, NULL, 0);
	}
	p.raddr = 0x0a000002;
	p.port++;
	peer_clear(&p);
	peer_tcp(&p, SYN, 500, 0, 1000, opt, 4, NULL, 0);
	iss = peer_must(&p)->seq;
	peer_wait(&p, 200000000);
	peer_clear(&p);
	peer_tcp(&p, ACK, 501, iss + 1, 1000, NULL, 0, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 0);
	peer_stop(&p);
}

/* ---- data */

/* A right cookie that comes when the listener is full is not refused: the peer's next try finds room. */
static void test_cookie_waits(void **state)
{
	static const uint8_t mss[4] = {2, 4, 5, 0xb4};
	uint32_t ack[3];
	ixn_listener l;

	(void)state;
	peer_start(&p, NULL);
	p.auto_accept = false;
	ixn_listen(p.n, IXN_ANY, 80, 1, 5, &l);
	for (int i = 0; i < 3; i++) {
		p.port = (uint16_t)(4000 + i);
		peer_tcp(&p, SYN, 7, 0, 1000, mss, 4, NULL, 0);
		ack[i] = peer_must(&p)->seq + 1;
	}
	peer_clear(&p);
	for (int i = 2; i > 0; i--) { /* the first cookie fills it */
		p.port = (uint16_t)(4000 + i);
		peer_tcp(&p, ACK, 8, ack[i], 1000, NULL, 0, NULL, 0);
	}
	peer_expect_none(&p);
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 1);
	assert_int_equal(ixn_accept(p.n, p.conn, 1), 0);
	peer_tcp(&p, ACK | PSH, 8, ack[1], 1000, NULL, 0, "again", 5);
	assert_int_equal(peer_events(&p, IXN_EV_KNOCK, NULL), 2);
	peer_stop(&p);
}

/* A flood of SYNs from addresses that do not exist: who is there still gets in, each time. */
static void test_syn_flood(void **state)
{
	static const uint8_t mss[4] = {2, 4, 5, 0xb4};
	struct ixn_event ev;
	ixn_listener l;
	uint32_t legit = 0;

	(void)state;
	peer_start(&p, NULL);
	ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
	for (uint32_t i = 0; i < 10000; i++) {
		p.now += 20; /* 50,000 a second */
		p.raddr = 0x0b000000 + i;
		p.port = (uint16_t)(1024 + i);
		peer_tcp(&p, SYN, i, 0, 1000, mss, 4, NULL, 0);
		peer_clear(&p);
		if (i % 100)
			continue;
		p.raddr = 0x0a000002;
		p.port = (uint16_t)(20000 + i);
		peer_tcp(&p, SYN, 7, 0, 1000, mss, 4, NULL, 0);
		uint32_t ack = peer_must(&p)->seq + 1;
		peer_tcp(&p, ACK | PSH, 8, ack, 1000, NULL, 0, "here", 4);
		peer_cycle(&p);
		legit += peer_events(&p, IXN_EV_RECV, &ev) == 1 && ev.len == 4;
		assert_int_equal(ixn_abort(p.n, p.conn), 0);
		peer_cycle(&p);
	}
	assert_int_equal(legit, 100);
	assert_true(ixn_stats(p.n)->tcp_cookie_ok >= 99);
	peer_stop(&p);
}

static void test_receive(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	peer_send(&p, ACK | PSH, 0, 0, "hello", 5);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 1);
	assert_int_equal(ev.cookie, 99);
	assert_int_equal(ev.len, 5);
	/* The first segments are acknowledged at once. */
	peer_expect(&p, ACK, p.ack, p.seq + 5, 0);
	/* A duplicate: acknowledged at once, with a D-SACK (RFC 2883) */
	peer_clear(&p);
	peer_send(&p, ACK | PSH, 0, 0, "hello", 5);
	uint32_t lo[4], hi[4];
	struct frame *f = peer_expect(&p, ACK, p.ack, p.seq + 5, 0);
	assert_int_equal(sack_blocks(f, lo, hi), 1);
	assert_int_equal(lo[0], p.seq);
	assert_int_equal(hi[0], p.seq + 5);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 0);
	p.seq += 5;
	/* Overlap in front: only what is new is delivered. */
	peer_send(&p, ACK, -3, 0, "lloWORLD", 8);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 1);
	assert_int_equal(ev.len, 5);
	peer_expect(&p, ACK, p.ack, p.seq + 5, 0);
	p.seq += 5;
	/* Out of order: held (SHLD-31), reported newest first (RFC 2018 4) */
	peer_clear(&p);
	peer_send(&p, ACK, 10, 0, "bbbbb", 5);
	peer_send(&p, ACK, 20, 0, "ccccc", 5);
	peer_next(&p);
	f = peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(sack_blocks(f, lo, hi), 2);
	assert_int_equal(lo[0], p.seq + 20);
	assert_int_equal(lo[1], p.seq + 10);
	/* overlapping what is held: kept once */
	peer_send(&p, ACK, 8, 0, "xxxxxxx", 7);
	peer_send(&p, ACK, 12, 0, "yyyyyyyyyyy", 11);
	peer_clear(&p);
	p.auto_done = false;
	peer_send(&p, ACK, 0, 0, "aaaaaaaaaa", 10);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev) > 1, 1);
	assert_int_equal(info().bytes_received, 15 - 5 + 25);
	assert_int_equal(info().held, 25);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 26), -IXN_EINVAL);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 7), 0);
	assert_int_equal(info().held, 18);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 18), 0);
	f = peer_must(&p);
	assert_int_equal(f->ack, p.seq + 25);
	peer_stop(&p);
}

/* MUST-40, 58, SHLD-18, 19: delayed ACKs */
static void test_delayed_ack(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	for (int i = 0; i < 16; i++) {
		peer_send(&p, ACK, 0, 0, data, 100);
		p.seq += 100;
		peer_expect(&p, ACK, p.ack, p.seq, 0);
		peer_clear(&p);
	}
	peer_send(&p, ACK, 0, 0, data, 100);
	p.seq += 100;
	peer_expect_none(&p);
	peer_wait(&p, 39000);
	peer_expect_none(&p);
	peer_wait(&p, 1100);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	/* every second full segment */
	peer_clear(&p);
	for (int i = 0; i < 6; i++) {
		peer_send(&p, ACK, 0, 0, data, 1448);
		p.seq += 1448;
		struct frame *f = peer_next(&p);
		assert_int_equal(!!f, i & 1);
		peer_clear(&p);
	}
	/* Data carries it. */
	peer_send(&p, ACK, 0, 0, data, 10);
	p.seq += 10;
	send_bytes(5);
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 5);
	p.ack += 5;
	peer_wait(&p, 50000);
	peer_expect_none(&p);
	peer_send(&p, ACK, 0, 0, NULL, 0);
	/* IXN_OPT_QUICKACK */
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_QUICKACK, 1), 0);
	peer_send(&p, ACK, 0, 0, data, 10);
	p.seq += 10;
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_stop(&p);
}

static void test_send(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	/* IW10 (RFC 6928), full segments (SHLD-28), PSH at the end */
	assert_int_equal(send_bytes(100000), 12 * 1448);
	for (int i = 0; i < 10; i++) {
		struct frame *f = peer_must(&p);
		assert_int_equal(f->paylen, 1448);
		assert_int_equal(f->seq, p.ack + 1448u * (uint32_t)i);
	}
	peer_expect_none(&p);
	assert_int_equal(send_bytes(1), 0);
	peer_clear(&p);
	peer_send(&p, ACK, 0, 2 * 1448, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_SENT, &ev), 1);
	assert_int_equal(ev.len, 2 * 1448);
	assert_true(ev.window >= 2 * 1448);
	p.ack += 2 * 1448;
	/* A partial acknowledgement inside a segment counts bytes. */
	peer_clear(&p);
	peer_send(&p, ACK, 0, 100, NULL, 0);
	peer_events(&p, IXN_EV_SENT, &ev);
	assert_int_equal(ev.len, 100);
	p.ack += 100;
	struct ixn_info i = info();
	peer_send(&p, ACK, 0, (int32_t)i.in_flight, NULL, 0);
	p.ack += i.in_flight;
	i = info();
	peer_send(&p, ACK, 0, (int32_t)i.in_flight, NULL, 0);
	p.ack += i.in_flight;
	assert_int_equal(info().in_flight, 0);
	/* Nagle (SHLD-7) holds a small one back while data is in flight, NODELAY (MUST-17) not. */
	peer_clear(&p);
	send_bytes(10);
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 10);
	send_bytes(10);
	send_bytes(10);
	peer_expect_none(&p);
	peer_send(&p, ACK, 0, 10, NULL, 0);
	p.ack += 10;
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 20);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1), 0);
	send_bytes(5);
	peer_expect(&p, ACK | PSH, p.ack + 20, p.seq, 5);
	peer_send(&p, ACK, 0, 25, NULL, 0);
	p.ack += 25;
	/* CORK keeps partial segments, its end lets them go. */
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_CORK, 1), 0);
	send_bytes(5);
	peer_expect_none(&p);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_CORK, 0), 0);
	peer_cycle(&p);
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 5);
	/* Many parts in one packet, and more than fit one */
	peer_send(&p, ACK, 0, 5, NULL, 0);
	p.ack += 5;
	struct ixn_seg s[25];
	for (int k = 0; k < 25; k++)
		s[k] = (struct ixn_seg){.ptr = data + k, .len = k % 3 ? 7 : 0};
	assert_int_equal(ixn_sendv(p.n, p.conn, s, 25), 16 * 7);
	peer_cycle(&p);
	uint32_t got = 0;
	struct frame *f;
	while ((f = peer_next(&p)))
		got += f->paylen;
	assert_int_equal(got, 16 * 7);
	assert_int_equal(ixn_sendv(p.n, 12345, s, 1), -IXN_EBADF);
	peer_stop(&p);
}

/* RFC 6298: the timer, its doubling, and Karn's rule */
static void test_rto(void **state)
{
	struct ixn_config c;
	uint64_t gap = 0, last;

	(void)state;
	peer_default(&c);
	c.tcp.rack = false;
	peer_start(&p, &c);
	peer_open(&p, false);
	send_bytes(100);
	struct frame *f = peer_expect(&p, ACK | PSH, p.ack, p.seq, 100);
	last = f->at;
	for (int i = 0; i < 5; i++) {
		while (p.nread == p.nout)
			peer_wait(&p, 1000);
		f = peer_expect(&p, ACK | PSH, p.ack, p.seq, 100);
		uint64_t d = f->at - last;
		if (i)
			assert_in_range(d, gap * 2 - 2000, gap * 2 + 2000);
		else
			assert_in_range(d, 200000, 210000);
		gap = d;
		last = f->at;
		peer_next(&p);
	}
	assert_int_equal(info().backoff, 5);
	assert_int_equal(info().cwnd, 1460);
	uint32_t srtt = info().srtt_us;
	peer_wait(&p, 100000);
	peer_send(&p, ACK, 0, 100, NULL, 0);
	p.ack += 100;
	assert_int_equal(info().srtt_us, srtt); /* Karn */
	assert_int_equal(info().backoff, 0);
	assert_int_equal(info().retransmits, 5);
	/* The user timeout ends it (MUST-20, 21). */
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_USER_TIMEOUT_US, 5000000), 0);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_SOFT_ERRORS, 1), 0);
	send_bytes(100);
	peer_clear(&p);
	peer_wait(&p, 20000000);
	struct ixn_event ev;
	assert_int_equal(peer_events(&p, IXN_EV_ERROR, &ev), 1); /* SHLD-9 */
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, -IXN_ETIMEDOUT);
	peer_stop(&p);
}

/* Tail loss probe (RFC 8985 7) */
static void test_tlp(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	p.now += 1;
	send_bytes(3 * 1448);
	for (int i = 0; i < 3; i++)
		peer_next(&p);
	peer_expect_none(&p);
	/* RTT of the handshake was about 0: the probe comes after some microseconds */
	peer_wait(&p, 1000);
	struct frame *f = peer_expect(&p, ACK | PSH, p.ack + 2 * 1448, p.seq, 1448);
	assert_non_null(f);
	assert_int_equal(ixn_stats(p.n)->tcp_tlp, 1);
	assert_int_equal(ixn_stats(p.n)->tcp_rto, 0);
	/* The answer shows that the first two are missing: sent again at once. */
	const uint32_t b[1][2] = {{2 * 1448, 3 * 1448}};
	p.now += 300;
	send_sack(0, 1, b);
	peer_wait(&p, 1000);
	f = peer_next(&p);
	assert_non_null(f);
	assert_int_equal(f->seq, p.ack);
	f = peer_next(&p);
	assert_non_null(f);
	assert_int_equal(f->seq, p.ack + 1448);
	assert_true(info().in_recovery);
	peer_send(&p, ACK, 0, 3 * 1448, NULL, 0);
	assert_false(info().in_recovery);
	peer_stop(&p);
}

/* The probe is the last segment, whatever pieces of memory it was made of. */
static void test_tlp_pieces(void **state)
{
	struct ixn_seg s[4] = {{.ptr = data, .dma = 1, .len = 1448},
			       {.ptr = data, .dma = 1, .len = 448},
			       {.ptr = data, .dma = 1, .len = 700},
			       {.ptr = data, .dma = 1, .len = 348}};

	(void)state;
	peer_start(&p, NULL);
	p.wnd = (1448 + 1496) / 128;
	peer_open(&p, true);
	ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1);
	p.now += 1;
	assert_int_equal(ixn_sendv(p.n, p.conn, s, 4), 2944);
	peer_cycle(&p);
	peer_expect(&p, ACK, p.ack, p.seq, 1448);
	peer_expect(&p, ACK, p.ack + 1448, p.seq, 1448);
	peer_expect(&p, ACK | PSH, p.ack + 2896, p.seq, 48);
	assert_int_equal(send_bytes(1448), 1448); /* the window keeps it back */
	peer_expect_none(&p);
	peer_wait(&p, 1000);
	peer_expect(&p, ACK | PSH, p.ack + 1896, p.seq, 1048);
	peer_expect_none(&p);
	assert_int_equal(ixn_stats(p.n)->tcp_tlp, 1);
	peer_stop(&p);
}

/* A D-SACK is for a segment, whatever pieces of memory it was made of. */
static void test_undo_pieces(void **state)
{
	struct ixn_seg s[2] = {{.ptr = data, .dma = 1, .len = 448},
			       {.ptr = data, .dma = 1, .len = 1000}};
	uint8_t o[44] = {1, 1, 8, 10};

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	p.now += 10000;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ixn_sendv(p.n, p.conn, s, 2), 1448);
	peer_cycle(&p);
	p.now += 10000;
	const uint32_t b[1][2] = {{1448, 4 * 1448}};
	send_sack(0, 1, b);
	assert_int_equal(info().retransmits, 1);
	assert_true(info().in_recovery);
	put_be32(o + 4, p.tsval);
	put_be32(o + 8, p.tsecr);
	put_be32(o + 12, 0x0101050a);
	put_be32(o + 16, p.ack);
	put_be32(o + 20, p.ack + 1448);
	peer_tcp(&p, ACK, p.seq, p.ack + 4 * 1448, p.wnd, o, 24, NULL, 0);
	assert_int_equal(ixn_stats(p.n)->tcp_dsack_in, 1);
	assert_int_equal(ixn_stats(p.n)->tcp_undo, 1);
	peer_stop(&p);
}

/* What is remembered of a loss more than 2 GB ago does not look like reordering. */
static void test_old_loss(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	p.now += 10000;
	struct tcb_cold *c = &p.n->cold[(uint32_t)p.conn - 1];
	c->fack = p.ack - 0x90000000;
	c->min_rtt = 10000;
	send_bytes(10 * 1448);
	p.now += 10000;
	peer_clear(&p);
	const uint32_t b[1][2] = {{2 * 1448, 5 * 1448}};
	send_sack(1448, 1, b);
	/* Segment 1 is missing, three are behind it: at once. */
	struct frame *f;
	while ((f = peer_next(&p)) && f->seq != p.ack + 1448)
		;
	assert_non_null(f);
	peer_stop(&p);
}

/* RFC 5681 4.1: a window that has grown is kept from burst to burst, and given up after an idle RTO. */
static void test_bursts(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	p.now += 2000000;
	for (int round = 0; round < 6; round++) {
		uint32_t before = info().cwnd, base = p.ack;

		assert_true(before >= 14480 && (before > 14480) == (round > 0));
		send_bytes(before);
		assert_int_equal(info().cwnd, round == 4 ? 14480 : before);
		p.now += 10000;
		for (struct ixn_info i; i = info(), i.in_flight;) {
			p.ack += i.in_flight < 2896 ? i.in_flight : 2896;
			peer_send(&p, ACK, 0, 0, NULL, 0);
		}
		assert_int_equal(p.ack - base, before);
		peer_clear(&p);
		p.now += round == 3 ? 2000000 : 50000;
	}
	peer_stop(&p);
}

/* RFC 9438 4.2: the cubic function does not go on while the application sends nothing. */
static void test_cubic_idle(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.tcp.iw = 40; /* larger than the window gets: no restart after idle */
	peer_start(&p, &c);
	peer_open(&p, true);
	uint32_t base = p.ack;
	for (int round = 0; round < 30; round++) {
		p.now += round == 20 ? 60000000 : 1000; /* a minute of silence */
		uint32_t before = info().cwnd;
		send_bytes(100000);
		p.now += 10000;
		if (round == 0) { /* a loss */
			const uint32_t b[1][2] = {{1448, 6 * 1448}};
			send_sack(0, 1, b);
		}
		for (struct ixn_info i; i = info(), i.in_flight;) {
			for (struct frame *f; (f = peer_next(&p));)
				p.tsecr = get_be32(f->opt + 4);
			p.ack = base + (uint32_t)i.bytes_acked +
				(i.in_flight < 2896 ? i.in_flight : 2896);
			peer_send(&p, ACK, 0, 0, NULL, 0);
		}
		peer_clear(&p);
		if (round > 3)
			assert_in_range(info().cwnd, before, before + 500);
	}
	assert_int_equal(ixn_stats(p.n)->tcp_rto, 0);
	assert_true(info().ssthresh < 100000);
	peer_stop(&p);
}

/* SACK recovery: only what is missing is sent again; D-SACK undoes a needless reduction. */
static void test_sack_recovery(void **state)
{
	for (int rack = 0; rack < 2; rack++) {
		struct ixn_config c;

		(void)state;
		peer_default(&c);
		c.tcp.rack = rack;
		peer_start(&p, &c);
		peer_open(&p, true);
		p.now += 10000;
		send_bytes(10 * 1448);
		for (int i = 0; i < 10; i++)
			peer_next(&p);
		peer_expect_none(&p);
		/* segment 2 (of 0..9) is lost */
		p.now += 10000;
		peer_send(&p, ACK, 0, 2 * 1448, NULL, 0);
		p.ack += 2 * 1448;
		uint32_t cwnd = info().cwnd;
		for (uint32_t i = 1; i <= 3; i++) {
			const uint32_t b[1][2] = {{1448, (i + 1) * 1448}};
			send_sack(0, 1, b);
		}
		struct frame *f;
		while ((f = peer_next(&p)) && f->seq != p.ack)
			;
		assert_non_null(f);
		assert_int_equal(f->paylen, 1448);
		assert_true(info().in_recovery);
		/* Nothing else is sent twice. */
		while ((f = peer_next(&p)))
			assert_true((int32_t)(f->seq - p.ack) >= 8 * 1448);
		const uint32_t more[1][2] = {{1448, 8 * 1448}};
		send_sack(0, 1, more);
		assert_int_equal(info().retransmits, 1);
		assert_true(info().ssthresh < cwnd);
		/* The first transmission was only late: all is undone. */
		uint8_t o[44] = {1, 1, 8, 10};
		put_be32(o + 4, p.tsval);
		put_be32(o + 8, p.tsecr);
		put_be32(o + 12, 0x0101050a);
		put_be32(o + 16, p.ack);
		put_be32(o + 20, p.ack + 1448);
		peer_tcp(&p, ACK, p.seq, p.ack + 8 * 1448, p.wnd, o, 24, NULL, 0);
		assert_int_equal(ixn_stats(p.n)->tcp_dsack_in, 1);
		assert_int_equal(ixn_stats(p.n)->tcp_undo, 1);
		assert_true(info().cwnd >= cwnd);
		peer_stop(&p);
	}
}

/* RFC 6582 without SACK: three duplicates, partial ACKs; RFC 3042 new data on the first two */
static void test_newreno(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.tcp.sack = false;
	c.tcp.cc = IXN_CC_NEWRENO;
	peer_start(&p, &c);
	peer_open(&p, true);
	assert_false(info().sack);
	send_bytes(12 * 1448);
	for (int i = 0; i < 10; i++)
		peer_next(&p);
	/* 0 and 3 are lost. */
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack + 10 * 1448, p.seq, 1448);
	peer_send(&p, ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_must(&p)->seq, p.ack + 11 * 1448);
	peer_expect_none(&p);
	peer_send(&p, ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_must(&p)->seq, p.ack);
	peer_expect_none(&p);
	assert_true(info().in_recovery);
	for (int i = 0; i < 5; i++)
		peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_clear(&p);
	peer_send(&p, ACK, 0, 3 * 1448, NULL, 0); /* partial */
	assert_int_equal(peer_must(&p)->seq, p.ack + 3 * 1448);
	assert_true(info().in_recovery);
	peer_send(&p, ACK, 0, 12 * 1448, NULL, 0);
	assert_false(info().in_recovery);
	assert_int_equal(ixn_stats(p.n)->tcp_rto, 0);
	peer_stop(&p);
}

/* ---- windows */

static void test_zero_window(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	p.wnd = 2920;
	peer_send(&p, ACK, 0, 0, "x", 1);
	p.seq++;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_clear(&p);
	/* Beyond the window at most the slack is taken; MUST-34, 35: closing and shrinking */
	int64_t n = send_bytes(10000);
	assert_int_equal(n, 4 * 1460);
	assert_int_equal(info().in_flight, 2920);
	peer_clear(&p);
	p.wnd = 0;
	peer_send(&p, ACK, 0, (int32_t)info().in_flight, NULL, 0);
	p.ack += 2920;
	assert_int_equal(send_bytes(5000), 0);
	/* Probes, at growing distances (SHLD-29, 30), for as long as they are answered (MUST-37) */
	uint64_t last = p.now, gap = 0;
	for (int i = 0; i < 8; i++) {
		while (p.nread == p.nout)
			peer_wait(&p, 1000);
		struct frame *f = peer_expect(&p, ACK, p.ack - 1, p.seq, 0);
		uint64_t d = f->at - last;
		if (i)
			assert_in_range(d, gap * 2 - 5000, gap * 2 + 5000);
		gap = d;
		last = f->at;
		peer_next(&p);
		peer_send(&p, ACK, 0, 0, NULL, 0);
		peer_clear(&p);
	}
	peer_wait(&p, 3600000000ull);
	/* ... which they have not been for an hour now */
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), 1);
	peer_stop(&p);

	peer_start(&p, NULL);
	peer_open(&p, false);
	p.wnd = 0;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	send_bytes(2000);
	peer_expect_none(&p);
	p.wnd = 5000;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 1460);
	/* The peer takes its window back (MUST-34): no new data, the old is retransmitted. */
	peer_clear(&p);
	p.wnd = 100;
	peer_send(&p, ACK, 0, 100, NULL, 0);
	peer_wait(&p, 5000000);
	struct frame *f = peer_next(&p);
	assert_non_null(f);
	assert_int_equal(f->seq, p.ack + 100);
	peer_stop(&p);
}

/* SHLD-16, 17: data in flight when the peer takes its window back is neither sent into the closed
 * window again nor a reason to give up; it is when the window is there again. */
static void test_shrunk_window(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	ixn_setopt(p.n, p.conn, IXN_OPT_USER_TIMEOUT_US, 20000000);
	assert_int_equal(send_bytes(2896), 2896);
	peer_clear(&p);
	p.wnd = 0;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	for (uint64_t end = p.now + 300000000; p.now < end;) {
		struct frame *f;
		peer_wait(&p, 1000000);
		while ((f = peer_next(&p))) {
			/* A tail loss probe may go; after that, only window probes */
			if (f->paylen)
				assert_true(p.now <= end - 299000000);
			else
				assert_int_equal(f->seq, p.ack - 1);
			peer_send(&p, ACK, 0, 0, NULL, 0);
		}
	}
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), 0);
	peer_clear(&p);
	p.wnd = 8;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_wait(&p, 1500000);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->seq, p.ack);
	assert_true(f->paylen > 0);
	peer_send(&p, ACK, 0, 2896, NULL, 0);
	assert_int_equal(info().in_flight, 0);
	/* When it falls silent, that is the end. */
	p.ack += 2896;
	p.wnd = 65535;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	send_bytes(2896);
	p.wnd = 0;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_wait(&p, 100000000);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), 1);
	peer_stop(&p);
}

/* RFC 6429: a peer that never opens its window does not keep a closed connection for ever. */
static void test_orphan(void **state)
{
	struct ixn_event ev;
	struct frame *f;
	int probes = 0;
	bool reset = false;

	(void)state;
	for (int flight = 0; flight < 2; flight++) {
		peer_start(&p, NULL);
		peer_open(&p, false);
		p.wnd = flight ? 65535 : 0;
		peer_send(&p, ACK, 0, 0, "x", 1);
		p.seq++;
		assert_true(send_bytes(1000) > 0);
		p.wnd = 0;
		peer_send(&p, ACK, 0, 0, NULL, 0);
		assert_int_equal(ixn_close(p.n, p.conn), 0);
		peer_cycle(&p);
		peer_clear(&p);
		probes = 0;
		reset = false;
		for (int s = 0; s < 300 && !reset; s++) {
			peer_wait(&p, 1000000);
			while ((f = peer_next(&p))) {
				reset |= f->flags & RST;
				probes++;
				if (!reset)
					peer_send(&p, ACK, 0, 0, NULL, 0);
			}
		}
		assert_true(reset);
		assert_in_range(probes, 9, 11);
		assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
		assert_int_equal(ev.result, -IXN_ETIMEDOUT);
		peer_stop(&p);
	}
}

/* A peer that is gone keeps a closed connection for 100 s, one in use for longer (SHLD-11). */
static void test_orphan_gone(void **state)
{
	struct ixn_event ev;

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		peer_start(&p, NULL);
		peer_open(&p, true);
		send_bytes(1000);
		if (closed)
			assert_int_equal(ixn_close(p.n, p.conn), 0);
		peer_clear(&p);
		peer_wait(&p, 95000000);
		assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 0);
		peer_wait(&p, 115000000);
		assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), closed);
		if (closed)
			assert_int_equal(ev.result, -IXN_ETIMEDOUT);
		peer_stop(&p);
	}
}

/* The probe of a window that we keep shut may be the first to acknowledge our FIN (MUST-66). */
static void test_fin_in_probe(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.tcp.rcv_wnd = 2048;
	for (int closing = 0; closing < 2; closing++) {
		peer_start(&p, &c);
		p.auto_done = false;
		peer_open(&p, false);
		for (int i = 0; i < 2; i++) {
			peer_send(&p, ACK, 0, 0, data, 1024);
			p.seq += 1024;
		}
		closing ? ixn_close(p.n, p.conn) : ixn_shutdown_write(p.n, p.conn);
		peer_cycle(&p);
		peer_clear(&p);
		assert_int_equal(info().state, IXN_FIN_WAIT_1);
		peer_send(&p, ACK, closing ? -1 : 0, 1, "x", closing ? 0 : 1);
		assert_int_equal(info().state, IXN_FIN_WAIT_2);
		peer_wait(&p, 61000000);
		assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), closing);
		peer_stop(&p);
	}
}

/* MUST-38: no silly small segments */
static void test_sender_sws(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1);
	p.wnd = 1460;
	peer_send(&p, ACK, 0, 0, "x", 1);
	p.seq++;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_clear(&p);
	send_bytes(4000);
	peer_expect(&p, ACK, p.ack, p.seq, 1460);
	p.wnd = 50;
	peer_send(&p, ACK, 0, 1460, NULL, 0);
	p.ack += 1460;
	peer_expect_none(&p);
	/* until the override time is over */
	peer_wait(&p, 300000);
	peer_expect(&p, ACK, p.ack, p.seq, 50);
	peer_stop(&p);
}

/* MUST-39, SHLD-14: the receive window closes, never shrinks, and reopens by a worthwhile step. */
static void test_receive_window(void **state)
{
	struct ixn_config c;
	uint32_t edge = 0;
	struct frame *f;

	(void)state;
	peer_default(&c);
	c.tcp.rcv_wnd = 10000;
	c.tcp.wscale = 0;
	peer_start(&p, &c);
	p.auto_done = false;
	peer_open(&p, false);
	for (int i = 0; i < 7; i++) {
		peer_send(&p, ACK, 0, 0, data, 1460);
		while ((f = peer_next(&p))) {
			assert_true(!edge || (int32_t)(f->ack + f->wnd - edge) >= 0);
			edge = f->ack + f->wnd;
		}
		if (i < 6)
			p.seq += 1460;
	}
	/* 10000 - 6 * 1460 = 1240 were taken of the last one */
	assert_int_equal(info().bytes_received, 10000);
	p.seq += 1240;
	peer_wait(&p, 50000);
	peer_clear(&p);
	/* A probe with one byte is answered, the byte not taken. */
	peer_send(&p, ACK, 0, 0, data, 1);
	f = peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(f->wnd, 0);
	/* RST and ACK still count (MUST-66). */
	send_bytes(10);
	peer_clear(&p);
	peer_send(&p, ACK, 0, 10, data, 1);
	assert_int_equal(peer_events(&p, IXN_EV_SENT, NULL), 1);
	p.ack += 10;
	peer_clear(&p);
	ixn_recv_done(p.n, p.conn, 100);
	peer_cycle(&p);
	peer_expect_none(&p); /* too little to mention */
	ixn_recv_done(p.n, p.conn, 3000);
	peer_cycle(&p);
	f = peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(f->wnd, 3100);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_RCV_WND, 5), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_RCV_WND, 40000), 0);
	peer_stop(&p);
}

/* Sockets that never read: buffers are bounded in number as well as in bytes. */
static void test_rx_limit(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.tcp.max_rx_bufs = 20;
	peer_start(&p, &c);
	p.auto_done = false;
	peer_open(&p, true);
	for (int i = 0; i < 30; i++) {
		peer_send(&p, ACK, 0, 0, "x", 1);
		p.seq++;
		peer_clear(&p);
	}
	assert_int_equal(p.held, 20);
	assert_true(ixn_stats(p.n)->tcp_rx_limit > 0);
	for (int i = 0; i < 30; i++)
		peer_send(&p, ACK, 10 + 2 * i, 0, "x", 1);
	assert_int_equal(p.held, 20);
	peer_stop(&p);
}

/* While buffers are short, what is out of order is not held, and of the rest only a little. */
static void test_rx_scarce(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	p.auto_done = false;
	peer_open(&p, true);
	p.rx_flags = IXN_RX_SCARCE;
	peer_send(&p, ACK, 10, 0, "later", 5);
	assert_int_equal(ixn_stats(p.n)->tcp_ooo_drop, 1);
	for (int i = 0; i < 30; i++) {
		peer_send(&p, ACK, 0, 0, "x", 1);
		p.seq += i < 8;
		peer_clear(&p);
	}
	assert_int_equal(p.held, 8);
	assert_int_equal(ixn_stats(p.n)->tcp_rx_limit, 22);
	/* One that reads goes on. */
	assert_int_equal(ixn_recv_done(p.n, p.conn, 8), 0);
	peer_send(&p, ACK, 0, 0, "x", 1);
	assert_int_equal(p.held, 1);
	p.seq++;
	p.rx_flags = 0;
	peer_send(&p, ACK, 10, 0, "later", 5);
	assert_int_equal(p.held, 2);
	peer_stop(&p);
}

/* A peer with tiny segments and a large window takes a share of the records, not all. */
static void test_record_share(void **state)
{
	struct ixn_config c;
	static const uint8_t mss[4] = {2, 4, 0, 48};
	uint32_t acked = 0;

	(void)state;
	peer_default(&c);
	c.tx_recs = 256;
	peer_start(&p, &c);
	ixn_listener l;
	ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
	peer_tcp(&p, SYN, p.seq, 0, 65535, mss, 4, NULL, 0);
	p.ack = peer_must(&p)->seq + 1;
	p.seq++;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1);
	for (int i = 0; i < 400; i++) {
		while (send_bytes(48 * 100) > 0)
			;
		peer_clear(&p);
		acked = info().in_flight / 2;
		peer_send(&p, ACK, 0, (int32_t)acked, NULL, 0);
		p.ack += acked;
	}
	struct ixn_usage u;
	ixn_usage(p.n, &u);
	assert_int_equal(info().cwnd, 64 * 48);
	assert_in_range(u.tx_recs, 32, 80);
	/* Many of them leave a reserve to those who have nothing yet. */
	ixn_conn small[7] = {p.conn};
	for (int k = 1; k < 7; k++) {
		p.port++;
		p.seq = 100000;
		peer_clear(&p);
		peer_tcp(&p, SYN, p.seq, 0, 65535, mss, 4, NULL, 0);
		p.ack = peer_must(&p)->seq + 1;
		p.seq++;
		peer_send(&p, ACK, 0, 0, NULL, 0);
		ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1);
		for (int i = 0; i < 40; i++) {
			send_bytes(48 * 100);
			peer_clear(&p);
			acked = info().in_flight / 2;
			peer_send(&p, ACK, 0, (int32_t)acked, NULL, 0);
			p.ack += acked;
		}
		small[k] = p.conn;
	}
	ixn_usage(p.n, &u);
	assert_in_range(u.tx_recs, 200, 256 - 16);
	p.port++;
	p.seq = 100000;
	peer_clear(&p);
	peer_open(&p, true);
	assert_int_equal(send_bytes(1000), 1000);
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 1000);
	assert_int_equal(ixn_tuple(p.n, small[0], &(struct ixn_tuple){.lport = 0}), 0);
	peer_stop(&p);
}

/* However much is queued, something is sent; and who waits for records of others does not keep us busy. */
static void test_record_shortage(void **state)
{
	struct ixn_config c;
	struct ixn_seg s = {.ptr = data, .dma = 1, .len = 4096};
	ixn_conn h[24];
	uint32_t none = 0, sent = 0;
	struct frame *f;

	(void)state;
	peer_default(&c);
	c.tx_recs = 24;
	peer_start(&p, &c);
	for (int i = 0; i < 24; i++) {
		p.port++;
		peer_open(&p, true);
		h[i] = p.conn;
	}
	for (int i = 0; i < 24; i++)
		none += ixn_sendv(p.n, h[i], &s, 1) == -IXN_ENOBUFS;
	assert_int_equal(none, 1);
	peer_cycle(&p);
	while ((f = peer_next(&p)))
		sent += f->paylen;
	assert_true(sent > 0);
	assert_false(ixn_backlogged(p.n));
	peer_wait(&p, 3000000);
	peer_stop(&p);
}

/* Handles that nobody was given name nothing. */
static void test_handles(void **state)
{
	struct ixn_tuple tu;
	struct ixn_info i;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	for (uint64_t gen = 0; gen < 4; gen++) {
		for (uint64_t id = 0; id < 40; id++) {
			ixn_conn h = gen << 32 | id;
			if (h == p.conn)
				continue;
			assert_int_equal(ixn_info(p.n, h, &i), -IXN_EBADF);
			assert_int_equal(ixn_tuple(p.n, h, &tu), -IXN_EBADF);
			assert_int_equal(ixn_accept(p.n, h, 1), -IXN_EBADF);
			assert_int_equal(ixn_reject(p.n, h), -IXN_EBADF);
			assert_int_equal(ixn_close(p.n, h), -IXN_EBADF);
			assert_int_equal(ixn_recv_done(p.n, h, 0), -IXN_EBADF);
		}
	}
	assert_int_equal(ixn_info(p.n, p.conn, &i), 0);
	assert_int_equal(ixn_abort(p.n, p.conn), 0);
	peer_cycle(&p);
	assert_int_equal(ixn_info(p.n, p.conn, &i), -IXN_EBADF);
	peer_stop(&p);
}

/* ---- closing */

static void test_close_active(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	send_bytes(10);
	assert_int_equal(ixn_close(p.n, p.conn), 0);
	assert_int_equal(ixn_close(p.n, p.conn), -IXN_EBADF);
	assert_int_equal(send_bytes(10), -IXN_EPIPE);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->paylen, 10);
	peer_expect(&p, ACK | FIN | PSH, p.ack + 10, p.seq, 0);
	assert_int_equal(info().state, IXN_FIN_WAIT_1);
	peer_send(&p, ACK, 0, 11, NULL, 0);
	p.ack += 11;
	assert_int_equal(info().state, IXN_FIN_WAIT_2);
	peer_clear(&p);
	peer_send(&p, ACK | FIN, 0, 0, NULL, 0);
	p.seq++;
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, 0);
	struct ixn_usage u;
	ixn_usage(p.n, &u);
	assert_int_equal(u.conns, 0);
	assert_int_equal(u.timewait, 1);
	/* TIME-WAIT: the FIN again is acknowledged again; RST does not end it (RFC 1337). */
	peer_send(&p, ACK | FIN, -1, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_tcp(&p, RST, p.seq, 0, 0, NULL, 0, NULL, 0);
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_expect_none(&p);
	/* An old SYN does not open, a new one does (MAY-2, SHLD-4). */
	peer_tcp(&p, SYN, p.seq - 100, 0, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_tcp(&p, SYN, p.seq + 100, 0, 1000, NULL, 0, NULL, 0);
	f = peer_must(&p);
	assert_int_equal(f->flags, SYN | ACK);
	/* ... with a number beyond what the old connection has used. */
	assert_true((int32_t)(f->seq - p.ack) > 65535);
	ixn_usage(p.n, &u);
	assert_int_equal(u.timewait, 0);
	peer_stop(&p);
}

static void test_time_wait_burst(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	ixn_shutdown_write(p.n, p.conn);
	peer_cycle(&p);
	peer_expect(&p, ACK | PSH | FIN, p.ack, p.seq, 0);
	peer_send(&p, ACK, 0, 1, NULL, 0);
	/* The FIN twice in one burst: the second is answered as from TIME-WAIT. */
	p.gather = true;
	peer_send(&p, ACK | FIN, 0, 1, NULL, 0);
	peer_send(&p, ACK | FIN, 0, 1, NULL, 0);
	peer_burst(&p);
	peer_expect(&p, ACK, p.ack + 1, p.seq + 1, 0);
	peer_expect(&p, ACK, p.ack + 1, p.seq + 1, 0);
	assert_int_equal(ixn_stats(p.n)->tcp_timewait, 1);
	peer_stop(&p);
}

/* MUST-13: 2 MSL, then the state is gone; a full pool gives up the oldest. */
static void test_time_wait(void **state)
{
	struct ixn_usage u;

	(void)state;
	peer_start(&p, NULL);
	for (int i = 0; i < 12; i++) {
		p.port++;
		peer_open(&p, true);
		ixn_close(p.n, p.conn);
		peer_cycle(&p);
		peer_send(&p, ACK | FIN, 0, 1, NULL, 0);
		peer_clear(&p);
	}
	ixn_usage(p.n, &u);
	assert_int_equal(u.timewait, 8);
	assert_int_equal(ixn_stats(p.n)->tcp_tw_recycled, 4);
	peer_wait(&p, 59000000);
	ixn_usage(p.n, &u);
	assert_int_equal(u.timewait, 8);
	peer_wait(&p, 2000000);
	ixn_usage(p.n, &u);
	assert_int_equal(u.timewait, 0);
	peer_stop(&p);
}

static void test_close_passive(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	peer_send(&p, ACK | FIN, 0, 0, "bye", 3);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 1);
	assert_int_equal(peer_events(&p, IXN_EV_EOF, &ev), 1);
	p.seq += 4;
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(info().state, IXN_CLOSE_WAIT);
	/* Half-closed: we may go on sending. */
	send_bytes(10);
	peer_expect(&p, ACK | PSH, p.ack, p.seq, 10);
	peer_send(&p, ACK, 0, 10, NULL, 0);
	p.ack += 10;
	/* Nothing new can come after a FIN. */
	peer_send(&p, ACK, 0, 0, "more", 4);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 1);
	peer_clear(&p);
	ixn_close(p.n, p.conn);
	peer_cycle(&p);
	peer_expect(&p, ACK | FIN | PSH, p.ack, p.seq, 0);
	assert_int_equal(info().state, IXN_LAST_ACK);
	peer_send(&p, ACK, 0, 1, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, 0);
	peer_stop(&p);
}

/* Half-close by us: data still comes, and stays with the application after the end. */
static void test_half_close(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	p.auto_done = false;
	peer_open(&p, false);
	assert_int_equal(ixn_shutdown_write(p.n, p.conn), 0);
	assert_int_equal(ixn_shutdown_write(p.n, p.conn), -IXN_EPIPE);
	peer_cycle(&p);
	peer_expect(&p, ACK | FIN | PSH, p.ack, p.seq, 0);
	p.ack++;
	peer_send(&p, ACK, 0, 0, "answer", 6);
	p.seq += 6;
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 1);
	peer_send(&p, ACK | FIN, 0, 0, NULL, 0);
	p.seq++;
	assert_int_equal(peer_events(&p, IXN_EV_EOF, &ev), 1);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 0);
	assert_int_equal(info().state, IXN_TIME_WAIT);
	peer_cycle(&p);
	assert_int_equal(p.held, 1);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 6), 0);
	assert_int_equal(p.held, 0);
	assert_int_equal(ixn_close(p.n, p.conn), 0);
	peer_cycle(&p);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	peer_stop(&p);
}

static void test_simultaneous_close(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	ixn_close(p.n, p.conn);
	peer_cycle(&p);
	peer_expect(&p, ACK | FIN | PSH, p.ack, p.seq, 0);
	peer_send(&p, ACK | FIN, 0, 0, NULL, 0);
	p.seq++;
	assert_int_equal(info().state, IXN_CLOSING);
	peer_expect(&p, ACK, p.ack + 1, p.seq, 0);
	peer_send(&p, ACK, 0, 1, NULL, 0);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), 1);
	struct ixn_usage u;
	ixn_usage(p.n, &u);
	assert_int_equal(u.timewait, 1);
	peer_stop(&p);
}

/* SHLD-3: closed with unread data, or data after the close: RST. FIN-WAIT-2 does not last. */
static void test_close_reset(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	peer_send(&p, ACK, 10, 0, "later", 5); /* out of order: unread for sure */
	peer_clear(&p);
	ixn_close(p.n, p.conn);
	peer_cycle(&p);
	assert_int_equal(peer_must(&p)->flags, RST | ACK);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	peer_clear(&p);
	p.port++;
	p.lport = 81;
	peer_open(&p, false);
	ixn_close(p.n, p.conn);
	peer_cycle(&p);
	peer_send(&p, ACK, 0, 1, NULL, 0);
	p.ack++;
	peer_clear(&p);
	peer_send(&p, ACK, 0, 0, "data", 4);
	assert_int_equal(peer_must(&p)->flags, RST | ACK);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, -IXN_ECONNABORTED);
	p.port++;
	p.lport = 82;
	peer_clear(&p);
	peer_open(&p, false);
	ixn_close(p.n, p.conn);
	peer_cycle(&p);
	peer_send(&p, ACK, 0, 1, NULL, 0);
	peer_wait(&p, 61000000);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	/* Abort: RST, no event, the handle is gone at once. */
	p.port++;
	p.lport = 83;
	peer_clear(&p);
	peer_open(&p, false);
	send_bytes(10);
	peer_clear(&p);
	assert_int_equal(ixn_abort(p.n, p.conn), 0);
	assert_int_equal(ixn_abort(p.n, p.conn), -IXN_EBADF);
	peer_cycle(&p);
	assert_int_equal(peer_must(&p)->flags, RST | ACK);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 0);
	peer_stop(&p);
}

/* ---- attacks (RFC 5961), RST rules */

static void test_blind_attacks(void **state)
{
	struct ixn_config c;
	struct ixn_event ev;

	(void)state;

	peer_default(&c);
	c.tcp.challenge_ack_us = 0; /* see test_ack_storm() */
	peer_start(&p, &c);
	peer_open(&p, true);
	p.ts = false;
	/* RST in the window but not exact: challenge; outside: nothing */
	peer_tcp(&p, RST, p.seq + 5, 0, 0, NULL, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_tcp(&p, RST, p.seq - 5, 0, 0, NULL, 0, NULL, 0);
	peer_tcp(&p, RST, p.seq + (1 << 24), 0, 0, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	p.ts = true;
	/* SYN: challenge (RFC 5961 4), in the window or not */
	peer_send(&p, SYN, 0, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_send(&p, SYN, -100, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	/* Data with an impossible ACK: challenge, not taken (RFC 5961 5) */
	peer_send(&p, ACK, 0, 100000, "evil", 4);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	peer_send(&p, ACK, 0, -20000000, "evil", 4);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	/* without ACK, without timestamps: dropped */
	peer_send(&p, PSH, 0, 0, "evil", 4);
	p.ts = false;
	peer_send(&p, ACK, 0, 0, "evil", 4);
	p.ts = true;
	peer_expect_none(&p);
	/* PAWS (RFC 7323 5) */
	p.tsval -= 10;
	peer_send(&p, ACK, 0, 0, "evil", 4);
	p.tsval += 10;
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	assert_int_equal(ixn_stats(p.n)->tcp_paws, 1);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, &ev), 0);
	/* Challenges are limited. */
	for (int i = 0; i < 1200; i++) {
		peer_tcp(&p, RST, p.seq + 5, 0, 0, NULL, 0, NULL, 0);
		peer_clear(&p);
	}
	/* How many exactly nobody can foresee: another connection's share would show in that. */
	assert_in_range(ixn_stats(p.n)->tcp_challenge, 500, 999);
	assert_true(ixn_stats(p.n)->tcp_challenge_limited > 100);
	/* The exact RST ends it, with data too (SHLD-2). */
	peer_tcp(&p, RST, p.seq, 0, 0, NULL, 0, "why", 3);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, -IXN_ECONNRESET);
	peer_stop(&p);
}

/* An ACK storm cannot be started: out-of-date ACKs are not answered without limit. */
static void test_ack_storm(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	uint32_t answers = 0;
	for (int i = 0; i < 3000; i++) {
		peer_send(&p, ACK, -50, 0, NULL, 0);
		while (peer_next(&p))
			answers++;
	}
	assert_int_equal(answers, 1);
	/* Two a second, so two ends cannot keep each other going; to data there is always an answer. */
	peer_wait(&p, 499000);
	peer_send(&p, ACK, -50, 0, NULL, 0);
	peer_expect_none(&p);
	peer_wait(&p, 2000);
	peer_send(&p, ACK, -50, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	p.tsval -= 10;
	for (int i = 0; i < 10; i++) {
		peer_send(&p, ACK, 0, 0, "old", 3);
		peer_expect(&p, ACK, p.ack, p.seq, 0);
	}
	p.tsval += 10;
	/* Pure duplicates of the right number need no answer at all. */
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_expect_none(&p);
	peer_stop(&p);
}

/* However many connections there are, each keep-alive is answered. */
static void test_probe_answers(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.tcp.challenge_ack_per_s = 2;
	peer_start(&p, &c);
	for (int i = 0; i < 20; i++) {
		p.port++;
		peer_open(&p, true);
		peer_send(&p, ACK, -1, 0, NULL, 0);
		peer_expect(&p, ACK, p.ack, p.seq, 0);
	}
	assert_int_equal(ixn_stats(p.n)->tcp_challenge_limited, 0);
	peer_stop(&p);
}

/* PAWS holds for 24 days of silence, and not longer. */
static void test_paws_age(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	for (uint32_t hours = 10; hours < 24 * 24; hours += 47) {
		peer_wait(&p, (hours == 10 ? 10 : 47) * 3600000000ull);
		p.tsval -= 10;
		peer_send(&p, ACK, 0, 0, "old", 3);
		p.tsval += 10;
		peer_clear(&p);
		assert_int_equal(info().bytes_received, 0);
	}
	peer_wait(&p, 3 * 24 * 3600000000ull);
	p.tsval -= 10;
	peer_send(&p, ACK, 0, 0, "new", 3);
	assert_int_equal(info().bytes_received, 3);
	peer_stop(&p);
}

/* After a silence of any length the timers run. */
static void test_long_silence(void **state)
{
	ixn_listener l;

	(void)state;
	for (uint64_t hours = 8; hours < 40; hours += 3) {
		peer_start(&p, NULL);
		ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
		p.now += hours * 3600000000ull;
		peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
		uint32_t seq = peer_must(&p)->seq;
		peer_wait(&p, 1100000);
		assert_int_equal(peer_must(&p)->seq, seq);
		peer_stop(&p);
	}
}

/* A peer's crumbs out of order do not make a list that each arrival walks. */
static void test_crumbs(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	for (int32_t i = 0; i < 600; i += 2) {
		peer_send(&p, ACK, 2000 + i, 0, "x", 1);
		peer_clear(&p);
	}
	assert_int_equal(ixn_stats(p.n)->tcp_ooo_drop, 300 - 256);
	peer_send(&p, ACK, 4000, 0, data, 1448);
	assert_int_equal(ixn_stats(p.n)->tcp_ooo_drop, 300 - 256);
	peer_stop(&p);
}

/* TCP in fragments does not hold the buffers of reassembly: out of order none, in order half of them. */
static void test_fragment_share(void **state)
{
	uint8_t t[64] = {0}, f[200];

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	p.auto_done = false;
	put_be16(t, p.port);
	put_be16(t + 2, 80);
	put_be32(t + 8, p.ack);
	t[12] = 0x50;
	t[13] = ACK;
	put_be16(t + 14, 65535);
	for (uint16_t i = 0; i < 8; i++) {
		uint32_t seq = i < 4 ? p.seq + 100 + 40u * i : p.seq + 20u * (i - 4);
		put_be32(t + 4, seq);
		put_be16(t + 16, 0);
		put_be16(t + 16, inet_sum(t, 40, 6 + 40 + 0x0a00 + 2 + 0x0a00 + 1));
		peer_frame(&p, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t, 24, 9 + i, 0x2000));
		peer_frame(&p, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t + 24, 16, 9 + i, 3));
	}
	assert_int_equal(ixn_stats(p.n)->reasm_ok, 8);
	assert_int_equal(ixn_stats(p.n)->tcp_ooo_drop, 5);
	assert_int_equal(ixn_stats(p.n)->tcp_rx_limit, 1);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, NULL), 2); /* of four buffers */
	struct ixn_usage u;
	ixn_usage(p.n, &u);
	assert_int_equal(u.reasm, 2);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 40), 0);
	ixn_usage(p.n, &u);
	assert_int_equal(u.reasm, 0);
	peer_stop(&p);
}

static uint8_t icmp_about(const struct frame *f, uint8_t type, uint8_t code, uint16_t mtu,
			  uint32_t seq)
{
	uint8_t e[64] = {type, code}, g[200];

	put_be16(e + 6, mtu);
	memcpy(e + 8, f->d + 14, 28);
	put_be32(e + 8 + 24, seq);
	put_be16(e + 2, inet_sum(e, 36, 0));
	peer_frame(&p, g, peer_ip(g, 0x0a000002, 0x0a000001, 1, e, 36, 1, 0));
	return 0;
}

/* MUST-54, 56, SHLD-25, 26, RFC 5927, RFC 1191 */
static void test_icmp(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	ixn_setopt(p.n, p.conn, IXN_OPT_SOFT_ERRORS, 1);
	send_bytes(3000);
	struct frame f = *peer_must(&p);
	assert_int_equal(f.d[20] & 0x40, 0x40); /* DF */
	peer_clear(&p);
	icmp_about(&f, 3, 1, 0, f.seq);
	assert_int_equal(peer_events(&p, IXN_EV_ERROR, &ev), 1);
	assert_int_equal(ev.result, -IXN_EHOSTUNREACH);
	icmp_about(&f, 3, 3, 0, f.seq);
	assert_int_equal(peer_events(&p, IXN_EV_ERROR, &ev), 2);
	assert_int_equal(ev.result, -IXN_ECONNREFUSED);
	icmp_about(&f, 11, 0, 0, f.seq + 100000); /* not in flight: a forgery */
	assert_int_equal(peer_events(&p, IXN_EV_ERROR, &ev), 2);
	assert_int_equal(info().state, IXN_ESTABLISHED);
	/* Path MTU: believed down to 552, and only for what is in flight */
	icmp_about(&f, 3, 4, 1000, f.seq - 1);
	assert_int_equal(info().mss, 1448);
	peer_clear(&p);
	icmp_about(&f, 3, 4, 1000, f.seq);
	assert_int_equal(info().mss, 948);
	assert_int_equal(peer_must(&p)->paylen, 948);
	icmp_about(&f, 3, 4, 0, f.seq);
	assert_int_equal(info().mss, 576 - 52);
	icmp_about(&f, 3, 4, 100, f.seq);
	assert_int_equal(info().mss, 500);
	icmp_about(&f, 3, 4, 1400, f.seq);
	assert_int_equal(info().mss, 500);
	/* A connection under way ends by a hard error only. */
	p.port = 4000;
	struct ixn_tuple t = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 4000};
	ixn_conn c;
	for (uint8_t code = 1; code <= 3; code += 2) {
		peer_clear(&p);
		ixn_connect(p.n, &t, 1, p.now, &c);
		peer_cycle(&p);
		f = *peer_must(&p);
		icmp_about(&f, 3, code, 0, f.seq);
		assert_int_equal(peer_events(&p, IXN_EV_CONNECTED, &ev), code == 3);
	}
	assert_int_equal(ev.result, -IXN_ECONNREFUSED);
	peer_stop(&p);
}

/* ---- the rest */

static void test_keepalive(void **state)
{
	struct ixn_event ev;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	/* MUST-25: off by default */
	peer_wait(&p, 8000000000ull);
	peer_expect_none(&p);
	ixn_setopt(p.n, p.conn, IXN_OPT_KEEPIDLE_US, 10000000);
	ixn_setopt(p.n, p.conn, IXN_OPT_KEEPINTVL_US, 2000000);
	ixn_setopt(p.n, p.conn, IXN_OPT_KEEPCNT, 3);
	ixn_setopt(p.n, p.conn, IXN_OPT_KEEPALIVE, 1);
	peer_wait(&p, 9000000);
	peer_send(&p, ACK, 0, 0, "x", 1);
	p.seq++;
	peer_clear(&p);
	peer_wait(&p, 9900000);
	peer_expect_none(&p);
	peer_wait(&p, 200000);
	peer_expect(&p, ACK, p.ack - 1, p.seq, 0); /* SHLD-12 */
	peer_send(&p, ACK, 0, 0, NULL, 0);
	peer_wait(&p, 11000000);
	peer_clear(&p);
	assert_int_equal(ixn_stats(p.n)->tcp_keepalive, 2);
	/* MUST-29: three unanswered ones */
	peer_wait(&p, 20000000);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, -IXN_ETIMEDOUT);
	peer_stop(&p);
}

/* Asked for while the handshake still goes on, for longer than the silence that is allowed. */
static void test_keepalive_early(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	p.conn = start_connect(true);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPIDLE_US, 100000), 0);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPALIVE, 1), 0);
	peer_wait(&p, 750000);
	peer_expect_none(&p);
	peer_tcp(&p, SYN | ACK, 900, p.ack, 1000, NULL, 0, NULL, 0);
	peer_expect(&p, ACK, p.ack, 901, 0);
	peer_wait(&p, 210000);
	peer_expect(&p, ACK, p.ack - 1, 901, 0);
	peer_stop(&p);
}

/* A connection that is over, but for the application's close(), sends none. */
static void test_keepalive_over(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	ixn_shutdown_write(p.n, p.conn);
	peer_cycle(&p);
	peer_send(&p, ACK | FIN, 0, 1, NULL, 0);
	assert_int_equal(info().state, IXN_TIME_WAIT);
	peer_clear(&p);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPIDLE_US, 1000000), 0);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPALIVE, 1), 0);
	peer_wait(&p, 1000000000);
	peer_expect_none(&p);
	assert_int_equal(peer_events(&p, IXN_EV_DEAD, NULL), 0);
	assert_int_equal(ixn_close(p.n, p.conn), 0);
	peer_stop(&p);
}

/* RFC 3168: negotiation, echo, reaction once per window, no ECT on ACKs and retransmissions */
static void test_ecn(void **state)
{
	struct ixn_config c;
	uint8_t opt[4] = {2, 4, 5, 0xb4};
	ixn_listener l;

	(void)state;
	peer_default(&c);
	c.tcp.rack = false;
	peer_start(&p, &c);
	ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
	peer_tcp(&p, SYN | ECE | CWR, p.seq, 0, 65535, opt, 4, NULL, 0);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->flags, SYN | ACK | ECE);
	assert_int_equal(f->tos & 3, 0);
	p.seq++;
	p.ack = f->seq + 1;
	peer_send(&p, ACK, 0, 0, NULL, 0);
	/* CE is echoed until CWR comes. */
	uint8_t g[200], t[40] = {0};
	put_be16(t, p.port);
	put_be16(t + 2, 80);
	put_be32(t + 4, p.seq);
	put_be32(t + 8, p.ack);
	t[12] = 0x50;
	t[13] = ACK;
	put_be16(t + 14, 65535);
	t[20] = 'x';
	uint32_t ps = 6 + 21 + 0x0a00 + 2 + 0x0a00 + 1;
	put_be16(t + 16, inet_sum(t, 21, ps));
	uint32_t n = peer_ip(g, 0x0a000002, 0x0a000001, 6, t, 21, 1, 0);
	g[15] = 3;
	put_be16(g + 24, 0);
	put_be16(g + 24, inet_sum(g + 14, 20, 0));
	peer_clear(&p);
	peer_frame(&p, g, n);
	p.seq++;
	peer_expect(&p, ACK | ECE, p.ack, p.seq, 0);
	peer_send(&p, ACK, 0, 0, "y", 1);
	p.seq++;
	peer_expect(&p, ACK | ECE, p.ack, p.seq, 0);
	peer_send(&p, ACK | CWR, 0, 0, "z", 1);
	p.seq++;
	peer_expect(&p, ACK, p.ack, p.seq, 0);
	/* ECE from the peer halves once and is answered with CWR. */
	send_bytes(10 * 1460);
	for (int i = 0; i < 10; i++)
		assert_int_equal(peer_must(&p)->tos & 3, 2);
	uint32_t cwnd = info().cwnd;
	peer_send(&p, ACK | ECE, 0, 1460, NULL, 0);
	peer_send(&p, ACK | ECE, 0, 2920, NULL, 0);
	assert_true(info().cwnd < cwnd);
	assert_true(info().cwnd >= cwnd / 2);
	peer_send(&p, ACK, 0, 14600, NULL, 0);
	p.ack += 14600;
	peer_clear(&p);
	send_bytes(100);
	f = peer_expect(&p, ACK | PSH | CWR, p.ack, p.seq, 100);
	assert_int_equal(f->tos & 3, 2);
	peer_wait(&p, 300000);
	f = peer_expect(&p, ACK | PSH, p.ack, p.seq, 100);
	assert_int_equal(f->tos & 3, 0); /* not on a retransmission */
	peer_stop(&p);
}

/* MUST-30..33, 62: the urgent pointer, and how far it is */
static void test_urgent(void **state)
{
	struct ixn_event ev;
	uint8_t g[200], t[60] = {0};

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	put_be16(t, p.port);
	put_be16(t + 2, 80);
	put_be32(t + 4, p.seq);
	put_be32(t + 8, p.ack);
	t[12] = 0x50;
	t[13] = ACK | URG;
	put_be16(t + 14, 65535);
	put_be16(t + 18, 30); /* beyond this segment: any length (MUST-31) */
	put_be16(t + 16, inet_sum(t, 30, 6 + 30 + 0x0a00 + 2 + 0x0a00 + 1));
	peer_frame(&p, g, peer_ip(g, 0x0a000002, 0x0a000001, 6, t, 30, 1, 0));
	assert_int_equal(peer_events(&p, IXN_EV_URGENT, &ev), 1);
	assert_int_equal(ev.len, 30);
	assert_int_equal(info().urgent, 20);
	p.seq += 10;
	peer_send(&p, ACK, 0, 0, data, 20);
	assert_int_equal(info().urgent, 0);
	peer_stop(&p);
}

/* MUST-47..49, SHLD-21: TTL and DSCP of a connection, also while it lasts */
static void test_marks(void **state)
{
	uint64_t v;

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_DSCP, 46), 0);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_TTL, 9), 0);
	send_bytes(10);
	struct frame *f = peer_must(&p);
	assert_int_equal(f->tos, 46 << 2);
	assert_int_equal(f->ttl, 9);
	for (int o = IXN_OPT_NODELAY; o <= IXN_OPT_QUICKACK; o++) {
		assert_int_equal(ixn_getopt(p.n, p.conn, o, &v), 0);
		if (o != IXN_OPT_RCV_WND && o != IXN_OPT_KEEPALIVE)
			assert_int_equal(ixn_setopt(p.n, p.conn, o, v), 0);
	}
	assert_int_equal(ixn_getopt(p.n, p.conn, IXN_OPT_DSCP, &v), 0);
	assert_int_equal(v, 46);
	assert_int_equal(ixn_getopt(p.n, p.conn, 99, &v), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, 99, 1), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_TTL, 0), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_DSCP, 64), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_CC, 9), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPCNT, 0), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, p.conn, IXN_OPT_KEEPIDLE_US, 0), -IXN_EINVAL);
	assert_int_equal(ixn_setopt(p.n, 5, IXN_OPT_TTL, 1), -IXN_EBADF);
	assert_int_equal(ixn_getopt(p.n, 5, IXN_OPT_TTL, &v), -IXN_EBADF);
	struct ixn_tuple t;
	assert_int_equal(ixn_tuple(p.n, p.conn, &t), 0);
	assert_int_equal(t.lport, 80);
	assert_int_equal(t.rport, 4000);
	assert_int_equal(ixn_set_cookie(p.n, p.conn, 1234), 0);
	struct ixn_event ev;
	peer_send(&p, ACK, 0, 10, "x", 1);
	peer_events(&p, IXN_EV_RECV, &ev);
	assert_int_equal(ev.cookie, 1234);
	peer_stop(&p);
}

/* The event queue is too short for what happens: nothing is lost, order is kept. */
static void test_event_overflow(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, true);
	p.q.cap = 16;
	p.auto_done = false;
	peer_send(&p, ACK, 50, 0, data, 50);
	for (int i = 0; i < 24; i++)
		peer_send(&p, ACK, 100 + 50 * i, 0, data, 50);
	peer_clear(&p);
	peer_send(&p, ACK | FIN, 50 * 26, 0, "z", 1);
	peer_send(&p, ACK, 0, 0, data, 50); /* 26 buffers become deliverable at once */
	for (int i = 0; i < 3; i++)
		peer_cycle(&p);
	assert_int_equal(peer_events(&p, IXN_EV_RECV, NULL), 27);
	assert_int_equal(peer_events(&p, IXN_EV_EOF, NULL), 1);
	assert_int_equal(p.got[p.ngot - 1].type, IXN_EV_EOF);
	assert_true(ixn_stats(p.n)->ev_deferred > 0);
	assert_int_equal(ixn_recv_done(p.n, p.conn, 26 * 50 + 1), 0);
	assert_int_equal(p.held, 0);
	peer_stop(&p);
}

/* Numbers wrap in the middle of everything. */
static void test_sequence_wrap(void **state)
{
	(void)state;
	peer_start(&p, NULL);
	p.seq = 0xffffff00u;
	peer_open(&p, true);
	for (int i = 0; i < 10; i++) {
		peer_send(&p, ACK, 0, 0, data, 100);
		p.seq += 100;
	}
	assert_int_equal(info().bytes_received, 1000);
	peer_clear(&p);
	peer_send(&p, ACK, 10, 0, data, 10);
	peer_send(&p, ACK, 0, 0, data, 10);
	assert_int_equal(info().bytes_received, 1020);
	peer_stop(&p);
}

/* Pools that are empty: refused and counted, and all goes on when they refill. */
static void test_pools(void **state)
{
	struct ixn_config c;

	(void)state;
	peer_default(&c);
	c.max_conns = 2;
	c.tx_recs = 8;
	c.tx_pkts = 8;
	c.tcp.syncookies = false;
	peer_start(&p, &c);
	peer_open(&p, true);
	ixn_setopt(p.n, p.conn, IXN_OPT_NODELAY, 1);
	p.hold_tx = true;
	int sent = 0;
	while (send_bytes(10) == 10)
		sent++;
	assert_true(sent <= 8);
	/* A connection that has nothing in flight is told, for no ACK will tell it. */
	ixn_conn first = p.conn;
	p.port++;
	p.hold_tx = false;
	while (p.ntxwait)
		ixn_tx_done(p.n, p.txwait[--p.ntxwait]);
	uint32_t seq = p.seq, ack = p.ack;
	p.seq = 100000;
	p.ngot = 0;
	peer_clear(&p);
	p.lport = 81;
	peer_open(&p, true);
	assert_int_equal(send_bytes(10), -IXN_ENOBUFS);
	ixn_abort(p.n, p.conn);
	peer_cycle(&p);
	p.conn = first;
	p.port--;
	p.lport = 80;
	p.seq = seq;
	p.ack = ack;
	p.hold_tx = true;
	assert_true(ixn_stats(p.n)->no_txrec > 0 || ixn_stats(p.n)->no_txpkt > 0);
	for (int i = 0; i < 4; i++)
		peer_cycle(&p);
	while (p.ntxwait)
		ixn_tx_done(p.n, p.txwait[--p.ntxwait]);
	p.hold_tx = false;
	peer_cycle(&p);
	peer_clear(&p);
	peer_send(&p, ACK, 0, sent * 10, NULL, 0);
	p.ack += (uint32_t)sent * 10;
	assert_int_equal(info().in_flight, 0);
	assert_int_equal(send_bytes(10), 10);
	peer_clear(&p);
	/* No connection left: the SYN is dropped. */
	p.port++;
	peer_tcp(&p, SYN, 1, 0, 1000, NULL, 0, NULL, 0);
	assert_non_null(peer_next(&p));
	p.port++;
	peer_tcp(&p, SYN, 1, 0, 1000, NULL, 0, NULL, 0);
	peer_expect_none(&p);
	assert_int_equal(ixn_stats(p.n)->no_conn, 1);
	peer_stop(&p);
}

/* MUST-8, 9: numbers differ by connection and secret, and rise with the clock (RFC 6528). */
static void test_iss(void **state)
{
	struct ixn_config c;
	uint32_t iss[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		peer_default(&c);
		c.secret[0] = i == 1;
		peer_start(&p, &c);
		if (i == 2)
			p.port++;
		if (i == 3)
			p.now += 4000;
		ixn_listener l;
		ixn_listen(p.n, IXN_ANY, 80, 8, 5, &l);
		peer_tcp(&p, SYN, 500, 0, 1000, NULL, 0, NULL, 0);
		iss[i] = peer_must(&p)->seq;
		peer_stop(&p);
	}
	assert_int_not_equal(iss[0], iss[1]);
	assert_int_not_equal(iss[0], iss[2]);
	assert_int_equal(iss[3] - iss[0], 1000);
}

/* TCP in a fragmented datagram, and behind IP options */
static void test_odd_ip(void **state)
{
	uint8_t t[64] = {0}, f[200], g[200];

	(void)state;
	peer_start(&p, NULL);
	peer_open(&p, false);
	put_be16(t, p.port);
	put_be16(t + 2, 80);
	put_be32(t + 4, p.seq);
	put_be32(t + 8, p.ack);
	t[12] = 0x50;
	t[13] = ACK;
	put_be16(t + 14, 65535);
	memset(t + 20, 'f', 20);
	put_be16(t + 16, inet_sum(t, 40, 6 + 40 + 0x0a00 + 2 + 0x0a00 + 1));
	peer_frame(&p, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t, 24, 9, 0x2000));
	peer_frame(&p, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t + 24, 16, 9, 3));
	assert_int_equal(peer_events(&p, IXN_EV_RECV, NULL), 1);
	assert_int_equal(info().bytes_received, 20);
	peer_clear(&p);
	put_be32(t + 4, p.seq + 20);
	put_be16(t + 16, 0);
	put_be16(t + 16, inet_sum(t, 40, 6 + 40 + 0x0a00 + 2 + 0x0a00 + 1));
	uint32_t n = peer_ip(f, 0x0a000002, 0x0a000001, 6, t, 40, 9, 0);
	memcpy(g, f, 34);
	memcpy(g + 34, "\1\1\1\0", 4);
	memcpy(g + 38, f + 34, 40);
	g[14] = 0x46;
	put_be16(g + 16, 64);
	put_be16(g + 24, 0);
	put_be16(g + 24, inet_sum(g + 14, 24, 0));
	peer_frame(&p, g, n + 4);
	assert_int_equal(info().bytes_received, 40);
	/* a checksum that is wrong, a header that is too short */
	g[60] ^= 1;
	peer_frame(&p, g, n + 4);
	assert_int_equal(ixn_stats(p.n)->tcp_csum, 1);
	peer_frame(&p, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t, 19, 9, 0));
	assert_int_equal(ixn_stats(p.n)->tcp_bad, 1);
	peer_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_syn_ack),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_syn_timeout),
	    cmocka_unit_test(test_simultaneous_open),
	    cmocka_unit_test(test_listen),
	    cmocka_unit_test(test_cookies),
	    cmocka_unit_test(test_cookie_waits),
	    cmocka_unit_test(test_syn_flood),
	    cmocka_unit_test(test_receive),
	    cmocka_unit_test(test_delayed_ack),
	    cmocka_unit_test(test_send),
	    cmocka_unit_test(test_rto),
	    cmocka_unit_test(test_tlp),
	    cmocka_unit_test(test_tlp_pieces),
	    cmocka_unit_test(test_undo_pieces),
	    cmocka_unit_test(test_old_loss),
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_cubic_idle),
	    cmocka_unit_test(test_sack_recovery),
	    cmocka_unit_test(test_newreno),
	    cmocka_unit_test(test_zero_window),
	    cmocka_unit_test(test_shrunk_window),
	    cmocka_unit_test(test_orphan),
	    cmocka_unit_test(test_orphan_gone),
	    cmocka_unit_test(test_fin_in_probe),
	    cmocka_unit_test(test_sender_sws),
	    cmocka_unit_test(test_receive_window),
	    cmocka_unit_test(test_rx_limit),
	    cmocka_unit_test(test_rx_scarce),
	    cmocka_unit_test(test_record_share),
	    cmocka_unit_test(test_record_shortage),
	    cmocka_unit_test(test_handles),
	    cmocka_unit_test(test_close_active),
	    cmocka_unit_test(test_time_wait),
	    cmocka_unit_test(test_time_wait_burst),
	    cmocka_unit_test(test_close_passive),
	    cmocka_unit_test(test_half_close),
	    cmocka_unit_test(test_simultaneous_close),
	    cmocka_unit_test(test_close_reset),
	    cmocka_unit_test(test_blind_attacks),
	    cmocka_unit_test(test_ack_storm),
	    cmocka_unit_test(test_probe_answers),
	    cmocka_unit_test(test_paws_age),
	    cmocka_unit_test(test_long_silence),
	    cmocka_unit_test(test_crumbs),
	    cmocka_unit_test(test_fragment_share),
	    cmocka_unit_test(test_icmp),
	    cmocka_unit_test(test_keepalive),
	    cmocka_unit_test(test_keepalive_over),
	    cmocka_unit_test(test_keepalive_early),
	    cmocka_unit_test(test_ecn),
	    cmocka_unit_test(test_urgent),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_event_overflow),
	    cmocka_unit_test(test_sequence_wrap),
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_iss),
	    cmocka_unit_test(test_odd_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
