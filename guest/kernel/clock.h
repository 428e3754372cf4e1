/* SPDX-License-Identifier: MIT
 *
 * Time, from the TSC.
 */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void clock_init(void);
/* What the wall clock showed at start, in nanoseconds since 1970. */
void clock_set_wall(uint64_t ns);
/* The TSC value at this many nanoseconds since start. */
uint64_t clock_tsc(uint64_t ns);
/* Nanoseconds since start. */
uint64_t clock_ns(void);

/*
 * Reads a struct timespec of the application, a span of time or a point in time, and gives the TSC value at
 * which it is over. 0, -EFAULT or -EINVAL.
 */
int64_t clock_deadline(uint64_t timespec, bool absolute, bool realtime, uint64_t *tsc);

int64_t sys_clock_gettime(uint64_t clock, uint64_t to);
int64_t sys_clock_getres(uint64_t clock, uint64_t to);
int64_t sys_gettimeofday(uint64_t tv, uint64_t tz);
int64_t sys_time(uint64_t to);
int64_t sys_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t req, uint64_t rem);

#endif
