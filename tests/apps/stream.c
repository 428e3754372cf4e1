/* SPDX-License-Identifier: MIT
 *
 * stream: sends and checks long streams (tests/apps/pattern.h), on ixev.
 *
 *	stream serve PORT
 *	stream put|get ADDRESS PORT BYTES [CONNECTIONS]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <ix/ixev.h>

#include "pattern.h"

#define PIECE 65536

static unsigned char pattern[2 * PATTERN_LEN];

struct flow {
	struct ixev_ctx ctx;
	struct ixev_buf out; /* one piece under way at a time */
	bool busy;
	struct stream_request req;
	uint32_t have; /* bytes of the request, or of the answer to a PUT */
	uint64_t answer;
	uint64_t done; /* bytes sent or received */
	bool client, wrong, finished;
};

static uint32_t closed, failures;

static void piece_released(struct ixev_buf *buf)
{
	((struct flow *)((char *)buf - offsetof(struct flow, out)))->busy = false;
}

/* Sends on as long as less than a limit waits. */
static void pump(struct flow *f)
{
	while (f->done < f->req.length && ixev_pending(&f->ctx) < 4 * PIECE) {
		uint64_t n = f->req.length - f->done;

		n = n < PIECE ? n : PIECE;
		/* By reference when the last piece so sent is through; else a copy. */
		if (!f->busy) {
			f->out = (struct ixev_buf){
			    .data = (char *)pattern + f->done % PATTERN_LEN,
			    .len = (uint32_t)n,
			    .release = piece_released,
			};
			f->busy = ixev_send_zc(&f->ctx, &f->out) == 0;
			if (!f->busy)
				return;
		} else if (ixev_send(&f->ctx, pattern + f->done % PATTERN_LEN, n) != (ssize_t)n) {
			return;
		}
		f->done += n;
	}
}

/* Takes in what there is. 0: all of it, -EAGAIN: not yet, else it is over. */
static ssize_t check(struct flow *f)
{
	const void *data;
	ssize_t n = 0;

	while (f->done < f->req.length) {
		uint64_t left = f->req.length - f->done;

		n = ixev_recv_zc(&f->ctx, &data, left < PATTERN_LEN ? left : PATTERN_LEN);
		if (n <= 0)
			return n ? n : -ECONNRESET;
		if (memcmp(data, pattern + f->done % PATTERN_LEN, (size_t)n) != 0)
			f->wrong = true;
		ixev_recv_done(&f->ctx, (size_t)n);
		f->done += (uint64_t)n;
	}
	return 0;
}

static ssize_t take(struct flow *f, void *to, uint32_t size)
{
	while (f->have < size) {
		ssize_t n = ixev_recv(&f->ctx, (char *)to + f->have, size - f->have);

		if (n <= 0)
			return n ? n : -ECONNRESET;
		f->have += (uint32_t)n;
	}
	return 0;
}

static void finish(struct flow *f, bool ok)
{
	if (!f->finished && !ok)
		failures++;
	f->finished = true;
	ixev_close(&f->ctx);
}

static void server_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct flow *f = (struct flow *)ctx;
	ssize_t n = take(f, &f->req, sizeof(f->req));
	uint64_t right;

	if (n == 0 && f->req.direction == STREAM_GET) {
		ixev_set_mask(ctx, f->done < f->req.length ? IXEV_OUT : IXEV_IN);
		pump(f);
		if (f->done == f->req.length)
			n = -EPIPE; /* all is sent: close */
	} else if (n == 0) {
		n = check(f);
		if (n == 0) {
			right = f->wrong ? 0 : f->done;
			ixev_send(ctx, &right, sizeof(right));
			n = -EPIPE;
		}
	}
	if ((events & IXEV_HUP) || (n < 0 && n != -EAGAIN))
		ixev_close(ctx);
}

static void client_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct flow *f = (struct flow *)ctx;
	ssize_t n;

	if (f->req.direction == STREAM_GET) {
		n = check(f);
		if (n != -EAGAIN)
			finish(f, n == 0 && !f->wrong);
		return;
	}
	pump(f);
	ixev_set_mask(ctx, f->done < f->req.length ? IXEV_IN | IXEV_OUT : IXEV_IN);
	n = take(f, &f->answer, sizeof(f->answer));
	if (n != -EAGAIN)
		finish(f, n == 0 && f->answer == f->req.length);
	else if (events & IXEV_HUP)
		finish(f, false);
}

static void client_dialed(struct ixev_ctx *ctx, int err)
{
	struct flow *f = (struct flow *)ctx;

	if (err < 0) {
		fprintf(stderr, "stream: connect: %s\n", strerror(-err));
		finish(f, false);
		return;
	}
	ixev_send(ctx, &f->req, sizeof(f->req));
	if (f->req.direction == STREAM_PUT)
		ixev_set_mask(ctx, IXEV_IN | IXEV_OUT);
}

static void release(struct ixev_ctx *ctx)
{
	closed += ((struct flow *)ctx)->client;
	free(ctx);
}

static const struct ixev_ops server_ops = {.event = server_event, .release = release};
static const struct ixev_ops client_ops = {
    .event = client_event, .dialed = client_dialed, .release = release};

static struct ixev_ctx *server_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct flow *f = calloc(1, sizeof(*f));

	(void)tuple;
	if (!f)
		return NULL;
	ixev_init(l->base, &f->ctx, &server_ops);
	return &f->ctx;
}

static int client(struct ixev *base, int argc, char **argv)
{
	uint64_t length = strtoull(argv[4], NULL, 10);
	uint32_t n = argc > 5 ? (uint32_t)atoi(argv[5]) : 1;
	struct timespec a, b;
	struct ix_ip ip;
	double s;

	if (ix_ip_parse(&ip, argv[2]) < 0)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint32_t i = 0; i < n; i++) {
		struct flow *f = calloc(1, sizeof(*f));

		if (!f)
			return 1;
		f->client = true;
		f->req.direction = argv[1][0] == 'p' ? STREAM_PUT : STREAM_GET;
		f->req.length = length;
		ixev_init(base, &f->ctx, &client_ops);
		if (ixev_connect(&f->ctx, &ip, (uint16_t)atoi(argv[3])) < 0)
			return 1;
	}
	while (closed < n && ixev_wait(base, IX_WAIT_FOREVER) >= 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	printf("stream: %u of %u right, %.2f Mbit/s\n", n - failures, n,
	       (double)length * n * 8 / s / 1e6);
	return failures != 0;
}

int main(int argc, char **argv)
{
	struct ixev_listener listener = {.accept = server_accept};
	struct ixev *base;
	long err;

	if (argc < 3 || (strcmp(argv[1], "serve") != 0 && argc < 5))
		return 2;
	pattern_fill(pattern);
	err = ixev_open(&base, NULL);
	if (err == 0 && strcmp(argv[1], "serve") != 0)
		return client(base, argc, argv);
	if (err == 0)
		err = ixev_listen(base, &listener, &ix_ip_any, (uint16_t)atoi(argv[2]), 0);
	if (err == 0) {
		printf("stream: ready\n");
		err = ixev_loop(base);
	}
	fprintf(stderr, "stream: %s\n", strerror((int)-err));
	return 1;
}
