/* SPDX-License-Identifier: MIT */
/* What the two ends of net_echo share: the wire, the clock, and what a server has to offer. */
#ifndef NET_ECHO_H
#define NET_ECHO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct options {
	uint32_t conns, batch, size; /* connections; most frames per cycle; bytes of a message */
	bool csum;                   /* checksums in software, as without offload */
	uint64_t rpcs;               /* to be counted */
	uint32_t warm;               /* messages on each connection before */
	double loss;    /* of frames, both ways; negative: none, and timers out of the way */
	double seconds; /* the run ends after so long at the latest; 0: no limit */
};

/* Cycles of a turn of the loop that are not suspect: less was not interrupted by the machine. */
#define STOLEN 1000000

static inline uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/*
 * The stacks' clock. Without loss it is virtual, three frames per microsecond: how often the machine does
 * something else must not decide which timers expire. With loss it is real time less interruptions,
 * because then it matters how long a timer takes.
 */
struct bench_clock {
	bool real;
	uint64_t frames;
	uint64_t us; /* real */
};

static inline uint64_t now_us(const struct bench_clock *c)
{
	return 1000000 + (c->real ? c->us : c->frames / 3);
}

static inline void *big(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* The dataplane runs on 2 MB pages; so does this where the system lets it. */
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* Frames on their way in one direction. room: bytes of one. */
struct ring {
	uint32_t head, tail, mask, room;
	uint32_t *len;
	uint8_t *frame;
};

static inline uint8_t *ring_frame(const struct ring *r, uint32_t at)
{
	return r->frame + (size_t)(at & r->mask) * r->room;
}

/* Loses frames with the given probability; rng is its state. */
static inline bool lost(double loss, uint64_t *rng)
{
	if (loss <= 0)
		return false;
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(*rng >> 33) / 2147483648.0 < loss;
}

/* A server: echoes messages of opt->size bytes on PORTS ports from 8000 on. */
struct server {
	/* One cycle: at most opt->batch frames in, answers out; returns the number of frames. */
	uint32_t (*cycle)(struct server *s, uint64_t now);
	/* Fills in the memory that the server takes, and per connection; 0: not known. */
	void (*usage)(struct server *s, size_t *bytes, size_t *per_conn);
	double loss; /* of the frames it sends */
};

/* Of lwip_server.so, which is looked for beside the program. */
struct server *lwip_server(const struct options *opt, struct bench_clock *clock, struct ring *in,
			   struct ring *out, uint32_t ports);

#endif
