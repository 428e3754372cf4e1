/* SPDX-License-Identifier: MIT */
/*
 * The short way of net/tcp/fast.c against the full one: random conversations in which most segments
 * are ordinary, through the fuzzer that runs both and compares. IX_ROUNDS: how many (default 1,500).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/fuzz/net_tcp_state.h"

static uint64_t rng = 1;

static uint32_t any(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rng >> 33) % below);
}

static void conversations(void **state)
{
	/* Calls of the fuzzer's language (0x40: a call, 0x20: and a cycle) and how often they come. */
	static const struct {
		uint8_t op, weight;
	} ops[] = {
	    {0x6d, 70}, /* the expected segment */
	    {0x4e, 20}, /* ... and no cycle yet */
	    {0x60, 10}, /* sendv */
	    {0x41, 5},  /* sendv of two parts */
	    {0x63, 2},  /* recv_done */
	    {0x67, 1},  /* setopt */
	    {0x4c, 1},  /* the flow group moves */
	    {0x4f, 3},  /* time passes */
	    {0x01, 2},  /* any segment */
	    {0x2a, 2},
	};
	const char *env = getenv("IX_ROUNDS");
	uint64_t in = 0, full = 0;

	(void)state;
	for (uint32_t round = env ? (uint32_t)atoi(env) : 1500; round; round--) {
		uint8_t d[400];
		uint32_t len = 0, want = 20 + any(370);

		d[len++] = (uint8_t)(any(256) | 1);
		if (any(4))
			d[0] |= 128 | 2; /* timestamps and no ECN */
		while (len < want) {
			uint32_t pick = any(116), k = 0;
			while (pick >= ops[k].weight)
				pick -= ops[k++].weight;
			d[len++] = ops[k].op;
			d[len++] = (uint8_t)any(k < 3 ? 1 : 256); /* usually the first connection */
			for (uint32_t i = ops[k].op & 0x40 ? 2 : 7; i; i--)
				d[len++] = (uint8_t)any(256);
		}
		struct fast_counts c = net_tcp_state_compare(d, len);
		in += c.in;
		full += c.full;
	}
	print_message("%lu segments, %lu of them the short way\n", (unsigned long)in,
		      (unsigned long)(in - full));
	assert_true(full > in / 20 && in - full > in / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(conversations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
