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

static struct json show(size_t size)
{
	static const uint64_t exits[] = {5};
	struct json j = {0};

	json_object(&j, NULL);
	stats_show(&j, &area, size, exits, 1);
	json_end(&j);
	return j;
}

static void assert_json(size_t size, const char *want)
{
	struct json j = show(size);

	assert_string_equal(j.text, want);
	free(j.text);
}

static void assert_begins(const char *want)
{
	struct json j = show(sizeof(area));

	assert_true(strlen(j.text) > strlen(want));
	j.text[strlen(want)] = '\0';
	assert_string_equal(j.text, want);
	free(j.text);
}

#define CORE(n, exits, user, idle)                                                             \
	"{\"core\":" #n ",\"packets_in\":0,\"packets_out\":0,\"batch\":\"-\",\"queue\":\"-\"," \
	"\"drops\":0,\"retransmits\":0,\"exits\":" exits ",\"user\":\"" user                   \
	"\",\"kernel\":\"" idle "\",\"idle\":\"" idle "\"}"

static void test_show(void **state)
{
	(void)state;
	strcpy(area.s.name[3], "core_events");
	assert_json(
	    sizeof(area),
	    "{\"cores\":[" CORE(0, "5", "-", "-") "," CORE(
		1, "\"-\"", "100.0%",
		"0.0%") "],"
			"\"counters\":[{\"counter\":\"level\",\"all\":7,\"core_0\":3,\"core_1\":4},"
			"{\"counter\":\"core_tsc_user\",\"all\":100,\"core_0\":0,\"core_1\":100},"
			"{\"counter\":\"core_events\",\"all\":300,\"core_0\":0,\"core_1\":300}]}");
	/* A copy that ends early shows the cores it has. */
	assert_json(sizeof(area) - 1,
		    "{\"cores\":[" CORE(0, "5", "-",
					"-") "],"
					     "\"counters\":[{\"counter\":\"level\",\"all\":3}]}");
}

static void test_core(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
	    {"core_tsc_user", 100}, {"core_tsc_kernel", 200},  {"core_tsc_idle", 700},
	    {"core_cycles", 53},    {"core_cycles_empty", 50}, {"core_rx_frames", 90},
	    {"core_rx_waiting", 9}, {"core_tx_frames", 7},     {"core_rx_no_buffer", 1},
	    {"tcp_csum", 2},        {"tcp_retrans", 4},
	};

	(void)state;
	area.s.ncores = 1;
	area.s.ncounters = sizeof(counters) / sizeof(counters[0]);
	for (uint32_t i = 0; i < area.s.ncounters; i++) {
		strcpy(area.s.name[i], counters[i].name);
		area.core[0].value[i] = counters[i].value;
	}
	assert_begins(
	    "{\"cores\":[{\"core\":0,\"packets_in\":90,\"packets_out\":7,\"batch\":\"30.0\","
	    "\"queue\":\"33.0\",\"drops\":3,\"retransmits\":4,\"exits\":5,"
	    "\"user\":\"10.0%\",\"kernel\":\"20.0%\",\"idle\":\"70.0%\"}],");
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
	    cmocka_unit_test_setup(test_core, setup),
	    cmocka_unit_test_setup(test_nonsense, setup),
	    cmocka_unit_test_setup(test_changing, setup),
	};

	return cmocka_run_group_tests_name("ctl_stats", tests, NULL, NULL);
}
