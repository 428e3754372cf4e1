/* SPDX-License-Identifier: MIT
 *
 * echo: returns what it is sent, over TCP and UDP; and the closed-loop client that measures it.
 *
 *	echo server [-p PORT]
 *	echo client ADDRESS [-p PORT] [-c CONNECTIONS] [-s BYTES] [-n MESSAGES] [-u]
 *
 * The client keeps one message under way on each connection (over UDP: one socket each), compares
 * what comes back, and prints the rate and the distribution of round-trip times.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/ixev.h>

static uint16_t port = 7;

/* ---- server ---- */

/*
 * Takes no more than can be sent: what does not fit stays received, so the window closes and the
 * sender waits.
 */
static void server_event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[16384];
	ssize_t n = 1;

	if (events & IXEV_HUP) {
		ixev_close(ctx);
		return;
	}
	while (ixev_levels(ctx) & IXEV_OUT) {
		n = ixev_recv(ctx, buf, sizeof(buf));
		if (n <= 0)
			break;
		if (ixev_send(ctx, buf, (size_t)n) != n) {
			ixev_abort(ctx); /* out of memory: a hole would be worse */
			return;
		}
	}
	if (n == 0)
		ixev_close(ctx); /* the peer is done; what is pending is still sent */
	else if (n > 0)
		ixev_set_mask(ctx, IXEV_OUT); /* full: go on when there is room */
	else if (n == -EAGAIN)
		ixev_set_mask(ctx, IXEV_IN);
}

static void server_release(struct ixev_ctx *ctx)
{
	free(ctx);
}

static const struct ixev_ops server_ops = {.event = server_event, .release = server_release};

static struct ixev_ctx *server_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct ixev_ctx *ctx =
	    malloc(sizeof(*ctx)); /* or a structure of ours that begins with one */

	(void)tuple;
	if (ctx)
		ixev_init(l->base, ctx, &server_ops);
	return ctx; /* NULL refuses */
}

static void server_datagram(struct ixev_udp *u, const struct ixev_dgram *d)
{
	ixev_udp_send(u, &d->remote, d->remote_port, d->data, d->len);
}

/* What each core has. */
struct core {
	struct ixev_listener listener;
	struct ixev_udp udp;
};

static int server_start(struct ixev *base, void *arg)
{
	struct core *core = calloc(1, sizeof(*core));
	int err;

	(void)arg;
	if (!core)
		return -ENOMEM;
	core->listener.accept = server_accept;
	core->listener.keepalive = 60;
	core->udp.recv = server_datagram;
	err = ixev_listen(base, &core->listener, &ix_ip_any, port, 0);
	if (err == 0)
		err = ixev_udp_bind(base, &core->udp, &ix_ip_any, port);
	if (err == 0)
		printf("echo: core %u serves port %u\n", ixev_info(base)->core, port);
	return err;
}

static int server(void)
{
	long err = ixev_run_cores(NULL, server_start, NULL);

	fprintf(stderr, "echo: %s\n", ix_attach_error((int)err));
	return 1;
}

/* ---- client ---- */

#define DIALING 256  /* connections being opened at once */
#define BUCKETS 1024 /* 16 per power of two of nanoseconds */

struct client {
	struct ix_ip server;
	uint32_t conns, size;
	uint64_t messages; /* to be sent in all */
	bool udp;
	struct ixev *base;
	struct flow *flows;
	uint64_t started, answered, failed;
	uint32_t opened, closed;
	uint64_t bucket[BUCKETS];
};

struct flow {
	struct ixev_ctx ctx;
	struct ixev_udp udp;
	struct ixev_timer timer; /* UDP: the message or its answer was lost */
	struct client *client;
	uint64_t number, begun; /* of the message under way */
	uint32_t sent, received;
	char *out;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int exp = ns < 16 ? 0 : (unsigned int)(60 - __builtin_clzll(ns) - 1);

	return ns < 16 ? (unsigned int)ns : exp * 16 + (unsigned int)(ns >> exp);
}

/* The lower bound of a bucket. */
static double bucket_us(unsigned int b)
{
	unsigned int exp = b < 32 ? 0 : b / 16 - 1;

	return (double)((uint64_t)(b - exp * 16) << exp) / 1000;
}

/* Each message differs from the one before it and from those of other flows. */
static void fill(struct flow *f)
{
	uint64_t x = (f->number + 1) * 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; i < f->client->size; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		f->out[i] = (char)(x >> 56);
	}
}

static void finish(struct flow *f, const char *why)
{
	struct client *c = f->client;

	if (why) {
		fprintf(stderr, "echo: connection failed: %s\n", why);
		c->failed++;
	}
	if (c->udp) {
		ixev_timer_del(&f->timer);
		ixev_udp_close(&f->udp);
		c->closed++;
	} else {
		ixev_close(&f->ctx);
	}
}

static void push(struct flow *f)
{
	ssize_t n = ixev_send(&f->ctx, f->out + f->sent, f->client->size - f->sent);

	if (n > 0)
		f->sent += (uint32_t)n;
	else if (n != -EAGAIN)
		finish(f, strerror((int)-n));
}

static void udp_push(struct flow *f)
{
	struct client *c = f->client;

	ssize_t n = ixev_udp_send(&f->udp, &c->server, port, f->out, c->size);

	if (n == -EMSGSIZE)
		finish(f, "larger than a datagram");
	else
		ixev_timer_add(c->base, &f->timer, 200000);
}

static void next_message(struct flow *f)
{
	struct client *c = f->client;

	if (c->started == c->messages) {
		finish(f, NULL);
		return;
	}
	f->number = c->started++;
	f->sent = f->received = 0;
	fill(f);
	f->begun = now_ns();
	if (c->udp)
		udp_push(f);
	else
		push(f);
}

static void answered(struct flow *f)
{
	struct client *c = f->client;
	unsigned int b = bucket_of(now_ns() - f->begun);

	c->bucket[b < BUCKETS ? b : BUCKETS - 1]++;
	c->answered++;
	next_message(f);
}

static void client_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct flow *f = (struct flow *)ctx;
	uint32_t size = f->client->size;
	const void *data;
	ssize_t n;

	while ((n = ixev_recv_zc(ctx, &data, size - f->received)) > 0) {
		bool same = memcmp(data, f->out + f->received, (size_t)n) == 0;

		ixev_recv_done(ctx, (size_t)n);
		if (!same) {
			finish(f, "what came back differs");
			return;
		}
		f->received += (uint32_t)n;
		if (f->received == size) {
			answered(f);
			return;
		}
	}
	if (n == 0 || (events & IXEV_HUP))
		finish(f, n == 0 ? "closed by the server" : strerror(-ixev_error(ctx)));
	else if (f->sent < size)
		push(f);
}

static void open_next(struct client *c);

static void client_dialed(struct ixev_ctx *ctx, int err)
{
	struct flow *f = (struct flow *)ctx;

	open_next(f->client);
	if (err < 0) {
		finish(f, strerror(-err));
		return;
	}
	ixev_set_mask(ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
	next_message(f);
}

static void client_release(struct ixev_ctx *ctx)
{
	((struct flow *)ctx)->client->closed++;
}

static const struct ixev_ops client_ops = {
    .event = client_event, .dialed = client_dialed, .release = client_release};

static void client_datagram(struct ixev_udp *u, const struct ixev_dgram *d)
{
	struct flow *f = (struct flow *)((char *)u - offsetof(struct flow, udp));

	/* An answer to an earlier copy of a message is not this one's. */
	if (d->len == f->client->size && memcmp(d->data, f->out, d->len) == 0)
		answered(f);
}

static void client_timeout(struct ixev_timer *t)
{
	udp_push((struct flow *)((char *)t - offsetof(struct flow, timer)));
}

static int client_start(struct client *c, struct flow *f)
{
	f->client = c;
	f->out = malloc(c->size);
	if (!f->out)
		return -ENOMEM;
	if (!c->udp) {
		ixev_init(c->base, &f->ctx, &client_ops);
		return ixev_connect(&f->ctx, &c->server, port);
	}
	ixev_timer_init(&f->timer, client_timeout);
	f->udp.recv = client_datagram;
	return ixev_udp_bind(c->base, &f->udp, &ix_ip_any, 0);
}

static void open_next(struct client *c)
{
	struct flow *f;
	int err;

	if (c->opened == c->conns)
		return;
	f = &c->flows[c->opened++];
	err = client_start(c, f);
	if (err < 0) {
		fprintf(stderr, "echo: %s\n", strerror(-err));
		c->failed++;
		c->closed++;
	} else if (c->udp) {
		next_message(f);
	}
}

static double percentile(const struct client *c, double p)
{
	uint64_t want = (uint64_t)((double)c->answered * p / 100), sum = 0;

	want -= want && want == c->answered;
	for (unsigned int b = 0; b < BUCKETS; b++) {
		sum += c->bucket[b];
		if (sum > want)
			return bucket_us(b);
	}
	return 0;
}

static int client(struct client *c)
{
	int err = ixev_open(&c->base, NULL);
	uint64_t begin = now_ns();
	double seconds;

	c->flows = calloc(c->conns, sizeof(*c->flows));
	if (err < 0 || !c->flows) {
		fprintf(stderr, "echo: %s\n", ix_attach_error(err < 0 ? err : -ENOMEM));
		return 1;
	}
	/* Each connection that is through opens another: no more than a backlog at once. */
	for (uint32_t i = 0; i < (c->udp ? c->conns : DIALING); i++)
		open_next(c);
	while (c->closed < c->conns && ixev_wait(c->base, IX_WAIT_FOREVER) >= 0)
		;
	seconds = (double)(now_ns() - begin) / 1e9;
	printf("echo: %llu messages of %u bytes on %u connections in %.3f s: %.0f/s\n",
	       (unsigned long long)c->answered, c->size, c->conns, seconds,
	       (double)c->answered / seconds);
	printf("echo: round trip us: min %.1f median %.1f p99 %.1f p99.9 %.1f max %.1f\n",
	       percentile(c, 0), percentile(c, 50), percentile(c, 99), percentile(c, 99.9),
	       percentile(c, 100));
	if (c->failed || c->answered != c->messages)
		fprintf(stderr, "echo: %llu connections failed\n", (unsigned long long)c->failed);
	return c->failed || c->answered != c->messages;
}

static int usage(void)
{
	fprintf(stderr, "usage: echo server [-p PORT]\n"
			"       echo client ADDRESS [-p PORT] [-c CONNECTIONS] [-s BYTES]"
			" [-n MESSAGES] [-u]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option no_long[] = {{0}};
	struct client c = {.messages = 1000};
	uint64_t tcp_port = 7, conns = 1, size = 64;
	int opt, err = 0;

	/* Unlike getopt(), allows options behind operands with every libc. */
	while ((opt = getopt_long(argc, argv, "p:c:s:n:u", no_long, NULL)) != -1) {
		if (opt == 'p')
			err |= ix_number_parse(&tcp_port, optarg, 1, 65535);
		else if (opt == 'c')
			err |= ix_number_parse(&conns, optarg, 1, 1 << 20);
		else if (opt == 's')
			err |= ix_number_parse(&size, optarg, 1, 1 << 30);
		else if (opt == 'n')
			err |= ix_number_parse(&c.messages, optarg, 1, UINT64_MAX);
		else if (opt == 'u')
			c.udp = true;
		else
			err = -EINVAL;
	}
	port = (uint16_t)tcp_port;
	c.conns = (uint32_t)conns;
	c.size = (uint32_t)size;
	if (!err && optind + 1 == argc && strcmp(argv[optind], "server") == 0)
		return server();
	if (err || optind + 2 != argc || strcmp(argv[optind], "client") != 0 ||
	    ix_ip_parse(&c.server, argv[optind + 1]) < 0)
		return usage();
	return client(&c);
}
