/* SPDX-License-Identifier: MIT */
/* The hypervisor's string functions, under other names, against the C library's. */
#define memcpy  hv_memcpy
#define memmove hv_memmove
#define memset  hv_memset
#define memcmp  hv_memcmp
#define strlen  hv_strlen
#define strnlen hv_strnlen
#define strcmp  hv_strcmp
#define strncmp hv_strncmp
#define IX_HV
#include "hv/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEN  40
#define ROOM (3 * LEN)

static void fill(unsigned char *p)
{
	for (unsigned int i = 0; i < ROOM; i++)
		p[i] = (unsigned char)(i * 7 + 1);
}

/* Every length, every distance that overlaps and some that do not: both ways, nothing beyond the ends. */
static void test_moves(void **state)
{
	unsigned char a[ROOM], b[ROOM];

	(void)state;
	for (size_t n = 0; n <= LEN; n++)
		for (size_t to = 0; to <= 2 * LEN; to++) {
			fill(a);
			fill(b);
			assert_ptr_equal(hv_memmove(a + to, a + LEN, n), a + to);
			memmove(b + to, b + LEN, n);
			assert_memory_equal(a, b, ROOM);
		}
}

static void test_copies(void **state)
{
	unsigned char a[ROOM], b[ROOM], from[ROOM];

	(void)state;
	for (size_t n = 0; n <= LEN; n++)
		for (size_t at = 0; at < 16; at++) {
			fill(a);
			fill(b);
			memset(from, 0xa5, ROOM);
			assert_ptr_equal(hv_memcpy(a + at, from + at % 5, n), a + at);
			memset(b + at, 0xa5, n);
			assert_memory_equal(a, b, ROOM);
			fill(a);
			assert_ptr_equal(hv_memset(a + at, 0x1a5, n), a + at);
			assert_memory_equal(a, b, ROOM);
		}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void test_comparisons(void **state)
{
	static const char *const text[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "ab\xff"};
	const size_t n = sizeof(text) / sizeof(text[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(hv_strlen(text[i]), strlen(text[i]));
		assert_int_equal(hv_strnlen(text[i], 2), strnlen(text[i], 2));
		for (size_t k = 0; k < n; k++) {
			const char *x = text[i], *y = text[k];
			size_t both = (strlen(x) < strlen(y) ? strlen(x) : strlen(y)) + 1;

			assert_int_equal(sign(hv_strcmp(x, y)), sign(strcmp(x, y)));
			assert_int_equal(sign(hv_strncmp(x, y, 2)), sign(strncmp(x, y, 2)));
			assert_int_equal(sign(hv_memcmp(x, y, both)), sign(memcmp(x, y, both)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_comparisons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
