/* SPDX-License-Identifier: MIT */
#include "hv/lib/string.h"

#include <stdint.h>

/* By words: a processor without fast short strings, and an emulator, take one step a word. What a length
 * leaves over is in a last word, which overlaps the one before. */
typedef uint64_t word __attribute__((aligned(1), may_alias));

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	char *d = dst, *end = d + n;
	uint64_t last;

	if (n < 8) {
		asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
		return dst;
	}
	/* Read first and written last, so that memmove() may come here. */
	last = *(const word *)((const char *)src + n - 8);
	n /= 8;
	asm volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	*(word *)(end - 8) = last;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	d += n - 1;
	s += n - 1;
	asm volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t fill = (unsigned char)c * 0x0101010101010101ul;
	char *d = dst;

	if (n < 8) {
		asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
		return dst;
	}
	*(word *)(d + n - 8) = fill;
	n /= 8;
	asm volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(fill) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, (size_t)-1);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}
