/* SPDX-License-Identifier: MIT */
/* TCP: the connection, and what its parts offer each other. */
#ifndef NET_TCP_TCP_H
#define NET_TCP_TCP_H

#include "net/core/core.h"

#define SEQ_LT(a, b)  ((int32_t)((a) - (b)) < 0)
#define SEQ_LEQ(a, b) ((int32_t)((a) - (b)) <= 0)
#define SEQ_GT(a, b)  ((int32_t)((a) - (b)) > 0)
#define SEQ_GEQ(a, b) ((int32_t)((a) - (b)) >= 0)

enum {
	TH_FIN = 1,
	TH_SYN = 2,
	TH_RST = 4,
	TH_PSH = 8,
	TH_ACK = 16,
	TH_URG = 32,
	TH_ECE = 64,
	TH_CWR = 128,
};

/*
 * A piece of the send queue: consecutive sequence numbers in one piece of the caller's memory,
 * and what RACK (RFC 8985 5.2) wants to know of their transmission. Pieces are split where
 * packets are cut, so a packet is always a whole number of pieces.
 */
struct txrec {
	const uint8_t *ptr;
	uint64_t dma;
	uint32_t seq;
	uint32_t next;
	uint32_t xmit; /* time of the last transmission, microseconds */
	uint32_t len : 24, flags : 8;
};
#define REC_LEN_MAX 0xffffffu
_Static_assert(sizeof(struct txrec) == 32, "two of them are a cache line");

enum {
	REC_FIN = 1, /* takes one sequence number, has no data */
	REC_PSH = 2, /* end of an ixn_sendv() */
	REC_SACKED = 4,
	REC_LOST = 8,     /* judged lost, not yet sent again */
	REC_RETRANS = 16, /* was sent more than once */
	REC_OUT = 32,     /* the retransmission is in flight */
	REC_LAST = 64,    /* a packet ended here */
};

/* Flags of a connection */
enum {
	F_TS = 1u << 0,
	F_SACK = 1u << 1,
	F_ECN = 1u << 2,
	F_PENDING = 1u << 3, /* in n->pending */
	F_ACK_NOW = 1u << 4,
	F_NODELAY = 1u << 5,
	F_CORK = 1u << 6,
	F_FIN_QUEUED = 1u << 7, /* the FIN is in the send queue or sent */
	F_FIN_RCVD = 1u << 8,
	F_CLOSED = 1u << 9,  /* the application has closed it */
	F_WANT = 1u << 10,   /* ixn_sendv() took less than it was given */
	F_EVENTS = 1u << 11, /* in the list of connections with events to report */
	F_KEEPALIVE = 1u << 12,
	F_MARK = 1u << 13, /* TTL or DSCP differ from the default: see the cold part */
	F_LOSS = 1u << 14, /* the cold part has loss state: the ACK handler's slow path */
	F_OOO = 1u << 15,  /* segments out of order are held */
	F_APP = 1u << 16,  /* accepted or connected: the application knows the handle */
	F_PASSIVE = 1u << 17,
	F_DSACK = 1u << 18,      /* a duplicate is to be reported (RFC 2883) */
	F_ECE = 1u << 19,        /* to be sent until CWR comes; with DCTCP: the CE state */
	F_CWR = 1u << 20,        /* to be sent with the next new data */
	F_QUICK = 1u << 21,      /* quick ACKs are left (cold.quick) */
	F_TLP = 1u << 22,        /* rto_at is for a tail loss probe */
	F_FULL = 1u << 23,       /* the congestion window stopped the last output */
	F_DEAD = 1u << 24,       /* the end was reported; freed when the cycle ends */
	F_URG = 1u << 25,        /* urgent data announced and not yet delivered */
	F_HALF = 1u << 26,       /* counted in its listener's half-open connections */
	F_QUICKACK = 1u << 27,   /* IXN_OPT_QUICKACK */
	F_COLD_TIMER = 1u << 28, /* cold.life_at or keep-alive is on */
	F_FIN_ACKED = 1u << 29,
	F_READY = 1u << 30, /* knocked and not yet accepted */
	F_RETRY = 1u << 31, /* output stopped for want of a pool entry */
};

/*
 * What rto_at stands for: a SYN before ESTABLISHED; with F_TLP a tail loss probe (RFC 8985 7.2); a
 * window probe if nothing is in flight; else, with F_LOSS, what cold.timer says; else the RTO.
 */
enum {
	TM_RTO,
	TM_REORDER, /* RFC 8985 6.3 */
};

/* The part of a connection that every segment needs: two cache lines. */
struct tcb {
	union {
		struct {
			uint16_t lport, rport;
			uint32_t raddr;
		};
		uint64_t key; /* the three as one number; see peek() */
	};
	uint8_t laddr; /* index in n->addr */
	uint8_t state; /* enum ixn_state */
	uint8_t snd_wscale : 4, rcv_wscale : 4;
	uint8_t group;
	uint32_t flags;
	uint32_t rcv_nxt;
	uint32_t rcv_adv; /* right edge of the window advertised */
	uint32_t last_ack_sent;
	uint32_t ts_recent;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t snd_wnd;
	uint32_t snd_wl1; /* SND.WL2 is not needed: see ack_window() */
	uint32_t rec_head, rec_tail;
	uint32_t rec_send; /* first record never sent, or NONE */
	uint32_t ts_off;   /* added to the millisecond clock */

	uint64_t cookie;
	struct ixn_rxbuf *rx_head, *rx_tail; /* delivered or deliverable, not released */
	uint32_t gen;
	uint32_t srtt;     /* microseconds << 3; 0: no sample yet */
	uint32_t rttvar;   /* microseconds << 2 */
	uint32_t rto_at;   /* ticks; 0: off */
	uint32_t ack_at;   /* delayed ACK; ticks; 0: off */
	uint32_t wheel_at; /* when the wheel will look at this connection; 0: not in it */
	uint32_t cwnd;
	int32_t rcv_wnd;    /* free space in the receive buffer; can be a little negative */
	uint32_t rack_xmit; /* RACK.xmit_ts */
	uint16_t mss;       /* payload of a full segment, options subtracted */
	uint16_t arp_hint;
};
_Static_assert(sizeof(struct tcb) == 128, "two cache lines");

struct cubic {
	uint32_t w_max, k_ms, epoch, w_est, origin;
	uint32_t est_cnt;
	uint32_t w_undo; /* w_max before the last reduction */
	uint32_t last;   /* when the window last grew, milliseconds */
};
struct dctcp {
	uint32_t alpha; /* << 10 */
	uint32_t acked, marked;
	uint32_t end; /* of the observation window */
};

/* The rest. */
struct tcb_cold {
	/* loss recovery: loss.c */
	uint32_t ssthresh;
	uint32_t min_rtt;
	uint32_t recover;            /* end of the recovery (RFC 6582, RFC 6675) */
	uint32_t sacked, lost;       /* bytes, by record flag */
	uint32_t fack;               /* highest sequence number known to have arrived */
	uint32_t rack_end, rack_rtt; /* RACK.end_seq, RACK.rtt */
	uint32_t dsack_round;
	uint32_t tlp_end;
	uint32_t prr_delivered, prr_out, recover_fs; /* RFC 6937 */
	uint32_t undo_cwnd, undo_ssthresh, undo_retrans;
	uint32_t retrans_ts; /* timestamp value at the first retransmission */
	uint32_t cwr_end;    /* one reaction to ECN per window */
	uint32_t cc_count;   /* bytes on the way to the next growth of the window */
	uint32_t last_send;  /* ticks, with more than the initial window only (RFC 5681 4.1) */
	uint32_t retrans_at; /* ticks, first timeout without progress; 0: none */
	uint32_t max_wnd;    /* largest window the peer has offered */
	union {
		struct cubic cubic;
		struct dctcp dctcp;
	} cc_state;
	/* receiving */
	struct ixn_rxbuf *ooo;         /* sorted by sequence number */
	struct ixn_rxbuf *undelivered; /* first of rx_head.. not yet reported */
	uint32_t ooo_count;
	uint32_t ooo_last; /* a number in the block to report first (RFC 2018 4) */
	uint32_t dsack[2];
	uint32_t rcv_buf;
	uint32_t urg;           /* end of urgent data */
	uint32_t seen_at;       /* seconds; the timer has last looked at the connection */
	uint32_t challenged_at; /* ticks; 0: never */
	/* life */
	uint32_t irs, iss;
	uint32_t snd_wraps, rcv_wraps;
	uint32_t acked_unreported;
	uint32_t ev_next;
	uint32_t listener;              /* index */
	uint32_t last_rx;               /* ticks, with keep-alive only */
	uint32_t keep_idle, keep_intvl; /* ticks */
	uint32_t keep_at;               /* ticks; 0: off */
	uint32_t user_timeout;          /* ticks */
	uint32_t life_at;               /* end of FIN-WAIT-2; ticks; 0: off */
	uint32_t retransmits;
	uint32_t hash;
	int16_t err; /* reason to report */
	int16_t soft_err;
	uint16_t ev; /* EVP_* */
	uint16_t peer_mss;
	uint8_t keep_cnt, keep_sent;
	uint8_t backoff;
	uint8_t retries; /* of SYN, probes */
	uint8_t quick;   /* quick ACKs left */
	uint8_t timer;   /* TM_* */
	uint8_t cc;
	uint8_t ttl, tos;
	uint8_t recovery; /* RECOVERY_* */
	uint8_t reo_mult, reo_persist;
	uint8_t dupacks;
	bool tlp_out : 1, tlp_retrans : 1;
	bool reordering : 1;
	bool undo : 1;
	bool peer_scales : 1;
	bool soft_errors : 1; /* IXN_OPT_SOFT_ERRORS */
};
_Static_assert(sizeof(struct tcb_cold) == 256, "four cache lines");
enum {
	RECOVERY_NONE,
	RECOVERY_FAST, /* fast recovery (RFC 6675 5, RFC 6582) */
	RECOVERY_RTO,  /* after a timeout */
};
enum {
	EVP_KNOCK = 1,
	EVP_CONNECTED = 2,
	EVP_RECV = 4,
	EVP_EOF = 8,
	EVP_SENT = 16,
	EVP_ERROR = 32,
	EVP_DEAD = 64,
	EVP_URGENT = 128,
	EVP_MOVED = 256,
};

/* A connection in TIME-WAIT: enough to answer and to let a new one in (RFC 6191). */
struct timewait {
	uint32_t raddr;
	uint16_t rport, lport;
	uint32_t laddr;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd;
	uint32_t ts_recent, ts_off;
	uint32_t hash;
	uint32_t due; /* ticks */
	uint32_t newer, older;
	uint8_t laddr_index;
	bool ts;
	uint8_t rcv_wscale;
	uint8_t group;
};

/* A parsed segment. */
struct seg {
	struct ixn_rxbuf *buf;
	const uint8_t *th;
	const uint8_t *data;
	uint32_t seq, ack, len; /* len: data bytes */
	uint32_t wnd;           /* as in the header */
	uint32_t tsval, tsecr;
	uint32_t raddr;
	uint16_t rport, lport;
	uint16_t urg;
	uint16_t mss;
	uint8_t flags;
	uint8_t laddr;
	uint8_t wscale;
	uint8_t tos;
	uint8_t nsack;
	bool has_ts, has_wscale, sack_ok;
	bool kept;    /* the buffer was taken over by the connection */
	bool reopens; /* a TIME-WAIT entry gave way to this SYN: use iss */
	uint32_t iss;
	const uint8_t *sack; /* nsack blocks of 8 bytes */
};

static inline uint32_t tcb_id(const struct ixn *n, const struct tcb *t)
{
	return (uint32_t)(t - n->tcb);
}

static inline struct tcb_cold *tcb_cold(const struct ixn *n, const struct tcb *t)
{
	return &n->cold[t - n->tcb];
}

static inline uint64_t conn_handle(const struct ixn *n, const struct tcb *t)
{
	return (uint64_t)t->gen << 32 | (tcb_id(n, t) + 1);
}

static inline uint32_t rec_seqlen(const struct txrec *r)
{
	return r->len + (r->flags & REC_FIN);
}

/* One past the last sequence number in the send queue. */
static inline uint32_t snd_end(const struct ixn *n, const struct tcb *t)
{
	if (t->rec_tail == NONE)
		return t->snd_nxt;
	return n->rec[t->rec_tail].seq + rec_seqlen(&n->rec[t->rec_tail]);
}

/* Bytes in flight (RFC 6675 "pipe"). */
static inline uint32_t tcp_pipe(const struct ixn *n, const struct tcb *t)
{
	uint32_t flight = t->snd_nxt - t->snd_una;

	if (unlikely(t->flags & F_LOSS)) {
		const struct tcb_cold *c = tcb_cold(n, t);
		flight -= c->sacked + c->lost;
	}
	return flight;
}

static inline void tcp_pend(struct ixn *n, struct tcb *t)
{
	if (!(t->flags & F_PENDING)) {
		t->flags |= F_PENDING;
		n->pending[n->npending++] = tcb_id(n, t);
	}
}

static inline uint32_t us_to_ticks(uint64_t us)
{
	return (uint32_t)((us + (1 << WHEEL_SHIFT) - 1) >> WHEEL_SHIFT);
}

/* A deadline; 0 means "off". */
static inline uint32_t tick_after(const struct ixn *n, uint32_t ticks)
{
	uint32_t t = n->tick + ticks;
	return t ? t : 1;
}

/* Ticks come round after 19 hours. */
static inline uint32_t now_seconds(const struct ixn *n)
{
	return (uint32_t)(n->now / 1000000);
}

static inline uint32_t tcp_ts(const struct ixn *n, const struct tcb *t)
{
	return n->ts_now + t->ts_off;
}

/* ---- fast.c: bursts of packets, and the short way of ordinary segments */
/* At most RX_BURST packets. Takes the buffers. */
void tcp_rx_burst(struct ixn *n, struct ixn_rxbuf **bufs, uint32_t count);
/* Output of all connections in n->pending. */
void tcp_output_all(struct ixn *n);

/* ---- input.c */
void tcp_rx(struct ixn *n, struct rxinfo *r);
/* The fast entry: a TCP packet without IP options or fragments. hint: likely TCB or NONE. */
void tcp_input(struct ixn *n, struct seg *s, uint32_t hash, uint32_t hint);
bool tcp_parse_options(struct seg *s, const uint8_t *opt, uint32_t len);
void tcp_icmp(struct ixn *n, const uint8_t *l4, uint32_t raddr, uint32_t laddr, uint8_t type,
	      uint8_t code, uint16_t mtu);

/* The path takes packets of at most mtu bytes (RFC 1191). */
void tcp_mtu_reduced(struct ixn *n, struct tcb *t, uint16_t mtu);

/* ---- handshake.c: LISTEN, SYN-SENT, SYN-RCVD, cookies */
void tcp_listen_input(struct ixn *n, struct seg *s, uint32_t hash);
void tcp_syn_sent_input(struct ixn *n, struct tcb *t, struct seg *s);
void tcp_established(struct ixn *n, struct tcb *t);
struct listener *listener_find(struct ixn *n, uint32_t laddr, uint16_t port);
/* Where a connection's sequence numbers (RFC 6528) and timestamps (RFC 7323 5.4) begin. */
struct tcp_numbers {
	uint32_t iss, ts_off;
};
struct tcp_numbers tcp_numbers(const struct ixn *n, uint32_t raddr, uint32_t laddr, uint16_t rport,
			       uint16_t lport);
uint32_t tcp_our_mss(const struct ixn *n);
void listen_leave(struct ixn *n, struct tcb *t);
void listen_end(struct ixn *n, uint32_t i);

/* ---- conn.c: creation, events, death */
struct tcb *conn_new(struct ixn *n, uint32_t raddr, uint8_t laddr, uint16_t rport, uint16_t lport,
		     uint32_t hash);
/* Ends a connection. err: what IXN_EV_DEAD (or IXN_EV_CONNECTED) tells; with report false no
 * event is sent. Memory references are dropped; the handle lives to the end of the cycle. */
void conn_end(struct ixn *n, struct tcb *t, int err, bool report);
/* The protocol is over, but the application has not closed: the handle stays, as IXN_TIME_WAIT. */
void conn_linger(struct ixn *n, struct tcb *t);
void conn_reap(struct ixn *n);
/* Gives up a connection that was copied (group.c): without events, with nothing released. */
void conn_forget(struct ixn *n, struct tcb *t);
/* Such a copy becomes a connection, in no table yet. There must be room. */
struct tcb *conn_adopt(struct ixn *n, const struct tcb *copy, const struct tcb_cold *cold,
		       uint8_t laddr);
/* Notes events and reports them now, or later if the queue is full. */
void conn_event(struct ixn *n, struct tcb *t, uint16_t evp);
void conn_events_retry(struct ixn *n);
/* Appends in-order payload to the connection and reports it. */
void conn_deliver(struct ixn *n, struct tcb *t, struct ixn_rxbuf *b);

/* What ixn_sendv() takes behind `end`, the end of the send queue: what both windows allow beyond the
 * data queued, and the slack. */
static inline uint32_t conn_room_behind(const struct ixn *n, const struct tcb *t, uint32_t end)
{
	uint32_t queued = end - t->snd_una, slack = n->cfg.tcp.slack_segs * t->mss;
	int32_t wnd = (int32_t)(t->snd_wnd - queued);
	int32_t cw = (int32_t)(t->cwnd - tcp_pipe(n, t) - (end - t->snd_nxt));
	int32_t room = (wnd < cw ? wnd : cw) + (int32_t)slack;

	return room > 0 ? (uint32_t)room : 0;
}

static inline uint32_t conn_room(const struct ixn *n, const struct tcb *t)
{
	return conn_room_behind(n, t, snd_end(n, t));
}

/* What every event of a connection tells. */
static inline void conn_event_head(const struct ixn *n, const struct tcb *t, struct ixn_event *ev,
				   uint8_t type)
{
	ev->type = type;
	ev->laddr = t->laddr;
	ev->lport = t->lport;
	ev->rport = t->rport;
	ev->group = t->group;
	ev->handle = conn_handle(n, t);
	ev->cookie = t->cookie;
}

/* Appends a buffer to what the application holds or will be given. */
static inline void conn_hold(struct tcb *t, struct ixn_rxbuf *b)
{
	b->next = NULL;
	b->done = 0;
	b->hash = 0;
	if (t->rx_tail) {
		t->rx_tail->next = b;
		b->hash = t->rx_tail->hash + 1; /* a running number, to count those held */
	} else {
		t->rx_head = b;
	}
	t->rx_tail = b;
}

/* Buffers of data in order that a connection holds. */
static inline uint32_t conn_held(const struct tcb *t)
{
	return t->rx_head ? t->rx_tail->hash - t->rx_head->hash + 1 : 0;
}

static inline uint32_t rec_new(struct ixn *n)
{
	uint32_t id = n->rec_free;

	if (unlikely(id == NONE)) {
		n->st.no_txrec++;
		return NONE;
	}
	n->rec_free = n->rec[id].next;
	n->rec_free_count--;
	return id;
}

static inline void rec_put(struct ixn *n, uint32_t id)
{
	n->rec[id].next = n->rec_free;
	n->rec_free = id;
	n->rec_free_count++;
}

void rec_drop_all(struct ixn *n, struct tcb *t);
/* Cuts the record so that its first part has len bytes; false: no record free. */
bool rec_split(struct ixn *n, struct tcb *t, uint32_t id, uint32_t len);
void conn_queue_fin(struct ixn *n, struct tcb *t);

/* ---- output.c */
void tcp_output(struct ixn *n, struct tcb *t);
void tcp_send_syn(struct ixn *n, struct tcb *t);
void tcp_send_ack(struct ixn *n, struct tcb *t);
/* RST in answer to a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void tcp_reset_reply(struct ixn *n, const struct seg *s);
void tcp_send_rst(struct ixn *n, struct tcb *t);
/* Answers a segment that cannot be used (RFC 5961), within limits. */
void tcp_challenge_ack(struct ixn *n, struct tcb *t, const struct seg *s);
/* Answers a keep-alive or window probe, which are no attack however many connections have them. */
void tcp_answer_probe(struct ixn *n, struct tcb *t);
/* A segment without a connection: cookies, TIME-WAIT. */
void tcp_send_raw(struct ixn *n, uint8_t laddr, uint32_t raddr, uint16_t lport, uint16_t rport,
		  uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd, const uint8_t *opt,
		  uint32_t optlen);
/* Sends the last segment in flight again (RFC 8985 7.3). False: it could not. */
bool tcp_retransmit_tail(struct ixn *n, struct tcb *t);
/* Sends new data regardless of congestion window, Nagle and silly windows, but not beyond the peer's
 * window. */
bool tcp_send_forced(struct ixn *n, struct tcb *t);
void tcp_send_probe(struct ixn *n, struct tcb *t);
uint32_t syn_options(uint8_t *o, uint16_t mss, bool sack, bool ts, uint32_t tsval, uint32_t tsecr,
		     int wscale);
/* Checksums of a TCP packet that has all but its IP header, or what offload wants in their place. */
void tcp_checksum(struct ixn *n, struct ixn_txpkt *p, uint32_t src, uint32_t dst);
/* RFC 5681 4.1: after an idle time of one RTO the window is no more than the initial one. */
void tcp_restart_after_idle(struct ixn *n, struct tcb *t);
/* The application has released data: see whether that is worth a segment. */
void tcp_window_opened(struct ixn *n, struct tcb *t);
static inline void tcp_window_update(struct ixn *n, struct tcb *t)
{
	uint32_t left = t->rcv_adv - t->rcv_nxt;

	/* As long as the peer has more than half of the buffer to go there is no hurry. */
	if (unlikely((int32_t)left <= t->rcv_wnd / 2 || left < t->mss))
		tcp_window_opened(n, t);
}

/* ---- timer.c */
void tcp_arm(struct ixn *n, struct tcb *t);
void tcp_timer(struct ixn *n, uint32_t id);
uint32_t tcp_rto(const struct ixn *n, const struct tcb *t);
void tcp_rtt_sample(struct ixn *n, struct tcb *t, uint32_t us);
/* RFC 6298 2, with the variation bounded from below as in Linux: RTO >= SRTT + minimum. Without
 * backoff and the upper bound; microseconds. */
static inline uint64_t tcp_rto_us(const struct ixn_tcp_config *cfg, const struct tcb *t)
{
	if (unlikely(!t->srtt))
		return cfg->rto_initial_us;
	return (t->srtt >> 3) +
	       (uint64_t)(t->rttvar > cfg->rto_min_us ? t->rttvar : cfg->rto_min_us);
}
/* RFC 8985 7.2: two round trips, and time for a delayed ACK of a lone segment; microseconds. */
static inline uint64_t tcp_pto_us(const struct ixn_tcp_config *cfg, const struct tcb *t)
{
	uint64_t wait = t->snd_nxt - t->snd_una <= t->mss ? cfg->rto_min_us : 2u << WHEEL_SHIFT;

	return (t->srtt >> 2) + wait;
}
/* Sets the retransmission (or probe) timer from the state of the connection. */
void tcp_set_rto(struct ixn *n, struct tcb *t);

/* ---- loss.c */
/*
 * Grows the congestion window unless the application was the limit (RFC 9293 leaves it; RFC 7661,
 * 9438 5.8). What was in flight before the ACK tells that only for the first ACK of a cycle, as
 * nothing is sent between them; F_FULL tells it for all.
 */
void tcp_grow_limited(struct ixn *n, struct tcb *t, uint32_t flight, uint32_t acked);
static inline void tcp_grow(struct ixn *n, struct tcb *t, uint32_t flight, uint32_t acked)
{
	if (unlikely(flight * 2 >= t->cwnd || t->flags & F_FULL))
		tcp_grow_limited(n, t, flight, acked);
}
/* Removes what is acknowledged, applies SACK blocks, detects loss, runs recovery. */
void tcp_ack(struct ixn *n, struct tcb *t, struct seg *s);
/*
 * From now on each ACK is looked at. So far all was acknowledged in order: what the cold part remembers
 * of an earlier loss may be more than half of the number space behind, which would look like ahead.
 */
static inline void loss_watch(struct ixn *n, struct tcb *t)
{
	if (t->flags & F_LOSS)
		return;
	struct tcb_cold *c = tcb_cold(n, t);
	t->flags |= F_LOSS;
	c->rack_end = c->fack = t->snd_una;
	if (c->dsack_round - t->snd_una > t->snd_nxt - t->snd_una)
		c->dsack_round = t->snd_una;
}
void loss_rto(struct ixn *n, struct tcb *t);
void loss_reorder_timer(struct ixn *n, struct tcb *t);
/* The next record to send again, or NONE. */
uint32_t loss_next(const struct ixn *n, const struct tcb *t);
/* How many bytes the congestion window allows now. */
uint32_t tcp_cwnd_room(const struct ixn *n, const struct tcb *t);

/* ---- cc.c */
struct cc_ops {
	const char *name;
	void (*init)(struct ixn *n, struct tcb *t, struct tcb_cold *c);
	/* acked: bytes newly acknowledged outside recovery while the window was the limit. */
	void (*ack)(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t acked);
	/* The new ssthresh after loss (or an ECN mark). */
	uint32_t (*reduce)(struct ixn *n, struct tcb *t, struct tcb_cold *c, bool ecn);
	/* Each ACK, whatever limits: marked bytes (DCTCP). NULL: not needed. */
	void (*mark)(struct ixn *n, struct tcb *t, struct tcb_cold *c, uint32_t acked, bool ece);
	void (*undo)(struct ixn *n, struct tcb *t, struct tcb_cold *c);
};
const struct cc_ops *cc_ops(uint8_t cc);
uint32_t cc_initial_window(const struct ixn *n, uint32_t mss);

/* ---- timewait.c */
void tw_init(struct ixn *n);
void tw_enter(struct ixn *n, struct tcb *t);
/* True: handled; false: the entry was recycled, treat the segment as for LISTEN. */
bool tw_input(struct ixn *n, uint32_t id, struct seg *s);
void tw_expire(struct ixn *n);
void tw_drop_addr(struct ixn *n, uint8_t laddr);
uint64_t tw_next(const struct ixn *n);
uint32_t tw_count_group(const struct ixn *n, uint32_t group);
void tw_take_group(struct ixn *n, uint32_t group, struct timewait *to);
void tw_adopt(struct ixn *n, const struct timewait *w);

/* ---- group.c */
/* Whether a connection would belong to a group that another instance owns. */
bool group_elsewhere(const struct ixn *n, uint32_t raddr, uint32_t laddr, uint16_t rport,
		     uint16_t lport);
/* A segment without a connection. True: it is for another instance, and s->kept is set. */
bool group_stray(struct ixn *n, struct seg *s);

#endif
