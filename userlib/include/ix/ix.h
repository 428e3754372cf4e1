/* SPDX-License-Identifier: MIT
 *
 * The raw interface to the dataplane kernel: native calls, and helpers to write call descriptors.
 * Most applications use <ix/ixev.h> instead, which is built on this.
 *
 *     struct ix_thread t;
 *     if (ix_attach(&t) < 0) ...
 *     ix_call_listen(ix_next(&t), cookie, &ix_ip_any, 7, 0);
 *     for (;;) {
 *             long n = ix_run(&t, IX_WAIT_FOREVER);   // t.calls[0..t.done-1].ret, t.events[0..n-1]
 *             ...
 *     }
 */
#ifndef IX_IX_H
#define IX_IX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ix/abi.h>

/* The native calls; see abi.h. Results and errors are theirs (negative errno, errno unset). */
long ix_run_io(struct ix_call *calls, size_t ncalls, uint64_t wait_us);
long ix_call_now(struct ix_call *calls, size_t ncalls);
long ix_attach_raw(struct ix_attach *a);
long ix_tcp_info(uint64_t handle, struct ix_tcp_info *info);

/*
 * An elastic thread with a call array that grows as needed. `calls` may move in ix_next(); the
 * results of the last ix_run() are in `results[0..done-1]` until the next one.
 */
struct ix_thread {
	const struct ix_event *events;
	struct ix_call *calls;   /* being filled: ncalls of cap */
	struct ix_call *results; /* of the last ix_run() */
	uint32_t ncalls, cap, done, results_cap;
	struct ix_attach info;
};

/* 0, or -ENOMEM or an error of attach. Everything in *t is overwritten. */
int ix_attach(struct ix_thread *t);

/* In words, what an error of attach means and what to do about it. */
const char *ix_attach_error(int err);

/* Next free descriptor, zeroed; NULL when memory or IX_CALLS_MAX is exhausted. */
struct ix_call *ix_next(struct ix_thread *t);

/* Executes the calls written since the last time: number of events, or a negative error. */
long ix_run(struct ix_thread *t, uint64_t wait_us);

/* Frees the arrays. The thread stays attached until it ends. */
void ix_detach(struct ix_thread *t);

/* Addresses. IPv4 dotted quad to and from struct ix_ip; parse returns 0 or -EINVAL. */
#define IX_IP_STRLEN 46
extern const struct ix_ip ix_ip_any;
int ix_ip_parse(struct ix_ip *ip, const char *text);
char *ix_ip_format(const struct ix_ip *ip, char text[IX_IP_STRLEN]);

/* A decimal number from min to max: 0 or -EINVAL. For arguments of applications. */
int ix_number_parse(uint64_t *value, const char *text, uint64_t min, uint64_t max);

static inline struct ix_ip ix_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ix_ip){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

/* Writers of call descriptors; *c must be zero (ix_next() gives it so). */
static inline void ix_call_connect(struct ix_call *c, uint64_t cookie, const struct ix_ip *remote,
				   uint16_t port)
{
	c->op = IX_CALL_CONNECT;
	c->cookie = cookie;
	c->tuple.remote = *remote;
	c->tuple.remote_port = port;
}

static inline void ix_call_listen(struct ix_call *c, uint64_t cookie, const struct ix_ip *local,
				  uint16_t port, uint32_t backlog)
{
	c->op = IX_CALL_LISTEN;
	c->cookie = cookie;
	c->n = backlog;
	c->tuple.local = *local;
	c->tuple.local_port = port;
}

static inline void ix_call_accept(struct ix_call *c, uint64_t handle, uint64_t cookie)
{
	c->op = IX_CALL_ACCEPT;
	c->handle = handle;
	c->cookie = cookie;
}

static inline void ix_call_sendv(struct ix_call *c, uint64_t handle, uint64_t cookie,
				 const struct ix_iov *iov, uint32_t n)
{
	c->op = IX_CALL_SENDV;
	c->handle = handle;
	c->cookie = cookie;
	c->n = n;
	c->iov = (uintptr_t)iov;
}

static inline void ix_call_recv_done(struct ix_call *c, uint64_t handle, uint64_t cookie,
				     uint64_t bytes)
{
	c->op = IX_CALL_RECV_DONE;
	c->handle = handle;
	c->cookie = cookie;
	c->bytes = bytes;
}

/* Calls that need nothing but the handle: unlisten, reject, close, shutdown, abort, ... */
static inline void ix_call_handle(struct ix_call *c, enum ix_call_op op, uint64_t handle,
				  uint64_t cookie)
{
	c->op = op;
	c->handle = handle;
	c->cookie = cookie;
}

static inline void ix_call_timer(struct ix_call *c, uint64_t handle, uint64_t cookie, uint64_t usec)
{
	c->op = IX_CALL_TIMER_ARM;
	c->handle = handle;
	c->cookie = cookie;
	c->usec = usec;
}

static inline void ix_call_udp_bind(struct ix_call *c, uint64_t cookie, const struct ix_ip *local,
				    uint16_t port)
{
	c->op = IX_CALL_UDP_BIND;
	c->cookie = cookie;
	c->tuple.local = *local;
	c->tuple.local_port = port;
}

static inline void ix_call_udp_sendv(struct ix_call *c, uint64_t handle, uint64_t cookie,
				     const struct ix_ip *remote, uint16_t port,
				     const struct ix_iov *iov, uint32_t n)
{
	c->op = IX_CALL_UDP_SENDV;
	c->handle = handle;
	c->cookie = cookie;
	c->port = port;
	c->n = n;
	c->udp.addr = (uintptr_t)iov;
	c->udp.remote = *remote;
}

static inline void ix_call_udp_recv_done(struct ix_call *c, uint64_t addr)
{
	c->op = IX_CALL_UDP_RECV_DONE;
	c->udp.addr = addr;
}

#endif
