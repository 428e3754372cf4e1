// SPDX-License-Identifier: MIT
/*
 * What the 82599 VF driver itself costs: an echo of `burst` packets, that is rx_burst, rx_post,
 * tx_done and tx_burst, per packet. The device is a stub that sets DD, outside the measured time;
 * registers are plain memory. Cycles are of the time-stamp counter, median of many rounds;
 * instructions are counted by single-stepping a child through the same code, so that no performance
 * counter is needed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>
#include "tests/unit/nic_bed.h"

#define ROUNDS    4001
#define STEP_PKTS 256 /* packets the child is stepped through */

struct run {
	struct bed_nic *n;
	struct ix_nic_queue *q;
	unsigned burst;
	struct ix_nic_rx rx[64];
	struct ix_nic_seg seg[64];
	struct ix_nic_tx tx[64];
	struct ix_nic_buf spare[64];
	uint64_t cookies[64];
	uint32_t rx_pos; /* the stub's place in the RX ring */
};

/* Frames of 64 bytes, TCP over IPv4, checksums verified, hash given. */
static void stub_receive(struct run *r)
{
	for (unsigned i = 0; i < r->burst; i++) {
		struct nic_desc *d = &r->q->rx_desc[r->rx_pos++ & r->q->rx_mask];

		d->q[0] =
		    0x1234567800000000ull | VF_RX_PTYPE_IP4 | VF_RX_PTYPE_TCP | VF_RSSTYPE_TCP4;
		d->q[1] = 60ull << VF_RX_LEN_SHIFT | VF_RX_DD | VF_RX_EOP | VF_RX_IPCS | VF_RX_L4CS;
	}
}

static void stub_transmit(struct run *r)
{
	for (uint32_t p = r->q->tx_clean; p != r->q->tx_tail; p++) {
		struct nic_desc *d = &r->q->tx_desc[p & r->q->tx_mask];

		if (d->q[1] & VF_TX_RS)
			d->q[1] |= VF_TX_DD;
	}
}

/* What is measured. */
static __attribute__((noinline)) void echo(struct run *r)
{
	unsigned n = ix_nic_rx_burst(r->q, r->rx, r->burst);

	for (unsigned i = 0; i < n; i++) {
		r->seg[i].dma = r->rx[i].dma;
		r->seg[i].len = r->rx[i].len;
		r->spare[i].va = r->rx[i].va;
		r->spare[i].dma = r->rx[i].dma;
	}
	ix_nic_rx_post(r->q, r->spare, n);
	ix_nic_tx_done(r->q, r->cookies, 64);
	ix_nic_tx_burst(r->q, r->tx, n);
}

static void prepare(struct run *r, struct bed *b, unsigned burst)
{
	struct ix_nic_config cfg;

	memset(r, 0, sizeof(*r));
	bed_nic_config(&cfg);
	cfg.rx_ring = cfg.tx_ring = 512;
	r->n = bed_nic_up(b, 0, &cfg); /* by the model; from here on its registers are memory */
	r->n->dev.mmio = NULL;
	r->n->dev.bar[0] = bed_alloc(b, 0, VEB_BAR_LEN, NULL);
	r->q = ix_nic_queue(r->n->nic, 0);
	r->burst = burst;
	for (unsigned i = 0; i < 64; i++)
		r->tx[i] = (struct ix_nic_tx){.seg = &r->seg[i],
					      .nseg = 1,
					      .flags = IX_NIC_TX_IP_CSUM | IX_NIC_TX_TCP_CSUM,
					      .l3_len = 20,
					      .l4_len = 20};
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double cycles(struct run *r)
{
	static uint64_t took[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start;

		stub_receive(r);
		stub_transmit(r);
		_mm_lfence();
		start = __rdtsc();
		_mm_lfence();
		echo(r);
		_mm_lfence();
		took[i] = __rdtsc() - start;
	}
	qsort(took, ROUNDS, sizeof(*took), compare);
	return (double)took[ROUNDS / 2] / r->burst;
}

/* The child stops itself before and after each round; between, every instruction is a step. */
static double instructions(struct run *r)
{
	unsigned rounds = (STEP_PKTS + r->burst - 1) / r->burst;
	uint64_t steps = 0;
	int status;
	pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		for (unsigned i = 0; i < rounds; i++) {
			stub_receive(r);
			stub_transmit(r);
			__asm__ volatile("int3");
			echo(r);
			__asm__ volatile("int3");
		}
		_exit(0);
	}
	if (child < 0)
		return -1;
	for (bool inside = false; waitpid(child, &status, 0) == child && WIFSTOPPED(status);) {
		siginfo_t info;

		ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
		if (info.si_signo == SIGTRAP && info.si_code == SI_KERNEL) /* int3 */
			inside = !inside;
		else if (inside)
			steps++;
		if (ptrace(inside ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, NULL) < 0)
			break;
	}
	return (double)steps / rounds / r->burst;
}

int main(void)
{
	static const unsigned bursts[] = {1, 8, 32, 64};
	static struct run run;

	for (unsigned i = 0; i < 4; i++) {
		struct bed *b = bed_new(NULL);
		double n;

		prepare(&run, b, bursts[i]);
		printf("bench nic.echo.b%u %.1f cycles/packet\n", bursts[i], cycles(&run));
		n = instructions(&run);
		if (n >= 0)
			printf("bench nic.echo.b%u.instructions %.1f instructions/packet\n",
			       bursts[i], n);
		bed_free(b);
	}
	return 0;
}
