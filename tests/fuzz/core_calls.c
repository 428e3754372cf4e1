/* SPDX-License-Identifier: MIT
 *
 * A hostile application: the input is read as native calls with arrays of batched calls, handles that
 * are right, stale, of the wrong kind or invented, and pointers of every shape; a peer on the wire
 * connects, talks and answers meanwhile. Afterwards everything is given back, and then no buffer,
 * connection or reference to memory may be missing.
 *
 * Application memory is one block of the heap, cut into pages of 4 KB that the resolver hands out one
 * by one, so a byte read or written outside it is found by ASan, and so is a run that was believed
 * to be longer than it was told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ixev.h>
#include <ix/ixhost.h>

#include "guest/core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define PAGE    4096u
#define PAGES   16u
#define USER    0x7000000000ull /* where the application's memory is said to be */
#define NHANDLE 64
#define RXBUFS  256

/* Each page is a block of its own. */
static uint8_t *page[PAGES];

/* What the run has done, said at its end. */
static unsigned long nbatches, ncalls, ntaken;

struct input {
	const uint8_t *p, *end;
};

/* A connection of the peer, in the list of all. */
struct peer_conn {
	struct ixev_ctx ctx;
	struct peer_conn *next, **link;
};

struct app {
	struct core *core;
	void *mem, *shared_block;
	uint8_t *shared;
	struct core_config cfg;
	uint64_t now;
	const struct ix_event *events;
	uint64_t handle[NHANDLE]; /* of any kind */
	uint32_t nhandle;
	uint64_t held[RXBUFS]; /* datagrams */
	uint32_t nheld;
	struct ixhost *peer;
	struct ixev *peer_base;
	struct peer_conn *conns;
	struct ixn_rxbuf *queue[RXBUFS]; /* frames from the peer */
	uint32_t nqueue;
};

static uint64_t take(struct input *in, unsigned int n)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < n && in->p < in->end; i++)
		v |= (uint64_t)*in->p++ << (8 * i);
	return v;
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "core_calls: %s\n", what);
		abort();
	}
}

/* ---- environment ---- */

static uint64_t now_us(void *ctx)
{
	return ((struct app *)ctx)->now;
}

static bool idle(void *ctx, uint64_t until)
{
	(void)ctx;
	(void)until;
	return false;
}

/* The last page is read-only, as a text segment would be. */
static void *user(void *ctx, uint64_t addr, uint64_t len, bool write, uint64_t *run)
{
	uint64_t off = addr - USER;
	uint64_t left = PAGE - off % PAGE;

	(void)ctx;
	if (off >= (uint64_t)PAGES * PAGE || (write && off / PAGE == PAGES - 1))
		return NULL;
	*run = len < left ? len : left;
	return page[off / PAGE] + off % PAGE;
}

static uint32_t port_rx(void *ctx, struct ixn_rxbuf **bufs, uint32_t max)
{
	struct app *a = ctx;
	uint32_t n = a->nqueue < max ? a->nqueue : max;

	memcpy(bufs, a->queue, n * sizeof(bufs[0]));
	a->nqueue -= n;
	memmove(a->queue, a->queue + n, a->nqueue * sizeof(a->queue[0]));
	return n;
}

static uint32_t port_tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct app *a = ctx;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t frame[IXHOST_PACKET_MAX];
		size_t len = pkts[i]->hdr_len;

		memcpy(frame, pkts[i]->hdr, len);
		for (int k = 0; k < pkts[i]->nsegs; k++) {
			check(len + pkts[i]->seg[k].len <= sizeof(frame), "frame too long");
			memcpy(frame + len, pkts[i]->seg[k].ptr, pkts[i]->seg[k].len);
			len += pkts[i]->seg[k].len;
		}
		ixhost_push(a->peer, frame, len);
		core_tx_done(a->core, pkts[i]);
	}
	return n;
}

static void port_poll(void *ctx, uint64_t now)
{
	(void)ctx;
	(void)now;
}

/* ---- the peer: echoes, connects in, sends datagrams ---- */

static void peer_event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[4096];
	ssize_t n;

	while ((n = ixev_recv(ctx, buf, sizeof(buf))) > 0)
		ixev_send(ctx, buf, (size_t)n);
	if (n == 0 || (events & IXEV_HUP))
		ixev_close(ctx);
}

static void peer_release(struct ixev_ctx *ctx)
{
	struct peer_conn *x = (struct peer_conn *)ctx;

	*x->link = x->next;
	if (x->next)
		x->next->link = x->link;
	free(x);
}

static void peer_dialed(struct ixev_ctx *ctx, int err)
{
	if (!err)
		ixev_send(ctx, "hello from the peer", 19);
}

static const struct ixev_ops peer_ops = {peer_event, peer_dialed, peer_release};

static struct ixev_ctx *peer_new(struct ixev *base, struct peer_conn **list)
{
	struct peer_conn *x = malloc(sizeof(*x));

	x->next = *list;
	x->link = list;
	if (x->next)
		x->next->link = &x->next;
	*list = x;
	ixev_init(base, &x->ctx, &peer_ops);
	return &x->ctx;
}

struct peer_listener {
	struct ixev_listener l;
	struct peer_conn **list;
};

static struct ixev_ctx *peer_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	(void)tuple;
	return peer_new(l->base, ((struct peer_listener *)l)->list);
}

static void peer_dgram(struct ixev_udp *u, const struct ixev_dgram *d)
{
	ixev_udp_send(u, &d->remote, d->remote_port, d->data, d->len);
}

static struct peer_listener peer_listener = {.l.accept = peer_accept};
static struct ixev_udp peer_udp = {.recv = peer_dgram};

static const struct ix_ip app_ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}};
static const struct ix_ip peer_ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}};

static void peer_acts(struct app *a, uint8_t what)
{
	static char big[3000];
	struct ixev_ctx *x;

	ixhost_bind(a->peer);
	if (what & 1) {
		x = peer_new(a->peer_base, &a->conns);
		if (ixev_connect(x, &app_ip, 80) < 0)
			peer_release(x);
	}
	if (what & 2)
		ixev_udp_send(&peer_udp, &app_ip, 53, "datagram", 8);
	if (what & 4)
		ixev_udp_send(&peer_udp, &app_ip, 53, big, sizeof(big));
}

/* One round of the peer, and its frames to the application's queue. */
static void peer_round(struct app *a)
{
	uint8_t frame[IXHOST_PACKET_MAX];
	int64_t n;

	ixhost_bind(a->peer);
	ixhost_advance(a->peer, a->now);
	ixev_wait(a->peer_base, 0);
	while ((n = ixhost_pull(a->peer, frame, sizeof(frame), NULL)) > 0) {
		struct ixn_rxbuf *buf = a->nqueue < RXBUFS ? core_rxbuf_get(a->core) : NULL;

		if (!buf)
			continue;
		memcpy(core_rxbuf_memory(a->core, (uint32_t)buf->user), frame, (size_t)n);
		buf->len = (uint32_t)n;
		buf->flags = 0;
		a->queue[a->nqueue++] = buf;
	}
}

/* ---- the application ---- */

static const char limits[] = "address = 10.0.0.1/24\nmac = 02:00:00:00:00:01\nconnections = 64\n"
			     "timewait = 16\nrx-buffers = 256\nevents = 64\ntx-packets = 256\n"
			     "tx-references = 512\nreassembly = 2\ntimers = 8\nbatch = 16\n"
			     "listeners = 4\nudp-sockets = 4\narp-entries = 16\n";

static void start(struct app *a)
{
	struct core_env env = {.ctx = a, .now_us = now_us, .user = user, .idle = idle};
	struct core_port port = {.ctx = a, .rx = port_rx, .tx = port_tx, .poll = port_poll};
	struct core_params p = {.cfg = &a->cfg, .env = &env, .ncores = 1};
	struct ixhost_options o = {
	    .config = "address = 10.0.0.2/24\nmac = 02:00:00:00:00:02\nconnections = 64\n"
		      "timewait = 16\nrx-buffers = 256\nevents = 256\ntx-packets = 256\n"
		      "tx-references = 1024\nreassembly = 2\n",
	    .start = 1000000,
	};
	struct core_config_error err;

	a->now = 1000000;
	core_config_default(&a->cfg);
	a->cfg.net.arp_announce = false;
	check(core_config_parse(&a->cfg, limits, strlen(limits), NULL, NULL, &err) == 0, "config");
	a->mem = aligned_alloc(PAGE, (core_mem_size(&a->cfg) + PAGE - 1) & ~(size_t)(PAGE - 1));
	a->shared_block = malloc(core_shared_size(&a->cfg) + 65536);
	a->shared = (uint8_t *)(((uintptr_t)a->shared_block + 65535) & ~(uintptr_t)65535);
	a->core = core_init(a->mem, a->shared, &p);
	check(a->core != NULL, "no core");
	core_set_port(a->core, &port);
	check(core_start(a->core, &a->cfg) == 0, "core_start");
	a->peer = ixhost_new(&o, NULL);
	check(a->peer != NULL, "no peer");
	ixhost_bind(a->peer);
	peer_listener.list = &a->conns;
	check(ixev_open(&a->peer_base, NULL) == 0 &&
		  ixev_listen(a->peer_base, &peer_listener.l, &ix_ip_any, 7, 0) == 0 &&
		  ixev_udp_bind(a->peer_base, &peer_udp, &ix_ip_any, 7) == 0,
	      "peer cannot serve");
}

static void stop(struct app *a)
{
	ixhost_bind(a->peer);
	ixev_shut(a->peer_base);
	ixhost_free(a->peer);
	while (a->conns)
		peer_release(&a->conns->ctx);
	free(a->mem);
	free(a->shared_block);
}

static void learn(struct app *a, uint64_t handle)
{
	a->handle[a->nhandle++ % NHANDLE] = handle;
}

static void attach(struct app *a)
{
	struct ix_attach *at = (struct ix_attach *)page[0];

	*at = (struct ix_attach){.version = IX_ABI_VERSION, .size = sizeof(*at)};
	check(core_syscall(a->core, IX_SYS_ATTACH, USER, 0, 0) == 0, "attach");
	a->events = (const struct ix_event *)(uintptr_t)at->events;
}

static void look_at_events(struct app *a, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		const struct ix_event *e = &a->events[i];

		check(e->type && e->flags == 0, "event without type");
		if (e->type == IX_EV_KNOCK || e->type == IX_EV_CONNECTED)
			learn(a, e->handle);
		if (e->type == IX_EV_UDP_RECV && a->nheld < RXBUFS)
			a->held[a->nheld++] = e->udp.addr;
		if (e->type == IX_EV_RECV)
			check((uint8_t *)(uintptr_t)e->addr >= a->shared &&
				  (uint8_t *)(uintptr_t)e->addr + e->n <=
				      a->shared + core_shared_size(&a->cfg),
			      "payload outside of what the application can read");
	}
}

/* Reads the results of an array that was executed, wherever it lay. */
static void look_at_results(struct app *a, uint64_t calls, uint64_t n)
{
	for (; n; n--, calls += sizeof(struct ix_call)) {
		uint64_t run;
		struct ix_call *c = user(a, calls, sizeof(*c), true, &run);

		if (!c)
			return;
		ncalls++;
		ntaken += c->ret >= 0;
		/* Datagrams given back are no longer held. */
		if (c->op == IX_CALL_UDP_RECV_DONE && c->ret == 0)
			for (uint32_t k = 0; k < a->nheld; k++)
				if (a->held[k] == c->udp.addr)
					a->held[k] = 0;
		if (c->ret > 0 && (c->op == IX_CALL_CONNECT || c->op == IX_CALL_LISTEN ||
				   c->op == IX_CALL_UDP_BIND || c->op == IX_CALL_TIMER_ARM))
			learn(a, c->handle);
	}
}

/* The peer's frames in, one cycle, what comes of it. */
static int64_t cycle(struct app *a, uint64_t calls, uint64_t n)
{
	int64_t ret;

	peer_round(a);
	ret = core_syscall(a->core, IX_SYS_RUN_IO, calls, n, 0);
	if (ret >= 0)
		look_at_results(a, calls, n);
	if (ret > 0)
		look_at_events(a, ret);
	a->now += 200;
	return ret;
}

static uint64_t any_handle(struct app *a, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	uint64_t h = a->handle[how % NHANDLE];

	if (how < 0xc0)
		return h;
	if (how < 0xe0)
		return h ^ 1ull << (how & 0x1f) * 2;
	return how < 0xf0 ? (uint64_t)(how & 15) : take(in, 8);
}

static uint64_t any_pointer(struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);

	if (how < 0xa0)
		return USER + (how & 15) * PAGE + (how & 0x10 ? PAGE - 8 : 0);
	if (how < 0xd0)
		return USER + take(in, 2);
	if (how < 0xe0)
		return USER + (uint64_t)PAGES * PAGE - take(in, 1);
	return how < 0xf0 ? UINT64_MAX - take(in, 1) : take(in, 8);
}

/* Pieces of memory at the start of page 2, for sendv. */
static void fill_iov(struct input *in)
{
	struct ix_iov *iov = (struct ix_iov *)page[2];

	for (unsigned int i = 0; i < 8; i++) {
		iov[i].base = any_pointer(in);
		iov[i].len = take(in, 1) < 0xf0 ? take(in, 2) : take(in, 8);
	}
}

static const uint8_t ops[] = {
    IX_CALL_CONNECT,      IX_CALL_LISTEN,    IX_CALL_UNLISTEN,      IX_CALL_ACCEPT,
    IX_CALL_REJECT,       IX_CALL_SENDV,     IX_CALL_RECV_DONE,     IX_CALL_CLOSE,
    IX_CALL_SHUTDOWN,     IX_CALL_ABORT,     IX_CALL_SET_OPTION,    IX_CALL_UDP_BIND,
    IX_CALL_UDP_UNBIND,   IX_CALL_UDP_SENDV, IX_CALL_UDP_RECV_DONE, IX_CALL_TIMER_ARM,
    IX_CALL_TIMER_CANCEL, IX_CALL_NONE,      IX_CALL_SENDV,         IX_CALL_ACCEPT,
};

static void one_call(struct app *a, struct ix_call *c, struct input *in)
{
	uint8_t op = (uint8_t)take(in, 1);
	uint8_t how = (uint8_t)take(in, 1);

	memset(c, 0, sizeof(*c));
	c->op = op < 0xf8 ? ops[op % sizeof(ops)] : op;
	c->flags = how == 0xff;
	c->cookie = 42;
	c->handle = any_handle(a, in);
	switch (c->op) {
	case IX_CALL_CONNECT:
		c->tuple.remote = peer_ip;
		c->tuple.remote_port = how & 1 ? 7 : how;
		if (how >= 0xf0)
			c->tuple.remote.b[15] = how;
		break;
	case IX_CALL_LISTEN:
	case IX_CALL_UDP_BIND:
		c->tuple.local_port = c->op == IX_CALL_LISTEN ? 80 : 53;
		c->tuple.local_port = (uint16_t)(c->tuple.local_port + (how & 3) * (how >> 6));
		c->n = how >= 0x80 ? (uint32_t)take(in, 4) : 4;
		break;
	case IX_CALL_SENDV:
		c->iov = how < 0xe0 ? USER + 2 * PAGE : any_pointer(in);
		c->n = how < 0xe0 ? how % 9 : (uint32_t)take(in, 4);
		break;
	case IX_CALL_RECV_DONE:
		c->bytes = how < 0xe0 ? take(in, 1) : take(in, 8);
		break;
	case IX_CALL_SET_OPTION:
		c->opt.option = how & 7;
		c->opt.value = how < 0xe0 ? take(in, 1) : take(in, 8);
		break;
	case IX_CALL_UDP_SENDV:
		c->udp.addr = how < 0xe0 ? USER + 2 * PAGE : any_pointer(in);
		c->n = how % 7;
		c->port = 7;
		c->udp.remote = peer_ip;
		c->udp.reserved.b[0] = how == 0xfe;
		break;
	case IX_CALL_UDP_RECV_DONE:
		c->udp.addr = a->nheld && how < 0xe0 ? a->held[how % a->nheld] : any_pointer(in);
		break;
	case IX_CALL_TIMER_ARM:
		c->usec = how < 0xe0 ? take(in, 1) : take(in, 8);
		if (how & 1)
			c->handle = 0;
		break;
	default:
		break;
	}
}

static void batch(struct app *a, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	struct ix_call *calls = (struct ix_call *)page[1];
	uint32_t n = how % 32;
	int64_t ret;

	nbatches++;
	fill_iov(in);
	for (uint32_t i = 0; i < n; i++)
		one_call(a, &calls[i], in);
	if (how >= 0xf0) { /* the array itself lies somewhere */
		cycle(a, any_pointer(in), take(in, 1));
		return;
	}
	ret = cycle(a, USER + PAGE, n);
	check(ret >= 0, "run_io of a good array failed");
}

static void call_only(struct app *a, uint64_t calls, uint64_t n)
{
	if (core_syscall(a->core, IX_SYS_CALL, calls, n, 0) == 0)
		look_at_results(a, calls, n);
}

static void one_step(struct app *a, struct input *in)
{
	uint8_t what = (uint8_t)take(in, 1);

	if (what < 0xa0)
		batch(a, in);
	else if (what < 0xc0)
		peer_acts(a, what);
	else if (what < 0xd0)
		core_background(a->core);
	else if (what < 0xe0)
		core_syscall(a->core, IX_SYS_TCP_INFO, any_handle(a, in), any_pointer(in),
			     take(in, 1));
	else if (what < 0xe8)
		core_syscall(a->core, IX_SYS_ATTACH, any_pointer(in), 0, 0);
	else if (what < 0xf0)
		call_only(a, any_pointer(in), take(in, 1));
	else if (what < 0xf8)
		a->now += take(in, 3);
	else
		core_syscall(a->core, take(in, 4), take(in, 8), take(in, 8), take(in, 8));
}

/* Everything back, by calls that must be harmless on what is gone already. */
static void give_back(struct app *a)
{
	struct ix_call *c = (struct ix_call *)page[1];
	struct ixn_usage u;
	uint32_t n = 0;

	static const uint8_t end[] = {IX_CALL_ABORT, IX_CALL_REJECT, IX_CALL_UNLISTEN,
				      IX_CALL_UDP_UNBIND, IX_CALL_TIMER_CANCEL};

	for (uint32_t k = 0; k < sizeof(end); k++) {
		n = 0;
		for (uint32_t i = 0; i < NHANDLE && i < a->nhandle; i++)
			c[n++] = (struct ix_call){.op = end[k], .handle = a->handle[i]};
		cycle(a, USER + PAGE, n);
	}
	for (uint32_t i = 0; i < a->nheld; i++) {
		*c = (struct ix_call){.op = IX_CALL_UDP_RECV_DONE};
		c->udp.addr = a->held[i];
		cycle(a, USER + PAGE, 1);
	}
	/* Handles that fell out of the table, and the stack's own timers: time settles the rest. */
	if (a->nhandle > NHANDLE || a->nheld == RXBUFS)
		return;
	for (int i = 0; i < 40; i++) {
		a->now += 2000000;
		cycle(a, 0, 0);
		for (uint32_t k = 0; k < a->nheld; k++)
			if (a->held[k]) {
				*c = (struct ix_call){.op = IX_CALL_UDP_RECV_DONE};
				c->udp.addr = a->held[k];
				cycle(a, USER + PAGE, 1);
				a->held[k] = 0;
			}
	}
	ixn_usage(core_net(a->core), &u);
	if (u.conns || u.tx_recs || u.reasm)
		fprintf(stderr, "conns %u tx_recs %u reasm %u\n", u.conns, u.tx_recs, u.reasm);
	check(!u.conns, "a connection is left");
	check(!u.tx_recs, "a reference to application memory is left");
}

static void say_count(void)
{
	printf("core_calls: %lu batches, %lu calls, %lu of them taken\n", nbatches, ncalls, ntaken);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return atexit(say_count);
}

/* The application ends, whatever it has left; then another one finds the core as new. */
static void end(struct app *a)
{
	struct ixn_usage u;

	core_end(a->core, CORE_DRAIN);
	for (int i = 0; i < 3; i++) {
		peer_round(a);
		core_end(a->core, CORE_RESET);
		a->now += 200;
	}
	do
		core_end(a->core, CORE_DROP);
	while (a->nqueue);
	/* Datagrams of which fragments are missing have their time. */
	a->now += 100000000;
	core_end(a->core, CORE_DROP);
	ixn_usage(core_net(a->core), &u);
	check(!u.conns && !u.tx_recs, "a connection has outlived its application");
	check(!u.reasm, "a datagram has outlived its application");
	attach(a);
	check(core_syscall(a->core, IX_SYS_RUN_IO, 0, 0, 0) == 0, "events for nobody");
	/* The peer's datagrams, too, go their way. */
	for (int i = 0; i < 8; i++) {
		a->now += 1000000;
		cycle(a, 0, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct app a = {0};

	for (uint32_t i = 0; i < PAGES; i++) {
		page[i] = aligned_alloc(PAGE, PAGE);
		memset(page[i], (int)i, PAGE);
	}
	start(&a);
	uint8_t how = (uint8_t)take(&in, 1);
	bool quits = how & 0x10; /* without giving anything back */

	if (how & 0xf) /* else: calls before attach */
		attach(&a);
	while (in.p < in.end && a.events)
		one_step(&a, &in);
	while (in.p < in.end)
		core_syscall(a.core, IX_SYS_BASE + take(&in, 1) % 5, any_pointer(&in), take(&in, 1),
			     0);
	if (a.events && !quits)
		give_back(&a);
	end(&a);
	stop(&a);
	for (uint32_t i = 0; i < PAGES; i++)
		free(page[i]);
	return 0;
}
