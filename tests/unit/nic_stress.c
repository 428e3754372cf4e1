// SPDX-License-Identifier: MIT
/*
 * Two drivers, the model between them: random bursts both ways over rings of random sizes, every
 * frame's content checked, order kept within each flow, and every loss accounted for by a counter.
 *
 * usage: nic-stress [COUNT SEED]	without arguments: a short run, as a unit test
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/unit/nic_bed.h"

#define FLOWS     64
#define BUF       2048
#define MAX_BURST 64
#define MAX_BUFS  (IX_NIC_MAX_QUEUES * IX_NIC_MAX_RING)
#define SLOTS     1024 /* TX buffers of one side */
#define HDR       54
#define EPOCHS    40

#define CHECK(cond)                                                         \
	do {                                                                \
		if (!(cond)) {                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			printf("not ok 1 - stress\n");                      \
			exit(1);                                            \
		}                                                           \
	} while (0)

static uint64_t rng_state;

static uint32_t rnd(void)
{
	rng_state ^= rng_state << 13; /* xorshift64 */
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state >> 16;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	return x ^ x >> 33;
}

struct side {
	struct bed_nic *n;
	unsigned nq;
	uint32_t next_seq[FLOWS]; /* to send */
	uint32_t expect[FLOWS];   /* to receive */
	uint8_t *tx_mem;
	uint64_t tx_gpa;
	uint16_t free_slot[SLOTS];
	unsigned nfree;
	uint32_t slot_busy[SLOTS / 32];
	struct ix_nic_buf held[IX_NIC_MAX_QUEUES][IX_NIC_MAX_RING];
	unsigned nheld[IX_NIC_MAX_QUEUES];
	uint64_t sent, received, lost;
};

static struct side sides[2];
static uint8_t header[2][FLOWS][HDR]; /* of each flow, sender first */

/* Half of the flows are TCP over IPv4 and are spread by RSS, the rest is not IP. */
static void make_headers(void)
{
	for (int s = 0; s < 2; s++)
		for (unsigned f = 0; f < FLOWS; f++) {
			if (f % 2)
				bed_ip4(header[s][f], bed_mac[!s], bed_mac[s], 6, 1000 + f, 80, 0,
					0);
			else
				bed_eth(header[s][f], bed_mac[!s], bed_mac[s], 0x88b5, HDR);
		}
}

static uint64_t word(unsigned flow, uint32_t seq, uint32_t i)
{
	return mix((uint64_t)flow << 56 ^ (uint64_t)seq << 16 ^ i);
}

/* Frame: header, flow, sequence number, then words that follow from both. */
static uint32_t fill(uint8_t *p, int s, unsigned flow, uint32_t seq, uint32_t len)
{
	memcpy(p, header[s][flow], HDR);
	if (flow % 2) { /* the IP header tells the length */
		p[16] = (len - 14) >> 8;
		p[17] = len - 14;
	}
	memcpy(p + HDR, &flow, 4);
	memcpy(p + HDR + 4, &seq, 4);
	for (uint32_t i = HDR + 8; i < len; i += 8) {
		uint64_t w = word(flow, seq, i);

		memcpy(p + i, &w, len - i < 8 ? len - i : 8);
	}
	return len;
}

static void check(struct side *me, int s, const struct ix_nic_rx *rx)
{
	const uint8_t *p = rx->va;
	uint32_t flow, seq;

	CHECK(rx->len >= HDR + 8);
	memcpy(&flow, p + HDR, 4);
	memcpy(&seq, p + HDR + 4, 4);
	CHECK(flow < FLOWS);
	CHECK((int32_t)(seq - me->expect[flow]) >= 0); /* no reordering, no duplicate */
	me->lost += seq - me->expect[flow];
	me->expect[flow] = seq + 1;
	CHECK(memcmp(p, header[!s][flow], 14) == 0);
	CHECK(!(flow % 2) || (rx->flags & IX_NIC_RX_HASH));
	for (uint32_t i = HDR + 8; i < rx->len; i += 8) {
		uint64_t w = word(flow, seq, i);

		CHECK(memcmp(p + i, &w, rx->len - i < 8 ? rx->len - i : 8) == 0);
	}
	me->received++;
}

static uint32_t random_len(void)
{
	uint32_t kind = rnd() % 16;

	return kind ? HDR + 8 + rnd() % 66 : HDR + 8 + rnd() % (1515 - HDR - 8);
}

static void transmit(struct side *me, int s)
{
	/* A flow stays on its queue, or it could not keep its order. */
	unsigned queue = rnd() % me->nq, burst = rnd() % (MAX_BURST + 1), n = 0, taken;
	struct ix_nic_seg seg[MAX_BURST][4];
	struct ix_nic_tx tx[MAX_BURST];
	unsigned flow[MAX_BURST] = {0};

	while (n < burst && me->nfree) {
		unsigned f = rnd() % (FLOWS / me->nq) * me->nq + queue, slot, pieces = 0;
		uint32_t len = random_len(), off = 0;

		slot = me->free_slot[--me->nfree];
		fill(me->tx_mem + (size_t)slot * BUF, s, f, me->next_seq[f]++, len);
		while (off < len) {
			uint32_t part =
			    pieces == 3 || rnd() % 4 ? len - off : 1 + rnd() % (len - off);

			seg[n][pieces++] = (struct ix_nic_seg){
			    NULL, me->tx_gpa + (uint64_t)slot * BUF + off, part, 0};
			off += part;
		}
		tx[n] = (struct ix_nic_tx){.seg = seg[n], .nseg = pieces, .cookie = slot};
		me->slot_busy[slot / 32] |= 1u << slot % 32;
		flow[n++] = f;
	}
	taken = ix_nic_tx_burst(ix_nic_queue(me->n->nic, queue), tx, n);
	me->sent += taken;
	for (unsigned i = n; i-- > taken;) { /* not taken: it was never sent */
		/* cppcheck-suppress uninitvar ; the loop above filled the first n */
		me->next_seq[flow[i]]--;
		me->slot_busy[tx[i].cookie / 32] &= ~(1u << tx[i].cookie % 32);
		me->free_slot[me->nfree++] = tx[i].cookie;
	}
}

static void collect(struct side *me, unsigned max)
{
	uint64_t cookies[MAX_BURST];

	for (unsigned q = 0; q < me->nq; q++) {
		unsigned n = ix_nic_tx_done(ix_nic_queue(me->n->nic, q), cookies, max);

		for (unsigned i = 0; i < n; i++) {
			CHECK(cookies[i] < SLOTS);
			CHECK(me->slot_busy[cookies[i] / 32] & 1u << cookies[i] % 32);
			me->slot_busy[cookies[i] / 32] &= ~(1u << cookies[i] % 32);
			/* The memory is ours again: make what was in it useless. */
			memset(me->tx_mem + cookies[i] * BUF, 0xdb, HDR + 16);
			me->free_slot[me->nfree++] = cookies[i];
		}
	}
}

static unsigned receive(struct side *me, int s, unsigned max, bool hold)
{
	struct ix_nic_rx rx[MAX_BURST];
	unsigned total = 0;

	for (unsigned q = 0; q < me->nq; q++) {
		struct ix_nic_queue *qp = ix_nic_queue(me->n->nic, q);
		unsigned n = ix_nic_rx_burst(qp, rx, max), give;

		for (unsigned i = 0; i < n; i++) {
			check(me, s, &rx[i]);
			me->held[q][me->nheld[q]++] = (struct ix_nic_buf){rx[i].va, rx[i].dma};
		}
		/* Buffers come back in fits and starts. */
		give = hold ? rnd() % (me->nheld[q] + 1) : me->nheld[q];
		me->nheld[q] -= ix_nic_rx_post(qp, &me->held[q][me->nheld[q] - give], give);
		total += n;
	}
	return total;
}

static void side_up(struct bed *b, int s)
{
	struct side *me = &sides[s];
	struct ix_nic_config cfg;

	memset(me, 0, sizeof(*me));
	bed_nic_config(&cfg);
	cfg.rx_ring = 64u << rnd() % 6;
	cfg.tx_ring = 64u << rnd() % 6;
	cfg.nqueues = 1u << rnd() % 3;
	if (cfg.nqueues * cfg.rx_ring * BUF > BED_MEM / 2)
		cfg.rx_ring = 512;
	me->n = bed_nic_new(b, s, &cfg);
	me->n->nlog = BED_LOG; /* nobody reads the log */
	for (unsigned q = 0; q < cfg.nqueues; q++) {
		struct ix_nic_queue *qp = ix_nic_queue(me->n->nic, q);
		uint32_t near_wrap = 0u - 2 * IX_NIC_MAX_RING; /* positions are 32 bits */

		qp->rx_next = qp->rx_told = qp->rx_posted = near_wrap;
		qp->tx_tail = qp->tx_clean = qp->pkt_head = qp->pkt_tail = near_wrap;
		qp->rs_head = qp->rs_tail = near_wrap;
	}
	CHECK(ix_nic_start(me->n->nic, 3000000) == 0);
	me->nq = ix_nic_nqueues(me->n->nic);
	for (unsigned q = 0; q < me->nq; q++)
		bed_nic_fill(me->n, q);
	CHECK(me->nq == cfg.nqueues);
	me->tx_mem = bed_alloc(b, s, SLOTS * BUF, &me->tx_gpa);
	for (unsigned i = 0; i < SLOTS; i++)
		me->free_slot[me->nfree++] = i;
}

/* One pair of drivers, `count` packets; returns what was sent. */
static void epoch(uint64_t count, uint64_t *sent, uint64_t *lost)
{
	struct bed *b = bed_new(NULL);
	struct veb_vf_stats stats;
	uint64_t total = 0;

	side_up(b, 0);
	side_up(b, 1);
	while (total < count) {
		int s = rnd() % 2;

		switch (rnd() % 8) {
		case 0 ... 2:
			transmit(&sides[s], s);
			break;
		case 3 ... 5:
			receive(&sides[s], s, rnd() % (MAX_BURST + 1), true);
			break;
		case 6:
			collect(&sides[s], rnd() % (MAX_BURST + 1));
			break;
		default:
			ix_nic_control(sides[s].n->nic);
		}
		total = sides[0].sent + sides[1].sent;
	}
	for (int s = 0; s < 2; s++)
		while (veb_poll(b->veb, b->now_ns) == b->now_ns ||
		       receive(&sides[s], s, MAX_BURST, false))
			;
	for (int s = 0; s < 2; s++) {
		struct side *me = &sides[s], *peer = &sides[!s];

		for (int i = 0; i < 64; i++)
			collect(me, MAX_BURST);
		CHECK(me->nfree == SLOTS); /* every packet's memory came back */
		/* Losses at the end of a flow show only now. */
		for (unsigned f = 0; f < FLOWS; f++)
			me->lost += peer->next_seq[f] - me->expect[f];
		veb_vf_stats(b->veb, s, &stats);
		CHECK(stats.dma_faults + stats.tx_malformed + stats.tx_spoofed +
			  stats.tx_too_long ==
		      0);
		CHECK(me->lost == stats.rx_no_desc); /* counted drops, and nothing else */
		CHECK(me->received == stats.rx_packets);
		CHECK(me->received + me->lost == peer->sent);
		for (unsigned q = 0; q < me->nq; q++) {
			const struct ix_nic_queue_stats *qs =
			    ix_nic_queue_stats(ix_nic_queue(me->n->nic, q));

			CHECK(qs->rx_errors + qs->rx_chained + qs->tx_invalid + qs->tx_aborted ==
			      0);
		}
		*lost += me->lost;
	}
	*sent += total;
	bed_free(b);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, sent = 0, lost = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	clock_t start = clock();

	rng_state = mix(seed + 0x9e3779b97f4a7c15ull);
	make_headers();
	while (sent < count) {
		uint64_t left = count - sent, part = count / EPOCHS + 1;

		epoch(left < part ? left : part, &sent, &lost);
	}
	printf(
	    "# %" PRIu64 " packets, seed %" PRIu64 ": %" PRIu64
	    " dropped for want of descriptors (counted), none else lost, none reordered, %.1f s\n",
	    sent, seed, lost, (double)(clock() - start) / CLOCKS_PER_SEC);
	printf("ok 1 - stress\n");
	return 0;
}
