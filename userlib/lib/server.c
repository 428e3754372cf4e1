/* SPDX-License-Identifier: MIT
 *
 * The usual server.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <ix/server.h>

#include "userlib/lib/ixev_priv.h"

#define KEEPALIVE 60 /* seconds: peers that vanish without a word must not be kept for ever */

/* A core's listener. */
struct door {
	struct ixev_listener listener;
	struct service *service;
	struct door *next;
};

/* A server at work. Its connections find it by their operations. */
struct service {
	struct ixev_ops ops;
	const struct ix_server *s;
	pthread_mutex_t lock;
	struct door *doors;
};

static const struct ix_server *server_of(const struct ixev_ctx *ctx)
{
	return ((const struct service *)(const void *)ctx->ops)->s;
}

static void conn_event(struct ixev_ctx *ctx, unsigned int events)
{
	const struct ix_server *s = server_of(ctx);
	const void *data;
	ssize_t n = -EAGAIN;
	size_t want = 1;
	bool room;

	/* A request is begun only if its answer will be taken. */
	while ((room = ixev_levels(ctx) & IXEV_OUT) && (n = ixev_peek(ctx, &data, want)) > 0) {
		size_t used;

		want = (size_t)n + 1;
		ctx->state |= ST_ANSWERING;
		used = s->request(ctx, data, (size_t)n, &want);
		ctx->state &= (uint16_t)~ST_ANSWERING;
		ixev_skip(ctx, used);
		if (used)
			want = 1;
		else if (want <= (size_t)n)
			want = (size_t)n + 1;
	}
	if (ctx->state & ST_SHUT) { /* the last one is answered: the rest is dropped, not reset */
		ixev_skip(ctx, ixev_unread(ctx));
		room = true;
		n = ixev_eof(ctx) ? 0 : -EAGAIN;
	}
	if ((events & IXEV_HUP) || (n <= 0 && n != -EAGAIN))
		ixev_close(ctx);
	else
		ixev_set_mask(ctx, room ? IXEV_IN : IXEV_OUT);
}

static void conn_release(struct ixev_ctx *ctx)
{
	if (server_of(ctx)->closed)
		server_of(ctx)->closed(ctx);
	free(ctx);
}

static struct ixev_ctx *door_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	const struct service *service = ((struct door *)l)->service;
	size_t size = service->s->conn_size;
	struct ixev_ctx *ctx = calloc(1, size ? size : sizeof(*ctx));

	(void)tuple;
	if (ctx)
		ixev_init(l->base, ctx, &service->ops);
	return ctx;
}

static int core_start(struct ixev *base, void *arg)
{
	struct service *service = arg;
	const struct ix_server *s = service->s;
	struct door *door = calloc(1, sizeof(*door));
	int err;

	if (!door)
		return -ENOMEM;
	door->listener.accept = door_accept;
	door->listener.keepalive = KEEPALIVE;
	door->service = service;
	pthread_mutex_lock(&service->lock);
	door->next = service->doors;
	service->doors = door;
	pthread_mutex_unlock(&service->lock);
	err = ixev_listen(base, &door->listener, &ix_ip_any, s->port, 0);
	return err < 0 || !s->start ? err : s->start(s, base);
}

long ix_serve(const struct ix_server *s)
{
	struct service service = {
	    .ops = {.event = conn_event, .release = conn_release},
	    .s = s,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	};
	long err = ixev_run_cores(NULL, core_start, &service);

	while (service.doors) {
		struct door *door = service.doors;

		service.doors = door->next;
		free(door);
	}
	return err;
}
