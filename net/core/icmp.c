/* SPDX-License-Identifier: MIT */
/* ICMP (RFC 792, RFC 1122 3.2.2): echo, errors in and out. */
#include "net/tcp/tcp.h"

static void echo(struct ixn *n, struct rxinfo *r)
{
	struct ixn_seg seg = {.ptr = r->l4 + 8,
			      .dma = r->buf->dma + (uint64_t)(r->l4 + 8 - r->buf->data),
			      .len = r->l4_len - 8};
	struct ip_send d = {.dst = r->src,
			    .laddr = r->laddr,
			    .proto = PROTO_ICMP,
			    .ttl = n->cfg.tcp.ttl,
			    .tos = r->tos & 0xfc,
			    .csum_at = 2,
			    .seg = &seg,
			    .nsegs = 1,
			    .len = r->l4_len - 8,
			    .rx = r->buf};

	memcpy(d.l4, r->l4, 8);
	d.l4[0] = 0;
	d.l4[2] = d.l4[3] = 0;
	n->st.icmp_echo++;
	if (ip_send(n, &d) < 0)
		rx_release(n, r->buf);
}

/* An error about a packet of ours, which it quotes (RFC 792). */
static void error_in(struct ixn *n, const struct rxinfo *r)
{
	uint8_t type = r->l4[0], code = r->l4[1];
	const uint8_t *ip = r->l4 + 8;
	uint32_t len = r->l4_len - 8;

	if (len < IX_IP_HLEN || ip[0] >> 4 != 4)
		return;
	uint32_t ihl = (uint32_t)(ip[0] & 15) * 4;
	if (ihl < IX_IP_HLEN || len < ihl + 8 || get16(ip + 6) & 0x1fff)
		return;
	uint32_t src = get32(ip + 12), dst = get32(ip + 16);
	if (local_index(n, src) == 0xff || local_index(n, src) != r->laddr)
		return;
	if (ip[9] == PROTO_TCP) {
		tcp_icmp(n, ip + ihl, dst, src, type, code, get16(r->l4 + 6));
	} else if (ip[9] == PROTO_UDP) {
		int err = -IXN_EHOSTUNREACH;
		if (type == 3 && code == 3)
			err = -IXN_ECONNREFUSED;
		else if (type == 3 && code == 4)
			err = -IXN_EMSGSIZE;
		else if (type == 3 && (code == 0 || code == 6))
			err = -IXN_ENETUNREACH;
		udp_icmp(n, ip + ihl, dst, src, err);
	}
}

void icmp_rx(struct ixn *n, struct rxinfo *r)
{
	n->st.icmp_in++;
	if (r->l4_len < 8 || (!(n->cfg.caps & IXN_CAP_NO_CSUM) &&
			      csum_fold(csum_add(0, r->l4, r->l4_len, 0)) != 0xffff)) {
		n->st.icmp_bad++;
		goto out;
	}
	switch (r->l4[0]) {
	case 8:
		/* RFC 1122 3.2.2.6: an echo to a broadcast may be ignored, and is */
		if (r->laddr == 0xff || !n->cfg.icmp_echo ||
		    !acl_allows(n, PROTO_ICMP, true, r->src, 0))
			break;
		echo(n, r);
		return;
	case 3:
	case 11:
	case 12:
		if (r->laddr != 0xff)
			error_in(n, r);
		break;
	default: /* RFC 9293 MUST-55: Source Quench is discarded, as is what is unknown */
		break;
	}
out:
	rx_release(n, r->buf);
}

static void error_out(struct ixn *n, const struct rxinfo *r, uint8_t type, uint8_t code)
{
	uint32_t nexthop;
	uint8_t laddr = r->laddr;

	/* RFC 1122 3.2.2: never about an ICMP error, a broadcast, a later fragment. */
	if (r->bcast || laddr == 0xff || get16(r->ip + 6) & 0x1fff ||
	    (r->proto == PROTO_ICMP && r->l4_len && r->l4[0] != 8 && r->l4[0] != 0))
		return;
	if (!limit_take(n, &n->icmp_limit, n->cfg.icmp_per_s)) {
		n->st.icmp_limited++;
		return;
	}
	if (!ip_route(n, r->src, &nexthop, &laddr))
		return;
	struct ixn_txpkt *p = txpkt_get(n);
	if (!p)
		return;
	uint8_t *h = p->hdr + IX_ETH_HLEN + IX_IP_HLEN;
	uint32_t quote = r->ihl + r->l4_len;
	if (quote > IXN_HDR_MAX - IX_ETH_HLEN - IX_IP_HLEN - 8)
		quote = IXN_HDR_MAX - IX_ETH_HLEN - IX_IP_HLEN - 8;
	memset(h, 0, 8);
	h[0] = type;
	h[1] = code;
	/* Of a reassembled datagram, header and payload are not in one piece. */
	memcpy(h + 8, r->ip, r->ihl);
	memcpy(h + 8 + r->ihl, r->l4, quote - r->ihl);
	put_csum(h + 2, (uint16_t)~csum_fold(csum_add(0, h, 8 + quote, 0)));
	p->l4_off = IX_ETH_HLEN + IX_IP_HLEN;
	p->hdr_len = (uint16_t)(p->l4_off + 8 + quote);
	/* RFC 1122 3.2.2: the type of service of what it answers */
	ip_header(n, p, n->addr[laddr].ip, r->src, PROTO_ICMP, n->cfg.tcp.ttl, r->tos & 0xfc,
		  ip_ident(n, n->addr[laddr].ip, r->src), 0, IX_IP_HLEN + 8 + quote);
	n->st.icmp_out++;
	arp_send(n, p, nexthop, NULL);
}

void icmp_unreachable(struct ixn *n, const struct rxinfo *r, uint8_t code)
{
	error_out(n, r, 3, code);
}

void icmp_time_exceeded(struct ixn *n, const struct rxinfo *r, uint8_t code)
{
	error_out(n, r, 11, code);
}
