/* SPDX-License-Identifier: MIT */
/* Unaligned big-endian access and the Internet checksum. */
#ifndef NET_CORE_BYTES_H
#define NET_CORE_BYTES_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t len);
void *memset(void *dst, int c, size_t len);
int memcmp(const void *a, const void *b, size_t len);

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;
	__builtin_memcpy(&v, p, 2);
	return __builtin_bswap16(v);
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	__builtin_memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	__builtin_memcpy(p, &v, 2);
}

static inline void put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	__builtin_memcpy(p, &v, 4);
}

/*
 * Internet checksum (RFC 1071). Sums are kept in the byte order of memory, which the one's
 * complement sum allows (RFC 1071 2 B), as 64-bit numbers that are folded at the end. `off` is the
 * position of the bytes in what is summed; only its parity counts.
 */
uint64_t csum_add(uint64_t sum, const void *p, size_t len, size_t off);

static inline uint16_t csum_fold(uint64_t s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

/* The pseudo-header (RFC 9293 3.1), addresses in host order. */
static inline uint64_t csum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
	return (uint64_t)__builtin_bswap32(src) + __builtin_bswap32(dst) +
	       __builtin_bswap32(proto) + __builtin_bswap32(len);
}

/* Stores a checksum computed in memory order. */
static inline void put_csum(uint8_t *p, uint16_t v)
{
	__builtin_memcpy(p, &v, 2);
}

#endif
