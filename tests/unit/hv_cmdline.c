/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/cmdline.h"
#include "hv/lib/errno.h"

static struct cmdline_options o;
static struct cmdline_errors e;

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse("", &o, &e), 0);
	assert_int_equal(o.console_port, 0x3f8);
	assert_int_equal(o.console_baud, 115200);
	assert_int_equal(o.loglevel, 6);
	assert_false(o.ixmem_given || o.preflight || o.nox2apic);
	assert_int_equal(cmdline_parse("   ", &o, &e), 0);
}

static void all_options(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse(" console=com2,9600n8  ixmem=512M loglevel=7 preflight "
				       "nox2apic test=last-core ",
				       &o, &e),
			 0);
	assert_int_equal(o.console_port, 0x2f8);
	assert_int_equal(o.console_baud, 9600);
	assert_true(o.ixmem_given);
	assert_int_equal(o.ixmem, 512 << 20);
	assert_int_equal(o.loglevel, 7);
	assert_true(o.preflight && o.nox2apic);
	assert_int_equal(o.test, TEST_LAST_CORE);
	assert_int_equal(cmdline_parse("test=panic", &o, &e), 0);
	assert_int_equal(o.test, TEST_PANIC);
	assert_int_equal(cmdline_parse("test=nothing", &o, &e), -EINVAL);
	assert_int_equal(o.test, TEST_NONE);

	assert_int_equal(cmdline_parse("console=0x3e8,115200", &o, &e), 0);
	assert_int_equal(o.console_port, 0x3e8);
	assert_int_equal(cmdline_parse("console=none console=com1", &o, &e), 0);
	assert_int_equal(o.console_port, 0x3f8); /* the last one holds */
	assert_int_equal(cmdline_parse("console=none", &o, &e), 0);
	assert_int_equal(o.console_port, 0);
}

static void quotes(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse("\"ixmem=2M\" loglevel='3' console=\"com1\",57600", &o, &e),
			 0);
	assert_int_equal(o.ixmem, 2 << 20);
	assert_int_equal(o.loglevel, 3);
	assert_int_equal(o.console_baud, 57600);
	assert_int_equal(cmdline_parse("log\\level=2", &o, &e), 0);
	assert_int_equal(o.loglevel, 2);
	assert_int_equal(cmdline_parse("preflight \"ixmem=1 G\" nox2apic", &o, &e), -EINVAL);
	assert_int_equal(e.count, 1);
	assert_int_equal(e.error[0].at, 10);
	assert_int_equal(e.error[0].length, 11);
	assert_true(o.nox2apic);
	assert_int_equal(cmdline_parse("loglevel=\"3 preflight", &o, &e), -EINVAL);
	assert_string_equal(e.error[0].why, "quote not closed");
	assert_int_equal(cmdline_parse("\\", &o, &e), -EINVAL);
	assert_int_equal(cmdline_parse("\"\\", &o, &e), -EINVAL);
}

static void refused(void **state)
{
	static const struct {
		const char *word, *why;
	} bad[] = {
	    {"verbose", "unknown option"},
	    {"logleve=1", "unknown option"},
	    {"loglevels=1", "unknown option"},
	    {"=", "unknown option"},
	    {"preflight=1", "takes no value"},
	    {"ixmem", "needs a value"},
	    {"ixmem=", "not a size"},
	    {"ixmem=0x", "not a size"},
	    {"ixmem=12Q", "not a size"},
	    {"ixmem=12MB", "not a size"},
	    {"ixmem=18446744073709551616", "not a size"},
	    {"ixmem=18446744073709551615K", "not a size"},
	    {"ixmem=1M", "not a multiple of 2M"},
	    {"loglevel=8", "not a number from 0 to 7"},
	    {"loglevel=1x", "not a number from 0 to 7"},
	    {"console=com5", "not com1 to com4, a port or none"},
	    {"console=", "not com1 to com4, a port or none"},
	    {"console=0x3f9", "not a serial port address"},
	    {"console=0x10000", "not a serial port address"},
	    {"console=com1,", "no speed after the comma"},
	    {"console=com1,0", "speed does not divide 115200"},
	    {"console=com1,7000", "speed does not divide 115200"},
	    {"console=com1,1", "speed does not divide 115200"},
	    {"console=com1,9600e7", "only 8 data bits without parity (n8) are supported"},
	    {"console=com1x", "only 8 data bits without parity (n8) are supported"},
	    {"loglevel=0000000000000000000000000000000000000000000000000000000000000000001",
	     "too long"},
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(line, "nox2apic ");
		strcat(line, bad[i].word);
		strcat(line, " preflight");
		assert_int_equal(cmdline_parse(line, &o, &e), -EINVAL);
		assert_int_equal(e.count, 1);
		assert_int_equal(e.error[0].at, 9);
		assert_int_equal(e.error[0].length, strlen(bad[i].word));
		assert_string_equal(e.error[0].why, bad[i].why);
		assert_true(o.nox2apic && o.preflight);
		assert_int_equal(o.console_port, 0x3f8);
		assert_int_equal(o.loglevel, 6);
		assert_false(o.ixmem_given);
	}
}

static void many_errors(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse("a b c d e f g h i j", &o, &e), -EINVAL);
	assert_int_equal(e.count, 10);
	assert_int_equal(e.error[CMDLINE_ERRORS_MAX - 1].at, 14);
}

static void sizes(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(parse_size("0x10k", &v));
	assert_int_equal(v, 16384);
	assert_true(parse_size("3G", &v));
	assert_int_equal(v, 3ull << 30);
	assert_true(parse_size("16777215T", &v));
	assert_int_equal(v, 16777215ull << 40);
	assert_false(parse_size("16777216T", &v));
	assert_true(parse_size("18446744073709551615", &v));
	assert_int_equal(v, UINT64_MAX);
	assert_false(parse_size("-1", &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults), cmocka_unit_test(all_options), cmocka_unit_test(quotes),
	    cmocka_unit_test(refused),  cmocka_unit_test(many_errors), cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
