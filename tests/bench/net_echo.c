/* SPDX-License-Identifier: MIT */
/*
 * Echo RPCs between a client on our stack and a server on ours or on lwIP, in one thread, joined by two
 * rings. Figures are for the server side alone: one frame copied in, the stack, the event API, an
 * application that copies the request into memory of the connection and sends it back, one frame
 * copied out. The connections take turns in a random order, WINDOW requests are under way, at most
 * one on each connection, and each ACK rides on the next frame of its connection: a request of one
 * segment is one frame in and one frame out.
 *
 * usage: net_echo echo|churn [KEY=VALUE...]: see usage() for the keys; prints `KEY VALUE` lines.
 * churn: connect + RPC + abort (RST). scripts/run-bench makes the experiments out of such runs.
 */
#include "tests/bench/net_echo.h"

#include <dlfcn.h>
#include <ix/net.h>
#include <time.h>
#include <valgrind/callgrind.h>

#define PORTS  32
#define WINDOW 1024

/* A message of up to so many bytes travels in one segment, at an MTU of 1500. */
#define ONE_SEGMENT 1400

static struct bench_clock bench_clock;
static struct options opt = {
    .conns = 64, .batch = 64, .size = 64, .rpcs = 1000000, .warm = 3, .loss = -1};

struct side {
	struct ixn *n;
	struct ixn_evq q;
	struct ixn_event ev[1024];
	struct ring *in, *out;
	struct ixn_rxbuf **free; /* stack of receive buffers */
	uint32_t nfree;
	uint32_t batch, size;
	double loss;
	uint64_t rng;
	uint64_t rpcs, conns, dead;
	uint8_t *reply;             /* memory of each connection: size bytes */
	uint32_t *received, *taken; /* bytes of its message, where that is not one segment */
	ixn_conn *conn;
};

/* Bytes for a frame: headers and what of a message goes into one. */
static uint32_t room_for(uint32_t size)
{
	return size <= 64 ? 192 : 1536;
}

static uint32_t side_tx(void *user, struct ixn_txpkt **pkts, uint32_t n)
{
	struct side *s = user;
	struct ring *r = s->out;

	for (uint32_t i = 0; i < n; i++) {
		struct ixn_txpkt *p = pkts[i];
		if (r->head - r->tail > r->mask)
			return i;
		uint8_t *d = ring_frame(r, r->head);
		memcpy(d, p->hdr, p->hdr_len);
		d += p->hdr_len;
		for (uint32_t k = 0; k < p->nsegs; k++) {
			memcpy(d, p->seg[k].ptr, p->seg[k].len);
			d += p->seg[k].len;
		}
		r->len[r->head & r->mask] = p->hdr_len + p->pay_len;
		if (!lost(s->loss, &s->rng))
			r->head++;
		ixn_tx_done(s->n, p);
	}
	return n;
}

static void side_release(void *user, struct ixn_rxbuf *b)
{
	struct side *s = user;

	s->free[s->nfree++] = b;
}

static struct side *side_new(uint32_t conns, uint8_t host)
{
	static const struct ixn_ops ops = {.tx = side_tx, .rx_release = side_release};
	struct side *s = calloc(1, sizeof(*s));
	bool dc = opt.loss >= 0;
	struct ixn_config c;
	uint32_t bufs = 8192, room = room_for(opt.size);

	ixn_config_default(&c);
	c.max_conns = conns + 16;
	c.max_timewait = conns < 65536 ? 65536 : 16;
	c.tx_recs = conns + 4096; /* a reply stays referenced until it is acknowledged */
	c.tcp.quickacks = 1;
	c.tcp.nodelay = true;
	/* A connection waits for its turn longer than an ACK or a probe usually does: such timers
	 * are out of the way. Runs with loss have the timers of a datacenter instead. Messages of several
	 * segments are acknowledged on the way. */
	c.tcp.delack_us = dc || opt.size > ONE_SEGMENT ? 0 : 100000000;
	c.tcp.rto_min_us = dc ? 1000 : 100000000;
	c.tcp.rto_initial_us = dc ? 10000 : 100000000;
	c.tx_pkts = 2048;
	c.caps = opt.csum ? 0 : IXN_CAP_NO_CSUM;
	c.port_lo = 1024;
	c.port_hi = 65535;
	memcpy(c.mac, (uint8_t[]){2, 0, 0, 0, 0, host}, 6);
	for (int i = 0; i < 4; i++)
		c.secret[i] = 0x123456789abcdefull * (uint64_t)(i + host);
	s->q = (struct ixn_evq){.ev = s->ev, .cap = 1024};
	s->batch = opt.batch;
	s->size = opt.size;
	s->rng = host;
	s->free = calloc(bufs, sizeof(*s->free));
	struct ixn_rxbuf *objs = big(bufs * sizeof(*objs));
	uint8_t *data = big((size_t)bufs * room);
	for (uint32_t i = 0; i < bufs; i++) {
		objs[i].data = data + (size_t)i * room;
		s->free[s->nfree++] = &objs[i];
	}
	s->n = ixn_init(big(ixn_size(&c)), &c, &ops, s, &s->q, now_us(&bench_clock));
	if (!s->n) {
		fprintf(stderr, "bad configuration\n");
		exit(1);
	}
	ixn_addr_add(s->n, ixn_v4(10, 0, 0, host), 8);
	static const uint8_t macs[3][6] = {{0}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	ixn_arp_set(s->n, ixn_v4(10, 0, 0, (uint8_t)(3 - host)), macs[3 - host],
		    now_us(&bench_clock));
	s->reply = big((size_t)(conns + 16) * opt.size);
	if (opt.size > ONE_SEGMENT) {
		s->received = big((conns + 16) * sizeof(*s->received));
		s->taken = big((conns + 16) * sizeof(*s->taken));
		for (uint32_t i = 0; i < conns + 16; i++)
			s->taken[i] = opt.size;
	}
	s->conn = big((size_t)(conns + 16) * sizeof(*s->conn));
	return s;
}

/* Frames from the ring into receive buffers. */
static inline uint32_t side_poll(struct side *s, struct ixn_rxbuf **bufs)
{
	struct ring *r = s->in;
	uint32_t n = 0;

	while (n < s->batch && r->tail != r->head && s->nfree) {
		struct ixn_rxbuf *b = s->free[--s->nfree];
		uint32_t at = r->tail++;
		b->len = r->len[at & r->mask];
		memcpy((uint8_t *)b->data, ring_frame(r, at), b->len);
		b->flags = 0;
		bufs[n++] = b;
	}
	bench_clock.frames += n + 1;
	return n;
}

/* Sends what is left of a message of several segments, as far as the window goes. */
static void push(struct side *s, ixn_conn h, const uint8_t *message)
{
	uint32_t *taken = &s->taken[(uint32_t)h];
	struct ixn_seg seg = {.ptr = message + *taken, .len = s->size - *taken};
	int64_t n = ixn_sendv(s->n, h, &seg, 1);

	if (n > 0)
		*taken += (uint32_t)n;
}

/* Counts a part of a message; true: it is complete. */
static bool part(struct side *s, const struct ixn_event *ev)
{
	uint32_t *received = &s->received[(uint32_t)ev->handle];

	*received += ev->len;
	if (*received < s->size)
		return false;
	*received = 0;
	return true;
}

static void server_part(struct side *s, const struct ixn_event *ev)
{
	uint8_t *m = s->reply + ev->cookie * s->size;

	memcpy(m + s->received[ev->cookie], ev->ptr, ev->len);
	ixn_recv_done(s->n, ev->handle, ev->len);
	if (!part(s, ev))
		return;
	s->rpcs++;
	s->taken[ev->cookie] = 0;
	push(s, ev->handle, m);
}

/* One cycle of the server: what is counted. */
static uint32_t server_cycle(struct side *s, uint64_t now)
{
	struct ixn_rxbuf *bufs[64];
	uint32_t n = side_poll(s, bufs);

	s->q.n = 0;
	ixn_rx(s->n, bufs, n, now);
	ixn_timers(s->n, now);
	for (uint32_t i = 0; i < s->q.n; i++) {
		struct ixn_event *ev = &s->ev[i];
		if (ev->type == IXN_EV_RECV && !s->received) {
			/* The request is one segment. */
			uint8_t *m = s->reply + ev->cookie * s->size;
			struct ixn_seg seg = {.ptr = m, .len = ev->len};
			if (i + 16 < s->q.n)
				__builtin_prefetch(s->reply + s->ev[i + 16].cookie * s->size, 1);
			memcpy(m, ev->ptr, ev->len <= s->size ? ev->len : s->size);
			ixn_recv_done(s->n, ev->handle, ev->len);
			ixn_sendv(s->n, ev->handle, &seg, 1);
			s->rpcs++;
		} else if (ev->type == IXN_EV_RECV) {
			server_part(s, ev);
		} else if (ev->type == IXN_EV_SENT) {
			if (s->taken && s->taken[ev->cookie] < s->size)
				push(s, ev->handle, s->reply + ev->cookie * s->size);
		} else if (ev->type == IXN_EV_KNOCK) {
			s->conns++;
			ixn_accept(s->n, ev->handle, (uint32_t)ev->handle);
		} else if (ev->type == IXN_EV_EOF) {
			ixn_close(s->n, ev->handle);
		}
	}
	ixn_flush(s->n, now);
	return n;
}

/* ---- our stack as a server of the harness ---- */

struct ix_server {
	struct server server;
	struct side *side;
};

static uint32_t ix_cycle(struct server *server, uint64_t now)
{
	struct ix_server *s = (struct ix_server *)server;

	s->side->loss = server->loss;
	return server_cycle(s->side, now);
}

static void ix_usage(struct server *server, size_t *bytes, size_t *per_conn)
{
	struct ixn_usage u;

	ixn_usage(((struct ix_server *)server)->side->n, &u);
	*bytes = u.bytes;
	*per_conn = u.bytes_per_conn;
}

static struct server *ix_server(struct ring *in, struct ring *out)
{
	struct ix_server *s = calloc(1, sizeof(*s));
	ixn_listener l;

	s->server = (struct server){.cycle = ix_cycle, .usage = ix_usage};
	s->side = side_new(opt.conns, 2);
	s->side->in = in;
	s->side->out = out;
	for (uint32_t i = 0; i < PORTS; i++)
		ixn_listen(s->side->n, IXN_ANY, (uint16_t)(8000 + i), opt.conns + 1024, 0, &l);
	return &s->server;
}

/* lwIP, which is not linked with this program (see lwip_server.c). */
static struct server *lwip(struct ring *in, struct ring *out)
{
	void *object = dlopen("lwip_server.so", RTLD_NOW);
	__typeof__(lwip_server) *make = NULL;

	if (object)
		make = (__typeof__(make))dlsym(object, "lwip_server");
	if (!make) {
		fprintf(stderr, "net_echo: %s\n", dlerror());
		exit(1);
	}
	return make(&opt, &bench_clock, in, out, PORTS);
}

/* ---- client ---- */

static uint8_t *request;

struct client {
	struct side *s;
	uint32_t conns, open, next;
	uint64_t left; /* requests to send */
	uint64_t done;
	bool churn;
	bool same; /* a reply is followed by the next request on its connection */
	uint32_t connecting;
};

static void ask(struct client *c, ixn_conn h)
{
	struct side *s = c->s;
	struct ixn_seg seg = {.ptr = request, .len = s->size};

	if (!c->left)
		return;
	c->left--;
	if (s->taken) {
		s->taken[(uint32_t)h] = 0;
		push(s, h, request);
	} else if (ixn_sendv(s->n, h, &seg, 1) != s->size) {
		fprintf(stderr, "request refused\n");
		exit(1);
	}
}

static void ask_next(struct client *c)
{
	ask(c, c->s->conn[c->next]);
	c->next = c->next + 1 < c->conns ? c->next + 1 : 0;
}

static void client_cycle(struct client *c, uint64_t now)
{
	struct side *s = c->s;
	struct ixn_rxbuf *bufs[64];
	uint32_t n = side_poll(s, bufs);

	s->q.n = 0;
	ixn_rx(s->n, bufs, n, now);
	ixn_timers(s->n, now);
	for (uint32_t i = 0; i < s->q.n; i++) {
		struct ixn_event *ev = &s->ev[i];
		if (ev->type == IXN_EV_RECV) {
			ixn_recv_done(s->n, ev->handle, ev->len);
			if (s->received && !part(s, ev))
				continue;
			c->done++;
			if (c->churn)
				ixn_abort(s->n, ev->handle);
			else
				c->same ? ask(c, ev->handle) : ask_next(c);
		} else if (ev->type == IXN_EV_CONNECTED) {
			if (ev->result) {
				fprintf(stderr, "connect: %d\n", ev->result);
				exit(1);
			}
			c->connecting--;
			if (c->churn)
				ask(c, ev->handle);
			else
				s->conn[c->open++] = ev->handle;
		} else if (ev->type == IXN_EV_SENT) {
			if (s->taken && s->taken[(uint32_t)ev->handle] < s->size)
				push(s, ev->handle, request);
		} else if (ev->type == IXN_EV_DEAD) {
			s->dead++;
		}
	}
	ixn_flush(s->n, now);
}

static void client_connect(struct client *c, uint32_t i)
{
	struct ixn_tuple t = {.raddr = ixn_v4(10, 0, 0, 2), .rport = (uint16_t)(8000 + i % PORTS)};
	ixn_conn h;
	int err = ixn_connect(c->s->n, &t, 0, now_us(&bench_clock), &h);

	if (err) {
		fprintf(stderr, "connect: %d\n", err);
		exit(1);
	}
	c->connecting++;
}

/* ---- runs ---- */

static double tsc_per_us;

static void calibrate(void)
{
	struct timespec a, b;
	uint64_t t = tsc();

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec < 20000000);
	tsc_per_us = (double)(tsc() - t) /
		     ((double)((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec) / 1e3);
}

static struct ring *ring_new(void)
{
	struct ring *r = calloc(1, sizeof(*r));

	r->mask = 4096 - 1;
	r->room = room_for(opt.size);
	r->len = big(4096 * sizeof(*r->len));
	r->frame = big((size_t)4096 * r->room);
	return r;
}

/* Cycles that were not stolen, of the server and of both. */
struct spent {
	uint64_t limit; /* cycles of a turn from which on it was interrupted */
	uint64_t server, all;
	uint64_t frames; /* that the server took in */
	double us;       /* real time of the clock for the stacks */
};

static void turn(struct client *c, struct server *s, struct spent *spent)
{
	uint64_t begin = tsc(), took, now = now_us(&bench_clock);
	uint32_t n;

	CALLGRIND_TOGGLE_COLLECT;
	n = s->cycle(s, now);
	CALLGRIND_TOGGLE_COLLECT;
	took = tsc() - begin;
	if (took < spent->limit) {
		spent->server += took;
		spent->frames += n;
	}
	client_cycle(c, now);
	took = tsc() - begin;
	/* Much more than usual: the machine did something else. What is usual may change. */
	if (took < spent->limit)
		spent->all += took;
	else
		spent->limit *= 2;
	if (took < spent->limit / 64 && spent->limit > STOLEN)
		spent->limit -= spent->limit / 64;
	if (took >= spent->limit)
		took = 0;
	if (bench_clock.real) {
		spent->us += (double)took / tsc_per_us;
		bench_clock.us = (uint64_t)spent->us;
	}
}

static double us_of(const struct spent *spent)
{
	return (double)spent->all / tsc_per_us;
}

static void show(const struct spent *spent, uint64_t did, double server_cycles)
{
	printf("rate %.0f\ntotal_cycles %.1f\nserver_cycles %.1f\nrpcs %lu\n",
	       (double)did / us_of(spent) * 1e6, (double)spent->all / (double)did, server_cycles,
	       (unsigned long)did);
}

static void echo(struct client *c, struct server *s)
{
	struct side *a = c->s;
	struct spent spent = {.limit = STOLEN};
	size_t bytes = 0, per_conn = 0;
	uint32_t conns = opt.conns;

	c->same = opt.loss >= 0;
	for (uint32_t i = 0; c->open < conns;) {
		while (c->connecting < 256 && i < conns)
			client_connect(c, i++);
		turn(c, s, &spent);
	}
	for (uint32_t i = conns - 1; i; i--) { /* shuffle */
		a->rng = a->rng * 6364136223846793005ull + 1442695040888963407ull;
		uint32_t k = (uint32_t)((a->rng >> 33) % (i + 1));
		ixn_conn t = a->conn[i];
		a->conn[i] = a->conn[k];
		a->conn[k] = t;
	}
	uint64_t warm = (uint64_t)opt.warm * conns;
	c->left = UINT64_MAX;
	for (uint32_t i = 0; i < conns && i < WINDOW; i++)
		ask_next(c);
	ixn_flush(a->n, now_us(&bench_clock));
	while (c->done < warm)
		turn(c, s, &spent);

	uint64_t before = c->done, count = 0;
	double clock = spent.us;
	a->loss = s->loss = opt.loss;
	spent = (struct spent){.us = clock, .limit = spent.limit};
	while (c->done < before + opt.rpcs) {
		turn(c, s, &spent);
		if (opt.seconds > 0 && !(++count & 1023) && us_of(&spent) > opt.seconds * 1e6)
			break;
	}
	uint64_t did = c->done - before;
	/* Where each frame is an RPC, cycles that were left out leave out theirs. */
	show(&spent, did,
	     (double)spent.server /
		 (double)(opt.loss > 0 || opt.size > ONE_SEGMENT ? did : spent.frames));
	s->usage(s, &bytes, &per_conn);
	printf("bytes %zu\nbytes_per_conn %zu\nretransmitted %lu\n", bytes, per_conn,
	       (unsigned long)ixn_stats(a->n)->tcp_retrans);
}

static void churn(struct client *c, struct server *s)
{
	struct spent spent = {.limit = STOLEN};
	uint64_t before = 0, i = 0;

	c->churn = true;
	c->left = UINT64_MAX;
	while (c->done < before + opt.rpcs || !before) {
		while (c->connecting < opt.conns)
			client_connect(c, (uint32_t)i++);
		if (!before && c->done > opt.rpcs / 10) {
			spent = (struct spent){.limit = spent.limit};
			before = c->done;
		}
		turn(c, s, &spent);
	}
	show(&spent, c->done - before, (double)spent.server / (double)(c->done - before));
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: net_echo echo|churn [KEY=VALUE...]\n"
			"  stack=ix|lwip   of the server (ix)\n"
			"  conns=N         connections; of churn: being opened at once (64)\n"
			"  batch=N         frames per cycle, 1..64 (64)\n"
			"  size=N          bytes of a message (64)\n"
			"  rpcs=N          that are measured (1000000)\n"
			"  csum=0|1        checksums in software (0)\n"
			"  loss=P          fraction of frames lost, timers of a datacenter (none)\n"
			"  warm=N          messages on each connection first (3)\n"
			"  seconds=N       ends the measurement after so long (no limit)\n");
	exit(2);
}

/* Reads KEY=VALUE arguments; returns the stack. */
static const char *parse(int argc, char **argv)
{
	const char *stack = "ix";

	for (int i = 2; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		size_t len = value ? (size_t)(value++ - argv[i]) : 0;
		double v = value ? strtod(value, NULL) : 0;

		if (len == 5 && !strncmp(argv[i], "stack", len))
			stack = value;
		else if (len == 5 && !strncmp(argv[i], "conns", len))
			opt.conns = (uint32_t)v;
		else if (len == 5 && !strncmp(argv[i], "batch", len))
			opt.batch = (uint32_t)v;
		else if (len == 4 && !strncmp(argv[i], "size", len))
			opt.size = (uint32_t)v;
		else if (len == 4 && !strncmp(argv[i], "rpcs", len))
			opt.rpcs = (uint64_t)v;
		else if (len == 4 && !strncmp(argv[i], "csum", len))
			opt.csum = v != 0;
		else if (len == 4 && !strncmp(argv[i], "loss", len))
			opt.loss = v;
		else if (len == 4 && !strncmp(argv[i], "warm", len))
			opt.warm = (uint32_t)v;
		else if (len == 7 && !strncmp(argv[i], "seconds", len))
			opt.seconds = v;
		else
			usage();
	}
	if (!opt.conns || !opt.batch || opt.batch > 64 || !opt.size || !opt.rpcs || opt.loss >= 1)
		usage();
	return stack;
}

int main(int argc, char **argv)
{
	const char *stack = parse(argc, argv);
	bool is_churn = argc > 1 && !strcmp(argv[1], "churn");
	struct ring *there, *back;
	struct server *s;
	struct client c = {.conns = opt.conns};

	if (argc < 2 || (!is_churn && strcmp(argv[1], "echo")))
		usage();
	calibrate();
	bench_clock.real = opt.loss >= 0;
	request = big(opt.size);
	there = ring_new();
	back = ring_new();
	/* Churned connections take a while to be forgotten. */
	if (is_churn)
		opt.conns = 4096;
	if (!strcmp(stack, "ix"))
		s = ix_server(there, back);
	else if (!strcmp(stack, "lwip"))
		s = lwip(there, back);
	else
		usage();
	c.s = side_new(opt.conns, 1);
	c.s->out = there;
	c.s->in = back;
	opt.conns = c.conns;
	(is_churn ? churn : echo)(&c, s);
	return 0;
}
