/* SPDX-License-Identifier: MIT */
/*
 * ARP (RFC 826), with the host requirements of RFC 1122 2.3.2 (ageing, request rate, a queue of
 * packets) and address probing, announcing and defending (RFC 5227).
 *
 * The table may be shared by cores. An entry has a version that is odd while it is written;
 * readers check it before and after and treat a change as a miss. A writer that finds the entry
 * taken gives up: another core is writing the same news.
 */
#include "net/core/arp.h"

#define WAYS         8
#define EXPIRE_US    75000000ull /* used and not confirmed for so long: gone */
#define RETRY_US     1000000ull  /* at most one request per second and target */
#define TRIES        3
#define PROBE_NUM    3 /* RFC 5227 1.1, with its times shortened to their minimum */
#define PROBE_US     1000000ull
#define ANNOUNCE_NUM 2
#define ANNOUNCE_US  2000000ull
#define DEFEND_US    10000000ull

static uint32_t table_entries(uint32_t want)
{
	uint32_t n = 16;

	while (n < want && n < 32768)
		n *= 2;
	return n;
}

size_t ixn_arp_size(uint32_t entries)
{
	return sizeof(struct ixn_arp) + table_entries(entries) * sizeof(struct arp_entry);
}

struct ixn_arp *ixn_arp_init(void *mem, uint32_t entries)
{
	struct ixn_arp *a = mem;

	memset(a, 0, ixn_arp_size(entries));
	a->mask = table_entries(entries) - 1;
	return a;
}

static uint32_t slot_of(const struct ixn_arp *a, uint32_t ip, uint32_t way)
{
	return (ip * 0x9e3779b1u >> 8 & a->mask) ^ way;
}

/* A consistent copy of an entry if it is for ip. */
static bool read_entry(const struct arp_entry *e, uint32_t ip, struct arp_entry *copy)
{
	uint32_t v = __atomic_load_n(&e->version, __ATOMIC_ACQUIRE);

	if (v & 1 || e->ip != ip || e->state == E_FREE)
		return false;
	*copy = *e;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&e->version, __ATOMIC_RELAXED) == v;
}

static bool lock_entry(struct arp_entry *e)
{
	uint32_t v = __atomic_load_n(&e->version, __ATOMIC_RELAXED);

	return !(v & 1) && __atomic_compare_exchange_n(&e->version, &v, v + 1, false,
						       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void unlock_entry(struct arp_entry *e)
{
	__atomic_store_n(&e->version, e->version + 1, __ATOMIC_RELEASE);
}

static struct arp_entry *find(struct ixn *n, uint32_t ip, struct arp_entry *copy)
{
	struct ixn_arp *a = n->arp;

	for (uint32_t w = 0; w < WAYS; w++) {
		struct arp_entry *e = &a->e[slot_of(a, ip, w)];
		if (read_entry(e, ip, copy))
			return e;
	}
	return NULL;
}

static void store(struct ixn *n, uint32_t ip, const uint8_t *mac, uint8_t state)
{
	struct ixn_arp *a = n->arp;
	struct arp_entry copy, *e = find(n, ip, &copy);

	if (!e) { /* a free way, else the one confirmed longest ago */
		for (uint32_t w = 0; w < WAYS; w++) {
			struct arp_entry *c = &a->e[slot_of(a, ip, w)];
			if (c->state == E_STATIC)
				continue;
			if (!e || c->state == E_FREE || c->confirmed < e->confirmed)
				e = c;
			if (c->state == E_FREE)
				break;
		}
		if (!e)
			return;
	} else if (copy.state == E_STATIC && state != E_STATIC) {
		return;
	}
	if (!lock_entry(e))
		return;
	e->ip = ip;
	memcpy(e->mac, mac, 6);
	e->state = state;
	e->confirmed = n->now;
	e->asked = n->now;
	unlock_entry(e);
}

static void forget(struct arp_entry *e)
{
	if (lock_entry(e)) {
		e->state = E_FREE;
		unlock_entry(e);
	}
}

static const uint8_t bcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void send_arp(struct ixn *n, uint16_t op, const uint8_t *eth_dst, uint32_t sip,
		     const uint8_t *tha, uint32_t tip)
{
	struct ixn_txpkt *p = txpkt_get(n);

	if (!p)
		return;
	uint8_t *h = p->hdr;
	memcpy(h, eth_dst, 6);
	memcpy(h + 6, n->cfg.mac, 6);
	put16(h + 12, ETH_ARP);
	put16(h + 14, 1);
	put16(h + 16, ETH_IP);
	h[18] = 6;
	h[19] = 4;
	put16(h + 20, op);
	memcpy(h + 22, n->cfg.mac, 6);
	put32(h + 28, sip);
	memcpy(h + 32, tha, 6);
	put32(h + 38, tip);
	p->hdr_len = 42;
	if (op == 1)
		n->st.arp_requests++;
	else
		n->st.arp_replies++;
	tx_queue(n, p);
}

/* The local address to ask from: one in the target's network if there is one. */
static uint32_t source_for(const struct ixn *n, uint32_t ip)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < MAX_ADDRS; i++) {
		const struct ifaddr *a = &n->addr[i];
		if (a->state != ADDR_ANNOUNCE && a->state != ADDR_OK)
			continue;
		if (!((a->ip ^ ip) & a->mask))
			return a->ip;
		any = a->ip;
	}
	return any;
}

static void request(struct ixn *n, uint32_t ip, const uint8_t *dst)
{
	static const uint8_t zero[6];

	send_arp(n, 1, dst, source_for(n, ip), zero, ip);
}

static struct ixn_txpkt *wait_pop(struct arp_wait *w)
{
	struct ixn_txpkt *p = w->head;

	if (p) {
		w->head = (struct ixn_txpkt *)(uintptr_t)p->drv;
		if (!w->head)
			w->tail = NULL;
		w->count--;
	}
	return p;
}

static void wait_for(struct ixn *n, struct ixn_txpkt *p, uint32_t ip)
{
	struct arp_wait *w = NULL, *free = NULL;

	for (uint32_t i = 0; i < ARP_WAITS && !w; i++) {
		if (n->wait[i].ip == ip)
			w = &n->wait[i];
		else if (!n->wait[i].ip)
			free = &n->wait[i];
	}
	if (!w) {
		if (!free) {
			n->st.arp_queue_drop++;
			ixn_tx_done(n, p);
			return;
		}
		w = free;
		memset(w, 0, sizeof(*w));
		w->ip = ip;
		w->tries = 1;
		w->due = n->now + RETRY_US;
		n->nwait++;
		request(n, ip, bcast_mac);
	}
	if (w->count == ARP_WAIT_PKTS) { /* keep the latest packets (RFC 1122 2.3.2.2) */
		n->st.arp_queue_drop++;
		ixn_tx_done(n, wait_pop(w));
	}
	p->drv = 0;
	if (w->tail)
		w->tail->drv = (uint64_t)(uintptr_t)p;
	else
		w->head = p;
	w->tail = p;
	w->count++;
}

/* The rest of arp_send(): not the entry of the hint, none, or one that is getting old. */
static __attribute__((noinline)) void send_slow(struct ixn *n, struct ixn_txpkt *p,
						uint32_t nexthop, uint16_t *hint)
{
	struct arp_entry c, *e;

	if (is_broadcast(n, nexthop)) {
		arp_fill(n, p->hdr, bcast_mac);
		tx_queue(n, p);
		return;
	}
	e = find(n, nexthop, &c);
	if (!e) {
		wait_for(n, p, nexthop);
		return;
	}
	*hint = (uint16_t)(e - n->arp->e);
	if (n->now - c.confirmed > ARP_REFRESH_US && c.state != E_STATIC) {
		if (n->now - c.confirmed > EXPIRE_US) {
			/* An entry that nobody used meanwhile was not asked for either. */
			forget(e);
			wait_for(n, p, nexthop);
			return;
		}
		if (n->now - c.asked >= RETRY_US && lock_entry(e)) {
			e->asked = n->now;
			unlock_entry(e);
			request(n, nexthop, c.mac);
		}
	}
	arp_fill(n, p->hdr, c.mac);
	tx_queue(n, p);
}

void arp_send(struct ixn *n, struct ixn_txpkt *p, uint32_t nexthop, uint16_t *hint)
{
	if (!hint)
		hint = &n->arp_hint;
	if (likely(arp_known(n, p->hdr, nexthop, *hint)))
		tx_queue(n, p);
	else
		send_slow(n, p, nexthop, hint);
}

static void resolved(struct ixn *n, struct arp_wait *w, const uint8_t *mac)
{
	struct ixn_txpkt *p;

	while ((p = wait_pop(w))) {
		arp_fill(n, p->hdr, mac);
		tx_queue(n, p);
	}
	w->ip = 0;
	n->nwait--;
}

static struct arp_wait *waiting(struct ixn *n, uint32_t ip)
{
	for (uint32_t i = 0; n->nwait && i < ARP_WAITS; i++) {
		if (n->wait[i].ip == ip)
			return &n->wait[i];
	}
	return NULL;
}

/* Someone else speaks for our address (RFC 5227 2.1.1, 2.4). */
static void conflict(struct ixn *n, struct ifaddr *a)
{
	n->st.arp_conflict++;
	if (a->state == ADDR_PROBE) {
		a->state = ADDR_CONFLICT;
	} else if (n->now - a->defended >= DEFEND_US || !a->defended) {
		a->defended = n->now;
		send_arp(n, 1, bcast_mac, a->ip, bcast_mac, a->ip);
	}
}

void arp_rx(struct ixn *n, const uint8_t *p, uint32_t len)
{
	n->st.arp_in++;
	if (len < 28 || get16(p) != 1 || get16(p + 2) != ETH_IP || p[4] != 6 || p[5] != 4) {
		n->st.arp_bad++;
		return;
	}
	uint16_t op = get16(p + 6);
	const uint8_t *sha = p + 8;
	uint32_t sip = get32(p + 14), tip = get32(p + 24);
	struct ifaddr *target = NULL;

	if (sha[0] & 1 || (op != 1 && op != 2) || !memcmp(sha, n->cfg.mac, 6) || sip >> 28 >= 14 ||
	    sip >> 24 == 127 || (sip && is_broadcast(n, sip))) {
		n->st.arp_bad++;
		return;
	}
	for (uint32_t i = 0; i < MAX_ADDRS; i++) {
		struct ifaddr *a = &n->addr[i];
		if (a->state == ADDR_FREE || a->state == ADDR_CONFLICT)
			continue;
		/* Another host's claim, or its probe for what we are probing ourselves. */
		if (a->ip == sip || (!sip && a->ip == tip && a->state == ADDR_PROBE)) {
			conflict(n, a);
			return;
		}
		if (a->ip == tip && a->state != ADDR_PROBE)
			target = a;
	}
	if (sip) { /* RFC 826: merge; new entries only for those who talk to us */
		struct arp_entry c;
		struct arp_wait *w = waiting(n, sip);
		if (target || w || find(n, sip, &c))
			store(n, sip, sha, E_VALID);
		if (w)
			resolved(n, w, sha);
	}
	if (op == 1 && target)
		send_arp(n, 2, sha, target->ip, sha, sip);
}

int ixn_arp_set(struct ixn *n, struct ixn_addr addr, const uint8_t mac[6], uint64_t now)
{
	struct arp_wait *w;
	uint32_t ip;

	if (!addr_v4(&addr, false, &ip) || !ip || mac[0] & 1)
		return -IXN_EINVAL;
	set_now(n, now);
	store(n, ip, mac, E_STATIC);
	w = waiting(n, ip);
	if (w)
		resolved(n, w, mac);
	return 0;
}

static void house_waits(struct ixn *n)
{
	for (uint32_t i = 0; n->nwait && i < ARP_WAITS; i++) {
		struct arp_wait *w = &n->wait[i];
		struct arp_entry c;

		if (!w->ip)
			continue;
		if (find(n, w->ip, &c)) { /* another core was answered */
			resolved(n, w, c.mac);
			continue;
		}
		if (n->now < w->due)
			continue;
		if (w->tries == TRIES) {
			struct ixn_txpkt *p;
			while ((p = wait_pop(w))) {
				n->st.arp_queue_drop++;
				ixn_tx_done(n, p);
			}
			w->ip = 0;
			n->nwait--;
			continue;
		}
		w->tries++;
		w->due = n->now + RETRY_US;
		request(n, w->ip, bcast_mac);
	}
}

static void house_addrs(struct ixn *n)
{
	static const uint8_t zero[6];

	for (uint32_t i = 0; i < MAX_ADDRS; i++) {
		struct ifaddr *a = &n->addr[i];

		if ((a->state != ADDR_PROBE && a->state != ADDR_ANNOUNCE) || n->now < a->due)
			continue;
		if (a->state == ADDR_PROBE && a->count < PROBE_NUM) {
			send_arp(n, 1, bcast_mac, 0, zero, a->ip);
			a->count++;
			a->due = n->now + PROBE_US;
			continue;
		}
		if (a->state == ADDR_PROBE) {
			a->state = ADDR_ANNOUNCE;
			a->count = 0;
		}
		send_arp(n, 1, bcast_mac, a->ip, zero, a->ip);
		a->due = n->now + ANNOUNCE_US;
		if (++a->count == ANNOUNCE_NUM)
			a->state = ADDR_OK;
	}
}

void arp_house(struct ixn *n)
{
	house_waits(n);
	house_addrs(n);
}

uint64_t arp_next(const struct ixn *n)
{
	uint64_t t = UINT64_MAX;

	for (uint32_t i = 0; n->nwait && i < ARP_WAITS; i++) {
		if (n->wait[i].ip && n->wait[i].due < t)
			t = n->wait[i].due;
	}
	for (uint32_t i = 0; i < n->addr_end; i++) {
		const struct ifaddr *a = &n->addr[i];
		if ((a->state == ADDR_PROBE || a->state == ADDR_ANNOUNCE) && a->due < t)
			t = a->due;
	}
	return t;
}
