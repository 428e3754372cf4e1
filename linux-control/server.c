/* SPDX-License-Identifier: MIT */
#include "linux-control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "linux-control/wire.h"

struct client {
	int fd; /* -1: free */
	bool answered, broken;
	struct wire_header header;
	size_t have; /* bytes of header and request read */
	char *request;
	char *out; /* not yet written */
	size_t out_size, out_capacity;
	char follow[64];
	unsigned long long position;
};

struct server {
	const struct server_ops *ops;
	void *ctx;
	struct client client[SERVER_CLIENTS_MAX];
};

int server_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t old;
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	old = umask(0177);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16) ? -errno : 0;
	umask(old);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static void queue(struct client *c, enum wire_kind kind, const void *bytes, size_t size)
{
	struct wire_header header = {(uint32_t)size, kind};

	if (c->broken || c->answered)
		return;
	if (c->out_size + sizeof(header) + size > WIRE_ANSWER_MAX) {
		c->broken = true; /* it does not read: no memory is spent on it */
		return;
	}
	if (c->out_size + sizeof(header) + size > c->out_capacity) {
		size_t capacity = 2 * (c->out_size + sizeof(header) + size);
		char *out = realloc(c->out, capacity);

		if (!out) {
			c->broken = true;
			return;
		}
		c->out = out;
		c->out_capacity = capacity;
	}
	memcpy(c->out + c->out_size, &header, sizeof(header));
	if (size)
		memcpy(c->out + c->out_size + sizeof(header), bytes, size);
	c->out_size += sizeof(header) + size;
}

void client_output(struct client *client, const void *bytes, size_t size)
{
	queue(client, WIRE_OUTPUT, bytes, size);
}

void client_result(struct client *client, struct json *json)
{
	if (json->text)
		queue(client, WIRE_RESULT, json->text, json->size);
	else
		client_error(client, "out of memory");
	free(json->text);
	json->text = NULL;
	client->answered = true;
}

void client_error(struct client *client, const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	queue(client, WIRE_ERROR, text, n < 0 ? 0 : (size_t)n);
	client->answered = true;
}

void client_follow(struct client *client, const char *what, unsigned long long position)
{
	snprintf(client->follow, sizeof(client->follow), "%s", what);
	client->position = position;
}

const char *client_following(const struct client *client)
{
	return client->follow;
}

unsigned long long *client_position(struct client *client)
{
	return &client->position;
}

static void drop(struct client *c)
{
	close(c->fd);
	free(c->request);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void serve(struct server *s, struct client *c)
{
	char *words[WIRE_WORDS_MAX];
	int count = wire_words(c->request, c->header.size, words);

	if (count < 0 || !*words[0])
		client_error(c, "malformed request");
	else
		s->ops->request(s->ctx, c, count, words);
}

/* Reads what is there of the request; answers once it is whole. */
static void receive(struct server *s, struct client *c)
{
	char *to;
	size_t want;
	ssize_t got;

	if (c->have < sizeof(c->header)) {
		to = (char *)&c->header + c->have;
		want = sizeof(c->header) - c->have;
	} else {
		to = c->request + (c->have - sizeof(c->header));
		want = sizeof(c->header) + c->header.size - c->have;
	}
	/* After the request nothing is expected but the client's end. */
	got = want ? read(c->fd, to, want) : recv(c->fd, &(char){0}, 1, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || !want) {
		c->broken = true;
		return;
	}
	c->have += (size_t)got;
	if (c->have == sizeof(c->header)) {
		if (c->header.kind != WIRE_REQUEST || !c->header.size ||
		    c->header.size > WIRE_REQUEST_MAX || !(c->request = malloc(c->header.size)))
			c->broken = true;
		return;
	}
	if (c->have > sizeof(c->header) && c->have == sizeof(c->header) + c->header.size)
		serve(s, c);
}

static void transmit(struct client *c)
{
	ssize_t n = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);

	if (n < 0) {
		c->broken = errno != EAGAIN && errno != EINTR;
		return;
	}
	c->out_size -= (size_t)n;
	memmove(c->out, c->out + n, c->out_size);
}

static void take_client(struct server *s, int listener)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	/* The socket's mode already says so; a leaked descriptor must not help. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) ||
	    (who.uid != 0 && who.uid != geteuid())) {
		close(fd);
		return;
	}
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		if (s->client[i].fd < 0) {
			s->client[i].fd = fd;
			return;
		}
	}
	close(fd);
}

static void follow_all(struct server *s)
{
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct client *c = &s->client[i];

		if (c->fd >= 0 && c->follow[0] && !c->answered && !c->broken)
			s->ops->follow(s->ctx, c);
	}
}

static void step(struct server *s, int listener, int timeout)
{
	struct pollfd p[1 + SERVER_CLIENTS_MAX];

	p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct client *c = &s->client[i];

		p[1 + i] = (struct pollfd){.fd = c->fd,
					   .events = (short)(POLLIN | (c->out_size ? POLLOUT : 0))};
	}
	if (poll(p, 1 + SERVER_CLIENTS_MAX, timeout) < 0)
		return;
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct client *c = &s->client[i];

		if (c->fd < 0)
			continue;
		if (p[1 + i].revents & (POLLIN | POLLHUP | POLLERR))
			receive(s, c);
		if (c->out_size && !c->broken)
			transmit(c);
		if (c->broken || (c->answered && !c->out_size))
			drop(c);
	}
	if (p[0].revents & POLLIN)
		take_client(s, listener);
}

int server_run(int fd, const struct server_ops *ops, void *ctx, const volatile int *stop)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		s->client[i].fd = -1;
	while (!*stop) {
		int timeout = ops->tick(ctx);

		follow_all(s);
		step(s, fd, timeout);
	}
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		if (s->client[i].fd >= 0)
			drop(&s->client[i]);
	free(s);
	return 0;
}
