/* SPDX-License-Identifier: MIT */
/* The fuzzer net_tcp_state as a function, for the unit test net_fast. */
#ifndef TESTS_FUZZ_NET_TCP_STATE_H
#define TESTS_FUZZ_NET_TCP_STATE_H

#include <stddef.h>
#include <stdint.h>

struct fast_counts {
	uint64_t in;   /* TCP segments received */
	uint64_t full; /* those that took the full path */
};

/* Runs an input with and without the short way of net/tcp/fast.c; aborts if that can be told. */
struct fast_counts net_tcp_state_compare(const uint8_t *data, size_t size);

#endif
