/* SPDX-License-Identifier: MIT
 *
 * The stream that tests send: byte i of it is known, and two places in it seldom look alike.
 *
 * Protocol of `stream`: a client sends 16 bytes, direction and length (64 bits each, little-endian).
 * PUT: it then sends so many bytes, and is answered with 8 bytes: how many came right. GET: it is sent
 * so many bytes. Either side then closes.
 */
#ifndef TESTS_PATTERN_H
#define TESTS_PATTERN_H

#include <stdint.h>
#include <string.h>

#define PATTERN_LEN 1048573u /* a prime, so that nothing else has its period */
#define STREAM_PUT  1
#define STREAM_GET  2

struct stream_request {
	uint64_t direction, length;
};

/* Two periods one after the other: any piece up to a period long is contiguous. */
static inline void pattern_fill(unsigned char *p)
{
	uint64_t x = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; i < PATTERN_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = p[i + PATTERN_LEN] = (unsigned char)(x >> 32);
	}
}

#endif
