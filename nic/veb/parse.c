// SPDX-License-Identifier: MIT
/* What the 82599's parser finds in a frame: types, checksums, RSS hash. */
#include "nic/veb/veb.h"

#define ETH_LEN       14
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define ETHERTYPE_TAG 0x8100
#define PROTO_HOPOPTS 0
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_ROUTING 43
#define PROTO_FRAG    44
#define PROTO_DSTOPTS 60
#define MAX_EXT_HDRS  4

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/*
 * Sum of big-endian 16-bit words; an odd last byte is a high one. Adds native words and swaps the
 * folded sum, which RFC 1071 2 (B) allows.
 */
uint32_t veb_sum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;
	uint64_t acc = 0, w;
	uint16_t folded;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		acc += w;
		acc += acc < w; /* end-around carry */
	}
	w = 0;
	memcpy(&w, p, len);
	acc += w;
	acc += acc < w;
	acc = (acc & 0xffffffff) + (acc >> 32);
	acc = (acc & 0xffffffff) + (acc >> 32);
	folded = veb_fold(acc);
	return sum + (uint16_t)(folded << 8 | folded >> 8);
}

uint16_t veb_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

uint32_t veb_crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Returns the protocol above IPv4, or -1 if there is no header to be found. */
static int parse_ip4(struct veb_frame *fr)
{
	const uint8_t *ip = fr->data + fr->l3;
	uint32_t room = fr->len - fr->l3, hlen, total;

	if (room < 20 || ip[0] >> 4 != 4)
		return -1;
	hlen = 4 * (ip[0] & 15);
	total = be16(ip + 2);
	if (hlen < 20 || total < hlen || total > room)
		return -1;
	fr->ip4 = true;
	fr->ptype |= VF_RX_PTYPE_IP4 | (hlen > 20 ? VF_RX_PTYPE_IP4OPT : 0);
	fr->frag = be16(ip + 6) & 0x3fff; /* more fragments, or an offset */
	fr->l4 = fr->l3 + hlen;
	fr->l4_end = fr->l3 + total;
	return ip[9];
}

static int parse_ip6(struct veb_frame *fr)
{
	const uint8_t *ip = fr->data + fr->l3;
	uint32_t room = fr->len - fr->l3, off = 40;
	int next;

	if (room < 40 || ip[0] >> 4 != 6 || be16(ip + 4) + 40 > room)
		return -1;
	room = be16(ip + 4) + 40; /* extension headers lie in the packet, not in padding */
	fr->ip6 = true;
	fr->ptype |= VF_RX_PTYPE_IP6;
	next = ip[6];
	for (unsigned i = 0; i < MAX_EXT_HDRS; i++) {
		if (next != PROTO_HOPOPTS && next != PROTO_ROUTING && next != PROTO_DSTOPTS &&
		    next != PROTO_FRAG)
			break;
		if (off + 8 > room)
			return -1;
		fr->ptype |= VF_RX_PTYPE_IP6EXT;
		if (next == PROTO_FRAG) {
			fr->frag = true;
			return -1;
		}
		next = ip[off];
		off += 8 + 8 * ip[off + 1];
	}
	fr->l4 = fr->l3 + off;
	fr->l4_end = fr->l3 + room;
	return next;
}

/* TCP by ports, everything else (UDP as Linux's PF sets it, and fragments) by addresses. */
static void hash(const struct veb *v, struct veb_frame *fr)
{
	uint8_t in[IX_RSS_INPUT_MAX];
	uint32_t alen = fr->ip4 ? 8 : 32;

	memcpy(in, fr->data + fr->l3 + (fr->ip4 ? 12 : 8), alen);
	if (fr->tcp)
		memcpy(in + alen, fr->data + fr->l4, 4);
	fr->hash = ix_toeplitz(&v->rss.toeplitz, in, fr->tcp ? alen + 4 : alen);
	if (fr->tcp)
		fr->rss_type = fr->ip4 ? VF_RSSTYPE_TCP4 : VF_RSSTYPE_TCP6;
	else
		fr->rss_type = fr->ip4 ? VF_RSSTYPE_IP4 : VF_RSSTYPE_IP6;
}

void veb_parse(const struct veb *v, struct veb_frame *fr)
{
	uint32_t type, l4_room;
	int proto = -1;

	fr->tagged = fr->ip4 = fr->ip6 = fr->frag = fr->tcp = fr->udp = false;
	fr->ptype = fr->rss_type = fr->hash = fr->tci = fr->l4 = fr->l4_end = 0;
	fr->l3 = ETH_LEN;
	type = be16(fr->data + 12);
	if (type == ETHERTYPE_TAG && fr->len >= ETH_LEN + VEB_TAG_LEN) {
		fr->tagged = true;
		fr->tci = be16(fr->data + 14);
		fr->l3 += VEB_TAG_LEN;
		type = be16(fr->data + 16);
	}
	if (type == ETHERTYPE_IP4)
		proto = parse_ip4(fr);
	else if (type == ETHERTYPE_IP6)
		proto = parse_ip6(fr);
	l4_room = fr->l4 < fr->l4_end ? fr->l4_end - fr->l4 : 0;
	if (!fr->frag && proto == PROTO_TCP && l4_room >= 20) {
		fr->tcp = true;
		fr->ptype |= VF_RX_PTYPE_TCP;
	} else if (!fr->frag && proto == PROTO_UDP && l4_room >= 8) {
		fr->udp = true;
		fr->ptype |= VF_RX_PTYPE_UDP;
	} else {
		fr->l4 = 0;
	}
	if (fr->ip4 || fr->ip6)
		hash(v, fr);
}

void veb_verify(struct veb_frame *fr)
{
	const uint8_t *ip = fr->data + fr->l3, *l4 = fr->data + fr->l4;
	uint32_t len, sum;

	if (fr->ip4) {
		fr->ip_ok = veb_fold(veb_sum(ip, 4 * (ip[0] & 15), 0)) == 0xffff;
		fr->ip_bad = !fr->ip_ok;
	}
	if (!fr->tcp && !fr->udp)
		return;
	if (fr->udp && fr->ip4 && be16(l4 + 6) == 0)
		return; /* none was sent: nothing to say */
	len = fr->l4_end - fr->l4;
	sum = veb_sum(ip + (fr->ip4 ? 12 : 8), fr->ip4 ? 8 : 32, 0);
	sum += (fr->tcp ? PROTO_TCP : PROTO_UDP) + len;
	fr->l4_ok = veb_fold(veb_sum(l4, len, sum)) == 0xffff;
	if (fr->udp && fr->ip6 && be16(l4 + 6) == 0)
		fr->l4_ok = false; /* RFC 8200 8.1: not allowed */
	fr->l4_bad = !fr->l4_ok;
}
