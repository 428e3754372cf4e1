// SPDX-License-Identifier: MIT
/* The 82599 VF driver against its conformance checklist: docs/nic.md, drv_NN is item NN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "nic/vf_mbx.h"
#include "tests/unit/nic_bed.h"

static int setup(void **state)
{
	*state = bed_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* Index in the log of the first access that fits, from `from` on; -1 if there is none. */
static int find(const struct bed_nic *n, int from, bool write, uint32_t off, uint32_t val,
		uint32_t mask)
{
	for (unsigned i = from; i < n->nlog; i++) {
		const struct bed_access *a = &n->log[i];

		if (a->bar == 0 && a->write == write && a->off == off &&
		    (a->val & mask) == (val & mask))
			return i;
	}
	return -1;
}

static int written(const struct bed_nic *n, int from, uint32_t off, uint32_t val)
{
	return find(n, from, true, off, val, ~0u);
}

/* The word 0 of requests in the log, in order. */
static unsigned requests(const struct bed_nic *n, uint32_t *op, uint32_t *w1, unsigned max)
{
	unsigned count = 0;
	uint32_t m0 = 0, m1 = 0;

	for (unsigned i = 0; i < n->nlog; i++) {
		const struct bed_access *a = &n->log[i];

		if (!a->write || a->bar)
			continue;
		if (a->off == VF_MBMEM(0))
			m0 = a->val;
		if (a->off == VF_MBMEM(1))
			m1 = a->val;
		if (a->off == VF_MAILBOX && (a->val & VF_MB_REQ) && count < max) {
			op[count] = m0;
			w1[count++] = m1;
		}
	}
	return count;
}

static uint32_t last_request(const struct bed_nic *n, uint32_t opcode, uint32_t *w1)
{
	uint32_t op[256], arg[256];
	unsigned found = 0, count = requests(n, op, arg, 256);

	for (unsigned i = 0; i < count; i++)
		if ((op[i] & 0xffff) == opcode) {
			found++;
			if (w1)
				*w1 = arg[i];
		}
	return found;
}

/* One frame through the driver's TX; returns what tx_burst said. */
static unsigned send_one(struct bed_nic *n, unsigned queue, const void *frame, uint32_t len,
			 uint64_t cookie)
{
	uint64_t gpa;
	uint8_t *p = bed_alloc(n->bed, n->vf, len, &gpa);
	struct ix_nic_seg seg = {p, gpa, len, 0};
	struct ix_nic_tx tx = {.seg = &seg, .nseg = 1, .cookie = cookie};

	memcpy(p, frame, len);
	return ix_nic_tx_burst(ix_nic_queue(n->nic, queue), &tx, 1);
}

static unsigned done(struct bed_nic *n, unsigned queue)
{
	uint64_t cookies[256];

	return ix_nic_tx_done(ix_nic_queue(n->nic, queue), cookies, 256);
}

/* Does traffic flow from a to b and back? */
static void assert_works(struct bed_nic *a, struct bed_nic *b)
{
	struct bed_nic *n[2] = {a, b};
	uint8_t f[100], mac[2][6];

	ix_nic_mac(a->nic, mac[0]);
	ix_nic_mac(b->nic, mac[1]);
	for (int i = 0; i < 2; i++) {
		struct ix_nic_rx rx;
		struct ix_nic_buf buf;
		struct ix_nic_queue *q = ix_nic_queue(n[!i]->nic, 0);

		bed_eth(f, mac[!i], mac[i], 0x88b5, 100);
		assert_int_equal(send_one(n[i], 0, f, 100, 7), 1);
		assert_int_equal(ix_nic_rx_burst(q, &rx, 1), 1);
		assert_int_equal(rx.len, 100);
		assert_memory_equal(rx.va, f, 100);
		buf.va = rx.va;
		buf.dma = rx.dma;
		assert_int_equal(ix_nic_rx_post(q, &buf, 1), 1);
		done(n[i], 0);
	}
}

static void drv_01_aligned_accesses_inside_the_bar(void **state)
{
	struct bed_nic *n = bed_nic_up(*state, 0, NULL);

	bed_nic_run(n, 10000, 1000);
	ix_nic_stop(n->nic);
	assert_true(n->nlog > 100);
	for (unsigned i = 0; i < n->nlog; i++) {
		assert_int_equal(n->log[i].off % 4, 0);
		assert_true(n->log[i].off < VEB_BAR_LEN);
	}
}

static void drv_02_bus_master_on(void **state)
{
	struct bed *b = *state;

	veb_cfg_write(b->veb, 0, 4, 2, 0, 0);
	bed_nic_up(b, 0, NULL);
	assert_int_equal(veb_cfg_read(b->veb, 0, 4, 2) & 6, 6);
}

static void drv_03_interrupts_masked_before_reset(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n;
	int rst, mask;

	bed_wr(b, 0, VF_EIMS, 7);
	bed_wr(b, 0, VF_EICS, 7);
	n = bed_nic_up(b, 0, NULL);
	rst = written(n, 0, VF_CTRL, VF_CTRL_RST);
	mask = written(n, 0, VF_EIMC, 7);
	assert_in_range(mask, 0, rst);
	assert_in_range(find(n, mask, false, VF_EICR, 0, 0), mask, rst);
	assert_in_range(written(n, mask, VF_EICR, 7), mask, rst);
	assert_int_equal(bed_rd(b, 0, VF_EIMS), 0);
}

static void drv_04_queues_disabled_before_reset(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n;
	int rst;

	for (unsigned q = 0; q < 8; q++) {
		bed_wr(b, 0, VF_RXDCTL(q), VF_DCTL_ENABLE);
		bed_wr(b, 0, VF_TXDCTL(q), VF_DCTL_ENABLE);
	}
	n = bed_nic_up(b, 0, NULL);
	rst = written(n, 0, VF_CTRL, VF_CTRL_RST);
	for (unsigned q = 0; q < 8; q++) {
		assert_in_range(find(n, 0, true, VF_RXDCTL(q), 0, VF_DCTL_ENABLE), 0, rst);
		assert_in_range(find(n, 0, true, VF_TXDCTL(q), 0, VF_DCTL_ENABLE), 0, rst);
	}
}

static void drv_05_waits_for_the_pf(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);
	int rst;

	veb_pf_reset_begin(b->veb, 0);
	assert_int_equal(ix_nic_start(n->nic, 20000), -ETIMEDOUT);
	assert_false(ix_nic_running(n->nic));
	assert_int_equal(last_request(n, VF_OP_RESET, NULL), 0); /* nothing said to a PF in reset */
	veb_pf_reset_end(b->veb, 0);
	assert_true(bed_nic_run(n, 2000, 100) & IX_NIC_EV_UP);
	/* RSTD was read, then both read 0, before the first request. */
	rst = find(n, 0, false, VF_MAILBOX, VF_MB_RSTD, VF_MB_RSTD | VF_MB_RSTI);
	assert_in_range(rst, 0, written(n, 0, VF_MBMEM(0), VF_OP_RESET));
}

/* Returns PFSTS once together with VFU, so that a driver that forgets what it saw never finds it. */
static uint32_t early_status(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off == VF_MAILBOX && (val & VF_MB_PFSTS))
		n->hook_count++;
	return val;
}

static void drv_06_keeps_bits_that_clear_on_read(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);

	/* A notice arrives; its PFSTS is consumed by the very read that checks for VFU. */
	bed_nic_run(n, 1000, 100);
	n->on_read = early_status;
	veb_revoke(b->veb, 0, b->now_ns);
	vf_mbx_status(n->nic);
	assert_int_equal(n->hook_count, 1);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), 0); /* gone from the register */
	assert_true(bed_nic_run(n, 200, 100) & IX_NIC_EV_DOWN);
}

/* The PF is writing (PFU) for some time: VFU cannot be had. */
static uint32_t deny_vfu(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off == VF_MAILBOX && n->hook_count && n->hook_count--)
		return (val & ~VF_MB_VFU) | VF_MB_PFU;
	return val;
}

static void drv_07_writes_messages_only_with_vfu(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);
	bool owned = false;

	n->on_read = deny_vfu;
	n->hook_count = 40;
	assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
	assert_int_equal(n->hook_count, 0);
	for (unsigned i = 0; i < n->nlog; i++) {
		const struct bed_access *a = &n->log[i];

		if (a->off == VF_MAILBOX && !a->write)
			owned = a->val & VF_MB_VFU;
		if (a->off == VF_MAILBOX && a->write && (a->val & (VF_MB_REQ | VF_MB_ACK)))
			owned = false;
		if (a->write && a->off >= VF_MBMEM(0) && a->off < VF_MBMEM(16))
			assert_true(owned);
	}
}

/* Shows a PFSTS of old when VFU is taken, and hands REQ to the PF some reads later only. */
static uint32_t stale_status(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off != VF_MAILBOX)
		return val;
	if (n->hook_count && --n->hook_count == 0)
		veb_mmio_write(n->bed->veb, n->vf, 0, VF_MAILBOX, VF_MB_REQ, n->bed->now_ns);
	else if (!n->hook_count && (val & VF_MB_VFU))
		return val | VF_MB_PFSTS;
	return val;
}

static bool late_request(struct bed_nic *n, uint32_t off, uint32_t *val)
{
	if (off != VF_MAILBOX || *val != VF_MB_REQ)
		return true;
	n->hook_count = 8;
	return false;
}

static void drv_08_stale_status_is_flushed(void **state)
{
	struct bed *b = *state;
	uint32_t msg[1] = {VF_OP_SET_LPE};
	struct bed_nic *n;

	/* Somebody before us has left an unread refusal. */
	bed_wr(b, 0, VF_MBMEM(0), msg[0]);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ);
	n = bed_nic_up(b, 0, NULL);
	assert_int_equal(last_request(n, VF_OP_RESET, NULL), 1);
	/* The same amid operation: an unread notice in front of a request. */
	bed_nic_run(n, 2000, 100);
	ix_nic_set_filter(n->nic, IX_NIC_ALLMULTI, NULL, 0);
	veb_set_vf_link(b->veb, 0, true, b->now_ns);
	assert_int_equal(bed_nic_run(n, 5000, 100) & (IX_NIC_EV_DOWN | IX_NIC_EV_GONE), 0);
	assert_true(ix_nic_running(n->nic));
	/* It shows in the very read that proves VFU; the real answer takes its time. */
	n->on_read = stale_status;
	n->on_write = late_request;
	ix_nic_set_filter(n->nic, 0, NULL, 0);
	assert_int_equal(bed_nic_run(n, 5000, 100) & IX_NIC_EV_DOWN, 0);
	assert_int_equal(n->nic->vf.todo | n->nic->vf.request, 0);
}

static uint32_t strange_reply(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off == VF_MBMEM(0) && (val & 0xffff) == VF_OP_RESET && (val & VF_MSG_ACK)) {
		n->hook_count++;
		return n->hook_arg;
	}
	return val;
}

static void drv_09_reset_reply_ack_and_nack(void **state)
{
	static const uint32_t wrong[] = {0x80000001 | VF_MSG_CTS, 0xc0000001, 0x80010001};
	static const uint8_t none[6];
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);
	uint8_t mac[6];

	for (unsigned i = 0; i < 3; i++) {
		n->on_read = strange_reply;
		n->hook_arg = wrong[i];
		assert_int_equal(ix_nic_start(n->nic, 30000), -ETIMEDOUT);
		assert_true(n->hook_count > 0);
	}
	n->on_read = NULL;
	assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
	ix_nic_mac(n->nic, mac);
	assert_memory_equal(mac, bed_mac[0], 6);
	veb_set_mac(b->veb, 1, none, 0);
	n = bed_nic_up(b, 1, NULL); /* refused: that is an answer, too */
	assert_true(ix_nic_running(n->nic));
}

static void drv_10_local_mac_when_none_is_granted(void **state)
{
	static const uint8_t none[6], wish[6] = {2, 1, 2, 3, 4, 5};
	struct bed *b = *state;
	struct ix_nic_config cfg;
	struct bed_nic *n;
	uint8_t mac[6], pf[6];

	veb_set_mac(b->veb, 0, none, 0);
	veb_set_mac(b->veb, 1, none, 0);
	n = bed_nic_up(b, 0, NULL);
	ix_nic_mac(n->nic, mac);
	assert_int_equal(mac[0] & 3, 2); /* local, unicast */
	veb_vf_mac(b->veb, 0, pf);
	assert_memory_equal(mac, pf, 6);
	/* It stays the same through a reset. */
	veb_pf_reset_begin(b->veb, 0);
	veb_pf_reset_end(b->veb, 0);
	bed_nic_run(n, 5000, 100);
	done(n, 0);
	bed_nic_run(n, 5000, 100);
	assert_true(ix_nic_running(n->nic));
	ix_nic_mac(n->nic, pf);
	assert_memory_equal(mac, pf, 6);
	/* The configured one is asked for. */
	bed_nic_config(&cfg);
	memcpy(cfg.mac, wish, 6);
	n = bed_nic_up(b, 1, &cfg);
	ix_nic_mac(n->nic, mac);
	assert_memory_equal(mac, wish, 6);
	/* Refused where the administrator has assigned one: that one is used. */
	n = bed_nic_up(b, 2, &cfg);
	ix_nic_mac(n->nic, mac);
	assert_memory_equal(mac, bed_mac[2], 6);
}

/* A PF that knows API versions up to hook_arg only. */
static bool old_pf(struct bed_nic *n, uint32_t off, uint32_t *val)
{
	static uint32_t version;

	if (off == VF_MBMEM(1))
		version = *val;
	if (off == VF_MAILBOX && *val == VF_MB_REQ) {
		uint32_t op = veb_mmio_read(n->bed->veb, n->vf, 0, VF_MBMEM(0), 0);

		if (op == VF_OP_API_NEGOTIATE && version > n->hook_arg) {
			veb_mmio_write(n->bed->veb, n->vf, 0, VF_MBMEM(0), 0x77, 0);
			veb_mmio_write(n->bed->veb, n->vf, 0, VF_MAILBOX, VF_MB_REQ, 0);
			veb_mmio_write(n->bed->veb, n->vf, 0, VF_MBMEM(0),
				       op | VF_MSG_NACK | VF_MSG_CTS, 0);
			return false;
		}
	}
	return true;
}

static void drv_11_api_ladder(void **state)
{
	static const uint32_t ladder[] = {VF_API_13, VF_API_12, VF_API_11, VF_API_10};
	static const uint32_t encoding[] = {4, 3, 2, 0};
	struct ix_nic_config cfg;
	uint32_t op[64], w1[64];

	(void)state;
	bed_nic_config(&cfg);
	cfg.nqueues = 2;
	for (unsigned top = 0; top < 4; top++) {
		struct bed *b = bed_new(NULL);
		struct bed_nic *n = bed_nic_new(b, 0, &cfg);
		unsigned count, asked = 0;

		n->on_write = old_pf;
		n->hook_arg = ladder[top];
		assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
		count = requests(n, op, w1, 64);
		for (unsigned i = 0; i < count; i++)
			if (op[i] == VF_OP_API_NEGOTIATE)
				assert_int_equal(w1[i], encoding[asked++]);
		assert_int_equal(asked, top + 1);
		/* 1.0 cannot tell the number of queues: one. */
		assert_int_equal(ix_nic_nqueues(n->nic), top == 3 ? 1 : 2);
		assert_int_equal(last_request(n, VF_OP_GET_QUEUES, NULL), top != 3);
		assert_int_equal(last_request(n, VF_OP_UPDATE_XCAST, NULL), top < 2);
		bed_free(b);
	}
}

static uint32_t queues_reply(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if ((off == VF_MBMEM(1) || off == VF_MBMEM(2)) &&
	    (veb_mmio_read(n->bed->veb, n->vf, 0, VF_MBMEM(0), 0) & 0xffff) == VF_OP_GET_QUEUES)
		return off == VF_MBMEM(1) ? n->hook_arg & 0xff : n->hook_arg >> 8;
	return val;
}

static void drv_12_number_of_queues_is_clamped(void **state)
{
	static const struct {
		uint32_t tx, rx, want, got;
	} cases[] = {
	    {0, 0, 4, 4}, {1, 4, 4, 1},   {4, 2, 4, 2}, {3, 3, 4, 2},
	    {8, 8, 4, 4}, {99, 99, 2, 2}, {4, 4, 1, 1}, {4, 0, 2, 2},
	};
	struct ix_nic_config cfg;

	(void)state;
	bed_nic_config(&cfg);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = bed_new(NULL);
		struct bed_nic *n;

		cfg.nqueues = cases[i].want;
		n = bed_nic_new(b, 0, &cfg);
		n->on_read = queues_reply;
		n->hook_arg = cases[i].tx | cases[i].rx << 8;
		assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
		assert_int_equal(ix_nic_nqueues(n->nic), cases[i].got);
		bed_free(b);
	}
}

static void drv_13_frame_size_is_set_before_rx(void **state)
{
	struct veb_config veb = {.nvfs = 2, .max_frame = 1518};
	struct ix_nic_config cfg;
	struct bed_nic *n = bed_nic_up(*state, 0, NULL);
	struct bed *b;
	uint32_t w1;
	int lpe = written(n, 0, VF_MBMEM(0), VF_OP_SET_LPE);

	assert_int_equal(last_request(n, VF_OP_SET_LPE, &w1), 1);
	assert_int_equal(w1, 1518);
	assert_in_range(lpe, 0, find(n, 0, true, VF_RXDCTL(0), VF_DCTL_ENABLE, VF_DCTL_ENABLE));
	/* A PF that refuses jumbo frames turns RX off: ask for a standard frame then. */
	b = bed_new(&veb);
	bed_nic_config(&cfg);
	cfg.max_frame = 9018;
	n = bed_nic_up(b, 0, &cfg);
	assert_int_equal(last_request(n, VF_OP_SET_LPE, &w1), 2);
	assert_int_equal(w1, 1518);
	assert_works(n, bed_nic_up(b, 1, &cfg));
	bed_free(b);
}

static uint32_t silent_pf(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off == VF_MAILBOX && n->hook_arg)
		return val & ~VF_MB_PFSTS;
	return val;
}

static void drv_14_timeout_ends_in_a_reset(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);
	struct ix_nic_stats s;
	uint64_t before = b->now_ns;

	n->on_read = silent_pf;
	n->hook_arg = 1;
	assert_int_equal(ix_nic_start(n->nic, 1500000), -ETIMEDOUT);
	assert_in_range(b->now_ns - before, 1500000000ull, 1600000000ull); /* bounded */
	ix_nic_stats(n->nic, &s);
	assert_int_equal(s.mbx_timeouts, 1);
	assert_true(last_request(n, VF_OP_RESET, NULL) >= 2);
	n->hook_arg = 0;
	assert_true(bed_nic_run(n, 3000000, 100) & IX_NIC_EV_UP);
	bed_nic_fill(n, 0);
	/* And while running. */
	n->hook_arg = 1;
	ix_nic_set_filter(n->nic, IX_NIC_ALLMULTI, NULL, 0);
	assert_true(bed_nic_run(n, 1100000, 1000) & IX_NIC_EV_DOWN);
	n->hook_arg = 0;
	for (int i = 0; i < 100 && !ix_nic_running(n->nic); i++) {
		bed_nic_run(n, 100000, 1000);
		done(n, 0);
	}
	assert_works(n, bed_nic_up(b, 1, NULL));
}

static uint32_t toggle_cts(struct bed_nic *n, uint32_t off, uint32_t val)
{
	(void)n;
	/* Replies with CTS set or not are the same reply (but for VF_RESET). */
	if (off == VF_MBMEM(0) && (val & VF_MSG_ACK) && (val & 0xffff) != VF_OP_RESET)
		return val & ~VF_MSG_CTS;
	return val;
}

static void drv_15_cts_is_no_part_of_a_reply(void **state)
{
	struct bed_nic *n = bed_nic_new(*state, 0, NULL);

	n->on_read = toggle_cts;
	assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
}

static void drv_16_queue_registers_are_rewritten(void **state)
{
	struct bed *b = *state;
	struct ix_nic_config cfg;
	struct bed_nic *n;

	bed_nic_config(&cfg);
	cfg.nqueues = 2;
	n = bed_nic_up(b, 0, &cfg);
	for (int round = 0; round < 3; round++) {
		int from = find(n, 0, true, VF_CTRL, VF_CTRL_RST, ~0u);

		for (unsigned q = 0; q < 2; q++) {
			assert_true(find(n, from, true, VF_RDBAL(q), 0, 0) > 0);
			assert_true(find(n, from, true, VF_RDBAH(q), 0, 0) > 0);
			assert_true(written(n, from, VF_RDLEN(q), 256 * 16) > 0);
			assert_true(written(n, from, VF_RDH(q), 0) > 0);
			assert_true(written(n, from, VF_RDT(q), 0) > 0);
			assert_true(find(n, from, true, VF_SRRCTL(q), 0, 0) > 0);
			assert_true(find(n, from, true, VF_TDBAL(q), 0, 0) > 0);
			assert_true(written(n, from, VF_TDLEN(q), 256 * 16) > 0);
			assert_true(written(n, from, VF_TDWBAL(q), 0) > 0);
			assert_true(written(n, from, VF_TDWBAH(q), 0) > 0);
			assert_true(find(n, from, true, VF_DCA_TXCTRL(q), 0, 1 << 11) > 0);
			assert_true(written(n, from, VF_TDH(q), 0) > 0);
		}
		/* A reset that leaves junk in them. */
		bed_wr(b, 0, VF_TDWBAL(0), 0x1001);
		n->nlog = 0;
		veb_revoke(b->veb, 0, b->now_ns);
		for (int i = 0; i < 100; i++) {
			ix_nic_control(n->nic);
			done(n, 0);
			done(n, 1);
			b->now_ns += 100000;
		}
		assert_true(ix_nic_running(n->nic));
	}
}

static void drv_17_ring_alignment(void **state)
{
	struct ix_nic_config cfg;

	(void)state;
	for (uint32_t size = 64; size <= 4096; size *= 2) {
		struct bed *b = bed_new(NULL);
		struct bed_nic *n;

		bed_nic_config(&cfg);
		cfg.rx_ring = cfg.tx_ring = size;
		cfg.nqueues = 4;
		n = bed_nic_new(b, 0, &cfg);
		assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
		for (unsigned q = 0; q < 4; q++) {
			assert_int_equal(n->nic->queue[q]->rx_dma % 128, 0);
			assert_int_equal(n->nic->queue[q]->tx_dma % 128, 0);
			assert_int_equal(bed_rd(b, 0, VF_RDLEN(q)), 16 * size);
			assert_int_equal(bed_rd(b, 0, VF_TDLEN(q)), 16 * size);
		}
		bed_free(b);
	}
	/* Configurations that are not valid. */
	bed_nic_config(&cfg);
	cfg.rx_ring = 100;
	assert_int_equal(ix_nic_mem_size(&cfg), 0);
	cfg.rx_ring = 8192;
	assert_int_equal(ix_nic_mem_size(&cfg), 0);
	bed_nic_config(&cfg);
	cfg.nqueues = 3;
	assert_int_equal(ix_nic_mem_size(&cfg), 0);
	bed_nic_config(&cfg);
	cfg.rx_buf_size = 3000;
	assert_int_equal(ix_nic_mem_size(&cfg), 0);
}

/* ENABLE reads 0 for some time after it was set. */
static uint32_t slow_enable(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if ((off == VF_RXDCTL(0) || off == VF_TXDCTL(0)) && (val & VF_DCTL_ENABLE) &&
	    n->hook_count && n->hook_count--)
		return val & ~VF_DCTL_ENABLE;
	return val;
}

static void drv_18_tail_follows_enable(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);
	int on, tail;

	bed_nic_fill(n, 0); /* posted before the queue runs */
	assert_int_equal(n->nlog, 0);
	n->on_read = slow_enable;
	n->hook_count = 10;
	assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
	assert_int_equal(n->hook_count, 0);
	on = find(n, 0, false, VF_RXDCTL(0), VF_DCTL_ENABLE, VF_DCTL_ENABLE);
	for (unsigned i = 0; i < 10; i++)
		done(n, 0);
	tail = written(n, 0, VF_RDT(0), 255);
	assert_true(on > 0 && tail > on);
	assert_int_equal(bed_rd(b, 0, VF_RDT(0)), 255);
	/* It never comes: that is an error, and is tried again. */
	n = bed_nic_new(b, 1, NULL);
	n->on_read = slow_enable;
	n->hook_count = 1000000;
	assert_int_equal(ix_nic_start(n->nic, 100000), -ETIMEDOUT);
	n->hook_count = 0;
	assert_int_equal(ix_nic_start(n->nic, 20000000), 0);
}

static void drv_19_receive_control(void **state)
{
	struct ix_nic_config cfg;

	(void)state;
	for (uint32_t size = 2048; size <= 16384; size *= 2) {
		struct bed *b = bed_new(NULL);
		uint32_t v;

		bed_nic_config(&cfg);
		cfg.rx_buf_size = size;
		bed_nic_up(b, 0, &cfg);
		v = bed_rd(b, 0, VF_SRRCTL(0));
		assert_int_equal(v >> 25 & 7, 1);
		assert_true((v & 0x1f) * 1024 <= size && (v & 0x1f));
		assert_true(v & VF_SRRCTL_DROP);
		bed_free(b);
	}
}

static void drv_20_header_address_is_zero(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];

	for (int i = 0; i < 600; i++) /* more than twice round */
		assert_works(peer, n);
	for (uint32_t p = q->rx_next; p != q->rx_posted; p++)
		assert_int_equal(q->rx_desc[p & q->rx_mask].q[1], 0);
}

static void drv_21_tail_never_meets_head(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	struct ix_nic_buf buf = {bed_ptr(b, 0, BED_GPA(0) + 4096), BED_GPA(0) + 4096};
	uint8_t f[64];
	unsigned sent = 0;

	assert_int_equal(ix_nic_rx_room(q), 0);
	assert_int_equal(ix_nic_rx_post(q, &buf, 1), 0);
	assert_int_equal(q->rx_posted - q->rx_next, 255);
	/* TX: the device is off, so the ring fills. */
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 64);
	while (send_one(n, 0, f, 64, sent))
		sent++;
	assert_in_range(sent, 240, 255);
	assert_true(q->tx_tail - q->tx_clean <= 255);
	assert_int_not_equal(bed_rd(b, 0, VF_TDT(0)), bed_rd(b, 0, VF_TDH(0)));
	assert_int_equal(done(n, 0), 0);
	bed_wr(b, 0, VF_TXDCTL(0), VF_DCTL_ENABLE);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 0);
	bed_wr(b, 0, VF_TDT(0), bed_rd(b, 0, VF_TDT(0)));
	assert_int_equal(done(n, 0), sent);
}

static void drv_22_receive_believes_dd_only_where_posted(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	struct ix_nic_rx rx[512];

	/* Length without DD: not there yet. */
	q->rx_desc[0].q[1] = 100ull << VF_RX_LEN_SHIFT | VF_RX_EOP;
	assert_int_equal(ix_nic_rx_burst(q, rx, 1), 0);
	assert_int_equal(ix_nic_rx_waiting(q), 0);
	/* A device that says DD everywhere, and lies about the length. */
	for (unsigned i = 0; i < 256; i++)
		q->rx_desc[i].q[1] = 100ull << VF_RX_LEN_SHIFT | VF_RX_EOP | VF_RX_DD;
	q->rx_desc[3].q[1] = 0xffffull << VF_RX_LEN_SHIFT | VF_RX_EOP | VF_RX_DD;
	q->rx_desc[4].q[1] = VF_RX_EOP | VF_RX_DD;
	assert_int_equal(ix_nic_rx_waiting(q), 255);
	assert_int_equal(ix_nic_rx_burst(q, rx, 512), 253);
	assert_int_equal(ix_nic_rx_waiting(q), 0);
	assert_int_equal(q->stats.rx_errors, 2);
	for (unsigned i = 0; i < 253; i++)
		assert_int_equal(rx[i].len, 100);
}

static void drv_23_chains_and_errors_are_dropped(void **state)
{
	static const unsigned bits[] = {24, 25, 27, 28, 29};
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	static uint8_t f[5000];
	struct ix_nic_rx rx[8];
	uint32_t held = q->rx_posted - q->rx_next, slot;

	bed_eth(f, bed_mac[0], bed_mac[1], 0x88b5, 5000);
	assert_int_equal(send_one(peer, 0, f, 5000, 0), 1);
	assert_int_equal(send_one(peer, 0, f, 100, 0), 1);
	assert_int_equal(ix_nic_rx_burst(q, rx, 8), 1); /* the good one behind it */
	assert_int_equal(rx[0].len, 100);
	assert_memory_equal(rx[0].va, f, 100);
	assert_int_equal(q->stats.rx_chained, 1);
	assert_int_equal(q->rx_posted - q->rx_next, held - 1); /* buffers went back */
	for (unsigned i = 0; i < 5; i++) {
		slot = q->rx_next & q->rx_mask;
		assert_int_equal(send_one(peer, 0, f, 100, 0), 1);
		q->rx_desc[slot].q[1] |= 1ull << bits[i];
		assert_int_equal(ix_nic_rx_burst(q, rx, 8), 0);
		assert_int_equal(q->stats.rx_errors, i + 1);
	}
	assert_int_equal(q->rx_posted - q->rx_next, held - 1);
	assert_works(peer, n);
}

static void drv_24_checksum_status(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	struct ix_nic_rx rx;
	uint8_t f[200];
	uint32_t len = bed_ip4(f, bed_mac[1], bed_mac[0], 6, 1, 2, 50, 0);

	assert_int_equal(veb_wire_input(b->veb, f, len, 0), 1);
	assert_int_equal(ix_nic_rx_burst(q, &rx, 1), 1);
	assert_int_equal(rx.flags,
			 IX_NIC_RX_IP_OK | IX_NIC_RX_L4_OK | IX_NIC_RX_HASH | IX_NIC_RX_HASH4);
	f[70] ^= 1; /* payload */
	veb_wire_input(b->veb, f, len, 0);
	assert_int_equal(ix_nic_rx_burst(q, &rx, 1), 1);
	assert_int_equal(rx.flags, IX_NIC_RX_IP_OK | IX_NIC_RX_HASH | IX_NIC_RX_HASH4);
	f[70] ^= 1;
	f[22] ^= 1; /* TTL */
	veb_wire_input(b->veb, f, len, 0);
	assert_int_equal(ix_nic_rx_burst(q, &rx, 1), 1);
	assert_int_equal(rx.flags, IX_NIC_RX_HASH | IX_NIC_RX_HASH4);
	assert_int_equal(q->stats.rx_csum_bad, 2);
	/* From a neighbour that did not use offload: nothing is said, software has to look. */
	len = bed_ip4(f, bed_mac[1], bed_mac[0], 17, 1, 2, 50, 0);
	send_one(bed_nic_up(b, 0, NULL), 0, f, len, 0);
	assert_int_equal(ix_nic_rx_burst(q, &rx, 1), 1);
	assert_int_equal(rx.flags, IX_NIC_RX_HASH | IX_NIC_RX_LOCAL);
}

static void drv_25_transmit_descriptors(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	static uint8_t f[60000];
	uint64_t gpa, cookies[16];
	uint8_t *mem = bed_alloc(b, 0, sizeof(f), &gpa);
	struct veb_vf_stats s;

	/* Every mix of offloads, cut into pieces: the frames on the wire must be right. */
	for (unsigned i = 0; i < 200; i++) {
		bool tcp = i % 3, tso = tcp && i % 5 == 0, csum = i % 7;
		uint32_t payload = tso ? 2000 + 200 * i : i * 7;
		uint32_t len = bed_ip4(f, bed_mac[1], bed_mac[0], tcp ? 6 : 17, 1000 + i, 80,
				       payload, i),
			 off = 0;
		uint32_t cut[4] = {54, 14 + i % 100, 1 + i, len}, frames = 0, bytes = 0;
		struct ix_nic_seg seg[4];
		struct ix_nic_tx tx = {.seg = seg, .cookie = i, .l3_len = 20, .l4_len = 20};

		memcpy(mem, f, len);
		for (; off < len; tx.nseg++) {
			uint32_t part = cut[tx.nseg] < len - off ? cut[tx.nseg] : len - off;

			seg[tx.nseg] = (struct ix_nic_seg){mem + off, gpa + off, part, 0};
			off += part;
		}
		if (csum || tso)
			tx.flags =
			    IX_NIC_TX_IP_CSUM | (tcp ? IX_NIC_TX_TCP_CSUM : IX_NIC_TX_UDP_CSUM);
		if (tso) {
			tx.flags |= IX_NIC_TX_TSO;
			tx.mss = 500 + i;
		}
		if (tx.flags)
			assert_int_equal(ix_nic_tx_prepare(&tx), 0);
		b->nwire = 0;
		assert_int_equal(ix_nic_tx_burst(q, &tx, 1), 1);
		for (; frames < b->nwire && frames < BED_WIRE_MAX; frames++) {
			assert_true(bed_ip4_sum_ok(b->wire[frames].data));
			assert_true(bed_l4_sum_ok(b->wire[frames].data));
			bytes += b->wire[frames].data[16] << 8 | b->wire[frames].data[17];
		}
		if (tso && b->nwire <= BED_WIRE_MAX)
			assert_int_equal(bytes, payload + 40 * b->nwire);
		if (!tso)
			assert_memory_equal(b->wire[0].data, f, len);
		assert_int_equal(ix_nic_tx_done(q, cookies, 16), 1);
		assert_int_equal(cookies[0], i);
	}
	/* TSO of three bytes: padding is not payload. */
	{
		uint32_t len = bed_ip4(mem, bed_mac[1], bed_mac[0], 6, 1, 2, 3, 9);
		struct ix_nic_seg seg = {mem, gpa, len, 0};
		struct ix_nic_tx tx = {.seg = &seg,
				       .nseg = 1,
				       .flags =
					   IX_NIC_TX_IP_CSUM | IX_NIC_TX_TCP_CSUM | IX_NIC_TX_TSO,
				       .mss = 1000,
				       .l3_len = 20,
				       .l4_len = 20};

		ix_nic_tx_prepare(&tx);
		b->nwire = 0;
		assert_int_equal(ix_nic_tx_burst(q, &tx, 1), 1);
		assert_int_equal(b->wire[0].data[17], 43);
		assert_true(bed_l4_sum_ok(b->wire[0].data));
		assert_int_equal(ix_nic_tx_done(q, cookies, 16), 1);
	}
	veb_vf_stats(b->veb, 0, &s);
	assert_int_equal(s.tx_malformed, 0); /* the model checks PAYLEN, contexts, order */
	assert_int_equal(s.dma_faults, 0);
	/* CC on the first descriptor of each packet; contexts never inside one. */
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	for (unsigned i = 0; i < 20; i++)
		send_one(n, 0, f, 60 + i, 0);
	{
		bool inside = false;

		for (uint32_t p = q->tx_clean; p != q->tx_tail; p++) {
			uint64_t w1 = q->tx_desc[p & q->tx_mask].q[1];

			if ((w1 >> 20 & 15) == 2) {
				assert_false(inside);
				continue;
			}
			assert_int_equal(w1 >> 20 & 15, 3);
			if (!inside)
				assert_true(w1 & VF_TX_CC);
			inside = !(w1 & VF_TX_EOP);
		}
		assert_false(inside);
	}
}

static void drv_25b_invalid_packets_are_refused(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	uint64_t gpa, cookies[32];
	uint8_t *mem = bed_alloc(b, 0, 65536, &gpa);
	struct ix_nic_seg seg[IX_NIC_MAX_SEGS + 1], empty = {mem, gpa, 0, 0};
	struct ix_nic_tx bad[] = {
	    {.seg = seg, .nseg = 0},
	    {.seg = seg, .nseg = IX_NIC_MAX_SEGS + 1},
	    {.seg = &empty, .nseg = 1},
	    {.seg = seg, .nseg = 1, .flags = IX_NIC_TX_TSO, .mss = 500, .l3_len = 20, .l4_len = 20},
	    {.seg = seg,
	     .nseg = 1,
	     .flags = IX_NIC_TX_TSO | IX_NIC_TX_TCP_CSUM | IX_NIC_TX_IP_CSUM,
	     .l3_len = 20,
	     .l4_len = 20}, /* no MSS */
	    {.seg = seg, .nseg = 1, .flags = IX_NIC_TX_TCP_CSUM, .l3_len = 500},
	    {.seg = seg, .nseg = 1, .flags = IX_NIC_TX_IP_CSUM},
	    {.seg = seg, .nseg = 1, .l2_len = 10},
	    {.seg = seg, .nseg = 1, .l2_len = 200},
	};
	unsigned count = sizeof(bad) / sizeof(bad[0]);
	struct veb_vf_stats s;

	for (unsigned i = 0; i <= IX_NIC_MAX_SEGS; i++)
		seg[i] = (struct ix_nic_seg){mem, gpa, 400, 0};
	bed_eth(mem, bed_mac[1], bed_mac[0], 0x88b5, 400);
	assert_int_equal(ix_nic_tx_burst(q, bad, count), count);
	assert_int_equal(q->stats.tx_invalid, count);
	assert_int_equal(ix_nic_tx_done(q, cookies, 32), count); /* memory comes back */
	assert_int_equal(send_one(n, 0, mem, 100, 5), 1);        /* and good ones still go */
	assert_int_equal(ix_nic_tx_done(q, cookies, 32), 1);
	veb_vf_stats(b->veb, 0, &s);
	assert_int_equal(s.tx_malformed + s.dma_faults, 0);
	assert_int_equal(s.tx_packets, 1);
}

static void drv_26_completion_by_dd(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	struct ix_nic_seg seg[64];
	struct ix_nic_tx tx[64];
	uint64_t gpa, cookies[64];
	uint8_t *mem = bed_alloc(b, 0, 4096, &gpa);
	int from = n->nlog;

	assert_int_equal(bed_rd(b, 0, VF_TXDCTL(0)) >> 16 & 0x7f, 0); /* WTHRESH */
	bed_eth(mem, bed_mac[1], bed_mac[0], 0x88b5, 100);
	for (unsigned i = 0; i < 64; i++) {
		seg[i] = (struct ix_nic_seg){mem, gpa, 100, 0};
		tx[i] = (struct ix_nic_tx){.seg = &seg[i], .nseg = 1, .cookie = 1000 + i};
	}
	assert_int_equal(ix_nic_tx_burst(q, tx, 64), 64);
	assert_int_equal(find(n, from + 1, true, VF_TDT(0), 0, 0), -1); /* one doorbell */
	assert_int_equal(ix_nic_tx_done(q, cookies, 10), 10);
	assert_int_equal(cookies[9], 1009);
	assert_int_equal(ix_nic_tx_done(q, cookies, 64), 54);
	assert_int_equal(cookies[53], 1063);
	/* Last of a burst always reports; within it every 16 descriptors at the latest. */
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	assert_int_equal(ix_nic_tx_burst(q, tx, 64), 64);
	{
		unsigned since = 0;
		uint64_t w1 = 0;

		for (uint32_t p = q->tx_clean; p != q->tx_tail; p++) {
			w1 = q->tx_desc[p & q->tx_mask].q[1];
			since = w1 & VF_TX_RS ? 0 : since + 1;
			assert_true(since < 17);
			if (w1 & VF_TX_RS)
				assert_true(w1 & VF_TX_EOP);
		}
		assert_true(w1 & VF_TX_RS);
	}
}

static void drv_27_short_frames_are_padded(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);
	uint8_t f[60], zero[60] = {0};

	for (uint32_t len = 14; len < 60; len++) {
		bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, len);
		b->nwire = 0;
		assert_int_equal(send_one(n, 0, f, len, 0), 1);
		assert_int_equal(b->nwire, 1);
		assert_int_equal(b->wire[0].len, 60);
		assert_memory_equal(b->wire[0].data, f, len);
		assert_memory_equal(b->wire[0].data + len, zero, 60 - len);
		done(n, 0);
	}
	/* By descriptors of the driver's own, not only by the grace of the device. */
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	assert_int_equal(send_one(n, 0, f, 20, 0), 1);
	{
		struct ix_nic_queue *q = n->nic->queue[0];
		uint64_t sum = 0;

		for (uint32_t p = q->tx_clean; p != q->tx_tail; p++)
			if ((q->tx_desc[p & q->tx_mask].q[1] >> 20 & 15) == 3)
				sum += q->tx_desc[p & q->tx_mask].q[1] & 0xffff;
		assert_int_equal(sum, 60);
	}
	/* The address to send from is the one granted: others are dropped by the spoof check. */
	{
		uint8_t mac[6];

		ix_nic_mac(n->nic, mac);
		assert_memory_equal(mac, bed_mac[0], 6);
	}
}

static void drv_28_queue_of_a_flow(void **state)
{
	struct ix_nic_config cfg;

	(void)state;
	for (unsigned nq = 1; nq <= 4; nq *= 2) {
		struct bed *b = bed_new(NULL);
		struct bed_nic *n, *peer = bed_nic_up(b, 0, NULL);
		const struct ix_rss *rss;

		bed_nic_config(&cfg);
		cfg.nqueues = nq;
		n = bed_nic_up(b, 1, &cfg);
		assert_int_equal(bed_rd(b, 1, VF_PSRTYPE) >> 29, nq == 4 ? 2 : nq - 1);
		rss = ix_nic_rss(n->nic);
		assert_non_null(rss);
		assert_true(ix_nic_caps(n->nic) & IX_NIC_CAP_RSS_INFO);
		for (unsigned port = 0; port < 100; port++) {
			uint8_t f[200];
			struct ix_nic_rx rx;
			uint32_t len =
			    bed_ip4(f, bed_mac[1], bed_mac[0], 6, 80, 5000 + port, 20, 0);
			uint32_t hash = ix_toeplitz_flow4(&rss->toeplitz, 0x0a000010, 0x0a000011,
							  80, 5000 + port);

			send_one(peer, 0, f, len, 0);
			done(peer, 0);
			assert_int_equal(
			    ix_nic_rx_burst(ix_nic_queue(n->nic, ix_rss_queue(rss, hash)), &rx, 1),
			    1);
			assert_int_equal(rx.hash, hash);
		}
		/* A port chosen so that the answer comes to the last queue. */
		for (unsigned i = 0; i < 20; i++) {
			uint16_t port = ix_rss_local_port(rss, 0x0a000011, 0x0a000010, 80, nq - 1,
							  49152, 16384, i * 100);
			uint8_t f[200];
			struct ix_nic_rx rx;

			send_one(peer, 0, f, bed_ip4(f, bed_mac[1], bed_mac[0], 6, 80, port, 5, 0),
				 0);
			done(peer, 0);
			assert_int_equal(ix_nic_rx_burst(ix_nic_queue(n->nic, nq - 1), &rx, 1), 1);
		}
		/* A PF that does not tell. */
		veb_set_rss_query(b->veb, 2, false);
		assert_null(ix_nic_rss(bed_nic_up(b, 2, &cfg)->nic));
		bed_free(b);
	}
}

/* A value that depends on the set of buffers posted, each of which must lie in its descriptor. */
static uint64_t posted_set(const struct ix_nic_queue *q)
{
	uint64_t sum = 0;

	for (uint32_t p = q->rx_next; p != q->rx_posted; p++) {
		uint64_t dma = q->rx_buf[p & q->rx_mask].dma;

		assert_int_equal(q->rx_desc[p & q->rx_mask].q[0], dma);
		sum += dma * dma >> 8;
	}
	return sum;
}

static void drv_29_recovers_from_resets(void **state)
{
	struct bed *b = *state;
	struct ix_nic_config cfg;
	struct bed_nic *n[2];
	struct ix_nic_stats s;

	bed_nic_config(&cfg);
	cfg.nqueues = 2;
	n[0] = bed_nic_up(b, 0, &cfg);
	n[1] = bed_nic_up(b, 1, &cfg);
	for (int round = 0; round < 30; round++) {
		struct ix_nic_queue *q0 = n[0]->nic->queue[0];
		uint32_t events = 0, held = q0->rx_posted - q0->rx_next;
		uint64_t set = posted_set(q0);

		for (int i = 0; i <= round % 9; i++) /* the rings are not at slot 0 */
			assert_works(n[0], n[1]);
		b->now_ns += 100000000;
		ix_nic_control(n[0]->nic); /* reads the counters */
		if (round % 3 == 0) {      /* PF down and up */
			veb_pf_reset_begin(b->veb, b->now_ns);
			for (int i = 0; i < round; i++)
				events |= bed_nic_run(n[0], 100, 100) | bed_nic_run(n[1], 100, 100);
			veb_pf_reset_end(b->veb, b->now_ns);
		} else if (round % 3 == 1) { /* CTS taken away */
			veb_revoke(b->veb, 0, b->now_ns);
			veb_revoke(b->veb, 1, b->now_ns);
		} else { /* the same amid a request */
			ix_nic_set_filter(n[0]->nic, round, NULL, 0);
			ix_nic_control(n[0]->nic);
			veb_revoke(b->veb, 0, b->now_ns);
		}
		/* Packets on their way are completed or counted as aborted, never forgotten. */
		{
			uint8_t f[64];

			bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 64);
			send_one(n[0], 0, f, 64, 42);
		}
		for (int i = 0; i < 200; i++) {
			struct ix_nic_rx rx;

			events |= ix_nic_control(n[0]->nic) | ix_nic_control(n[1]->nic);
			for (int k = 0; k < 2; k++)
				for (int q = 0; q < 2; q++) {
					struct ix_nic_queue *qp = ix_nic_queue(n[k]->nic, q);

					done(n[k], q);
					if (ix_nic_rx_burst(qp, &rx, 1)) {
						struct ix_nic_buf buf = {rx.va, rx.dma};

						ix_nic_rx_post(qp, &buf, 1);
					}
				}
			b->now_ns += 100000;
		}
		assert_true(events & IX_NIC_EV_DOWN);
		assert_true(events & IX_NIC_EV_UP);
		assert_int_equal(q0->pkt_head, q0->pkt_tail);
		assert_int_equal(q0->rx_posted - q0->rx_next, held);
		assert_int_equal(posted_set(q0), set);
	}
	assert_works(n[0], n[1]);
	ix_nic_stats(n[0]->nic, &s);
	assert_int_equal(s.resets, 31);
	assert_true(s.rx_packets >= 30 && s.rx_packets < 1000);
	/* In the first round the device was off and nobody had noticed when a packet was handed over. */
	assert_true(n[0]->nic->queue[0]->stats.tx_aborted >= 1);
}

static void drv_29b_waits_for_queue_owners(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);
	uint32_t next = n->nic->queue[0]->rx_next;
	uint8_t f[64];

	bed_eth(f, bed_mac[0], bed_mac[1], 0x88b5, 64);
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_one(peer, 0, f, 64, i), 1);
	/* Nobody polls the queue: its rings are not touched and the device stays down. */
	veb_revoke(b->veb, 0, b->now_ns);
	assert_int_equal(bed_nic_run(n, 100000, 100) & IX_NIC_EV_UP, 0);
	assert_int_equal(n->nic->queue[0]->rx_next, next);
	assert_int_equal(bed_rd(b, 0, VF_RXDCTL(0)) & VF_DCTL_ENABLE, 0);
	done(n, 0);
	assert_true(bed_nic_run(n, 1000, 100) & IX_NIC_EV_UP);
	assert_int_equal(n->nic->queue[0]->stats.rx_aborted, 3); /* received, and not fetched */
	assert_works(n, peer);
}

static uint32_t flapping_link(struct bed_nic *n, uint32_t off, uint32_t val)
{
	if (off == VF_LINKS && n->hook_arg && n->hook_count++ % 3 == 0)
		return val & ~VF_LINKS_UP;
	return val;
}

static void drv_30_link(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_new(b, 0, NULL);

	n->on_read = flapping_link;
	n->hook_arg = 1;
	assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
	bed_nic_run(n, 10000, 200); /* never up long enough */
	assert_false(ix_nic_link(n->nic).up);
	n->hook_arg = 0;
	assert_true(bed_nic_run(n, 2000, 200) & IX_NIC_EV_LINK);
	assert_true(ix_nic_link(n->nic).up);
	assert_int_equal(ix_nic_link(n->nic).mbps, 10000);
	/* Loss and return. */
	veb_set_link(b->veb, 0, b->now_ns);
	assert_int_equal(bed_nic_run(n, 1000, 500), IX_NIC_EV_LINK);
	assert_false(ix_nic_link(n->nic).up);
	veb_set_link(b->veb, 1000, b->now_ns);
	assert_int_equal(bed_nic_run(n, 5000, 500), IX_NIC_EV_LINK);
	assert_int_equal(ix_nic_link(n->nic).mbps, 1000);
	/* The administrator's switch. */
	veb_set_vf_link(b->veb, 0, false, b->now_ns);
	assert_int_equal(bed_nic_run(n, 5000, 500), IX_NIC_EV_LINK);
	assert_false(ix_nic_link(n->nic).up);
	veb_set_vf_link(b->veb, 0, true, b->now_ns);
	assert_int_equal(bed_nic_run(n, 5000, 500), IX_NIC_EV_LINK);
	assert_true(ix_nic_link(n->nic).up);
}

/* On a software VF each access is a VM exit: two for each look, seven more for the counters, which
 * have time. */
static void drv_30b_looks_after_a_quiet_device_cheaply(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL);

	n->nlog = 0;
	for (int i = 0; i < 100; i++) {
		b->now_ns += 10000000;
		assert_int_equal(ix_nic_control(n->nic) & ~IX_NIC_EV_LINK, 0);
	}
	assert_in_range(n->nlog, 200, 200 + 11 * 7);
}

static uint32_t removed(struct bed_nic *n, uint32_t off, uint32_t val)
{
	(void)off;
	return n->hook_arg ? ~0u : val;
}

static void drv_device_removed(void **state)
{
	struct bed_nic *n = bed_nic_up(*state, 0, NULL);

	n->on_read = removed;
	n->hook_arg = 1;
	assert_true(bed_nic_run(n, 100, 10) & IX_NIC_EV_GONE);
	assert_int_equal(ix_nic_start(n->nic, 1000), -ENODEV);
	assert_int_equal(ix_nic_control(n->nic), 0);
	ix_nic_stop(n->nic);
}

static void drv_rx_doorbells_in_steps(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	uint64_t before;
	uint32_t last = q->rx_told;

	n->nlog = 0;
	before = q->stats.rx_doorbells;
	for (int i = 0; i < 1000; i++)
		assert_works(peer, n);
	assert_in_range(q->stats.rx_doorbells - before, 1, 1000 / IX_NIC_RX_STEP + 1);
	for (unsigned i = 0; i < n->nlog; i++)
		if (n->log[i].write && n->log[i].off == VF_RDT(0)) {
			assert_true(((n->log[i].val - last) & 255) >= IX_NIC_RX_STEP);
			last = n->log[i].val;
		}
	/* Starved: what there is is told at once. */
	{
		struct ix_nic_rx rx[256];
		struct ix_nic_buf buf;
		uint8_t f[64];
		unsigned got = 0;

		bed_eth(f, bed_mac[0], bed_mac[1], 0x88b5, 64);
		for (unsigned i = 0; i < 300; i++) {
			send_one(peer, 0, f, 64, 0);
			done(peer, 0);
			got += ix_nic_rx_burst(q, rx + got, 1);
		}
		assert_int_equal(got, 255);
		buf = (struct ix_nic_buf){rx[0].va, rx[0].dma};
		assert_int_equal(ix_nic_rx_post(q, &buf, 1), 1);
		assert_int_equal(bed_rd(b, 0, VF_RDT(0)), q->rx_posted & 255);
	}
}

static void drv_multicast_and_promiscuous(void **state)
{
	static const uint8_t groups[3][6] = {
	    {1, 0, 0x5e, 0, 0, 1}, {1, 0, 0x5e, 1, 2, 3}, {0x33, 0x33, 0, 0, 0, 9}};
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q = n->nic->queue[0];
	struct ix_nic_rx rx[4];
	uint8_t f[64];
	uint32_t w1;

	bed_eth(f, groups[1], bed_mac[1], 0x88b5, 64);
	send_one(peer, 0, f, 64, 0);
	assert_int_equal(ix_nic_rx_burst(q, rx, 4), 0);
	assert_int_equal(ix_nic_set_filter(n->nic, 0, groups, 3), 0);
	bed_nic_run(n, 1000, 100);
	for (int i = 0; i < 3; i++) {
		memcpy(f, groups[i], 6);
		send_one(peer, 0, f, 64, 0);
		assert_int_equal(ix_nic_rx_burst(q, rx, 4), 1);
	}
	assert_int_equal(ix_nic_set_filter(n->nic, IX_NIC_PROMISC, NULL, 0), 0);
	bed_nic_run(n, 1000, 100);
	last_request(n, VF_OP_UPDATE_XCAST, &w1);
	assert_int_equal(w1, VF_XCAST_PROMISC); /* asked; the PF lowers it */
	assert_true(ix_nic_running(n->nic));
	assert_int_equal(ix_nic_set_filter(n->nic, 0, groups, 31), -ENOSPC);
}

static void drv_interrupts_for_idle_cores(void **state)
{
	struct bed *b = *state;
	struct ix_nic_config cfg;
	struct bed_nic *n, *peer = bed_nic_up(b, 1, NULL);
	struct ix_nic_queue *q;
	struct ix_nic_rx rx[64];
	uint8_t f[64];

	bed_nic_config(&cfg);
	n = bed_nic_up(b, 0, &cfg);
	q = ix_nic_queue(n->nic, 0);
	assert_int_equal(ix_nic_irq_arm(q), -EOPNOTSUPP);
	assert_int_equal(ix_nic_irq_setup(q, 0xfee01000, 0x51), 0);
	bed_eth(f, bed_mac[0], bed_mac[1], 0x88b5, 64);
	send_one(peer, 0, f, 64, 0); /* polling: no interrupt */
	assert_int_equal(b->nmsi, 0);
	assert_int_equal(ix_nic_rx_burst(q, rx, 64), 1);
	assert_int_equal(ix_nic_irq_arm(q), 0); /* the cause was remembered: fires, once */
	assert_int_equal(b->nmsi, 1);
	b->now_ns += 1000000;
	assert_int_equal(ix_nic_irq_arm(q), 0);
	assert_int_equal(b->nmsi, 1);
	for (int i = 0; i < 5; i++)
		send_one(peer, 0, f, 64, 0);
	assert_int_equal(b->nmsi, 2);
	assert_int_equal(b->msi[1].addr, 0xfee01000);
	assert_int_equal(b->msi[1].data, 0x51);
	assert_int_equal(ix_nic_rx_waiting(q), 5);
	assert_int_equal(ix_nic_rx_burst(q, rx, 64), 5);
	b->now_ns += 1000000;
	assert_int_equal(ix_nic_irq_arm(q), 0);
	b->now_ns += 1000000;
	veb_poll(b->veb, b->now_ns);
	assert_int_equal(ix_nic_irq_disarm(q), 0);
	b->nmsi = 0;
	send_one(peer, 0, f, 64, 0);
	assert_int_equal(b->nmsi, 0);
	/* It survives a reset of the device. */
	veb_revoke(b->veb, 0, b->now_ns);
	for (int i = 0; i < 50; i++) {
		done(n, 0);
		ix_nic_control(n->nic);
		b->now_ns += 100000;
	}
	assert_true(ix_nic_running(n->nic));
	assert_int_equal(ix_nic_irq_arm(q), 0);
	send_one(peer, 0, f, 64, 0);
	assert_int_equal(b->nmsi, 1);
}

static void drv_stop_and_start_again(void **state)
{
	struct bed *b = *state;
	struct bed_nic *n = bed_nic_up(b, 0, NULL), *peer = bed_nic_up(b, 1, NULL);

	for (int i = 0; i < 20; i++) {
		assert_works(n, peer);
		ix_nic_stop(n->nic);
		assert_int_equal(bed_rd(b, 0, VF_RXDCTL(0)) & VF_DCTL_ENABLE, 0);
		assert_int_equal(ix_nic_control(n->nic), IX_NIC_EV_DOWN);
		assert_int_equal(ix_nic_rx_room(ix_nic_queue(n->nic, 0)), 255);
		b->used[0] = BED_MEM / 2;
		assert_int_equal(ix_nic_start(n->nic, 3000000), 0);
		bed_nic_fill(n, 0);
	}
	assert_works(n, peer);
}

static void drv_probe(void **state)
{
	(void)state;
	assert_int_equal(ix_nic_probe(0x8086, 0x10ed), IX_NIC_VF82599);
	assert_int_equal(ix_nic_probe(0x8086, 0x100e), IX_NIC_E1000);
	assert_int_equal(ix_nic_probe(0x8086, 0x152e), IX_NIC_NONE); /* Hyper-V: no mailbox */
	assert_int_equal(ix_nic_probe(0x1af4, 0x10ed), IX_NIC_NONE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(drv_01_aligned_accesses_inside_the_bar),
	    T(drv_02_bus_master_on),
	    T(drv_03_interrupts_masked_before_reset),
	    T(drv_04_queues_disabled_before_reset),
	    T(drv_05_waits_for_the_pf),
	    T(drv_06_keeps_bits_that_clear_on_read),
	    T(drv_07_writes_messages_only_with_vfu),
	    T(drv_08_stale_status_is_flushed),
	    T(drv_09_reset_reply_ack_and_nack),
	    T(drv_10_local_mac_when_none_is_granted),
	    T(drv_11_api_ladder),
	    T(drv_12_number_of_queues_is_clamped),
	    T(drv_13_frame_size_is_set_before_rx),
	    T(drv_14_timeout_ends_in_a_reset),
	    T(drv_15_cts_is_no_part_of_a_reply),
	    T(drv_16_queue_registers_are_rewritten),
	    T(drv_17_ring_alignment),
	    T(drv_18_tail_follows_enable),
	    T(drv_19_receive_control),
	    T(drv_20_header_address_is_zero),
	    T(drv_21_tail_never_meets_head),
	    T(drv_22_receive_believes_dd_only_where_posted),
	    T(drv_23_chains_and_errors_are_dropped),
	    T(drv_24_checksum_status),
	    T(drv_25_transmit_descriptors),
	    T(drv_25b_invalid_packets_are_refused),
	    T(drv_26_completion_by_dd),
	    T(drv_27_short_frames_are_padded),
	    T(drv_28_queue_of_a_flow),
	    T(drv_29_recovers_from_resets),
	    T(drv_29b_waits_for_queue_owners),
	    T(drv_30_link),
	    T(drv_30b_looks_after_a_quiet_device_cheaply),
	    T(drv_device_removed),
	    T(drv_rx_doorbells_in_steps),
	    T(drv_multicast_and_promiscuous),
	    T(drv_interrupts_for_idle_cores),
	    T(drv_stop_and_start_again),
	    T(drv_probe),
	};

	return cmocka_run_group_tests_name("nic_driver", tests, NULL, NULL);
}
