// SPDX-License-Identifier: MIT
/*
 * A hostile device, or PF, against the drivers: every register reads what the input says, and the
 * "device" scribbles over the rings whenever it likes. The drivers must stay inside their rings,
 * return only buffers that were posted, each once, and never wait for long.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <ix/nic.h>
#include "nic/nic_priv.h"
#include "nic/vf_regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING 64
#define BUFS 96
#define OPS  400

static const uint8_t *in;
static size_t left;
static uint64_t clock_us;
static uint32_t regs[0x20000 / 4];
static unsigned accesses;
static bool obedient; /* the device answers as it should, for a while */

static uint32_t take(unsigned bytes)
{
	uint32_t v = 0;

	for (; bytes && left; bytes--, left--)
		v = v << 8 | *in++;
	return v;
}

static uint64_t now_us(void *ctx)
{
	(void)ctx;
	return clock_us += 7;
}

static void udelay(void *ctx, uint32_t us)
{
	(void)ctx;
	clock_us += us;
}

static uint32_t pci_read(void *ctx, uint32_t off, uint32_t size)
{
	(void)ctx;
	assert(off < 256 && (size == 1 || size == 2 || size == 4));
	return take(size);
}

static void pci_write(void *ctx, uint32_t off, uint32_t size, uint32_t val)
{
	(void)ctx;
	(void)size;
	(void)val;
	assert(off < 256);
}

/* A PF just good enough to get a driver up, when it is not lying. */
static uint32_t answer(uint32_t off)
{
	uint32_t val = regs[off / 4];

	if (off == VF_MAILBOX)
		return (val & VF_MB_VFU) | VF_MB_PFSTS;
	if (off == VF_MBMEM(0))
		return (val & 0xffff) == VF_OP_RESET ? val | VF_MSG_ACK
						     : val | VF_MSG_ACK | VF_MSG_CTS;
	if (off == 0x14) /* e1000: EERD */
		return 0x00020010;
	return val;
}

static uint32_t read32(void *ctx, unsigned bar, uint32_t off)
{
	(void)ctx;
	(void)bar;
	assert(off % 4 == 0 && off < sizeof(regs));
	accesses++;
	return obedient ? answer(off) : take(4);
}

static void write32(void *ctx, unsigned bar, uint32_t off, uint32_t val)
{
	(void)ctx;
	assert(off % 4 == 0 && off < sizeof(regs));
	accesses++;
	if (bar == 0)
		regs[off / 4] = val;
}

/* Which buffers the driver holds. */
static bool posted[BUFS];

static void take_back(const struct ix_nic_rx *rx, const uint8_t *pool)
{
	size_t i = ((const uint8_t *)rx->va - pool) / 2048;

	assert(i < BUFS && pool + 2048 * i == rx->va && rx->dma == 0x1000 + 2048 * i);
	assert(posted[i]); /* given by us, and not returned yet */
	assert(rx->len > 0 && rx->len <= 2048);
	posted[i] = false;
}

static void give(struct ix_nic_queue *q, uint8_t *pool, unsigned n)
{
	for (size_t i = 0; i < BUFS && n; i++) {
		struct ix_nic_buf buf = {pool + 2048 * i, 0x1000 + 2048 * i};

		if (posted[i])
			continue;
		posted[i] = ix_nic_rx_post(q, &buf, 1);
		n--;
	}
}

/* The device writes into the rings, which is all of its memory that it may reach. */
static void scribble(struct ix_nic *nic)
{
	struct ix_nic_queue *q = nic->queue[take(1) % nic->cfg.nqueues];
	uint32_t how = take(1), slot = take(1) % RING;
	struct nic_desc *d = how & 1 ? &q->tx_desc[slot] : &q->rx_desc[slot];

	d->q[0] = (uint64_t)take(4) << 32 | take(4);
	d->q[1] = (uint64_t)take(4) << 32 | take(4);
	if (how & 2) /* done, end of packet, for either kind of device */
		d->q[1] |= 3 | 3ull << 32;
	if (how & 4)
		d->q[1] &= ~0x3b000000ull;
	if (how & 8)
		for (unsigned i = 0; i < RING; i++)
			q->rx_desc[i] = *d;
}

static void transmit(struct ix_nic_queue *q, uint64_t *cookie)
{
	struct ix_nic_seg seg[8];
	struct ix_nic_tx tx = {.seg = seg,
			       .nseg = take(1) % 9,
			       .flags = take(1),
			       .mss = take(2),
			       .l2_len = take(1),
			       .l4_len = take(1),
			       .l3_len = take(1),
			       .cookie = *cookie};

	for (unsigned i = 0; i < 8; i++)
		seg[i] = (struct ix_nic_seg){NULL, 0x1000, take(2), 0};
	*cookie += ix_nic_tx_burst(q, &tx, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t pool[BUFS * 2048];
	static const struct ix_nic_platform platform = {NULL, now_us, udelay, pci_read, pci_write};
	static const struct ix_nic_mmio mmio = {read32, write32};
	struct ix_nic_config cfg = {
	    .nqueues = 2, .rx_ring = RING, .tx_ring = RING, .rx_buf_size = 2048, .max_frame = 1518};
	struct ix_nic_dev dev = {.vendor = 0x8086,
				 .platform = &platform,
				 .mmio = &mmio,
				 .bar_len = {0x20000, 0, 0, 0x4000}};
	struct ix_nic_queue *q;
	struct ix_nic_rx rx[RING];
	uint64_t cookies[RING], sent = 0, done = 0;
	uint8_t group[IX_NIC_MAX_MC + 2][6];
	struct ix_nic *nic;
	size_t len;
	void *mem;

	in = data;
	left = size;
	memset(posted, 0, sizeof(posted));
	memset(regs, 0, sizeof(regs));
	dev.device = take(1) & 1 ? 0x10ed : 0x100e;
	len = ix_nic_mem_size(&cfg);
	mem = aligned_alloc(4096, len);
	memset(mem, 0, len);
	nic = ix_nic_init(&dev, &cfg, mem, 0x200000);
	assert(nic);
	q = ix_nic_queue(nic, 0);
	obedient = take(1) & 1;
	give(q, pool, RING);
	for (unsigned i = 0; i < OPS && left; i++) {
		unsigned n;

		accesses = 0;
		switch (take(1) % 14) {
		case 0 ... 1:
			clock_us += take(2);
			ix_nic_control(nic);
			break;
		case 2:
			ix_nic_start(nic, take(2));
			break;
		case 3 ... 4:
			scribble(nic);
			break;
		case 5:
			n = ix_nic_rx_burst(q, rx, take(1) % RING);
			for (unsigned k = 0; k < n; k++)
				take_back(&rx[k], pool);
			break;
		case 6:
			give(q, pool, take(1) % RING);
			break;
		case 7:
			transmit(q, &sent);
			break;
		case 8:
			n = ix_nic_tx_done(q, cookies, take(1) % RING);
			for (unsigned k = 0; k < n; k++)
				assert(cookies[k] == done + k); /* each once, in order */
			done += n;
			break;
		case 9:
			ix_nic_irq_setup(q, take(4), take(2));
			ix_nic_irq_arm(q);
			ix_nic_irq_disarm(q);
			break;
		case 10:
			memset(group, take(1), sizeof(group));
			ix_nic_set_filter(nic, take(1) & 3, group, take(1) % 32);
			break;
		case 11:
			ix_nic_stop(nic);
			memset(posted, 0, sizeof(posted)); /* all buffers are ours again */
			break;
		default:
			obedient = take(1) & 1;
		}
		assert(accesses < 200000); /* bounded: nothing spins on a register */
		assert(q->rx_posted - q->rx_next < RING && q->rx_told - q->rx_next < RING);
		assert(q->tx_tail - q->tx_clean < RING && done <= sent);
	}
	free(mem);
	return 0;
}
