/* SPDX-License-Identifier: MIT
 *
 * The run-to-completion loop and the native calls.
 */
#include "guest/core/priv.h"

#define PAGE 4096u

/* Puts objects one after the other; with base NULL it only counts. */
struct layout {
	uint8_t *base;
	size_t used;
};

static void *take(struct layout *l, size_t size)
{
	void *p = l->base ? l->base + l->used : NULL;

	l->used += (size + 63) & ~(size_t)63;
	return p;
}

static bool valid(const struct core_config *cfg)
{
	return cfg->batch && cfg->batch <= CORE_MAX_BATCH && cfg->events >= 64 &&
	       cfg->events <= 65536 && cfg->rx_buffers >= 2 * cfg->batch && ixn_size(&cfg->net);
}

struct pieces {
	struct core *core;
	void *net, *timers, *rxbuf, *free, *held, *reasm_held, *evq;
};

static size_t lay_out(void *mem, const struct core_config *cfg, struct pieces *p)
{
	struct layout l = {.base = mem};

	p->core = take(&l, sizeof(struct core));
	p->evq = take(&l, (size_t)cfg->events * sizeof(struct ixn_event));
	p->free = take(&l, (size_t)cfg->rx_buffers * sizeof(uint32_t));
	p->rxbuf = take(&l, (size_t)cfg->rx_buffers * sizeof(struct ixn_rxbuf));
	p->held = take(&l, cfg->rx_buffers);
	p->reasm_held = take(&l, cfg->net.reasm_slots * sizeof(struct ixn_rxbuf *));
	p->timers = take(&l, timers_size(cfg->timers));
	/* The stack's objects must not straddle pages where ops->dma() is asked. */
	l.used = (l.used + PAGE - 1) & ~(size_t)(PAGE - 1);
	p->net = take(&l, ixn_size(&cfg->net));
	return l.used;
}

/* `shared`: reassembly slots, event array, receive buffers. */
static size_t events_size(const struct core_config *cfg)
{
	return ((size_t)cfg->events * sizeof(struct ix_event) + PAGE - 1) & ~(size_t)(PAGE - 1);
}

size_t core_mem_size(const struct core_config *cfg)
{
	struct pieces p;

	return valid(cfg) ? lay_out(NULL, cfg, &p) : 0;
}

size_t core_shared_size(const struct core_config *cfg)
{
	return valid(cfg) ? events_size(cfg) + (size_t)cfg->rx_buffers * CORE_RXBUF_SIZE +
				(size_t)cfg->net.reasm_slots * REASM_SLOT
			  : 0;
}

/* ---- the stack's world ---- */

static uint32_t op_tx(void *user, struct ixn_txpkt **pkts, uint32_t n)
{
	struct core *c = user;
	uint32_t taken = c->port.tx(c->port.ctx, pkts, n);

	c->n.tx_frames += taken;
	c->n.tx_refused += n - taken;
	return taken;
}

static void op_rx_release(void *user, struct ixn_rxbuf *buf)
{
	core_rxbuf_put(user, buf);
}

static uint64_t op_dma(void *user, const void *p, size_t len)
{
	struct core *c = user;

	(void)len;
	return (uint64_t)(uintptr_t)p + c->env.dma_delta;
}

static bool op_steered(void *user, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	struct core *c = user;

	return !c->port.steered_here ||
	       c->port.steered_here(c->port.ctx, raddr, laddr, rport, lport);
}

static uint32_t op_hash(void *user, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	struct core *c = user;

	return c->port.rss_hash ? c->port.rss_hash(c->port.ctx, raddr, laddr, rport, lport) : 0;
}

static const struct ixn_ops net_ops = {
    .tx = op_tx,
    .rx_release = op_rx_release,
    .dma = op_dma,
    .steered_here = op_steered,
    .rss_hash = op_hash,
};

/* ---- life ---- */

struct core *core_init(void *mem, void *shared, const struct core_params *par)
{
	const struct core_config *cfg = par->cfg;
	struct ixn_config net = cfg->net;
	struct pieces p;
	struct core *c;

	if (!valid(cfg))
		return NULL;
	lay_out(mem, cfg, &p);
	c = p.core;
	memset(c, 0, sizeof(*c));
	c->env = *par->env;
	c->id = par->id;
	c->ncores = par->ncores;
	c->stats = par->stats;
	c->batch = cfg->batch;
	c->backlog = cfg->backlog;
	c->sleep = cfg->idle_sleep;
	c->max_events = cfg->events;
	c->shared = shared;
	c->shared_size = core_shared_size(cfg);
	c->reasm_mem = shared;
	c->nreasm = cfg->net.reasm_slots;
	c->events = (struct ix_event *)(c->reasm_mem + (size_t)c->nreasm * REASM_SLOT);
	c->rx_mem = (uint8_t *)c->events + events_size(cfg);
	c->rxbuf = p.rxbuf;
	c->free = p.free;
	c->rx_held = p.held;
	c->reasm_held = p.reasm_held;
	memset(c->rx_held, 0, cfg->rx_buffers);
	memset(c->reasm_held, 0, c->nreasm * sizeof(c->reasm_held[0]));
	c->nrxbufs = cfg->rx_buffers;
	/* Of those that the NIC's ring does not hold. */
	c->scarce = cfg->rx_buffers > cfg->rx_ring ? (cfg->rx_buffers - cfg->rx_ring) / 8 : 0;
	for (uint32_t i = 0; i < c->nrxbufs; i++) {
		c->rxbuf[i] = (struct ixn_rxbuf){.user = i};
		c->free[c->nfree++] = c->nrxbufs - 1 - i; /* LIFO: buffer 0 first */
	}
	timers_init(&c->timers, p.timers, cfg->timers);
	c->evq = (struct ixn_evq){.ev = p.evq, .cap = cfg->events};
	net.reasm_mem = c->nreasm ? c->reasm_mem : NULL;
	net.arp = par->arp;
	c->net = ixn_init(p.net, &net, &net_ops, c, &c->evq, c->env.now_us(c->env.ctx));
	c->tsc_mark = rdtsc();
	return c->net ? c : NULL;
}

void core_set_port(struct core *c, const struct core_port *port)
{
	c->port = *port;
}

int core_start(struct core *c, const struct core_config *cfg)
{
	uint64_t now = c->env.now_us(c->env.ctx);
	int err = ixn_acl_set(c->net, cfg->acl, cfg->nacls);

	for (uint32_t i = 0; i < cfg->naddrs && !err; i++)
		err = ixn_addr_add(c->net, cfg->addr[i].addr, cfg->addr[i].len);
	for (uint32_t i = 0; i < cfg->nroutes && !err; i++)
		err =
		    ixn_route_add(c->net, cfg->route[i].addr, cfg->route[i].len, cfg->route[i].gw);
	if (!err && ixn_to_u32(&cfg->gateway))
		err = ixn_route_add(c->net, ixn_v4(0, 0, 0, 0), 0, cfg->gateway);
	for (uint32_t i = 0; i < cfg->narps && !err; i++)
		err = ixn_arp_set(c->net, cfg->arp[i].addr, cfg->arp[i].mac, now);
	return err;
}

/* ---- buffers ---- */

struct ixn_rxbuf *core_rxbuf_get(struct core *c)
{
	if (!c->nfree) {
		c->n.rx_no_buffer++;
		return NULL;
	}
	return core_rxbuf(c, c->free[--c->nfree]);
}

void core_rxbuf_put(struct core *c, struct ixn_rxbuf *buf)
{
	c->free[c->nfree++] = (uint32_t)buf->user;
}

uint8_t *core_rxbuf_memory(struct core *c, uint32_t number)
{
	return c->rx_mem + (size_t)number * CORE_RXBUF_SIZE;
}

struct ixn_rxbuf *core_rxbuf(struct core *c, uint32_t number)
{
	c->rxbuf[number].data = core_rxbuf_memory(c, number);
	c->rxbuf[number].dma = (uint64_t)(uintptr_t)c->rxbuf[number].data + c->env.dma_delta;
	return &c->rxbuf[number];
}

uint32_t core_rxbuf_count(const struct core *c)
{
	return c->nrxbufs;
}

void core_tx_done(struct core *c, struct ixn_txpkt *pkt)
{
	ixn_tx_done(c->net, pkt);
}

struct ixn *core_net(struct core *c)
{
	return c->net;
}

uint32_t core_id(const struct core *c)
{
	return c->id;
}

/* ---- the loop ---- */

static uint64_t now_us(struct core *c)
{
	return c->env.now_us(c->env.ctx);
}

/* end: the cycle is over, and with it handles that have died in it. */
static void transmit(struct core *c, uint64_t now, bool end)
{
	if (end)
		ixn_flush(c->net, now);
	else
		ixn_transmit(c->net, now);
	if (c->port.kick)
		c->port.kick(c->port.ctx);
}

/* Packets and timers in, events appended to evq. Number of packets; *next: as ixn_next_timer(). */
static uint32_t receive(struct core *c, uint64_t now, uint64_t *next)
{
	struct ixn_rxbuf *buf[CORE_MAX_BATCH];
	uint32_t n;

	c->port.poll(c->port.ctx, now);
	n = c->port.rx(c->port.ctx, buf, c->batch);
	/* Peers that make us hold buffers must not take the last ones, which all others need. */
	if (c->nfree < c->scarce) {
		for (uint32_t i = 0; i < n; i++)
			buf[i]->flags |= IXN_RX_SCARCE;
	}
	if (n)
		ixn_rx(c->net, buf, n, now);
	*next = ixn_next_timer(c->net);
	/* As ixn_rx() does, it brings up the events that had to wait, too. */
	if (*next <= now || (!n && ixn_backlogged(c->net))) {
		ixn_timers(c->net, now);
		*next = ixn_next_timer(c->net);
	}
	c->n.cycles++;
	c->n.cycles_empty += n == 0;
	c->n.rx_frames += n;
	if (n == c->batch) {
		c->n.rx_batch_full++;
		if (c->port.waiting)
			c->n.rx_waiting += c->port.waiting(c->port.ctx);
	}
	return n;
}

/* `stack`: ixn_next_timer() */
static uint64_t next_work(const struct core *c, uint64_t stack)
{
	uint64_t user = timers_next(&c->timers);

	if (ixn_backlogged(c->net) || c->evq.n)
		return 0;
	return user < stack ? user : stack;
}

uint64_t core_next(const struct core *c)
{
	return next_work(c, ixn_next_timer(c->net));
}

/* The time since it was last asked was spent in one way. */
static void spent(struct core *c, uint64_t *way)
{
	uint64_t now = rdtsc();

	*way += now - c->tsc_mark;
	c->tsc_mark = now;
}

/* `empty`: nothing was done since it was last called. False: the application is to be returned to. */
static bool sleep(struct core *c, uint64_t now, uint64_t until, bool empty)
{
	uint64_t mark = c->tsc_mark;
	bool go_on;

	if (until <= now)
		return true;
	spent(c, &c->n.tsc_kernel);
	if (empty)
		c->n.tsc_empty += c->tsc_mark - mark;
	go_on = c->env.idle(c->env.ctx, c->sleep ? until : now);
	spent(c, &c->n.tsc_idle);
	return go_on;
}

static uint32_t cycle(struct core *c, uint64_t wait)
{
	uint64_t now = now_us(c);
	uint64_t deadline = wait > UINT64_MAX - now ? UINT64_MAX : now + wait;
	uint64_t next;
	bool empty = false;

	/* What a background cycle has left is older than anything else: up with it first, and
	 * without ixn_flush(), which would end the handles that it is about. */
	if (c->evq.n) {
		core_drop_outdated(c);
		return core_deliver(c, now);
	}
	for (;;) {
		uint32_t packets, events;

		transmit(c, now, true);
		packets = receive(c, now, &next);
		events = core_deliver(c, now);
		core_stats_tick(c, now);
		if (events || now >= deadline)
			return events;
		next = next_work(c, next);
		if (!packets && !sleep(c, now, next < deadline ? next : deadline, empty))
			return 0;
		empty = !packets;
		now = now_us(c);
	}
}

/*
 * The events of the last run_io() are answered by these calls. Each descriptor is copied, executed
 * and its result written back; the array is touched nowhere else. A descriptor is aligned to its
 * size, so that none crosses from one piece of memory into another.
 */
static int execute(struct core *c, uint64_t calls, uint64_t n)
{
	uint64_t now = now_us(c);
	uint64_t end = calls + n * sizeof(struct ix_call);
	uint64_t run;
	uint8_t *p = NULL;

	if (n > IX_CALLS_MAX)
		return -E_INVAL;
	if (calls % sizeof(struct ix_call) || end < calls)
		return -E_FAULT;
	/* All of it must be there before any call is executed. */
	for (uint64_t at = calls; at < end; at += run) {
		p = c->env.user(c->env.ctx, at, end - at, true, &run);
		if (!p)
			return -E_FAULT;
	}
	for (uint64_t at = calls; at < end; at += run) {
		/* As a rule it is in one piece, which was just looked up. */
		if (n * sizeof(struct ix_call) > run)
			p = c->env.user(c->env.ctx, at, end - at, true, &run);
		if (!p)
			return -E_FAULT; /* unmapped by another thread meanwhile */
		for (uint8_t *stop = p + run; p < stop; p += sizeof(struct ix_call)) {
			struct ix_call call;
			int64_t ret;

			memcpy(&call, p, sizeof(call));
			ret = core_do_call(c, &call, now);
			memcpy(p + offsetof(struct ix_call, ret), &ret, sizeof(ret));
			c->n.calls++;
			c->n.calls_failed += ret < 0;
		}
	}
	return 0;
}

/* ---- native calls ---- */

static bool copy_out(struct core *c, uint64_t to, const void *from, uint64_t len)
{
	const uint8_t *p = from;

	while (len) {
		uint64_t run;
		void *dst = c->env.user(c->env.ctx, to, len, true, &run);

		if (!dst)
			return false;
		memcpy(dst, p, run);
		p += run;
		to += run;
		len -= run;
	}
	return true;
}

static int64_t attach(struct core *c, uint64_t addr)
{
	struct ix_attach a;
	struct ixn_addr local;
	uint64_t run;
	const void *p;

	/* Version and size lie in the first 8 bytes, which are aligned and so in one page. */
	p = addr % 8 ? NULL : c->env.user(c->env.ctx, addr, 8, true, &run);
	if (!p)
		return -E_FAULT;
	memcpy(&a, p, 8);
	if (a.version != IX_ABI_VERSION)
		return -E_NOTSUP;
	if (a.size < sizeof(a))
		return -E_INVAL;
	if (c->attached)
		return -E_BUSY;
	a = (struct ix_attach){
	    .version = IX_ABI_VERSION,
	    .size = sizeof(a),
	    .events = (uint64_t)(uintptr_t)c->events + c->env.user_delta,
	    .max_events = c->max_events,
	    .core = c->id,
	    .ncores = c->ncores,
	    .batch = c->batch,
	    .rx_base = (uint64_t)(uintptr_t)c->shared + c->env.user_delta,
	    .rx_size = c->shared_size,
	};
	if (ixn_local_addr(c->net, 0, &local) == 0)
		memcpy(&a.local, &local, sizeof(local));
	if (!copy_out(c, addr, &a, sizeof(a)))
		return -E_FAULT;
	c->attached = true;
	return 0;
}

static int64_t tcp_info(struct core *c, uint64_t handle, uint64_t addr, uint64_t size)
{
	static const uint8_t cc[] = {
	    [IXN_CC_CUBIC] = IX_CC_CUBIC,
	    [IXN_CC_NEWRENO] = IX_CC_NEWRENO,
	    [IXN_CC_DCTCP] = IX_CC_DCTCP,
	};
	uint64_t h = handle_unpack(KIND_CONN, handle);
	struct ixn_info in;
	struct ixn_tuple t;
	struct ix_tcp_info out = {0};

	if (!h || ixn_info(c->net, h, &in) < 0 || ixn_tuple(c->net, h, &t) < 0)
		return -E_BADF;
	memcpy(&out.tuple.local, &t.laddr, sizeof(t.laddr));
	memcpy(&out.tuple.remote, &t.raddr, sizeof(t.raddr));
	out.tuple.local_port = t.lport;
	out.tuple.remote_port = t.rport;
	out.state = in.state;
	out.mss = in.mss;
	out.cwnd = in.cwnd;
	out.ssthresh = in.ssthresh;
	out.snd_wnd = in.snd_wnd;
	out.rcv_wnd = in.rcv_wnd;
	out.srtt = in.srtt_us;
	out.rttvar = in.rttvar_us;
	out.rto = in.rto_us;
	out.unacked = in.in_flight;
	out.retransmits = (uint32_t)in.retransmits;
	out.congestion = in.cc < sizeof(cc) ? cc[in.cc] : 0;
	out.options = (in.timestamps ? IX_TCPOPT_TIMESTAMPS : 0) | (in.sack ? IX_TCPOPT_SACK : 0) |
		      (in.snd_wscale || in.rcv_wscale ? IX_TCPOPT_WSCALE : 0) |
		      (in.ecn ? IX_TCPOPT_ECN : 0);
	if (size > sizeof(out))
		size = sizeof(out);
	return copy_out(c, addr, &out, size) ? (int64_t)size : -E_FAULT;
}

_Static_assert((int)IX_TCP_CLOSED == (int)IXN_CLOSED && (int)IX_TCP_TIME_WAIT == (int)IXN_TIME_WAIT,
	       "TCP states have the same numbers");

static int64_t native(struct core *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t d)
{
	int err;

	if (nr == IX_SYS_ATTACH)
		return attach(c, a);
	if (!c->attached)
		return nr <= IX_SYS_CALL && nr >= IX_SYS_BASE ? -E_PERM : -E_NOSYS;
	switch (nr) {
	case IX_SYS_RUN_IO:
		c->n.run_io++;
		err = execute(c, a, b);
		return err < 0 ? err : (int64_t)cycle(c, d);
	case IX_SYS_CALL:
		return execute(c, a, b);
	case IX_SYS_TCP_INFO:
		return tcp_info(c, a, b, d);
	default:
		return -E_NOSYS;
	}
}

int64_t core_syscall(struct core *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t d)
{
	int64_t ret;

	spent(c, &c->n.tsc_user);
	ret = native(c, nr, a, b, d);
	spent(c, &c->n.tsc_kernel);
	return ret;
}

/* What the application held or waited for. */
static void forget(struct core *c)
{
	c->evq.n = 0;
	c->dead_out = c->dead_held = false;
	timers_clear(&c->timers);
	for (uint32_t i = 0; i < c->nrxbufs; i++) {
		if (c->rx_held[i])
			ixn_udp_recv_done(c->net, &c->rxbuf[i]);
		c->rx_held[i] = 0;
	}
	for (uint32_t i = 0; i < c->nreasm; i++) {
		if (c->reasm_held[i])
			ixn_udp_recv_done(c->net, c->reasm_held[i]);
		c->reasm_held[i] = NULL;
	}
}

uint32_t core_end(struct core *c, enum core_end how)
{
	uint64_t now = now_us(c), next;
	uint32_t left = 0;
	struct ixn_usage u;

	core_discard(c);
	forget(c);
	ixn_unlisten_all(c->net);
	if (how != CORE_DRAIN)
		left = ixn_abort_all(c->net, how == CORE_DROP);
	transmit(c, now, true);
	receive(c, now, &next);
	core_discard(c);
	if (how == CORE_DROP)
		c->attached = false;
	core_stats_update(c);
	ixn_usage(c->net, &u);
	return left + u.tx_pkts + (how == CORE_DRAIN ? u.tx_recs : 0);
}

void core_background(struct core *c)
{
	uint64_t now = now_us(c), next;

	c->n.background++;
	for (uint32_t i = 0; i < c->evq.n && !c->dead_held; i++)
		c->dead_held = c->evq.ev[i].type == IXN_EV_DEAD;
	/* A handle whose last event the application has not answered does not end here. */
	transmit(c, now, !c->dead_out && !c->dead_held);
	receive(c, now, &next);
	core_stats_tick(c, now);
}
