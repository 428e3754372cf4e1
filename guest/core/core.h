/* SPDX-License-Identifier: MIT
 *
 * The dataplane core: one per CPU core. It joins a port (NIC queue or hosted wire), an instance of
 * the stack and the calls and events of <ix/abi.h> in the run-to-completion loop of the paper's
 * figure 1b. The same code is the heart of the guest kernel and of hosted mode.
 *
 *	core_run_io():	calls -> TX -> [ poll RX (at most B) -> stack -> timers -> events ] -> user
 *
 * The stack's timers run after the packets of a cycle and before the events go up, so that what they end
 * can still be read by the application; what they send leaves with the answers of the application.
 *
 * Nothing here locks or allocates; a core's functions are called on its own CPU only.
 *
 * The caller provides two pieces of memory: `mem`, the kernel's alone, and `shared`, which the
 * application can read and not write: event array, received frames, reassembled datagrams.
 */
#ifndef GUEST_CORE_H
#define GUEST_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/abi.h>
#include <ix/net.h>
#include <ix/stats.h>

#include "guest/core/config.h"

#define CORE_RXBUF_SIZE 2048 /* bytes of a receive buffer, aligned to its size */
#define CORE_MAX_BATCH  256
#define CORE_MAX_IOV    128 /* pieces of one sendv after cutting at physical boundaries */

struct core;

/* What the place a core runs in gives it. */
struct core_env {
	void *ctx;
	uint64_t (*now_us)(void *ctx); /* monotonic */

	/*
	 * Application memory [addr, addr + len): the address at which the kernel reaches its first
	 * bytes, and in *run (1..len) how many of them are contiguous there. NULL: the first byte is
	 * not the application's (or `write` is asked and it may not write there). len > 0.
	 * `shared` is the application's to read: received payload may be sent on from where it is.
	 */
	void *(*user)(void *ctx, uint64_t addr, uint64_t len, bool write, uint64_t *run);

	/*
	 * Nothing to do before `until` (on the clock of now_us) but packets: may return early. False:
	 * let run_io() return, even without an event.
	 */
	bool (*idle)(void *ctx, uint64_t until);

	uint64_t dma_delta;  /* bus address minus kernel address, of all memory that core handles */
	uint64_t user_delta; /* application address minus kernel address, of `shared` */
};

/*
 * Where frames come from and go to.
 *
 * rx	Up to `max` received frames in buffers from core_rxbuf_get(), with data, len, flags and hash
 *	set. The core returns them through core_rxbuf_put().
 * tx	Takes packets in order, returns how many; each is given back by core_tx_done().
 * kick	End of a cycle's transmission: ring the doorbell. May be NULL.
 * poll	Once per cycle, before rx: completions, refill, housekeeping.
 * waiting	Frames received that rx has not taken yet, for statistics. May be NULL.
 */
struct core_port {
	void *ctx;
	uint32_t (*rx)(void *ctx, struct ixn_rxbuf **bufs, uint32_t max);
	uint32_t (*tx)(void *ctx, struct ixn_txpkt **pkts, uint32_t n);
	void (*kick)(void *ctx);
	void (*poll)(void *ctx, uint64_t now);
	uint32_t (*waiting)(void *ctx);
	/* As in struct ixn_ops; may be NULL. */
	bool (*steered_here)(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport,
			     uint16_t lport);
	uint32_t (*rss_hash)(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport,
			     uint16_t lport);
};

struct core_params {
	const struct core_config *cfg; /* read during core_init() only */
	const struct core_env *env;    /* copied */
	struct ix_stats *stats;        /* core_stats_init()'s; NULL: none */
	struct ixn_arp *arp;           /* shared by the cores of a dataplane; NULL: private */
	uint32_t id, ncores;
};

/* Bytes of the two pieces, for one core; 0: the configuration is not valid. */
size_t core_mem_size(const struct core_config *cfg);
size_t core_shared_size(const struct core_config *cfg);

/*
 * A core in the given memory (mem aligned to 4 KB, shared to 64 KB), or NULL if the configuration is
 * not valid.
 */
struct core *core_init(void *mem, void *shared, const struct core_params *p);
void core_set_port(struct core *c, const struct core_port *port);

/* Addresses, routes and ACLs of the configuration, after core_set_port(). 0 or a negative errno. */
int core_start(struct core *c, const struct core_config *cfg);

/*
 * Native calls of the application thread on this core, numbers IX_SYS_*; results as in <ix/abi.h>;
 * -ENOSYS for others.
 */
int64_t core_syscall(struct core *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t d);

/*
 * One cycle for the network alone, while the application does not come back: packets are received and
 * acknowledged, timers run, events wait. For the timer interrupt in user mode.
 */
void core_background(struct core *c);

/*
 * The end of the application's thread on this core. Its listeners, datagram sockets, timers and events
 * are gone at once; its connections as `how` says. One cycle of the network, to be repeated while the
 * result, what is still to be sent or has not come back from the port, is not 0 and patience lasts. After
 * CORE_DROP the core is as new, and another thread may attach to it.
 */
enum core_end {
	CORE_DRAIN, /* what sendv took goes on being sent */
	CORE_RESET, /* connections that are left are reset */
	CORE_DROP,  /* those left even then are forgotten */
};
uint32_t core_end(struct core *c, enum core_end how);

/* When the stack or a timer of the application wants a cycle at the latest; UINT64_MAX: never. */
uint64_t core_next(const struct core *c);

/* For ports. Buffers lie in `shared`; buf->user is the buffer's number, data its first byte. */
struct ixn_rxbuf *core_rxbuf_get(struct core *c); /* NULL: none is free */
void core_rxbuf_put(struct core *c, struct ixn_rxbuf *buf);
uint8_t *core_rxbuf_memory(struct core *c, uint32_t number);
struct ixn_rxbuf *core_rxbuf(struct core *c, uint32_t number);
uint32_t core_rxbuf_count(const struct core *c);
void core_tx_done(struct core *c, struct ixn_txpkt *pkt);

struct ixn *core_net(struct core *c);
uint32_t core_id(const struct core *c);

/* Statistics area for `ncores` cores. */
size_t core_stats_size(uint32_t ncores);
void core_stats_init(struct ix_stats *s, uint32_t ncores, uint64_t tsc_khz);

/* Writes the counters of a core out now, whatever the time. */
void core_stats_update(struct core *c);

#endif
