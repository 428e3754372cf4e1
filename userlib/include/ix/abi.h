/* SPDX-License-Identifier: MIT
 *
 * The system-call and event interface between an application and the dataplane kernel.
 *
 * An application has one elastic thread per core. Each thread alternates: it consumes the events
 * the kernel has put into its event array, writes calls into a call array of its own, and gives
 * both up with run_io(), which executes the calls, runs the network and comes back with new events.
 * Neither side touches an array while the other owns it, so no access is atomic.
 *
 *     run_io(calls, ncalls, wait)  ->  calls[i].ret overwritten, events[0..n-1] filled, n returned
 *
 * Everything here belongs to the calling thread: connections, datagram sockets and timers are known
 * only to the thread (core) that made them, and their handles mean nothing on another.
 *
 * Errors are negative Linux errno values, in returned values and in events.
 * IP addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d; ports are in host order.
 */
#ifndef IX_ABI_H
#define IX_ABI_H

#include <stdint.h>

#define IX_ABI_VERSION 1

/*
 * Native calls: RAX = number, arguments in RDI, RSI, RDX, result in RAX; RCX and R11 are clobbered
 * by SYSCALL. Numbers below IX_SYS_BASE are Linux system calls. In hosted mode the same numbers and
 * arguments go through a function pointer (userlib/native.c).
 */
#define IX_SYS_BASE 0x100000

/*
 * run_io(struct ix_call *calls, uint64_t ncalls, uint64_t wait_us): number of events, or an error
 * that concerns the arrays as a whole; then no call was executed and there are no events:
 *   -EFAULT  calls[0..ncalls-1] is not writable memory of the application, or not aligned to 64
 *   -EINVAL  ncalls > IX_CALLS_MAX
 *   -EPERM   the thread is not attached
 * Calls are executed in order; one that fails does not stop those behind it. Events of the previous
 * run_io() are gone afterwards. If no event is at hand the kernel goes on running the network for at
 * most wait_us microseconds (0: one cycle; IX_WAIT_FOREVER), and returns at the first event. Events
 * that find the array full are kept for the next time; none is lost.
 */
#define IX_SYS_RUN_IO (IX_SYS_BASE + 0)

/*
 * attach(struct ix_attach *): makes the calling thread an elastic thread and tells it where its
 * event array is. Each thread calls it once before its first run_io(). 0, or
 *   -EFAULT  the structure is not writable memory of the application
 *   -EINVAL  size is smaller than version 1's
 *   -ENOTSUP this version of the interface is not offered
 *   -EBUSY   the thread is attached already
 *   -EAGAIN  every core of the dataplane has its thread already
 */
#define IX_SYS_ATTACH (IX_SYS_BASE + 1)

/*
 * tcp_info(uint64_t handle, struct ix_tcp_info *, uint64_t size): state of a connection; at most
 * `size` bytes are written. Bytes written, or -EBADF, -EFAULT, -EPERM.
 */
#define IX_SYS_TCP_INFO (IX_SYS_BASE + 2)

/*
 * call(struct ix_call *calls, uint64_t ncalls): executes calls without running the network; the event
 * array stays as it is. For what wants an answer at once (listen, udp_bind), not for the data path.
 * 0, or the errors of run_io().
 */
#define IX_SYS_CALL (IX_SYS_BASE + 3)

#define IX_WAIT_FOREVER UINT64_MAX
#define IX_CALLS_MAX    65536 /* calls per run_io() */
#define IX_IOV_MAX      64    /* pieces per sendv */
#define IX_UDP_IOV_MAX  5     /* pieces per udp_sendv */

/* An address: IPv6, or IPv4 as ::ffff:a.b.c.d. All zero: none, any. */
struct ix_ip {
	uint8_t b[16];
};

struct ix_tuple {
	struct ix_ip local, remote;
	uint16_t local_port, remote_port;
	uint32_t reserved;
};

/* A piece of memory of the application. */
struct ix_iov {
	uint64_t base;
	uint64_t len;
};

struct ix_attach {
	uint32_t version; /* in: IX_ABI_VERSION */
	uint32_t size;    /* in: sizeof(struct ix_attach); out: bytes filled in */
	/* out: */
	uint64_t events; /* address of this thread's event array: struct ix_event[], read-only */
	uint32_t max_events; /* its capacity */
	uint32_t core;       /* this thread's core, 0..ncores-1 */
	uint32_t ncores;     /* cores that the dataplane has: how many threads can attach */
	uint32_t batch;      /* packets taken per queue and cycle (B) */
	uint64_t rx_base;    /* received payload lies in rx_base..rx_base+rx_size-1, read-only */
	uint64_t rx_size;
	struct ix_ip local; /* first address of the dataplane */
};

/*
 * Calls. `op`, `flags`, `port`, `n`, `cookie` stay as they were written; `ret` overwrites `handle`.
 *
 * A handle is a positive number that carries a generation: one that was released stays invalid
 * (-EBADF) and never names a later object. A cookie is any value of the application's; it comes back
 * in every event of the object it was given for, and means nothing to the kernel.
 *
 * Any call may return -EINVAL (unknown op, non-zero reserved flag, argument out of range), -EBADF
 * (the handle is none of this thread's live objects of the right kind), -ENOBUFS (a pool is empty:
 * nothing happened, it may work later).
 */
struct ix_call {
	uint8_t op;    /* IX_CALL_ */
	uint8_t flags; /* 0 */
	uint16_t port;
	uint32_t n;
	union {
		uint64_t handle; /* in */
		int64_t ret;     /* out */
	};
	uint64_t cookie;
	union {
		struct ix_tuple tuple;     /* connect, listen, udp_bind */
		uint64_t iov;              /* sendv: address of struct ix_iov[n] */
		uint64_t bytes;            /* recv_done */
		uint64_t usec;             /* timer_arm */
		struct {                   /* set_option */
			uint32_t option;   /* IX_OPT_ */
			uint32_t reserved; /* 0 */
			uint64_t value;
		} opt;
		struct {                       /* udp_sendv, udp_recv_done */
			uint64_t addr;         /* address of struct ix_iov[n]; of the payload */
			struct ix_ip reserved; /* 0 */
			struct ix_ip remote;
		} udp;
	};
} __attribute__((aligned(64)));

enum ix_call_op {
	IX_CALL_NONE = 0, /* no-op: returns 0 */

	/*
	 * connect(cookie, tuple): opens a connection to tuple.remote:remote_port. tuple.local and
	 * local_port are normally zero and chosen by the kernel. Returns the handle; `connected`
	 * tells the outcome. -EADDRINUSE, -EADDRNOTAVAIL (no such local address or no free port),
	 * -ENETUNREACH (no route), -EACCES (an ACL forbids it).
	 */
	IX_CALL_CONNECT = 1,

	/*
	 * listen(cookie, tuple, n): announces connections to local:local_port (local zero: any
	 * address of the dataplane) by `knock` events; n = connections that may wait to be accepted
	 * (0: the default). A thread hears of the flows that its core receives, so every thread of a
	 * server listens. Returns the listener's handle. -EADDRINUSE, -EADDRNOTAVAIL.
	 */
	IX_CALL_LISTEN = 2,

	/*
	 * unlisten(handle): ends a listener. Connections accepted stay; those neither accepted nor
	 * rejected are reset, and their handles are invalid from here on.
	 */
	IX_CALL_UNLISTEN = 3,

	/*
	 * accept(handle, cookie): takes a connection that knocked; from now its events carry the
	 * cookie. The handshake is complete, so there may be data. Returns the number of bytes that
	 * sendv would take at once. -ECONNABORTED or -EBADF: it has ended meanwhile.
	 */
	IX_CALL_ACCEPT = 4,

	/* reject(handle): refuses a connection that knocked, with a reset; the handle is released. */
	IX_CALL_REJECT = 5,

	/*
	 * sendv(handle, iov, n <= IX_IOV_MAX): sends memory by reference. Returns how many bytes the
	 * stack took, in order from the first: 0..sum, limited by the peer's window and congestion
	 * window; a `sent` event tells when it would take more. The iov array is read during the call;
	 * the bytes taken must stay unchanged until `sent` events have counted them (or the handle is
	 * gone); a later change damages only what this connection transmits. 0 is not an error. -EFAULT
	 * (iov or a piece, as far as the window reaches, is not memory of the application; nothing
	 * taken), -EPIPE (after shutdown or close), -ENOTCONN (before `connected`), -EBADF (before accept).
	 */
	IX_CALL_SENDV = 6,

	/*
	 * recv_done(handle, bytes): gives back the oldest `bytes` received bytes; the receive window
	 * opens by that much. -EINVAL if more than is held.
	 */
	IX_CALL_RECV_DONE = 7,

	/*
	 * close(handle): orderly release. All received payload of the connection is given back (its
	 * memory must not be touched any more), what sendv took is still delivered, then FIN. `sent`
	 * events go on, the last event is `dead`. Data that had not been read, or arrives later, makes
	 * it a reset (RFC 9293 3.6.1).
	 */
	IX_CALL_CLOSE = 8,

	/* shutdown(handle): half-close; FIN follows what sendv took. Receiving goes on. -ENOTCONN. */
	IX_CALL_SHUTDOWN = 9,

	/*
	 * abort(handle): resets the connection and releases the handle, received payload and sent
	 * memory at once. No event follows, not even if it was over already (-EBADF).
	 */
	IX_CALL_ABORT = 10,

	/* set_option(handle, opt): see IX_OPT_. 0 or -EINVAL. */
	IX_CALL_SET_OPTION = 11,

	/*
	 * udp_bind(cookie, tuple): a datagram socket on local:local_port (zero: any address; any free
	 * port). Returns its handle. -EADDRINUSE, -EADDRNOTAVAIL.
	 */
	IX_CALL_UDP_BIND = 16,

	/*
	 * udp_unbind(handle): ends the socket. Datagrams being sent are still sent, and their
	 * `udp_sent` events come; received ones are still to be given back.
	 */
	IX_CALL_UDP_UNBIND = 17,

	/*
	 * udp_sendv(handle, cookie, udp.addr, n, udp.remote, port): sends one datagram to remote:port
	 * gathered from n <= IX_UDP_IOV_MAX pieces. Returns its length. The memory must stay unchanged until
	 * `udp_sent` with this call's cookie (not the socket's). -EMSGSIZE, -EFAULT, -ENETUNREACH,
	 * -EACCES.
	 */
	IX_CALL_UDP_SENDV = 18,

	/*
	 * udp_recv_done(udp.addr): gives back a datagram; addr is what its event carried. The handle is
	 * not looked at. -EINVAL if the application does not hold it.
	 */
	IX_CALL_UDP_RECV_DONE = 19,

	/*
	 * timer_arm(cookie, usec <= IX_TIMER_MAX): one `timer` event after usec microseconds, never
	 * early, normally at most 16 us late. handle 0: a new timer; else that timer, armed or not, is
	 * set anew with this cookie. Returns the timer's handle, which stays valid until cancelled.
	 */
	IX_CALL_TIMER_ARM = 24,

	/* timer_cancel(handle): releases a timer; its event, if not yet delivered, will not be. */
	IX_CALL_TIMER_CANCEL = 25,
};

#define IX_TIMER_MAX (24ull * 3600 * 1000000) /* microseconds */

/* Options of a connection; values are numbers. */
#define IX_OPT_NODELAY      1 /* 1 (default): no Nagle algorithm; 0: Nagle */
#define IX_OPT_KEEPALIVE    2 /* seconds of silence before probes; 0 (default): none */
#define IX_OPT_USER_TIMEOUT 3 /* milliseconds that data may stay unacknowledged; 0: the default */
#define IX_OPT_CONGESTION   4 /* IX_CC_ */
#define IX_OPT_RCVWND       5 /* bytes of receive buffer: the largest window offered; can only grow */
#define IX_OPT_CORK         6 /* 1: partial segments wait for more data; 0 (default) sends them */

#define IX_CC_NEWRENO 0
#define IX_CC_CUBIC   1
#define IX_CC_DCTCP   2

/*
 * Events. The array and the payload that recv and udp_recv point at are read-only. The array's
 * content lasts until the next run_io(), payload until it is given back.
 */
struct ix_event {
	uint8_t type;  /* IX_EV_ */
	uint8_t flags; /* 0 */
	uint16_t port; /* udp_recv: sender's port */
	uint32_t n;    /* bytes */
	uint64_t handle;
	uint64_t cookie;
	union {
		struct ix_tuple tuple; /* knock, connected */
		uint64_t addr;         /* recv: address of the payload */
		uint64_t window;       /* sent */
		int64_t reason;        /* dead */
		struct {               /* udp_recv */
			uint64_t addr; /* address of the payload */
			struct ix_ip local;
			struct ix_ip remote;
		} udp;
	};
};

enum ix_event_type {
	/* A peer connected to a listener (cookie: the listener's); answer: accept or reject. */
	IX_EV_KNOCK = 1,

	/*
	 * The outcome of connect(). n = 0: connected, tuple is filled in. Else n is a positive errno,
	 * and the handle is gone: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH,
	 * ECONNRESET.
	 */
	IX_EV_CONNECTED = 2,

	/*
	 * n bytes of the stream, next in order, at addr. They count against the receive window until
	 * recv_done(). Never n = 0.
	 */
	IX_EV_RECV = 3,

	/*
	 * n more bytes were acknowledged: their memory is the application's again. window: bytes that
	 * sendv would take now. n = 0: only the window has opened.
	 */
	IX_EV_SENT = 4,

	/*
	 * The connection is over; the last event of its handle. reason: 0 when both sides have ended in
	 * order and the application has called close(); else -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH,
	 * -ENETUNREACH, -ENOBUFS. Memory given to sendv is the application's again. Received payload can
	 * be read until the next run_io() or call(); then it and the handle are gone, and nothing need
	 * be released.
	 */
	IX_EV_DEAD = 5,

	/* The peer has sent all it will (FIN): no `recv` follows. Sending still works. */
	IX_EV_EOF = 6,

	/*
	 * A datagram of n bytes at udp.addr, from udp.remote:port to udp.local; to be given back with
	 * udp_recv_done(), also if n is 0.
	 */
	IX_EV_UDP_RECV = 16,

	/* Datagrams of udp_sendv() calls are off: cookie is that of the call. One event per call. */
	IX_EV_UDP_SENT = 17,

	/* A timer has run out. */
	IX_EV_TIMER = 24,
};

/* IX_SYS_TCP_INFO. Times in microseconds, the rest in bytes where nothing else is said. */
struct ix_tcp_info {
	struct ix_tuple tuple;
	uint32_t state; /* IX_TCP_ */
	uint32_t mss;   /* largest payload of a segment to the peer */
	uint32_t cwnd, ssthresh;
	uint32_t snd_wnd, rcv_wnd; /* offered by the peer; to the peer */
	uint32_t srtt, rttvar, rto;
	uint32_t unacked;     /* sent, not acknowledged */
	uint32_t retransmits; /* segments sent again so far */
	uint32_t congestion;  /* IX_CC_ */
	uint32_t options;     /* IX_TCPOPT_ */
	uint32_t reserved;
};

/* The states of RFC 9293 3.3.2. */
enum ix_tcp_state {
	IX_TCP_CLOSED = 0,
	IX_TCP_LISTEN,
	IX_TCP_SYN_SENT,
	IX_TCP_SYN_RECEIVED,
	IX_TCP_ESTABLISHED,
	IX_TCP_FIN_WAIT_1,
	IX_TCP_FIN_WAIT_2,
	IX_TCP_CLOSE_WAIT,
	IX_TCP_CLOSING,
	IX_TCP_LAST_ACK,
	IX_TCP_TIME_WAIT,
};

#define IX_TCPOPT_TIMESTAMPS 1
#define IX_TCPOPT_SACK       2
#define IX_TCPOPT_WSCALE     4
#define IX_TCPOPT_ECN        8

_Static_assert(sizeof(struct ix_call) == 64 && sizeof(struct ix_event) == 64,
	       "a descriptor is one cache line");
_Static_assert(sizeof(struct ix_attach) == 64, "ABI version 1");

#endif
