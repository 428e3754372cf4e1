/* SPDX-License-Identifier: MIT */
/* Flow groups that move between instances. */
#include "tests/lib/netcheck.h"
#include "tests/lib/peer.h"
#include "tests/lib/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct peer a, b;
static uint64_t parcel[65536];

/* Two cores of one host: b hears nothing before a group moves to it. */
static void start(const struct ixn_config *cfg)
{
	peer_start(&a, cfg);
	peer_start(&b, cfg);
}

static void stop(void)
{
	peer_stop(&a);
	peer_stop(&b);
}

/* The scripted peer goes on with the other core. */
static void follow(struct peer *to, const struct peer *from)
{
	to->port = from->port;
	to->lport = from->lport;
	to->seq = from->seq;
	to->ack = from->ack;
	to->ts = from->ts;
	to->tsval = from->tsval;
	to->tsecr = from->tsecr;
	to->wnd = from->wnd;
	to->now = from->now;
}

static void move(struct peer *from, struct peer *to)
{
	size_t size = ixn_group_size(from->n, 0);

	assert_true(size && size <= sizeof(parcel));
	assert_int_equal(ixn_group_own(to->n, 0, false), 0);
	assert_int_equal(ixn_group_detach(from->n, 0, parcel, size), 0);
	peer_cycle(from);
	follow(to, from);
	assert_int_equal(ixn_group_attach(to->n, parcel, to->now), 0);
	peer_cycle(to);
}

/* Data both ways, the handles, what lies with the application, the end. */
static void test_established(void **state)
{
	struct ixn_seg seg = {.ptr = "answer", .len = 6};
	struct ixn_event ev;
	struct ixn_usage u;

	(void)state;
	start(NULL);
	a.auto_done = false;
	peer_open(&a, true);
	peer_send(&a, ACK | PSH, 0, 0, "hello", 5);
	a.seq += 5;
	assert_int_equal(ixn_sendv(a.n, a.conn, &seg, 1), 6);
	peer_cycle(&a);
	ixn_conn old = a.conn;
	peer_clear(&a);
	move(&a, &b);
	/* It is gone here, with all it used... */
	ixn_usage(a.n, &u);
	assert_int_equal(u.conns, 0);
	assert_int_equal(u.tx_recs, 0);
	assert_int_equal(ixn_sendv(a.n, old, &seg, 1), -IXN_EBADF);
	assert_int_equal(ixn_recv_done(a.n, old, 5), -IXN_EBADF);
	/* ... and there, told first of all, with its cookie. */
	assert_int_equal(peer_events(&b, IXN_EV_MOVED, &ev), 1);
	assert_int_equal(b.got[0].type, IXN_EV_MOVED);
	assert_int_equal(ev.cookie, 99);
	assert_int_equal(ixn_to_u32(&ev.raddr), 0x0a000002);
	/* What the application was given before, it releases now, to whom it belongs. */
	assert_int_equal(a.held, 1);
	assert_int_equal(ixn_recv_done(b.n, b.conn, 5), 0);
	assert_int_equal(a.held, 0);
	peer_clear(&b);
	/* The data in flight is sent again by its new owner, if it was lost. */
	peer_wait(&b, 1000000);
	peer_expect(&b, ACK | PSH, b.ack, b.seq, 6);
	b.ack += 6;
	peer_clear(&b);
	peer_send(&b, ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_events(&b, IXN_EV_SENT, &ev), 1);
	assert_int_equal(ev.len, 6);
	peer_send(&b, ACK | PSH, 0, 0, "more", 4);
	b.seq += 4;
	assert_int_equal(peer_events(&b, IXN_EV_RECV, &ev), 1);
	assert_memory_equal(ev.ptr, "more", 4);
	peer_clear(&b);
	/* And back. */
	move(&b, &a);
	assert_int_equal(peer_events(&a, IXN_EV_MOVED, &ev), 1);
	peer_send(&a, FIN | ACK, 0, 0, NULL, 0);
	a.seq++;
	assert_int_equal(peer_events(&a, IXN_EV_EOF, NULL), 1);
	assert_int_equal(ixn_close(a.n, a.conn), 0);
	peer_cycle(&a);
	a.ack++;
	peer_send(&a, ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_events(&a, IXN_EV_DEAD, &ev), 1);
	assert_int_equal(ev.result, 0);
	stop();
}

/* Nothing changes when it cannot be. */
static void test_refused(void **state)
{
	struct ixn_config small;
	struct ixn_event ev;
	struct ixn_seg seg = {.ptr = "x", .len = 1};

	(void)state;
	peer_default(&small);
	peer_start(&a, NULL);
	small.max_conns = 1;
	peer_start(&b, &small);
	for (int i = 0; i < 2; i++) {
		a.port = (uint16_t)(4000 + i);
		a.seq = 100000;
		peer_open(&a, false);
	}
	size_t size = ixn_group_size(a.n, 0);
	assert_int_equal(ixn_group_size(a.n, IXN_GROUPS), 0);
	assert_int_equal(ixn_group_own(a.n, IXN_GROUPS, true), -IXN_EINVAL);
	assert_int_equal(ixn_group_detach(a.n, IXN_GROUPS, parcel, size), -IXN_EINVAL);
	assert_int_equal(ixn_group_detach(a.n, 0, (char *)parcel + 4, size), -IXN_EINVAL);
	assert_int_equal(ixn_group_detach(a.n, 0, parcel, size - 1), -IXN_EMSGSIZE);
	a.q.n = 1;
	assert_int_equal(ixn_group_detach(a.n, 0, parcel, size), -IXN_EAGAIN);
	a.q.n = 0;
	assert_int_equal(ixn_sendv(a.n, a.conn, &seg, 1), 1);
	size = ixn_group_size(a.n, 0);
	assert_int_equal(ixn_group_detach(a.n, 0, parcel, size), 0);
	peer_cycle(&a);
	assert_int_equal(ixn_group_attach(b.n, (char *)parcel + 4, b.now), -IXN_EINVAL);
	assert_int_equal(ixn_group_attach(b.n, parcel, b.now), -IXN_ENOMEM);
	peer_stop(&b);
	peer_start(&b, NULL);
	ixn_addr_del(b.n, ixn_v4(10, 0, 0, 1));
	assert_int_equal(ixn_group_attach(b.n, parcel, b.now), -IXN_EADDRNOTAVAIL);
	peer_clear(&a);
	assert_int_equal(ixn_group_attach(a.n, parcel, a.now), 0);
	peer_cycle(&a);
	assert_int_equal(peer_events(&a, IXN_EV_MOVED, &ev), 2);
	peer_expect(&a, ACK | PSH, a.ack, a.seq, 1);
	parcel[0] = 0;
	assert_int_equal(ixn_group_attach(a.n, parcel, a.now), -IXN_EINVAL);
	stop();
}

/* Handshakes under way and connections that nobody has taken yet. */
static void test_listening(void **state)
{
	static const uint8_t mss[4] = {2, 4, 5, 0xb4};
	struct ixn_event ev;
	ixn_listener l;

	(void)state;
	for (int with = 0; with < 2; with++) {
		start(NULL);
		a.auto_accept = b.auto_accept = false;
		if (with)
			ixn_listen(b.n, IXN_ANY, 80, 8, 77, &l);
		peer_open(&a, false); /* knocked */
		ixn_conn old = a.conn;
		a.port++;
		peer_tcp(&a, SYN, 100000, 0, 1000, mss, 4, NULL, 0); /* half open */
		peer_clear(&a);
		move(&a, &b);
		assert_int_equal(ixn_accept(a.n, old, 1), -IXN_EBADF);
		if (!with) {
			struct frame *f = peer_must(&b), *g = peer_must(&b);
			assert_true(f->flags & RST && g->flags & RST);
			stop();
			continue;
		}
		assert_int_equal(peer_events(&b, IXN_EV_KNOCK, &ev), 1);
		assert_int_equal(ev.cookie, 77);
		assert_int_equal(ixn_accept(b.n, ev.handle, 5), 0);
		/* Its SYN-ACK is repeated by the new owner. */
		peer_clear(&b);
		peer_wait(&b, 1500000);
		struct frame *f = peer_must(&b);
		assert_int_equal(f->flags, SYN | ACK);
		b.seq = 100001;
		b.ack = f->seq + 1;
		peer_send(&b, ACK, 0, 0, NULL, 0);
		assert_int_equal(peer_events(&b, IXN_EV_KNOCK, &ev), 1);
		stop();
	}
}

/* Out of order data, a closed connection in TIME-WAIT, one that is only connecting. */
static void test_states(void **state)
{
	struct ixn_tuple tu = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 7, .lport = 5000};
	struct ixn_event ev;
	struct ixn_usage u;
	ixn_conn c;

	(void)state;
	start(NULL);
	peer_open(&a, false);
	/* Closed by us, then by the peer: TIME-WAIT */
	ixn_close(a.n, a.conn);
	peer_cycle(&a);
	a.ack++;
	peer_send(&a, FIN | ACK, 0, 0, NULL, 0);
	a.seq++;
	struct peer tw = a;
	peer_clear(&a);
	a.port++;
	a.seq = 100000;
	peer_open(&a, false);
	peer_send(&a, ACK, 5, 0, "world", 5);
	assert_int_equal(ixn_connect(a.n, &tu, 3, a.now, &c), 0);
	peer_cycle(&a);
	peer_clear(&a);
	move(&a, &b);
	ixn_usage(a.n, &u);
	assert_int_equal(u.timewait, 0);
	ixn_usage(b.n, &u);
	assert_int_equal(u.timewait, 1);
	assert_int_equal(u.conns, 2);
	/* The gap is filled there. */
	peer_send(&b, ACK, 0, 0, "hello", 5);
	b.seq += 10;
	assert_int_equal(peer_events(&b, IXN_EV_RECV, NULL), 2);
	assert_int_equal(a.held, 0);
	peer_clear(&b);
	/* A repeated FIN is acknowledged. */
	peer_tcp(&b, ACK, b.seq, b.ack, b.wnd, NULL, 0, NULL, 0);
	struct peer now = b;
	b.port = tw.port;
	b.seq = tw.seq;
	b.ack = tw.ack;
	peer_clear(&b);
	peer_send(&b, FIN | ACK, -1, 0, NULL, 0);
	peer_expect(&b, ACK, b.ack, b.seq, 0);
	/* The SYN is repeated and answered. */
	b.port = 7;
	b.lport = 5000;
	peer_clear(&b);
	peer_wait(&b, 1100000);
	struct frame *f = peer_must(&b);
	assert_int_equal(f->flags, SYN);
	b.seq = 900;
	b.ack = f->seq + 1;
	peer_send(&b, SYN | ACK, 0, 0, NULL, 0);
	assert_int_equal(peer_events(&b, IXN_EV_CONNECTED, &ev), 1);
	assert_int_equal(ev.result, 0);
	assert_int_equal(ev.cookie, 3);
	b.port = now.port;
	b.lport = now.lport;
	stop();
}

/* Segments that come to the wrong core are not answered; they can be handed on. */
static void test_stray(void **state)
{
	struct ixn_event ev;

	(void)state;
	start(NULL);
	peer_open(&a, false);
	move(&a, &b);
	peer_clear(&a);
	peer_clear(&b);
	peer_send(&a, ACK | PSH, 0, 0, "lost", 4);
	peer_send(&a, SYN, 1000, 0, NULL, 0);
	peer_expect_none(&a);
	assert_int_equal(ixn_stats(a.n)->tcp_stray, 2);
	assert_int_equal(a.held, 0);
	a.keep_stray = true;
	peer_send(&a, ACK | PSH, 0, 0, "kept", 4);
	assert_int_equal(a.nstray, 1);
	ixn_rx(b.n, a.stray, 1, b.now);
	peer_cycle(&b);
	assert_int_equal(peer_events(&b, IXN_EV_RECV, &ev), 1);
	assert_int_equal(ev.len, 4);
	assert_int_equal(a.held, 0);
	/* Who owns it again answers again. */
	assert_int_equal(ixn_group_own(a.n, 0, true), 0);
	peer_clear(&a);
	peer_send(&a, ACK | PSH, 0, 0, "x", 1);
	assert_true(peer_must(&a)->flags & RST);
	/* No port of a group that is elsewhere is chosen. */
	struct ixn_tuple tu = {.raddr = ixn_v4(10, 0, 0, 2), .rport = 7};
	ixn_conn c;
	ixn_group_own(a.n, 0, false);
	assert_int_equal(ixn_connect(a.n, &tu, 3, a.now, &c), -IXN_EADDRNOTAVAIL);
	stop();
}

/* A reassembled segment goes back to the instance whose memory it lies in. */
static void test_reassembled(void **state)
{
	uint8_t t[20 + 16] = {0}, f[128];
	struct ixn_event ev;
	struct ixn_usage u;

	(void)state;
	start(NULL);
	a.auto_done = b.auto_done = false;
	peer_open(&a, false);
	put_be16(t, a.port);
	put_be16(t + 2, 80);
	put_be32(t + 4, a.seq);
	put_be32(t + 8, a.ack);
	t[12] = 0x50;
	t[13] = ACK | PSH;
	put_be16(t + 14, 1000);
	memcpy(t + 20, "sixteen bytes...", 16);
	put_be16(t + 16, inet_sum(t, 36, 6 + 36 + 0x0a00 + 2 + 0x0a00 + 1));
	peer_frame(&a, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t, 24, 9, 0x2000));
	peer_frame(&a, f, peer_ip(f, 0x0a000002, 0x0a000001, 6, t + 24, 12, 9, 3));
	a.seq += 16;
	assert_int_equal(peer_events(&a, IXN_EV_RECV, &ev), 1);
	assert_memory_equal(ev.ptr, "sixteen bytes...", 16);
	move(&a, &b);
	ixn_usage(a.n, &u);
	assert_int_equal(u.reasm, 1);
	assert_int_equal(ixn_recv_done(b.n, b.conn, 16), 0);
	ixn_usage(a.n, &u);
	assert_int_equal(u.reasm, 0);
	stop();
}

/* ---- streams, while groups move at random */

#define STREAMS 24
#define BYTES   150000

static struct sim_host *core[2];
static uint8_t owner[IXN_GROUPS];
static bool forward;
static struct stream client[STREAMS], server[STREAMS];
static uint16_t port_of[STREAMS]; /* of the peer of server[i] */
static uint32_t knocked, resets;

static uint32_t rss(uint16_t rport, uint16_t lport)
{
	return (rport * 40503u ^ lport) >> 4;
}

static uint32_t frame_group(const uint8_t *d)
{
	return rss((uint16_t)(d[34] << 8 | d[35]), (uint16_t)(d[36] << 8 | d[37])) % IXN_GROUPS;
}

static bool takes(struct sim_host *h, const uint8_t *d, uint32_t len)
{
	bool tcp = len >= 54 && d[12] == 8 && d[13] == 0 && d[23] == 6;

	return h == core[tcp ? owner[frame_group(d)] : 0] || d[12] != 8 || d[13];
}

static bool hand_on(struct sim_host *h, const uint8_t *d, uint32_t len, uint32_t group)
{
	(void)h;
	if (forward)
		sim_give(core[owner[group]], d, len, 20);
	return forward;
}

static void server_event(struct sim_host *h, const struct ixn_event *ev)
{
	if (ev->type == IXN_EV_KNOCK) {
		struct stream *s = &server[knocked];
		port_of[knocked++] = ev->rport;
		struct ixn_event mine = *ev;
		mine.cookie = (uintptr_t)s;
		stream_event(h, &mine);
		return;
	}
	stream_event(h, ev);
}

/* A reset answers late duplicates of a connection that has ended; never a living one. */
static bool no_reset(struct sim_host *h, const uint8_t *d, uint32_t len)
{
	(void)h;
	for (uint32_t i = 0; i < knocked && len >= 54 && d[23] == 6 && d[47] & RST; i++) {
		if (port_of[i] == (d[36] << 8 | d[37]))
			resets += !server[i].dead;
	}
	return true;
}

static bool all_dead(void *arg)
{
	(void)arg;
	for (int i = 0; i < STREAMS; i++) {
		if (!client[i].dead || (i < (int)knocked && !server[i].dead))
			return false;
	}
	return true;
}

static void move_group(struct sim *s, uint32_t g)
{
	struct sim_host *from = core[owner[g]], *to = core[!owner[g]];
	uint32_t held;

	ixn_group_own(to->n, g, false);
	owner[g] = !owner[g];
	sim_run(s, s->now + sim_random(s) % 300, NULL, NULL); /* some come too early */
	size_t size = ixn_group_size(from->n, g);
	assert_true(size <= sizeof(parcel));
	assert_int_equal(ixn_group_detach(from->n, g, parcel, size), 0);
	sim_cycle(from);
	assert_int_equal(ixn_group_attach(to->n, parcel, s->now), 0);
	sim_cycle(to);
	assert_null(net_check(from->n, &held));
	assert_null(net_check(to->n, &held));
}

static void streams(uint64_t seed, const struct sim_wire *w)
{
	struct ixn_config c;
	struct ixn_usage u;
	ixn_listener l;
	uint32_t moves = 0;

	ixn_config_default(&c);
	c.max_conns = c.max_timewait = 64;
	c.tx_recs = 8192;
	c.tx_pkts = 512;
	c.tcp.time_wait_us = 1000000;
	memset(client, 0, sizeof(client));
	memset(server, 0, sizeof(server));
	memset(owner, 0, sizeof(owner));
	knocked = resets = 0;
	struct sim *s = sim_new(seed);
	struct sim_host *far = sim_add(s, &c);
	core[0] = sim_add(s, &c);
	core[1] = sim_add_core(s, &c, core[0]);
	far->wire = core[0]->wire = core[1]->wire = *w;
	for (int i = 0; i < 2; i++) {
		core[i]->takes = takes;
		core[i]->rss = rss;
		core[i]->on_stray = hand_on;
		core[i]->on_event = server_event;
		core[i]->on_tx = no_reset;
		assert_int_equal(ixn_listen(core[i]->n, IXN_ANY, 80, 64, 0, &l), 0);
	}
	for (int i = 0; i < STREAMS; i++) {
		client[i] = (struct stream){
		    .to_send = BYTES, .shutdown_when_sent = true, .close_on_eof = true};
		server[i] = (struct stream){.echo = true, .close_on_eof = true};
		assert_int_equal(stream_connect(&client[i], far, 1, 80), 0);
	}
	while (!all_dead(NULL) && s->now < 300000000) {
		sim_run(s, s->now + sim_random(s) % 3000, all_dead, NULL);
		move_group(s, (uint32_t)sim_random(s) % IXN_GROUPS);
		/* Rather groups in which there is something. */
		move_group(s, rss((uint16_t)(32768 + sim_random(s) % 28232), 80) % IXN_GROUPS);
		uint32_t counts[IXN_GROUPS];
		ixn_group_counts(core[moves % 2]->n, counts);
		for (uint32_t g = 0; g < IXN_GROUPS; g++) {
			if (counts[g]) {
				move_group(s, g);
				break;
			}
		}
		moves += 3;
	}
	assert_true(all_dead(NULL));
	assert_int_equal(knocked, STREAMS);
	for (int i = 0; i < STREAMS; i++) {
		assert_false(client[i].corrupt || server[i].corrupt);
		assert_int_equal(client[i].result, 0);
		assert_int_equal(server[i].result, 0);
		assert_int_equal(server[i].received, BYTES);
		assert_int_equal(client[i].received, BYTES);
	}
	uint64_t strays = ixn_stats(core[0]->n)->tcp_stray + ixn_stats(core[1]->n)->tcp_stray;
	print_message("%u moves, %lu strays, %.1f s\n", moves, strays, (double)s->now / 1e6);
	assert_true(strays > 0);
	assert_int_equal(resets, 0);
	sim_run(s, s->now + 3000000, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		ixn_usage(core[i]->n, &u);
		assert_int_equal(u.conns + u.timewait + u.tx_recs + u.tx_pkts, 0);
		assert_int_equal(core[i]->held, 0);
	}
	sim_free(s);
}

static void test_streams(void **state)
{
	struct sim_wire w = {.delay_us = 500, .rate_bps = 200000000, .queue_us = 20000};

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		forward = seed & 1;
		w.loss = seed > 2 ? 0.01 : 0;
		w.reorder = seed > 3 ? 0.05 : 0;
		streams(seed, &w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_established), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_listening),   cmocka_unit_test(test_states),
	    cmocka_unit_test(test_stray),       cmocka_unit_test(test_reassembled),
	    cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
