/* SPDX-License-Identifier: MIT */
/*
 * The connection table: open addressing over buckets of one cache line, seven entries each. An
 * entry is the 32-bit hash and the number of the connection, so a lookup reads one line of the
 * table, then the connection itself. A full bucket spills into the ones behind it.
 */
#include "net/tcp/tcp.h"

#define FAR 16 /* buckets an entry can be away from home */

static bool same(const struct ixn *n, uint32_t id, uint32_t raddr, uint32_t laddr, uint16_t rport,
		 uint16_t lport)
{
	if (id & ID_TIMEWAIT) {
		const struct timewait *w = &n->tw[id & ~ID_TIMEWAIT];
		return w->raddr == raddr && w->laddr == laddr && w->rport == rport &&
		       w->lport == lport;
	}
	const struct tcb *t = &n->tcb[id];
	return t->raddr == raddr && t->rport == rport && t->lport == lport &&
	       n->addr[t->laddr].ip == laddr;
}

uint32_t flow_find(const struct ixn *n, uint32_t hash, uint32_t raddr, uint32_t laddr,
		   uint16_t rport, uint16_t lport)
{
	uint32_t home = hash & n->bucket_mask;
	uint32_t reach = n->bucket[home].spill ? FAR : 1;

	for (uint32_t d = 0; d < reach; d++) {
		const struct bucket *k = &n->bucket[(home + d) & n->bucket_mask];
		for (uint32_t j = 0; j < 7; j++) {
			if (k->tag[j] == hash && k->id[j] != NONE &&
			    same(n, k->id[j], raddr, laddr, rport, lport))
				return k->id[j];
		}
	}
	return NONE;
}

bool flow_add(struct ixn *n, uint32_t hash, uint32_t id)
{
	uint32_t home = hash & n->bucket_mask;

	for (uint32_t d = 0; d < FAR; d++) {
		struct bucket *k = &n->bucket[(home + d) & n->bucket_mask];
		for (uint32_t j = 0; j < 7; j++) {
			if (k->id[j] == NONE) {
				k->id[j] = id;
				k->tag[j] = hash;
				n->bucket[home].spill += d != 0;
				return true;
			}
		}
	}
	return false;
}

void flow_del(struct ixn *n, uint32_t hash, uint32_t id)
{
	uint32_t home = hash & n->bucket_mask;

	for (uint32_t d = 0; d < FAR; d++) {
		struct bucket *k = &n->bucket[(home + d) & n->bucket_mask];
		for (uint32_t j = 0; j < 7; j++) {
			if (k->id[j] == id && k->tag[j] == hash) {
				k->id[j] = NONE;
				n->bucket[home].spill -= d != 0;
				return;
			}
		}
	}
}
