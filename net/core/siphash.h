/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 of two words (Aumasson, Bernstein 2012): initial sequence numbers, cookies. */
#ifndef NET_CORE_SIPHASH_H
#define NET_CORE_SIPHASH_H

#include <stdint.h>

static inline uint64_t sip_rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = sip_rotl(v[1], 13) ^ v[0];
	v[0] = sip_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = sip_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = sip_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = sip_rotl(v[1], 17) ^ v[2];
	v[2] = sip_rotl(v[2], 32);
}

static inline uint64_t siphash2(const uint64_t key[2], uint64_t a, uint64_t b)
{
	uint64_t v[4] = {0x736f6d6570736575ull ^ key[0], 0x646f72616e646f6dull ^ key[1],
			 0x6c7967656e657261ull ^ key[0], 0x7465646279746573ull ^ key[1]};
	const uint64_t m[3] = {a, b, (uint64_t)16 << 56};

	for (int i = 0; i < 3; i++) {
		v[3] ^= m[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
