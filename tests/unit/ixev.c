/* SPDX-License-Identifier: MIT
 *
 * ixev on two embedded dataplanes: transfer, order of callbacks, back-pressure, and every way in which
 * a connection can end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pair.h"

#define A 0 /* server */
#define B 1 /* client */

struct conn {
	struct ixev_ctx ctx;
	unsigned int events; /* seen so far */
	int calls, released, dialed, dial_error;
	char in[1 << 20];
	size_t got;
	bool eof, echo, lazy, close_on_hup;
};

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
static bool no_memory;

void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

static struct conn *accepted;
static int refuse;

static void conn_read(struct conn *c)
{
	ssize_t n;

	while ((n = ixev_recv(&c->ctx, c->in + c->got, sizeof(c->in) - c->got)) > 0) {
		if (c->echo)
			assert_int_equal(ixev_send(&c->ctx, c->in + c->got, (size_t)n), n);
		c->got += (size_t)n;
	}
	if (n == 0 && !c->eof) {
		c->eof = true;
		if (c->echo)
			ixev_close(&c->ctx);
	}
}

static void on_event(struct ixev_ctx *x, unsigned int events)
{
	struct conn *c = (struct conn *)x;

	c->events |= events;
	c->calls++;
	if ((events & IXEV_IN) && !c->lazy)
		conn_read(c);
	if ((events & IXEV_HUP) && c->close_on_hup)
		ixev_close(x);
}

static void on_dialed(struct ixev_ctx *x, int err)
{
	((struct conn *)x)->dialed++;
	((struct conn *)x)->dial_error = err;
}

static void on_release(struct ixev_ctx *x)
{
	((struct conn *)x)->released++;
}

static const struct ixev_ops ops = {on_event, on_dialed, on_release};

static struct ixev_ctx *on_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	assert_int_equal(tuple->local_port, 80);
	assert_memory_equal(&tuple->remote, &pair_ip[B], sizeof(tuple->remote));
	if (refuse)
		return NULL;
	ixev_init(l->base, &accepted->ctx, &ops);
	return &accepted->ctx;
}

static struct ixev_listener listener = {.accept = on_accept};

struct bed {
	struct pair *p;
	struct conn *s, *c; /* server's, client's */
};

static struct bed make(const char *extra, const struct ixev_config *conf)
{
	struct bed b = {.p = pair_new(extra, true, conf)};

	refuse = 0;
	b.s = accepted = calloc(1, sizeof(*b.s));
	b.c = calloc(1, sizeof(*b.c));
	pair_bind(b.p, A);
	assert_int_equal(ixev_listen(b.p->base[A], &listener, &ix_ip_any, 80, 0), 0);
	return b;
}

static void dial(struct bed *b)
{
	pair_bind(b->p, B);
	ixev_init(b->p->base[B], &b->c->ctx, &ops);
	assert_int_equal(ixev_connect(&b->c->ctx, &pair_ip[A], 80), 0);
	pair_run(b->p, 1000);
}

static void end(struct bed *b)
{
	pair_free(b->p);
	free(b->s);
	free(b->c);
}

static void connects_and_echoes(void **state)
{
	struct bed b = make(NULL, NULL);
	static char out[300000];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 251);
	dial(&b);
	assert_int_equal(b.c->dialed, 1);
	assert_int_equal(b.c->dial_error, 0);
	b.s->echo = true;
	pair_bind(b.p, B);
	/* Below the limit a send is taken whole, whatever its size. */
	assert_int_equal(ixev_send(&b.c->ctx, out, sizeof(out)), sizeof(out));
	assert_int_equal(ixev_send(&b.c->ctx, out, 1), -EAGAIN);
	assert_int_equal(ixev_shutdown(&b.c->ctx), 0);
	assert_int_equal(ixev_send(&b.c->ctx, out, 1), -EPIPE);
	pair_run(b.p, 1000000);
	assert_int_equal(b.c->got, sizeof(out));
	assert_memory_equal(b.c->in, out, sizeof(out));
	assert_true(b.c->eof && b.s->eof);
	assert_int_equal(b.s->released, 1);
	/* Both sides have sent FIN, and the client knows; it is over when the client closes. */
	assert_int_equal(b.c->events & IXEV_HUP, 0);
	assert_int_equal(b.c->released, 0);
	pair_bind(b.p, B);
	ixev_close(&b.c->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.c->released, 1);
	end(&b);
}

static void survives_loss(void **state)
{
	struct bed b = make(NULL, NULL);
	static char out[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 13 + i / 509);
	b.p->lose = 20;
	dial(&b);
	pair_run(b.p, 5000000);
	b.s->echo = true;
	pair_bind(b.p, B);
	assert_int_equal(ixev_send(&b.c->ctx, out, sizeof(out)), sizeof(out));
	pair_run(b.p, 60000000);
	assert_int_equal(b.c->got, sizeof(out));
	assert_memory_equal(b.c->in, out, sizeof(out));
	end(&b);
}

static int buf_released;

static void on_buf(struct ixev_buf *buf)
{
	assert_non_null(buf);
	buf_released++;
}

static void releases_sent_memory_once_acknowledged(void **state)
{
	struct bed b = make(NULL, NULL);
	static char data[3][50000];
	struct ixev_buf buf[3], empty = {.release = on_buf};

	(void)state;
	buf_released = 0;
	memset(data[0], 'a', sizeof(data[0]));
	memset(data[1], 'b', sizeof(data[1]));
	memset(data[2], 'c', sizeof(data[2]));
	dial(&b);
	pair_bind(b.p, B);
	for (int i = 0; i < 3; i++) {
		buf[i] =
		    (struct ixev_buf){.data = data[i], .len = sizeof(data[i]), .release = on_buf};
		assert_int_equal(ixev_send(&b.c->ctx, "-", 1), 1);
		assert_int_equal(ixev_send_zc(&b.c->ctx, &buf[i]), 0);
	}
	assert_int_equal(ixev_send_zc(&b.c->ctx, &empty), 0);
	assert_int_equal(buf_released, 0);
	b.p->cut = true;
	pair_run(b.p, 100000);
	assert_int_equal(buf_released, 1); /* only the empty one needs no acknowledgement */
	b.p->cut = false;
	pair_run(b.p, 3000000);
	assert_int_equal(buf_released, 4);
	assert_int_equal(b.s->got, 3 * 50001);
	assert_int_equal(b.s->in[0], '-');
	assert_int_equal(b.s->in[50000], 'a');
	assert_int_equal(b.s->in[50001], '-');
	assert_int_equal(b.s->in[150002], 'c');
	end(&b);
}

static void receives_by_reference(void **state)
{
	struct bed b = make(NULL, NULL);
	const void *data;
	char byte;

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "hello world", 11);
	pair_run(b.p, 1000);
	pair_bind(b.p, A);
	assert_int_equal(ixev_unread(&b.s->ctx), 11);
	assert_int_equal(ixev_recv_zc(&b.s->ctx, &data, 5), 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(ixev_recv(&b.s->ctx, &byte, 1), -EBUSY);
	assert_int_equal(ixev_recv_zc(&b.s->ctx, &data, 100), 6);
	assert_memory_equal(data, " world", 6);
	assert_int_equal(ixev_recv_zc(&b.s->ctx, &data, 100), -EAGAIN);
	ixev_recv_done(&b.s->ctx, 5);
	pair_run(b.p, 1000);
	assert_memory_equal(data, " world", 6);
	ixev_recv_done(&b.s->ctx, 6);
	pair_run(b.p, 1000);
	assert_int_equal(ixhost_counter(b.p->host[A], "=rxbufs_free"), 1024);
	end(&b);
}

/* A reader that does not read: the window closes, and nothing is lost when it reads on. */
static void pushes_back(void **state)
{
	struct bed b = make("tcp.receive-window = 16K", NULL);
	static char out[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i / 3);
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, B);
	b.c->events = 0;
	assert_int_equal(ixev_send(&b.c->ctx, out, sizeof(out)), sizeof(out));
	ixev_set_limit(&b.c->ctx, 100000);
	assert_int_equal(ixev_send(&b.c->ctx, out, 1), -EAGAIN);
	pair_run(b.p, 20000000);
	assert_true(ixev_pending(&b.c->ctx) > 100000);
	assert_true(ixev_unread(&b.s->ctx) <= 16384 + 4096);
	ixev_set_mask(&b.c->ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
	assert_false(b.c->events & IXEV_OUT);
	b.s->lazy = false;
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, IXEV_IN);
	pair_run(b.p, 20000000);
	assert_int_equal(b.s->got, sizeof(out));
	assert_memory_equal(b.s->in, out, sizeof(out));
	assert_true(b.c->events & IXEV_OUT);
	end(&b);
}

static void level_and_edge(void **state)
{
	struct bed b = make(NULL, NULL);
	int calls;

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, IXEV_IN | IXEV_ET);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "x", 1);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->calls, 1);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->calls, 1);
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, IXEV_IN); /* level: again in each round until it is read */
	pair_run(b.p, 10);
	calls = b.s->calls;
	assert_true(calls > 2);
	b.s->lazy = false;
	pair_run(b.p, 10);
	calls = b.s->calls;
	pair_run(b.p, 1000);
	assert_int_equal(b.s->calls, calls);
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, 0);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "y", 1);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->calls, calls);
	end(&b);
}

static void refused_and_unreachable(void **state)
{
	struct bed b = make("tcp.syn-retries = 2", NULL);

	(void)state;
	refuse = 1; /* rejected by the application */
	dial(&b);
	assert_int_equal(b.c->dialed, 1);
	pair_run(b.p, 1000);
	/* The handshake was complete, so the client sees a reset of an open connection. */
	assert_true(b.c->dial_error == 0 ? (b.c->events & IXEV_HUP) != 0 : b.c->released == 1);
	pair_bind(b.p, B);
	if (!b.c->dial_error)
		ixev_close(&b.c->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.c->released, 1);

	memset(b.c, 0, sizeof(*b.c));
	pair_bind(b.p, B);
	ixev_init(b.p->base[B], &b.c->ctx, &ops);
	assert_int_equal(ixev_connect(&b.c->ctx, &pair_ip[A], 81), 0);
	ixev_send(&b.c->ctx, "early", 5);
	pair_run(b.p, 10000);
	assert_int_equal(b.c->dial_error, -ECONNREFUSED);
	assert_int_equal(b.c->released, 1);

	memset(b.c, 0, sizeof(*b.c));
	b.p->cut = true;
	pair_bind(b.p, B);
	ixev_init(b.p->base[B], &b.c->ctx, &ops);
	assert_int_equal(ixev_connect(&b.c->ctx, &pair_ip[A], 80), 0);
	pair_run(b.p, 60000000);
	assert_true(b.c->dial_error == -ETIMEDOUT || b.c->dial_error == -EHOSTUNREACH);
	assert_int_equal(b.c->released, 1);
	end(&b);
}

static void writes_before_connected(void **state)
{
	struct bed b = make(NULL, NULL);

	(void)state;
	pair_bind(b.p, B);
	ixev_init(b.p->base[B], &b.c->ctx, &ops);
	assert_int_equal(ixev_connect(&b.c->ctx, &pair_ip[A], 80), 0);
	assert_int_equal(ixev_send(&b.c->ctx, "early", 5), 5);
	pair_run(b.p, 10000);
	assert_int_equal(b.s->got, 5);
	end(&b);
}

/* The peer is gone without a word: data runs into a time limit, and the context is let go. */
static void peer_vanishes(void **state)
{
	struct bed b = make("tcp.user-timeout = 3s", NULL);

	(void)state;
	dial(&b);
	b.c->close_on_hup = true;
	b.p->cut = true;
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "anyone?", 7);
	pair_run(b.p, 60000000);
	assert_true(b.c->events & IXEV_HUP);
	assert_int_equal(ixev_error(&b.c->ctx), -ETIMEDOUT);
	assert_int_equal(b.c->released, 1);
	end(&b);
}

/* An idle connection whose peer is gone is found by keep-alive. */
static void idle_peer_vanishes(void **state)
{
	struct bed b = make("tcp.keepalive-interval = 1s\ntcp.keepalive-count = 3", NULL);

	(void)state;
	listener.keepalive = 20;
	dial(&b);
	b.s->close_on_hup = true;
	pair_run(b.p, 60000000); /* a peer that answers is kept */
	assert_int_equal(b.s->released, 0);
	b.p->cut = true;
	pair_run(b.p, 30000000);
	assert_int_equal(ixev_error(&b.s->ctx), -ETIMEDOUT);
	assert_int_equal(b.s->released, 1);
	listener.keepalive = 0;
	end(&b);
}

static void peer_vanishes_while_closing(void **state)
{
	struct bed b = make("tcp.user-timeout = 3s", NULL);
	static char data[100000];
	struct ixev_buf buf = {.data = data, .len = sizeof(data), .release = on_buf};

	(void)state;
	buf_released = 0;
	dial(&b);
	b.p->cut = true;
	pair_bind(b.p, B);
	assert_int_equal(ixev_send_zc(&b.c->ctx, &buf), 0);
	ixev_close(&b.c->ctx);
	pair_run(b.p, 60000000);
	assert_int_equal(b.c->released, 1);
	assert_int_equal(buf_released, 1);
	assert_int_equal(b.c->events & IXEV_HUP, 0);
	end(&b);
}

static void aborts(void **state)
{
	struct bed b = make(NULL, NULL);

	(void)state;
	dial(&b);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "x", 1);
	ixev_abort(&b.c->ctx);
	ixev_abort(&b.c->ctx);
	ixev_close(&b.c->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.c->released, 1);
	assert_true(b.s->events & IXEV_HUP);
	assert_int_equal(ixev_error(&b.s->ctx), -ECONNRESET);
	pair_bind(b.p, A);
	assert_int_equal(ixev_send(&b.s->ctx, "y", 1), -ECONNRESET);
	ixev_close(&b.s->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->released, 1);
	end(&b);
}

/* Closed, but the peer does not end its side: who has waited enough can still reset it. */
static void aborts_after_a_close(void **state)
{
	struct bed b = make(NULL, NULL);

	(void)state;
	dial(&b);
	pair_bind(b.p, B);
	ixev_close(&b.c->ctx);
	pair_run(b.p, 10000);
	assert_int_equal(b.c->released, 0);
	pair_bind(b.p, B);
	ixev_abort(&b.c->ctx);
	pair_run(b.p, 10000);
	assert_int_equal(b.c->released, 1);
	assert_int_equal(ixhost_counter(b.p->host[B], "=conns"), 0);
	assert_true(b.s->events & IXEV_HUP);
	end(&b);
}

static void closes_while_dialing(void **state)
{
	struct bed b = make(NULL, NULL);

	(void)state;
	pair_bind(b.p, B);
	ixev_init(b.p->base[B], &b.c->ctx, &ops);
	assert_int_equal(ixev_connect(&b.c->ctx, &pair_ip[A], 80), 0);
	ixev_close(&b.c->ctx);
	pair_run(b.p, 10000);
	assert_int_equal(b.c->dialed, 0);
	assert_int_equal(b.c->released, 1);
	end(&b);
}

/* What came before the reset can still be read, from memory of the library's own. */
static void unread_bytes_outlive_the_connection(void **state)
{
	struct bed b = make(NULL, NULL);
	char got[8];

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, IXEV_IN | IXEV_ET);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "lastwords", 9);
	pair_run(b.p, 1000);
	pair_bind(b.p, A);
	assert_int_equal(ixev_recv(&b.s->ctx, got, 4), 4);
	pair_bind(b.p, B);
	ixev_abort(&b.c->ctx);
	pair_run(b.p, 1000);
	assert_true(b.s->events & IXEV_HUP);
	assert_int_equal(ixhost_counter(b.p->host[A], "=rxbufs_free"), 1024);
	pair_bind(b.p, A);
	assert_int_equal(ixev_recv(&b.s->ctx, got, 8), 5);
	assert_memory_equal(got, "words", 5);
	assert_int_equal(ixev_recv(&b.s->ctx, got, 8), -ECONNRESET);
	ixev_close(&b.s->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->released, 1);
	end(&b);
}

static void starved_turn(struct pair *p, int side)
{
	no_memory = side == A;
	ixev_wait(p->base[side], 0);
	no_memory = false;
}

/* When there is no memory to save them, the stream does not seem to have ended in order. */
static void lost_bytes_are_an_error(void **state)
{
	struct bed b = make(NULL, NULL);
	char got[8];

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, A);
	ixev_set_mask(&b.s->ctx, IXEV_IN | IXEV_ET);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "lastwords", 9);
	ixev_shutdown(&b.c->ctx);
	pair_run(b.p, 1000);
	pair_bind(b.p, B);
	ixev_abort(&b.c->ctx);
	b.p->turn = starved_turn;
	pair_run(b.p, 1000);
	b.p->turn = NULL;
	assert_true(b.s->events & IXEV_HUP);
	pair_bind(b.p, A);
	assert_int_equal(ixev_recv(&b.s->ctx, got, 8), -ENOMEM);
	ixev_close(&b.s->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->released, 1);
	end(&b);
}

static void runs_out_of_memory_gently(void **state)
{
	struct ixev_config conf = {.memory_limit = 40000};
	struct bed b = make(NULL, &conf);
	static char out[100000];
	ssize_t n;

	(void)state;
	dial(&b);
	pair_bind(b.p, B);
	n = ixev_send(&b.c->ctx, out, sizeof(out));
	assert_true(n > 16000 && n < 40000);
	assert_int_equal(ixev_send(&b.c->ctx, out, 1000), -EAGAIN);
	b.c->events = 0;
	ixev_set_mask(&b.c->ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
	pair_run(b.p, 100000);
	assert_int_equal(b.s->got, n);
	assert_true(b.c->events & IXEV_OUT);
	pair_bind(b.p, B);
	assert_true(ixev_send(&b.c->ctx, out, sizeof(out)) > 16000);
	end(&b);
}

static void on_nothing(struct ixev_udp *u, const struct ixev_dgram *d)
{
	(void)u;
	(void)d;
}

/* Sends a message, or waits for IXEV_OUT to try again: how often it had to. */
static int send_by_edge(struct bed *b, struct conn *c, const char *out, size_t len)
{
	for (int tries = 0;; tries++) {
		pair_bind(b->p, B);
		c->events = 0;
		if (ixev_send(&c->ctx, out, len) == (ssize_t)len)
			return tries;
		pair_run(b->p, 100);
		assert_true(c->events & IXEV_OUT);
	}
}

/* Who waits for edges hears of memory that has come back, also with nothing of its own under way. */
static void waits_for_memory_by_edge(void **state)
{
	struct ixev_config conf = {.memory_limit = 16384 + 400};
	struct bed b = make(NULL, &conf), other = {.p = b.p};
	static char out[30000];
	ssize_t n;

	(void)state;
	dial(&b);
	other.s = accepted = calloc(1, sizeof(*other.s));
	other.c = calloc(1, sizeof(*other.c));
	dial(&other);
	pair_bind(b.p, B);
	ixev_set_mask(&b.c->ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
	ixev_set_mask(&other.c->ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
	pair_run(b.p, 1000);
	assert_int_equal(send_by_edge(&b, b.c, out, 16000), 0);
	assert_true(send_by_edge(&b, other.c, out, 1000) > 0);
	/* A part was taken: the rest waits for what is under way. */
	pair_run(b.p, 10000);
	pair_bind(b.p, B);
	n = ixev_send(&b.c->ctx, out, sizeof(out));
	assert_true(n > 16000 && n < 20000);
	assert_true(send_by_edge(&b, b.c, out, 1000) > 0);
	end(&b);
	free(other.s);
	free(other.c);
}

/* What one kind of sending needs no more, another can have; and a limit below a large chunk works. */
static void memory_goes_where_it_is_needed(void **state)
{
	struct ixev_config conf = {.memory_limit = 16384 + 400};
	static char out[16000];
	struct ixev_udp u = {.recv = on_nothing};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bed b = make(NULL, &conf);
		size_t most = i ? 400 : sizeof(out);

		dial(&b);
		pair_bind(b.p, B);
		assert_int_equal(ixev_udp_bind(b.p->base[B], &u, &ix_ip_any, 0), 0);
		assert_int_equal(ixev_send(&b.c->ctx, out, most), most);
		pair_run(b.p, 100000);
		pair_bind(b.p, B);
		assert_int_equal(ixev_send(&b.c->ctx, out, 100), 100);
		pair_run(b.p, 100000);
		pair_bind(b.p, B);
		assert_int_equal(ixev_udp_send(&u, &pair_ip[A], 9, out, 900), 900);
		pair_run(b.p, 100000);
		pair_bind(b.p, B);
		assert_int_equal(ixev_send(&b.c->ctx, out, most), most);
		pair_run(b.p, 100000);
		assert_int_equal(b.s->got, 2 * most + 100);
		end(&b);
		conf.memory_limit = 1000;
	}
}

/* Nothing that counts bytes can run over, however much is sent by reference. */
static void bounds_what_is_pending(void **state)
{
	struct bed b = make(NULL, NULL);
	struct ixev_buf big = {.data = "", .len = UINT32_MAX - 1000};

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, B);
	ixev_set_limit(&b.c->ctx, UINT32_MAX);
	assert_int_equal(ixev_send_zc(&b.c->ctx, &big), 0);
	assert_int_equal(ixev_send(&b.c->ctx, "x", 1), -EMSGSIZE);
	ixev_abort(&b.c->ctx);
	pair_run(b.p, 1000);
	end(&b);
}

/* A request larger than the window is put together; the callback comes when it is complete. */
static void peeks_at_requests(void **state)
{
	struct bed b = make("tcp.receive-window = 16K", NULL);
	static char out[200000];
	const void *data;
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 11 + i / 777);
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, A);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 150000), -EAGAIN);
	pair_bind(b.p, B);
	assert_int_equal(ixev_send(&b.c->ctx, out, 149999), 149999);
	pair_run(b.p, 20000000);
	assert_int_equal(b.s->calls, 0);
	assert_int_equal(ixev_unread(&b.s->ctx), 149999);
	pair_bind(b.p, B);
	assert_int_equal(ixev_send(&b.c->ctx, out + 149999, 50001), 50001);
	pair_run(b.p, 20000000);
	assert_true(b.s->calls > 0);
	pair_bind(b.p, A);
	assert_true(ixev_peek(&b.s->ctx, &data, 150000) >= 150000);
	assert_memory_equal(data, out, 150000);
	ixev_skip(&b.s->ctx, 149000);
	assert_true(ixev_peek(&b.s->ctx, &data, 1) >= 1);
	assert_memory_equal(data, out + 149000, 1);
	assert_true(ixev_peek(&b.s->ctx, &data, 3000) >= 3000);
	assert_memory_equal(data, out + 149000, 3000);
	/* What is lent from memory of the library's own is not given back to the kernel twice. */
	assert_int_equal(ixev_recv_zc(&b.s->ctx, &data, 500), 500);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 1), -EBUSY);
	ixev_skip(&b.s->ctx, 1); /* has no effect either */
	assert_int_equal(ixev_recv_zc(&b.s->ctx, &data, 100000), 2500);
	assert_memory_equal(data, out + 149500, 2500);
	n = ixev_recv_zc(&b.s->ctx, &data, 100000); /* the rest of a packet */
	assert_true(n > 0);
	assert_memory_equal(data, out + 152000, (size_t)n);
	ixev_recv_done(&b.s->ctx, 200000);
	/* Skipping reaches beyond what has come; the rest of the stream is read as usual. */
	ixev_skip(&b.s->ctx, 150000);
	pair_run(b.p, 20000000);
	pair_bind(b.p, B);
	assert_int_equal(ixev_send(&b.c->ctx, out, 200000), 200000);
	ixev_shutdown(&b.c->ctx);
	pair_run(b.p, 20000000);
	pair_bind(b.p, A);
	assert_true(ixev_unread(&b.s->ctx) > 0);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 199999), -EAGAIN);
	pair_run(b.p, 20000000);
	pair_bind(b.p, A);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 199999), 0); /* never: it ends before */
	b.s->lazy = false;
	ixev_set_mask(&b.s->ctx, IXEV_IN);
	pair_run(b.p, 20000000);
	assert_true(b.s->eof);
	assert_int_equal(b.s->got, 400000 - 302000 - n);
	assert_memory_equal(b.s->in, out + sizeof(out) - b.s->got, b.s->got);
	assert_int_equal(ixhost_counter(b.p->host[A], "=rxbufs_free"), 1024);
	end(&b);
}

/* A reset while a request is put together: what came can be looked at, and nothing is left. */
static void peeks_when_the_peer_is_gone(void **state)
{
	struct bed b = make(NULL, NULL);
	const void *data;

	(void)state;
	dial(&b);
	b.s->lazy = true;
	pair_bind(b.p, A);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 100), -EAGAIN);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "last", 4);
	pair_run(b.p, 1000);
	pair_bind(b.p, B);
	ixev_send(&b.c->ctx, "words", 5);
	pair_run(b.p, 1000);
	pair_bind(b.p, B);
	ixev_abort(&b.c->ctx);
	pair_run(b.p, 1000);
	pair_bind(b.p, A);
	assert_true(b.s->events & IXEV_HUP);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 100), -ECONNRESET);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 9), 9);
	assert_memory_equal(data, "lastwords", 9);
	ixev_skip(&b.s->ctx, 5);
	assert_int_equal(ixev_peek(&b.s->ctx, &data, 1), 4);
	ixev_close(&b.s->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(b.s->released, 1);
	end(&b);
}

static int refs_done;

static void on_ref(void *arg)
{
	refs_done += *(int *)arg;
}

static void sends_by_reference_without_a_buffer(void **state)
{
	struct bed b = make(NULL, NULL);
	static char data[100000];
	int one = 1, ten = 10;

	(void)state;
	refs_done = 0;
	dial(&b);
	pair_bind(b.p, B);
	assert_int_equal(ixev_send_ref(&b.c->ctx, data, sizeof(data), on_ref, &one), 0);
	assert_int_equal(ixev_send_ref(&b.c->ctx, data, 0, on_ref, &one), 0);
	assert_int_equal(ixev_send_ref(&b.c->ctx, data, 5, NULL, NULL), 0);
	pair_run(b.p, 3000000);
	assert_int_equal(refs_done, 2);
	assert_int_equal(b.s->got, sizeof(data) + 5);
	/* One that is not acknowledged comes back when the connection ends; a refused one never. */
	b.p->cut = true;
	pair_bind(b.p, B);
	assert_int_equal(ixev_send_ref(&b.c->ctx, data, 5, on_ref, &ten), 0);
	ixev_set_limit(&b.c->ctx, 1);
	assert_int_equal(ixev_send_ref(&b.c->ctx, data, 5, on_ref, &ten), -EAGAIN);
	pair_run(b.p, 1000);
	assert_int_equal(refs_done, 2);
	pair_bind(b.p, B);
	ixev_abort(&b.c->ctx);
	pair_run(b.p, 1000);
	assert_int_equal(refs_done, 12);
	end(&b);
}

static void texts(void **state)
{
	static const char *const bad[] = {"", "-1", "1x", " 1", "18446744073709551616", "11", "1"};
	char text[IX_IP_STRLEN];
	struct ix_ip ip;
	uint64_t v = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ix_number_parse(&v, bad[i], 2, 10), -EINVAL);
	assert_int_equal(ix_number_parse(&v, "18446744073709551615", 0, UINT64_MAX), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(ix_ip_parse(&ip, "10.0.0.256"), -EINVAL);
	assert_int_equal(ix_ip_parse(&ip, "10.0.0"), -EINVAL);
	assert_int_equal(ix_ip_parse(&ip, "192.168.1.20"), 0);
	assert_string_equal(ix_ip_format(&ip, text), "192.168.1.20");
	assert_non_null(strstr(ix_attach_error(-ENOSYS), "ixhost"));
	assert_non_null(strstr(ix_attach_error(-EAGAIN), "every core"));
	assert_string_equal(ix_attach_error(-ENOMEM), strerror(ENOMEM));
}

/* One core: the calling thread serves. */
static int run_start(struct ixev *base, void *arg)
{
	ixev_stop(base); /* has no effect before the loop */
	return *(int *)arg;
}

static void attaching_fails(void **state)
{
	struct pair *p = pair_new(NULL, true, NULL);
	struct ixev *base = (struct ixev *)p;
	int zero = 0, err = -EADDRINUSE;

	(void)state;
	pair_bind(p, A);
	assert_int_equal(ixev_open(&base, NULL), -EBUSY);
	assert_null(base);
	assert_int_equal(ixev_run_cores(NULL, run_start, &zero), -EBUSY);
	pair_free(p);
	p = pair_new(NULL, false, NULL);
	pair_bind(p, A);
	assert_int_equal(ixev_run_cores(NULL, run_start, &err), -EADDRINUSE);
	pair_free(p);
}

static struct ixev_timer timers[100];
static int fired[100], order;

static void on_timer(struct ixev_timer *t)
{
	int i = (int)(t - timers);

	fired[i]++;
	order = order % 100000 * 10 + i;
	if (i == 3 && fired[3] < 3)
		ixev_timer_add(t->base, t, 1000);
	if (i == 4)
		ixev_timer_del(&timers[5]);
}

static void timers_fire(void **state)
{
	struct pair *p = pair_new(NULL, true, NULL);

	(void)state;
	memset(fired, 0, sizeof(fired));
	order = 0;
	for (int i = 0; i < 100; i++)
		ixev_timer_init(&timers[i], on_timer);
	pair_bind(p, A);
	ixev_timer_add(p->base[A], &timers[2], 2000);
	ixev_timer_add(p->base[A], &timers[1], 1000);
	ixev_timer_add(p->base[A], &timers[6], 1000);
	ixev_timer_del(&timers[6]);
	ixev_timer_add(p->base[A], &timers[7], 500);
	ixev_timer_add(p->base[A], &timers[7], 5000);
	pair_run(p, 900);
	assert_int_equal(order, 0);
	pair_run(p, 10000);
	assert_int_equal(order, 127);
	ixev_timer_add(p->base[A], &timers[3], 1000);
	pair_run(p, 10000);
	assert_int_equal(fired[3], 3);
	/* Two that are due together: the first takes the second away. */
	ixev_timer_add(p->base[A], &timers[4], 1000);
	ixev_timer_add(p->base[A], &timers[5], 1000);
	pair_run(p, 10000);
	assert_int_equal(fired[4], 1);
	assert_int_equal(fired[5], 0);
	/* More than the kernel has (64): all fire, some late. */
	memset(fired, 0, sizeof(fired));
	for (int i = 0; i < 100; i++) {
		pair_bind(p, A);
		timers[i].fire = on_timer;
		ixev_timer_add(p->base[A], &timers[i], 100);
	}
	pair_run(p, 100000);
	for (int i = 6; i < 100; i++)
		assert_int_equal(fired[i], 1);
	pair_free(p);
}

static char dgram[70000];
static size_t dgram_len;
static int dgrams, udp_released;

static void on_dgram(struct ixev_udp *u, const struct ixev_dgram *d)
{
	memcpy(dgram, d->data, d->len);
	dgram_len = d->len;
	dgrams++;
	if (d->len == 3) /* answers */
		assert_int_equal(ixev_udp_send(u, &d->remote, d->remote_port, "pong", 4), 4);
}

static void on_udp_release(struct ixev_udp *u)
{
	assert_non_null(u);
	udp_released++;
}

static void datagrams(void **state)
{
	struct pair *p = pair_new(NULL, true, NULL);
	struct ixev_udp s = {.recv = on_dgram, .release = on_udp_release}, c = s, twice = s;
	static char big[60000];

	(void)state;
	dgrams = udp_released = 0;
	pair_bind(p, A);
	assert_int_equal(ixev_udp_bind(p->base[A], &s, &ix_ip_any, 53), 0);
	assert_int_equal(ixev_udp_bind(p->base[A], &twice, &ix_ip_any, 53), -EADDRINUSE);
	pair_bind(p, B);
	assert_int_equal(ixev_udp_bind(p->base[B], &c, &ix_ip_any, 0), 0);
	assert_int_equal(ixev_udp_send(&c, &pair_ip[A], 53, "abc", 3), 3);
	pair_run(p, 10000);
	assert_int_equal(dgrams, 2);
	assert_memory_equal(dgram, "pong", 4);
	memset(big, 'z', sizeof(big));
	pair_bind(p, B);
	assert_int_equal(ixev_udp_send(&c, &pair_ip[A], 53, big, sizeof(big)), sizeof(big));
	assert_int_equal(ixev_udp_send(&c, &pair_ip[A], 53, big, 65508), -EMSGSIZE);
	pair_run(p, 10000);
	assert_int_equal(dgram_len, sizeof(big));
	assert_memory_equal(dgram, big, sizeof(big));
	assert_int_equal(ixev_udp_send(&c, &pair_ip[A], 53, "", 0), 0);
	pair_run(p, 10000);
	assert_int_equal(dgram_len, 0);
	assert_int_equal(dgrams, 4);
	pair_bind(p, B);
	ixev_udp_send(&c, &pair_ip[A], 53, "bye", 3);
	ixev_udp_close(&c);
	pair_run(p, 10000);
	assert_int_equal(udp_released, 1);
	assert_int_equal(dgrams, 5);
	assert_int_equal(ixhost_counter(p->host[A], "=rxbufs_free"), 1024);
	assert_int_equal(ixhost_counter(p->host[A], "=reasm"), 0);
	pair_bind(p, A);
	assert_int_equal(ixev_udp_send(&s, &pair_ip[B], 9, "last", 4), 4); /* off or not: freed */
	pair_free(p);
}

/* Many connections on each side, from malloc(). */
#define MANY 300

static struct ixev_ctx *many[MANY]; /* the server's */
static int nmany, many_left;
static void (*many_end)(struct ixev_ctx *ctx);

static void many_event(struct ixev_ctx *x, unsigned int events)
{
	(void)x;
	if (!(events & IXEV_HUP))
		return;
	/* The first that dies takes all others along, whether they are dead already or not. */
	while (nmany)
		many_end(many[--nmany]);
}

static void many_release(struct ixev_ctx *x)
{
	many_left--;
	free(x);
}

static struct ixev_ctx *many_new(struct ixev *base)
{
	static const struct ixev_ops many_ops = {.event = many_event, .release = many_release};
	struct ixev_ctx *x = malloc(sizeof(*x));

	ixev_init(base, x, &many_ops);
	many_left++;
	return x;
}

static struct ixev_ctx *many_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	(void)tuple;
	return many[nmany++] = many_new(l->base);
}

/*
 * Connections are given up while the kernel has more to tell about them than the event array holds:
 * nothing is told about a context that was released.
 */
static void give_up_many(void (*end_one)(struct ixev_ctx *ctx))
{
	struct pair *p = pair_new("events = 64\nbatch = 256", true, NULL);
	struct ixev_listener l = {.accept = many_accept};
	struct ixev_ctx *c[MANY];

	nmany = many_left = 0;
	many_end = end_one;
	pair_bind(p, A);
	assert_int_equal(ixev_listen(p->base[A], &l, &ix_ip_any, 80, MANY), 0);
	pair_bind(p, B);
	for (int i = 0; i < MANY; i++) {
		c[i] = many_new(p->base[B]);
		assert_int_equal(ixev_connect(c[i], &pair_ip[A], 80), 0);
	}
	pair_run(p, 5000000); /* SYNs that found no room while ARP asked are sent again */
	assert_int_equal(nmany, MANY);
	pair_bind(p, B);
	for (int i = 0; i < MANY; i++)
		ixev_abort(c[i]);
	pair_run(p, 100000);
	assert_int_equal(many_left, 0);
	assert_int_equal(ixhost_counter(p->host[A], "=conns"), 0);
	pair_free(p);
}

static void gives_up_many(void **state)
{
	(void)state;
	give_up_many(ixev_abort);
	give_up_many(ixev_close);
}

static void listens_and_unlistens(void **state)
{
	struct bed b = make(NULL, NULL);
	struct ixev_listener again = {.accept = on_accept};

	(void)state;
	pair_bind(b.p, A);
	assert_int_equal(ixev_listen(b.p->base[A], &again, &ix_ip_any, 80, 0), -EADDRINUSE);
	assert_int_equal(ixev_listen(b.p->base[A], &again, &pair_ip[B], 81, 0), -EADDRNOTAVAIL);
	ixev_unlisten(&listener);
	pair_bind(b.p, B);
	ixev_init(b.p->base[B], &b.c->ctx, &ops);
	assert_int_equal(ixev_connect(&b.c->ctx, &pair_ip[A], 80), 0);
	pair_run(b.p, 10000);
	assert_int_equal(b.c->dial_error, -ECONNREFUSED);
	end(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connects_and_echoes),
	    cmocka_unit_test(survives_loss),
	    cmocka_unit_test(releases_sent_memory_once_acknowledged),
	    cmocka_unit_test(receives_by_reference),
	    cmocka_unit_test(pushes_back),
	    cmocka_unit_test(level_and_edge),
	    cmocka_unit_test(refused_and_unreachable),
	    cmocka_unit_test(writes_before_connected),
	    cmocka_unit_test(peer_vanishes),
	    cmocka_unit_test(idle_peer_vanishes),
	    cmocka_unit_test(peer_vanishes_while_closing),
	    cmocka_unit_test(aborts),
	    cmocka_unit_test(aborts_after_a_close),
	    cmocka_unit_test(closes_while_dialing),
	    cmocka_unit_test(unread_bytes_outlive_the_connection),
	    cmocka_unit_test(lost_bytes_are_an_error),
	    cmocka_unit_test(runs_out_of_memory_gently),
	    cmocka_unit_test(waits_for_memory_by_edge),
	    cmocka_unit_test(memory_goes_where_it_is_needed),
	    cmocka_unit_test(bounds_what_is_pending),
	    cmocka_unit_test(peeks_at_requests),
	    cmocka_unit_test(peeks_when_the_peer_is_gone),
	    cmocka_unit_test(sends_by_reference_without_a_buffer),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(attaching_fails),
	    cmocka_unit_test(timers_fire),
	    cmocka_unit_test(datagrams),
	    cmocka_unit_test(gives_up_many),
	    cmocka_unit_test(listens_and_unlistens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
