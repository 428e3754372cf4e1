/* SPDX-License-Identifier: MIT
 *
 * The statistics area of a dataplane (<ix/stats.h>) for people. Its bytes are the dataplane's: they
 * are not trusted.
 */
#ifndef LINUX_CONTROL_STATS_H
#define LINUX_CONTROL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/stats.h>

#include "linux-control/json.h"

/* Were the values of a core being written when this copy was taken? */
bool stats_changing(const void *area, size_t size);

/*
 * Adds to an open object "cores", what matters of each core in a line: packets, mean batch, mean depth
 * of the receive queue when a poll found something in it, frames dropped, segments retransmitted, VM
 * exits, and the parts of its time spent in user mode, in the kernel and idle; and "counters", all that
 * are not 0. exits: VM exits of the first `nexits` cores. Nothing is added where the area makes no sense.
 */
void stats_show(struct json *j, const void *area, size_t size, const uint64_t *exits,
		uint32_t nexits);

#endif
