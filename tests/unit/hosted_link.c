/* SPDX-License-Identifier: MIT
 *
 * The harmful wire of hosted mode does the harm it is asked for, and the same again from the same seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/hosted/link.h"

#define N 20000

/* What comes out when numbered frames go in, one per 10 us. */
struct seen {
	uint32_t frames, twice, corrupt, late, first_late;
	uint64_t delay_max, delay_min, sum;
};

static struct seen run(const struct link_config *cfg)
{
	struct link *l = link_new(cfg);
	static uint8_t count[N];
	struct seen s = {.delay_min = UINT64_MAX};
	uint32_t highest = 0, number;
	uint64_t when;
	uint8_t buf[LINK_FRAME_MAX];
	size_t n;

	memset(count, 0, sizeof(count));
	assert_non_null(l);
	for (uint64_t now = 0; now < 10 * N + 10000000; now += 10) {
		if (now / 10 < N) {
			uint8_t frame[100] = {0};

			number = (uint32_t)(now / 10);
			memcpy(frame + 20, &number, 4);
			memcpy(frame + 60, &number, 4);
			link_push(l, frame, sizeof(frame), now);
		}
		while ((n = link_pop(l, buf, now, &when)) > 0) {
			uint32_t again;
			bool bad = n != 100;

			memcpy(&number, buf + 20, 4);
			memcpy(&again, buf + 60, 4);
			for (int i = 0; i < 100; i++)
				bad |= buf[i] && !(i >= 20 && i < 24) && !(i >= 60 && i < 64);
			if (bad || number != again) {
				s.corrupt++;
				continue;
			}
			s.frames++;
			s.twice += count[number]++ == 1;
			s.late += number < highest;
			highest = number > highest ? number : highest;
			when -= number * 10ull;
			s.delay_max = when > s.delay_max ? when : s.delay_max;
			s.delay_min = when < s.delay_min ? when : s.delay_min;
			s.sum = s.sum * 31 + number;
		}
		if (now / 10 >= N && link_next(l) == UINT64_MAX)
			break;
	}
	link_free(l);
	return s;
}

static void between(uint32_t v, double low, double high)
{
	assert_in_range(v, (uint32_t)(low * N), (uint32_t)(high * N));
}

static void plain_is_plain(void **state)
{
	struct link_config none = {0}, delay = {.delay_us = 1};
	struct seen s = run(&none);

	(void)state;
	assert_true(link_is_plain(&none));
	assert_false(link_is_plain(&delay));
	assert_true(s.frames == N && !s.twice && !s.late && !s.corrupt && !s.delay_max);
}

static void harms_as_asked(void **state)
{
	struct seen s = run(&(struct link_config){.loss = 0.05, .seed = 1});

	(void)state;
	between(s.frames, 0.94, 0.96);
	s = run(&(struct link_config){.dup = 0.05, .seed = 1});
	between(s.twice, 0.04, 0.06);
	assert_int_equal(s.frames - s.twice, N);
	s = run(&(struct link_config){.corrupt = 0.05, .seed = 1});
	between(s.corrupt, 0.04, 0.06);
	assert_int_equal(s.frames + s.corrupt, N);
	s = run(&(struct link_config){.reorder = 0.05, .seed = 1});
	between(s.late, 0.04, 0.06);
	assert_int_equal(s.frames, N);
}

static void delays_in_order(void **state)
{
	struct seen s = run(&(struct link_config){.delay_us = 5000});

	(void)state;
	assert_true(s.delay_min == 5000 && s.delay_max == 5000 && s.frames == N && !s.late);
	s = run(&(struct link_config){.delay_us = 5000, .jitter_us = 1000, .seed = 9});
	assert_true(s.delay_min >= 5000 && s.delay_max < 6000 + 1000 && s.delay_max > 5500);
	assert_true(s.frames == N && !s.late);
}

/* 124 bytes each 10 us are 99.2 Mbit/s: at half of that, half of them are dropped by a short queue. */
static void limits_the_rate(void **state)
{
	struct seen s = run(&(struct link_config){.rate_kbps = 49600, .queue = 100});

	(void)state;
	between(s.frames, 0.49, 0.52);
	assert_true(s.delay_max > 1900 && s.delay_max < 2100); /* 100 frames of 20 us */
	s = run(&(struct link_config){.rate_kbps = 992000});
	assert_int_equal(s.frames, N);
}

static void seeds_repeat(void **state)
{
	struct link_config c = {
	    .loss = 0.1, .dup = 0.1, .reorder = 0.1, .corrupt = 0.1, .jitter_us = 100, .seed = 4};
	struct seen a = run(&c), b = run(&c), other;

	(void)state;
	assert_true(a.sum == b.sum && a.frames == b.frames && a.corrupt == b.corrupt);
	c.seed = 5;
	other = run(&c);
	assert_true(a.sum != other.sum);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_is_plain),  cmocka_unit_test(harms_as_asked),
	    cmocka_unit_test(delays_in_order), cmocka_unit_test(limits_the_rate),
	    cmocka_unit_test(seeds_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
