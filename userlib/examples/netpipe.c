/* SPDX-License-Identifier: MIT
 *
 * netpipe: one connection, one message to and fro, over sizes: latency and throughput as NetPIPE
 * measures them (paper, section 5.2).
 *
 *	netpipe server [-p PORT]
 *	netpipe client ADDRESS [-p PORT] [-l LARGEST] [-r ROUNDS]
 *
 * A line for each size: bytes, microseconds one way, megabits per second. Each exchange begins with the
 * size as 8 bytes, little-endian; the server answers a message when it has all of it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/ixev.h>

#define HEADER  8
#define LARGEST (64u << 20)

struct pipe {
	struct ixev_ctx ctx;
	struct ixev_buf out; /* the message, by reference */
	char *data;          /* HEADER + LARGEST bytes at most */
	size_t room;
	uint64_t size;     /* of this message, header included; 0: not known yet */
	uint64_t received; /* of this message */
	bool sending;      /* out is the library's */

	/* client */
	uint64_t largest, next_size;
	uint32_t rounds, round;
	struct timespec begun;
	int status;
};

static uint16_t port = 5002;

static void fail(struct pipe *p, const char *why)
{
	fprintf(stderr, "netpipe: %s\n", why);
	p->status = 1;
	ixev_abort(&p->ctx);
}

/*
 * The peer has all of the last message when it sends the next. If it sends earlier, its next message waits
 * until the memory of this one is ours again.
 */
static void out_release(struct ixev_buf *buf)
{
	struct pipe *p = (struct pipe *)((char *)buf - offsetof(struct pipe, out));

	p->sending = false;
	ixev_set_mask(&p->ctx, IXEV_IN);
}

static void send_message(struct pipe *p)
{
	p->out =
	    (struct ixev_buf){.data = p->data, .len = (uint32_t)p->size, .release = out_release};
	p->sending = true;
	p->received = 0;
	ixev_set_mask(&p->ctx, 0);
	if (ixev_send_zc(&p->ctx, &p->out) < 0)
		fail(p, "cannot send");
}

static bool grow(struct pipe *p, size_t room)
{
	char *data = room <= p->room ? p->data : realloc(p->data, room);

	if (!data)
		return false;
	p->data = data;
	p->room = room > p->room ? room : p->room;
	return true;
}

/* Takes in what has arrived of a message. 1: all of it, 0: not yet, negative: it is over. */
static ssize_t take(struct pipe *p, uint64_t size)
{
	ssize_t n;

	while (p->received < size) {
		n = ixev_recv(&p->ctx, p->data + p->received, size - p->received);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? n : -ECONNRESET;
		p->received += (uint64_t)n;
	}
	return 1;
}

/* ---- server ---- */

static void server_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct pipe *p = (struct pipe *)ctx;
	uint64_t size;
	ssize_t n;

	if (events & IXEV_HUP) {
		ixev_close(ctx);
		return;
	}
	if (p->sending)
		return;
	n = p->size ? 1 : take(p, HEADER);
	if (n == 1 && !p->size) {
		memcpy(&size, p->data, HEADER);
		if (size < HEADER || size > LARGEST + HEADER || !grow(p, size)) {
			ixev_abort(ctx);
			return;
		}
		p->size = size;
	}
	if (n == 1)
		n = take(p, p->size);
	if (n == 1) {
		send_message(p);
		p->size = 0;
	} else if (n < 0) {
		ixev_close(ctx);
	}
}

static void server_release(struct ixev_ctx *ctx)
{
	struct pipe *p = (struct pipe *)ctx;

	free(p->data);
	free(p);
}

static const struct ixev_ops server_ops = {.event = server_event, .release = server_release};

static struct ixev_ctx *server_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct pipe *p = calloc(1, sizeof(*p));

	(void)tuple;
	if (!p || !grow(p, 4096)) {
		free(p);
		return NULL;
	}
	ixev_init(l->base, &p->ctx, &server_ops);
	return &p->ctx;
}

/* ---- client ---- */

static void client_next(struct pipe *p)
{
	p->size = p->next_size + HEADER;
	if (p->round == 0)
		clock_gettime(CLOCK_MONOTONIC, &p->begun);
	p->round++;
	memcpy(p->data, &p->size, HEADER);
	send_message(p);
}

static void report(struct pipe *p)
{
	struct timespec now;
	double us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = ((double)(now.tv_sec - p->begun.tv_sec) * 1e6 +
	      (double)(now.tv_nsec - p->begun.tv_nsec) / 1e3) /
	     p->rounds / 2;
	printf("netpipe: %llu bytes %.2f us %.2f Mbit/s\n", (unsigned long long)p->next_size, us,
	       (double)p->next_size * 8 / us);
	p->round = 0;
	/* Two sizes in each power of two. */
	p->next_size = (p->next_size & (p->next_size - 1)) ? p->next_size / 3 * 4
							   : p->next_size + p->next_size / 2;
}

static void client_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct pipe *p = (struct pipe *)ctx;
	ssize_t n = take(p, p->size);

	if (n < 0 || (events & IXEV_HUP)) {
		fail(p, "the server has gone");
		return;
	}
	if (n == 0)
		return;
	if (p->round == p->rounds)
		report(p);
	if (p->next_size <= p->largest)
		client_next(p);
	else
		ixev_close(ctx);
}

static void client_dialed(struct ixev_ctx *ctx, int err)
{
	struct pipe *p = (struct pipe *)ctx;

	if (err < 0)
		fail(p, strerror(-err));
	else
		client_next(p);
}

static void client_release(struct ixev_ctx *ctx)
{
	ixev_stop(ctx->base);
}

static const struct ixev_ops client_ops = {
    .event = client_event, .dialed = client_dialed, .release = client_release};

static long client(struct ixev *base, struct pipe *p, const struct ix_ip *server)
{
	if (!grow(p, p->largest + HEADER))
		return -ENOMEM;
	memset(p->data, 0x5a, p->room);
	p->next_size = 64;
	ixev_init(base, &p->ctx, &client_ops);
	return ixev_connect(&p->ctx, server, port);
}

static int usage(void)
{
	fprintf(stderr, "usage: netpipe server [-p PORT]\n"
			"       netpipe client ADDRESS [-p PORT] [-l LARGEST] [-r ROUNDS]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option no_long[] = {{0}};
	struct ixev_listener listener = {.accept = server_accept, .keepalive = 60};
	struct pipe p = {.largest = 1u << 20};
	uint64_t tcp_port = 5002, rounds = 20;
	struct ix_ip server;
	struct ixev *base;
	int opt, bad = 0;
	bool is_server;
	long err;

	while ((opt = getopt_long(argc, argv, "p:l:r:", no_long, NULL)) != -1) {
		if (opt == 'p')
			bad |= ix_number_parse(&tcp_port, optarg, 1, 65535);
		else if (opt == 'l')
			bad |= ix_number_parse(&p.largest, optarg, 0, LARGEST);
		else if (opt == 'r')
			bad |= ix_number_parse(&rounds, optarg, 1, 1 << 30);
		else
			bad = -EINVAL;
	}
	port = (uint16_t)tcp_port;
	p.rounds = (uint32_t)rounds;
	is_server = optind + 1 == argc && strcmp(argv[optind], "server") == 0;
	if (bad || (!is_server && (optind + 2 != argc || strcmp(argv[optind], "client") != 0 ||
				   ix_ip_parse(&server, argv[optind + 1]) < 0)))
		return usage();
	err = ixev_open(&base, NULL);
	if (err == 0)
		err = is_server ? ixev_listen(base, &listener, &ix_ip_any, port, 0)
				: client(base, &p, &server);
	if (err == 0 && is_server)
		printf("netpipe: ready on port %u\n", port);
	if (err == 0)
		err = ixev_loop(base);
	if (err < 0)
		fprintf(stderr, "netpipe: %s\n", ix_attach_error((int)err));
	return err < 0 || p.status;
}
