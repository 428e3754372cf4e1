/* SPDX-License-Identifier: MIT
 *
 * kv: a cache that speaks memcached's text protocol and a subset of its binary one.
 *
 *	kv [-p PORT] [-m MEGABYTES]
 *
 * Keys are spread over shards, each with its lock, table and least-recently-used list; there are
 * many more shards than cores, so cores seldom meet. A large value is sent by reference: it is
 * counted until the peer has acknowledged it, whatever becomes of the key meanwhile.
 *
 * Protocol: https://github.com/memcached/memcached/blob/master/doc/protocol.txt and the wiki page
 * BinaryProtocolRevamped.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/ixev.h>

#include "kv_store.h"

#define BY_REF      2048 /* values from this size on are sent by reference */
#define LINE_MAX    2048
#define PENDING_MAX (256u << 10) /* bytes of answers from which on requests wait */

/* A value under way to a peer. */
struct lent {
	struct ixev_buf buf;
	struct item *item;
};

struct conn {
	struct ixev_ctx ctx;
	char *in; /* received, not yet understood */
	size_t len, room;
};

static uint16_t port = 11211;
static atomic_ullong conns, total_conns;

/* ---- answers ---- */

static void lent_release(struct ixev_buf *buf)
{
	struct lent *l = (struct lent *)buf;

	item_put(l->item);
	free(l);
}

static bool say(struct conn *c, const void *data, size_t len)
{
	return ixev_send(&c->ctx, data, len) == (ssize_t)len;
}

/* Sends `len` bytes of the value and what follows it; takes the reference. */
static bool say_value(struct conn *c, struct item *it, uint32_t len)
{
	struct lent *l = len >= BY_REF ? malloc(sizeof(*l)) : NULL;
	bool ok;

	if (!l) {
		ok = say(c, value(it), len);
		item_put(it);
		return ok;
	}
	*l = (struct lent){{.data = value(it), .len = len, .release = lent_release}, it};
	if (ixev_send_zc(&c->ctx, &l->buf) == 0)
		return true;
	lent_release(&l->buf);
	return false;
}

#include "kv_proto.h"

/* ---- connections ---- */

static bool append(struct conn *c, const char *data, size_t n)
{
	if (c->len + n > c->room) {
		size_t room = (c->len + n) * 2;
		char *in = realloc(c->in, room);

		if (!in)
			return false;
		c->in = in;
		c->room = room;
	}
	memcpy(c->in + c->len, data, n);
	c->len += n;
	return true;
}

/* Requests in data, one after the other: bytes used up; negative: end the connection. */
static ssize_t serve(struct conn *c, const char *data, size_t len)
{
	size_t at = 0;

	/* A request is answered as a whole, or not begun. */
	while (at < len && ixev_pending(&c->ctx) < PENDING_MAX) {
		ssize_t n = (uint8_t)data[at] == BIN_REQUEST ? binary(c, data + at, len - at)
							     : text(c, data + at, len - at);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static void conn_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct conn *c = (struct conn *)ctx;
	ssize_t n = -EAGAIN, used = 0;
	const void *data;

	if (events & IXEV_HUP) {
		ixev_close(ctx);
		return;
	}
	ixev_set_limit(ctx, UINT32_MAX / 4);
	if (c->len) /* left when the peer did not read its answers */
		used = serve(c, c->in, c->len);
	if (used > 0) {
		c->len -= (size_t)used;
		memmove(c->in, c->in + used, c->len);
	}
	while (used >= 0 && ixev_pending(ctx) < PENDING_MAX &&
	       (n = ixev_recv_zc(ctx, &data, SIZE_MAX)) > 0) {
		/* Straight from the packet, as long as requests lie in one. */
		used = c->len ? 0 : serve(c, data, (size_t)n);
		if (used >= 0 && !append(c, (const char *)data + used, (size_t)(n - used)))
			used = -ENOMEM;
		ixev_recv_done(ctx, (size_t)n);
		if (used >= 0 && c->len) {
			used = serve(c, c->in, c->len);
			if (used > 0) {
				c->len -= (size_t)used;
				memmove(c->in, c->in + used, c->len);
			}
		}
	}
	ixev_set_limit(ctx, PENDING_MAX);
	if (used < 0 || n == 0)
		ixev_close(ctx);
	else
		ixev_set_mask(ctx, ixev_levels(ctx) & IXEV_OUT ? IXEV_IN : IXEV_OUT);
}

static void conn_release(struct ixev_ctx *ctx)
{
	struct conn *c = (struct conn *)ctx;

	atomic_fetch_sub(&conns, 1);
	free(c->in);
	free(c);
}

static const struct ixev_ops conn_ops = {.event = conn_event, .release = conn_release};

static struct ixev_ctx *conn_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct conn *c = calloc(1, sizeof(*c));

	(void)tuple;
	if (!c)
		return NULL;
	atomic_fetch_add(&conns, 1);
	atomic_fetch_add(&total_conns, 1);
	ixev_init(l->base, &c->ctx, &conn_ops);
	return &c->ctx;
}

static void *serve_core(void *arg)
{
	struct ixev_listener listener = {.accept = conn_accept};
	struct ixev *base = NULL;
	uint32_t *ncores = arg;
	long err = ixev_open(&base, NULL);

	if (err == 0)
		err = ixev_listen(base, &listener, &ix_ip_any, port, 0);
	if (err == 0) {
		printf("kv: core %u on port %u\n", ixev_info(base)->core, port);
		for (uint32_t i = 1; ncores && i < ixev_info(base)->ncores; i++) {
			pthread_t t;

			if (pthread_create(&t, NULL, serve_core, NULL) != 0)
				exit(1);
		}
		err = ixev_loop(base);
	}
	fprintf(stderr, "kv: %s\n", strerror((int)-err));
	exit(1);
}

int main(int argc, char **argv)
{
	static const struct option no_long[] = {{0}};
	size_t megabytes = 64;
	uint32_t first;
	int opt;

	while ((opt = getopt_long(argc, argv, "p:m:", no_long, NULL)) != -1) {
		if (opt == 'p')
			port = (uint16_t)atoi(optarg);
		else if (opt == 'm')
			megabytes = strtoull(optarg, NULL, 10);
		else
			break;
	}
	if (opt != -1 || optind != argc || !megabytes) {
		fprintf(stderr, "usage: kv [-p PORT] [-m MEGABYTES]\n");
		return 2;
	}
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].limit = (megabytes << 20) / SHARDS;
	}
	serve_core(&first);
}
