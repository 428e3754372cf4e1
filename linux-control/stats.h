/* SPDX-License-Identifier: MIT
 *
 * The statistics area of a dataplane (<ix/stats.h>) for people. Its bytes are the dataplane's: they
 * are not trusted.
 */
#ifndef LINUX_CONTROL_STATS_H
#define LINUX_CONTROL_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include <ix/stats.h>

#include "linux-control/json.h"

/* Were the values of a core being written when this copy was taken? */
bool stats_changing(const void *area, size_t size);

/*
 * Adds "counters" to an open object: those that are not 0, in all and per core; and "shares", the part
 * of its time that each core spent in each way. Nothing is added where the area makes no sense.
 */
void stats_show(struct json *j, const void *area, size_t size);

#endif
