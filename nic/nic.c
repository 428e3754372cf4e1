// SPDX-License-Identifier: MIT
/* The driver interface: memory, life cycle, and the choice of driver. */
#include <string.h>
#include "nic/e1000_regs.h"
#include "nic/nic_priv.h"
#include "nic/ring.h"
#include "nic/vf_regs.h"

#define PCI_VENDOR_INTEL 0x8086
#define PCI_COMMAND      0x04
#define PCI_COMMAND_MEM  (1u << 1)
#define PCI_COMMAND_BM   (1u << 2)

#define RETRY_MIN_US 10000
#define RETRY_MAX_US 10000000
#define RING_ALIGN   4096
#define PAD_LEN      64

enum ix_nic_kind ix_nic_probe(uint16_t vendor, uint16_t device)
{
	if (vendor != PCI_VENDOR_INTEL)
		return IX_NIC_NONE;
	switch (device) {
	case 0x10ed:
		return IX_NIC_VF82599;
	case 0x100e:
		return IX_NIC_E1000;
	default:
		return IX_NIC_NONE;
	}
}

static bool ring_size_ok(uint32_t n)
{
	return n >= IX_NIC_MIN_RING && n <= IX_NIC_MAX_RING && (n & (n - 1)) == 0;
}

static bool config_ok(const struct ix_nic_config *cfg)
{
	uint32_t size = cfg->rx_buf_size;

	return (cfg->nqueues == 1 || cfg->nqueues == 2 || cfg->nqueues == 4) &&
	       ring_size_ok(cfg->rx_ring) && ring_size_ok(cfg->tx_ring) && size >= 2048 &&
	       size <= 16384 && (size & (size - 1)) == 0 && cfg->max_frame >= 64 &&
	       cfg->nmc <= IX_NIC_MAX_MC && !(cfg->mac[0] & 1);
}

/* Hands out the block given to ix_nic_init(); with a base of 0 it measures. */
struct carver {
	uintptr_t base;
	uint64_t dma;
	size_t used;
};

static void *carve(struct carver *c, size_t len, size_t align, uint64_t *dma)
{
	c->used = (c->used + align - 1) & ~(align - 1);
	if (dma)
		*dma = c->dma + c->used;
	c->used += len;
	return (void *)(c->base + c->used - len);
}

struct queue_memory {
	struct ix_nic_queue *q;
	void *rx_desc, *tx_desc, *rx_buf, *tx_pkt, *tx_rs;
	uint64_t rx_dma, tx_dma;
};

/* One place for the layout: rings that the device writes lie apart from what software trusts. */
static struct ix_nic *lay_out(struct carver *c, const struct ix_nic_config *cfg,
			      struct queue_memory m[IX_NIC_MAX_QUEUES], uint64_t *pad_dma)
{
	struct ix_nic *nic;

	for (unsigned i = 0; i < cfg->nqueues; i++) {
		m[i].rx_desc =
		    carve(c, cfg->rx_ring * sizeof(struct nic_desc), RING_ALIGN, &m[i].rx_dma);
		m[i].tx_desc =
		    carve(c, cfg->tx_ring * sizeof(struct nic_desc), RING_ALIGN, &m[i].tx_dma);
	}
	carve(c, PAD_LEN, RING_ALIGN, pad_dma);
	nic = carve(c, sizeof(*nic), RING_ALIGN, NULL);
	for (unsigned i = 0; i < cfg->nqueues; i++) {
		m[i].q = carve(c, sizeof(struct ix_nic_queue), CACHE_LINE, NULL);
		m[i].rx_buf = carve(c, cfg->rx_ring * sizeof(struct ix_nic_buf), CACHE_LINE, NULL);
		m[i].tx_pkt = carve(c, cfg->tx_ring * sizeof(struct tx_pkt), CACHE_LINE, NULL);
		m[i].tx_rs = carve(c, cfg->tx_ring * sizeof(uint32_t), CACHE_LINE, NULL);
	}
	c->used = (c->used + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
	return nic;
}

size_t ix_nic_mem_size(const struct ix_nic_config *cfg)
{
	struct queue_memory m[IX_NIC_MAX_QUEUES];
	struct carver c = {0};
	uint64_t pad;

	if (!config_ok(cfg))
		return 0;
	lay_out(&c, cfg, m, &pad);
	return c.used;
}

struct ix_nic *ix_nic_init(const struct ix_nic_dev *dev, const struct ix_nic_config *cfg, void *mem,
			   uint64_t dma)
{
	enum ix_nic_kind kind = ix_nic_probe(dev->vendor, dev->device);
	struct queue_memory m[IX_NIC_MAX_QUEUES];
	struct carver c = {.base = (uintptr_t)mem, .dma = dma};
	struct ix_nic *nic;
	uint64_t pad_dma;

	if (kind == IX_NIC_NONE || !config_ok(cfg) || (c.base | dma) % RING_ALIGN ||
	    dev->bar_len[0] < (kind == IX_NIC_E1000 ? 0x6000 : 0x4000))
		return NULL;
	nic = lay_out(&c, cfg, m, &pad_dma);
	nic->dev = dev;
	nic->cfg = *cfg;
	nic->kind = kind;
	nic->retry_us = RETRY_MIN_US;
	nic->nqueues = kind == IX_NIC_E1000 ? 1 : cfg->nqueues;
	nic->caps = IX_NIC_CAP_TX_CSUM | IX_NIC_CAP_TSO;
	if (kind == IX_NIC_VF82599)
		nic->caps |= IX_NIC_CAP_RX_CSUM | IX_NIC_CAP_RX_HASH;
	if (kind == IX_NIC_VF82599 && dev->bar_len[3])
		nic->caps |= IX_NIC_CAP_IRQ;
	for (unsigned i = 0; i < cfg->nqueues; i++) {
		struct ix_nic_queue *q = m[i].q;

		nic->queue[i] = q;
		q->dev = dev;
		q->kind = kind;
		q->index = i;
		q->rx_buf_size = cfg->rx_buf_size;
		q->rx_desc = m[i].rx_desc;
		q->tx_desc = m[i].tx_desc;
		q->rx_buf = m[i].rx_buf;
		q->tx_pkt = m[i].tx_pkt;
		q->tx_rs = m[i].tx_rs;
		q->rx_mask = cfg->rx_ring - 1;
		q->tx_mask = cfg->tx_ring - 1;
		q->rdt = kind == IX_NIC_E1000 ? E1000_RDT : VF_RDT(i);
		q->tdt = kind == IX_NIC_E1000 ? E1000_TDT : VF_TDT(i);
		q->rx_dd = kind == IX_NIC_E1000 ? E1000_RX_DD : VF_RX_DD;
		q->pad_dma = pad_dma;
		q->rx_dma = m[i].rx_dma;
		q->tx_dma = m[i].tx_dma;
	}
	return nic;
}

/* Queues across resets */

void nic_queues_stop(struct ix_nic *nic)
{
	for (unsigned i = 0; i < nic->cfg.nqueues; i++) {
		struct ix_nic_queue *q = nic->queue[i];

		if (q->want & 1)
			__atomic_store_n(&q->want, q->want + 1, __ATOMIC_RELEASE);
	}
}

bool nic_queues_stopped(const struct ix_nic *nic)
{
	for (unsigned i = 0; i < nic->cfg.nqueues; i++) {
		const struct ix_nic_queue *q = nic->queue[i];

		if (__atomic_load_n(&q->have, __ATOMIC_ACQUIRE) != q->want)
			return false;
	}
	return true;
}

void nic_queues_run(struct ix_nic *nic)
{
	for (unsigned i = 0; i < nic->nqueues; i++) {
		struct ix_nic_queue *q = nic->queue[i];

		__atomic_store_n(&q->want, q->want | 1, __ATOMIC_RELEASE);
	}
}

static void reverse(struct ix_nic_buf *a, uint32_t first, uint32_t end)
{
	for (; first + 1 < end; first++, end--) {
		struct ix_nic_buf t = a[first];

		a[first] = a[end - 1];
		a[end - 1] = t;
	}
}

/* Posts again what the device held, from slot 0 on. */
static void rx_rebuild(struct ix_nic_queue *q)
{
	uint32_t n = q->rx_posted - q->rx_next, first = q->rx_next & q->rx_mask;

	for (uint32_t p = q->rx_next; p != q->rx_told; p++)
		if (q->rx_desc[p & q->rx_mask].q[1] & q->rx_dd)
			q->stats.rx_aborted++;
	/* Rotate in place: descriptors are no place to keep pointers, a device writes there. */
	reverse(q->rx_buf, 0, first);
	reverse(q->rx_buf, first, q->rx_mask + 1);
	reverse(q->rx_buf, 0, q->rx_mask + 1);
	q->rx_next = q->rx_told = q->rx_posted = 0;
	q->rx_skip = false;
	memset(q->rx_desc, 0, (q->rx_mask + 1) * sizeof(*q->rx_desc));
	for (uint32_t i = 0; i < n; i++)
		rx_put(q, q->rx_buf[i]);
}

/* Unfinished packets become finished ones; the ring goes on at slot 0. */
static void tx_rebuild(struct ix_nic_queue *q)
{
	tx_scan(q);
	for (uint32_t p = q->pkt_tail; p != q->pkt_head; p--) {
		if (q->tx_pkt[(p - 1) & q->tx_mask].end - q->tx_clean - 1 > q->tx_mask)
			break;
		q->stats.tx_aborted++;
	}
	q->tx_tail = (q->tx_tail + q->tx_mask) & ~q->tx_mask;
	q->tx_clean = q->tx_tail;
	q->rs_head = q->rs_tail;
	q->tx_since_rs = 0;
	memset(q->tx_ctx, 0, sizeof(q->tx_ctx));
	memset(q->tx_desc, 0, (q->tx_mask + 1) * sizeof(*q->tx_desc));
}

bool nic_queue_sync(struct ix_nic_queue *q)
{
	uint32_t want = __atomic_load_n(&q->want, __ATOMIC_ACQUIRE);

	if (!(want & 1)) {
		rx_rebuild(q);
		tx_rebuild(q);
	} else if (q->rx_posted != q->rx_told) {
		rx_tell(q);
	}
	__atomic_store_n(&q->have, want, __ATOMIC_RELEASE);
	return want & 1;
}

/* Control */

static uint32_t pci_read(const struct ix_nic *nic, uint32_t off, uint32_t size)
{
	const struct ix_nic_platform *p = nic->dev->platform;

	return p->pci_read(p->ctx, off, size);
}

static void bus_master_on(const struct ix_nic *nic)
{
	const struct ix_nic_platform *p = nic->dev->platform;
	uint32_t cmd = pci_read(nic, PCI_COMMAND, 2);

	p->pci_write(p->ctx, PCI_COMMAND, 2, cmd | PCI_COMMAND_MEM | PCI_COMMAND_BM);
}

static void down(struct ix_nic *nic)
{
	if (nic->running)
		nic->events |= IX_NIC_EV_DOWN;
	if (nic->link.up)
		nic->events |= IX_NIC_EV_LINK;
	nic->running = false;
	nic->link.up = false;
	nic->step = 0;
}

static void fail(struct ix_nic *nic, int err, uint64_t now)
{
	down(nic);
	if (err == -ENODEV) {
		nic->gone = true;
		nic->events |= IX_NIC_EV_GONE;
		nic_queues_stop(nic);
		return;
	}
	nic->retry_at = now + nic->retry_us;
	nic->retry_us = 2 * nic->retry_us < RETRY_MAX_US ? 2 * nic->retry_us : RETRY_MAX_US;
}

static void bring_up(struct ix_nic *nic, uint64_t now)
{
	bool vf = nic->kind == IX_NIC_VF82599;
	unsigned nsteps = vf ? vf_nsteps : e1000_nsteps;

	if (now < nic->retry_at)
		return;
	/* Each step is passed at most once per call, so the loop is bounded. */
	while (nic->step < nsteps) {
		nic_step *step = vf ? vf_steps[nic->step] : e1000_steps[nic->step];
		int ret = step(nic, now);

		if (ret < 0)
			fail(nic, ret, now);
		if (ret <= 0)
			return;
		nic->step++;
		nic->step_time = now;
	}
	nic->running = true;
	nic->retry_us = RETRY_MIN_US;
	nic->stats.resets++;
	nic->events |= IX_NIC_EV_UP;
	nic_queues_run(nic);
}

uint32_t ix_nic_control(struct ix_nic *nic)
{
	uint32_t events;

	if (!nic->gone && !nic->stopped) {
		uint64_t now = nic_now(nic);

		if (nic->running) {
			int ret = nic->kind == IX_NIC_VF82599 ? vf_housekeep(nic, now)
							      : e1000_housekeep(nic, now);

			if (ret == -ENODEV)
				fail(nic, ret, now);
			else if (ret < 0)
				down(nic);
		}
		if (!nic->running && !nic->gone)
			bring_up(nic, now);
	}
	events = nic->events;
	nic->events = 0;
	return events;
}

int ix_nic_start(struct ix_nic *nic, uint32_t timeout_us)
{
	const struct ix_nic_platform *p = nic->dev->platform;
	uint64_t end = nic_now(nic) + timeout_us;

	nic->stopped = false;
	bus_master_on(nic);
	for (;;) {
		ix_nic_control(nic);
		if (nic->gone)
			return -ENODEV;
		if (nic->running)
			return 0;
		if (nic_now(nic) >= end)
			return -ETIMEDOUT;
		p->udelay(p->ctx, 50);
	}
}

void ix_nic_stop(struct ix_nic *nic)
{
	if (!nic->gone) {
		if (nic->kind == IX_NIC_VF82599)
			vf_halt(nic);
		else
			e1000_halt(nic);
	}
	down(nic);
	nic->stopped = true;
	nic_queues_stop(nic);
	for (unsigned i = 0; i < nic->cfg.nqueues; i++) {
		struct ix_nic_queue *q = nic->queue[i];

		nic_queue_sync(q);
		q->rx_posted = 0;
	}
}

unsigned ix_nic_nqueues(const struct ix_nic *nic)
{
	return nic->nqueues;
}

struct ix_nic_queue *ix_nic_queue(struct ix_nic *nic, unsigned i)
{
	return i < nic->cfg.nqueues ? nic->queue[i] : NULL;
}

uint32_t ix_nic_caps(const struct ix_nic *nic)
{
	return nic->caps | (nic->rss_known ? IX_NIC_CAP_RSS_INFO : 0);
}

enum ix_nic_kind ix_nic_kind(const struct ix_nic *nic)
{
	return nic->kind;
}

bool ix_nic_running(const struct ix_nic *nic)
{
	return nic->running;
}

void ix_nic_mac(const struct ix_nic *nic, uint8_t mac[6])
{
	memcpy(mac, nic->mac, 6);
}

struct ix_nic_link ix_nic_link(const struct ix_nic *nic)
{
	return nic->link;
}

void ix_nic_stats(const struct ix_nic *nic, struct ix_nic_stats *out)
{
	*out = nic->stats;
}

const struct ix_nic_queue_stats *ix_nic_queue_stats(const struct ix_nic_queue *q)
{
	return &q->stats;
}

const struct ix_rss *ix_nic_rss(const struct ix_nic *nic)
{
	return nic->rss_known ? &nic->rss : NULL;
}

int ix_nic_set_filter(struct ix_nic *nic, uint32_t flags, const uint8_t (*mc)[6], uint32_t nmc)
{
	if (nmc > IX_NIC_MAX_MC)
		return -ENOSPC;
	nic->cfg.flags = flags;
	nic->cfg.nmc = nmc;
	if (nmc)
		memcpy(nic->cfg.mc, mc, nmc * sizeof(nic->cfg.mc[0]));
	nic->filter_changed = true;
	return 0;
}

/* Data path: queues of both kinds share all but the form of descriptors. */

unsigned ix_nic_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max)
{
	if (unlikely(!queue_runs(q)))
		return 0;
	return likely(q->kind == IX_NIC_VF82599) ? vf_rx_burst(q, out, max)
						 : e1000_rx_burst(q, out, max);
}

unsigned ix_nic_rx_room(const struct ix_nic_queue *q)
{
	return q->rx_mask - (q->rx_posted - q->rx_next);
}

unsigned ix_nic_rx_waiting(const struct ix_nic_queue *q)
{
	uint64_t done = q->kind == IX_NIC_VF82599 ? VF_RX_DD : E1000_RX_DD;
	uint32_t low = 0, high = q->rx_told - q->rx_next;

	/* The device fills descriptors in order: a few looks find the first that it has not. */
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (__atomic_load_n(&q->rx_desc[(q->rx_next + mid) & q->rx_mask].q[1],
				    __ATOMIC_RELAXED) &
		    done)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

unsigned ix_nic_rx_post(struct ix_nic_queue *q, const struct ix_nic_buf *bufs, unsigned n)
{
	bool runs = queue_runs(q);
	unsigned room = ix_nic_rx_room(q);

	if (n > room)
		n = room;
	for (unsigned i = 0; i < n; i++)
		rx_put(q, bufs[i]);
	if (likely(runs))
		rx_tell_if_due(q);
	return n;
}

unsigned ix_nic_tx_room(const struct ix_nic_queue *q)
{
	return tx_room(q);
}

unsigned ix_nic_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n)
{
	if (unlikely(!queue_runs(q)))
		return 0;
	if (tx_room(q) <= q->tx_mask / 2)
		tx_scan(q);
	return likely(q->kind == IX_NIC_VF82599) ? vf_tx_burst(q, pkts, n)
						 : e1000_tx_burst(q, pkts, n);
}

unsigned ix_nic_tx_done(struct ix_nic_queue *q, uint64_t *cookies, unsigned max)
{
	unsigned n = 0;

	if (likely(queue_runs(q)))
		tx_scan(q);
	while (n < max && q->pkt_head != q->pkt_tail) {
		const struct tx_pkt *pkt = &q->tx_pkt[q->pkt_head & q->tx_mask];

		if ((int32_t)(q->tx_clean - pkt->end) < 0)
			break;
		cookies[n++] = pkt->cookie;
		q->pkt_head++;
	}
	return n;
}

/* Interrupts */

int ix_nic_irq_setup(struct ix_nic_queue *q, uint64_t msi_addr, uint32_t msi_data)
{
	if (q->kind != IX_NIC_VF82599 || !q->dev->bar_len[3])
		return -EOPNOTSUPP;
	return vf_irq_setup(q, msi_addr, msi_data);
}

int ix_nic_irq_arm(struct ix_nic_queue *q)
{
	if (!q->irq_on)
		return -EOPNOTSUPP;
	nic_write32(q->dev, VF_EIMS, 1u << q->irq_vector);
	return 0;
}

int ix_nic_irq_disarm(struct ix_nic_queue *q)
{
	if (!q->irq_on)
		return -EOPNOTSUPP;
	nic_write32(q->dev, VF_EIMC, 1u << q->irq_vector);
	return 0;
}
