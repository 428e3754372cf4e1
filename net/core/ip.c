/* SPDX-License-Identifier: MIT */
/* Ethernet and IPv4 input, local addresses, routes, the IPv4 header. */
#include "net/tcp/tcp.h"

static bool usable(const struct ifaddr *a)
{
	return a->state == ADDR_OK || a->state == ADDR_ANNOUNCE;
}

uint8_t local_index(const struct ixn *n, uint32_t ip)
{
	for (uint8_t i = 0; i < n->addr_end; i++) {
		if (n->addr[i].ip == ip && usable(&n->addr[i]))
			return i;
	}
	return 0xff;
}

/* Limited and directed broadcast, and the old all-zero form (RFC 1122 3.3.6). */
bool is_broadcast(const struct ixn *n, uint32_t ip)
{
	if (ip == 0xffffffff)
		return true;
	for (uint32_t i = 0; i < n->addr_end; i++) {
		const struct ifaddr *a = &n->addr[i];
		if (a->state != ADDR_FREE && a->mask < 0xfffffffe && !((a->ip ^ ip) & a->mask) &&
		    (!(ip & ~a->mask) || (ip & ~a->mask) == ~a->mask))
			return true;
	}
	return false;
}

/* RFC 1122 3.2.1.3: what cannot be a source. */
bool bad_source(const struct ixn *n, uint32_t ip)
{
	return ip >> 24 == 0 || ip >> 24 == 127 || ip >> 28 >= 14 || is_broadcast(n, ip) ||
	       local_index(n, ip) != 0xff;
}

void ip_rx(struct ixn *n, struct ixn_rxbuf *b)
{
	const uint8_t *p = b->data;
	struct rxinfo r = {.buf = b, .laddr = 0xff};

	if (b->len < IX_ETH_HLEN ||
	    (memcmp(p, n->cfg.mac, 6) && memcmp(p, "\xff\xff\xff\xff\xff\xff", 6))) {
		n->st.rx_eth_drop++;
		goto drop;
	}
	r.bcast = p[0] & 1;
	if (get16(p + 12) == ETH_ARP) {
		arp_rx(n, p + IX_ETH_HLEN, b->len - IX_ETH_HLEN);
		goto drop;
	}
	if (get16(p + 12) != ETH_IP) {
		n->st.rx_eth_drop++;
		goto drop;
	}
	r.ip = p + IX_ETH_HLEN;
	uint32_t len = b->len - IX_ETH_HLEN;
	if (len < IX_IP_HLEN || r.ip[0] >> 4 != 4) {
		n->st.rx_ip_bad++;
		goto drop;
	}
	r.ihl = (uint16_t)((r.ip[0] & 15) * 4);
	uint32_t total = get16(r.ip + 2);
	if (r.ihl < IX_IP_HLEN || total < r.ihl || total > len) {
		n->st.rx_ip_bad++;
		goto drop;
	}
	if (!(b->flags & IXN_RX_IP_CSUM_OK) && !(n->cfg.caps & IXN_CAP_NO_CSUM) &&
	    csum_fold(csum_add(0, r.ip, r.ihl, 0)) != 0xffff) {
		n->st.rx_ip_csum++;
		goto drop;
	}
	r.src = get32(r.ip + 12);
	r.dst = get32(r.ip + 16);
	r.proto = r.ip[9];
	r.tos = r.ip[1];
	r.ttl = r.ip[8];
	r.l4 = r.ip + r.ihl;
	r.l4_len = total - r.ihl;
	if (bad_source(n, r.src)) {
		n->st.rx_ip_martian++;
		goto drop;
	}
	r.laddr = local_index(n, r.dst);
	if (r.laddr == 0xff) {
		if (!is_broadcast(n, r.dst) || !r.bcast) {
			n->st.rx_ip_not_ours++;
			goto drop;
		}
	} else if (r.bcast) { /* RFC 1122 3.3.6: unicast address in a link broadcast */
		n->st.rx_ip_not_ours++;
		goto drop;
	}
	r.l4_ok = b->flags & IXN_RX_L4_CSUM_OK || n->cfg.caps & IXN_CAP_NO_CSUM;
	if (get16(r.ip + 6) & 0x3fff) {
		n->st.rx_frags++;
		r.l4_ok = n->cfg.caps & IXN_CAP_NO_CSUM;
		reasm_rx(n, &r);
		return;
	}
	ip_deliver(n, &r);
	return;
drop:
	rx_release(n, b);
}

void ip_deliver(struct ixn *n, struct rxinfo *r)
{
	switch (r->proto) {
	case PROTO_TCP:
		tcp_rx(n, r);
		return;
	case PROTO_UDP:
		udp_rx(n, r);
		return;
	case PROTO_ICMP:
		icmp_rx(n, r);
		return;
	default:
		n->st.rx_ip_bad++;
		icmp_unreachable(n, r, 2);
		rx_release(n, r->buf);
	}
}

bool ip_next_hop(const struct ixn *n, uint32_t dst, uint8_t laddr, uint32_t *nexthop)
{
	const struct ifaddr *a = &n->addr[laddr];
	const struct route *best = NULL;

	if (likely(!((a->ip ^ dst) & a->mask) && !n->nroutes)) {
		*nexthop = dst;
		return true;
	}
	for (uint32_t i = 0; i < n->nroutes; i++) {
		const struct route *r = &n->route[i];
		if (!((r->dst ^ dst) & r->mask) && (!best || r->mask > best->mask))
			best = r;
	}
	for (uint32_t i = 0; i < MAX_ADDRS; i++) {
		a = &n->addr[i];
		if (usable(a) && !((a->ip ^ dst) & a->mask) && (!best || a->mask >= best->mask)) {
			*nexthop = dst;
			return true;
		}
	}
	if (dst == 0xffffffff) {
		*nexthop = dst;
		return true;
	}
	if (!best)
		return false;
	*nexthop = best->gw ? best->gw : dst;
	return true;
}

bool ip_route(const struct ixn *n, uint32_t dst, uint32_t *nexthop, uint8_t *laddr)
{
	uint8_t first = 0xff;

	for (uint8_t i = 0; i < MAX_ADDRS; i++) {
		if (usable(&n->addr[i])) {
			first = i;
			break;
		}
	}
	if (first == 0xff || !ip_next_hop(n, dst, first, nexthop))
		return false;
	if (*laddr == 0xff) { /* the address in the network of the next hop */
		*laddr = first;
		for (uint8_t i = 0; i < MAX_ADDRS; i++) {
			const struct ifaddr *a = &n->addr[i];
			if (usable(a) && !((a->ip ^ *nexthop) & a->mask)) {
				*laddr = i;
				break;
			}
		}
	}
	return true;
}

static uint32_t prefix_mask(uint8_t prefix)
{
	return prefix > 32 ? 0 : (uint32_t)(0xffffffffull << (32 - prefix));
}

int ixn_addr_add(struct ixn *n, struct ixn_addr addr, uint8_t prefix)
{
	uint32_t ip, free = MAX_ADDRS;
	uint32_t mask = prefix_mask(prefix);

	if (!addr_v4(&addr, false, &ip) || prefix > 32 || ip >> 24 == 0 || ip >> 24 == 127 ||
	    ip >> 28 >= 14 || (prefix < 31 && (!(ip & ~mask) || (ip & ~mask) == ~mask)))
		return -IXN_EINVAL;
	for (uint32_t i = MAX_ADDRS; i-- > 0;) {
		if (n->addr[i].state == ADDR_FREE)
			free = i;
		else if (n->addr[i].ip == ip)
			return -IXN_EADDRINUSE;
	}
	if (free == MAX_ADDRS)
		return -IXN_ENOMEM;
	if (free >= n->addr_end)
		n->addr_end = free + 1;
	n->addr[free] = (struct ifaddr){.ip = ip,
					.mask = mask,
					.state = n->cfg.arp_announce ? ADDR_PROBE : ADDR_OK,
					.due = n->now};
	return 0;
}

int ixn_addr_del(struct ixn *n, struct ixn_addr addr)
{
	uint32_t ip;

	if (!addr_v4(&addr, false, &ip))
		return -IXN_EINVAL;
	for (uint32_t i = 0; i < MAX_ADDRS; i++) {
		if (n->addr[i].state == ADDR_FREE || n->addr[i].ip != ip)
			continue;
		for (uint32_t k = 0; k < n->cfg.max_conns; k++) {
			struct tcb *t = &n->tcb[k];
			if (t->state != IXN_CLOSED && t->laddr == i)
				conn_end(n, t, -IXN_EADDRNOTAVAIL, true);
		}
		tw_drop_addr(n, (uint8_t)i);
		reasm_drop_addr(n, (uint8_t)i);
		n->addr[i] = (struct ifaddr){0};
		return 0;
	}
	return -IXN_EINVAL;
}

int ixn_local_addr(const struct ixn *n, uint8_t index, struct ixn_addr *addr)
{
	if (index >= MAX_ADDRS || n->addr[index].state == ADDR_FREE)
		return -IXN_EINVAL;
	*addr = ixn_from_u32(n->addr[index].ip);
	return n->addr[index].state == ADDR_CONFLICT ? -IXN_EADDRINUSE : 0;
}

int ixn_route_add(struct ixn *n, struct ixn_addr dst, uint8_t prefix, struct ixn_addr gw)
{
	uint32_t mask = prefix_mask(prefix);
	struct route r = {.mask = mask};

	if (prefix > 32 || !addr_v4(&dst, true, &r.dst) || !addr_v4(&gw, true, &r.gw))
		return -IXN_EINVAL;
	r.dst &= mask;
	for (uint32_t i = 0; i < n->nroutes; i++) {
		if (n->route[i].dst == r.dst && n->route[i].mask == mask) {
			n->route[i] = r;
			return 0;
		}
	}
	if (n->nroutes == MAX_ROUTES)
		return -IXN_ENOMEM;
	n->route[n->nroutes++] = r;
	return 0;
}

int ixn_route_del(struct ixn *n, struct ixn_addr dst, uint8_t prefix)
{
	uint32_t mask = prefix_mask(prefix), ip;

	if (prefix > 32 || !addr_v4(&dst, true, &ip))
		return -IXN_EINVAL;
	ip &= mask;
	for (uint32_t i = 0; i < n->nroutes; i++) {
		if (n->route[i].dst == ip && n->route[i].mask == mask) {
			n->route[i] = n->route[--n->nroutes];
			return 0;
		}
	}
	return -IXN_EINVAL;
}
