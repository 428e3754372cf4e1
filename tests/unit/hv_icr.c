/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "hv/lib/icr.h"
#include "hv/lib/msi.h"

static void decodes(void **state)
{
	struct icr i;

	(void)state;
	/* Linux's wake-up sequence: INIT assert, INIT de-assert, SIPI to page 0x9a */
	i = icr_decode_xapic(0x03000000, 0xc500);
	assert_true(i.mode == ICR_INIT && i.level && i.assert &&i.dest == 3 && !i.logical);
	assert_int_equal(icr_action(&i), ICR_DO_INIT);
	i = icr_decode_xapic(0x03000000, 0x8500);
	assert_int_equal(icr_action(&i), ICR_DO_NOTHING);
	i = icr_decode_xapic(0x03000000, 0x069a);
	assert_true(i.vector == 0x9a);
	assert_int_equal(icr_action(&i), ICR_DO_SIPI);
	/* reschedule by logical destination, no assert bit */
	i = icr_decode_xapic(0x02000000, 0x08fd);
	assert_true(i.logical && i.vector == 0xfd && i.dest == 2);
	assert_int_equal(icr_action(&i), ICR_DO_SEND);

	assert_true(icr_decode_x2apic(0x0001000200000cfbull, &i));
	assert_true(i.x2apic && i.dest == 0x10002 && i.mode == ICR_NMI && i.vector == 0xfb);
	for (int bit = 0; bit < 64; bit++) {
		bool reserved = bit == 13 || bit == 16 || bit == 17 || (bit >= 20 && bit < 32);

		assert_int_equal(icr_decode_x2apic(1ull << bit, &i), !reserved);
	}
}

static void refuses(void **state)
{
	(void)state;
	for (uint32_t low = 0; low < 1 << 20; low++) {
		struct icr i = icr_decode_xapic(0, low);
		uint32_t mode = low >> 8 & 7, shorthand = low >> 18;
		bool valid = mode == 0 || mode == 1 || mode == 4 || mode == 5 || mode == 6;

		if (mode < 2 && (low & 0xf0) == 0)
			valid = false;
		if ((shorthand == 1 || shorthand == 2) && mode != 0)
			valid = false;
		if ((icr_action(&i) != ICR_DO_REFUSE) != valid)
			fail_msg("low 0x%x", low);
	}
}

static void names_processors(void **state)
{
	struct icr_cpu cpus[4] = {
	    {.apic_id = 0, .ldr = 1u << 24, .dfr = ~0u},
	    {.apic_id = 1, .ldr = 2u << 24, .dfr = ~0u},
	    {.apic_id = 2, .ldr = 4u << 24, .dfr = ~0u, .domain = 1},
	    {.apic_id = 3, .ldr = 8u << 24, .dfr = ~0u},
	};
	struct icr i;
	uint64_t set;

	(void)state;
	i = icr_decode_xapic(0x02000000, 0x40fd); /* physical 2: of another domain */
	assert_int_equal(icr_expand(&i, cpus, 4, 0, &set), 0);
	assert_int_equal(set, 0);
	assert_int_equal(icr_expand(&i, cpus, 4, 2, &set), 1);
	i = icr_decode_xapic(0xff000000, 0x40fd); /* broadcast */
	assert_int_equal(icr_expand(&i, cpus, 4, 0, &set), 3);
	assert_int_equal(set, 0xb);
	i = icr_decode_xapic(0x0e000000, 0x08fd); /* flat: 1, 2, 3 */
	assert_int_equal(icr_expand(&i, cpus, 4, 1, &set), 2);
	assert_int_equal(set, 0xa);
	i = icr_decode_xapic(0x0e000000, 0x09fd); /* lowest priority: one */
	assert_int_equal(icr_expand(&i, cpus, 4, 1, &set), 1);
	assert_int_equal(set, 2);
	i = icr_decode_xapic(0, 0x40fd | 3 << 18);
	icr_expand(&i, cpus, 4, 1, &set);
	assert_int_equal(set, 9);
	i = icr_decode_xapic(0, 0x40fd | 1 << 18);
	icr_expand(&i, cpus, 4, 1, &set);
	assert_int_equal(set, 2);
	i = icr_decode_xapic(0, 0x40fd | 2 << 18);
	icr_expand(&i, cpus, 4, 1, &set);
	assert_int_equal(set, 0xb);

	/* cluster model: clusters 1 and 2 */
	for (int n = 0; n < 4; n++) {
		cpus[n].domain = 0;
		cpus[n].dfr = 0x0fffffff;
		cpus[n].ldr = (uint32_t)((1 + n / 2) << 4 | 1 << n % 2) << 24;
	}
	i = icr_decode_xapic(0x23000000, 0x08fd);
	icr_expand(&i, cpus, 4, 0, &set);
	assert_int_equal(set, 0xc);
	i = icr_decode_xapic(0xf1000000, 0x08fd); /* bit 0 of all clusters */
	icr_expand(&i, cpus, 4, 0, &set);
	assert_int_equal(set, 5);

	cpus[0].dfr = 0x7fffffff; /* neither model */
	icr_expand(&i, cpus, 4, 0, &set);
	assert_int_equal(set, 4);

	/* a device's message reaches any core that it means, whoever sends */
	i = (struct icr){.vector = 0x40, .logical = true, .dest = 0x12};
	for (int n = 1; n < 4; n++)
		assert_int_equal(icr_matches(&i, &cpus[n], false), n == 1);

	for (int n = 0; n < 4; n++)
		cpus[n] = (struct icr_cpu){.apic_id = 0x10e + n, .x2apic = true};
	assert_true(icr_decode_x2apic(0x0010c000000008fdull, &i)); /* 0x10e, 0x10f */
	icr_expand(&i, cpus, 4, 0, &set);
	assert_int_equal(set, 3);
	assert_true(icr_decode_x2apic(0x00110003000008fdull, &i)); /* 0x110, 0x111 */
	icr_expand(&i, cpus, 4, 0, &set);
	assert_int_equal(set, 0xc);
	assert_true(icr_decode_x2apic(0xff000000fdull, &i)); /* 0xff is no broadcast here */
	assert_int_equal(icr_expand(&i, cpus, 4, 0, &set), 0);
	assert_true(icr_decode_x2apic(0xffffffff000008fdull, &i));
	assert_int_equal(icr_expand(&i, cpus, 4, 0, &set), 4);
}

/* The manual's words, one line each, on the raw register. */
static bool model(uint64_t raw, bool x2, const struct icr_cpu *cpus, uint32_t sender, uint32_t cpu)
{
	uint32_t shorthand = (raw >> 18) % 4, dest = x2 ? raw >> 32 : raw >> 56;

	if (cpus[cpu].domain != cpus[sender].domain)
		return false;
	if (shorthand)
		return shorthand == 2 || (shorthand == 1) == (cpu == sender);
	if (dest == (x2 ? ~0u : 255))
		return true;
	if (!(raw >> 11 & 1))
		return cpus[cpu].apic_id == dest;
	for (int bit = 0; bit < 16; bit++) {
		if (x2) {
			if (cpus[cpu].apic_id == (dest >> 16) * 16 + bit && dest >> bit & 1)
				return true;
		} else if (cpus[cpu].dfr == 0xffffffff) {
			if (bit < 8 && dest >> bit & 1 && cpus[cpu].ldr >> (24 + bit) & 1)
				return true;
		} else if (bit < 4 && dest >> bit & 1 && cpus[cpu].ldr >> (24 + bit) & 1 &&
			   (dest / 16 == 15 || dest / 16 == cpus[cpu].ldr >> 28)) {
			return true;
		}
	}
	return false;
}

static void agrees_with_a_model(void **state)
{
	enum {
		CPUS = 70
	};

	(void)state;
	srand(4);
	for (int round = 0; round < 20000; round++) {
		struct icr_cpu cpus[CPUS];
		uint64_t set[2] = {~0ull, ~0ull}, raw;
		bool x2 = rand() & 1, flat = rand() & 1;
		uint32_t sender = rand() % CPUS, found = 0, expected = 0;
		struct icr icr;

		for (int i = 0; i < CPUS; i++)
			cpus[i] = (struct icr_cpu){
			    .apic_id = i + (x2 ? 200 : 0),
			    .ldr = (uint32_t)rand() << 24,
			    .dfr = flat ? 0xffffffff : 0x0fffffff,
			    .x2apic = x2,
			    .domain = rand() % 3,
			};
		raw = (uint64_t)(rand() % 2 ? rand() % 300 : rand()) << (x2 ? 32 : 56);
		if (x2 && rand() % 2)
			raw = (uint64_t)(10 + rand() % 9) << 48 | (uint64_t)(rand() & 0xffff) << 32;
		if (rand() % 20 == 0)
			raw = ~0ull << (x2 ? 32 : 56);
		raw |= (rand() & 0x48ff) | (rand() % 4 ? 0 : (rand() & 3) << 18);
		if (x2)
			assert_true(icr_decode_x2apic(raw, &icr));
		else
			icr = icr_decode_xapic(raw >> 32, raw);
		found = icr_expand(&icr, cpus, CPUS, sender, set);
		for (uint32_t i = 0; i < CPUS; i++) {
			bool in = set[i / 64] >> i % 64 & 1;

			if (in != model(raw, x2, cpus, sender, i))
				fail_msg("raw %lx x2apic %d cpu %u", raw, x2, i);
			expected += in;
		}
		assert_int_equal(found, expected);
	}
}

static void messages(void **state)
{
	const struct icr_cpu cpus[] = {
	    {.apic_id = 0, .ldr = 1u << 24, .dfr = ~0u},
	    {.apic_id = 1, .ldr = 2u << 24, .dfr = ~0u},
	    {.apic_id = 2, .ldr = 4u << 24, .dfr = ~0u, .domain = 1},
	};
	uint64_t set;
	struct icr i;

	(void)state;
	/* as Linux programs a device: logical, flat; one of the cores is not Linux's */
	assert_true(msi_decode(0xfee06004, 0x4023, &i));
	assert_true(i.logical && i.dest == 6 && i.vector == 0x23 && i.mode == ICR_FIXED);
	assert_int_equal(icr_action(&i), ICR_DO_SEND);
	assert_int_equal(icr_expand(&i, cpus, 3, 0, &set), 1);
	assert_int_equal(set, 2);
	assert_true(msi_decode(0xfeeff000, 0x55, &i)); /* everybody */
	assert_int_equal(icr_expand(&i, cpus, 3, 0, &set), 2);
	assert_true(msi_decode(0xfee00000, 0x0255, &i)); /* SMI */
	assert_int_equal(icr_action(&i), ICR_DO_REFUSE);
	assert_true(msi_decode(0xfee01000, 0xc555, &i));
	assert_true(i.mode == ICR_INIT && i.level && i.assert);
	assert_false(msi_decode(0xfee00010, 0x55, &i)); /* remappable */
	assert_false(msi_decode(0xfed00000, 0x55, &i));
	assert_false(msi_decode(0x1fee00000, 0x55, &i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes),          cmocka_unit_test(refuses),
	    cmocka_unit_test(names_processors), cmocka_unit_test(agrees_with_a_model),
	    cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
