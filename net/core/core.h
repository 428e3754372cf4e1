/* SPDX-License-Identifier: MIT */
/* What an instance consists of, and what its parts offer each other. */
#ifndef NET_CORE_CORE_H
#define NET_CORE_CORE_H

#include <ix/net.h>
#include "net/core/bytes.h"
#include "net/core/wheel.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define IX_ETH_HLEN 14
#define IX_IP_HLEN  20
#define ETH_IP      0x0800
#define ETH_ARP     0x0806
#define PROTO_ICMP  1
#define PROTO_TCP   6
#define PROTO_UDP   17

#define NONE       UINT32_MAX
#define MAX_ADDRS  8
#define MAX_ROUTES 16
#define TX_BURST   64
#define RX_BURST   64

struct tcb;
struct tcb_cold;
struct txrec;
struct timewait;
struct reasm;

/* A local address. RFC 5227 states when the configuration asks for them. */
struct ifaddr {
	uint32_t ip;
	uint32_t mask;
	uint8_t state;
	uint8_t count; /* probes or announcements sent */
	uint64_t due;
	uint64_t defended;
};
enum {
	ADDR_FREE,
	ADDR_PROBE,
	ADDR_ANNOUNCE,
	ADDR_OK,
	ADDR_CONFLICT,
};

struct route {
	uint32_t dst, mask, gw;
};

/* Connection table: buckets of a cache line; see hash.c. */
struct bucket {
	uint32_t tag[7];
	uint32_t id[7];
	uint32_t spill; /* entries that belong here and are in later buckets */
	uint32_t pad;
};
#define ID_TIMEWAIT 0x80000000u

struct listener {
	uint32_t ip;
	uint16_t port;
	bool used;
	uint32_t gen;
	uint32_t backlog;
	uint32_t half;  /* in SYN-RCVD */
	uint32_t ready; /* not yet accepted */
	uint64_t cookie;
	uint32_t next; /* of the same port hash */
};

struct udp_bind {
	uint32_t ip;
	uint16_t port;
	bool used;
	uint32_t gen;
	uint64_t cookie;
	uint32_t next;
};

/* Packets that wait for the answer to an ARP request. */
struct arp_wait {
	uint32_t ip; /* 0: free */
	uint8_t tries;
	uint8_t count;
	uint64_t due;
	struct ixn_txpkt *head, *tail; /* linked through drv */
};
#define ARP_WAITS     32
#define ARP_WAIT_PKTS 64 /* each: room for one datagram of 64 KB in fragments */

/* A token bucket of `rate` per second. */
struct limit {
	uint32_t tokens;
	uint64_t filled;
};

struct ixn {
	struct ixn_ops ops;
	void *user;
	struct ixn_evq *q;
	uint64_t now;    /* of the current cycle */
	uint32_t tick;   /* now in ticks */
	uint32_t ts_now; /* RFC 7323 clock: milliseconds */
	struct ixn_config cfg;
	struct ixn_stats st;
	size_t size;

	struct ifaddr addr[MAX_ADDRS];
	uint32_t addr_end; /* none of addr[] from here on was ever used */
	struct route route[MAX_ROUTES];
	uint32_t nroutes;
	struct ixn_arp *arp;
	uint16_t arp_hint; /* entry used last by packets that have no hint of their own */
	struct arp_wait wait[ARP_WAITS];
	uint32_t nwait;
	uint32_t ip_id;
	uint64_t rng;
	struct limit icmp_limit, challenge_limit, rst_limit;

	/* packets out */
	struct ixn_txpkt *tx_free; /* linked through priv[0] */
	uint32_t tx_free_count;
	uint32_t txq_n;
	struct ixn_txpkt *txq[TX_BURST];
	struct ixn_txpkt *udp_sent_head, *udp_sent_tail; /* waiting for event room */

	/* connections */
	struct tcb *tcb;
	struct tcb_cold *cold;
	uint32_t tcb_free; /* linked through tcb.rec_head */
	uint32_t conns;
	struct bucket *bucket;
	uint32_t bucket_mask;
	uint64_t hash_key[3];
	struct txrec *rec;
	uint32_t rec_free, rec_free_count;
	uint32_t rec_reserve; /* the last ones are for connections that have none, and */
	uint32_t rec_cut;     /* the very last for cutting others into segments */
	uint32_t *pending;    /* connections with something to send */
	uint32_t npending;
	uint32_t *reap; /* dead connections, freed at the end of the cycle */
	uint32_t nreap;
	uint32_t ev_head, ev_tail; /* connections with events to report */
	uint32_t group_count[IXN_GROUPS];
	uint64_t away[IXN_GROUPS / 64]; /* groups that another instance owns */
	bool any_away;
	struct timewait *tw;
	uint32_t tw_free, tw_old, tw_new, tw_count;
	struct listener *listener;
	uint32_t listen_hash[64];
	struct udp_bind *udp;
	uint32_t udp_hash[64];
	uint64_t cookie_sent; /* when the last SYN cookie went out; 0: never */
	struct ixn_acl *acl;
	uint32_t nacl;
	struct reasm *reasm;
	size_t reasm_size;
	uint32_t reasm_count, reasm_held; /* slots in use; of them complete */
	uint64_t house;                   /* next housekeeping */
	bool no_fast;                     /* tests: the full path for every segment; see fast.c */
	struct wheel wheel;
};

/* What the parsers know of a received packet. */
struct rxinfo {
	struct ixn_rxbuf *buf;
	const uint8_t *ip; /* IPv4 header */
	const uint8_t *l4; /* its payload */
	uint32_t l4_len;
	uint32_t src, dst; /* host order */
	uint16_t ihl;
	uint8_t proto;
	uint8_t laddr; /* index of dst */
	uint8_t tos, ttl;
	bool bcast; /* sent to a broadcast address (Ethernet or IP) */
	bool l4_ok; /* checksum already verified */
};

/* ---- instance.c */
void tx_burst(struct ixn *n);

static inline struct ixn_txpkt *txpkt_get(struct ixn *n)
{
	struct ixn_txpkt *p = n->tx_free;

	if (unlikely(!p)) {
		n->st.no_txpkt++;
		return NULL;
	}
	n->tx_free = (struct ixn_txpkt *)(uintptr_t)p->priv[0];
	n->tx_free_count--;
	p->nsegs = 0;
	p->flags = 0;
	p->pay_len = 0;
	p->priv[1] = 0;
	return p;
}

static inline void txpkt_put(struct ixn *n, struct ixn_txpkt *p)
{
	p->priv[0] = (uint64_t)(uintptr_t)n->tx_free;
	n->tx_free = p;
	n->tx_free_count++;
}

/* Queues a complete packet for ops->tx(). */
static inline void tx_queue(struct ixn *n, struct ixn_txpkt *p)
{
	if (n->txq_n == TX_BURST)
		tx_burst(n);
	if (unlikely(n->txq_n == TX_BURST)) { /* the driver takes nothing: like a full ring */
		ixn_tx_done(n, p);
		return;
	}
	n->st.tx_packets++;
	n->st.tx_bytes += p->hdr_len + p->pay_len;
	n->txq[n->txq_n++] = p;
}

bool limit_take(struct ixn *n, struct limit *l, uint32_t rate);
uint64_t rng_next(struct ixn *n);
void set_now(struct ixn *n, uint64_t now);

static inline struct ixn_event *ev_get(struct ixn *n)
{
	struct ixn_evq *q = n->q;
	return likely(q->n < q->cap) ? &q->ev[q->n++] : NULL;
}

void reasm_release(struct ixn *n, struct ixn_rxbuf *b);

static inline void rx_release(struct ixn *n, struct ixn_rxbuf *b)
{
	/* Reassembled datagrams come in buffers of our own. */
	if (unlikely((uintptr_t)b - (uintptr_t)n->reasm < n->reasm_size))
		reasm_release(n, b);
	else
		n->ops.rx_release(n->user, b);
}

/* ---- hash.c */
/*
 * A keyed hash: the upper half of a sum of products with secret numbers, which is universal for 32-bit
 * words (Dietzfelbinger 1996): without the secrets a peer cannot choose addresses and ports that
 * collide more often than by chance.
 */
static inline uint32_t flow_hash(const struct ixn *n, uint32_t raddr, uint32_t laddr,
				 uint16_t rport, uint16_t lport)
{
	uint32_t ports = (uint32_t)rport << 16 | lport;

	return (
	    uint32_t)((n->hash_key[0] * raddr + n->hash_key[1] * ports + n->hash_key[2] * laddr) >>
		      32);
}

/* Returns a TCB number, ID_TIMEWAIT | number, or NONE. */
uint32_t flow_find(const struct ixn *n, uint32_t hash, uint32_t raddr, uint32_t laddr,
		   uint16_t rport, uint16_t lport);
bool flow_add(struct ixn *n, uint32_t hash, uint32_t id);
void flow_del(struct ixn *n, uint32_t hash, uint32_t id);
/* The flow group of a connection. */
static inline uint32_t flow_group(const struct ixn *n, uint32_t raddr, uint32_t laddr,
				  uint16_t rport, uint16_t lport)
{
	return (n->ops.rss_hash ? n->ops.rss_hash(n->user, raddr, laddr, rport, lport) : 0) &
	       (IXN_GROUPS - 1);
}
static inline struct bucket *flow_bucket(const struct ixn *n, uint32_t hash)
{
	return &n->bucket[hash & n->bucket_mask];
}

/* ---- arp.c */
void arp_rx(struct ixn *n, const uint8_t *p, uint32_t len);
/* Sends a packet with a complete header but the Ethernet addresses: fills these in and queues it,
 * or keeps it until the address is known. hint: last entry used, updated; may be NULL. */
void arp_send(struct ixn *n, struct ixn_txpkt *p, uint32_t nexthop, uint16_t *hint);
void arp_house(struct ixn *n);
uint64_t arp_next(const struct ixn *n);

/* ---- ip.c */
void ip_rx(struct ixn *n, struct ixn_rxbuf *b);
/* A datagram that is complete and for us. Consumes the buffer. */
void ip_deliver(struct ixn *n, struct rxinfo *r);
uint8_t local_index(const struct ixn *n, uint32_t ip); /* 0xff: none */
bool is_broadcast(const struct ixn *n, uint32_t ip);
bool bad_source(const struct ixn *n, uint32_t ip);
/* The next hop and the local address index to use; false: no route. */
bool ip_route(const struct ixn *n, uint32_t dst, uint32_t *nexthop, uint8_t *laddr);
bool ip_next_hop(const struct ixn *n, uint32_t dst, uint8_t laddr, uint32_t *nexthop);
/* Writes the IPv4 header at hdr + 14 with its checksum or as offload wants it. */
static inline void ip_header(struct ixn *n, struct ixn_txpkt *p, uint32_t src, uint32_t dst,
			     uint8_t proto, uint8_t ttl, uint8_t tos, uint16_t id, uint16_t frag,
			     uint32_t len)
{
	uint8_t *h = p->hdr + IX_ETH_HLEN;

	h[0] = 0x45;
	h[1] = tos;
	put16(h + 2, (uint16_t)len);
	put16(h + 4, id);
	put16(h + 6, frag);
	h[8] = ttl;
	h[9] = proto;
	h[10] = h[11] = 0;
	put32(h + 12, src);
	put32(h + 16, dst);
	if (n->cfg.caps & IXN_CAP_TX_IP_CSUM) {
		p->flags |= IXN_TX_IP_CSUM;
	} else if (!(n->cfg.caps & IXN_CAP_NO_CSUM)) {
		uint64_t s = (uint64_t)(0x4500u | tos) + len + id + frag + ((uint32_t)ttl << 8) +
			     proto + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);
		put16(h + 10, (uint16_t)~csum_fold(s));
	}
}

/* ---- ip_out.c */
struct ip_send {
	uint32_t dst;
	uint8_t laddr, proto, ttl, tos;
	uint8_t l4[8]; /* UDP or ICMP header, checksum filled in by ip_send() */
	uint8_t csum_at;
	const struct ixn_seg *seg;
	uint32_t nsegs;
	uint32_t len;            /* payload without l4[] */
	uint64_t cookie, handle; /* for IXN_EV_UDP_SENT */
	struct ixn_rxbuf *rx;    /* to release when sent (ICMP echo); else NULL */
};
/* The identification of a packet that may be fragmented (RFC 6864 4.1). */
uint16_t ip_ident(struct ixn *n, uint32_t src, uint32_t dst);
/* Sends a datagram, in fragments if need be. 0 or a negative errno. */
int ip_send(struct ixn *n, const struct ip_send *d);
/* A packet of ip_send() was sent. */
void ip_tx_done(struct ixn *n, struct ixn_txpkt *p);

/* ---- reasm.c */
void reasm_rx(struct ixn *n, struct rxinfo *r);
void reasm_house(struct ixn *n);
uint64_t reasm_next(const struct ixn *n);
void reasm_drop_addr(struct ixn *n, uint8_t laddr);
size_t reasm_bytes(const struct ixn_config *cfg);
void reasm_init(struct ixn *n, void *mem, uint8_t *data);

/* ---- icmp.c */
void icmp_rx(struct ixn *n, struct rxinfo *r);
void icmp_unreachable(struct ixn *n, const struct rxinfo *r, uint8_t code);
void icmp_time_exceeded(struct ixn *n, const struct rxinfo *r, uint8_t code);

/* ---- udp.c */
void udp_rx(struct ixn *n, struct rxinfo *r);
void udp_events(struct ixn *n);
void udp_unbind_all(struct ixn *n);
void udp_icmp(struct ixn *n, const uint8_t *l4, uint32_t raddr, uint32_t laddr, int err);

/* An address of the interface: false if it is neither IPv4 nor, where that is allowed, "any" (0). */
bool addr_v4(const struct ixn_addr *a, bool any, uint32_t *ip);

/* ---- acl.c */
bool acl_allows(const struct ixn *n, uint8_t proto, bool in, uint32_t remote, uint16_t port);

#endif
