/* SPDX-License-Identifier: MIT */
/*
 * The Ironix TCP/IP stack.
 *
 * One instance (struct ixn) serves one core and one interface. It has no locks, no globals and
 * calls nothing but memcpy/memset/memcmp and the functions in struct ixn_ops. Packets, time and
 * memory come in as arguments; packets and events go out. A loop around it is
 *
 *	q.n = 0;
 *	ixn_rx(n, bufs, count, now);	packets in, events appended to q
 *	ixn_timers(n, now);		timers, events appended to q
 *	for each event in q: the application answers with ixn_sendv(), ixn_recv_done(), ...
 *	ixn_flush(n, now);		packets out through ops->tx(); the cycle ends here
 *
 * Calls only note what is to be sent; segments and ACKs leave in ixn_flush(), so an answer carries
 * the ACK of its request and one packet carries all that the application wrote in a cycle.
 *
 * Conventions: times are microseconds of a monotonic 64-bit clock; timers have a resolution of
 * 16 us. Ports and lengths are in host byte order. Errors are negative errno values (IXN_E*).
 * Handles carry a generation: a call with a stale one returns -IXN_EBADF.
 */
#ifndef IX_NET_H
#define IX_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ixn;

/* Linux's numbers, so that they can be handed on unchanged. */
enum {
	IXN_EBADF = 9,
	IXN_EAGAIN = 11,
	IXN_ENOMEM = 12,
	IXN_EACCES = 13,
	IXN_EINVAL = 22,
	IXN_EPIPE = 32,
	IXN_EMSGSIZE = 90,
	IXN_EPROTO = 71,
	IXN_EADDRINUSE = 98,
	IXN_EADDRNOTAVAIL = 99,
	IXN_ENETUNREACH = 101,
	IXN_ECONNABORTED = 103,
	IXN_ECONNRESET = 104,
	IXN_ENOBUFS = 105,
	IXN_EISCONN = 106,
	IXN_ENOTCONN = 107,
	IXN_ETIMEDOUT = 110,
	IXN_ECONNREFUSED = 111,
	IXN_EHOSTUNREACH = 113,
};

/*
 * Addresses: 16 bytes. IPv4 is written as an IPv4-mapped IPv6 address (::ffff:a.b.c.d, RFC 4291
 * 2.5.5.2); all zero is "any". IPv6 itself is refused with -IXN_EINVAL for now.
 */
struct ixn_addr {
	uint8_t b[16];
};

static inline struct ixn_addr ixn_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ixn_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

/* From and to an IPv4 address as a number in host order (10.0.0.1 = 0x0a000001). */
static inline struct ixn_addr ixn_from_u32(uint32_t ip)
{
	return ixn_v4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip);
}

static inline uint32_t ixn_to_u32(const struct ixn_addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 |
	       a->b[15];
}

#define IXN_ANY ((struct ixn_addr){{0}})

/* Handles. 0 is never a valid one. */
typedef uint64_t ixn_conn;
typedef uint64_t ixn_listener;
typedef uint64_t ixn_udp;

/* ------------------------------------------------------------------------------------------
 * Received packets
 *
 * The caller owns the objects and the memory they describe. ixn_rx() takes a buffer over until
 * ops->rx_release() gives it back, which happens before ixn_rx() returns for what carries no
 * payload for the application. The stack reads the frame, never writes it, so the frame may lie
 * in memory that the application can read; the object itself must not.
 */
enum {
	IXN_RX_IP_CSUM_OK = 1, /* the NIC has verified the IPv4 header checksum */
	IXN_RX_L4_CSUM_OK = 2, /* ... and the TCP or UDP checksum */
	IXN_RX_HASH = 4,       /* hash holds the RSS (Toeplitz) hash */
	IXN_RX_REASM = 8,      /* set by the stack: a reassembled datagram; see ixn_rx_return() */
	IXN_RX_SCARCE = 16,    /* buffers run short: hold this one only if little else is held */
};

struct ixn_rxbuf {
	/* set by the caller */
	const uint8_t *data; /* the Ethernet frame, without FCS */
	uint64_t dma;        /* of data; opaque to the stack, used to answer pings in place */
	uint64_t user;       /* the caller's, untouched */
	uint32_t len;
	uint32_t flags;
	uint32_t hash; /* overwritten once used */
	/* the stack's, while it holds the buffer */
	uint32_t seq;
	struct ixn_rxbuf *next;
	const uint8_t *pay;
	uint32_t paylen;
	uint32_t done;
};

/* ------------------------------------------------------------------------------------------
 * Packets to send: a scatter list whose first part is a header from the stack's own pool, the
 * rest refers to the memory given to ixn_sendv()/ixn_udp_send().
 */
enum {
	IXN_TX_IP_CSUM = 1,  /* the NIC is to insert the IPv4 header checksum (field is 0) */
	IXN_TX_TCP_CSUM = 2, /* ... the TCP checksum (field holds the pseudo-header sum) */
	IXN_TX_UDP_CSUM = 4, /* ... the UDP checksum (likewise) */
	IXN_TX_TSO = 8,      /* cut the payload into segments of mss bytes (pseudo-header sum
				without length, as the 82599 wants it, 82599 7.2.4.5) */
};

#define IXN_TX_SEGS 10 /* payload parts of one packet */
#define IXN_HDR_MAX 128

struct ixn_seg {
	const void *ptr;
	uint64_t dma; /* of ptr; opaque to the stack */
	uint32_t len;
	uint32_t pad;
};

struct ixn_txpkt {
	uint8_t *hdr;     /* Ethernet header first */
	uint64_t hdr_dma; /* ops->dma() of hdr, asked once at start */
	uint16_t hdr_len;
	uint8_t nsegs;    /* payload parts in seg[] */
	uint8_t flags;    /* IXN_TX_* */
	uint16_t mss;     /* with IXN_TX_TSO */
	uint16_t l4_off;  /* of the TCP or UDP header in hdr; the IP header is at 14 */
	uint32_t pay_len; /* sum of seg[].len */
	uint32_t hash;    /* flow group of the connection, to choose a queue */
	uint64_t drv;     /* the driver's, between tx() and ixn_tx_done() */
	uint64_t priv[5]; /* the stack's */
	struct ixn_seg seg[IXN_TX_SEGS];
};

/* ------------------------------------------------------------------------------------------
 * Events
 *
 * The stack appends to a queue that the caller owns and empties. It never writes beyond cap:
 * what finds no room is kept as state of its connection and appended by a later ixn_rx() or
 * ixn_timers() (received datagrams are dropped and counted instead).
 */
enum ixn_event_type {
	/* A listener has a new, fully established connection; answer with ixn_accept() or
	 * ixn_reject(). cookie is the listener's. raddr/rport/lport/laddr are set. */
	IXN_EV_KNOCK = 1,
	/* The outcome of ixn_connect(): result is 0 or a negative errno (then the handle is gone
	 * at the end of the cycle and no IXN_EV_DEAD follows). len is the send window. */
	IXN_EV_CONNECTED,
	/* Payload in order: ptr, len; release with ixn_recv_done(). */
	IXN_EV_RECV,
	/* len more bytes were acknowledged: their memory is free again. window is what
	 * ixn_sendv() would take now. Also sent, with len 0, when a window opens after
	 * ixn_sendv() took less than it was given. */
	IXN_EV_SENT,
	/* The peer will send no more (FIN). */
	IXN_EV_EOF,
	/* The connection is over; the last event of its handle. result: 0 after both sides closed
	 * in order, else why (-IXN_ECONNRESET, -IXN_ETIMEDOUT, -IXN_EHOSTUNREACH, ...). Sent
	 * once for each accepted or connected handle, except those ended by ixn_abort(). The
	 * handle, and payload delivered but not released, stay valid until ixn_flush(). */
	IXN_EV_DEAD,
	/* A soft error (ICMP unreachable, time exceeded; R1 exceeded: -IXN_ETIMEDOUT) in result;
	 * the connection goes on (RFC 9293 3.9.2.2, SHLD-9, SHLD-25). Only with
	 * IXN_OPT_SOFT_ERRORS. */
	IXN_EV_ERROR,
	/* The peer has signalled urgent data: len bytes from the first byte not yet reported by
	 * IXN_EV_RECV to the end of the urgent data (RFC 9293 MUST-30..33). */
	IXN_EV_URGENT,
	/* A datagram: ptr, len, raddr, rport, laddr, lport; release buf with
	 * ixn_udp_recv_done(). handle and cookie are those of the binding. */
	IXN_EV_UDP_RECV,
	/* The memory of one ixn_udp_send() is free again; cookie is the one given to it. */
	IXN_EV_UDP_SENT,
	/* An ICMP error for a datagram sent from the binding to raddr/rport: result. */
	IXN_EV_UDP_ERROR,
	/* The connection has come from another instance and now has this handle; it is the first
	 * event of it here. cookie is what it was. raddr is set. */
	IXN_EV_MOVED,
};

struct ixn_event {
	uint8_t type;
	uint8_t laddr; /* index of the local address, for ixn_local_addr() */
	uint16_t lport;
	uint16_t rport;
	uint16_t group; /* flow group (RSS hash & 127) */
	uint32_t len;
	union {
		uint32_t window;
		int32_t result;
	};
	uint64_t handle;
	uint64_t cookie;
	const uint8_t *ptr; /* RECV, UDP_RECV; lies in buf->data .. + buf->len */
	struct ixn_rxbuf *buf;
	struct ixn_addr raddr; /* KNOCK, CONNECTED, UDP_RECV, UDP_ERROR, MOVED */
};

struct ixn_evq {
	struct ixn_event *ev;
	uint32_t n;
	uint32_t cap; /* at least 16 */
};

/* ------------------------------------------------------------------------------------------
 * The world around an instance
 */
struct ixn_ops {
	/* Sends packets in order; returns how many were taken. A taken packet belongs to the
	 * driver until ixn_tx_done(), which may be called from within. The rest is offered
	 * again later. */
	uint32_t (*tx)(void *user, struct ixn_txpkt **pkts, uint32_t n);
	/* Takes back a buffer given to ixn_rx(). */
	void (*rx_release)(void *user, struct ixn_rxbuf *buf);
	/* The bus address of len bytes of instance memory; NULL: the virtual address. The bytes
	 * are headers, which never cross a 4 KB boundary, or a buffer for reassembled
	 * datagrams, aligned to its size of 64 KB. Called at start only. */
	uint64_t (*dma)(void *user, const void *p, size_t len);
	/* Whether packets of this connection (as received: remote to local) reach this instance;
	 * NULL: all do. Used to choose the local port of ixn_connect(). */
	bool (*steered_here)(void *user, uint32_t raddr, uint32_t laddr, uint16_t rport,
			     uint16_t lport);
	/* The RSS hash of a received IPv4 tuple, for packets without IXN_RX_HASH; NULL: 0. */
	uint32_t (*rss_hash)(void *user, uint32_t raddr, uint32_t laddr, uint16_t rport,
			     uint16_t lport);
	/* A TCP segment of a flow group that is elsewhere (ixn_group_own()). True: the caller has
	 * taken the buffer, to hand it to the owner's ixn_rx(). NULL or false: it is dropped, and
	 * the sender repeats it. */
	bool (*stray)(void *user, struct ixn_rxbuf *buf, uint32_t group);
};

enum {
	IXN_CAP_RX_CSUM = 1, /* informational: results come with each buffer */
	IXN_CAP_TX_IP_CSUM = 2,
	IXN_CAP_TX_L4_CSUM = 4, /* TCP and UDP */
	IXN_CAP_TX_TSO = 8,
	/* Neither compute nor check TCP/UDP/IP checksums: a trusted in-memory wire. */
	IXN_CAP_NO_CSUM = 16,
};

enum ixn_cc {
	IXN_CC_CUBIC,
	IXN_CC_NEWRENO,
	IXN_CC_DCTCP,
};

/* TCP defaults of an instance; what is marked [c] can be set per connection. */
struct ixn_tcp_config {
	uint32_t rcv_wnd;     /* receive buffer in bytes [c] */
	uint32_t max_rx_bufs; /* received buffers one connection may hold */
	uint8_t wscale;       /* window scale offered, 0..14 */
	bool timestamps;      /* RFC 7323 */
	bool sack;            /* RFC 2018 */
	bool ecn;             /* RFC 3168: ask for it in SYNs; answered either way */
	bool nodelay;         /* Nagle's algorithm off [c] */
	bool syncookies;      /* when the backlog is full */
	bool pmtud;           /* set DF, react to ICMP "fragmentation needed" */
	bool rack;            /* RFC 8985 RACK and TLP; off: RFC 6675 */
	uint8_t cc;           /* enum ixn_cc [c] */
	uint8_t iw;           /* initial window in segments (RFC 6928) */
	uint8_t quickacks;    /* segments ACKed at once when a connection starts */
	uint8_t ttl;          /* [c] */
	uint8_t dscp;         /* [c] */
	uint8_t syn_retries;  /* of SYN and of SYN-ACK */
	uint8_t synack_retries;
	uint16_t mss;     /* upper limit for both directions; 0: from the MTU */
	uint16_t mss_min; /* smallest MSS believed */
	uint32_t rto_initial_us;
	uint32_t rto_min_us; /* down to 16 */
	uint32_t rto_max_us;
	uint32_t delack_us;       /* 0: ACK at the end of each cycle */
	uint32_t r1_retries;      /* tell the application (SHLD-9) */
	uint64_t user_timeout_us; /* R2: give up when nothing was acknowledged so long [c]; once
				   it is closed, after 100 s at the latest */
	uint32_t time_wait_us;    /* 2 MSL */
	uint32_t fin_wait2_us;    /* for closed connections */
	uint8_t orphan_probes;    /* into a zero window, for a closed connection; then RST */
	uint64_t keepalive_idle_us, keepalive_intvl_us;
	uint32_t keepalive_count;
	uint32_t challenge_ack_per_s; /* RFC 5961 7; at most, and at least half as many */
	uint32_t challenge_ack_us;    /* at most one in so long per connection, but for data */
	uint32_t slack_segs;          /* segments ixn_sendv() takes beyond the window, for limited
				   transmit (RFC 3042) and window probes; at least 1 */
};

struct ixn_config {
	/* sizes, all fixed at start */
	uint32_t max_conns; /* rounded to nothing: exactly so many */
	uint32_t max_timewait;
	uint32_t max_listeners;
	uint32_t max_udp;     /* bindings */
	uint32_t tx_pkts;     /* header buffers */
	uint32_t tx_recs;     /* references to memory in flight (one per packet or sendv part) */
	uint32_t reasm_slots; /* IPv4 datagrams under reassembly or held by the application */
	uint32_t reasm_timeout_us; /* how long the rest of a datagram is waited for; up to 120 s */
	uint32_t arp_entries;
	uint32_t max_acl;
	/* 64 KB * reasm_slots for reassembled datagrams, readable by the application, aligned to
	 * 64 KB; NULL: part of the instance's memory */
	void *reasm_mem;
	/* Shared by the instances of one interface (ixn_arp_init()); NULL: a private one. */
	struct ixn_arp *arp;
	uint64_t secret[4]; /* random; hash, ISN and cookie keys */
	uint8_t mac[6];
	uint16_t mtu;              /* IP bytes, 576..9000 */
	uint32_t caps;             /* IXN_CAP_* */
	uint32_t tso_max;          /* largest payload of a TSO packet */
	uint16_t port_lo, port_hi; /* ephemeral ports */
	bool icmp_echo;            /* answer pings */
	bool arp_announce;         /* probe and announce addresses (RFC 5227) */
	uint32_t icmp_per_s;       /* errors and resets we send per second */
	struct ixn_tcp_config tcp;
};

/* Linux's behaviour on the wire; 65,536 connections; no addresses; secrets zero. */
void ixn_config_default(struct ixn_config *cfg);
/* Minimum RTO 1 ms, delayed ACK at the end of the cycle, DCTCP + ECN, short TIME-WAIT. */
void ixn_config_datacenter(struct ixn_config *cfg);

/* Bytes of memory an instance needs; 0: the configuration is invalid. */
size_t ixn_size(const struct ixn_config *cfg);
/* mem: 64-byte aligned, at least ixn_size() bytes, need not be zero. q may be changed between
 * cycles by writing through the pointer. Returns NULL if cfg is invalid. Memory belongs to the
 * instance until the caller stops using it; there is nothing to tear down. */
struct ixn *ixn_init(void *mem, const struct ixn_config *cfg, const struct ixn_ops *ops, void *user,
		     struct ixn_evq *q, uint64_t now);

/* ARP table shared by cores: readers never wait (a version per entry). */
size_t ixn_arp_size(uint32_t entries);
struct ixn_arp *ixn_arp_init(void *mem, uint32_t entries);

/* ------------------------------------------------------------------------------------------
 * The cycle
 */
/* Takes all count buffers. */
void ixn_rx(struct ixn *n, struct ixn_rxbuf **bufs, uint32_t count, uint64_t now);
void ixn_timers(struct ixn *n, uint64_t now);
/* Sends what is due. Ends the cycle: handles that died in it are gone afterwards. */
void ixn_flush(struct ixn *n, uint64_t now);
/* Only sends: handles that died, and payload they hold, stay until ixn_flush(). */
void ixn_transmit(struct ixn *n, uint64_t now);
/* When ixn_timers() must be called next at the latest; UINT64_MAX: never. May be early. */
uint64_t ixn_next_timer(const struct ixn *n);
/* True if events wait for room in the queue or packets for the driver. */
bool ixn_backlogged(const struct ixn *n);
/* The driver is through with a packet. */
void ixn_tx_done(struct ixn *n, struct ixn_txpkt *pkt);

/* ------------------------------------------------------------------------------------------
 * Addresses and routes
 */
/* Up to 8; prefix 0..32. With arp_announce the address is probed first and used once it is
 * found free. -IXN_ENOMEM, -IXN_EINVAL, -IXN_EADDRINUSE. */
int ixn_addr_add(struct ixn *n, struct ixn_addr addr, uint8_t prefix);
int ixn_addr_del(struct ixn *n, struct ixn_addr addr);
/* 0 or -IXN_EINVAL; -IXN_EADDRINUSE once another host was found to use it. */
int ixn_local_addr(const struct ixn *n, uint8_t index, struct ixn_addr *addr);
/* dst/prefix through gw (IXN_ANY: on link); 0.0.0.0/0 is the default gateway. Up to 16. */
int ixn_route_add(struct ixn *n, struct ixn_addr dst, uint8_t prefix, struct ixn_addr gw);
int ixn_route_del(struct ixn *n, struct ixn_addr dst, uint8_t prefix);
/* A static ARP entry, which is never aged or changed. */
int ixn_arp_set(struct ixn *n, struct ixn_addr addr, const uint8_t mac[6], uint64_t now);

/* ------------------------------------------------------------------------------------------
 * TCP
 */
struct ixn_tuple {
	struct ixn_addr laddr, raddr;
	uint16_t lport, rport;
};

/* addr IXN_ANY: all local addresses. backlog: handshakes under way plus connections that were
 * not yet accepted. cookie comes back in IXN_EV_KNOCK. */
int ixn_listen(struct ixn *n, struct ixn_addr addr, uint16_t port, uint32_t backlog,
	       uint64_t cookie, ixn_listener *out);
/* Ends the listener and its unaccepted connections. */
int ixn_unlisten(struct ixn *n, ixn_listener l);

/* laddr/lport may be any/0. The result comes as IXN_EV_CONNECTED. */
int ixn_connect(struct ixn *n, const struct ixn_tuple *t, uint64_t cookie, uint64_t now,
		ixn_conn *out);
/* After IXN_EV_KNOCK. Data that came early is reported from the next cycle on. */
int ixn_accept(struct ixn *n, ixn_conn c, uint64_t cookie);
int ixn_reject(struct ixn *n, ixn_conn c);
/* Changes the cookie of a connection. */
int ixn_set_cookie(struct ixn *n, ixn_conn c, uint64_t cookie);

/*
 * Takes references to memory, in order, up to the send window; returns the number of bytes taken
 * (0: none now, IXN_EV_SENT will tell when) or an error: -IXN_EBADF, -IXN_ENOTCONN (not yet
 * connected), -IXN_EPIPE (after close or shutdown), -IXN_ENOBUFS (tx_recs are used up: try again
 * in a later cycle). Empty parts are skipped. The memory must not change until IXN_EV_SENT has
 * counted it, IXN_EV_DEAD came or ixn_abort() was called.
 *
 * IXN_EV_SENT tells of acknowledgement. A retransmission that is still in the driver's hands then
 * refers to the memory as well: who takes memory away from an application (rather than letting
 * it write new bytes there) waits for the driver too.
 */
int64_t ixn_sendv(struct ixn *n, ixn_conn c, const struct ixn_seg *seg, uint32_t nsegs);
/* What ixn_sendv() would take now, in bytes, or a negative error. */
int64_t ixn_send_window(struct ixn *n, ixn_conn c);
/* The application is through with the first bytes delivered and not yet released: the window
 * moves and buffers go back. -IXN_EINVAL if that is more than was delivered. */
int ixn_recv_done(struct ixn *n, ixn_conn c, uint64_t bytes);
/* Graceful: FIN after what was queued; no more IXN_EV_RECV (data that arrives is answered with
 * RST, RFC 9293 SHLD-3); IXN_EV_DEAD follows. */
int ixn_close(struct ixn *n, ixn_conn c);
/* FIN after what was queued; receiving goes on. */
int ixn_shutdown_write(struct ixn *n, ixn_conn c);
/* RST; the handle, its memory references and buffers are gone on return, and no event follows (-IXN_EBADF: it
 * was over already; no event follows either). */
int ixn_abort(struct ixn *n, ixn_conn c);
/* The application is gone. Ends all listeners, and with them what knocked, and datagram bindings. */
void ixn_unlisten_all(struct ixn *n);
/* Aborts all connections, or all for which there is a header buffer to tell the peer; silent: none is told.
 * Those that were closed and wait for the peer's FIN alone are dropped without a RST.
 * Returns how many are left, for the next cycle. Events still come of those that had ended before. */
uint32_t ixn_abort_all(struct ixn *n, bool silent);

enum ixn_opt {
	IXN_OPT_NODELAY = 1,
	IXN_OPT_CORK, /* hold back partial segments */
	IXN_OPT_KEEPALIVE,
	IXN_OPT_KEEPIDLE_US,
	IXN_OPT_KEEPINTVL_US,
	IXN_OPT_KEEPCNT,
	IXN_OPT_CC,
	IXN_OPT_DSCP,
	IXN_OPT_TTL,
	IXN_OPT_USER_TIMEOUT_US, /* 0: the instance's default */
	IXN_OPT_RCV_WND,         /* can only grow */
	IXN_OPT_SOFT_ERRORS,
	IXN_OPT_QUICKACK, /* ACK at the end of each cycle */
};
int ixn_setopt(struct ixn *n, ixn_conn c, enum ixn_opt opt, uint64_t value);
int ixn_getopt(struct ixn *n, ixn_conn c, enum ixn_opt opt, uint64_t *value);

enum ixn_state {
	IXN_CLOSED,
	IXN_LISTEN,
	IXN_SYN_SENT,
	IXN_SYN_RCVD,
	IXN_ESTABLISHED,
	IXN_FIN_WAIT_1,
	IXN_FIN_WAIT_2,
	IXN_CLOSE_WAIT,
	IXN_CLOSING,
	IXN_LAST_ACK,
	IXN_TIME_WAIT,
};

struct ixn_info {
	uint8_t state; /* enum ixn_state */
	uint8_t cc;    /* enum ixn_cc */
	uint8_t snd_wscale, rcv_wscale;
	bool timestamps, sack, ecn, in_recovery;
	uint8_t group;
	uint32_t mss; /* payload bytes of a full segment */
	uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t snd_wnd, rcv_wnd;
	uint32_t in_flight, queued; /* sent and unacknowledged; not yet sent */
	uint32_t backoff;           /* RTO doublings now */
	uint64_t bytes_sent, bytes_acked, bytes_received;
	uint64_t retransmits; /* segments */
	uint64_t held;        /* payload bytes delivered and not released */
	uint32_t urgent;      /* bytes up to the end of urgent data not yet delivered */
};
int ixn_info(struct ixn *n, ixn_conn c, struct ixn_info *out);
int ixn_tuple(struct ixn *n, ixn_conn c, struct ixn_tuple *out);

/* ------------------------------------------------------------------------------------------
 * UDP
 */
/* port 0: an ephemeral one. */
int ixn_udp_bind(struct ixn *n, struct ixn_addr addr, uint16_t port, uint64_t cookie, ixn_udp *out);
int ixn_udp_unbind(struct ixn *n, ixn_udp u);
int ixn_udp_name(struct ixn *n, ixn_udp u, struct ixn_addr *addr, uint16_t *port);
/* One datagram from nsegs <= IXN_TX_SEGS parts, by reference until IXN_EV_UDP_SENT(cookie);
 * longer than the MTU allows: sent as fragments. -IXN_EMSGSIZE, -IXN_ENOBUFS, -IXN_ENETUNREACH. */
int ixn_udp_send(struct ixn *n, ixn_udp u, struct ixn_addr dst, uint16_t port,
		 const struct ixn_seg *seg, uint32_t nsegs, uint64_t cookie, uint64_t now);
/* buf: from IXN_EV_UDP_RECV. */
void ixn_udp_recv_done(struct ixn *n, struct ixn_rxbuf *buf);

/* ------------------------------------------------------------------------------------------
 * Access control: an ordered table; the first entry that matches decides; none: allowed. It is
 * asked for each new connection (in and out) and each datagram.
 */
struct ixn_acl {
	struct ixn_addr remote;
	uint8_t prefix;            /* 0..32 */
	uint8_t proto;             /* 6, 17, 1; 0: all */
	bool out, in;              /* directions it applies to */
	uint16_t port_lo, port_hi; /* of the service: local for in, remote for out */
	bool allow;
};
/* Replaces the table; n entries are copied. Established connections stay. */
int ixn_acl_set(struct ixn *n, const struct ixn_acl *acl, uint32_t count);

/* ------------------------------------------------------------------------------------------
 * Flow groups: all connections with the same (RSS hash & 127) belong to one group.
 */
#define IXN_GROUPS 128
/* Connections of each group now. */
void ixn_group_counts(const struct ixn *n, uint32_t counts[IXN_GROUPS]);

/*
 * A group moves to another instance (on another core) between two cycles of each:
 *
 *	ixn_group_own(to, g, false)	from now on `to` keeps what it gets for g (ops->stray)
 *	the NIC is told to send the bucket to the other core
 *	ixn_group_detach(from, g, mem)	what still comes to `from` goes to ops->stray
 *	ixn_group_attach(to, mem)	each connection is reported by IXN_EV_MOVED; then ixn_rx() of what was kept
 *
 * Both have the same addresses, secret, ops->rss_hash and clock; they share an address space. A parcel is
 * of the same build and is attached once. Connections keep their timers, their data under way and the
 * payload that the application holds; unreported events are reported by the new owner. Handles change: the old
 * ones are stale after ixn_group_detach(). Connections that nobody has accepted yet knock again at the
 * listener of that address and port, and are reset where there is none. UDP bindings do not move.
 *
 * A connection takes its received buffers along. They are released through the ops of the instance that
 * then has it; ixn_rxbuf.user tells whose they are. One with IXN_RX_REASM belongs to the instance
 * that user points to, and goes back by ixn_rx_return().
 */
/* Whether an instance answers for a group; at the start it does for all. -IXN_EINVAL. */
int ixn_group_own(struct ixn *n, uint32_t group, bool own);
/* Bytes that ixn_group_detach() needs now. Looks at every connection, as that does. */
size_t ixn_group_size(const struct ixn *n, uint32_t group);
/* Packs the group into mem (aligned to 8) and gives it up. -IXN_EMSGSIZE: mem is too small; -IXN_EAGAIN:
 * events are in the queue. Nothing has changed then. ixn_flush() must follow before memory of the
 * handles is used anew. */
int ixn_group_detach(struct ixn *n, uint32_t group, void *mem, size_t size);
/* -IXN_ENOMEM: a pool is too small; -IXN_EADDRNOTAVAIL: an address is missing. Nothing has
 * changed then, and the parcel can go back to where it came from. */
int ixn_group_attach(struct ixn *n, const void *mem, uint64_t now);
/* Takes back a reassembled datagram. Called with its owner, on the owner's core. */
void ixn_rx_return(struct ixn *owner, struct ixn_rxbuf *buf);

/* ------------------------------------------------------------------------------------------
 * Counters
 */
/* clang-format off */
#define IXN_STATS(X) \
	X(rx_packets) X(rx_bytes) X(tx_packets) X(tx_bytes) X(rx_eth_drop) X(rx_ip_bad) \
	X(rx_ip_csum) X(rx_ip_not_ours) X(rx_ip_martian) X(rx_frags) X(reasm_ok) \
	X(reasm_drop) X(reasm_timeout) X(tx_frags) X(arp_in) X(arp_bad) X(arp_requests) \
	X(arp_replies) X(arp_queue_drop) X(arp_conflict) X(icmp_in) X(icmp_bad) X(icmp_echo) \
	X(icmp_out) X(icmp_limited) X(udp_in) X(udp_out) X(udp_bad) X(udp_no_port) \
	X(udp_ev_drop) X(tcp_in) X(tcp_out) X(tcp_bad) X(tcp_csum) X(tcp_no_conn) X(tcp_rst_in) \
	X(tcp_rst_out) X(tcp_active) X(tcp_passive) X(tcp_established) X(tcp_retrans) \
	X(tcp_rto) X(tcp_tlp) X(tcp_fast_recovery) X(tcp_undo) X(tcp_dsack_in) \
	X(tcp_dup_data) X(tcp_ooo) X(tcp_ooo_drop) X(tcp_out_of_window) X(tcp_paws) \
	X(tcp_challenge) X(tcp_challenge_limited) X(tcp_ack_bad) X(tcp_syn_drop) \
	X(tcp_cookie_sent) X(tcp_cookie_ok) X(tcp_cookie_bad) X(tcp_timewait) \
	X(tcp_tw_recycled) X(tcp_keepalive) X(tcp_probe) X(tcp_timeout) X(tcp_rx_limit) \
	X(tcp_ecn_ce) X(tcp_stray) X(acl_denied) X(no_conn) X(no_txpkt) X(no_txrec) X(ev_deferred) \
	X(tx_refused) X(tcp_full_path)
/* clang-format on */

struct ixn_stats {
#define IXN_X(name) uint64_t name;
	IXN_STATS(IXN_X)
#undef IXN_X
};
const struct ixn_stats *ixn_stats(const struct ixn *n);

/* What is in use now. */
struct ixn_usage {
	uint32_t conns, timewait, tx_pkts, tx_recs, reasm, arp;
	size_t bytes;          /* the whole instance */
	size_t bytes_per_conn; /* state of an idle connection: TCB, hash slots, timer */
};
void ixn_usage(const struct ixn *n, struct ixn_usage *out);

#endif
