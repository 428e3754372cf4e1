/* SPDX-License-Identifier: MIT
 *
 * The interface of <ix/abi.h>, call by call: results, errors, events, and what becomes of handles and
 * memory. Side A is driven by raw calls, side B is an echo server and client on ixev.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pair.h"

#define A 0
#define B 1

static struct pair *p;
static struct ix_attach at;
static struct ix_call call[64];
static struct ix_event seen[512]; /* events of A, in order */
static uint32_t nseen;
static bool silent; /* A does not call run_io */

/* ---- side B ---- */

static void b_event(struct ixev_ctx *x, unsigned int events)
{
	char buf[4096];
	ssize_t n;

	while ((n = ixev_recv(x, buf, sizeof(buf))) > 0)
		ixev_send(x, buf, (size_t)n);
	if (n == 0 || (events & IXEV_HUP))
		ixev_close(x);
}

static const struct ixev_ops b_ops = {.event = b_event};

/* Contexts are never used twice in a test. */
static struct ixev_ctx b_ctx[256];
static uint32_t b_used;

static struct ixev_ctx *b_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct ixev_ctx *x = &b_ctx[b_used++];

	(void)tuple;
	ixev_init(l->base, x, &b_ops);
	return x;
}

static void b_dgram(struct ixev_udp *u, const struct ixev_dgram *d)
{
	ixev_udp_send(u, &d->remote, d->remote_port, d->data, d->len);
}

static struct ixev_listener b_listener = {.accept = b_accept};
static struct ixev_udp b_udp = {.recv = b_dgram};

static struct ixev_ctx *b_dial(void)
{
	struct ixev_ctx *x = &b_ctx[b_used++];

	pair_bind(p, B);
	ixev_init(p->base[B], x, &b_ops);
	assert_int_equal(ixev_connect(x, &pair_ip[A], 80), 0);
	return x;
}

/* ---- side A ---- */

static int64_t run_io(uint32_t n)
{
	int64_t got = ixhost_call(p->host[A], IX_SYS_RUN_IO, (uintptr_t)call, n, 0);
	const struct ix_event *e = (const struct ix_event *)(uintptr_t)at.events;

	for (int64_t i = 0; i < got && nseen < 512; i++)
		seen[nseen++] = e[i];
	return got;
}

static void turn(struct pair *pair, int side)
{
	if (side == B)
		ixev_wait(pair->base[B], 0);
	else if (!silent)
		run_io(0);
	else
		ixhost_run(pair->host[A]);
}

static struct ix_call *next(uint32_t i)
{
	memset(&call[i], 0, sizeof(call[i]));
	return &call[i];
}

/* Executes one call at once: its result. */
static int64_t now(struct ix_call c)
{
	call[0] = c;
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_CALL, (uintptr_t)call, 1, 0), 0);
	return call[0].ret;
}

static int64_t on(enum ix_call_op op, uint64_t handle)
{
	return now((struct ix_call){.op = op, .handle = handle});
}

/* The first event of a type; it is taken out of the list. */
static struct ix_event *find(enum ix_event_type type)
{
	for (uint32_t i = 0; i < nseen; i++) {
		if (seen[i].type == type) {
			seen[i].type = 0;
			return &seen[i];
		}
	}
	return NULL;
}

static int setup_with(const char *extra)
{
	p = pair_new(extra, false, NULL);
	p->turn = turn;
	silent = false;
	nseen = b_used = 0;
	pair_bind(p, B);
	ixev_open(&p->base[B], NULL);
	ixev_listen(p->base[B], &b_listener, &ix_ip_any, 7, 0);
	ixev_udp_bind(p->base[B], &b_udp, &ix_ip_any, 7);
	at = (struct ix_attach){.version = IX_ABI_VERSION, .size = sizeof(at)};
	return ixhost_call(p->host[A], IX_SYS_ATTACH, (uintptr_t)&at, 0, 0) == 0 ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	return setup_with("tcp.syn-retries = 1");
}

static int setup_batch(void **state)
{
	(void)state;
	return setup_with("batch = 4");
}

static int setup_small(void **state)
{
	(void)state;
	return setup_with("events = 64\nudp-sockets = 2\nlisteners = 2\ntimers = 2");
}

static void close_all(struct pair *pair)
{
	while (pair->base[B]) {
		pair_bind(pair, B);
		ixev_shut(pair->base[B]);
		pair->base[B] = NULL;
	}
}

static int teardown(void **state)
{
	(void)state;
	close_all(p);
	pair_free(p);
	return 0;
}

static uint64_t dial(uint16_t port)
{
	struct ix_call *c = next(0);

	ix_call_connect(c, 11, &pair_ip[B], port);
	run_io(1);
	assert_true(c->ret > 0);
	return c->handle;
}

static uint64_t connected(void)
{
	uint64_t h = dial(7);
	struct ix_event *e;

	pair_run(p, 10000);
	e = find(IX_EV_CONNECTED);
	assert_non_null(e);
	assert_true(e->handle == h && e->cookie == 11 && e->n == 0);
	assert_int_equal(e->tuple.remote_port, 7);
	assert_memory_equal(&e->tuple.remote, &pair_ip[B], 16);
	assert_memory_equal(&e->tuple.local, &pair_ip[A], 16);
	return h;
}

static int64_t send_text(uint64_t h, const char *text, size_t len)
{
	static struct ix_iov iov;

	iov = (struct ix_iov){(uintptr_t)text, len};
	ix_call_sendv(next(0), h, 11, &iov, 1);
	run_io(1);
	return call[0].ret;
}

/* ---- the arrays ---- */

static void attaches_once(void **state)
{
	struct ix_attach again = {.version = IX_ABI_VERSION, .size = sizeof(again)};

	(void)state;
	assert_true(at.core == 0 && at.ncores == 1 && at.batch == 64);
	assert_true(at.events && at.max_events == 256);
	assert_memory_equal(&at.local, &pair_ip[A], 16);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_ATTACH, (uintptr_t)&again, 0, 0), -EBUSY);
	again.version = 99;
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_ATTACH, (uintptr_t)&again, 0, 0), -ENOTSUP);
	again = (struct ix_attach){.version = IX_ABI_VERSION, .size = 8};
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_ATTACH, (uintptr_t)&again, 0, 0), -EINVAL);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_ATTACH, 0, 0, 0), -EFAULT);
}

static void checks_the_array_first(void **state)
{
	struct ixhost *h = p->host[A];

	(void)state;
	ix_call_timer(next(0), 0, 1, 5);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, (uintptr_t)call + 8, 1, 0), -EFAULT);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, 0, 1, 0), -EFAULT);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, UINT64_MAX - 63, 1, 0), -EFAULT);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, (uintptr_t)call, IX_CALLS_MAX + 1, 0),
			 -EINVAL);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, (uintptr_t)call, UINT64_MAX / 64, 0),
			 -EINVAL);
	assert_int_equal(ixhost_call(h, IX_SYS_RUN_IO, 0, 0, 0), 0);
	assert_int_equal(ixhost_call(h, IX_SYS_BASE + 77, 0, 0, 0), -ENOSYS);
	assert_int_equal(ixhost_call(h, 1, 0, 0, 0), -ENOSYS);
	assert_int_equal(call[0].handle, 0); /* never executed */
	ixhost_free(p->host[A]);
	p->host[A] =
	    ixhost_new(&(struct ixhost_options){.config = "address = 10.0.0.1/24\n"}, NULL);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_RUN_IO, 0, 0, 0), -EPERM);
}

static void goes_on_behind_a_bad_call(void **state)
{
	(void)state;
	next(0)->op = 200;
	next(1)->flags = 1;
	ix_call_timer(next(2), 0, 5, 1000);
	next(3)->op = IX_CALL_ACCEPT; /* handle 0 */
	next(4);
	run_io(5);
	assert_int_equal(call[0].ret, -EINVAL);
	assert_int_equal(call[1].ret, -EINVAL);
	assert_true(call[2].ret > 0);
	assert_int_equal(call[2].cookie, 5);
	assert_int_equal(call[3].ret, -EBADF);
	assert_int_equal(call[4].ret, 0);
}

/* ---- handles ---- */

static void handles_have_a_kind_and_an_age(void **state)
{
	uint64_t conn = connected(), listener, udp, timer;
	static const uint8_t conn_ops[] = {IX_CALL_ACCEPT,   IX_CALL_REJECT,   IX_CALL_SENDV,
					   IX_CALL_CLOSE,    IX_CALL_SHUTDOWN, IX_CALL_ABORT,
					   IX_CALL_RECV_DONE};
	struct ix_call c = {0};

	(void)state;
	ix_call_listen(&c, 1, &ix_ip_any, 80, 0);
	listener = (uint64_t)now(c);
	memset(&c, 0, sizeof(c));
	ix_call_udp_bind(&c, 2, &ix_ip_any, 0);
	udp = (uint64_t)now(c);
	memset(&c, 0, sizeof(c));
	ix_call_timer(&c, 0, 3, 1000000);
	timer = (uint64_t)now(c);
	for (size_t i = 0; i < sizeof(conn_ops); i++) {
		assert_int_equal(on(conn_ops[i], listener), -EBADF);
		assert_int_equal(on(conn_ops[i], udp), -EBADF);
		assert_int_equal(on(conn_ops[i], timer), -EBADF);
		assert_int_equal(on(conn_ops[i], conn ^ 1ull << 40), -EBADF);
		assert_int_equal(on(conn_ops[i], conn + 1), -EBADF);
		assert_int_equal(on(conn_ops[i], UINT64_MAX), -EBADF);
	}
	assert_int_equal(on(IX_CALL_UNLISTEN, conn), -EBADF);
	assert_int_equal(on(IX_CALL_UDP_UNBIND, listener), -EBADF);
	assert_int_equal(on(IX_CALL_TIMER_CANCEL, conn), -EBADF);
	assert_int_equal(on(IX_CALL_UNLISTEN, listener), 0);
	assert_int_equal(on(IX_CALL_UNLISTEN, listener), -EBADF);
	assert_int_equal(on(IX_CALL_UDP_UNBIND, udp), 0);
	assert_int_equal(on(IX_CALL_UDP_UNBIND, udp), -EBADF);
	assert_int_equal(on(IX_CALL_TIMER_CANCEL, timer), 0);
	assert_int_equal(on(IX_CALL_TIMER_CANCEL, timer), -EBADF);
	assert_int_equal(on(IX_CALL_ABORT, conn), 0);
	assert_int_equal(on(IX_CALL_ABORT, conn), -EBADF);
	pair_run(p, 1000);
	assert_true(connected() != conn);
	assert_int_equal(on(IX_CALL_SENDV, conn), -EBADF);
}

/* ---- connections ---- */

static void sends_and_receives(void **state)
{
	uint64_t h = connected();
	struct ix_event *e;

	(void)state;
	assert_int_equal(send_text(h, "hello", 5), 5);
	pair_run(p, 100000);
	e = find(IX_EV_SENT);
	assert_true(e && e->n == 5 && e->cookie == 11 && e->window > 0);
	e = find(IX_EV_RECV);
	assert_true(e && e->n == 5 && e->handle == h);
	assert_memory_equal((void *)(uintptr_t)e->addr, "hello", 5);
	assert_true(e->addr >= at.rx_base && e->addr + 5 <= at.rx_base + at.rx_size);
	ix_call_recv_done(next(0), h, 11, 6);
	ix_call_recv_done(next(1), h, 11, 2);
	ix_call_recv_done(next(2), h, 11, UINT64_MAX);
	ix_call_recv_done(next(3), h, 11, 3);
	ix_call_recv_done(next(4), h, 11, 1);
	run_io(5);
	assert_int_equal(call[0].ret, -EINVAL);
	assert_int_equal(call[1].ret, 0);
	assert_int_equal(call[2].ret, -EINVAL);
	assert_int_equal(call[3].ret, 0);
	assert_int_equal(call[4].ret, -EINVAL);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
}

static void takes_no_more_than_the_window(void **state)
{
	static char big[4 << 20];
	uint64_t h = connected();
	int64_t n = send_text(h, big, sizeof(big));
	uint64_t sent = 0;
	struct ix_event *e;

	(void)state;
	assert_true(n > 1448 && n < 100000); /* the initial window and a little */
	assert_true(send_text(h, big, sizeof(big)) < 1500);
	silent = false;
	p->cut = true;
	pair_run(p, 1000);
	p->cut = false;
	for (int i = 0; i < 50 && !sent; i++) {
		pair_run(p, 100000);
		while ((e = find(IX_EV_SENT)) != NULL)
			sent += e->n;
	}
	assert_true(sent > 0 && sent <= (uint64_t)n + 1500);
	on(IX_CALL_ABORT, h);
}

static void checks_what_it_is_to_send(void **state)
{
	uint64_t h = connected();
	struct ix_iov iov[2] = {{(uintptr_t) "ok", 2}, {16, 5}};

	(void)state;
	ix_call_sendv(next(0), h, 0, iov, 2);
	ix_call_sendv(next(1), h, 0, iov, IX_IOV_MAX + 1);
	ix_call_sendv(next(2), h, 0, (struct ix_iov *)8, 1);
	ix_call_sendv(next(3), h, 0, iov, 0);
	run_io(4);
	assert_int_equal(call[0].ret, -EFAULT);
	assert_int_equal(call[1].ret, -EINVAL);
	assert_int_equal(call[2].ret, -EFAULT);
	assert_int_equal(call[3].ret, 0);
	iov[1] = (struct ix_iov){UINT64_MAX - 2, 5};
	ix_call_sendv(next(0), h, 0, iov, 2);
	run_io(1);
	assert_int_equal(call[0].ret, -EFAULT);
	pair_run(p, 100000);
	assert_null(find(IX_EV_RECV)); /* not even the good piece was sent */
}

static void states_refuse_what_does_not_fit(void **state)
{
	uint64_t h = dial(7);
	struct ix_event *e;

	(void)state;
	assert_int_equal(send_text(h, "x", 1), -ENOTCONN);
	pair_run(p, 10000);
	assert_non_null(find(IX_EV_CONNECTED));
	assert_true(on(IX_CALL_ACCEPT, h) < 0);
	assert_true(on(IX_CALL_REJECT, h) < 0);
	assert_int_equal(on(IX_CALL_SHUTDOWN, h), 0);
	assert_int_equal(send_text(h, "x", 1), -EPIPE);
	pair_run(p, 100000);
	assert_non_null(find(IX_EV_EOF)); /* the echo closes when it sees ours */
	assert_null(find(IX_EV_DEAD));
	assert_int_equal(on(IX_CALL_CLOSE, h), 0);
	pair_run(p, 100000);
	e = find(IX_EV_DEAD);
	assert_true(e && e->reason == 0 && e->cookie == 11);
	run_io(0);
	assert_int_equal(on(IX_CALL_CLOSE, h), -EBADF);
}

static void connect_fails(void **state)
{
	uint64_t h = dial(9999);
	struct ix_event *e;
	struct ix_call c = {0};
	struct ix_ip far = ix_ip4(9, 9, 9, 9);

	(void)state;
	pair_run(p, 10000);
	e = find(IX_EV_CONNECTED);
	assert_true(e && e->handle == h && e->n == ECONNREFUSED);
	run_io(0);
	assert_int_equal(on(IX_CALL_CLOSE, h), -EBADF);
	ix_call_connect(&c, 0, &far, 7);
	assert_int_equal(now(c), -ENETUNREACH);
	memset(&c, 0, sizeof(c));
	ix_call_connect(&c, 0, &pair_ip[B], 0);
	assert_int_equal(now(c), -EINVAL);
	ix_call_connect(&c, 0, &pair_ip[B], 7);
	c.tuple.local = pair_ip[B];
	assert_int_equal(now(c), -EADDRNOTAVAIL);
}

static void knock_accept_reject(void **state)
{
	struct ix_call c = {0};
	struct ix_event *e;
	uint64_t l, h;

	(void)state;
	ix_call_listen(&c, 77, &ix_ip_any, 80, 4);
	l = (uint64_t)now(c);
	assert_int_equal(now(c), -EADDRINUSE);
	c.tuple.local = pair_ip[B];
	assert_int_equal(now(c), -EADDRNOTAVAIL);
	c.tuple.local_port = 0;
	assert_int_equal(now(c), -EINVAL);
	b_dial();
	pair_run(p, 10000);
	e = find(IX_EV_KNOCK);
	assert_true(e && e->cookie == 77 && e->tuple.local_port == 80);
	assert_memory_equal(&e->tuple.remote, &pair_ip[B], 16);
	h = e->handle;
	assert_int_equal(send_text(h, "x", 1), -EBADF);
	ix_call_accept(next(0), h, 78);
	run_io(1);
	assert_true(call[0].ret > 1000); /* what sendv would take */
	assert_int_equal(send_text(h, "x", 1), 1);
	pair_run(p, 100000);
	e = find(IX_EV_RECV); /* B echoes on every connection */
	assert_true(e && e->cookie == 78);
	b_dial();
	pair_run(p, 10000);
	e = find(IX_EV_KNOCK);
	assert_non_null(e);
	assert_int_equal(on(IX_CALL_REJECT, e->handle), 0);
	assert_int_equal(on(IX_CALL_ACCEPT, e->handle), -ECONNABORTED);
	b_dial();
	pair_run(p, 10000);
	e = find(IX_EV_KNOCK);
	assert_non_null(e);
	assert_int_equal(on(IX_CALL_UNLISTEN, l), 0);
	assert_int_equal(on(IX_CALL_ACCEPT, e->handle), -ECONNABORTED);
	assert_int_equal(send_text(h, "y", 1), 1); /* accepted ones stay */
}

static void tells_about_the_connection(void **state)
{
	uint64_t h = connected();
	struct ix_tcp_info info = {0};
	char part[8];

	(void)state;
	assert_int_equal(
	    ixhost_call(p->host[A], IX_SYS_TCP_INFO, h, (uintptr_t)&info, sizeof(info)),
	    sizeof(info));
	assert_int_equal(info.state, IX_TCP_ESTABLISHED);
	assert_int_equal(info.mss, 1448);
	assert_int_equal(info.tuple.remote_port, 7);
	assert_int_equal(info.congestion, IX_CC_CUBIC);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_TCP_INFO, h, (uintptr_t)part, 8), 8);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_TCP_INFO, h, 0, 8), -EFAULT);
	assert_int_equal(ixhost_call(p->host[A], IX_SYS_TCP_INFO, 7, (uintptr_t)&info, 8), -EBADF);
	for (uint32_t option = 0; option < 9; option++) {
		struct ix_call c = {.op = IX_CALL_SET_OPTION, .handle = h};

		c.opt.option = option;
		c.opt.value = option == IX_OPT_RCVWND ? 2 << 20 : 1;
		assert_int_equal(now(c), option >= 1 && option <= 6 ? 0 : -EINVAL);
		c.handle = h;
		c.opt.value = UINT64_MAX;
		assert_int_equal(now(c), -EINVAL);
	}
	ixhost_call(p->host[A], IX_SYS_TCP_INFO, h, (uintptr_t)&info, sizeof(info));
	assert_int_equal(info.congestion, IX_CC_CUBIC); /* option 4, value 1 */
}

/* The application is away while its peer resets: payload and handle wait for it. */
static void background_keeps_what_was_not_answered(void **state)
{
	struct ix_event *e;
	struct ix_call c = {0};
	struct ixev_ctx *x;
	uint64_t h;

	(void)state;
	ix_call_listen(&c, 77, &ix_ip_any, 80, 0);
	now(c);
	x = b_dial();
	pair_run(p, 10000);
	h = find(IX_EV_KNOCK)->handle;
	ix_call_accept(next(0), h, 5);
	run_io(1);
	silent = true;
	pair_bind(p, B);
	ixev_send(x, "last words", 10);
	pair_run(p, 1000);
	pair_bind(p, B);
	ixev_abort(x);
	pair_run(p, 100000);
	assert_int_equal(nseen ? find(IX_EV_RECV) != NULL : 0, 0);
	silent = false;
	run_io(0);
	e = find(IX_EV_RECV);
	assert_true(e && e->n == 10);
	assert_memory_equal((void *)(uintptr_t)e->addr, "last words", 10);
	e = find(IX_EV_DEAD);
	assert_true(e && e->reason == -ECONNRESET);
	run_io(0);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
}

/* A death that the application has not heard of, or not answered, does not stop the network. */
static void background_goes_on_after_a_death(void **state)
{
	struct ix_call c = {0};
	struct ixev_ctx *x;
	uint64_t opened;

	(void)state;
	ix_call_listen(&c, 77, &ix_ip_any, 80, 0);
	now(c);
	for (int heard = 0; heard < 2; heard++) {
		nseen = 0;
		x = b_dial();
		pair_run(p, 10000);
		ix_call_accept(next(0), find(IX_EV_KNOCK)->handle, 5);
		run_io(1);
		silent = true;
		pair_bind(p, B);
		ixev_abort(x);
		pair_run(p, 10000);
		if (heard) {
			run_io(0);
			assert_non_null(find(IX_EV_DEAD));
		}
		opened = ixhost_counter(p->host[B], "tcp_active");
		x = b_dial();
		pair_run(p, 100000);
		assert_int_equal(ixhost_counter(p->host[B], "tcp_active"), opened + 1);
		silent = false;
		run_io(0);
		if (!heard)
			assert_non_null(find(IX_EV_DEAD));
		pair_run(p, 10000);
		assert_non_null(find(IX_EV_KNOCK));
		pair_bind(p, B);
		ixev_abort(x);
		pair_run(p, 10000);
	}
	run_io(0);
	assert_int_equal(ixhost_counter(p->host[A], "=conns"), 0);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
}

/* Events that wait from a background cycle are not told of a connection that was aborted since. */
static void abort_takes_waiting_events_along(void **state)
{
	uint64_t h = connected(), other = connected();

	(void)state;
	assert_int_equal(send_text(h, "a", 1), 1);
	assert_int_equal(send_text(other, "b", 1), 1);
	silent = true;
	pair_run(p, 10000);
	silent = false;
	nseen = 0;
	ix_call_handle(next(0), IX_CALL_ABORT, h, 11);
	run_io(1);
	assert_int_equal(call[0].ret, 0);
	assert_true(nseen >= 2); /* sent and recv of the other */
	for (uint32_t i = 0; i < nseen; i++)
		assert_true(seen[i].handle == other);
	pair_run(p, 10000);
	on(IX_CALL_ABORT, other);
	run_io(0);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
}

/* ---- datagrams, timers, small pools ---- */

static void datagrams(void **state)
{
	struct ix_iov iov[2] = {{(uintptr_t) "data", 4}, {(uintptr_t) "gram", 4}};
	struct ix_call c = {0};
	struct ix_event *e;
	uint64_t u;

	(void)state;
	ix_call_udp_bind(&c, 21, &ix_ip_any, 53);
	u = (uint64_t)now(c);
	assert_true((int64_t)u > 0);
	assert_int_equal(now(c), -EADDRINUSE);
	ix_call_udp_sendv(next(0), u, 22, &pair_ip[B], 7, iov, 2);
	ix_call_udp_sendv(next(1), u, 23, &pair_ip[B], 7, iov, IX_UDP_IOV_MAX + 1);
	ix_call_udp_sendv(next(2), u, 24, &pair_ip[B], 7, (struct ix_iov *)8, 1);
	ix_call_udp_sendv(next(3), u, 25, &pair_ip[B], 7, iov, 1);
	call[3].udp.reserved.b[3] = 1;
	run_io(4);
	assert_int_equal(call[0].ret, 8);
	assert_int_equal(call[1].ret, -EINVAL);
	assert_int_equal(call[2].ret, -EFAULT);
	assert_int_equal(call[3].ret, -EINVAL);
	pair_run(p, 10000);
	e = find(IX_EV_UDP_SENT);
	assert_true(e && e->cookie == 22);
	assert_null(find(IX_EV_UDP_SENT));
	e = find(IX_EV_UDP_RECV);
	assert_true(e && e->n == 8 && e->port == 7 && e->cookie == 21 && e->handle == u);
	assert_memory_equal((void *)(uintptr_t)e->udp.addr, "datagram", 8);
	assert_memory_equal(&e->udp.remote, &pair_ip[B], 16);
	assert_memory_equal(&e->udp.local, &pair_ip[A], 16);
	ix_call_udp_recv_done(next(0), e->udp.addr);
	ix_call_udp_recv_done(next(1), e->udp.addr);
	ix_call_udp_recv_done(next(2), at.rx_base);
	ix_call_udp_recv_done(next(3), 0);
	ix_call_udp_recv_done(next(4), UINT64_MAX);
	run_io(5);
	assert_int_equal(call[0].ret, 0);
	for (int i = 1; i < 5; i++)
		assert_int_equal(call[i].ret, -EINVAL);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
}

static void pools_run_empty(void **state)
{
	struct ix_call c = {0};
	uint64_t h;

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(&c, 0, sizeof(c));
		ix_call_timer(&c, 0, 0, 1000000);
		assert_true(now(c) > 0);
		memset(&c, 0, sizeof(c));
		ix_call_udp_bind(&c, 0, &ix_ip_any, (uint16_t)(100 + i));
		h = (uint64_t)now(c);
		assert_true((int64_t)h > 0);
		memset(&c, 0, sizeof(c));
		ix_call_listen(&c, 0, &ix_ip_any, (uint16_t)(100 + i), 0);
		assert_true(now(c) > 0);
	}
	memset(&c, 0, sizeof(c));
	ix_call_timer(&c, 0, 0, 1000000);
	assert_int_equal(now(c), -ENOBUFS);
	c.usec = IX_TIMER_MAX + 1;
	assert_int_equal(now(c), -EINVAL);
	memset(&c, 0, sizeof(c));
	ix_call_udp_bind(&c, 0, &ix_ip_any, 200);
	assert_int_equal(now(c), -ENOBUFS);
	memset(&c, 0, sizeof(c));
	ix_call_listen(&c, 0, &ix_ip_any, 200, 0);
	assert_int_equal(now(c), -ENOBUFS);
	assert_int_equal(on(IX_CALL_UDP_UNBIND, h), 0);
	memset(&c, 0, sizeof(c));
	ix_call_udp_bind(&c, 0, &ix_ip_any, 200);
	assert_true(now(c) > 0);
}

/* 80 connections become ready at once, the array has 64 places: none is forgotten. */
static void a_full_event_array_loses_nothing(void **state)
{
	uint32_t dead = 0, conns = 0;

	(void)state;
	connected(); /* so that both know each other's Ethernet address */
	for (int i = 1; i < 80; i++)
		dial(7);
	conns = 1;
	for (int i = 0; i < 5; i++) {
		pair_run(p, 100000);
		while (find(IX_EV_CONNECTED))
			conns++;
		nseen = 0;
	}
	assert_int_equal(conns, 80);
	silent = true;
	close_all(p); /* B resets them all */
	p->turn = NULL;
	pair_run(p, 100000);
	for (int i = 0; i < 4; i++) {
		int64_t n = run_io(0);

		assert_true(n <= 64);
		while (find(IX_EV_DEAD))
			dead++;
		nseen = 0;
	}
	assert_int_equal(dead, 80);
}

/* Two cycles find 9 and 5 frames, and take 4 each; the third takes the last. */
static void counts_what_waits(void **state)
{
	static const char frame[60];
	uint64_t cycles, empty;

	(void)state;
	cycles = ixhost_counter(p->host[A], "core_cycles");
	empty = ixhost_counter(p->host[A], "core_cycles_empty");
	assert_int_equal(ixhost_counter(p->host[A], "core_rx_frames"), 0);
	for (int i = 0; i < 9; i++)
		assert_int_equal(ixhost_push(p->host[A], frame, sizeof(frame)), 0);
	for (int i = 0; i < 3; i++)
		run_io(0);
	assert_int_equal(ixhost_counter(p->host[A], "core_cycles") - cycles, 3);
	assert_int_equal(ixhost_counter(p->host[A], "core_cycles_empty"), empty);
	assert_int_equal(ixhost_counter(p->host[A], "core_rx_frames"), 9);
	assert_int_equal(ixhost_counter(p->host[A], "core_rx_batch_full"), 2);
	assert_int_equal(ixhost_counter(p->host[A], "core_rx_waiting"), 5 + 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(attaches_once),
	    TEST(checks_the_array_first),
	    TEST(goes_on_behind_a_bad_call),
	    TEST(handles_have_a_kind_and_an_age),
	    TEST(sends_and_receives),
	    TEST(takes_no_more_than_the_window),
	    TEST(checks_what_it_is_to_send),
	    TEST(states_refuse_what_does_not_fit),
	    TEST(connect_fails),
	    TEST(knock_accept_reject),
	    TEST(tells_about_the_connection),
	    TEST(background_keeps_what_was_not_answered),
	    TEST(background_goes_on_after_a_death),
	    TEST(abort_takes_waiting_events_along),
	    TEST(datagrams),
	    cmocka_unit_test_setup_teardown(counts_what_waits, setup_batch, teardown),
	    cmocka_unit_test_setup_teardown(pools_run_empty, setup_small, teardown),
	    cmocka_unit_test_setup_teardown(a_full_event_array_loses_nothing, setup_small,
					    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
