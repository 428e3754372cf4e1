/* SPDX-License-Identifier: MIT
 *
 * The socket layer on two embedded dataplanes, in one thread with a table of sockets each.
 */
#define _GNU_SOURCE /* struct tcp_info */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ix/socket.h>

#include "tests/lib/pair.h"
#include "userlib/lib/socket_priv.h"

#define A 0
#define B 1

static struct pair *p;
static struct sockets *table[2];
static int ep[2];
static uint32_t seen[2][64]; /* events by socket number, since it was last asked */
static int told[2][64];      /* how often */

static void use(int side)
{
	pair_bind(p, side);
	ixs_use(table[side]);
}

static void turn(struct pair *pair, int side)
{
	struct epoll_event ev[16];
	int n;

	assert_ptr_equal(pair, p);
	ixs_use(table[side]);
	n = ixs_epoll_wait(ep[side], ev, 16, 0);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		seen[side][ev[i].data.fd] |= ev[i].events;
		told[side][ev[i].data.fd]++;
	}
}

static int setup(void **state)
{
	(void)state;
	p = pair_new("tcp.syn-retries = 1", false, NULL);
	p->turn = turn;
	memset(seen, 0, sizeof(seen));
	memset(told, 0, sizeof(told));
	for (int i = 0; i < 2; i++) {
		pair_bind(p, i);
		ixs_use(NULL);
		assert_int_equal(ixs_init(NULL), 0);
		table[i] = ixs_use(NULL);
		ixs_use(table[i]);
		ep[i] = ixs_epoll_create();
		assert_true(ep[i] >= 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		use(i);
		ixs_exit();
	}
	pair_free(p);
	return 0;
}

static void watch(int side, int s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = s};

	assert_int_equal(ixs_epoll_ctl(ep[side], EPOLL_CTL_ADD, s, &ev), 0);
	seen[side][s] = 0;
	told[side][s] = 0;
}

static struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

#define SA(x) (struct sockaddr *)&(x), sizeof(x)

static int server(uint16_t port, int backlog)
{
	struct sockaddr_in a = at("0.0.0.0", port);
	int one = 1, s;

	use(A);
	s = ixs_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(s >= 0);
	assert_int_equal(ixs_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(ixs_bind(s, SA(a)), 0);
	assert_int_equal(ixs_listen(s, backlog), 0);
	watch(A, s, EPOLLIN);
	return s;
}

static int dial(uint16_t port)
{
	struct sockaddr_in a = at(PAIR_IP_A, port);
	int s;

	use(B);
	s = ixs_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	assert_int_equal(ixs_connect(s, SA(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
	watch(B, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	return s;
}

/* A connected pair of sockets. */
static void connected(int *s, int *c)
{
	int l = server(80, 10);

	*c = dial(80);
	pair_run(p, 10000);
	assert_true(seen[B][*c] & EPOLLOUT);
	assert_true(seen[A][l] & EPOLLIN);
	use(A);
	*s = ixs_accept4(l, NULL, NULL, 0);
	assert_true(*s >= 0);
	assert_int_equal(ixs_accept4(l, NULL, NULL, 0), -1);
	assert_int_equal(errno, EAGAIN);
	watch(A, *s, EPOLLIN | EPOLLRDHUP);
}

static void names_and_options(void **state)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct tcp_info info;
	char cc[16];
	int s, c, v;

	(void)state;
	connected(&s, &c);
	use(A);
	assert_int_equal(ixs_getpeername(s, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(a.sin_addr.s_addr, htonl(0x0a000002));
	assert_int_equal(ixs_getsockname(s, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(ntohs(a.sin_port), 80);
	use(B);
	assert_int_equal(ixs_getsockname(c, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(a.sin_addr.s_addr, htonl(0x0a000002));
	assert_true(ntohs(a.sin_port) > 1023);
	len = sizeof(v);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	assert_int_equal(v, 0);
	len = sizeof(info);
	assert_int_equal(ixs_getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_state, 1); /* TCP_ESTABLISHED */
	assert_int_equal(info.tcpi_snd_mss, 1448);
	v = 1;
	assert_int_equal(ixs_setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)), 0);
	assert_int_equal(ixs_setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	len = sizeof(cc);
	assert_int_equal(ixs_getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, cc, &len), 0);
	assert_string_equal(cc, "reno");
	assert_int_equal(ixs_setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "none", 4), -1);
	assert_int_equal(ixs_setsockopt(c, SOL_SOCKET, SO_BROADCAST, &v, sizeof(v)), -1);
	assert_int_equal(errno, ENOPROTOOPT);
}

static void data_and_half_close(void **state)
{
	struct iovec out[2] = {{(char *)(uintptr_t) "hello ", 6}, {(char *)(uintptr_t) "world", 5}};
	char buf[64] = "";
	struct iovec in[2] = {{buf, 3}, {buf + 3, 61}};
	int s, c;

	(void)state;
	connected(&s, &c);
	use(B);
	assert_int_equal(ixs_read(c, buf, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ixs_writev(c, out, 2), 11);
	assert_int_equal(ixs_shutdown(c, SHUT_WR), 0);
	assert_int_equal(ixs_write(c, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	pair_run(p, 10000);
	assert_int_equal(seen[A][s] & (EPOLLIN | EPOLLRDHUP), EPOLLIN | EPOLLRDHUP);
	use(A);
	assert_int_equal(ixs_readv(s, in, 2), 11);
	assert_string_equal(buf, "hello world");
	assert_int_equal(ixs_read(s, buf, 1), 0);
	assert_int_equal(ixs_write(s, "answer", 6), 6);
	assert_int_equal(ixs_close(s), 0);
	assert_int_equal(ixs_close(s), -1);
	assert_int_equal(errno, EBADF);
	pair_run(p, 10000);
	use(B);
	assert_int_equal(ixs_read(c, buf, 64), 6);
	assert_int_equal(ixs_read(c, buf, 64), 0);
	assert_int_equal(ixs_close(c), 0);
	pair_run(p, 10000);
	assert_int_equal(ixhost_counter(p->host[A], "=conns"), 0);
	assert_int_equal(ixhost_counter(p->host[B], "=conns"), 0);
}

/* What was set is what is told, before and after there is a connection; a message has several pieces. */
static void options_and_messages(void **state)
{
	static const struct {
		int level, name, value;
	} opts[] = {
	    {SOL_SOCKET, SO_REUSEADDR, 1},    {SOL_SOCKET, SO_REUSEPORT, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1},    {SOL_SOCKET, SO_RCVBUF, 200000},
	    {IPPROTO_TCP, TCP_NODELAY, 0},    {IPPROTO_TCP, TCP_CORK, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 100}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
	};
	struct sockaddr_in a = at(PAIR_IP_A, 80), to = at(PAIR_IP_A, 53);
	struct iovec v[3] = {{(char *)(uintptr_t) "one ", 4},
			     {(char *)(uintptr_t) "two ", 4},
			     {(char *)(uintptr_t) "three", 5}};
	struct msghdr msg = {.msg_iov = v, .msg_iovlen = 3};
	struct linger l = {.l_onoff = 1};
	socklen_t len = sizeof(int);
	int v1, s, l1, c, u;
	char buf[64];

	(void)state;
	l1 = server(80, 10);
	use(B);
	c = ixs_socket(AF_INET, SOCK_STREAM, 0);
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
		assert_int_equal(
		    ixs_setsockopt(c, opts[i].level, opts[i].name, &opts[i].value, sizeof(int)), 0);
	assert_int_equal(ixs_connect(c, SA(a)), -1);
	pair_run(p, 10000);
	use(B);
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		len = sizeof(v1);
		assert_int_equal(ixs_getsockopt(c, opts[i].level, opts[i].name, &v1, &len), 0);
		assert_int_equal(v1, opts[i].value);
	}
	v1 = 100000;
	assert_int_equal(ixs_setsockopt(c, SOL_SOCKET, SO_SNDBUF, &v1, sizeof(v1)), 0);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_SNDBUF, &v1, &len), 0);
	assert_int_equal(v1, 100000);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_TYPE, &v1, &len), 0);
	assert_int_equal(v1, SOCK_STREAM);
	len = sizeof(l);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	assert_int_equal(l.l_onoff, 0);
	v1 = -1;
	assert_int_equal(ixs_setsockopt(c, SOL_SOCKET, SO_RCVBUF, &v1, sizeof(v1)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ixs_setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v1, 1), -1);
	assert_int_equal(errno, EINVAL);
	v1 = 0;
	assert_int_equal(ixs_setsockopt(c, IPPROTO_TCP, TCP_CORK, &v1, sizeof(v1)), 0);

	/* sendmsg: of a stream, then of a datagram with an address of its own */
	assert_int_equal(ixs_sendmsg(c, &msg, MSG_NOSIGNAL), 13);
	pair_run(p, 10000);
	use(A);
	s = ixs_accept4(l1, NULL, NULL, 0);
	assert_int_equal(ixs_recvfrom(s, buf, sizeof(buf), MSG_DONTWAIT, NULL, NULL), 13);
	assert_memory_equal(buf, "one two three", 13);
	assert_int_equal(ixs_recvfrom(s, buf, sizeof(buf), MSG_PEEK, NULL, NULL), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	u = ixs_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(ixs_bind(u, SA(to)), 0);
	use(B);
	c = ixs_socket(AF_INET, SOCK_DGRAM, 0);
	msg.msg_name = &to;
	msg.msg_namelen = sizeof(to);
	assert_int_equal(ixs_sendmsg(c, &msg, 0), 13);
	pair_run(p, 10000);
	use(A);
	assert_int_equal(ixs_read(u, buf, sizeof(buf)), 13);
	assert_memory_equal(buf, "one two three", 13);
}

static void level_edge_oneshot(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int s, c;
	char ch;

	(void)state;
	connected(&s, &c);
	use(B);
	ixs_write(c, "ab", 2);
	pair_run(p, 1000);
	assert_true(told[A][s] > 2); /* level */
	use(A);
	ev.data.fd = s;
	ixs_epoll_ctl(ep[A], EPOLL_CTL_MOD, s, &ev);
	told[A][s] = 0;
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 1);
	use(A);
	assert_int_equal(ixs_read(s, &ch, 1), 1);
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 1);
	use(B);
	ixs_write(c, "c", 1);
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 2);
	use(A);
	ev.events = EPOLLIN | EPOLLONESHOT;
	ixs_epoll_ctl(ep[A], EPOLL_CTL_MOD, s, &ev);
	told[A][s] = 0;
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 1);
	use(A);
	assert_int_equal(ixs_epoll_ctl(ep[A], EPOLL_CTL_ADD, s, &ev), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(ixs_epoll_ctl(ep[A], EPOLL_CTL_DEL, s, NULL), 0);
	assert_int_equal(ixs_epoll_ctl(ep[A], EPOLL_CTL_DEL, s, NULL), -1);
	assert_int_equal(errno, ENOENT);
}

/* The peer's end is told to who asks for nothing else, by edges too; and once to a oneshot. */
static void ends_by_edge_and_once(void **state)
{
	struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET};
	struct linger l = {.l_onoff = 1};
	int s, c;

	(void)state;
	connected(&s, &c);
	use(A);
	ev.data.fd = s;
	ixs_epoll_ctl(ep[A], EPOLL_CTL_MOD, s, &ev);
	use(B);
	ixs_shutdown(c, SHUT_WR);
	pair_run(p, 1000);
	assert_int_equal(seen[A][s], EPOLLRDHUP);
	assert_int_equal(told[A][s], 1);
	use(A);
	ev.events = EPOLLIN | EPOLLONESHOT;
	ixs_epoll_ctl(ep[A], EPOLL_CTL_MOD, s, &ev);
	told[A][s] = 0;
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 1);
	use(B);
	ixs_setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	ixs_close(c);
	pair_run(p, 1000);
	assert_int_equal(told[A][s],
			 1); /* nothing, not even that it hung up, until it is armed again */
	use(A);
	ixs_epoll_ctl(ep[A], EPOLL_CTL_MOD, s, &ev);
	pair_run(p, 1000);
	assert_int_equal(told[A][s], 2);
	assert_true(seen[A][s] & EPOLLHUP);
}

/* What is set for a listener holds for what it accepts, as on Linux; and SO_SNDBUF before a connect. */
static void options_come_from_the_listener(void **state)
{
	static const struct {
		int level, name, value;
	} opts[] = {
	    {SOL_SOCKET, SO_KEEPALIVE, 1},    {SOL_SOCKET, SO_RCVBUF, 200000},
	    {SOL_SOCKET, SO_SNDBUF, 50000},   {IPPROTO_TCP, TCP_NODELAY, 0},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 100}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
	};
	struct sockaddr_in a = at(PAIR_IP_A, 80);
	struct ix_tcp_info info;
	struct linger l = {.l_onoff = 1};
	socklen_t len = sizeof(int);
	char cc[16], out[60000] = "";
	int ls, s, c, v;

	(void)state;
	ls = server(80, 10);
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
		assert_int_equal(
		    ixs_setsockopt(ls, opts[i].level, opts[i].name, &opts[i].value, sizeof(int)),
		    0);
	assert_int_equal(ixs_setsockopt(ls, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
	assert_int_equal(ixs_setsockopt(ls, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	use(B);
	c = ixs_socket(AF_INET, SOCK_STREAM, 0);
	v = 50000;
	assert_int_equal(ixs_setsockopt(c, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	assert_int_equal(ixs_connect(c, SA(a)), -1);
	pair_run(p, 10000);
	use(B);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	assert_int_equal(v, 50000);
	assert_int_equal(ixs_write(c, out, sizeof(out)), 50000);
	len = sizeof(cc);
	assert_int_equal(ixs_getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, cc, &len), 0);
	assert_string_equal(cc, "cubic"); /* the dataplane's own */
	use(A);
	s = ixs_accept4(ls, NULL, NULL, 0);
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		len = sizeof(v);
		assert_int_equal(ixs_getsockopt(s, opts[i].level, opts[i].name, &v, &len), 0);
		assert_int_equal(v, opts[i].value);
	}
	len = sizeof(l);
	assert_int_equal(ixs_getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	assert_int_equal(l.l_onoff, 1);
	pair_run(p, 10000);
	use(A);
	len = sizeof(cc);
	assert_int_equal(ixs_getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, cc, &len), 0);
	assert_string_equal(cc, "dctcp");
	assert_true(ix_tcp_info(table[A]->table[s]->ctx.handle, &info) > 0);
	assert_int_equal(info.congestion, IX_CC_DCTCP); /* not only remembered */
	len = sizeof(l);
	assert_int_equal(ixs_setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, NULL, 4), -1);
	assert_int_equal(errno, EINVAL);
}

/* Nothing more to read for us; the peer may go on, and so may we. */
static void shuts_reading_down(void **state)
{
	char ch;
	int s, c;

	(void)state;
	connected(&s, &c);
	use(A);
	assert_int_equal(ixs_shutdown(s, SHUT_RD), 0);
	pair_run(p, 1000);
	assert_int_equal(seen[A][s], EPOLLIN | EPOLLRDHUP);
	use(A);
	assert_int_equal(ixs_read(s, &ch, 1), 0);
	assert_int_equal(ixs_write(s, "x", 1), 1);
	pair_run(p, 1000);
	use(B);
	assert_int_equal(ixs_read(c, &ch, 1), 1);
	assert_int_equal(ixs_read(c, &ch, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ixs_shutdown(c, 3), -1);
	assert_int_equal(errno, EINVAL);
}

/* A connection that was closed and still sends ends with the thread's sockets. */
static void exits_while_closing(void **state)
{
	static char out[200000];
	int s, c;

	(void)state;
	connected(&s, &c);
	use(B);
	assert_int_equal(ixs_write(c, out, sizeof(out)), sizeof(out));
	assert_int_equal(ixs_close(c), 0);
	pair_run(p, 1000);
}

static void refused(void **state)
{
	socklen_t len = sizeof(int);
	int c, v;

	(void)state;
	c = dial(81);
	pair_run(p, 10000);
	assert_true(seen[B][c] & EPOLLERR);
	use(B);
	assert_int_equal(ixs_getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	assert_int_equal(v, ECONNREFUSED);
	assert_int_equal(ixs_read(c, &v, 1), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(ixs_close(c), 0);
}

static void fills_up_and_drains(void **state)
{
	static char out[100000], in[100000];
	size_t sent = 0, got = 0;
	ssize_t n;
	int s, c;

	(void)state;
	connected(&s, &c);
	use(B);
	while ((n = ixs_write(c, out, sizeof(out))) > 0)
		sent += (size_t)n;
	assert_int_equal(errno, EAGAIN);
	assert_true(sent >= 256 << 10);
	seen[B][c] = 0;
	for (int i = 0; i < 1000 && got < sent; i++) {
		pair_run(p, 10000);
		use(A);
		while ((n = ixs_read(s, in, sizeof(in))) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, sent);
	assert_true(seen[B][c] & EPOLLOUT);
}

static void reset_by_linger(void **state)
{
	struct linger l = {.l_onoff = 1};
	int s, c;
	char ch;

	(void)state;
	connected(&s, &c);
	use(B);
	assert_int_equal(ixs_setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	ixs_close(c);
	pair_run(p, 10000);
	assert_true(seen[A][s] & EPOLLHUP);
	use(A);
	assert_int_equal(ixs_read(s, &ch, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void backlog_is_bounded(void **state)
{
	int l, c[4], taken = 0;

	(void)state;
	l = server(80, 2);
	for (int i = 0; i < 4; i++)
		c[i] = dial(80);
	pair_run(p, 20000);
	use(A);
	while (ixs_accept4(l, NULL, NULL, 0) >= 0)
		taken++;
	assert_true(taken >= 1 && taken <= 2);
	(void)c;
}

static void datagrams(void **state)
{
	struct sockaddr_in a = at("0.0.0.0", 53), from;
	socklen_t len = sizeof(from);
	char buf[64];
	struct iovec in[2] = {{buf, 2}, {buf + 2, 62}};
	int s, c;

	(void)state;
	use(A);
	s = ixs_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(ixs_bind(s, SA(a)), 0);
	watch(A, s, EPOLLIN);
	use(B);
	c = ixs_socket(AF_INET, SOCK_DGRAM, 0);
	a = at(PAIR_IP_A, 53);
	assert_int_equal(ixs_connect(c, SA(a)), 0);
	assert_int_equal(ixs_write(c, "question", 8), 8);
	pair_run(p, 10000);
	assert_true(seen[A][s] & EPOLLIN);
	use(A);
	assert_int_equal(ixs_recvfrom(s, buf, 64, 0, (struct sockaddr *)&from, &len), 8);
	assert_int_equal(from.sin_addr.s_addr, htonl(0x0a000002));
	assert_int_equal(ixs_recvfrom(s, buf, 64, 0, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ixs_sendto(s, "answer", 6, 0, SA(from)), 6);
	assert_int_equal(ixs_sendto(s, "x", 1, 0, NULL, 0), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	pair_run(p, 10000);
	use(B);
	assert_int_equal(ixs_read(c, buf, 3), 3); /* the rest of a datagram is gone */
	assert_memory_equal(buf, "ans", 3);
	assert_int_equal(ixs_read(c, buf, 3), -1);
	use(A);
	assert_int_equal(ixs_sendto(s, "one", 3, 0, SA(from)), 3);
	assert_int_equal(ixs_sendto(s, "two", 3, 0, SA(from)), 3);
	pair_run(p, 10000);
	use(B);
	assert_int_equal(ixs_readv(c, in, 2), 3); /* pieces of one datagram */
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(ixs_readv(c, in, -1), -1);
	assert_int_equal(errno, EINVAL);
	ixs_close(c);
	pair_run(p, 1000);
}

static void misuse(void **state)
{
	struct sockaddr_in a = at("0.0.0.0", 80);
	struct epoll_event ev = {.events = EPOLLIN};
	char ch;
	int s;

	(void)state;
	use(A);
	assert_int_equal(ixs_socket(AF_INET6, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_int_equal(ixs_socket(AF_INET, SOCK_RAW, 0), -1);
	assert_int_equal(ixs_read(99, &ch, 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(ixs_read(-1, &ch, 1), -1);
	s = ixs_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(ixs_listen(s, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ixs_write(s, "x", 1), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(ixs_bind(s, (struct sockaddr *)&a, 4), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ixs_epoll_ctl(s, EPOLL_CTL_ADD, ep[A], &ev), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ixs_epoll_ctl(ep[A], EPOLL_CTL_ADD, ep[A], &ev), -1);
	assert_int_equal(ixs_close(s), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(names_and_options, setup, teardown),
	    cmocka_unit_test_setup_teardown(data_and_half_close, setup, teardown),
	    cmocka_unit_test_setup_teardown(options_and_messages, setup, teardown),
	    cmocka_unit_test_setup_teardown(level_edge_oneshot, setup, teardown),
	    cmocka_unit_test_setup_teardown(ends_by_edge_and_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(options_come_from_the_listener, setup, teardown),
	    cmocka_unit_test_setup_teardown(shuts_reading_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(exits_while_closing, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(fills_up_and_drains, setup, teardown),
	    cmocka_unit_test_setup_teardown(reset_by_linger, setup, teardown),
	    cmocka_unit_test_setup_teardown(backlog_is_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(datagrams, setup, teardown),
	    cmocka_unit_test_setup_teardown(misuse, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
