/* SPDX-License-Identifier: MIT */
/* UDP (RFC 768, RFC 1122 4.1). */
#include "net/core/core.h"

static uint32_t port_slot(uint16_t port)
{
	return (port ^ port >> 6) & 63;
}

static struct udp_bind *lookup(struct ixn *n, uint32_t ip, uint16_t port)
{
	struct udp_bind *any = NULL;

	for (uint32_t i = n->udp_hash[port_slot(port)]; i != NONE; i = n->udp[i].next) {
		struct udp_bind *u = &n->udp[i];
		if (u->port != port)
			continue;
		if (u->ip == ip)
			return u;
		if (!u->ip)
			any = u;
	}
	return any;
}

static struct udp_bind *from_handle(const struct ixn *n, ixn_udp h)
{
	uint32_t i = (uint32_t)h - 1;

	if (i >= n->cfg.max_udp || !n->udp[i].used || n->udp[i].gen != h >> 32)
		return NULL;
	return &n->udp[i];
}

static ixn_udp to_handle(const struct ixn *n, const struct udp_bind *u)
{
	return (uint64_t)u->gen << 32 | (uint32_t)(u - n->udp + 1);
}

void udp_rx(struct ixn *n, struct rxinfo *r)
{
	const uint8_t *h = r->l4;
	uint32_t len;

	if (r->l4_len < 8 || (len = get16(h + 4)) < 8 || len > r->l4_len) {
		n->st.udp_bad++;
		goto drop;
	}
	if (get16(h + 6) && !r->l4_ok &&
	    csum_fold(csum_add(csum_pseudo(r->src, r->dst, PROTO_UDP, len), h, len, 0)) != 0xffff) {
		n->st.udp_bad++;
		goto drop;
	}
	uint16_t port = get16(h + 2);
	if (!acl_allows(n, PROTO_UDP, true, r->src, port)) {
		n->st.acl_denied++;
		goto drop;
	}
	struct udp_bind *u = lookup(n, r->dst, port);
	if (!u) {
		n->st.udp_no_port++;
		icmp_unreachable(n, r, 3);
		goto drop;
	}
	struct ixn_event *ev = ev_get(n);
	if (!ev) {
		n->st.udp_ev_drop++;
		goto drop;
	}
	n->st.udp_in++;
	*ev = (struct ixn_event){.type = IXN_EV_UDP_RECV,
				 .laddr = r->laddr,
				 .lport = port,
				 .rport = get16(h),
				 .len = len - 8,
				 .handle = to_handle(n, u),
				 .cookie = u->cookie,
				 .ptr = h + 8,
				 .buf = r->buf,
				 .raddr = ixn_from_u32(r->src)};
	return;
drop:
	rx_release(n, r->buf);
}

void ixn_udp_recv_done(struct ixn *n, struct ixn_rxbuf *buf)
{
	rx_release(n, buf);
}

void udp_events(struct ixn *n)
{
	struct ixn_txpkt *p;

	while ((p = n->udp_sent_head)) {
		struct ixn_event *ev = ev_get(n);
		if (!ev)
			return;
		*ev = (struct ixn_event){
		    .type = IXN_EV_UDP_SENT, .handle = p->priv[3], .cookie = p->priv[2]};
		n->udp_sent_head = (struct ixn_txpkt *)(uintptr_t)p->priv[0];
		if (!n->udp_sent_head)
			n->udp_sent_tail = NULL;
		txpkt_put(n, p);
	}
}

void udp_icmp(struct ixn *n, const uint8_t *l4, uint32_t raddr, uint32_t laddr, int err)
{
	struct udp_bind *u = lookup(n, laddr, get16(l4));
	struct ixn_event *ev;

	if (!u || !(ev = ev_get(n)))
		return;
	*ev = (struct ixn_event){.type = IXN_EV_UDP_ERROR,
				 .lport = get16(l4),
				 .rport = get16(l4 + 2),
				 .result = err,
				 .handle = to_handle(n, u),
				 .cookie = u->cookie,
				 .raddr = ixn_from_u32(raddr)};
}

static bool port_taken(struct ixn *n, uint32_t ip, uint16_t port)
{
	for (uint32_t i = n->udp_hash[port_slot(port)]; i != NONE; i = n->udp[i].next) {
		if (n->udp[i].port == port && n->udp[i].ip == ip)
			return true;
	}
	return false;
}

int ixn_udp_bind(struct ixn *n, struct ixn_addr addr, uint16_t port, uint64_t cookie, ixn_udp *out)
{
	uint32_t ip, i, span = (uint32_t)n->cfg.port_hi - n->cfg.port_lo + 1;

	if (!addr_v4(&addr, true, &ip))
		return -IXN_EINVAL;
	if (ip && local_index(n, ip) == 0xff && !is_broadcast(n, ip))
		return -IXN_EADDRNOTAVAIL;
	if (!port) {
		uint32_t start = (uint32_t)(rng_next(n) % span), k;
		for (k = 0; k < span; k++) {
			port = (uint16_t)(n->cfg.port_lo + (start + k) % span);
			if (!lookup(n, ip, port) && !port_taken(n, ip, port))
				break;
		}
		if (k == span)
			return -IXN_EADDRINUSE;
	} else if (port_taken(n, ip, port)) {
		return -IXN_EADDRINUSE;
	}
	for (i = 0; i < n->cfg.max_udp && n->udp[i].used; i++)
		;
	if (i == n->cfg.max_udp)
		return -IXN_ENOMEM;
	struct udp_bind *u = &n->udp[i];
	uint32_t *slot = &n->udp_hash[port_slot(port)];
	*u = (struct udp_bind){.ip = ip,
			       .port = port,
			       .used = true,
			       .gen = u->gen + 1,
			       .cookie = cookie,
			       .next = *slot};
	*slot = i;
	*out = to_handle(n, u);
	return 0;
}

static void unbind(struct ixn *n, struct udp_bind *u)
{
	uint32_t i = (uint32_t)(u - n->udp), *p = &n->udp_hash[port_slot(u->port)];

	while (*p != i)
		p = &n->udp[*p].next;
	*p = u->next;
	u->used = false;
}

int ixn_udp_unbind(struct ixn *n, ixn_udp h)
{
	struct udp_bind *u = from_handle(n, h);

	if (!u)
		return -IXN_EBADF;
	unbind(n, u);
	return 0;
}

void udp_unbind_all(struct ixn *n)
{
	for (uint32_t i = 0; i < n->cfg.max_udp; i++)
		if (n->udp[i].used)
			unbind(n, &n->udp[i]);
}

int ixn_udp_name(struct ixn *n, ixn_udp h, struct ixn_addr *addr, uint16_t *port)
{
	struct udp_bind *u = from_handle(n, h);

	if (!u)
		return -IXN_EBADF;
	*addr = u->ip ? ixn_from_u32(u->ip) : IXN_ANY;
	*port = u->port;
	return 0;
}

int ixn_udp_send(struct ixn *n, ixn_udp h, struct ixn_addr dst, uint16_t port,
		 const struct ixn_seg *seg, uint32_t nsegs, uint64_t cookie, uint64_t now)
{
	struct udp_bind *u = from_handle(n, h);
	uint32_t ip;
	uint64_t len = 0;

	set_now(n, now);
	if (!u)
		return -IXN_EBADF;
	if (!addr_v4(&dst, false, &ip) || !ip || !port || nsegs > IXN_TX_SEGS ||
	    (ip >> 28 >= 14 && ip != 0xffffffff))
		return -IXN_EINVAL;
	for (uint32_t i = 0; i < nsegs; i++)
		len += seg[i].len;
	if (len > 65507)
		return -IXN_EMSGSIZE;
	if (!acl_allows(n, PROTO_UDP, false, ip, port)) {
		n->st.acl_denied++;
		return -IXN_EACCES;
	}
	uint8_t laddr = u->ip ? local_index(n, u->ip) : 0xff;
	if (u->ip && laddr == 0xff && !is_broadcast(n, u->ip)) /* it was taken away */
		return -IXN_EADDRNOTAVAIL;
	struct ip_send d = {.dst = ip,
			    .laddr = laddr,
			    .proto = PROTO_UDP,
			    .ttl = n->cfg.tcp.ttl,
			    .tos = (uint8_t)(n->cfg.tcp.dscp << 2),
			    .csum_at = 6,
			    .seg = seg,
			    .nsegs = nsegs,
			    .len = (uint32_t)len,
			    .cookie = cookie,
			    .handle = h};
	put16(d.l4, u->port);
	put16(d.l4 + 2, port);
	put16(d.l4 + 4, (uint16_t)(8 + len));
	int err = ip_send(n, &d);
	if (!err)
		n->st.udp_out++;
	return err;
}
