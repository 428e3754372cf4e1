/* SPDX-License-Identifier: MIT
 *
 * The statistics area of a dataplane: written by its cores, read by Linux at any time.
 *
 * The area describes itself, so that a reader needs no list of counters: behind the header come
 * `ncounters` names and then, for each core, as many 64-bit values. A counter never goes back; one
 * whose name begins with '=' is a level that can. Values of one core change together at most every
 * 10 ms, `generation` being odd while they do (a reader tries again). Names and values are
 * untrusted input for the reader, who checks all offsets against the size it mapped.
 */
#ifndef IX_STATS_H
#define IX_STATS_H

#include <stdint.h>

#define IX_STATS_MAGIC    0x54415453u /* "STAT", little-endian */
#define IX_STATS_VERSION  1
#define IX_STATS_NAME_LEN 24
#define IX_STATS_MAX      192 /* counters */

struct ix_stats_core {
	uint32_t generation;
	uint32_t reserved;
	uint64_t updated_us; /* clock of the dataplane */
	uint64_t value[IX_STATS_MAX];
};

struct ix_stats {
	uint32_t magic;   /* IX_STATS_MAGIC, written last */
	uint32_t version; /* IX_STATS_VERSION */
	uint32_t size;    /* bytes of the whole area */
	uint32_t ncores;
	uint32_t ncounters;
	uint32_t core_size;                         /* sizeof(struct ix_stats_core) */
	uint64_t tsc_khz;                           /* unit of the counters named tsc_* */
	char name[IX_STATS_MAX][IX_STATS_NAME_LEN]; /* NUL-terminated */
	struct ix_stats_core core[];
};

#endif
