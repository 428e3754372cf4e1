/* SPDX-License-Identifier: MIT */
#include "linux-control/stats.h"

#include <ix/bootinfo.h>
#include <stdio.h>
#include <string.h>

/* What of the area can be read: number of cores and counters; 0 cores where it makes no sense. */
struct extent {
	uint32_t ncores, ncounters;
};

static struct extent measure(const struct ix_stats *s, size_t size)
{
	struct extent e = {0, 0};

	if (size < sizeof(*s) || s->magic != IX_STATS_MAGIC || s->version != IX_STATS_VERSION ||
	    s->core_size != sizeof(struct ix_stats_core) || s->ncounters > IX_STATS_MAX ||
	    s->ncores > IX_MAX_CORES)
		return e;
	e.ncores = s->ncores;
	if (e.ncores > (size - sizeof(*s)) / sizeof(struct ix_stats_core))
		e.ncores = (uint32_t)((size - sizeof(*s)) / sizeof(struct ix_stats_core));
	e.ncounters = s->ncounters;
	return e;
}

bool stats_changing(const void *area, size_t size)
{
	const struct ix_stats *s = area;
	struct extent e = measure(s, size);

	for (uint32_t i = 0; i < e.ncores; i++)
		if (s->core[i].generation & 1)
			return true;
	return false;
}

static void name_of(const struct ix_stats *s, uint32_t i, char name[IX_STATS_NAME_LEN + 1])
{
	const char *from = s->name[i];

	if (*from == '=')
		from++;
	snprintf(name, IX_STATS_NAME_LEN + 1, "%.*s", (int)(s->name[i] + IX_STATS_NAME_LEN - from),
		 from);
}

/* Counters of time: "core_tsc_user" and the like share a core's time. */
static bool is_time(const char *name)
{
	return strstr(name, "tsc_") != NULL;
}

static void shares(struct json *j, const struct ix_stats *s, struct extent e)
{
	json_array(j, "shares");
	for (uint32_t core = 0; core < e.ncores; core++) {
		const uint64_t *value = s->core[core].value;
		char name[IX_STATS_NAME_LEN + 1];
		double all = 0;

		for (uint32_t i = 0; i < e.ncounters; i++) {
			name_of(s, i, name);
			if (is_time(name))
				all += (double)value[i];
		}
		if (all <= 0)
			continue;
		json_object(j, NULL);
		json_number(j, "core", core);
		for (uint32_t i = 0; i < e.ncounters; i++) {
			name_of(s, i, name);
			if (is_time(name))
				json_format(j, strstr(name, "tsc_") + 4, "%.1f%%",
					    100 * (double)value[i] / all);
		}
		json_end(j);
	}
	json_end(j);
}

void stats_show(struct json *j, const void *area, size_t size)
{
	const struct ix_stats *s = area;
	struct extent e = measure(s, size);
	char name[IX_STATS_NAME_LEN + 1];

	if (!e.ncores)
		return;
	json_array(j, "counters");
	for (uint32_t i = 0; i < e.ncounters; i++) {
		uint64_t all = 0;

		for (uint32_t core = 0; core < e.ncores; core++)
			all += s->core[core].value[i];
		if (!all)
			continue;
		name_of(s, i, name);
		json_object(j, NULL);
		json_string(j, "counter", name);
		json_number(j, "all", all);
		for (uint32_t core = 0; e.ncores > 1 && core < e.ncores; core++) {
			char label[16];

			snprintf(label, sizeof(label), "core_%u", core);
			json_number(j, label, s->core[core].value[i]);
		}
		json_end(j);
	}
	json_end(j);
	shares(j, s, e);
}
