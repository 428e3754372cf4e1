/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out: between one SIGUSR2 and the next one of eight allocations fails.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/apps/hostile.h"

#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc

static volatile sig_atomic_t on;
static atomic_ullong dice, failed;

static void toggle(int signal)
{
	(void)signal;
	on = !on;
}

static void report(void)
{
	printf("hostile: %llu allocations failed\n", failed);
}

__attribute__((constructor)) static void prepare(void)
{
	signal(SIGUSR2, toggle);
	atexit(report);
}

static int unlucky(void)
{
	uint64_t x;

	if (!on)
		return 0;
	x = (atomic_fetch_add(&dice, 1) + 1) * 0x9e3779b97f4a7c15ull;
	x ^= x >> 32;
	if ((x * 0xd6e8feb86659fd93ull) >> 61)
		return 0;
	atomic_fetch_add(&failed, 1);
	return 1;
}

void *hostile_malloc(size_t n)
{
	return unlucky() ? NULL : malloc(n);
}

void *hostile_calloc(size_t n, size_t size)
{
	return unlucky() ? NULL : calloc(n, size);
}

void *hostile_realloc(void *p, size_t n)
{
	return unlucky() ? NULL : realloc(p, n);
}

void *hostile_aligned_alloc(size_t align, size_t n)
{
	return unlucky() ? NULL : aligned_alloc(align, n);
}
