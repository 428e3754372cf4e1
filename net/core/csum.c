/* SPDX-License-Identifier: MIT */
#include "net/core/bytes.h"

uint64_t csum_add(uint64_t sum, const void *ptr, size_t len, size_t off)
{
	const uint8_t *p = ptr;
	uint64_t s = 0;

	/* 32-bit words cannot overflow a 64-bit sum below 16 GB. */
	while (len >= 16) {
		uint32_t w[4];
		__builtin_memcpy(w, p, 16);
		s += (uint64_t)w[0] + w[1] + w[2] + w[3];
		p += 16;
		len -= 16;
	}
	while (len >= 4) {
		uint32_t w;
		__builtin_memcpy(&w, p, 4);
		s += w;
		p += 4;
		len -= 4;
	}
	if (len) {
		uint8_t tail[4] = {0};
		uint32_t w;
		for (size_t i = 0; i < len; i++)
			tail[i] = p[i];
		__builtin_memcpy(&w, tail, 4);
		s += w;
	}
	if (off & 1) { /* RFC 1071 2 B: an odd start swaps the bytes of the sum */
		uint16_t f = csum_fold(s);
		s = __builtin_bswap16(f);
	}
	/* Keep the running sum far from overflow. */
	return (sum & 0xffffffff) + (sum >> 32) + (s & 0xffffffff) + (s >> 32);
}
