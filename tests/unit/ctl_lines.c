/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linux-control/json.h"
#include "linux-control/lines.h"

/* What comes out when the text comes in pieces of `step` bytes. */
static char *lines(bool events, bool follow, const char *text, size_t step)
{
	struct lines l = {.events = events, .follow = follow};
	size_t size, n = strlen(text);
	char *out;

	l.out = open_memstream(&out, &size);
	for (size_t i = 0; i < n; i += step)
		lines_add(&l, text + i, n - i < step ? n - i : step);
	lines_end(&l);
	fclose(l.out);
	return out;
}

static void expect(bool events, bool follow, const char *text, const char *want)
{
	for (size_t step = 1; step <= strlen(text) + 1; step++) {
		char *out = lines(events, follow, text, step);

		assert_string_equal(out, want);
		free(out);
	}
}

static void makes_json(void **state)
{
	(void)state;
	expect(false, false, "", "[]\n");
	expect(false, false, "hv: [0] \"a\"\nb\n\nrest",
	       "[{\"line\":\"hv: [0] \\\"a\\\"\"},\n{\"line\":\"b\"},\n{\"line\":\"\"},\n"
	       "{\"line\":\"rest\"}]\n");
	expect(false, true, "a\nb\n", "{\"line\":\"a\"}\n{\"line\":\"b\"}\n");
	expect(true, false, "7 kv failed triple fault\n8  odd \n9\n",
	       "[{\"sequence\":7,\"dataplane\":\"kv\",\"kind\":\"failed\",\"text\":\"triple "
	       "fault\"},\n"
	       "{\"sequence\":8,\"dataplane\":\"\",\"kind\":\"odd\",\"text\":\"\"},\n"
	       "{\"sequence\":9,\"dataplane\":\"\",\"kind\":\"\",\"text\":\"\"}]\n");
}

static void stays_json(void **state)
{
	static char text[3 * LINES_MAX];

	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + (size_t)rand() % (sizeof(text) - 1);
		struct json_value *v;
		char *out;

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(rand() % 40 ? 1 + rand() % 255 : '\n');
		text[n] = '\0';
		out = lines(round & 1, false, text, 1 + (size_t)rand() % 5000);
		v = json_parse(out, strlen(out));
		assert_true(v && v->type == JSON_ARRAY);
		json_free(v);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(makes_json),
	    cmocka_unit_test(stays_json),
	};

	return cmocka_run_group_tests_name("ctl_lines", tests, NULL, NULL);
}
