/* SPDX-License-Identifier: MIT */
/* The timing wheel against a plain list: random timers fire at their tick, in order. */
#include "net/core/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define TIMERS 200

static uint64_t rng;

static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rng >> 33) % below);
}

/* Distances of all sizes, so that all levels are used. */
static uint32_t distance(void)
{
	static const uint32_t most[] = {4, 300, 70000, 20000000, 1000000000};

	return rnd(most[rnd(5)]);
}

static void run(uint64_t seed, uint32_t start)
{
	struct wheel *w = malloc(sizeof(*w));
	struct wheel_node nodes[TIMERS];
	uint32_t due[TIMERS] = {0}, now = start;
	bool armed[TIMERS] = {false};

	rng = seed;
	wheel_init(w, nodes, TIMERS, now);
	for (int step = 0; step < 3000; step++) {
		for (uint32_t k = rnd(5); k-- > 0;) {
			uint32_t id = rnd(TIMERS);
			if (armed[id]) {
				wheel_del(w, id);
				armed[id] = false;
				continue;
			}
			due[id] = now + distance();
			armed[id] = true;
			wheel_add(w, id, due[id]);
		}
		uint32_t bound = wheel_next(w), until = now + distance() / 7, id, last = now;
		uint32_t count = 0;
		for (uint32_t i = 0; i < TIMERS; i++) {
			count += armed[i];
			/* never later than the first timer */
			if (armed[i] && (int32_t)(due[i] - now) > 0)
				assert_true(bound <= due[i] - now);
		}
		assert_int_equal(count, w->armed);
		while ((id = wheel_expire(w, until)) != WHEEL_NONE) {
			assert_true(armed[id]);
			assert_false(wheel_armed(w, id));
			armed[id] = false;
			/* due, or late by the tick in which it was set */
			assert_true((int32_t)(w->now - due[id]) >= 0);
			assert_true(w->now == due[id] || (int32_t)(w->now - 1 - due[id]) >= 0);
			assert_true((int32_t)(w->now - last) >= 0);
			last = w->now;
		}
		if ((int32_t)(until - now) > 0)
			now = until;
		assert_int_equal(w->now, now);
		for (uint32_t i = 0; i < TIMERS; i++)
			assert_false(armed[i] && (int32_t)(due[i] - now) <= -1);
	}
	free(w);
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		run(seed, (uint32_t)(seed * 1000));
}

static void test_wrap(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		run(seed, 0xffffff00u - (uint32_t)seed * 1000000);
}

static void test_empty(void **state)
{
	struct wheel *w = malloc(sizeof(*w));
	struct wheel_node n[2];

	(void)state;
	wheel_init(w, n, 2, 5);
	assert_int_equal(wheel_next(w), UINT32_MAX);
	assert_int_equal(wheel_expire(w, 1000000), WHEEL_NONE);
	wheel_del(w, 1);
	wheel_add(w, 1, 3); /* in the past */
	assert_int_equal(wheel_expire(w, 1000000), WHEEL_NONE);
	assert_int_equal(wheel_expire(w, 1000001), 1);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_wrap),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
