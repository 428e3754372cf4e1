/* SPDX-License-Identifier: MIT
 *
 * What the compiler may call in freestanding code. Short blocks, of which the network has many, are moved
 * by words; REP MOVSB and STOSB take some 30 cycles to start, and are the fastest way for long ones
 * (ERMS, Optimization Manual 3.7.6).
 */
#include "guest/kernel/string.h"

#define SHORT 256 /* bytes */

/* Any alignment, any type. */
typedef uint64_t word __attribute__((aligned(1), may_alias));
typedef uint32_t half __attribute__((aligned(1), may_alias));
typedef uint16_t quarter __attribute__((aligned(1), may_alias));

/* 0 to 16 bytes, by two moves that may overlap; loads come before stores, so the blocks may too. */
static inline void copy_tiny(uint8_t *d, const uint8_t *s, size_t n)
{
	if (n >= 8) {
		uint64_t a = *(const word *)s, b = *(const word *)(s + n - 8);

		*(word *)d = a;
		*(word *)(d + n - 8) = b;
	} else if (n >= 4) {
		uint32_t a = *(const half *)s, b = *(const half *)(s + n - 4);

		*(half *)d = a;
		*(half *)(d + n - 4) = b;
	} else if (n >= 2) {
		uint16_t a = *(const quarter *)s, b = *(const quarter *)(s + n - 2);

		*(quarter *)d = a;
		*(quarter *)(d + n - 2) = b;
	} else if (n) {
		*d = *s;
	}
}

void *memcpy(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if (n <= 16) {
		copy_tiny(d, s, n);
		return to;
	}
	if (n > SHORT) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return to;
	}
	uint64_t last = *(const word *)(s + n - 8);
	uint8_t *end = d + n - 8;

	for (; d < end; d += 8, s += 8)
		*(word *)d = *(const word *)s;
	*(word *)end = last;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if ((uintptr_t)d - (uintptr_t)s >= n && (uintptr_t)s - (uintptr_t)d >= n)
		return memcpy(to, from, n);
	if (n <= 16) {
		copy_tiny(d, s, n);
		return to;
	}
	if (d < s) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return to;
	}
	d += n - 1;
	s += n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	uint8_t *d = to;
	uint64_t v = (uint8_t)c * 0x0101010101010101ull;

	if (n < 8) {
		/* The barrier keeps the compiler from seeing a memset in this loop. */
		for (; n; n--, d++) {
			*d = (uint8_t)c;
			__asm__ volatile("" ::: "memory");
		}
		return to;
	}
	if (n > SHORT) {
		__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
		return to;
	}
	for (uint8_t *end = d + n - 8; d < end; d += 8) {
		*(word *)d = v;
		__asm__ volatile("" ::: "memory");
	}
	*(word *)((uint8_t *)to + n - 8) = v;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n; p++, q++, n--)
		if (*p != *q)
			return *p - *q;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}
