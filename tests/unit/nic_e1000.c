// SPDX-License-Identifier: MIT
/*
 * The 82540EM driver against a device with the habits of QEMU 7.2 and Bochs 2.7: reset resets nothing,
 * RAL0/RAH0 are empty, one offload context for all, transmission within the write of TDT, and traps:
 * receiving with an unset ring, or RDT written equal to RDH, fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "nic/e1000_regs.h"
#include "tests/unit/nic_bed.h"

#define MEM   (8u << 20)
#define GPA   0x40000000ull
#define RINGS 128

struct card {
	uint32_t reg[0x20000 / 4];
	uint8_t *mem;
	size_t used;
	uint64_t us;
	unsigned rctl_writes;
	bool link_down, gone;
	uint64_t ctx[2];
	/* What was sent: the parts put together, and what the first data descriptor asked for. */
	uint8_t frame[65536];
	uint32_t len, sent; /* of the frame being put together; of the last one */
	uint64_t first;
	struct ix_nic_platform platform;
	struct ix_nic_mmio mmio;
	struct ix_nic_dev dev;
	struct ix_nic *nic;
	struct ix_nic_queue *q;
};

static const uint8_t eeprom_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static uint64_t now_us(void *ctx)
{
	return ((struct card *)ctx)->us++;
}

static void udelay(void *ctx, uint32_t us)
{
	((struct card *)ctx)->us += us;
}

static uint32_t pci_read(void *ctx, uint32_t off, uint32_t size)
{
	(void)ctx;
	(void)off;
	(void)size;
	return 0;
}

static void pci_write(void *ctx, uint32_t off, uint32_t size, uint32_t val)
{
	(void)ctx;
	(void)size;
	if (off == 4)
		assert_int_equal(val & 6, 6);
}

static void *at(struct card *c, uint64_t gpa)
{
	assert_true(gpa >= GPA && gpa < GPA + MEM);
	return c->mem + (gpa - GPA);
}

static void transmit(struct card *c)
{
	uint32_t n = c->reg[E1000_TDLEN / 4] / 16;
	uint64_t base = c->reg[E1000_TDBAL / 4] | (uint64_t)c->reg[E1000_TDBAH / 4] << 32;

	assert_true(c->reg[E1000_TCTL / 4] & E1000_TCTL_EN);
	while (c->reg[E1000_TDH / 4] != c->reg[E1000_TDT / 4]) {
		struct nic_desc *d = at(c, base + 16 * c->reg[E1000_TDH / 4]);
		uint64_t w1 = d->q[1];

		if ((w1 & E1000_TX_DEXT) && !(w1 & E1000_TX_DATA)) {
			assert_int_equal(c->len, 0); /* never amid a packet */
			c->ctx[0] = d->q[0];
			c->ctx[1] = w1;
		} else {
			uint32_t len = w1 & (w1 & E1000_TX_DEXT ? 0xfffff : 0xffff);

			if (c->len == 0)
				c->first = w1;
			memcpy(c->frame + c->len, at(c, d->q[0]), len);
			c->len += len;
			if (w1 & (1ull << 27)) /* RS */
				d->q[1] |= 1ull << 32;
			if (w1 & E1000_TX_EOP) {
				c->sent = c->len;
				c->len = 0;
			}
		}
		c->reg[E1000_TDH / 4] = (c->reg[E1000_TDH / 4] + 1) % n;
	}
}

static uint32_t rd(void *ctx, unsigned bar, uint32_t off)
{
	struct card *c = ctx;
	uint32_t val = c->reg[off / 4];

	assert_int_equal(bar, 0);
	assert_true(off % 4 == 0 && off < 0x6000);
	if (c->gone)
		return ~0u;
	switch (off) {
	case E1000_STATUS:
		return c->link_down ? 0x81 : 0x83;
	case E1000_GPRC:
	case E1000_GPTC:
	case E1000_MPC:
	case E1000_TOTL:
	case E1000_ICR:
		c->reg[off / 4] = 0; /* clear on read */
		return val;
	default:
		return val;
	}
}

static void wr(void *ctx, unsigned bar, uint32_t off, uint32_t val)
{
	struct card *c = ctx;

	assert_int_equal(bar, 0);
	assert_true(off % 4 == 0 && off < 0x6000);
	switch (off) {
	case E1000_CTRL:
		val &= ~E1000_CTRL_RST;
		break;
	case E1000_EERD:
		assert_true(val >> 8 < 3);
		val = eeprom_mac[2 * (val >> 8)] << 16 |
		      (uint32_t)eeprom_mac[2 * (val >> 8) + 1] << 24 | E1000_EERD_DONE;
		break;
	case E1000_RCTL:
		c->rctl_writes += val != 0;
		if (val & E1000_RCTL_EN) {
			assert_true(c->reg[E1000_RDLEN / 4] != 0);
			assert_true(c->reg[E1000_RDT / 4] != c->reg[E1000_RDH / 4]);
			assert_true(c->reg[E1000_RAH0 / 4] & E1000_RAH_AV);
		}
		break;
	case E1000_RDT:
		/* "All descriptors are free", says Bochs to that. */
		assert_int_not_equal(val, c->reg[E1000_RDH / 4]);
		break;
	default:
		break;
	}
	c->reg[off / 4] = val;
	if (off == E1000_TDT && c->reg[E1000_TDLEN / 4] && (c->reg[E1000_TCTL / 4] & 2)) {
		transmit(c);
	}
}

/* A frame arrives; false if there is no descriptor. */
static bool receive(struct card *c, const uint8_t *frame, uint32_t len, uint8_t errors)
{
	uint64_t base = c->reg[E1000_RDBAL / 4] | (uint64_t)c->reg[E1000_RDBAH / 4] << 32;
	uint32_t head = c->reg[E1000_RDH / 4];
	struct nic_desc *d;

	if (!(c->reg[E1000_RCTL / 4] & E1000_RCTL_EN) || head == c->reg[E1000_RDT / 4]) {
		c->reg[E1000_MPC / 4]++;
		return false;
	}
	d = at(c, base + 16 * head);
	memcpy(at(c, d->q[0]), frame, len);
	/* status |= DD | EOP | IXSM: whatever else lay there stays */
	d->q[1] = (d->q[1] & 0xff00000000) | 7ull << 32 | len | (uint64_t)errors << 40;
	c->reg[E1000_RDH / 4] = (head + 1) % (c->reg[E1000_RDLEN / 4] / 16);
	c->reg[E1000_GPRC / 4]++;
	return true;
}

static void *alloc(struct card *c, size_t len, uint64_t *gpa)
{
	size_t where = (c->used + 4095) & ~(size_t)4095;

	assert_true(where + len <= MEM);
	c->used = where + len;
	*gpa = GPA + where;
	return c->mem + where;
}

static int setup(void **state)
{
	struct card *c = calloc(1, sizeof(*c));
	struct ix_nic_config cfg;
	uint64_t gpa;
	void *mem;

	c->mem = aligned_alloc(4096, MEM);
	memset(c->mem, 0, MEM);
	/* What an earlier driver left behind. */
	c->reg[E1000_RDH / 4] = c->reg[E1000_TDH / 4] = 17;
	c->reg[E1000_TDT / 4] = 17;
	c->platform = (struct ix_nic_platform){c, now_us, udelay, pci_read, pci_write};
	c->mmio = (struct ix_nic_mmio){rd, wr};
	c->dev = (struct ix_nic_dev){.vendor = 0x8086,
				     .device = 0x100e,
				     .bar_len = {0x20000},
				     .platform = &c->platform,
				     .mmio = &c->mmio,
				     .mmio_ctx = c};
	bed_nic_config(&cfg);
	cfg.nqueues = 2; /* it has one */
	cfg.rx_ring = cfg.tx_ring = RINGS;
	mem = alloc(c, ix_nic_mem_size(&cfg), &gpa);
	c->nic = ix_nic_init(&c->dev, &cfg, mem, gpa);
	assert_non_null(c->nic);
	assert_int_equal(ix_nic_start(c->nic, 1000000), 0);
	assert_int_equal(ix_nic_nqueues(c->nic), 1);
	c->q = ix_nic_queue(c->nic, 0);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct card *c = *state;

	free(c->mem);
	free(c);
	return 0;
}

static void fill(struct card *c)
{
	unsigned room = ix_nic_rx_room(c->q);
	uint64_t gpa;
	uint8_t *mem = alloc(c, room * 2048, &gpa);

	for (unsigned i = 0; i < room; i++) {
		struct ix_nic_buf buf = {mem + 2048 * i, gpa + 2048 * i};

		assert_int_equal(ix_nic_rx_post(c->q, &buf, 1), 1);
	}
}

static void e1000_bring_up(void **state)
{
	struct card *c = *state;
	uint8_t mac[6];

	ix_nic_mac(c->nic, mac);
	assert_memory_equal(mac, eeprom_mac, 6);
	assert_int_equal(c->reg[E1000_RAL0 / 4], 0x12005452);
	assert_int_equal(c->reg[E1000_RAH0 / 4], 0x80005634);
	assert_int_equal(c->reg[E1000_IMC / 4], ~0u);
	assert_int_equal(c->reg[E1000_RDH / 4], 0);
	assert_int_equal(c->reg[E1000_TDH / 4], 0);
	assert_int_equal(c->rctl_writes, 0); /* not before there are buffers */
	fill(c);
	assert_int_equal(c->rctl_writes, 1);
	assert_true(c->reg[E1000_RCTL / 4] & E1000_RCTL_SECRC);
	assert_int_equal(c->reg[E1000_RDT / 4], RINGS - 1);
	for (int i = 0; i < 10; i++)
		ix_nic_control(c->nic);
	assert_int_equal(c->rctl_writes, 1); /* QEMU holds reception back for each */
	assert_true(ix_nic_link(c->nic).up);
	assert_int_equal(ix_nic_link(c->nic).mbps, 1000);
	c->link_down = true;
	assert_true(ix_nic_control(c->nic) & IX_NIC_EV_LINK);
	assert_false(ix_nic_link(c->nic).up);
}

static void e1000_receive(void **state)
{
	struct card *c = *state;
	struct ix_nic_rx rx[64];
	uint8_t f[1514];
	unsigned got = 0;

	fill(c);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned n = round % 60, m;

		for (unsigned i = 0; i < n; i++) {
			bed_eth(f, eeprom_mac, bed_mac[0], 0x88b5, 60 + round % 1455);
			f[20] = got + i;
			assert_true(receive(c, f, 60 + round % 1455, 0));
		}
		m = ix_nic_rx_burst(c->q, rx, 64);
		assert_int_equal(m, n);
		for (unsigned i = 0; i < m; i++) {
			struct ix_nic_buf buf = {rx[i].va, rx[i].dma};

			assert_int_equal(rx[i].len, 60 + round % 1455);
			assert_int_equal(((uint8_t *)rx[i].va)[20], (uint8_t)(got + i));
			assert_int_equal(rx[i].flags, 0); /* checksums are software's */
			assert_int_equal(ix_nic_rx_post(c->q, &buf, 1), 1);
		}
		got += m;
	}
	/* Errors and frames over several buffers. */
	assert_true(receive(c, f, 60, 1)); /* CRC error */
	assert_int_equal(ix_nic_rx_burst(c->q, rx, 64), 0);
	assert_int_equal(ix_nic_queue_stats(c->q)->rx_errors, 1);
	/* Starved, then fed: the traps of RDT == RDH are not stepped into. */
	for (unsigned i = 0; i < 200; i++)
		receive(c, f, 60, 0);
	assert_in_range(c->reg[E1000_MPC / 4], 73, 104);
	got = 0;
	unsigned waiting = ix_nic_rx_waiting(c->q);

	while (got < RINGS && ix_nic_rx_burst(c->q, rx, 1)) {
		struct ix_nic_buf buf = {rx[0].va, rx[0].dma};

		assert_int_equal(ix_nic_rx_waiting(c->q), --waiting);

		assert_int_equal(ix_nic_rx_post(c->q, &buf, 1), 1);
		got++;
	}
	assert_int_equal(waiting, 0);
	assert_true(receive(c, f, 60, 0));
	assert_int_equal(ix_nic_rx_burst(c->q, rx, 64), 1);
}

static void e1000_transmit(void **state)
{
	struct card *c = *state;
	uint64_t gpa, cookies[8];
	uint8_t *mem = alloc(c, 65536, &gpa);
	struct ix_nic_seg seg[3];
	struct ix_nic_tx tx = {.seg = seg};
	uint32_t len;

	/* Plain, in one to three pieces, short ones padded. */
	for (unsigned i = 0; i < 500; i++) {
		len = 14 + i;
		bed_eth(mem, bed_mac[0], eeprom_mac, 0x88b5, len);
		seg[0] = (struct ix_nic_seg){mem, gpa, 6, 0};
		seg[1] = (struct ix_nic_seg){mem + 6, gpa + 6, 8, 0};
		seg[2] = (struct ix_nic_seg){mem + 14, gpa + 14, i, 0};
		tx.nseg = i ? 3 : 2;
		tx.cookie = i;
		assert_int_equal(ix_nic_tx_burst(c->q, &tx, 1), 1);
		assert_int_equal(c->sent, len < 60 ? 60 : len);
		assert_memory_equal(c->frame, mem, len);
		assert_int_equal(c->first & E1000_TX_DEXT, 0);
		assert_int_equal(ix_nic_tx_done(c->q, cookies, 8), 1);
		assert_int_equal(cookies[0], i);
	}
	/* TCP with checksums: context, then data descriptors that name it. */
	len = bed_ip4(mem, bed_mac[0], eeprom_mac, 6, 1, 2, 100, 0);
	seg[0] = (struct ix_nic_seg){mem, gpa, len, 0};
	tx = (struct ix_nic_tx){.seg = seg,
				.nseg = 1,
				.flags = IX_NIC_TX_IP_CSUM | IX_NIC_TX_TCP_CSUM,
				.l3_len = 20,
				.l4_len = 20};
	assert_int_equal(ix_nic_tx_burst(c->q, &tx, 1), 1);
	assert_int_equal(c->ctx[0], 14 | 24 << 8 | 33 << 16 | 34ull << 32 | 50ull << 40);
	assert_int_equal(c->ctx[1], E1000_TX_DEXT | E1000_CTX_TCP | E1000_CTX_IPV4);
	assert_true(c->first & E1000_TX_DATA);
	assert_int_equal(c->first >> 40 & 3, 3);
	/* The same again needs no new context; another one replaces it. */
	c->ctx[0] = 0;
	assert_int_equal(ix_nic_tx_burst(c->q, &tx, 1), 1);
	assert_int_equal(c->ctx[0], 0);
	len = bed_ip4(mem, bed_mac[0], eeprom_mac, 6, 1, 2, 30000, 0);
	seg[0].len = len;
	tx.flags |= IX_NIC_TX_TSO;
	tx.mss = 1460;
	assert_int_equal(ix_nic_tx_burst(c->q, &tx, 1), 1);
	assert_int_equal(c->ctx[1], E1000_TX_DEXT | E1000_TX_TSE | E1000_CTX_TCP | E1000_CTX_IPV4 |
					30000 | 54ull << 40 | 1460ull << 48);
	assert_true(c->first & E1000_TX_TSE);
	assert_int_equal(c->sent, len);
	assert_memory_equal(c->frame, mem, len);
	assert_int_equal(ix_nic_tx_done(c->q, cookies, 8), 3);
	/* Not possible: refused, memory returned. */
	tx.mss = 0;
	assert_int_equal(ix_nic_tx_burst(c->q, &tx, 1), 1);
	assert_int_equal(ix_nic_queue_stats(c->q)->tx_invalid, 1);
	assert_int_equal(ix_nic_tx_done(c->q, cookies, 8), 1);
}

static void e1000_filters_and_counters(void **state)
{
	static const uint8_t group[1][6] = {{1, 0, 0x5e, 0, 0, 1}};
	struct card *c = *state;
	struct ix_nic_stats s;
	uint8_t f[60] = {0};

	assert_int_equal(ix_nic_set_filter(c->nic, 0, group, 1), 0);
	ix_nic_control(c->nic);
	assert_int_equal(c->rctl_writes, 0); /* the first doorbell brings it */
	fill(c);
	ix_nic_control(c->nic);
	assert_true(c->reg[E1000_RCTL / 4] & E1000_RCTL_MPE);
	assert_in_range(c->rctl_writes, 1, 2);
	receive(c, f, 60, 0);
	receive(c, f, 60, 0);
	ix_nic_control(c->nic);
	ix_nic_stats(c->nic, &s);
	assert_int_equal(s.rx_packets, 2);
	c->gone = true;
	assert_true(ix_nic_control(c->nic) & IX_NIC_EV_GONE);
}

static void e1000_stop_and_start(void **state)
{
	struct card *c = *state;
	struct ix_nic_rx rx;
	uint8_t f[60] = {0};

	for (unsigned i = 0; i < 10; i++) {
		c->used = 1 << 20;
		fill(c);
		assert_true(receive(c, f, 60, 0));
		assert_int_equal(ix_nic_rx_burst(c->q, &rx, 1), 1);
		ix_nic_stop(c->nic);
		assert_int_equal(c->reg[E1000_RCTL / 4], 0);
		assert_false(receive(c, f, 60, 0));
		assert_int_equal(ix_nic_start(c->nic, 1000000), 0);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(e1000_bring_up),       T(e1000_receive),
	    T(e1000_transmit),       T(e1000_filters_and_counters),
	    T(e1000_stop_and_start),
	};

	return cmocka_run_group_tests_name("nic_e1000", tests, NULL, NULL);
}
