/* SPDX-License-Identifier: MIT
 *
 * The preflight table: what each lacking feature leads to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/console.h"
#include "hv/preflight.h"

void log_write(enum log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

static const struct acpi no_tables;

static struct vmx_caps full(void)
{
	struct vmx_caps c;

	memset(&c, 0xff, sizeof(c));
	return c;
}

static const char *missing(const struct vmx_caps *c, bool vmx, bool unlocked)
{
	static char text[LOG_LINE];

	preflight_check(c, vmx, unlocked, &no_tables);
	text[0] = '\0';
	if (!preflight_missing(text, sizeof(text)))
		assert_int_equal(text[0], 0);
	return text;
}

static void nothing_missing(void **state)
{
	struct vmx_caps c = full();

	(void)state;
	assert_string_equal(missing(&c, true, true), "");
	assert_null(preflight_core(&c, true, true));
}

static void locked_by_firmware(void **state)
{
	struct vmx_caps c = full();

	(void)state;
	assert_string_equal(missing(&c, true, false),
			    "VT-x enabled by firmware is missing: firmware has locked VT-x off: "
			    "enable 'Intel Virtualization Technology' in its setup");
	assert_non_null(strstr(preflight_core(&c, true, false), "IA32_FEATURE_CONTROL"));
}

static void no_vtx(void **state)
{
	struct vmx_caps c = {0};

	(void)state;
	assert_ptr_equal(strstr(missing(&c, false, false), "VT-x is missing: needs an Intel"),
			 missing(&c, false, false));
	assert_null(strstr(missing(&c, false, false), "also"));
	assert_string_equal(preflight_core(&c, false, false), "VT-x");
}

static void each_must(void **state)
{
	const struct {
		size_t at;
		uint64_t bits;
		const char *name;
	} must[] = {
	    {offsetof(struct vmx_caps, pin), PIN_NMI_EXITING, "NMI exiting"},
	    {offsetof(struct vmx_caps, pin), PIN_VIRTUAL_NMI, "NMI exiting"},
	    {offsetof(struct vmx_caps, proc), PROC_IO_BITMAPS, "I/O and MSR bitmaps"},
	    {offsetof(struct vmx_caps, proc), PROC_MSR_BITMAPS, "I/O and MSR bitmaps"},
	    {offsetof(struct vmx_caps, exit), EXIT_LOAD_EFER, "64-bit host"},
	    {offsetof(struct vmx_caps, entry), ENTRY_LOAD_PAT, "64-bit host"},
	    {offsetof(struct vmx_caps, proc2), PROC2_EPT, "EPT"},
	    {offsetof(struct vmx_caps, ept_vpid), EPT_CAP_2M, "EPT"},
	    {offsetof(struct vmx_caps, ept_vpid), EPT_CAP_INVEPT, "EPT"},
	    {offsetof(struct vmx_caps, proc2), PROC2_UNRESTRICTED, "unrestricted guest"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		struct vmx_caps c = full();
		uint32_t word; /* every bit of interest is in the low half */
		const char *text;

		memcpy(&word, (char *)&c + must[i].at, sizeof(word));
		word &= ~(uint32_t)must[i].bits;
		memcpy((char *)&c + must[i].at, &word, sizeof(word));
		text = missing(&c, true, true);
		assert_ptr_equal(strstr(text, must[i].name), text);
		assert_non_null(preflight_core(&c, true, true));
	}
}

static void several(void **state)
{
	struct vmx_caps c = full();

	(void)state;
	c.proc2 = 0;
	c.pin = 0;
	assert_non_null(strstr(missing(&c, true, true),
			       "; also missing: unrestricted guest, NMI exiting, virtual NMIs"));
}

/* What is only wanted has a row and a consequence, and refuses nothing. */
static void wanted(void **state)
{
	struct vmx_caps c = full();
	bool found = false;

	(void)state;
	c.pin &= ~PIN_PREEMPTION_TIMER;
	c.ept_vpid &= ~EPT_CAP_1G;
	assert_string_equal(missing(&c, true, true), "");
	for (uint32_t i = 0; i < preflight.rows; i++) {
		const struct preflight_row *r = &preflight.row[i];

		if (strcmp(r->feature, "1 GB EPT pages") != 0)
			continue;
		found = true;
		assert_false(r->found);
		assert_int_equal(r->need, NEED_WANT);
		assert_true(strlen(r->consequence) > 0);
	}
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_missing), cmocka_unit_test(locked_by_firmware),
	    cmocka_unit_test(no_vtx),          cmocka_unit_test(each_must),
	    cmocka_unit_test(several),         cmocka_unit_test(wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
