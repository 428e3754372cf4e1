/* SPDX-License-Identifier: MIT
 *
 * The hostile application of tests/fuzz/core_calls.c with random inputs, so that each test run does some
 * of what the fuzzer does at length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define INPUTS 1500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void random_applications(void **state)
{
	uint64_t x = 88172645463325252ull;
	uint8_t data[1500];

	(void)state;
	for (int k = 0; k < INPUTS; k++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[i] = (uint8_t)(x >> 24);
		}
		data[0] |= 1;
		LLVMFuzzerTestOneInput(data, 1 + x % (sizeof(data) - 1));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(random_applications)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
