/* SPDX-License-Identifier: MIT
 *
 * Inside ixev: the base, and the states of its objects.
 */
#ifndef USERLIB_IXEV_PRIV_H
#define USERLIB_IXEV_PRIV_H

#include <ix/ixev.h>

/* A received piece, unread or partly read. */
struct ixev_seg {
	struct ixev_seg *next;
	const char *data;
	uint32_t len;
};

/* Received bytes in memory of our own. An older one stays as long as bytes of it may be lent. */
struct ixev_block {
	struct ixev_block *next;
	size_t room;
	char data[];
};

/* ixev_ctx.state */
enum {
	ST_KNOWN = 1u << 0,      /* the kernel has told the handle */
	ST_OPEN = 1u << 1,       /* connected */
	ST_EOF = 1u << 2,        /* the peer has ended its stream */
	ST_DEAD = 1u << 3,       /* the kernel has forgotten it */
	ST_CLOSING = 1u << 4,    /* the application has given it up */
	ST_ABORT = 1u << 5,      /* ... with a reset */
	ST_SHUT = 1u << 6,       /* half-close asked for */
	ST_SHUT_SENT = 1u << 7,  /* ... and told to the kernel */
	ST_CLOSE_SENT = 1u << 8, /* close or abort told to the kernel */
	ST_BLOCKED = 1u << 9,    /* the window is full: wait for a sent event */
	ST_FULL = 1u << 10,      /* limit reached, or no memory: IXEV_OUT is owed */
	ST_READY = 1u << 11,     /* on the ready list */
	ST_DIRTY = 1u << 12,     /* on the dirty list */
	ST_DIALING = 1u << 13,   /* `dialed` is owed */
	ST_ANSWERING = 1u << 14, /* amid a server's answer: the pending limit does not hold */
};

/* ixev_timer.state */
enum {
	TIMER_OFF,
	TIMER_WANTED,
	TIMER_ARMED,
	TIMER_FIRED
};

/* ixev_udp.state */
enum {
	UDP_OPEN,
	UDP_CLOSING
};

#define NCLASSES              2
#define NSPARE                64   /* idle kernel timers kept */
#define IOV_ARENA             8192 /* pieces handed to the kernel in one round */
#define SEG_SLAB              1024
#define PENDING_LIMIT_DEFAULT (256u << 10)
#define PENDING_MAX           (UINT32_MAX / 2) /* where a copy would go beyond it: -EMSGSIZE */

struct slab {
	struct slab *next;
};

struct ixev {
	struct ix_thread t;
	struct ixev_ctx *ready, **ready_tail; /* have something to be told */
	struct ixev_ctx *dirty, **dirty_tail; /* have something to tell the kernel */
	struct ixev_ctx all;                  /* ring of all contexts */
	struct ixev_listener *listeners;
	struct ixev_udp *udps;
	struct ixev_timer wanted, fired; /* rings */
	struct ixev_buf *released;       /* release callbacks owed */

	struct ix_iov *iov; /* IOV_ARENA */
	uint32_t niov;

	struct ixev_seg *free_segs;
	struct slab *slabs;
	struct ixev_buf *free_chunks[NCLASSES];
	size_t memory, memory_limit;
	uint32_t pending_limit;

	uint64_t spare[NSPARE];
	uint32_t nspare;
	bool stop;
};

/* ixev_mem.c */
struct ixev_seg *seg_get(struct ixev *b);
void seg_put(struct ixev *b, struct ixev_seg *s);
/* Memory that counts against the limit, in place of idle chunks if need be. NULL: there is none. */
void *mem_get(struct ixev *b, size_t n);
void mem_put(struct ixev *b, void *p, size_t n);
/* A buffer with room for up to `want` bytes (at least some); NULL: no memory. */
struct ixev_buf *chunk_get(struct ixev *b, size_t want);
bool chunk_is(const struct ixev_buf *buf);
void chunk_put(struct ixev *b, struct ixev_buf *buf);
static inline char *chunk_data(struct ixev_buf *buf)
{
	return (char *)(buf + 1);
}
/* The library is through with a buffer: back to the pool, or its release callback is owed. */
void buf_done(struct ixev *b, struct ixev_buf *buf);
void buf_run_released(struct ixev *b);
void mem_free_all(struct ixev *b);
struct ix_iov *iov_get(struct ixev *b, uint32_t n);

/* ixev_recv.c: what has come in and is unread */
bool recv_add(struct ixev_ctx *x, const char *data, uint32_t n); /* false: no memory */
void recv_save(struct ixev_ctx *x); /* the handle ends: payload moves into memory of our own */
void recv_drop(struct ixev_ctx *x);

/* ixev_tcp.c */
void make_dirty(struct ixev_ctx *x);
void tcp_flush(struct ixev *b);
void tcp_result(struct ixev *b, const struct ix_call *call);
void tcp_event(struct ixev *b, const struct ix_event *e);
void tcp_knock(struct ixev *b, const struct ix_event *e);
void tcp_run_ready(struct ixev *b);
void tcp_shut(struct ixev *b);

/* ixev_timer.c */
void timer_flush(struct ixev *b);
void timer_result(struct ixev *b, const struct ix_call *call);
void timer_event(struct ixev *b, const struct ix_event *e);
void timer_run_fired(struct ixev *b);
void timer_shut(struct ixev *b);

/* ixev_udp.c */
void udp_result(struct ixev *b, const struct ix_call *call);
void udp_event(struct ixev *b, const struct ix_event *e); /* udp_sent */
void udp_run(struct ixev *b, const struct ix_event *e);   /* udp_recv */
void udp_shut(struct ixev *b);

#endif
