// SPDX-License-Identifier: MIT
/*
 * The bridge under its lock: each function's owner on a core of its own, as in the hypervisor, while a
 * third one polls, pulls the link and asks for statistics. Nothing may deadlock or get lost
 * uncounted.
 */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/nic_bed.h"

#define PACKETS 2000
#define LEN     100

struct owner {
	pthread_t thread;
	struct bed_nic *n;
	uint8_t *mem;
	uint64_t gpa;
	uint32_t sent, received;
	bool ordered;
};

static struct owner owners[2];
static uint32_t senders = 2; /* that are not done */

static void receive(struct owner *o)
{
	struct ix_nic_queue *q = ix_nic_queue(o->n->nic, 0);
	struct ix_nic_rx rx[32];
	static _Thread_local uint32_t last;
	unsigned n = ix_nic_rx_burst(q, rx, 32);

	for (unsigned i = 0; i < n; i++) {
		struct ix_nic_buf buf = {rx[i].va, rx[i].dma};
		uint32_t seq;

		memcpy(&seq, (uint8_t *)rx[i].va + 20, 4);
		o->ordered &= rx[i].len == LEN && seq > last;
		last = seq;
		ix_nic_rx_post(q, &buf, 1);
	}
	o->received += n;
	if (n == 0)
		sched_yield();
}

static void *run(void *arg)
{
	struct owner *o = arg;
	struct ix_nic_queue *q = ix_nic_queue(o->n->nic, 0);
	uint64_t cookies[64];

	while (o->sent < PACKETS) {
		uint32_t slot = o->sent % 128, seq = o->sent + 1;
		struct ix_nic_seg seg = {NULL, o->gpa + 4096 * slot, LEN, 0};
		struct ix_nic_tx tx = {.seg = &seg, .nseg = 1};

		/* A slot is free again by the time the ring (of 64) has let 64 others through. */
		memcpy(o->mem + 4096 * slot + 20, &seq, 4);
		o->sent += ix_nic_tx_burst(q, &tx, 1);
		ix_nic_tx_done(q, cookies, 64);
		receive(o);
	}
	__atomic_fetch_sub(&senders, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&senders, __ATOMIC_SEQ_CST))
		receive(o);
	for (int i = 0; i < 100; i++)
		receive(o);
	return NULL;
}

int main(void)
{
	struct bed *b = bed_new(NULL);
	struct ix_nic_config cfg;
	struct veb_vf_stats s;
	bool good = true;

	bed_nic_config(&cfg);
	cfg.tx_ring = 64;
	for (unsigned i = 0; i < 2; i++) {
		struct owner *o = &owners[i];

		o->n = bed_nic_up(b, i, &cfg);
		o->n->nlog = BED_LOG;
		o->ordered = true;
		o->mem = bed_alloc(b, i, 128 * 4096, &o->gpa);
		for (unsigned k = 0; k < 128; k++)
			bed_eth(o->mem + 4096 * k, bed_mac[!i], bed_mac[i], 0x88b5, LEN);
	}
	for (unsigned i = 0; i < 2; i++)
		assert(pthread_create(&owners[i].thread, NULL, run, &owners[i]) == 0);
	while (__atomic_load_n(&senders, __ATOMIC_SEQ_CST)) {
		uint8_t mac[6];

		veb_poll(b->veb, 0);
		veb_set_vf_link(b->veb, 2, true, 0);
		veb_vf_stats(b->veb, 0, &s);
		veb_vf_mac(b->veb, 1, mac);
		sched_yield();
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(owners[i].thread, NULL);
	for (unsigned i = 0; i < 2; i++) {
		veb_vf_stats(b->veb, i, &s);
		printf("# function %u: %u received in order, %llu dropped and counted\n", i,
		       owners[i].received, (unsigned long long)s.rx_no_desc);
		good &= owners[i].ordered && owners[i].received + s.rx_no_desc == PACKETS;
	}
	bed_free(b);
	printf("%s 1 - the bridge between threads\n", good ? "ok" : "not ok");
	return !good;
}
