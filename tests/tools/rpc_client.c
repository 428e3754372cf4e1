/* SPDX-License-Identifier: MIT
 *
 * Closed-loop load over Linux sockets: one request under way on each connection.
 *
 *	rpc_client echo|get|churn ADDRESS PORT CONNECTIONS REQUESTS [SIZE [MARK [PID]]]
 *
 * echo: messages of SIZE bytes (64); get: a kv server is asked for a value of SIZE bytes; churn: connect, one
 * echo, reset. MARK is a command that is run when all connections have answered once, and again after the
 * last request; of process PID the processor time between the two is told. Prints `KEY VALUE` lines.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (1u << 20)

struct conn {
	int fd;
	uint32_t sent, received;
	uint64_t begun; /* ns */
};

struct client {
	struct sockaddr_in to;
	struct conn *conn;
	uint32_t conns, asked, wanted; /* bytes of a request and of its answer */
	char *request, *answer;
	uint64_t requests, started, answered;
	uint64_t *times; /* round trips, ns */
	int epoll;
	int churn;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "rpc_client: %s: %s\n", why, strerror(errno));
	exit(1);
}

static void watch(struct client *c, struct conn *n, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = n};

	if (epoll_ctl(c->epoll, op, n->fd, &e))
		fail("epoll_ctl");
}

static void dial(struct client *c, struct conn *n)
{
	int one = 1;

	n->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (n->fd < 0 || connect(n->fd, (struct sockaddr *)&c->to, sizeof(c->to)))
		fail("connect");
	setsockopt(n->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(c, n, EPOLL_CTL_ADD, EPOLLIN);
}

static void push(struct client *c, struct conn *n)
{
	ssize_t done =
	    send(n->fd, c->request + n->sent, c->asked - n->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0 && errno != EAGAIN)
		fail("send");
	if (n->sent == 0 && done != (ssize_t)c->asked)
		watch(c, n, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	n->sent += done > 0 ? (uint32_t)done : 0;
	if (n->sent == c->asked && done != (ssize_t)c->asked)
		watch(c, n, EPOLL_CTL_MOD, EPOLLIN);
}

static void ask(struct client *c, struct conn *n)
{
	if (c->started == c->requests)
		return;
	c->started++;
	n->sent = n->received = 0;
	n->begun = clock_ns(CLOCK_MONOTONIC);
	push(c, n);
}

/* The connection is reset, another takes its place. */
static void replace(struct client *c, struct conn *n)
{
	struct linger now = {1, 0};

	setsockopt(n->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(n->fd);
	if (c->started < c->requests)
		dial(c, n);
}

static void take(struct client *c, struct conn *n)
{
	ssize_t got = recv(n->fd, c->answer, c->wanted - n->received, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail(got ? "recv" : "the server closed a connection");
	n->received += (uint32_t)got;
	if (n->received < c->wanted)
		return;
	if (c->times)
		c->times[c->answered] = clock_ns(CLOCK_MONOTONIC) - n->begun;
	c->answered++;
	if (c->churn)
		replace(c, n);
	ask(c, n);
}

/* `requests` more, begun on all connections. */
static void round_trips(struct client *c, uint64_t requests)
{
	struct epoll_event events[256];

	c->started = c->answered = 0;
	c->requests = requests;
	for (uint32_t i = 0; i < c->conns; i++)
		ask(c, &c->conn[i]);
	while (c->answered < c->requests) {
		int n = epoll_wait(c->epoll, events, 256, 120000);

		if (n <= 0)
			fail("no answer");
		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (events[i].events & EPOLLOUT && conn->sent < c->asked)
				push(c, conn);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				take(c, conn);
		}
	}
}

/* Gives the server a value and makes the request for it. */
static void store(struct client *c, uint32_t size)
{
	char *text = malloc(size + 64);
	int n = snprintf(text, 64, "set key 0 0 %u\r\n", size);

	memset(text + n, 'v', size);
	memcpy(text + n + size, "\r\n", 2);
	if (send(c->conn[0].fd, text, (size_t)n + size + 2, 0) != (ssize_t)(n + size + 2) ||
	    recv(c->conn[0].fd, text, 8, MSG_WAITALL) != 8 || memcmp(text, "STORED\r\n", 8))
		fail("set");
	free(text);
	c->asked = (uint32_t)sprintf(c->request, "get key\r\n");
	c->wanted = (uint32_t)snprintf(NULL, 0, "VALUE key 0 %u\r\n", size) + size + 7;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct client c = {.to.sin_family = AF_INET};
	uint32_t size = argc > 6 ? (uint32_t)atoi(argv[6]) : 64;
	const char *mark = argc > 7 ? argv[7] : "";
	uint64_t requests = argc > 5 ? strtoull(argv[5], NULL, 10) : 0, begin, end, server = 0;
	clockid_t clock = CLOCK_MONOTONIC;

	if (argc > 4) {
		c.churn = !strcmp(argv[1], "churn");
		c.conns = (uint32_t)atoi(argv[4]);
	}
	if (argc < 6 || argc > 9 || !c.conns || !requests || !size || size > LARGEST ||
	    inet_pton(AF_INET, argv[2], &c.to.sin_addr) != 1) {
		fprintf(stderr, "usage: rpc_client echo|get|churn ADDRESS PORT CONNECTIONS "
				"REQUESTS [SIZE [MARK [PID]]]\n");
		return 2;
	}
	c.to.sin_port = htons((uint16_t)atoi(argv[3]));
	c.epoll = epoll_create1(0);
	c.conn = calloc(c.conns, sizeof(*c.conn));
	c.request = calloc(1, LARGEST);
	c.answer = malloc(LARGEST + 64);
	if (!c.conn || !c.request || !c.answer)
		fail("memory");
	c.asked = c.wanted = size;
	for (uint32_t i = 0; i < c.conns; i++)
		dial(&c, &c.conn[i]);
	if (!strcmp(argv[1], "get"))
		store(&c, size);
	if (!c.churn)
		round_trips(&c, c.conns);
	c.times = calloc(requests, sizeof(*c.times));
	if (!c.times || (argc > 8 && clock_getcpuclockid(atoi(argv[8]), &clock)))
		fail("clock");
	if (*mark && system(mark))
		fail(mark);
	if (argc > 8)
		server = clock_ns(clock);
	begin = clock_ns(CLOCK_MONOTONIC);
	round_trips(&c, requests);
	end = clock_ns(CLOCK_MONOTONIC);
	if (argc > 8)
		server = clock_ns(clock) - server;
	if (*mark && system(mark))
		fail(mark);
	qsort(c.times, requests, sizeof(*c.times), compare);
	printf("rate %.1f\nseconds %.6f\nmedian_us %.2f\np99_us %.2f\n",
	       (double)requests * 1e9 / (double)(end - begin), (double)(end - begin) / 1e9,
	       (double)c.times[requests / 2] / 1e3, (double)c.times[requests * 99 / 100] / 1e3);
	if (argc > 8)
		printf("server_us %.4f\n", (double)server / 1e3 / (double)requests);
	return 0;
}
