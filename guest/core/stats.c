/* SPDX-License-Identifier: MIT
 *
 * The statistics area: names once, values of a core at most every 10 ms.
 */
#include "guest/core/priv.h"

#define PERIOD_US 10000

static const char *const core_names[] = {
#define NAME(n) "core_" #n,
    CORE_STATS(NAME)
#undef NAME
};
static const char *const net_names[] = {
#define NAME(n) #n,
    IXN_STATS(NAME)
#undef NAME
};
static const char *const usage_names[] = {
    "=conns", "=timewait", "=tx_pkts", "=tx_recs", "=reasm", "=arp", "=rxbufs_free", "=timers",
};

#define NCORE  (sizeof(core_names) / sizeof(core_names[0]))
#define NNET   (sizeof(net_names) / sizeof(net_names[0]))
#define NUSAGE (sizeof(usage_names) / sizeof(usage_names[0]))

_Static_assert(NCORE + NNET + NUSAGE <= IX_STATS_MAX, "the statistics area is too small");
_Static_assert(sizeof(struct core_counters) == NCORE * 8, "one name per counter");
_Static_assert(sizeof(struct ixn_stats) == NNET * 8, "one name per counter");

size_t core_stats_size(uint32_t ncores)
{
	return sizeof(struct ix_stats) + ncores * sizeof(struct ix_stats_core);
}

static void put_names(struct ix_stats *s, const char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		char *to = s->name[s->ncounters++];

		for (uint32_t k = 0; k < IX_STATS_NAME_LEN - 1 && names[i][k]; k++)
			to[k] = names[i][k];
	}
}

void core_stats_init(struct ix_stats *s, uint32_t ncores, uint64_t tsc_khz)
{
	memset(s, 0, core_stats_size(ncores));
	s->version = IX_STATS_VERSION;
	s->size = (uint32_t)core_stats_size(ncores);
	s->ncores = ncores;
	s->core_size = sizeof(struct ix_stats_core);
	s->tsc_khz = tsc_khz;
	put_names(s, core_names, NCORE);
	put_names(s, net_names, NNET);
	put_names(s, usage_names, NUSAGE);
	__atomic_store_n(&s->magic, IX_STATS_MAGIC, __ATOMIC_RELEASE);
}

void core_stats_update(struct core *c)
{
	struct ix_stats_core *s;
	struct ixn_usage u;
	uint64_t *v;

	if (!c->stats)
		return;
	s = &c->stats->core[c->id];
	v = s->value;
	ixn_usage(c->net, &u);
	/* An odd generation before the values, an even one behind them. */
	__atomic_store_n(&s->generation, s->generation + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(v, &c->n, sizeof(c->n));
	v += NCORE;
	memcpy(v, ixn_stats(c->net), sizeof(struct ixn_stats));
	v += NNET;
	*v++ = u.conns;
	*v++ = u.timewait;
	*v++ = u.tx_pkts;
	*v++ = u.tx_recs;
	*v++ = u.reasm;
	*v++ = u.arp;
	*v++ = c->nfree;
	*v++ = c->timers.nheap;
	s->updated_us = c->env.now_us(c->env.ctx);
	__atomic_store_n(&s->generation, s->generation + 1, __ATOMIC_RELEASE);
}

void core_stats_tick(struct core *c, uint64_t now)
{
	if (now < c->stats_due)
		return;
	c->stats_due = now + PERIOD_US;
	core_stats_update(c);
}
