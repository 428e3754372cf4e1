/* SPDX-License-Identifier: MIT */
/*
 * Stacks on a wire in one thread, under virtual time: a run depends on its seed alone. The wire
 * delays, loses, duplicates, reorders and corrupts frames. Each received frame lies in memory of
 * exactly its length, so that ASan sees a read beyond it.
 */
#ifndef TESTS_LIB_NETSIM_H
#define TESTS_LIB_NETSIM_H

#include <ix/net.h>
#include <stdio.h>

#define SIM_HOSTS 4

struct sim;
struct sim_host;

struct sim_wire {
	uint32_t delay_us;
	uint32_t jitter_us; /* added at random; reorders if larger than the spacing */
	double loss, dup, reorder, corrupt;
	uint64_t rate_bps; /* 0: no limit */
	uint32_t queue_us; /* with a rate: longest queueing delay before frames are dropped */
	uint32_t mark_us;  /* with a rate: queueing delay from which ECT packets get CE */
};

struct sim_host {
	struct sim *sim;
	struct ixn *n;
	void *mem;
	struct ixn_config cfg;
	struct ixn_evq q;
	struct ixn_event ev[4096];
	struct sim_wire wire; /* what this host sends passes here */
	uint64_t busy_until;  /* of its link, with a rate */
	uint32_t held;        /* received buffers in the stack's or the application's hands */
	uint32_t batch;       /* most frames given to ixn_rx() at once */
	bool mute;            /* drops all it sends */
	void (*on_event)(struct sim_host *h, const struct ixn_event *ev);
	void (*on_cycle)(struct sim_host *h); /* after the events of each cycle; may be NULL */
	void *user;
	/* sees each frame before the wire; returns false to drop it; may be NULL */
	bool (*on_tx)(struct sim_host *h, const uint8_t *frame, uint32_t len);
	uint32_t index; /* which address it has */
	/* whether a frame that is about to be sent to its address will come to this core; NULL: all */
	bool (*takes)(struct sim_host *h, const uint8_t *frame, uint32_t len);
	uint32_t (*rss)(uint16_t rport, uint16_t lport); /* NULL: 0 */
	/* for ops->stray; returns true if it has handed the frame on */
	bool (*on_stray)(struct sim_host *h, const uint8_t *frame, uint32_t len, uint32_t group);
	uint64_t frames, bytes, dropped;
};

struct sim_frame;
struct sim {
	uint64_t now;
	uint64_t rng;
	uint32_t hosts;
	struct sim_host *host[SIM_HOSTS];
	struct sim_frame *heap;
	uint32_t heap_n, heap_cap;
	uint64_t serial;
	FILE *pcap;
};

struct sim *sim_new(uint64_t seed);
/* Ends the simulation. Returns the number of buffers that the stacks have not given back, which
 * is the number their connections held. */
void sim_free(struct sim *s);
/* Adds a host 10.0.0.<index + 1>/24 with MAC 02:00:00:00:00:<index + 1>. cfg NULL: defaults. */
struct sim_host *sim_add(struct sim *s, const struct ixn_config *cfg);
/* The same with the address, the MAC and the secret of other: a further core of that host. */
struct sim_host *sim_add_core(struct sim *s, const struct ixn_config *cfg, struct sim_host *other);
struct ixn_addr sim_ip(uint32_t index);
/* A frame that arrives at a host after delay_us. */
void sim_give(struct sim_host *to, const uint8_t *frame, uint32_t len, uint64_t delay_us);
void sim_pcap(struct sim *s, const char *path);
uint64_t sim_random(struct sim *s);
/* A number in 0..1 */
double sim_uniform(struct sim *s);
/* Puts a frame on the wire towards all other hosts, after delay_us. */
void sim_inject(struct sim *s, const struct sim_host *from, const uint8_t *frame, uint32_t len,
		uint64_t delay_us);
/* Runs one cycle of each host at the time of the next happening. False: nothing will happen
 * before `until`; then the time is `until`. */
bool sim_step(struct sim *s, uint64_t until);
/* Runs until done() is true (returns true) or the time has come. done NULL: just the time. */
bool sim_run(struct sim *s, uint64_t until, bool (*done)(void *arg), void *arg);
/* One cycle of a host at the current time (after calls made from outside of events). */
void sim_cycle(struct sim_host *h);

#endif
