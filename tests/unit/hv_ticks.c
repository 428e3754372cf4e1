/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hv/lib/limit.h"
#include "hv/lib/ticks.h"

static void nanoseconds(void **state)
{
	const uint64_t day = 86400ull * 1000000000, khz = 3000000;

	(void)state;
	assert_int_equal(ticks_to_ns(0, khz), 0);
	assert_int_equal(ticks_to_ns(2, 1000000), 2);
	assert_int_equal(ticks_to_ns(2999999, khz), 999999);
	assert_int_equal(ticks_to_ns(khz, khz), 1000000);
	/* after 72 days a product of the ticks and 1000 no longer fits */
	assert_int_equal(ticks_to_ns(72 * day / 1000000 * khz, khz), 72 * day);
	assert_int_equal(ticks_to_ns(50 * 365 * day / 1000000 * khz, khz), 50 * 365 * day);
	for (uint64_t t = 1; t < UINT64_MAX / 3; t *= 3)
		assert_true(ticks_to_ns(t, khz) >= ticks_to_ns(t - 1, khz));
}

static void limits(void **state)
{
	struct limit l = {.begin = -50ull};
	uint32_t dropped, passed = 0;

	(void)state;
	for (uint64_t now = -50ull; now != 50; now++) { /* the clock wraps */
		passed += limit_pass(&l, now, 100, 3, &dropped);
		assert_int_equal(dropped, 0);
	}
	assert_int_equal(passed, 3);
	assert_true(limit_pass(&l, 50, 100, 3, &dropped));
	assert_int_equal(dropped, 97);
	assert_true(limit_pass(&l, 51, 100, 3, &dropped) && limit_pass(&l, 52, 100, 3, &dropped));
	assert_false(limit_pass(&l, 53, 100, 3, &dropped));
	assert_int_equal(dropped, 0);
	assert_true(limit_pass(&l, 20, 100, 3, &dropped)); /* and jumps back */
	assert_int_equal(dropped, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nanoseconds), cmocka_unit_test(limits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
