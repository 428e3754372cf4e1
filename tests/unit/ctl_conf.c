/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linux-control/conf.h"

#define BASE "name = kv\nmemory = 64M\ncores = 1\napplication = /bin/kv\n"

/* Parses a copy without a NUL behind it, so that a read past the end is seen. */
static int parse(struct conf *conf, const char *text, struct conf_error *e)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	int err;

	memcpy(copy, text, n);
	err = conf_parse(conf, copy, n, e);
	free(copy);
	return err;
}

static void test_whole_file(void **state)
{
	struct conf c;
	struct conf_error e;

	(void)state;
	assert_int_equal(parse(&c,
			       "# a dataplane\n"
			       "name = kv-1\t# its name\n"
			       "memory=1G\r\n"
			       "cpus = 2-3,5\n"
			       "\n"
			       "nic = 0000:3b:10.1\n"
			       "nic = vf\n"
			       "  address = 10.0.0.2/24\n"
			       "application = \"/opt/my apps/kv\"\n"
			       "arguments = -p 80 \"a \\\"b\\\" # c\"\n"
			       "arguments = last\n"
			       "environment = A=1 B=\n"
			       "file = /etc/kv.conf=/kv.conf\n"
			       "tcp.mss = 1460\n"
			       "kernel = /boot/g.elf",
			       &e),
			 0);
	assert_string_equal(c.name, "kv-1");
	assert_int_equal(c.memory, 1ull << 30);
	assert_true(c.chosen);
	assert_int_equal(c.ncores, 3);
	assert_int_equal(c.cpu[1], 3);
	assert_int_equal(c.cpu[2], 5);
	assert_int_equal(c.nnics, 2);
	assert_int_equal(c.nic[0].bdf, 0x3b << 8 | 0x10 << 3 | 1);
	assert_true(c.nic[1].virtual_function);
	assert_string_equal(c.application, "/opt/my apps/kv");
	assert_string_equal(c.kernel, "/boot/g.elf");
	assert_int_equal(c.arguments.count, 4);
	assert_string_equal(c.arguments.word[2], "a \"b\" # c");
	assert_int_equal(c.environment.count, 2);
	assert_string_equal(c.files.word[0], "/etc/kv.conf=/kv.conf");
	conf_free(&c);
}

static void test_guest_keeps_its_lines(void **state)
{
	struct conf c;
	struct conf_error e;
	int line = 1;

	(void)state;
	assert_int_equal(parse(&c, BASE "address = 10.0.0.2/24\n\nmtu = 1400 # x\n", &e), 0);
	assert_int_equal(c.config_size, strlen(BASE "address = 10.0.0.2/24\n\nmtu = 1400 # x\n"));
	assert_null(strstr(c.config, "kv"));
	assert_null(strstr(c.config, "memory"));
	for (const char *p = c.config; p < strstr(c.config, "mtu = 1400"); p++)
		line += *p == '\n';
	assert_int_equal(line, 7);
	assert_non_null(strstr(c.config, "address = 10.0.0.2/24\n"));
	conf_free(&c);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *says;
} wrong[] = {
    {"", 0, 0, "no name"},
    {"name = a\n", 0, 0, "no memory"},
    {"name = a\nmemory = 2M\n", 0, 0, "no cores"},
    {"name = a\nmemory = 2M\ncores = 1", 0, 0, "nothing to run"},
    {BASE "memroy = 1M\n", 5, 1, "did you mean 'memory'?"},
    {BASE "  adress = 1.2.3.4\n", 5, 3, "did you mean 'address'?"},
    {BASE "tcp.mms = 4\n", 5, 1, "did you mean 'tcp.mss'?"},
    {BASE "colour = red\n", 5, 1, "there is no 'colour'"},
    {BASE "name = b\n", 5, 1, "given twice"},
    {BASE "just words\n", 5, 1, "key = value"},
    {BASE "= x\n", 5, 1, "key = value"},
    {BASE "nic = \"0000\n", 5, 7, "has no end"},
    {BASE "nic = 00:20.0\n", 5, 7, "PCI address"},
    {BASE "nic = 00:1g.0\n", 5, 7, "PCI address"},
    {BASE "nic = 00:03.0 00:04.0\n", 5, 15, "only one word"},
    {BASE "nic = 00:03.0\nnic = 0000:00:03.0\n", 6, 7, "twice"},
    {BASE "cpus = 1,2\n", 5, 8, "'cores' says 1"},
    {BASE "address = 10.0.0.300/24\n", 5, 11, "IPv4"},
    {BASE "address = 10.0.0.3/33\n", 5, 11, "IPv4"},
    {BASE "address =\n", 5, 10, "after '='"},
    {BASE "gateway = here\n", 5, 11, "IPv4"},
    {BASE "kernel = /a b\n", 5, 13, "only one word"},
    {BASE "kernel = guest.elf\n", 5, 10, "whole path"},
    {BASE "environment = A=1 B\n", 5, 19, "NAME=value"},
    {BASE "file = /etc/passwd\n", 5, 8, "/file/of/Linux="},
    {BASE "mtu = 14\x01\n", 5, 9, "control character"},
    {"name = -a\n", 1, 8, "begins with"},
    {"name = a/b\n", 1, 8, "begins with"},
    {"name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 1, 8, "1 to 31"},
    {"name =   # none\n", 1, 10, "after '='"},
    {"memory = 63M\n", 1, 10, "units of 2M"},
    {"memory = 0\n", 1, 10, "units of 2M"},
    {"memory = -2M\n", 1, 10, "not a size"},
    {"memory = 64MB\n", 1, 10, "not a size"},
    {"memory = 99999999T\n", 1, 10, "not a size"},
    {"memory = 64T\n", 1, 10, "no machine"},
    {"cores = 0\n", 1, 9, "number of cores"},
    {"cores = 65\n", 1, 9, "number of cores"},
    {"cores = 2-3\n", 1, 9, "use 'cpus'"},
    {"cpus = 0-1\n", 1, 8, "CPU 0 stays"},
    {"cpus = 3,1,3\n", 1, 12, "twice"},
    {"cpus = 3-1\n", 1, 8, "not a list"},
    {"cpus = 1,,2\n", 1, 10, "not a list"},
    {"cpus = 1,\n", 1, 10, "not a list"},
    {"cpus = 1-99\n", 1, 8, "more than 64"},
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct conf c;
		struct conf_error e;

		if (parse(&c, wrong[i].text, &e) != -EINVAL || e.line != wrong[i].line ||
		    e.column != wrong[i].column || !strstr(e.text, wrong[i].says))
			fail_msg("%s: %u:%u: %s, not %u:%u %s", wrong[i].text, e.line, e.column,
				 e.text, wrong[i].line, wrong[i].column, wrong[i].says);
	}
}

static void test_limits(void **state)
{
	struct conf c;
	struct conf_error e;
	char *text = malloc(CONF_SIZE_MAX + 2);

	(void)state;
	memset(text, '\n', CONF_SIZE_MAX + 2);
	assert_int_equal(conf_parse(&c, text, CONF_SIZE_MAX + 1, &e), -EINVAL);
	assert_non_null(strstr(e.text, "bytes"));
	strcpy(text, BASE "arguments =");
	for (int i = 0; i <= CONF_WORDS_MAX; i++)
		strcat(text, " x");
	assert_int_equal(parse(&c, text, &e), -EINVAL);
	assert_non_null(strstr(e.text, "more than"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole_file),
	    cmocka_unit_test(test_guest_keeps_its_lines),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("ctl_conf", tests, NULL, NULL);
}
