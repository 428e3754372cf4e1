/* SPDX-License-Identifier: MIT
 *
 * Inside guest/core: the state of one dataplane core.
 */
#ifndef GUEST_CORE_PRIV_H
#define GUEST_CORE_PRIV_H

#include <string.h>

#include "guest/core/core.h"

/* Negative errno values are Linux's; the stack has those it uses. */
enum {
	E_PERM = 1,
	E_BADF = 9,
	E_AGAIN = 11,
	E_FAULT = 14,
	E_BUSY = 16,
	E_INVAL = 22,
	E_NOSYS = 38,
	E_NOBUFS = 105,
	E_NOTSUP = 95,
};

/* What an ABI handle names: its top bits. The rest is the stack's handle or a timer's. */
enum handle_kind {
	KIND_CONN = 1,
	KIND_LISTENER,
	KIND_UDP,
	KIND_TIMER,
};
#define KIND_SHIFT 60

/* Timers of the application: a binary heap by expiry. */
struct user_timer {
	uint64_t expiry; /* microseconds */
	uint64_t cookie;
	uint32_t generation;
	uint32_t pos; /* in the heap; NOT_ARMED; FIRED; or the next free timer */
	uint8_t state;
};

struct user_timers {
	struct user_timer *timer;
	uint32_t *heap; /* timer numbers, earliest first */
	uint32_t nheap, ntimers, free;
};

size_t timers_size(uint32_t n);
void timers_init(struct user_timers *t, void *mem, uint32_t n);
int64_t timers_arm(struct user_timers *t, uint64_t handle, uint64_t cookie, uint64_t expiry);
int timers_cancel(struct user_timers *t, uint64_t handle);
void timers_clear(struct user_timers *t);          /* releases all */
uint64_t timers_next(const struct user_timers *t); /* UINT64_MAX: none */
/* Takes one timer that is due at `now` off the heap. */
bool timers_pop(struct user_timers *t, uint64_t now, uint64_t *handle, uint64_t *cookie);

/*
 * Counters of the core itself; the stack's follow them in the statistics area. rx_waiting: frames that
 * were still in the queue after a full batch, so that (rx_frames + rx_waiting) / (cycles - cycles_empty)
 * is the mean depth at which the queue was found. tsc_empty: the part of tsc_kernel that went into cycles
 * which found nothing and followed one another.
 */
#define CORE_STATS(X)    \
	X(cycles)        \
	X(cycles_empty)  \
	X(run_io)        \
	X(calls)         \
	X(calls_failed)  \
	X(events)        \
	X(rx_frames)     \
	X(rx_batch_full) \
	X(rx_waiting)    \
	X(rx_no_buffer)  \
	X(tx_frames)     \
	X(tx_refused)    \
	X(background)    \
	X(tsc_user)      \
	X(tsc_kernel)    \
	X(tsc_empty)     \
	X(tsc_idle)

struct core_counters {
#define COUNTER(name) uint64_t name;
	CORE_STATS(COUNTER)
#undef COUNTER
};

struct core {
	struct ixn *net;
	struct core_port port;
	struct core_env env;
	struct ixn_evq evq;
	struct ix_event *events; /* shared with the application */
	uint32_t max_events;
	uint32_t scarce; /* fewer free receive buffers than this are a shortage */
	uint32_t batch;
	uint32_t backlog;
	uint32_t id, ncores;
	bool attached;
	bool sleep;
	bool dead_out;  /* a dead event is up: its payload must outlive the user's turn */
	bool dead_held; /* one waits in evq */

	struct user_timers timers;

	/* Receive buffers: `nfree` numbers of free ones in `free`. */
	struct ixn_rxbuf *rxbuf;
	uint32_t *free;
	uint32_t nfree, nrxbufs;
	uint8_t *rx_mem;
	uint8_t *reasm_mem;
	uint32_t nreasm;
	/* Datagrams the application holds. */
	uint8_t *rx_held;
	struct ixn_rxbuf **reasm_held;

	size_t shared_size;
	void *shared;

	struct core_counters n;
	uint64_t tsc_mark; /* time-stamp counter up to which n.tsc_* account for the time */
	struct ix_stats *stats;
	uint64_t stats_due; /* microseconds */
};

#define REASM_SLOT 65536u

/* call.c: executes one call. */
int64_t core_do_call(struct core *c, const struct ix_call *in, uint64_t now);
/* event.c: moves the stack's events and due timers to the application's array; their number. */
uint32_t core_deliver(struct core *c, uint64_t now);
/* Forgets events, waiting since a background cycle, of connections that have been ended since. */
void core_drop_outdated(struct core *c);
/* Gives back what the waiting events brought and drops them: there is nobody to tell. */
void core_discard(struct core *c);
/* stats.c */
void core_stats_tick(struct core *c, uint64_t now);

/*
 * The handles of the stack and of timers hold a generation in the upper half and a number, from 1 and
 * below 2^28, in the lower; an ABI handle is kind:4 generation:32 number:28, and positive.
 */
#define NUMBER_BITS 28
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)

static inline uint64_t handle_pack(enum handle_kind kind, uint64_t h)
{
	return (uint64_t)kind << KIND_SHIFT | (h >> 32) << NUMBER_BITS | (h & NUMBER_MASK);
}

/* 0, which is never a valid handle of the stack, for one of another kind. */
static inline uint64_t handle_unpack(enum handle_kind kind, uint64_t h)
{
	if (h >> KIND_SHIFT != (uint64_t)kind)
		return 0;
	return (h >> NUMBER_BITS & UINT32_MAX) << 32 | (h & NUMBER_MASK);
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

#endif
