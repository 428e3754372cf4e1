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

/* The sum of some counters of a core; a name that is not there counts 0. */
#define SUM(s, e, core, ...)                                \
	sum(s, e, core, (const char *const[]){__VA_ARGS__}, \
	    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static uint64_t sum(const struct ix_stats *s, struct extent e, uint32_t core,
		    const char *const *names, size_t n)
{
	char name[IX_STATS_NAME_LEN + 1];
	uint64_t all = 0;

	for (uint32_t i = 0; i < e.ncounters; i++) {
		name_of(s, i, name);
		for (size_t k = 0; k < n; k++)
			if (!strcmp(name, names[k]))
				all += s->core[core].value[i];
	}
	return all;
}

static void mean(struct json *j, const char *key, uint64_t n, uint64_t of)
{
	if (of)
		json_format(j, key, "%.1f", (double)n / (double)of);
	else
		json_string(j, key, "-");
}

static void percent(struct json *j, const char *key, double part, double all)
{
	if (all > 0)
		json_format(j, key, "%.1f%%", 100 * part / all);
	else
		json_string(j, key, "-");
}

/* exits: NULL: not known. */
static void core_row(struct json *j, const struct ix_stats *s, struct extent e, uint32_t core,
		     const uint64_t *exits)
{
	uint64_t frames = SUM(s, e, core, "core_rx_frames");
	uint64_t polls = SUM(s, e, core, "core_cycles") - SUM(s, e, core, "core_cycles_empty");
	double user = (double)SUM(s, e, core, "core_tsc_user");
	double kernel = (double)SUM(s, e, core, "core_tsc_kernel");
	double idle = (double)SUM(s, e, core, "core_tsc_idle");

	json_number(j, "core", core);
	json_number(j, "packets_in", frames);
	json_number(j, "packets_out", SUM(s, e, core, "core_tx_frames"));
	mean(j, "batch", frames, polls);
	mean(j, "queue", frames + SUM(s, e, core, "core_rx_waiting"), polls);
	json_number(j, "drops",
		    SUM(s, e, core, "core_rx_no_buffer", "rx_eth_drop", "rx_ip_bad", "rx_ip_csum",
			"rx_ip_not_ours", "rx_ip_martian", "reasm_drop", "udp_bad", "udp_no_port",
			"udp_ev_drop", "tcp_bad", "tcp_csum", "tcp_ooo_drop", "tcp_syn_drop",
			"tcp_rx_limit", "arp_queue_drop", "acl_denied", "no_conn", "no_txpkt"));
	json_number(j, "retransmits", SUM(s, e, core, "tcp_retrans"));
	if (exits)
		json_number(j, "exits", *exits);
	else
		json_string(j, "exits", "-");
	percent(j, "user", user, user + kernel + idle);
	percent(j, "kernel", kernel, user + kernel + idle);
	percent(j, "idle", idle, user + kernel + idle);
}

void stats_show(struct json *j, const void *area, size_t size, const uint64_t *exits,
		uint32_t nexits)
{
	const struct ix_stats *s = area;
	struct extent e = measure(s, size);
	char name[IX_STATS_NAME_LEN + 1];

	if (!e.ncores)
		return;
	json_array(j, "cores");
	for (uint32_t core = 0; core < e.ncores; core++) {
		json_object(j, NULL);
		core_row(j, s, e, core, core < nexits ? &exits[core] : NULL);
		json_end(j);
	}
	json_end(j);
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
}
