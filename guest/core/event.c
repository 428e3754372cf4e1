/* SPDX-License-Identifier: MIT
 *
 * Events: from the stack's queue and the timers to the array that the application reads.
 */
#include "guest/core/priv.h"

_Static_assert(sizeof(struct ix_ip) == sizeof(struct ixn_addr), "addresses are the same bytes");

static uint64_t user_address(const struct core *c, const void *p)
{
	return (uint64_t)(uintptr_t)p + c->env.user_delta;
}

static void ip_out(struct ix_ip *to, const struct ixn_addr *from)
{
	memcpy(to, from, sizeof(*to));
}

static void local_out(struct core *c, struct ix_ip *to, uint8_t index)
{
	struct ixn_addr a;

	if (ixn_local_addr(c->net, index, &a) == 0)
		ip_out(to, &a);
}

static void tuple_out(struct core *c, struct ix_event *e, const struct ixn_event *in)
{
	local_out(c, &e->tuple.local, in->laddr);
	ip_out(&e->tuple.remote, &in->raddr);
	e->tuple.local_port = in->lport;
	e->tuple.remote_port = in->rport;
}

/* The application holds this datagram until it gives it back by address (call.c). */
static void hold(struct core *c, const struct ixn_event *in)
{
	size_t off = (size_t)(in->ptr - c->rx_mem);

	if (in->ptr >= c->rx_mem && off < (size_t)c->nrxbufs * CORE_RXBUF_SIZE)
		c->rx_held[off / CORE_RXBUF_SIZE] = 1;
	else
		c->reasm_held[(size_t)(in->ptr - c->reasm_mem) / REASM_SLOT] = in->buf;
}

/* False: nothing the application is told. */
static bool convert(struct core *c, struct ix_event *e, const struct ixn_event *in)
{
	memset(e, 0, sizeof(*e));
	e->cookie = in->cookie;
	e->handle = handle_pack(KIND_CONN, in->handle);
	switch (in->type) {
	case IXN_EV_KNOCK:
		e->type = IX_EV_KNOCK;
		tuple_out(c, e, in);
		return true;
	case IXN_EV_CONNECTED:
		e->type = IX_EV_CONNECTED;
		e->n = in->result < 0 ? (uint32_t)-in->result : 0;
		tuple_out(c, e, in);
		return true;
	case IXN_EV_RECV:
		e->type = IX_EV_RECV;
		e->n = in->len;
		e->addr = user_address(c, in->ptr);
		return true;
	case IXN_EV_SENT:
		e->type = IX_EV_SENT;
		e->n = in->len;
		e->window = in->window;
		return true;
	case IXN_EV_EOF:
		e->type = IX_EV_EOF;
		return true;
	case IXN_EV_DEAD:
		e->type = IX_EV_DEAD;
		e->reason = in->result;
		c->dead_out = true;
		return true;
	case IXN_EV_UDP_RECV:
		e->type = IX_EV_UDP_RECV;
		e->handle = handle_pack(KIND_UDP, in->handle);
		e->n = in->len;
		e->port = in->rport;
		e->udp.addr = user_address(c, in->ptr);
		ip_out(&e->udp.remote, &in->raddr);
		local_out(c, &e->udp.local, in->laddr);
		hold(c, in);
		return true;
	case IXN_EV_UDP_SENT:
		e->type = IX_EV_UDP_SENT;
		e->handle = handle_pack(KIND_UDP, in->handle);
		return true;
	default: /* soft errors and urgent data are not part of the interface */
		return false;
	}
}

/*
 * Whether the calls executed since have ended the connection that an event is about: then it is not the
 * application's any more, not even to give bytes back. (A knock is, until it is answered.)
 */
static bool outdated(struct core *c, const struct ixn_event *in)
{
	return in->type > IXN_EV_KNOCK && in->type <= IXN_EV_URGENT &&
	       ixn_recv_done(c->net, in->handle, 0) == -IXN_EBADF;
}

void core_drop_outdated(struct core *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->evq.n; i++)
		if (!outdated(c, &c->evq.ev[i]))
			c->evq.ev[kept++] = c->evq.ev[i];
	c->evq.n = kept;
}

void core_discard(struct core *c)
{
	for (uint32_t i = 0; i < c->evq.n; i++)
		if (c->evq.ev[i].type == IXN_EV_UDP_RECV)
			ixn_udp_recv_done(c->net, c->evq.ev[i].buf);
	c->evq.n = 0;
}

uint32_t core_deliver(struct core *c, uint64_t now)
{
	uint32_t n = 0;
	uint64_t handle, cookie;

	c->dead_out = c->dead_held = false;
	for (uint32_t i = 0; i < c->evq.n; i++)
		n += convert(c, &c->events[n], &c->evq.ev[i]);
	c->evq.n = 0;
	while (n < c->max_events && timers_pop(&c->timers, now, &handle, &cookie)) {
		struct ix_event *e = &c->events[n++];

		memset(e, 0,
		       sizeof(*e)); /* an initializer may leave bytes of a union as they are */
		e->type = IX_EV_TIMER;
		e->handle = handle_pack(KIND_TIMER, handle);
		e->cookie = cookie;
	}
	c->n.events += n;
	return n;
}
