/* SPDX-License-Identifier: MIT
 *
 * The services of our examples on Linux's own TCP, to compare: an event loop on epoll, one thread.
 *
 *	rpc_server echo|kv PORT [SIZE]
 *
 * echo answers messages of SIZE bytes (64) when they are complete; kv is the cache of userlib/examples/kv.c,
 * with its store and its parsers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define main kv_main
int kv_main(int argc, char **argv);
#include "userlib/examples/kv.c"
#undef main

#define ROOM (1u << 20)

struct conn {
	struct ixev_ctx ctx; /* what kv takes the connection for */
	int fd;
	uint32_t len,
	    sent; /* echo: bytes of the message here and sent; kv: bytes of an unfinished request */
	char *in;
	size_t room;
	char *out; /* kv: answers of this turn */
	size_t out_len;
	size_t unwanted; /* kv: bytes to come that are not looked at */
	bool over;
};

static uint32_t size = 64;
static int epoll;
static char answers[ROOM];

/* ---- what kv asks of its server ---- */

/* Answers are collected and leave in one call; too many at once end the connection. */
ssize_t ixev_send(struct ixev_ctx *ctx, const void *data, size_t len)
{
	struct conn *c = (struct conn *)ctx;

	if (len > ROOM - c->out_len)
		return -EAGAIN;
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return (ssize_t)len;
}

int ixev_send_ref(struct ixev_ctx *ctx, const void *data, size_t len, void (*done)(void *arg),
		  void *arg)
{
	if (ixev_send(ctx, data, len) < 0)
		return -EAGAIN;
	done(arg);
	return 0;
}

void ixev_close(struct ixev_ctx *ctx)
{
	((struct conn *)ctx)->over = true;
}

void ixev_abort(struct ixev_ctx *ctx)
{
	ixev_close(ctx);
}

int ixev_shutdown(struct ixev_ctx *ctx)
{
	ixev_close(ctx);
	return 0;
}

const struct ix_attach *ixev_info(const struct ixev *base)
{
	(void)base;
	return NULL;
}

long ix_serve(const struct ix_server *s)
{
	(void)s;
	return -ENOSYS;
}

/* ---- the server ---- */

static void end(struct conn *c)
{
	close(c->fd);
	free(c->in);
	free(c);
}

/* False: the connection is over. */
static bool grow(struct conn *c, size_t room)
{
	char *in = room <= c->room ? c->in : realloc(c->in, room);

	if (!in)
		return false;
	c->in = in;
	c->room = room > c->room ? room : c->room;
	return true;
}

static bool serve_kv(struct conn *c)
{
	size_t at = 0;
	ssize_t n;

	if (!grow(c, c->len + 4096))
		return false;
	n = recv(c->fd, c->in + c->len, c->room - c->len, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->len += (uint32_t)n;
	c->out = answers;
	c->out_len = 0;
	while (at < c->len && !c->over) {
		size_t want, used = c->unwanted;

		if (!used)
			used = request(&c->ctx, c->in + at, c->len - at, &want);
		if (!used)
			break;
		c->unwanted = used > c->len - at ? used - (c->len - at) : 0;
		at += used - c->unwanted;
	}
	c->len -= (uint32_t)at;
	if (c->len)
		memmove(c->in, c->in + at, c->len);
	/* A load generator reads its answers; who does not, loses the connection. */
	return (!c->out_len || send(c->fd, c->out, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
				   (ssize_t)c->out_len) &&
	       !c->over;
}

static bool serve_echo(struct conn *c)
{
	ssize_t n;

	if (c->len < size) {
		n = recv(c->fd, c->in + c->len, size - c->len, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		c->len += (uint32_t)n;
		if (c->len < size)
			return true;
		c->sent = 0;
	}
	n = send(c->fd, c->in + c->sent, size - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return false;
	n = n < 0 ? 0 : n;
	if ((c->sent + n < size) != (c->sent > 0)) { /* begins or ends to wait for room */
		struct epoll_event e = {.events = c->sent + n < size ? EPOLLOUT : EPOLLIN,
					.data.ptr = c};

		epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
	}
	c->sent += (uint32_t)n;
	if (c->sent == size)
		c->len = c->sent = 0;
	return true;
}

static void accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		if (!c || !grow(c, size) || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) {
			perror("rpc_server");
			exit(1);
		}
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct epoll_event events[256] = {{.events = EPOLLIN}};
	bool kv = argc > 1 && !strcmp(argv[1], "kv");
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (argc > 3)
		size = (uint32_t)atoi(argv[3]);
	if (argc < 3 || argc > 4 || (!kv && strcmp(argv[1], "echo")) || !size || size > ROOM) {
		fprintf(stderr, "usage: rpc_server echo|kv PORT [SIZE]\n");
		return 2;
	}
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		if (ix_cache_init(&shards[i].cache, BUCKETS, ((size_t)16 << 20) / SHARDS) < 0)
			return 1;
	}
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	epoll = epoll_create1(0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 4096) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events)) {
		perror("rpc_server");
		return 1;
	}
	printf("rpc_server: ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				accept_all(listener);
			else if (!(kv ? serve_kv(c) : serve_echo(c)))
				end(c);
		}
	}
}
