/* SPDX-License-Identifier: MIT
 *
 * iperf: a server for iperf3's TCP tests, both directions, on ixev; one test at a time.
 *
 *	iperf [PORT]
 *
 * Protocol as iperf 3 speaks it: the client opens a control connection and sends a cookie of 37 bytes; the
 * server drives the test by states of one byte; parameters and results are JSON behind a 32-bit
 * length in network order. Each data connection begins with the same cookie.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/ixev.h>

#define COOKIE      37
#define MAX_STREAMS 128
#define BLOCK       (128u << 10)

enum {
	TEST_START = 1,
	TEST_RUNNING = 2,
	TEST_END = 4,
	PARAM_EXCHANGE = 9,
	CREATE_STREAMS = 10,
	CLIENT_TERMINATE = 12,
	EXCHANGE_RESULTS = 13,
	DISPLAY_RESULTS = 14,
	IPERF_DONE = 16,
};

struct flow {
	struct ixev_ctx ctx;
	struct ixev_buf out;
	bool known, control, busy;
	char cookie[COOKIE];
	char in[16384]; /* control: what has arrived */
	size_t len;
	uint64_t bytes;
};

/* The test under way. */
static struct {
	struct flow *control;
	struct flow *stream[MAX_STREAMS];
	uint64_t bytes[MAX_STREAMS]; /* at the end */
	char cookie[COOKIE];
	int state, parallel, streams;
	bool reverse, running;
	uint32_t block; /* bytes */
	struct timespec begun;
	double seconds;
} test;

static char block[BLOCK];

static void set_state(int state)
{
	char byte = (char)state;

	test.state = state;
	ixev_send(&test.control->ctx, &byte, 1);
}

static void send_json(const char *text)
{
	uint32_t len = htonl((uint32_t)strlen(text));

	ixev_send(&test.control->ctx, &len, 4);
	ixev_send(&test.control->ctx, text, strlen(text));
}

static long json_number(const char *json, const char *name, long otherwise)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), "\"%s\":", name);
	p = strstr(json, key);
	if (!p)
		return otherwise;
	p += strlen(key);
	return strncmp(p, "true", 4) == 0 ? 1 : atol(p);
}

static void send_results(void)
{
	static char json[65536];
	size_t n =
	    (size_t)snprintf(json, sizeof(json),
			     "{\"cpu_util_total\":0,\"cpu_util_user\":0,\"cpu_util_system\":0,"
			     "\"sender_has_retransmits\":0,\"streams\":[");

	for (int i = 0; i < test.streams; i++)
		n += (size_t)snprintf(
		    json + n, sizeof(json) - n,
		    "%s{\"id\":%d,\"bytes\":%llu,\"retransmits\":0,\"jitter\":0,"
		    "\"errors\":0,\"packets\":0,\"start_time\":0,\"end_time\":%.6f}",
		    i ? "," : "", i ? i + 2 : 1, (unsigned long long)test.bytes[i], test.seconds);
	snprintf(json + n, sizeof(json) - n, "]}");
	send_json(json);
}

/* ---- data ---- */

static void out_released(struct ixev_buf *buf)
{
	((struct flow *)((char *)buf - offsetof(struct flow, out)))->busy = false;
}

static void source(struct flow *f)
{
	while (test.running && test.reverse && !f->busy && ixev_pending(&f->ctx) < test.block) {
		f->out =
		    (struct ixev_buf){.data = block, .len = test.block, .release = out_released};
		f->busy = ixev_send_zc(&f->ctx, &f->out) == 0;
		if (!f->busy)
			return;
		f->bytes += test.block;
	}
	while (test.running && test.reverse && ixev_pending(&f->ctx) < test.block &&
	       ixev_send(&f->ctx, block, test.block) > 0)
		f->bytes += test.block;
}

static void sink(struct flow *f)
{
	const void *data;
	ssize_t n;

	while ((n = ixev_recv_zc(&f->ctx, &data, BLOCK)) > 0) {
		f->bytes += (uint64_t)n;
		ixev_recv_done(&f->ctx, (size_t)n);
	}
}

static void start_if_complete(void)
{
	if (test.state != CREATE_STREAMS || test.streams < test.parallel)
		return;
	set_state(TEST_START);
	set_state(TEST_RUNNING);
	test.running = true;
	clock_gettime(CLOCK_MONOTONIC, &test.begun);
	for (int i = 0; i < test.streams && test.reverse; i++) {
		ixev_set_mask(&test.stream[i]->ctx, IXEV_IN | IXEV_OUT);
		source(test.stream[i]);
	}
}

/* ---- control ---- */

/* Uses up one message of the control connection; its length, 0: not complete. */
static size_t control_message(struct flow *f)
{
	uint32_t size;

	if (test.state == PARAM_EXCHANGE || test.state == EXCHANGE_RESULTS) {
		if (f->len < 4)
			return 0;
		memcpy(&size, f->in, 4);
		size = ntohl(size);
		if (size > sizeof(f->in) - 5) {
			ixev_abort(&f->ctx);
			return 0;
		}
		if (f->len < 4 + size)
			return 0;
		if (test.state == PARAM_EXCHANGE) {
			char keep = f->in[4 + size];

			f->in[4 + size] = '\0';
			test.reverse = json_number(f->in + 4, "reverse", 0) == 1;
			test.parallel = (int)json_number(f->in + 4, "parallel", 1);
			test.block = (uint32_t)json_number(f->in + 4, "len", BLOCK);
			if (!test.block || test.block > BLOCK)
				test.block = BLOCK;
			f->in[4 + size] = keep;
			if (test.parallel < 1 || test.parallel > MAX_STREAMS)
				test.parallel = 1;
			set_state(CREATE_STREAMS);
		} else {
			send_results();
			set_state(DISPLAY_RESULTS);
		}
		return 4 + size;
	}
	if (!f->len)
		return 0;
	if (f->in[0] == TEST_END) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		test.seconds = (double)(now.tv_sec - test.begun.tv_sec) +
			       (double)(now.tv_nsec - test.begun.tv_nsec) / 1e9;
		test.running = false;
		/* Closed at once, as iperf3 does: its client may be waiting for the rest of a block. */
		for (int i = 0; i < test.streams; i++) {
			if (!test.stream[i])
				continue;
			test.bytes[i] = test.stream[i]->bytes;
			ixev_close(&test.stream[i]->ctx);
		}
		set_state(EXCHANGE_RESULTS);
	} else if (f->in[0] == IPERF_DONE || f->in[0] == CLIENT_TERMINATE) {
		test.running = false;
		ixev_close(&f->ctx);
	}
	return 1;
}

static void control(struct flow *f)
{
	ssize_t n;
	size_t used;

	while ((n = ixev_recv(&f->ctx, f->in + f->len, sizeof(f->in) - 1 - f->len)) > 0) {
		f->len += (size_t)n;
		while ((used = control_message(f)) > 0) {
			f->len -= used;
			memmove(f->in, f->in + used, f->len);
		}
	}
	if (n == 0)
		ixev_close(&f->ctx);
}

/* Who is it: the cookie of the test under way makes it a stream of it. */
static void introduce(struct flow *f)
{
	ssize_t n = ixev_recv(&f->ctx, f->cookie + f->len, COOKIE - f->len);

	if (n <= 0) {
		if (n != -EAGAIN)
			ixev_close(&f->ctx);
		return;
	}
	f->len += (size_t)n;
	if (f->len < COOKIE)
		return;
	f->known = true;
	f->len = 0;
	if (!test.control) {
		test.control = f;
		f->control = true;
		memcpy(test.cookie, f->cookie, COOKIE);
		set_state(PARAM_EXCHANGE);
	} else if (memcmp(f->cookie, test.cookie, COOKIE) == 0 && test.streams < MAX_STREAMS) {
		test.stream[test.streams++] = f;
		start_if_complete();
	} else {
		ixev_abort(&f->ctx); /* another test is on */
	}
}

static void event(struct ixev_ctx *ctx, unsigned int events)
{
	struct flow *f = (struct flow *)ctx;

	if (!f->known)
		introduce(f);
	if (f->control) {
		control(f);
	} else if (f->known) {
		sink(f);
		source(f);
		if (!test.running || !test.reverse)
			ixev_set_mask(ctx, IXEV_IN);
	}
	if ((events & IXEV_HUP) || (!f->control && ixev_eof(ctx) && !ixev_unread(ctx)))
		ixev_close(ctx);
}

static void release(struct ixev_ctx *ctx)
{
	struct flow *f = (struct flow *)ctx;

	for (int i = 0; i < test.streams; i++)
		if (test.stream[i] == f)
			test.stream[i] = NULL;
	if (test.control == f) {
		for (int i = 0; i < test.streams; i++)
			if (test.stream[i])
				ixev_abort(&test.stream[i]->ctx);
		memset(&test, 0, sizeof(test));
	}
	free(f);
}

static const struct ixev_ops ops = {.event = event, .release = release};

static struct ixev_ctx *accepted(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct flow *f = calloc(1, sizeof(*f));

	(void)tuple;
	if (!f)
		return NULL;
	ixev_init(l->base, &f->ctx, &ops);
	return &f->ctx;
}

int main(int argc, char **argv)
{
	struct ixev_listener listener = {.accept = accepted};
	uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 5201;
	struct ixev *base;
	long err = ixev_open(&base, NULL);

	if (err == 0)
		err = ixev_listen(base, &listener, &ix_ip_any, port, 0);
	if (err == 0) {
		printf("iperf: ready\n");
		err = ixev_loop(base);
	}
	fprintf(stderr, "iperf: %s\n", strerror((int)-err));
	return 1;
}
