/* SPDX-License-Identifier: MIT
 *
 * libixhost: a dataplane inside any program, driven frame by frame in one thread.
 *
 * An instance is one core of a dataplane: TCP/IP stack, calls and events. The program hands it
 * frames, takes frames out with the time they were sent at, and moves its clock. With a virtual clock
 * nothing depends on the machine: the same pushes, calls and times give the same frames.
 *
 * On top, in the same thread, the program may use all of libix, which is part of this library: the
 * raw interface (<ix/ix.h>), events (<ix/ixev.h>) and non-blocking sockets (<ix/socket.h>). These
 * work on the instance that the thread was last bound to, so bind before calling them:
 *
 *	struct ixhost *a = ixhost_new(&options, error);
 *	ixhost_bind(a);
 *	ixev_open(&base_a, NULL);		each instance has one base
 *	for (;;) {
 *		ixhost_bind(a);
 *		ixev_wait(base_a, 0);		runs the stack, then callbacks
 *		while ((n = ixhost_pull(a, frame, sizeof(frame), &when)) > 0)
 *			...			to where it goes
 *		ixhost_push(a, frame, n);	what has arrived
 *		ixhost_advance(a, until);
 *	}
 *
 * A program without libix runs the stack by ixhost_run(). Waiting never blocks: run_io(), and so
 * ixev_wait() and ixs_epoll_wait(), do one cycle and return.
 *
 * Errors are negative errno values. An instance is used by one thread at a time.
 */
#ifndef IX_IXHOST_H
#define IX_IXHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IXHOST_PACKET_MAX 2048

struct ixhost;

struct ixhost_options {
	/* Lines `key = value` (docs/dataplane-config.md): at least address, and mac with Ethernet. */
	const char *config;
	bool real_clock; /* else virtual: ixhost_advance() moves it */
	uint64_t start;  /* where a virtual clock begins, microseconds */
	uint64_t seed;   /* of sequence numbers, ports and hashes; with a virtual clock only */
	/* Packets are IP packets: the link header is added and taken off, and ARP is answered. */
	bool ip;
};

/* NULL: error (128 bytes, or NULL) tells why. */
struct ixhost *ixhost_new(const struct ixhost_options *options, char *error);

/* Frees it. Bases and sockets on it must have been shut before. */
void ixhost_free(struct ixhost *h);

/* Native calls of this thread (all of libix) go to `h` from now on. */
void ixhost_bind(struct ixhost *h);

/* Native call number `nr` of <ix/abi.h>, without libix. */
int64_t ixhost_call(struct ixhost *h, uint64_t nr, uint64_t a, uint64_t b, uint64_t c);

/* One cycle of the network alone: receives what was pushed, runs timers, sends. Events wait. */
void ixhost_run(struct ixhost *h);

/* A packet arrives; it is copied and looked at in the next cycle. -EMSGSIZE, -ENOMEM. */
int ixhost_push(struct ixhost *h, const void *packet, size_t len);

/*
 * The next packet that was sent: its length, and when, by the instance's clock. 0: there is none;
 * -EMSGSIZE: it is longer than `size` and stays. `when` may be NULL.
 */
int64_t ixhost_pull(struct ixhost *h, void *packet, size_t size, uint64_t *when);

/* Microseconds. */
uint64_t ixhost_now(const struct ixhost *h);

/* When a cycle has something to do though no packet comes; UINT64_MAX: never. It may be early. */
uint64_t ixhost_next(const struct ixhost *h);

/* Moves a virtual clock to `time`; one that lies behind is ignored. Timers run in the next cycle. */
void ixhost_advance(struct ixhost *h, uint64_t time);

/* A counter of <ix/stats.h> by name, 0 if there is none of it. */
uint64_t ixhost_counter(struct ixhost *h, const char *name);

#endif
