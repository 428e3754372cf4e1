/* SPDX-License-Identifier: MIT
 *
 * ixev: event-driven networking on the dataplane, in the manner of libevent.
 *
 * One base (struct ixev) per thread and core. Objects (connections, listeners, datagram sockets,
 * timers) are structures that the application embeds in its own and that belong to one base;
 * nothing here may be called for an object of another thread's base.
 *
 * A round: ixev_wait() hands the calls collected so far to the kernel, takes the new events and runs
 * the callbacks of the objects they concern, each connection once. Whatever the callbacks ask for is
 * collected again: all writes of a connection in one round become one sendv.
 *
 * Results are 0 or a count, or a negative errno value; the library never exits or prints.
 */
#ifndef IX_IXEV_H
#define IX_IXEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ix/ix.h>

struct ixev;
struct ixev_ctx;

/* Event bits. */
#define IXEV_IN  0x01 /* data, or the end of the stream, can be received */
#define IXEV_OUT 0x02 /* less than the pending limit waits to be sent */
#define IXEV_HUP 0x04 /* the connection is over: ixev_error() says why; always reported */
#define IXEV_ET  0x10 /* in a mask: report changes (edges), not states (levels) */

/* ---- bases ---- */

struct ixev_config {
	uint32_t pending_limit; /* bytes a connection may have waiting, unsent; 0: 256 KiB */
	uint32_t reserved;
	size_t memory_limit; /* bytes for copies of data to be sent; 0: no limit but malloc's */
};

/*
 * Attaches the calling thread. `conf` may be NULL. Errors: those of attach, which ix_attach_error() puts
 * into words; -ENOMEM.
 */
int ixev_open(struct ixev **base, const struct ixev_config *conf);

/*
 * Resets connections that are left (their release hooks are not called), ends all other objects and
 * frees the base.
 */
void ixev_shut(struct ixev *base);

/*
 * One round; waits at most `usec` (IX_WAIT_FOREVER) for events unless there is work already. Number of
 * events, or an error of run_io.
 */
long ixev_wait(struct ixev *base, uint64_t usec);

/* Rounds until ixev_stop() or an error, which is returned. */
long ixev_loop(struct ixev *base);
void ixev_stop(struct ixev *base);

/*
 * A server on all cores: attaches the calling thread and one new thread for each other core of the
 * dataplane, calls `start` in each, which listens and prepares what it needs, and when all have
 * succeeded runs a loop in each. Returns when every loop was stopped, or the first error.
 */
long ixev_run_cores(const struct ixev_config *conf, int (*start)(struct ixev *base, void *arg),
		    void *arg);

/* What attach told: core, number of cores, addresses. */
const struct ix_attach *ixev_info(const struct ixev *base);

/* ---- memory to be sent by reference ---- */

/*
 * Names a piece of memory for ixev_send_zc(). It belongs to the library from then until `release`
 * is called: when the peer has acknowledged all of it, or the connection has ended.
 */
struct ixev_buf {
	struct ixev_buf *next;
	const char *data;
	uint32_t len;
	uint32_t room;                         /* library: bytes left behind a copy */
	void (*release)(struct ixev_buf *buf); /* may be NULL */
};

/* ---- connections ---- */

struct ixev_ops {
	/* Events of `mask` are true, or IXEV_HUP. */
	void (*event)(struct ixev_ctx *ctx, unsigned int events);
	/* Outcome of ixev_connect(): 0 or a negative errno; after an error comes `release`. */
	void (*dialed)(struct ixev_ctx *ctx, int err);
	/* The library has let go of the context: it may be freed or used anew. May be NULL. */
	void (*release)(struct ixev_ctx *ctx);
};

struct ixev_ctx {
	struct ixev *base;
	const struct ixev_ops *ops;
	uint64_t handle;
	struct ixev_ctx *next_ready, *next_dirty; /* singly linked lists of the base */
	struct ixev_ctx *prev, *next;             /* all contexts of the base */

	struct ixev_seg *rx_head, *rx_tail; /* received, unread */
	uint32_t rx_off;                    /* bytes of rx_head read already */
	uint32_t rx_bytes;                  /* unread in all */
	uint32_t rx_lent;                   /* read by reference, not yet given back */
	uint32_t rx_done;                   /* to be given back to the kernel in this round */

	struct ixev_buf *tx_head; /* oldest unacknowledged */
	struct ixev_buf *tx_next; /* first unsent */
	struct ixev_buf *tx_tail; /* last */
	uint32_t tx_acked;        /* bytes of tx_head acknowledged */
	uint32_t tx_sent;         /* bytes of tx_next sent */
	uint32_t tx_pending;      /* bytes unsent */
	uint32_t tx_limit;        /* most bytes that may be pending */
	uint32_t tx_given;        /* bytes of the sendv that is under way */

	struct ixev_block *rx_copy; /* received bytes in our own memory, newest first */
	uint32_t rx_want;           /* bytes that ixev_peek() waits for */
	uint32_t rx_own;            /* of rx_lent: in our own memory */
	uint64_t rx_skip;           /* bytes to come that nobody wants */

	uint16_t state; /* library */
	uint8_t mask;   /* IXEV_ */
	uint8_t edges;  /* events that happened since the last callback */
	int32_t error;
};

_Static_assert(sizeof(struct ixev_ctx) < 256, "a connection costs little until it buffers");

/*
 * Prepares a context (any old contents are ignored) with IXEV_IN as its mask: before ixev_connect(), or
 * in an accept hook.
 */
void ixev_init(struct ixev *base, struct ixev_ctx *ctx, const struct ixev_ops *ops);

struct ixev_listener {
	struct ixev *base;
	uint64_t handle;
	/*
	 * A peer connected: an initialised context accepts, NULL rejects. The context may be given a
	 * mask, written to and closed at once.
	 */
	struct ixev_ctx *(*accept)(struct ixev_listener *l, const struct ix_tuple *tuple);
	/* Seconds of silence after which a connection's peer is asked whether it is still there; 0: never. */
	uint32_t keepalive;
	struct ixev_listener *prev, *next;
};

/*
 * Listens on local:port (ix_ip_any: all addresses); l->accept and l->keepalive are set by the caller.
 * Every thread of a server listens for itself. -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS.
 */
int ixev_listen(struct ixev *base, struct ixev_listener *l, const struct ix_ip *local,
		uint16_t port, uint32_t backlog);
void ixev_unlisten(struct ixev_listener *l);

/*
 * Opens a connection; ops->dialed tells the outcome. Writing before that is allowed. -ENOMEM: nothing
 * happened.
 */
int ixev_connect(struct ixev_ctx *ctx, const struct ix_ip *remote, uint16_t port);

/* Which events are wanted: IXEV_IN, IXEV_OUT, with IXEV_ET or not. Takes effect at once. */
void ixev_set_mask(struct ixev_ctx *ctx, unsigned int mask);

/* Bytes pending from which on ixev_send() takes no more. */
void ixev_set_limit(struct ixev_ctx *ctx, uint32_t bytes);

/*
 * Copies out up to `len` received bytes. 0: end of the stream; -EAGAIN: nothing there; -ECONNRESET and
 * other errors: the connection is over (what was received before can still be read).
 */
ssize_t ixev_recv(struct ixev_ctx *ctx, void *buf, size_t len);

/*
 * The same without copying: *data points at up to `max` bytes that stay until they are given back by
 * ixev_recv_done(), which counts bytes in the order received, or until ixev_close(), or until the
 * callback with IXEV_HUP returns. While bytes are lent so, ixev_recv() is -EBUSY.
 */
ssize_t ixev_recv_zc(struct ixev_ctx *ctx, const void **data, size_t max);
void ixev_recv_done(struct ixev_ctx *ctx, size_t bytes);

/*
 * Looks at unread bytes without taking them: *data points at the first ones, at least `want` of them in one
 * piece, and their number is returned. They are looked at where they came in, or put together if they
 * came in several packets. *data holds until the next call for this context or the callback's end.
 *
 * When fewer are there: -EAGAIN, and IXEV_IN is true only when there are as many (or the stream has
 * ended). What comes until then is put together in memory, so `want` may exceed the receive window;
 * it is for the application to bound it. 0: the stream ends before, what is left can be received;
 * -ENOMEM; -EBUSY while bytes are lent; or the errors of ixev_recv().
 */
ssize_t ixev_peek(struct ixev_ctx *ctx, const void **data, size_t want);

/* Takes bytes off without looking at them; those that have not come yet, when they come. */
void ixev_skip(struct ixev_ctx *ctx, size_t bytes);

/*
 * Sends a copy of `len` bytes. As long as less than the pending limit waits to be sent, all of them are
 * taken, even if they go beyond it; else none, -EAGAIN: wait for IXEV_OUT. A smaller count: memory ran out
 * on the way; IXEV_OUT follows here too. -EPIPE after shutdown or close, -EMSGSIZE beyond 2 GiB pending, or
 * the connection's error.
 */
ssize_t ixev_send(struct ixev_ctx *ctx, const void *data, size_t len);

/* Sends buf->data by reference: 0, or the errors of ixev_send(). */
int ixev_send_zc(struct ixev_ctx *ctx, struct ixev_buf *buf);

/*
 * The same with a buffer of the library's own: `done` (may be NULL) is called with `arg` when the memory is
 * the application's again; not after an error.
 */
int ixev_send_ref(struct ixev_ctx *ctx, const void *data, size_t len, void (*done)(void *arg),
		  void *arg);

/* Half-close behind everything sent so far. */
int ixev_shutdown(struct ixev_ctx *ctx);

/*
 * Gives the context up: what was sent is still delivered, received bytes are dropped, no event follows;
 * ops->release is called when the library needs the context no more. Allowed in any state, and in its
 * own callbacks; closing twice does nothing.
 */
void ixev_close(struct ixev_ctx *ctx);

/* The same with a reset: unsent data is dropped. */
void ixev_abort(struct ixev_ctx *ctx);

static inline int ixev_error(const struct ixev_ctx *ctx)
{
	return ctx->error;
}

/* Bytes sent by the application and not yet by the stack; bytes received and unread. */
static inline size_t ixev_pending(const struct ixev_ctx *ctx)
{
	return ctx->tx_pending;
}

static inline size_t ixev_unread(const struct ixev_ctx *ctx)
{
	return ctx->rx_bytes;
}

/* What is true now: IXEV_IN, IXEV_OUT, IXEV_HUP; whether the peer has ended its stream. */
unsigned int ixev_levels(const struct ixev_ctx *ctx);
bool ixev_eof(const struct ixev_ctx *ctx);

/*
 * An option of the connection (IX_OPT_), from the next round on.
 * -ENOTCONN: before it is connected, as in the accept hook.
 */
int ixev_set_option(struct ixev_ctx *ctx, uint32_t option, uint64_t value);

/* ---- timers ---- */

struct ixev_timer {
	struct ixev *base;
	void (*fire)(struct ixev_timer *t);
	uint64_t handle;
	uint64_t usec;
	struct ixev_timer *prev, *next; /* armed in this round, or fired; library */
	uint8_t state;
};

void ixev_timer_init(struct ixev_timer *t, void (*fire)(struct ixev_timer *t));

/*
 * Fires once, `usec` microseconds after the end of this round; sets an armed timer anew. When more are
 * armed than the dataplane is configured for, the last ones start late.
 */
void ixev_timer_add(struct ixev *base, struct ixev_timer *t, uint64_t usec);

/* Disarms; the structure may be freed at once. Harmless on a timer that is not armed. */
void ixev_timer_del(struct ixev_timer *t);

/* ---- datagrams ---- */

struct ixev_dgram {
	struct ix_ip local, remote;
	uint16_t remote_port;
	const void *data;
	size_t len;
};

struct ixev_udp {
	struct ixev *base;
	uint64_t handle;
	/* A datagram; its memory is given back when the callback returns. */
	void (*recv)(struct ixev_udp *u, const struct ixev_dgram *d);
	/* The library has let go of the socket after ixev_udp_close(). May be NULL. */
	void (*release)(struct ixev_udp *u);
	struct ixev_udp *prev, *next;
	uint8_t state;
};

/* A socket on local:port (0: any free port); u->recv is set by the caller. */
int ixev_udp_bind(struct ixev *base, struct ixev_udp *u, const struct ix_ip *local, uint16_t port);

/* Sends a copy. Its length, -EMSGSIZE, -EAGAIN (no memory). Lost later like any datagram. */
ssize_t ixev_udp_send(struct ixev_udp *u, const struct ix_ip *remote, uint16_t port,
		      const void *data, size_t len);
void ixev_udp_close(struct ixev_udp *u);

#endif
