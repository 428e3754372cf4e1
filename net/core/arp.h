/* SPDX-License-Identifier: MIT */
/* The ARP table, and its use for packets to a neighbour that is known. */
#ifndef NET_CORE_ARP_H
#define NET_CORE_ARP_H

#include "net/core/core.h"

#define ARP_REFRESH_US 60000000ull /* after this age, ask again (unicast) when used */

enum {
	E_FREE,
	E_VALID,
	E_STATIC,
};

struct arp_entry {
	uint32_t version;
	uint32_t ip;
	uint8_t mac[6];
	uint8_t state;
	uint8_t pad;
	uint64_t confirmed;
	uint64_t asked;
};

struct ixn_arp {
	uint32_t mask;
	uint32_t pad[15];
	struct arp_entry e[];
};

/* Writes an Ethernet header for IPv4. */
static inline void arp_fill(const struct ixn *n, uint8_t *hdr, const uint8_t *mac)
{
	memcpy(hdr, mac, 6);
	memcpy(hdr + 6, n->cfg.mac, 6);
	put16(hdr + 12, ETH_IP);
}

/* The same for a neighbour that is fresh in the entry used last; false: ask arp_send(). */
static inline bool arp_known(const struct ixn *n, uint8_t *hdr, uint32_t nexthop, uint16_t hint)
{
	const struct arp_entry *e = &n->arp->e[hint & n->arp->mask];
	uint32_t v = __atomic_load_n(&e->version, __ATOMIC_ACQUIRE);

	/* A broadcast address never has an entry. */
	if (unlikely(v & 1 || e->ip != nexthop ||
		     (e->state != E_STATIC &&
		      (e->state != E_VALID || n->now - e->confirmed > ARP_REFRESH_US))))
		return false;
	arp_fill(n, hdr, e->mac);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return likely(__atomic_load_n(&e->version, __ATOMIC_RELAXED) == v);
}

#endif
