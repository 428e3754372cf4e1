// SPDX-License-Identifier: MIT
/* Headers as checksum and segmentation hardware expects them (X550 7.2.5, 7.2.4.7). */
#include <string.h>
#include <ix/nic.h>
#include "nic/nic_priv.h"

#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17

/* Sum of big-endian 16-bit words; len is even. */
static uint32_t sum16(const uint8_t *p, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

int ix_nic_tx_prepare(const struct ix_nic_tx *pkt)
{
	uint32_t l2 = pkt->l2_len ? pkt->l2_len : 14, l4_off = l2 + pkt->l3_len, total = 0, sum;
	bool tso = pkt->flags & IX_NIC_TX_TSO, v6 = pkt->flags & IX_NIC_TX_IPV6;
	bool tcp = pkt->flags & IX_NIC_TX_TCP_CSUM, udp = pkt->flags & IX_NIC_TX_UDP_CSUM;
	uint32_t field = l4_off + (tcp ? 16 : 6);
	uint8_t *p, *ip;

	for (unsigned i = 0; i < pkt->nseg; i++)
		total += pkt->seg[i].len;
	if (!pkt->nseg || pkt->l3_len < (v6 ? 40 : 20) || pkt->seg[0].len < l4_off ||
	    ((tcp || udp) && pkt->seg[0].len < field + 2))
		return -EINVAL;
	p = pkt->seg[0].va;
	ip = p + l2;
	if (pkt->flags & IX_NIC_TX_IP_CSUM)
		memset(ip + 10, 0, 2);
	if (tso)
		memset(ip + (v6 ? 4 : 2), 0, 2); /* payload or total length: of each segment */
	if (!tcp && !udp)
		return 0;
	sum = v6 ? sum16(ip + 8, 32) : sum16(ip + 12, 8);
	sum += tcp ? IP_PROTO_TCP : IP_PROTO_UDP;
	if (!tso)
		sum += total - l4_off;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	p[field] = sum >> 8;
	p[field + 1] = sum;
	return 0;
}
