/* SPDX-License-Identifier: MIT */
/*
 * One stack against a scripted peer, in virtual time: the test writes each segment the peer sends
 * and says what must come back (as packetdrill does).
 */
#ifndef TESTS_LIB_PEER_H
#define TESTS_LIB_PEER_H

#include <ix/net.h>

enum {
	FIN = 1,
	SYN = 2,
	RST = 4,
	PSH = 8,
	ACK = 16,
	URG = 32,
	ECE = 64,
	CWR = 128,
};

struct frame {
	uint8_t d[2048];
	uint32_t len;
	uint64_t at;
	/* TCP, when it is */
	uint32_t seq, ack, paylen, optlen;
	uint16_t sport, dport, wnd;
	uint8_t flags, tos, ttl;
	const uint8_t *opt, *pay;
};

struct peer {
	struct ixn *n;
	void *mem;
	struct ixn_config cfg;
	struct ixn_evq q;
	struct ixn_event ev[256], got[1024]; /* all events since peer_clear() */
	uint32_t ngot;
	uint64_t now;
	uint32_t held;
	struct frame out[512]; /* sent by the stack, not yet looked at */
	uint32_t nout, nread;
	bool auto_accept, auto_done;
	bool hold_tx; /* packets are not completed */
	struct ixn_txpkt *txwait[256];
	uint32_t ntxwait;
	uint32_t rx_flags; /* of frames to the stack */
	bool gather;       /* they wait for peer_burst() */
	struct ixn_rxbuf *burst[16];
	uint32_t nburst;
	bool keep_stray;
	struct ixn_rxbuf *stray[16];
	uint32_t nstray;
	ixn_conn conn; /* last one knocked, connected or moved here */
	/* of the connection the helpers speak for */
	uint16_t port, lport;
	uint32_t seq, ack; /* next of the peer, next expected from the stack */
	bool ts;
	uint32_t tsval, tsecr;
	uint16_t wnd;
	uint32_t raddr;
};

/* cfg NULL: defaults, small pools. The stack is 10.0.0.1/24, the peer 10.0.0.2. */
void peer_start(struct peer *p, const struct ixn_config *cfg);
void peer_default(struct ixn_config *cfg);
/* Checks the invariants and that nothing is left behind. */
void peer_stop(struct peer *p);
/* Gives a frame to the stack and runs a cycle. */
void peer_frame(struct peer *p, const uint8_t *d, uint32_t len);
void peer_frame_only(struct peer *p, const uint8_t *d, uint32_t len); /* without the cycle */
void peer_cycle(struct peer *p);
void peer_burst(
    struct peer *p); /* gives what was gathered to the stack at once, and runs a cycle */
/* Lets time pass, with the timers on it. */
void peer_wait(struct peer *p, uint64_t us);
/* The next frame the stack has sent, or NULL. */
struct frame *peer_next(struct peer *p);
/* The same; fails the test if there is none. */
struct frame *peer_must(struct peer *p);
/* Forgets frames and events so far. */
void peer_clear(struct peer *p);
/* The number of events of a type since then, and the last of them. */
uint32_t peer_events(struct peer *p, uint8_t type, struct ixn_event *last);

/* A TCP segment from the peer; opt is padded with NOPs in front. */
void peer_tcp(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t wnd,
	      const uint8_t *opt, uint32_t optlen, const void *pay, uint32_t len);
/* The same with the peer's present numbers, its window and timestamps; seq and ack are relative
 * to them. */
void peer_send(struct peer *p, uint8_t flags, int32_t dseq, int32_t dack, const void *pay,
	       uint32_t len);
/* Opens a connection to the stack's port 80 (passive open of the stack). */
void peer_open(struct peer *p, bool ts);
/* The next segment from the stack; fails the test if there is none. */
struct frame *peer_expect(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
void peer_expect_none(struct peer *p);
/* An IPv4 packet to the stack. */
uint32_t peer_ip(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, const void *pay,
		 uint32_t len, uint16_t id, uint16_t frag);
void put_be16(uint8_t *p, uint32_t v);
void put_be32(uint8_t *p, uint32_t v);
uint32_t get_be32(const uint8_t *p);
uint16_t inet_sum(const void *d, uint32_t len, uint32_t start);

#endif
