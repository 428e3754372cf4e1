/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linux-control/json.h"
#include "linux-control/show.h"
#include "linux-control/wire.h"

static void test_writer(void **state)
{
	struct json j = {0};

	(void)state;
	json_object(&j, NULL);
	json_string(&j, "a", "x\"\\\n\x1f\xc3\xa4\xff\xed\xa0\x80");
	json_array(&j, "list");
	json_number(&j, NULL, UINT64_MAX);
	json_bool(&j, NULL, true);
	json_object(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_format(&j, "f", "%d-%s", 5, "six");
	json_end(&j);
	assert_string_equal(j.text,
			    "{\"a\":\"x\\\"\\\\\\u000a\\u001f\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
			    "\xef\xbf\xbd\xef\xbf\xbd\",\"list\":[18446744073709551615,"
			    "true,{}],\"f\":\"5-six\"}");
	free(j.text);
}

static void test_depth(void **state)
{
	struct json j = {0};
	char deep[2 * JSON_DEPTH_MAX + 3];

	(void)state;
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_array(&j, NULL);
	assert_true(j.failed);
	assert_null(j.text);
	memset(deep, '[', sizeof(deep));
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(json_parse(deep, 2 * JSON_DEPTH_MAX + 2));
	assert_null(json_parse(deep, sizeof(deep)));
}

/* What the reader must take, and what it must refuse. */
static void test_reader(void **state)
{
	static const char *const good[] = {"{}",
					   " [ ] ",
					   "null",
					   "-1.5e+3",
					   "\"\\u00e4\\n\\/\"",
					   "{\"a\":{\"b\":[1,2]},\"c\":\"\"}"};
	static const char *const bad[] = {
	    "",        "{",         "[1,]",        "{\"a\"}",     "{a:1}",     "1 2",
	    "\"\\q\"", "\"\\u12\"", "\"\\ud800\"", "\"\\u0000\"", "-",         "1.",
	    "1e",      "tru",       "\"a\n\"",     "[1",          "{\"a\":1,}"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct json_value *v = json_parse(good[i], strlen(good[i]));

		if (!v)
			fail_msg("%s was refused", good[i]);
		json_free(v);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (json_parse(bad[i], strlen(bad[i])))
			fail_msg("%s was taken", bad[i]);
}

static void test_round_trip(void **state)
{
	static const char text[] = "{\"a\":\"x\\u0001y\",\"n\":[3,{\"deep\":\"\xc3\xa4\"}]}";
	struct json_value *v = json_parse(text, strlen(text));

	(void)state;
	assert_non_null(v);
	assert_string_equal(json_member(v, "a")->text, "x\001y");
	assert_string_equal(json_member(json_member(v, "n")->child->next, "deep")->text,
			    "\xc3\xa4");
	assert_null(json_member(v, "none"));
	assert_null(json_member(json_member(v, "n"), "0"));
	json_free(v);
}

static char *shown(const char *text)
{
	struct json_value *v = json_parse(text, strlen(text));
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(v);
	show(f, v);
	fclose(f);
	json_free(v);
	return out;
}

static void assert_shown(const char *text, const char *want)
{
	char *got = shown(text);

	assert_string_equal(got, want);
	free(got);
}

static void test_show(void **state)
{
	(void)state;
	assert_shown("[{\"name\":\"kv\",\"cores\":12,\"up\":true},"
		     "{\"name\":\"longer\",\"cores\":1,\"extra\":1}]",
		     "NAME    CORES  UP\nkv         12  yes\nlonger      1  -\n");
	assert_shown("{\"version\":\"1\",\"abi_number\":2,\"rows\":[{\"a\":1}],\"set\":[1,2]}",
		     "version:    1\nabi number: 2\nset:        1,2\n\nA\n1\n");
	assert_shown("[\"line \\u001b[1m\"]", "line ?[1m\n");
	assert_shown("[]", "");
	assert_shown("\"done\"", "done\n");
}

static void test_words(void **state)
{
	char text[300] = "start\0/a b\0";
	char *words[WIRE_WORDS_MAX];

	(void)state;
	assert_int_equal(wire_words(text, 11, words), 2);
	assert_string_equal(words[1], "/a b");
	assert_int_equal(wire_words(text, 10, words), -EINVAL);
	assert_int_equal(wire_words(text, 0, words), -EINVAL);
	memset(text, 0, sizeof(text));
	assert_int_equal(wire_words(text, WIRE_WORDS_MAX, words), WIRE_WORDS_MAX);
	assert_int_equal(wire_words(text, WIRE_WORDS_MAX + 1, words), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_writer), cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_reader), cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_show),   cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("ctl_json", tests, NULL, NULL);
}
