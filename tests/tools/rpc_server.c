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
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "userlib/examples/kv_store.h"

#define LINE_MAX 2048
#define ROOM     (1u << 20)

struct conn {
	int fd;
	uint32_t len,
	    sent; /* echo: bytes of the message here and sent; kv: bytes of an unfinished request */
	char *in;
	size_t room;
	char *out; /* kv: answers of this turn */
	size_t out_len;
};

static atomic_ullong conns, total_conns;
static uint32_t size = 64;
static int epoll;
static char answers[ROOM];

/* Answers are collected and leave in one call; false: too many at once. */
static bool say(struct conn *c, const void *data, size_t len)
{
	if (len > ROOM - c->out_len)
		return false;
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return true;
}

static bool say_value(struct conn *c, struct item *it, uint32_t len)
{
	bool ok = say(c, value(it), len);

	item_put(it);
	return ok;
}

#include "userlib/examples/kv_proto.h"

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
	while (at < c->len) {
		n = (uint8_t)c->in[at] == BIN_REQUEST ? binary(c, c->in + at, c->len - at)
						      : text(c, c->in + at, c->len - at);
		if (n < 0)
			return false;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	c->len -= (uint32_t)at;
	if (c->len)
		memmove(c->in, c->in + at, c->len);
	/* A load generator reads its answers; who does not, loses the connection. */
	return !c->out_len ||
	       send(c->fd, c->out, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)c->out_len;
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
		shards[i].limit = ((size_t)16 << 20) / SHARDS;
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
