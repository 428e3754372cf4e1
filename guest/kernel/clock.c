/* SPDX-License-Identifier: MIT
 *
 * Time, from the TSC.
 */
#include <errno.h>

#include "guest/kernel/apic.h"
#include "guest/kernel/clock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/uaccess.h"

#define NS 1000000000ull

#define CLOCK_REALTIME 0
#define CLOCK_MAX      11
#define TIMER_ABSTIME  1

struct timespec {
	int64_t sec, nsec;
};

static uint64_t start __ro_after_init;   /* TSC */
static uint64_t wall_ns __ro_after_init; /* at start */

void clock_init(void)
{
	start = rdtsc();
}

void clock_set_wall(uint64_t ns)
{
	wall_ns = ns;
}

uint64_t clock_tsc(uint64_t ns)
{
	return start + ns_to_tsc(ns);
}

uint64_t clock_ns(void)
{
	return tsc_to_ns(rdtsc() - start);
}

/* REALTIME and its coarse and TAI kinds tell wall-clock time, all others time since start. */
static bool is_wall(uint64_t clock)
{
	return clock == CLOCK_REALTIME || clock == 5 || clock == 8 || clock == 11;
}

static uint64_t now(uint64_t clock)
{
	return clock_ns() + (is_wall(clock) ? wall_ns : 0);
}

int64_t clock_deadline(uint64_t timespec, bool absolute, bool realtime, uint64_t *tsc)
{
	struct timespec t;

	if (get_user(t, timespec))
		return -EFAULT;
	if (t.sec < 0 || t.nsec < 0 || t.nsec >= (int64_t)NS)
		return -EINVAL;
	/* 68 years are no limit, and keep the products below in range. */
	uint64_t sec = t.sec > INT32_MAX ? INT32_MAX : (uint64_t)t.sec;
	uint64_t ns = sec * NS + (uint64_t)t.nsec, base = rdtsc();

	if (absolute) {
		uint64_t zero = realtime ? wall_ns : 0;

		ns = ns > zero ? ns - zero : 0;
		base = start;
	}
	*tsc = base + ns_to_tsc(ns);
	return 0;
}

int64_t sys_clock_gettime(uint64_t clock, uint64_t to)
{
	uint64_t ns = now(clock);
	struct timespec t = {(int64_t)(ns / NS), (int64_t)(ns % NS)};

	return clock > CLOCK_MAX ? -EINVAL : put_user(to, t);
}

int64_t sys_clock_getres(uint64_t clock, uint64_t to)
{
	struct timespec t = {0, 1};

	if (clock > CLOCK_MAX)
		return -EINVAL;
	return to ? put_user(to, t) : 0;
}

int64_t sys_gettimeofday(uint64_t tv, uint64_t tz)
{
	uint64_t us = now(CLOCK_REALTIME) / 1000;
	int64_t t[2] = {(int64_t)(us / 1000000), (int64_t)(us % 1000000)};
	int zone[2] = {0, 0};

	if (tv && put_user(tv, t))
		return -EFAULT;
	return tz ? put_user(tz, zone) : 0;
}

int64_t sys_time(uint64_t to)
{
	int64_t t = (int64_t)(now(CLOCK_REALTIME) / NS);

	if (to && put_user(to, t))
		return -EFAULT;
	return t;
}

int64_t sys_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t req, uint64_t rem)
{
	static const int never = 0;
	uint64_t until;

	(void)rem; /* written when a signal ends the sleep: there is none */
	if (clock > CLOCK_MAX)
		return -EINVAL;
	int64_t err = clock_deadline(req, flags & TIMER_ABSTIME, is_wall(clock), &until);

	while (!err && rdtsc() < until)
		process_wait(&never, 0, until);
	return err;
}
