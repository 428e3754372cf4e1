/* SPDX-License-Identifier: MIT
 *
 * Batched calls. Every field comes from the application and is believed by nobody: handles carry
 * kind and generation, memory is resolved by the environment, the rest is checked here or by the
 * stack. `in` is a copy, so that another thread of the application cannot change it under us.
 */
#include "guest/core/priv.h"

#define USEC_PER_SEC 1000000u

static struct ixn_addr ip_in(const struct ix_ip *ip)
{
	struct ixn_addr a;

	memcpy(&a, ip, sizeof(a));
	return a;
}

/* Copies from application memory. */
static bool copy_in(struct core *c, void *to, uint64_t from, uint64_t len)
{
	uint8_t *p = to;

	while (len) {
		uint64_t run;
		const void *src = c->env.user(c->env.ctx, from, len, false, &run);

		if (!src)
			return false;
		memcpy(p, src, run);
		p += run;
		from += run;
		len -= run;
	}
	return true;
}

/*
 * Resolves n pieces at `addr` into at most `max` segments, no more than `limit` bytes in all. Number
 * of segments; -E_FAULT; -E_INVAL if they do not fit and `all` is asked for.
 */
static int resolve(struct core *c, uint64_t addr, uint32_t n, struct ixn_seg *seg, uint32_t max,
		   uint64_t limit, bool all)
{
	struct ix_iov iov[IX_IOV_MAX];
	uint32_t k = 0;

	if (!copy_in(c, iov, addr, n * sizeof(iov[0])))
		return -E_FAULT;
	for (uint32_t i = 0; i < n && limit; i++) {
		uint64_t base = iov[i].base;
		uint64_t left = iov[i].len;

		if (all && left > limit)
			return -E_INVAL;
		left = left < limit ? left : limit;
		limit -= left;
		while (left) {
			uint64_t run;
			const void *p;

			if (k == max)
				return all ? -E_INVAL : (int)k;
			p = c->env.user(c->env.ctx, base, left, false, &run);
			if (!p)
				return -E_FAULT;
			seg[k++] = (struct ixn_seg){
			    .ptr = p,
			    .dma = (uint64_t)(uintptr_t)p + c->env.dma_delta,
			    .len = (uint32_t)run,
			};
			base += run;
			left -= run;
		}
	}
	return (int)k;
}

static int64_t sendv(struct core *c, const struct ix_call *in, uint64_t h)
{
	struct ixn_seg seg[CORE_MAX_IOV];
	int64_t window;
	int n;

	if (in->n > IX_IOV_MAX)
		return -E_INVAL;
	window = ixn_send_window(c->net, h);
	if (window < 0)
		return window;
	/* The stack may take a little beyond the window it tells; it decides, with more at hand. */
	n = resolve(c, in->iov, in->n, seg, CORE_MAX_IOV, (uint64_t)window + 65536, false);
	return n < 0 ? n : ixn_sendv(c->net, h, seg, (uint32_t)n);
}

static int64_t udp_sendv(struct core *c, const struct ix_call *in, uint64_t h, uint64_t now)
{
	static const struct ix_ip zero;
	struct ixn_seg seg[IXN_TX_SEGS];
	int64_t sum = 0;
	int n, err;

	if (in->n > IX_UDP_IOV_MAX || memcmp(&in->udp.reserved, &zero, sizeof(zero)) != 0)
		return -E_INVAL;
	n = resolve(c, in->udp.addr, in->n, seg, IXN_TX_SEGS, 65536, true);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		sum += seg[i].len;
	err = ixn_udp_send(c->net, h, ip_in(&in->udp.remote), in->port, seg, (uint32_t)n,
			   in->cookie, now);
	return err < 0 ? err : sum;
}

static int64_t udp_recv_done(struct core *c, uint64_t addr)
{
	uint64_t p = addr - c->env.user_delta;
	uint64_t off = p - (uint64_t)(uintptr_t)c->rx_mem;
	struct ixn_rxbuf *buf;

	if (off < (uint64_t)c->nrxbufs * CORE_RXBUF_SIZE) {
		uint32_t i = (uint32_t)(off / CORE_RXBUF_SIZE);

		if (!c->rx_held[i])
			return -E_INVAL;
		c->rx_held[i] = 0;
		buf = &c->rxbuf[i];
	} else {
		off = p - (uint64_t)(uintptr_t)c->reasm_mem;
		if (off >= (uint64_t)c->nreasm * REASM_SLOT || !c->reasm_held[off / REASM_SLOT])
			return -E_INVAL;
		buf = c->reasm_held[off / REASM_SLOT];
		c->reasm_held[off / REASM_SLOT] = NULL;
	}
	ixn_udp_recv_done(c->net, buf);
	return 0;
}

static int64_t connect(struct core *c, const struct ix_call *in, uint64_t now)
{
	struct ixn_tuple t = {
	    .laddr = ip_in(&in->tuple.local),
	    .raddr = ip_in(&in->tuple.remote),
	    .lport = in->tuple.local_port,
	    .rport = in->tuple.remote_port,
	};
	ixn_conn h;
	int err;

	if (!t.rport)
		return -E_INVAL;
	err = ixn_connect(c->net, &t, in->cookie, now, &h);
	return err < 0 ? err : (int64_t)handle_pack(KIND_CONN, h);
}

static int64_t listen(struct core *c, const struct ix_call *in)
{
	ixn_listener h;
	int err;

	if (!in->tuple.local_port || in->n > 65535)
		return -E_INVAL;
	err = ixn_listen(c->net, ip_in(&in->tuple.local), in->tuple.local_port,
			 in->n ? in->n : c->backlog, in->cookie, &h);
	return err < 0 ? err : (int64_t)handle_pack(KIND_LISTENER, h);
}

static int64_t accept(struct core *c, const struct ix_call *in, uint64_t h)
{
	int err = ixn_accept(c->net, h, in->cookie);

	return err < 0 ? err : ixn_send_window(c->net, h);
}

static int64_t udp_bind(struct core *c, const struct ix_call *in)
{
	ixn_udp h;
	int err =
	    ixn_udp_bind(c->net, ip_in(&in->tuple.local), in->tuple.local_port, in->cookie, &h);

	return err < 0 ? err : (int64_t)handle_pack(KIND_UDP, h);
}

static int64_t set_option(struct core *c, const struct ix_call *in, uint64_t h)
{
	static const uint8_t cc[] = {
	    [IX_CC_NEWRENO] = IXN_CC_NEWRENO,
	    [IX_CC_CUBIC] = IXN_CC_CUBIC,
	    [IX_CC_DCTCP] = IXN_CC_DCTCP,
	};
	uint64_t v = in->opt.value;
	int err;

	if (in->opt.reserved)
		return -E_INVAL;
	switch (in->opt.option) {
	case IX_OPT_NODELAY:
		return v > 1 ? -E_INVAL : ixn_setopt(c->net, h, IXN_OPT_NODELAY, v);
	case IX_OPT_CORK:
		return v > 1 ? -E_INVAL : ixn_setopt(c->net, h, IXN_OPT_CORK, v);
	case IX_OPT_KEEPALIVE:
		if (v > IX_TIMER_MAX / USEC_PER_SEC)
			return -E_INVAL;
		err = v ? ixn_setopt(c->net, h, IXN_OPT_KEEPIDLE_US, v * USEC_PER_SEC) : 0;
		return err < 0 ? err : ixn_setopt(c->net, h, IXN_OPT_KEEPALIVE, v != 0);
	case IX_OPT_USER_TIMEOUT:
		return v > IX_TIMER_MAX / 1000
			   ? -E_INVAL
			   : ixn_setopt(c->net, h, IXN_OPT_USER_TIMEOUT_US, v * 1000);
	case IX_OPT_CONGESTION:
		return v >= sizeof(cc) ? -E_INVAL : ixn_setopt(c->net, h, IXN_OPT_CC, cc[v]);
	case IX_OPT_RCVWND:
		return v > UINT32_MAX ? -E_INVAL : ixn_setopt(c->net, h, IXN_OPT_RCV_WND, v);
	default:
		return -E_INVAL;
	}
}

/* Calls that are about a connection. */
static int64_t conn_call(struct core *c, const struct ix_call *in)
{
	uint64_t h = handle_unpack(KIND_CONN, in->handle);

	if (!h)
		return -E_BADF;
	switch (in->op) {
	case IX_CALL_ACCEPT:
		return accept(c, in, h);
	case IX_CALL_REJECT:
		return ixn_reject(c->net, h);
	case IX_CALL_SENDV:
		return sendv(c, in, h);
	case IX_CALL_RECV_DONE:
		return ixn_recv_done(c->net, h, in->bytes);
	case IX_CALL_CLOSE:
		return ixn_close(c->net, h);
	case IX_CALL_SHUTDOWN:
		return ixn_shutdown_write(c->net, h);
	case IX_CALL_ABORT:
		return ixn_abort(c->net, h);
	default:
		return set_option(c, in, h);
	}
}

static int64_t do_call(struct core *c, const struct ix_call *in, uint64_t now)
{
	uint64_t h;
	int64_t ret;

	if (in->flags)
		return -E_INVAL;
	switch (in->op) {
	case IX_CALL_NONE:
		return 0;
	case IX_CALL_CONNECT:
		return connect(c, in, now);
	case IX_CALL_LISTEN:
		return listen(c, in);
	case IX_CALL_UNLISTEN:
		h = handle_unpack(KIND_LISTENER, in->handle);
		return h ? ixn_unlisten(c->net, h) : -E_BADF;
	case IX_CALL_ACCEPT:
	case IX_CALL_REJECT:
	case IX_CALL_SENDV:
	case IX_CALL_RECV_DONE:
	case IX_CALL_CLOSE:
	case IX_CALL_SHUTDOWN:
	case IX_CALL_ABORT:
	case IX_CALL_SET_OPTION:
		return conn_call(c, in);
	case IX_CALL_UDP_BIND:
		return udp_bind(c, in);
	case IX_CALL_UDP_UNBIND:
		h = handle_unpack(KIND_UDP, in->handle);
		return h ? ixn_udp_unbind(c->net, h) : -E_BADF;
	case IX_CALL_UDP_SENDV:
		h = handle_unpack(KIND_UDP, in->handle);
		return h ? udp_sendv(c, in, h, now) : -E_BADF;
	case IX_CALL_UDP_RECV_DONE:
		return udp_recv_done(c, in->udp.addr);
	case IX_CALL_TIMER_ARM:
		h = in->handle ? handle_unpack(KIND_TIMER, in->handle) : 0;
		if (in->handle && !h)
			return -E_BADF;
		if (in->usec > IX_TIMER_MAX)
			return -E_INVAL;
		ret = timers_arm(&c->timers, h, in->cookie, now + in->usec);
		return ret < 0 ? ret : (int64_t)handle_pack(KIND_TIMER, (uint64_t)ret);
	case IX_CALL_TIMER_CANCEL:
		h = handle_unpack(KIND_TIMER, in->handle);
		return h ? timers_cancel(&c->timers, h) : -E_BADF;
	default:
		return -E_INVAL;
	}
}

int64_t core_do_call(struct core *c, const struct ix_call *in, uint64_t now)
{
	int64_t ret = do_call(c, in, now);

	/* To the application, every pool is a pool. */
	return ret == -IXN_ENOMEM ? -E_NOBUFS : ret;
}
