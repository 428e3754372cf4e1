/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linux-control/stats.h"

static struct {
	struct ix_stats s;
	struct ix_stats_core core[2];
} area;

static int setup(void **state)
{
	(void)state;
	memset(&area, 0, sizeof(area));
	area.s.magic = IX_STATS_MAGIC;
	area.s.version = IX_STATS_VERSION;
	area.s.size = sizeof(area);
	area.s.ncores = 2;
	area.s.core_size = sizeof(struct ix_stats_core);
	area.s.ncounters = 4;
	strcpy(area.s.name[0], "rx");
	strcpy(area.s.name[1], "=level");
	strcpy(area.s.name[2], "core_tsc_user");
	strcpy(area.s.name[3], "core_tsc_idle");
	area.core[0].value[1] = 3;
	area.core[1].value[1] = 4;
	area.core[1].value[2] = 100;
	area.core[1].value[3] = 300;
	return 0;
}

static void assert_json(size_t size, const char *want)
{
	struct json j = {0};

	json_object(&j, NULL);
	stats_show(&j, &area, size);
	json_end(&j);
	assert_string_equal(j.text, want);
	free(j.text);
}

static void test_show(void **state)
{
	(void)state;
	assert_json(sizeof(area),
		    "{\"counters\":[{\"counter\":\"level\",\"all\":7,\"core_0\":3,\"core_1\":4},"
		    "{\"counter\":\"core_tsc_user\",\"all\":100,\"core_0\":0,\"core_1\":100},"
		    "{\"counter\":\"core_tsc_idle\",\"all\":300,\"core_0\":0,\"core_1\":300}],"
		    "\"shares\":[{\"core\":1,\"user\":\"25.0%\",\"idle\":\"75.0%\"}]}");
	/* A copy that ends early shows the cores it has. */
	assert_json(sizeof(area) - 1,
		    "{\"counters\":[{\"counter\":\"level\",\"all\":3}],\"shares\":[]}");
}

static void test_nonsense(void **state)
{
	(void)state;
	assert_json(0, "{}");
	assert_json(sizeof(struct ix_stats) - 1, "{}");
	area.s.magic++;
	assert_json(sizeof(area), "{}");
	setup(NULL);
	area.s.ncounters = IX_STATS_MAX + 1;
	assert_json(sizeof(area), "{}");
	setup(NULL);
	area.s.ncores = UINT32_MAX;
	assert_json(sizeof(area), "{}");
	setup(NULL);
	area.s.core_size++;
	assert_json(sizeof(area), "{}");
	setup(NULL);
	memset(area.s.name, 'x', sizeof(area.s.name)); /* no NUL anywhere */
	stats_changing(&area, sizeof(area));
}

static void test_changing(void **state)
{
	(void)state;
	assert_false(stats_changing(&area, sizeof(area)));
	area.core[1].generation = 5;
	assert_true(stats_changing(&area, sizeof(area)));
	assert_false(stats_changing(&area, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_show, setup),
	    cmocka_unit_test_setup(test_nonsense, setup),
	    cmocka_unit_test_setup(test_changing, setup),
	};

	return cmocka_run_group_tests_name("ctl_stats", tests, NULL, NULL);
}
