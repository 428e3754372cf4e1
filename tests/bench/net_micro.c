/* SPDX-License-Identifier: MIT */
/* Timer wheel and packet pool by themselves: cycles per operation, the median of rounds. */
#include "net/core/core.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 301
#define BURST  64

static uint64_t rng = 1;

static uint32_t rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((rng >> 33) % below);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, uint32_t count, uint64_t *took, double operations)
{
	qsort(took, ROUNDS, sizeof(*took), compare);
	printf("bench %s_%u %.1f cycles\n", what, count, (double)took[ROUNDS / 2] / operations);
}

static void *memory(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (!p)
		exit(1);
	memset(p, 0, size);
	return p;
}

/* All `count` timers are armed, some milliseconds to seconds ahead, as retransmission timers are. */
static void wheel(uint32_t count)
{
	struct wheel *w = memory(sizeof(*w));
	struct wheel_node *nodes = memory(count * sizeof(*nodes));
	uint64_t move[ROUNDS], expire[ROUNDS];
	uint32_t id[BURST], at[BURST], now = 0;

	wheel_init(w, nodes, count, now);
	for (uint32_t i = 0; i < count; i++)
		wheel_add(w, i, now + 64 + rnd(65536));
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begin;

		for (int i = 0; i < BURST; i++) {
			id[i] = rnd(count);
			at[i] = now + 64 + rnd(65536);
		}
		begin = __builtin_ia32_rdtsc();
		for (int i = 0; i < BURST; i++) {
			wheel_del(w, id[i]);
			wheel_add(w, id[i], at[i]);
		}
		move[r] = __builtin_ia32_rdtsc() - begin;
	}
	report("wheel_move", count, move, BURST);
	for (int r = 0; r < ROUNDS; r++) {
		uint32_t fired = 0, k;
		uint64_t begin;

		/* As many ticks as let a burst of them expire, re-armed at once. */
		now += 65536 / count * BURST + 1;
		begin = __builtin_ia32_rdtsc();
		while ((k = wheel_expire(w, now)) != WHEEL_NONE) {
			wheel_add(w, k, now + 32768 + (k & 32767));
			fired++;
		}
		expire[r] = (__builtin_ia32_rdtsc() - begin) / (fired ? fired : 1);
	}
	report("wheel_expire_and_arm", count, expire, 1);
	free(nodes);
	free(w);
}

static uint32_t no_tx(void *user, struct ixn_txpkt **pkts, uint32_t n)
{
	(void)user;
	(void)pkts;
	return n;
}

static void no_release(void *user, struct ixn_rxbuf *buf)
{
	(void)user;
	(void)buf;
}

/* Packets are taken and given back in bursts, in order, as a NIC completes them. */
static void pool(uint32_t count)
{
	static const struct ixn_ops ops = {.tx = no_tx, .rx_release = no_release};
	static struct ixn_event ev[64];
	struct ixn_evq q = {.ev = ev, .cap = 64};
	struct ixn_txpkt *p[BURST];
	struct ixn_config c;
	uint64_t took[ROUNDS];
	struct ixn *n;

	ixn_config_default(&c);
	c.tx_pkts = count;
	n = ixn_init(memory(ixn_size(&c)), &c, &ops, NULL, &q, 0);
	if (!n)
		exit(1);
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begin = __builtin_ia32_rdtsc();

		for (int i = 0; i < BURST; i++)
			p[i] = txpkt_get(n);
		for (int i = 0; i < BURST; i++)
			txpkt_put(n, p[i]);
		took[r] = __builtin_ia32_rdtsc() - begin;
	}
	report("packet_pool", count, took, BURST);
	free(n);
}

int main(void)
{
	wheel(64);
	wheel(65536);
	wheel(1000000);
	pool(256);
	pool(4096);
	return 0;
}
