// SPDX-License-Identifier: MIT
/* The 82599 model against its conformance checklist: docs/nic.md, model_NN is item NN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/nic_bed.h"

#define CTS  VF_MSG_CTS
#define ACK  VF_MSG_ACK
#define NACK VF_MSG_NACK

static const uint8_t bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

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

static uint32_t call(struct bed *b, unsigned vf, uint32_t w0, uint32_t w1, uint32_t *reply)
{
	uint32_t msg[16] = {w0, w1};

	bed_mbx(b, vf, msg, 5);
	if (reply)
		memcpy(reply, msg, sizeof(msg));
	return msg[0];
}

static struct veb_vf_stats stats(struct bed *b, unsigned vf)
{
	struct veb_vf_stats s;

	assert_int_equal(veb_vf_stats(b->veb, vf, &s), 0);
	return s;
}

/* Enables MSI-X with message data 0x40 + vector, all vectors unmasked. */
static void msix_on(struct bed *b, unsigned vf)
{
	for (unsigned n = 0; n < 3; n++) {
		veb_mmio_write(b->veb, vf, 3, 16 * n, 0xfee00000, 0);
		veb_mmio_write(b->veb, vf, 3, 16 * n + 8, 0x40 + n, 0);
		veb_mmio_write(b->veb, vf, 3, 16 * n + 12, 0, 0);
	}
	veb_cfg_write(b->veb, vf, 0x72, 2, 0x8000, 0);
}

static void model_01_configuration_space(void **state)
{
	struct bed *b = *state;
	struct veb *v = b->veb;
	uint64_t base;

	assert_int_equal(veb_cfg_read(v, 0, 0, 4), 0x10ed8086);
	assert_int_equal(veb_cfg_read(v, 0, 8, 4), 0x02000001);
	assert_int_equal(veb_cfg_read(v, 0, 0xe, 1), 0);
	assert_int_equal(veb_cfg_read(v, 0, 0x3d, 1), 0); /* no INTx */
	for (unsigned bar = 0; bar < 6; bar++)
		veb_cfg_write(v, 0, 0x10 + 4 * bar, 4, ~0u, 0);
	assert_int_equal(veb_cfg_read(v, 0, 0x10, 4), 0xffffc004);
	assert_int_equal(veb_cfg_read(v, 0, 0x14, 4), 0xffffffff);
	assert_int_equal(veb_cfg_read(v, 0, 0x18, 4), 0);
	assert_int_equal(veb_cfg_read(v, 0, 0x1c, 4), 0xffffc004);
	assert_int_equal(veb_cfg_read(v, 0, 0x20, 4), 0xffffffff);
	assert_int_equal(veb_cfg_read(v, 0, 0x24, 4), 0);
	assert_int_equal(veb_cfg_read(v, 0, 0x30, 4), 0); /* no ROM */
	veb_set_bar(v, 0, 3, 0x1234567c000, true);
	assert_true(veb_bar(v, 0, 3, &base));
	assert_int_equal(base, 0x1234567c000);

	assert_true(veb_cfg_read(v, 0, 6, 2) & 0x10);
	assert_int_equal(veb_cfg_read(v, 0, 0x34, 1), 0x70);
	assert_int_equal(veb_cfg_read(v, 0, 0x70, 2), 0xa011);
	assert_int_equal(veb_cfg_read(v, 0, 0x72, 2), 2); /* 3 vectors */
	assert_int_equal(veb_cfg_read(v, 0, 0x74, 4), 3);
	assert_int_equal(veb_cfg_read(v, 0, 0x78, 4), 0x2003);
	assert_int_equal(veb_cfg_read(v, 0, 0xa0, 2), 0x10);
	assert_true(veb_cfg_read(v, 0, 0xa4, 4) & 1u << 28); /* FLR */
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(veb_mmio_read(v, 0, 3, 16 * n + 12, 0), 1);
	/* Accesses that do not exist. */
	assert_int_equal(veb_cfg_read(v, 0, 2, 4), ~0u);
	assert_int_equal(veb_cfg_read(v, 99, 0, 4), ~0u);
	assert_int_equal(veb_cfg_read(v, 0, 0x100, 4), 0);
	assert_int_equal(veb_mmio_read(v, 99, 0, 8, 0), 0);
	assert_int_equal(veb_mmio_read(v, 0, 0, 0x4000, 0), 0);
	assert_int_equal(veb_mmio_read(v, 0, 1, 0, 0), 0);
}

static void model_02_no_register_reads_all_ones(void **state)
{
	struct bed *b = *state;

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t off = 0; off < VEB_BAR_LEN; off += 4) {
			uint32_t in = off & 0x3f;
			bool high = (off >= 0x1000 && off < 0x2200 &&
				     (in == 4 || in == 0x38 || in == 0x3c)) ||
				    (off >= 0x200 && off < 0x240);

			/* High halves of addresses and mailbox memory hold what was written. */
			if (!high || pass == 0)
				assert_int_not_equal(bed_rd(b, 0, off), ~0u);
		}
		for (uint32_t off = 0; off < VEB_BAR_LEN; off += 4)
			if (off != VF_MAILBOX)
				bed_wr(b, 0, off, ~0u);
	}
}

static void model_03_reset_bit(void **state)
{
	struct bed *b = *state;
	uint8_t mac[6];

	bed_hello(b, 0);
	bed_wr(b, 0, VF_RDLEN(1), 0x1000);
	for (unsigned q = 0; q < 8; q++) {
		bed_wr(b, 0, VF_RXDCTL(q), VF_DCTL_ENABLE);
		bed_wr(b, 0, VF_TXDCTL(q), VF_DCTL_ENABLE);
	}
	bed_wr(b, 0, VF_EIAM, 7);
	bed_wr(b, 0, VF_EICS, 7);
	bed_wr(b, 0, VF_EIMS, 4);
	bed_wr(b, 0, VF_CTRL, VF_CTRL_RST);
	assert_int_equal(bed_rd(b, 0, VF_CTRL), 0);
	for (unsigned q = 0; q < 8; q++) {
		assert_int_equal(bed_rd(b, 0, VF_RXDCTL(q)) & VF_DCTL_ENABLE, 0);
		assert_int_equal(bed_rd(b, 0, VF_TXDCTL(q)) & VF_DCTL_ENABLE, 0);
	}
	assert_int_equal(bed_rd(b, 0, VF_EIMS), 0);
	assert_int_equal(bed_rd(b, 0, VF_EICR), 0);
	assert_int_equal(bed_rd(b, 0, VF_EIAM), 0);
	assert_int_equal(bed_rd(b, 0, VF_RDLEN(1)), 0x1000); /* rings are kept */
	veb_vf_mac(b->veb, 0, mac);
	assert_memory_equal(mac, bed_mac[0], 6);
}

static void model_04_reset_notice_bits(void **state)
{
	struct bed *b = *state;

	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & (VF_MB_RSTI | VF_MB_RSTD), 0);
	veb_pf_reset_begin(b->veb, 0);
	assert_true(bed_rd(b, 0, VF_MAILBOX) & VF_MB_RSTI);
	assert_true(bed_rd(b, 0, VF_MAILBOX) & VF_MB_RSTI); /* not cleared by reading */
	veb_flr(b->veb, 0);
	assert_true(bed_rd(b, 0, VF_MAILBOX) & VF_MB_RSTI); /* nor by FLR */
	veb_pf_reset_end(b->veb, 0);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & (VF_MB_RSTI | VF_MB_RSTD), VF_MB_RSTD);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & (VF_MB_RSTI | VF_MB_RSTD), 0);
}

static void model_05_status_bits_clear_on_read(void **state)
{
	struct bed *b = *state;

	bed_wr(b, 0, VF_MBMEM(0), VF_OP_RESET);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), VF_MB_PFSTS | VF_MB_PFACK);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), 0);
	/* Writing them back does nothing. */
	bed_wr(b, 0, VF_MAILBOX, VF_MB_PFSTS | VF_MB_PFACK | VF_MB_RSTI | VF_MB_RSTD | VF_MB_PFU);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), 0);
}

static void model_06_memory_ownership(void **state)
{
	struct bed *b = *state;

	bed_wr(b, 0, VF_MAILBOX, VF_MB_VFU);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), VF_MB_VFU);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & VF_MB_VFU, 0);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_VFU);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & VF_MB_VFU, 0);
	/* While the VF writes there, no notice gets into its way. */
	bed_hello(b, 0);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_VFU);
	bed_wr(b, 0, VF_MBMEM(0), 0x1234);
	veb_set_link(b->veb, 0, 0);
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), 0x1234);
	bed_wr(b, 0, VF_MAILBOX, 0);
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), VF_OP_PF_CONTROL | CTS);
}

static void model_07_req_and_ack_read_zero(void **state)
{
	struct bed *b = *state;

	bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ | VF_MB_ACK);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX) & (VF_MB_REQ | VF_MB_ACK), 0);
}

static void model_08_message_memory_is_shared_and_persists(void **state)
{
	struct bed *b = *state;
	uint32_t r[16];

	bed_hello(b, 0);
	call(b, 0, VF_OP_GET_QUEUES, 0, r);
	assert_int_equal(r[0], VF_OP_GET_QUEUES | ACK | CTS);
	/* What a link check long after finds there. */
	bed_wr(b, 0, VF_MAILBOX, VF_MB_VFU);
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), VF_OP_GET_QUEUES | ACK | CTS);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), 0);
}

static void model_09_reset_reply(void **state)
{
	struct bed *b = *state;
	static const uint8_t none[6];
	uint32_t r[16];

	assert_int_equal(call(b, 0, VF_OP_RESET, 0, r), VF_OP_RESET | ACK);
	assert_memory_equal(&r[1], bed_mac[0], 6);
	assert_int_equal(r[3], 0);
	assert_int_equal(call(b, 0, VF_OP_SET_LPE, 1518, NULL), VF_OP_SET_LPE | ACK | CTS);
	/* Without an assigned address: refused, but CTS is granted. */
	veb_set_mac(b->veb, 1, none, 0);
	assert_int_equal(call(b, 1, VF_OP_RESET, 0, r), VF_OP_RESET | NACK);
	assert_int_equal(call(b, 1, VF_OP_SET_LPE, 1518, NULL), VF_OP_SET_LPE | ACK | CTS);
}

static void model_10_requests_before_reset_are_refused(void **state)
{
	struct bed *b = *state;
	uint32_t msg[16] = {VF_OP_SET_LPE, 1518};

	bed_mbx(b, 0, msg, 2);
	assert_int_equal(msg[0], VF_OP_SET_LPE | NACK);
	/* The acknowledgement of that is answered by a lone NACK, as by a Linux PF. */
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), NACK);
	/* A message that is an answer is taken and not answered. */
	bed_wr(b, 0, VF_MBMEM(0), VF_OP_RESET | ACK);
	bed_rd(b, 0, VF_MAILBOX);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), VF_MB_PFACK);
}

static void model_11_api_versions(void **state)
{
	static const bool accepted[12] = {
	    [0] = true, [2] = true, [3] = true, [4] = true, [5] = true};
	struct bed *b = *state;

	bed_hello(b, 0);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(call(b, 0, VF_OP_API_NEGOTIATE, i, NULL),
				 VF_OP_API_NEGOTIATE | CTS | (accepted[i] ? ACK : NACK));
}

static void model_12_every_request_is_answered_at_once(void **state)
{
	struct bed *b = *state;

	bed_hello(b, 0);
	for (uint32_t op = 2; op < 0x200; op++) {
		bed_wr(b, 0, VF_MAILBOX, VF_MB_VFU);
		bed_wr(b, 0, VF_MBMEM(0), op);
		bed_wr(b, 0, VF_MAILBOX, VF_MB_REQ);
		assert_int_equal(bed_rd(b, 0, VF_MAILBOX), VF_MB_PFSTS | VF_MB_PFACK);
		assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)) & (0xffff | CTS), op | CTS);
		assert_true(bed_rd(b, 0, VF_MBMEM(0)) & (ACK | NACK));
		if (op > 0x10 || op == 7 || (op >= 0xd && op < 0x10))
			assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), op | NACK | CTS);
		bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
		assert_int_equal(bed_rd(b, 0, VF_MAILBOX), 0);
	}
}

/* Sends TCP/IPv4 frames of many flows from function 0 to 1 and returns how many came per queue. */
static void spread(struct bed *b, unsigned rqpl, unsigned hits[4])
{
	struct bed_ring tx, rx[4];
	uint8_t f[256];

	bed_tx_ring(b, 0, 0, 512, &tx);
	for (unsigned q = 0; q < 4; q++)
		bed_rx_ring(b, 1, q, 256, &rx[q]);
	bed_wr(b, 1, VF_PSRTYPE, rqpl << VF_PSRTYPE_RQPL);
	memset(hits, 0, 4 * sizeof(*hits));
	for (unsigned i = 0; i < 200; i++) {
		uint32_t len = bed_ip4(f, bed_mac[1], bed_mac[0], 6, 1000 + i, 80, 20, i), hash;
		struct ix_toeplitz t;

		bed_send(b, 0, 0, &tx, f, len);
		ix_toeplitz_init(&t, ix_rss_default_key);
		hash = ix_toeplitz_flow4(&t, 0x0a000010, 0x0a000011, 1000 + i, 80);
		for (unsigned q = 0; q < 4; q++) {
			uint32_t head = bed_rd(b, 1, VF_RDH(q));

			if (head != hits[q]) {
				hits[q] = head;
				assert_int_equal(rx[q].desc[head - 1].q[0] >> 32, hash);
				assert_int_equal(rx[q].desc[head - 1].q[0] & 15, VF_RSSTYPE_TCP4);
				assert_int_equal(q, hash % 128 % 4 & ((1u << rqpl) - 1));
			}
		}
	}
	assert_int_equal(hits[0] + hits[1] + hits[2] + hits[3], 200);
}

static void model_13_queues(void **state)
{
	struct bed *b = *state;
	unsigned hits[4];
	uint32_t r[16];

	bed_hello(b, 0);
	bed_hello(b, 1);
	assert_int_equal(call(b, 1, VF_OP_GET_QUEUES, 0, r), VF_OP_GET_QUEUES | ACK | CTS);
	assert_int_equal(r[1], 4);
	assert_int_equal(r[2], 4);
	assert_int_equal(r[3], 0);
	assert_int_equal(r[4], 0);
	spread(b, 1, hits);
	assert_in_range(hits[0], 60, 140);
	assert_in_range(hits[1], 60, 140);
	spread(b, 2, hits);
	for (unsigned q = 0; q < 4; q++)
		assert_in_range(hits[q], 20, 80);
	spread(b, 0, hits);
	assert_int_equal(hits[0], 200);
	/* API 1.0 does not know the question. */
	call(b, 1, VF_OP_API_NEGOTIATE, VF_API_10, NULL);
	assert_int_equal(call(b, 1, VF_OP_GET_QUEUES, 0, r), VF_OP_GET_QUEUES | NACK | CTS);
}

static void model_14_vlan_echo_and_xcast_mode(void **state)
{
	struct bed *b = *state;
	uint32_t r[16];

	bed_hello(b, 0);
	assert_int_equal(call(b, 0, VF_OP_SET_VLAN | 1 << 16, 5, NULL) & ~(CTS | 0xff0000),
			 VF_OP_SET_VLAN | ACK);
	assert_int_equal(call(b, 0, VF_OP_SET_VLAN, 0, NULL) & ~CTS, VF_OP_SET_VLAN | ACK);
	assert_int_equal(call(b, 0, VF_OP_SET_VLAN | 1 << 16, 4096, NULL) & (ACK | NACK), NACK);
	assert_int_equal(call(b, 0, VF_OP_UPDATE_XCAST, 1, r) & ~CTS, VF_OP_UPDATE_XCAST | ACK);
	assert_int_equal(r[1], 1);
	call(b, 0, VF_OP_UPDATE_XCAST, 2, r);
	assert_int_equal(r[1], 1); /* lowered: not trusted */
	veb_set_trust(b->veb, 0, true);
	call(b, 0, VF_OP_UPDATE_XCAST, 2, r);
	assert_int_equal(r[1], 2);
	assert_true(call(b, 0, VF_OP_UPDATE_XCAST, 3, r) & NACK); /* 82599: no promiscuous VF */
}

static void model_15_notice_of_link_changes(void **state)
{
	struct bed *b = *state;

	bed_hello(b, 0);
	msix_on(b, 0);
	bed_wr(b, 0, VF_IVAR_MISC, VF_IVAR_VALID | 2);
	bed_wr(b, 0, VF_EIMS, 4);
	b->nmsi = 0;
	assert_int_equal(bed_rd(b, 0, VF_LINKS), VF_LINKS_UP | 3u << VF_LINKS_SPEED);
	veb_set_link(b->veb, 0, 0);
	assert_int_equal(bed_rd(b, 0, VF_LINKS), 0);
	assert_int_equal(b->nmsi, 1);
	assert_int_equal(b->msi[0].data, 0x42);
	assert_int_equal(bed_rd(b, 0, VF_MAILBOX), VF_MB_PFSTS);
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), VF_OP_PF_CONTROL | CTS);
	/* The next notice waits until this one is acknowledged. */
	veb_set_link(b->veb, 1000, 0);
	assert_int_equal(b->nmsi, 1);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
	assert_int_equal(b->nmsi, 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(bed_rd(b, 0, VF_LINKS), VF_LINKS_UP | 2u << VF_LINKS_SPEED);
	bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
	/* A notice without CTS: settings changed, start again. */
	veb_revoke(b->veb, 0, 0);
	assert_int_equal(bed_rd(b, 0, VF_MBMEM(0)), VF_OP_PF_CONTROL);
	assert_int_equal(veb_set_link(b->veb, 12345, 0), -EINVAL);
}

static void model_16_enable_reads_back(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	uint8_t f[64];

	bed_hello(b, 0);
	bed_hello(b, 1);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_rx_ring(b, 1, 0, 64, &rx);
	assert_true(bed_rd(b, 0, VF_TXDCTL(0)) & VF_DCTL_ENABLE);
	assert_true(bed_rd(b, 1, VF_RXDCTL(0)) & VF_DCTL_ENABLE);
	bed_wr(b, 1, VF_RXDCTL(0), VF_RXDCTL_VME);
	assert_int_equal(bed_rd(b, 1, VF_RXDCTL(0)), VF_RXDCTL_VME);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 64);
	bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 0); /* no DMA once it is off */
	assert_int_equal(stats(b, 1).rx_no_desc, 1);
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 2);
	assert_int_equal(stats(b, 0).tx_packets, 1);
}

static void model_17_register_masks(void **state)
{
	static const struct {
		uint32_t off, mask;
	} regs[] = {
	    {VF_RDBAL(0), 0xffffff80}, {VF_RDBAH(0), 0xffffffff}, {VF_RDLEN(0), 0xfff80},
	    {VF_RDT(0), 0xffff},       {VF_TDBAL(1), 0xffffff80}, {VF_TDBAH(1), 0xffffffff},
	    {VF_TDLEN(1), 0xfff80},    {VF_TDT(1), 0xffff},
	};
	static const uint32_t patterns[] = {0x5a5a5a5a, 0xa5a5a5a5, 0, 0xffffffff};
	struct bed *b = *state;
	struct bed_ring tx;
	uint8_t f[64];

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		for (unsigned p = 0; p < 4; p++) {
			bed_wr(b, 0, regs[i].off, patterns[p]);
			assert_int_equal(bed_rd(b, 0, regs[i].off), patterns[p] & regs[i].mask);
		}
	/* `ethtool -t` leaves junk like that and enables the queues. */
	bed_hello(b, 0);
	bed_hello(b, 1);
	for (unsigned q = 0; q < 8; q++) {
		bed_wr(b, 0, VF_RXDCTL(q), VF_DCTL_ENABLE);
		bed_wr(b, 0, VF_TXDCTL(q), VF_DCTL_ENABLE);
	}
	bed_wr(b, 0, VF_TDT(1), 5);
	bed_wr(b, 0, VF_SRRCTL(0), VF_SRRCTL_ADV | 2);
	bed_wr(b, 0, VF_RDT(0), 0x1234);
	bed_tx_ring(b, 1, 0, 64, &tx);
	bed_eth(f, bed_mac[0], bed_mac[1], 0x88b5, 64);
	bed_send(b, 1, 0, &tx, f, 64);
	assert_true(stats(b, 0).dma_faults >= 2);
	assert_int_equal(stats(b, 0).rx_packets, 0);
}

static void model_18_receive_writes_status_last(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	uint8_t f[64];

	bed_hello(b, 0);
	bed_hello(b, 1);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_rx_ring(b, 1, 0, 64, &rx);
	/* Old status in a descriptor that was given to the device: Linux leaves it there. */
	for (unsigned i = 0; i < 64; i++)
		rx.desc[i].q[1] = VF_RX_DD | VF_RX_EOP;
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 64);
	bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 1);
	assert_memory_equal(rx.buf, f, 64);
	assert_int_equal(rx.desc[0].q[1] >> VF_RX_LEN_SHIFT & 0xffff, 64);
	assert_int_equal(rx.desc[0].q[1] & 0xfffff, VF_RX_DD | VF_RX_EOP | VF_RX_LB);
	assert_int_equal(rx.desc[1].q[0], rx.buf_gpa + BED_BUF_SIZE); /* untouched */
}

static void model_19_long_frames_take_several_buffers(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	static uint8_t f[5000];
	uint32_t len = 5000;

	bed_hello(b, 0);
	bed_hello(b, 1);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_rx_ring(b, 1, 0, 8, &rx);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, len);
	bed_send(b, 0, 0, &tx, f, len);
	assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 3);
	assert_int_equal(rx.desc[0].q[1], (2048ull << 32) | VF_RX_DD);
	assert_int_equal(rx.desc[1].q[1], (2048ull << 32) | VF_RX_DD);
	assert_int_equal(rx.desc[2].q[1] & ~VF_RX_LB, (904ull << 32) | VF_RX_DD | VF_RX_EOP);
	assert_memory_equal(rx.buf, f, len); /* the buffers are adjacent */
	/* Five of eight descriptors are left less one: two frames of three do not fit whole. */
	bed_send(b, 0, 0, &tx, f, len);
	bed_send(b, 0, 0, &tx, f, len);
	assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 6);
	assert_int_equal(stats(b, 1).rx_no_desc, 1);
}

static void model_20_empty_ring_drops(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	uint8_t f[64];

	bed_hello(b, 0);
	bed_hello(b, 1);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_rx_ring(b, 1, 0, 8, &rx);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 64);
	for (unsigned i = 0; i < 20; i++)
		bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(stats(b, 1).rx_packets, 7);
	assert_int_equal(stats(b, 1).rx_no_desc, 13);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 40); /* the sender is not held up */
	rx.desc[7].q[0] = rx.buf_gpa;                  /* slot 7 is the device's again */
	bed_wr(b, 1, VF_RDT(0), 0);
	bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(stats(b, 1).rx_packets, 8);
	assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 0);
	bed_send(b, 0, 0, &tx, f, 64);
	assert_int_equal(stats(b, 1).rx_packets, 8);
}

static uint64_t from_wire(struct bed *b, struct bed_ring *rx, const uint8_t *f, uint32_t len)
{
	uint32_t head = bed_rd(b, 1, VF_RDH(0));

	assert_int_equal(veb_wire_input(b->veb, f, len, b->now_ns), 1);
	return rx->desc[head].q[1];
}

static void model_21_receive_offloads(void **state)
{
	const uint64_t all = VF_RX_IPCS | VF_RX_L4CS | VF_RX_UDPCS | VF_RX_ERR_IP | VF_RX_ERR_L4;
	struct bed *b = *state;
	struct bed_ring rx;
	uint8_t f[256];
	uint32_t len;
	uint64_t s;

	bed_hello(b, 1);
	bed_rx_ring(b, 1, 0, 64, &rx);
	len = bed_ip4(f, bed_mac[1], bed_mac[0], 6, 1, 2, 50, 0);
	assert_int_equal(from_wire(b, &rx, f, len) & all, VF_RX_IPCS | VF_RX_L4CS);
	assert_int_equal(rx.desc[0].q[0] & 0xffff,
			 VF_RX_PTYPE_IP4 | VF_RX_PTYPE_TCP | VF_RSSTYPE_TCP4);
	f[60] ^= 1;
	assert_int_equal(from_wire(b, &rx, f, len) & all, VF_RX_IPCS | VF_RX_L4CS | VF_RX_ERR_L4);
	f[60] ^= 1;
	f[22] ^= 1; /* TTL */
	assert_int_equal(from_wire(b, &rx, f, len) & all, VF_RX_IPCS | VF_RX_ERR_IP | VF_RX_L4CS);
	len = bed_ip4(f, bed_mac[1], bed_mac[0], 17, 1, 2, 51, 0);
	s = from_wire(b, &rx, f, len);
	assert_int_equal(s & all, VF_RX_IPCS | VF_RX_L4CS | VF_RX_UDPCS);
	/* UDP is spread by addresses only. */
	assert_int_equal(rx.desc[3].q[0] & 0xffff,
			 VF_RX_PTYPE_IP4 | VF_RX_PTYPE_UDP | VF_RSSTYPE_IP4);
	f[40] = f[41] = 0;
	assert_int_equal(from_wire(b, &rx, f, len) & all, VF_RX_IPCS); /* none was sent */
	/* A fragment: header only. */
	len = bed_ip4(f, bed_mac[1], bed_mac[0], 6, 1, 2, 50, 0);
	f[20] |= 0x20;
	s = from_wire(b, &rx, f, len);
	assert_int_equal(s & (VF_RX_IPCS | VF_RX_L4CS), VF_RX_IPCS);
	assert_int_equal(rx.desc[5].q[0] & 0xffff, VF_RX_PTYPE_IP4 | VF_RSSTYPE_IP4);
	/* IPv6 whose extension header is longer than the packet says it is: no more is believed. */
	memset(f, 0, sizeof(f));
	bed_eth(f, bed_mac[1], bed_mac[0], 0x86dd, 14);
	f[14] = 0x60;
	f[19] = 10; /* payload */
	f[55] = 8;  /* of which the hop-by-hop header takes 72, then TCP */
	f[54] = 6;
	s = from_wire(b, &rx, f, 200);
	assert_int_equal(s & all, 0);
	assert_int_equal(rx.desc[6].q[0] & 0xffff,
			 VF_RX_PTYPE_IP6 | VF_RX_PTYPE_IP6EXT | VF_RSSTYPE_IP6);
	/* No IP at all. */
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 60);
	assert_int_equal(from_wire(b, &rx, f, 60) & (all | VF_RX_LB), 0);
	assert_int_equal(rx.desc[7].q[0], 0);
}

/* Puts a context and one data descriptor of `len` bytes, lying in tx->buf, and rings. */
static void transmit(struct bed *b, struct bed_ring *tx, uint64_t ctx0, uint64_t ctx1, uint64_t cmd,
		     uint64_t payload, uint32_t len)
{
	uint32_t t = bed_rd(b, 0, VF_TDT(0)), first = (t + 1) % tx->size;

	tx->desc[t].q[0] = ctx0;
	tx->desc[t].q[1] = VF_TX_DEXT | VF_TX_CTX | ctx1;
	t = first;
	for (uint32_t off = 0; off < len; off += 16384) {
		uint32_t part = len - off < 16384 ? len - off : 16384;

		tx->desc[t].q[0] = tx->buf_gpa + off;
		tx->desc[t].q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | part;
		if (t == first)
			tx->desc[t].q[1] |= VF_TX_CC | cmd | payload << VF_TX_PAYLEN;
		if (off + part == len)
			tx->desc[t].q[1] |= VF_TX_EOP | VF_TX_RS;
		t = (t + 1) % tx->size;
	}
	bed_wr(b, 0, VF_TDT(0), t);
}

static void model_22_transmit_offloads(void **state)
{
	const uint64_t tcp = VF_CTX_IPV4 | VF_CTX_L4T_TCP, ctx0 = 14 << VF_CTX_MACLEN | 20;
	struct ix_nic_seg seg = {0};
	struct ix_nic_tx p = {.seg = &seg, .nseg = 1, .l3_len = 20, .l4_len = 20};
	struct bed *b = *state;
	struct bed_ring tx;
	static uint8_t f[70000];
	uint32_t len, seen = 0;

	bed_hello(b, 0);
	bed_tx_ring(b, 0, 0, 64, &tx);
	seg.va = tx.buf;
	/* Checksums: the same frame comes out that bed_ip4() made. */
	for (unsigned payload = 0; payload < 40; payload++) {
		uint8_t proto = payload % 2 ? 17 : 6;

		len = bed_ip4(f, bed_mac[1], bed_mac[0], proto, 1000, 80, payload, payload);
		memcpy(tx.buf, f, len);
		seg.len = len;
		p.flags =
		    IX_NIC_TX_IP_CSUM | (proto == 6 ? IX_NIC_TX_TCP_CSUM : IX_NIC_TX_UDP_CSUM);
		assert_int_equal(ix_nic_tx_prepare(&p), 0);
		b->nwire = 0;
		transmit(b, &tx, ctx0, proto == 6 ? tcp : VF_CTX_IPV4, VF_TX_IXSM | VF_TX_TXSM, len,
			 len);
		assert_int_equal(b->nwire, 1);
		assert_int_equal(b->wire[0].len, len < 60 ? 60 : len);
		assert_memory_equal(b->wire[0].data, f, len);
	}
	/* A UDP sum of 0 is sent as ones. */
	for (unsigned port = 0; port < 65536; port++) {
		len = bed_ip4(f, bed_mac[1], bed_mac[0], 17, port, 80, 20, 0);
		if (f[40] == 0xff && f[41] == 0xff)
			break;
	}
	assert_true(f[40] == 0xff && f[41] == 0xff);
	memcpy(tx.buf, f, len);
	seg.len = len;
	p.flags = IX_NIC_TX_IP_CSUM | IX_NIC_TX_UDP_CSUM;
	assert_int_equal(ix_nic_tx_prepare(&p), 0);
	b->nwire = 0;
	transmit(b, &tx, ctx0, VF_CTX_IPV4, VF_TX_IXSM | VF_TX_TXSM, len, len);
	assert_memory_equal(b->wire[0].data, f, len);
	/* Segmentation: every segment is a good frame, and together they are the whole. */
	len = bed_ip4(f, bed_mac[1], bed_mac[0], 6, 1000, 80, 40000, 7);
	memcpy(tx.buf, f, len);
	seg.len = len;
	p.flags = IX_NIC_TX_IP_CSUM | IX_NIC_TX_TCP_CSUM | IX_NIC_TX_TSO;
	p.mss = 1460;
	assert_int_equal(ix_nic_tx_prepare(&p), 0);
	b->nwire = 0;
	transmit(b, &tx, ctx0, tcp | 20ull << VF_CTX_L4LEN | 1460ull << VF_CTX_MSS,
		 VF_TX_IXSM | VF_TX_TXSM | VF_TX_TSE, 40000, len);
	assert_int_equal(b->nwire, 28);
	for (unsigned i = 0; i < 28; i++) {
		const uint8_t *w = b->wire[i].data;
		uint32_t part = 40000 - seen < 1460 ? 40000 - seen : 1460;
		uint32_t seq = (uint32_t)w[38] << 24 | w[39] << 16 | w[40] << 8 | w[41];

		assert_int_equal(b->wire[i].len, 54 + part);
		assert_true(bed_ip4_sum_ok(w));
		assert_true(bed_l4_sum_ok(w));
		assert_int_equal(w[16] << 8 | w[17], 40 + part);
		assert_int_equal(w[18] << 8 | w[19], 0x1234 + i);
		assert_int_equal(seq, 0x0102fff0 + seen);
		/* CWR in the first, PSH and FIN in the last, ACK in all. */
		assert_int_equal(w[47], 0x10 | (i == 0 ? 0x80 : 0) | (i == 27 ? 0x09 : 0));
		assert_memory_equal(w + 54, f + 54 + seen, part);
		seen += part;
	}
	assert_int_equal(seen, 40000);
	/* One segment keeps its flags. */
	b->nwire = 0;
	memcpy(tx.buf, f, 54 + 100);
	seg.len = 154;
	assert_int_equal(ix_nic_tx_prepare(&p), 0);
	transmit(b, &tx, ctx0, tcp | 20ull << VF_CTX_L4LEN | 1460ull << VF_CTX_MSS,
		 VF_TX_IXSM | VF_TX_TXSM | VF_TX_TSE, 100, 154);
	assert_int_equal(b->wire[0].data[47], 0x99);
	/* A tag inserted from the context. */
	bed_wr(b, 0, VF_CTRL, 0);
	call(b, 0, VF_OP_SET_VLAN | 1 << 16, 5, NULL);
	b->nwire = 0;
	bed_eth(tx.buf, bed_mac[1], bed_mac[0], 0x88b5, 100);
	transmit(b, &tx, 14 << VF_CTX_MACLEN | 0x2005 << VF_CTX_VLAN, 0, VF_TX_VLE, 100, 100);
	assert_int_equal(b->wire[0].len, 104);
	assert_memory_equal(b->wire[0].data + 12, "\x81\x00\x20\x05\x88\xb5", 6);
	assert_memory_equal(b->wire[0].data + 18, tx.buf + 14, 86);
}

static void model_23_completion(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx;
	uint64_t wb;
	uint32_t *head;

	bed_hello(b, 0);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_eth(tx.buf, bed_mac[1], bed_mac[0], 0x88b5, 100);
	transmit(b, &tx, 14 << VF_CTX_MACLEN, 0, 0, 100, 100);
	assert_int_equal(tx.desc[1].q[1], VF_TX_DD);
	assert_int_equal(tx.desc[0].q[1], VF_TX_DEXT | VF_TX_CTX); /* did not ask */
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 2);
	/* An empty descriptor between packets is passed and not reported. */
	tx.desc[2].q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_EOP | VF_TX_RS | VF_TX_IFCS;
	bed_wr(b, 0, VF_TDT(0), 3);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 3);
	assert_int_equal(tx.desc[2].q[1] & VF_TX_DD, 0);
	/* Head write-back takes the place of descriptor write-back. */
	head = bed_alloc(b, 0, 64, &wb);
	*head = 99;
	bed_wr(b, 0, VF_TDWBAH(0), wb >> 32);
	bed_wr(b, 0, VF_TDWBAL(0), (uint32_t)wb | 1);
	transmit(b, &tx, 14 << VF_CTX_MACLEN, 0, 0, 100, 100);
	assert_int_equal(*head, 5);
	assert_int_equal(tx.desc[4].q[1] & VF_TX_DD, 0);
	/* A packet whose end is not there yet waits for it. */
	tx.desc[5].q[0] = tx.buf_gpa;
	tx.desc[5].q[1] =
	    VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | VF_TX_CC | 100ull << VF_TX_PAYLEN | 60;
	bed_wr(b, 0, VF_TDT(0), 6);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 5);
	tx.desc[6].q[0] = tx.buf_gpa + 60;
	tx.desc[6].q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | VF_TX_EOP | VF_TX_RS | 40;
	bed_wr(b, 0, VF_TDT(0), 7);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 7);
	assert_int_equal(*head, 7);
	assert_int_equal(stats(b, 0).tx_packets, 3);
}

/* Each must stop the queue, leave everything else alone, and be undone by enabling it anew. */
static void model_24_bad_descriptors_stop_the_queue(void **state)
{
	const uint64_t data =
	    VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | VF_TX_EOP | VF_TX_RS | VF_TX_CC;
	const uint64_t len100 = data | 100ull << VF_TX_PAYLEN | 100;
	struct bed *b = *state;
	struct bed_ring tx;
	const struct {
		uint64_t addr, w1;
	} bad[] = {
	    {0, len100},                                             /* not the owner's memory */
	    {BED_GPA(1) + 4096, len100},                             /* another function's */
	    {UINT64_MAX - 50, len100},                               /* wraps */
	    {BED_GPA(0) + BED_MEM - 50, len100},                     /* runs out of it */
	    {BED_GPA(0) + 4096, len100 & ~VF_TX_DEXT},               /* legacy */
	    {BED_GPA(0) + 4096, len100 | 1ull << VF_TX_IDX_SHIFT},   /* context that is not there */
	    {BED_GPA(0) + 4096, len100 | 2ull << VF_TX_IDX_SHIFT},   /* context there is none of */
	    {BED_GPA(0) + 4096, data | 99ull << VF_TX_PAYLEN | 100}, /* PAYLEN is wrong */
	    {BED_GPA(0) + 4096, data | 16ull << VF_TX_PAYLEN | 16},  /* too short */
	    {BED_GPA(0) + 4096, len100 | VF_TX_TSE},                 /* TSO without a TCP context */
	    {BED_GPA(0) + 4096, len100 | VF_TX_IXSM},                /* IPLEN 0 */
	    {BED_GPA(0) + 4096, data | 20000ull << VF_TX_PAYLEN | 20000}, /* over 16 KiB */
	};

	bed_hello(b, 0);
	bed_tx_ring(b, 0, 0, 64, &tx);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = stats(b, 0).dma_faults + stats(b, 0).tx_malformed;

		bed_wr(b, 0, VF_TXDCTL(0), 0);
		bed_wr(b, 0, VF_TDH(0), 0);
		bed_wr(b, 0, VF_TDT(0), 0);
		bed_wr(b, 0, VF_TXDCTL(0), VF_DCTL_ENABLE);
		tx.desc[0].q[0] = 14 << VF_CTX_MACLEN;
		tx.desc[0].q[1] = VF_TX_DEXT | VF_TX_CTX;
		tx.desc[1].q[0] = bad[i].addr;
		tx.desc[1].q[1] = bad[i].w1;
		b->nwire = 0;
		bed_wr(b, 0, VF_TDT(0), 2);
		assert_int_equal(stats(b, 0).dma_faults + stats(b, 0).tx_malformed, before + 1);
		assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 1);
		bed_wr(b, 0, VF_TDT(0), 3); /* dead: nothing more happens */
		assert_int_equal(stats(b, 0).dma_faults + stats(b, 0).tx_malformed, before + 1);
		assert_int_equal(b->nwire, 0);
	}
	/* A ring without any end of packet, and one of contexts only: bounded. */
	bed_wr(b, 0, VF_TXDCTL(0), 0);
	bed_wr(b, 0, VF_TXDCTL(0), VF_DCTL_ENABLE);
	for (unsigned i = 0; i < 64; i++) {
		tx.desc[i].q[0] = tx.buf_gpa;
		tx.desc[i].q[1] = (len100 & ~(VF_TX_EOP | VF_TX_RS));
	}
	bed_wr(b, 0, VF_TDT(0), 0);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), 1);
	/* TSO with one byte per segment, to everybody: cut into calls. */
	bed_tx_ring(b, 0, 1, 64, &tx);
	{
		uint32_t calls = 0, n = 54 + 16000;

		bed_ip4(tx.buf, bcast, bed_mac[0], 6, 1, 2, 16000, 0);
		tx.desc[0].q[0] = 14 << VF_CTX_MACLEN | 20;
		tx.desc[0].q[1] = VF_TX_DEXT | VF_TX_CTX | VF_CTX_IPV4 | VF_CTX_L4T_TCP |
				  20ull << VF_CTX_L4LEN | 1ull << VF_CTX_MSS;
		tx.desc[1].q[0] = tx.buf_gpa;
		tx.desc[1].q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_IFCS | VF_TX_EOP | VF_TX_RS |
				  VF_TX_CC | VF_TX_TSE | VF_TX_TXSM | 16000ull << VF_TX_PAYLEN | n;
		b->nwire = 0;
		assert_false(veb_busy(b->veb));
		bed_wr(b, 0, VF_TDT(1), 2);
		assert_in_range(b->nwire, 1, 1024);
		assert_int_equal(bed_rd(b, 0, VF_TDH(1)), 1);
		assert_true(veb_busy(b->veb));
		/* The doorbell of another ring goes on with it, too. */
		calls = b->nwire;
		bed_wr(b, 0, VF_TDT(0), 0);
		assert_true(b->nwire > calls);
		calls = 0;
		while (veb_poll(b->veb, b->now_ns) == b->now_ns)
			calls++;
		assert_in_range(calls, 8, 100);
		assert_int_equal(b->nwire, 16000);
		assert_int_equal(bed_rd(b, 0, VF_TDH(1)), 2);
		assert_false(veb_busy(b->veb));
	}
}

static void model_25_interrupt_causes_and_masks(void **state)
{
	struct bed *b = *state;

	msix_on(b, 0);
	bed_wr(b, 0, VF_EICS, 1); /* masked: remembered */
	assert_int_equal(b->nmsi, 0);
	bed_wr(b, 0, VF_EIMS, 1); /* and fired when unmasked */
	assert_int_equal(b->nmsi, 1);
	assert_int_equal(b->msi[0].data, 0x40);
	assert_int_equal(b->msi[0].addr, 0xfee00000);
	assert_int_equal(bed_rd(b, 0, VF_EICR), 0); /* cleared by firing */
	bed_wr(b, 0, VF_EICS, 1);
	assert_int_equal(b->nmsi, 2);
	bed_wr(b, 0, VF_EIAM, 2);
	bed_wr(b, 0, VF_EIMS, 2);
	bed_wr(b, 0, VF_EICS, 2);
	assert_int_equal(b->nmsi, 3);
	assert_int_equal(bed_rd(b, 0, VF_EIMS), 1); /* masked by firing */
	bed_wr(b, 0, VF_EIMC, 7);
	bed_wr(b, 0, VF_EIAM, 0);
	bed_wr(b, 0, VF_EICS, 5);
	bed_wr(b, 0, VF_EICR, 4); /* write 1 to clear */
	assert_int_equal(bed_rd(b, 0, VF_EICS), 1);
	assert_int_equal(bed_rd(b, 0, VF_EICR), 1); /* and read to clear */
	assert_int_equal(bed_rd(b, 0, VF_EICR), 0);
	assert_int_equal(b->nmsi, 3);
}

static void model_26_msix_masking(void **state)
{
	struct bed *b = *state;

	bed_wr(b, 0, VF_EIMS, 7);
	bed_wr(b, 0, VF_EICS, 1); /* MSI-X is off */
	assert_int_equal(b->nmsi, 0);
	assert_int_equal(veb_mmio_read(b->veb, 0, 3, 0x2000, 0), 1);
	msix_on(b, 0); /* on: delivered */
	assert_int_equal(b->nmsi, 1);
	assert_int_equal(veb_mmio_read(b->veb, 0, 3, 0x2000, 0), 0);
	veb_mmio_write(b->veb, 0, 3, 16 + 12, 1, 0);
	bed_wr(b, 0, VF_EICS, 2);
	assert_int_equal(veb_mmio_read(b->veb, 0, 3, 0x2000, 0), 2);
	veb_mmio_write(b->veb, 0, 3, 16 + 12, 0, 0);
	assert_int_equal(b->nmsi, 2);
	veb_cfg_write(b->veb, 0, 0x72, 2, 0xc000, 0); /* function mask */
	bed_wr(b, 0, VF_EICS, 7);
	assert_int_equal(veb_mmio_read(b->veb, 0, 3, 0x2000, 0), 7);
	bed_wr(b, 0, VF_PBACL, 4);
	veb_cfg_write(b->veb, 0, 0x72, 2, 0x8000, 0);
	assert_int_equal(b->nmsi, 4);
	veb_cfg_write(b->veb, 0, 4, 2, 2, 0); /* no bus master, no message */
	bed_wr(b, 0, VF_EICS, 1);
	assert_int_equal(b->nmsi, 4);
	veb_cfg_write(b->veb, 0, 4, 2, 6, 0);
	assert_int_equal(b->nmsi, 5);
}

static void model_27_throttling_loses_nothing(void **state)
{
	struct bed *b = *state;
	uint64_t at;

	msix_on(b, 0);
	bed_wr(b, 0, VF_EITR(0), 0x800000c8); /* 25 units of 2.048 us, as Linux writes it */
	bed_wr(b, 0, VF_EIMS, 7);
	bed_wr(b, 0, VF_EICS, 1);
	assert_int_equal(b->nmsi, 1);
	for (int i = 0; i < 10; i++) {
		b->now_ns += 1000;
		bed_wr(b, 0, VF_EICS, 1);
	}
	assert_int_equal(b->nmsi, 1);
	assert_true(veb_busy(b->veb));
	at = veb_next(b->veb, b->now_ns);
	assert_in_range(at, b->now_ns + 41000, b->now_ns + 41200);
	assert_int_equal(veb_poll(b->veb, at - 1), at);
	assert_int_equal(b->nmsi, 1);
	assert_int_equal(veb_poll(b->veb, at), UINT64_MAX);
	assert_int_equal(b->nmsi, 2);
	assert_false(veb_busy(b->veb));
	b->now_ns = at + 60000;
	bed_wr(b, 0, VF_EICS, 1); /* after the interval: at once */
	assert_int_equal(b->nmsi, 3);
	/* Vector 2 has no throttle; the VF's own ACK raises nothing. */
	bed_wr(b, 0, VF_IVAR_MISC, VF_IVAR_VALID | 2);
	bed_hello(b, 0);
	assert_int_equal(b->nmsi, 6);
	for (int i = 0; i < 100; i++)
		bed_wr(b, 0, VF_MAILBOX, VF_MB_ACK);
	assert_int_equal(b->nmsi, 6);
}

/* How many of functions 1..3 and the wire got a frame from function 0, as bits 1..3 and 0. */
static unsigned who_got(struct bed *b, struct bed_ring *tx, const uint8_t *f, uint32_t len)
{
	uint64_t before[BED_VFS];
	unsigned bits;

	for (unsigned i = 0; i < BED_VFS; i++)
		before[i] = stats(b, i).rx_packets;
	b->nwire = 0;
	bed_send(b, 0, 0, tx, f, len);
	bits = b->nwire;
	assert_int_equal(stats(b, 0).rx_packets, before[0]); /* never the sender itself */
	for (unsigned i = 1; i < BED_VFS; i++)
		bits |= (stats(b, i).rx_packets - before[i]) << i;
	return bits;
}

static void model_28_bridge_rules(void **state)
{
	static const uint8_t nobody[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1, 0, 0x5e, 1, 2, 3};
	struct bed *b = *state;
	struct bed_ring tx, rx[BED_VFS];
	uint8_t f[128], tagged[128];
	uint32_t mc[16] = {VF_OP_SET_MULTICAST | 1 << 16, 2 >> 4 | 3 << 4}, r[16];

	for (unsigned i = 0; i < BED_VFS; i++) {
		bed_hello(b, i);
		bed_rx_ring(b, i, 0, 128, &rx[i]);
	}
	bed_tx_ring(b, 0, 0, 128, &tx);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 100);
	assert_int_equal(who_got(b, &tx, f, 100), 2); /* local only */
	memcpy(f, nobody, 6);
	assert_int_equal(who_got(b, &tx, f, 100), 1); /* wire only */
	memcpy(f, bed_mac[0], 6);
	assert_int_equal(who_got(b, &tx, f, 100), 1); /* to oneself: no match */
	memcpy(f, bcast, 6);
	assert_int_equal(who_got(b, &tx, f, 100), 15);
	memcpy(f, group, 6);
	assert_int_equal(who_got(b, &tx, f, 100), 1);
	bed_mbx(b, 2, mc, 16);
	assert_int_equal(who_got(b, &tx, f, 100), 1 | 4);
	veb_set_trust(b->veb, 3, true);
	call(b, 3, VF_OP_UPDATE_XCAST, VF_XCAST_ALLMULTI, r);
	assert_int_equal(who_got(b, &tx, f, 100), 1 | 4 | 8);
	/* An additional unicast address of function 2. */
	veb_set_trust(b->veb, 2, true);
	memcpy(&r[1], nobody, 6);
	r[0] = VF_OP_SET_MACVLAN | 1 << 16;
	bed_mbx(b, 2, r, 3);
	assert_true(r[0] & ACK);
	memcpy(f, nobody, 6);
	assert_int_equal(who_got(b, &tx, f, 100), 4);
	r[0] = VF_OP_SET_MACVLAN | 2 << 16; /* taken by function 0: refused */
	memcpy(&r[1], bed_mac[0], 6);
	bed_mbx(b, 2, r, 3);
	assert_true(r[0] & NACK);
	/* Spoofed source: dropped, counted, completed. */
	memcpy(f, bed_mac[1], 6);
	f[11] ^= 0xff;
	assert_int_equal(who_got(b, &tx, f, 100), 0);
	assert_int_equal(stats(b, 0).tx_spoofed, 1);
	assert_int_equal(bed_rd(b, 0, VF_TDH(0)), bed_rd(b, 0, VF_TDT(0)));
	veb_set_spoof(b->veb, 0, false);
	assert_int_equal(who_got(b, &tx, f, 100), 2);
	veb_set_spoof(b->veb, 0, true);
	f[11] ^= 0xff;
	/* VLANs: only members, and only into VLANs of one's own. */
	bed_eth(tagged, bcast, bed_mac[0], 0x8100, 100);
	memcpy(tagged + 14, "\0\x05\x88\xb5", 4);
	assert_int_equal(who_got(b, &tx, tagged, 100), 0);
	assert_int_equal(stats(b, 0).tx_spoofed, 2);
	call(b, 0, VF_OP_SET_VLAN | 1 << 16, 5, NULL);
	assert_int_equal(who_got(b, &tx, tagged, 100), 1);
	call(b, 2, VF_OP_SET_VLAN | 1 << 16, 5, NULL);
	bed_wr(b, 2, VF_RXDCTL(0), VF_DCTL_ENABLE | VF_RXDCTL_VME);
	assert_int_equal(who_got(b, &tx, tagged, 100), 1 | 4);
	{
		uint32_t at = (bed_rd(b, 2, VF_RDH(0)) + 127) % 128;

		/* Stripped, and told. */
		assert_int_equal(rx[2].desc[at].q[1] >> 48, 5);
		assert_true(rx[2].desc[at].q[1] & VF_RX_VP);
		assert_int_equal(rx[2].desc[at].q[1] >> 32 & 0xffff, 96);
		assert_memory_equal(rx[2].buf + at * 2048 + 12, "\x88\xb5", 2);
		assert_memory_equal(rx[2].buf + at * 2048 + 14, tagged + 18, 82);
	}
	/* A port VLAN is forced on function 3 and hidden from it. */
	veb_set_port_vlan(b->veb, 3, 5, 0);
	bed_hello(b, 3);
	bed_wr(b, 3, VF_RXDCTL(0), VF_DCTL_ENABLE);
	assert_int_equal(who_got(b, &tx, tagged, 100), 1 | 4 | 8);
	{
		uint32_t at = (bed_rd(b, 3, VF_RDH(0)) + 127) % 128;

		assert_int_equal(rx[3].desc[at].q[1] & VF_RX_VP, 0);
		assert_int_equal(rx[3].desc[at].q[1] >> 32 & 0xffff, 96);
	}
	memcpy(f, bed_mac[3], 6);
	assert_int_equal(who_got(b, &tx, f, 100), 1); /* untagged does not get in */
	/* A function that is not set up, and a dead link, get nothing. */
	memcpy(f, bed_mac[1], 6);
	veb_flr(b->veb, 1);
	assert_int_equal(who_got(b, &tx, f, 100), 1);
	veb_set_link(b->veb, 0, 0);
	memcpy(f, bcast, 6);
	assert_int_equal(who_got(b, &tx, f, 100), 0);
	/* From the wire: the same filters. */
	veb_set_link(b->veb, 10000, 0);
	memcpy(f, bed_mac[2], 6);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 1);
	memcpy(f, nobody, 5);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 0);
	assert_int_equal(veb_wire_input(b->veb, f, 13, 0), 0);
}

static void model_29_counters(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	uint8_t f[100];

	bed_hello(b, 0);
	bed_hello(b, 1);
	bed_tx_ring(b, 0, 0, 64, &tx);
	bed_rx_ring(b, 1, 0, 64, &rx);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 100);
	bed_send(b, 0, 0, &tx, f, 100);
	bed_send(b, 0, 0, &tx, f, 20); /* padded to 60 */
	memcpy(f, bcast, 6);
	bed_send(b, 0, 0, &tx, f, 100);
	for (int i = 0; i < 2; i++) { /* not cleared by reading */
		assert_int_equal(bed_rd(b, 0, VF_GPTC), 3);
		assert_int_equal(bed_rd(b, 0, VF_GOTC_LSB), 104 + 64 + 104);
		assert_int_equal(bed_rd(b, 1, VF_GPRC), 3);
		assert_int_equal(bed_rd(b, 1, VF_GORC_LSB), 104 + 64 + 104);
		assert_int_equal(bed_rd(b, 1, VF_MPRC), 0); /* broadcast is not multicast */
	}
	bed_wr(b, 1, VF_GPRC, 0); /* read-only */
	assert_int_equal(bed_rd(b, 1, VF_GPRC), 3);
	bed_wr(b, 1, VF_CTRL, VF_CTRL_RST);
	assert_int_equal(bed_rd(b, 1, VF_GPRC), 3); /* survives a reset */
}

static void model_30_function_level_reset(void **state)
{
	struct bed *b = *state;
	struct bed_ring tx, rx;
	uint8_t f[100];

	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 100);
	for (int round = 0; round < 20; round++) {
		bed_hello(b, 0);
		bed_hello(b, 1);
		b->used[0] = b->used[1] = 4096;
		bed_tx_ring(b, 0, 0, 64, &tx);
		bed_rx_ring(b, 1, 0, 64, &rx);
		msix_on(b, 1);
		bed_send(b, 0, 0, &tx, f, 100);
		assert_int_equal(bed_rd(b, 1, VF_RDH(0)), 1);
		bed_wr(b, 1, VF_EIMS, 7);
		/* By the PCI Express capability, or by the owner. */
		if (round % 2)
			veb_cfg_write(b->veb, 1, 0xa8, 2, 0x8000, 0);
		else
			veb_flr(b->veb, 1);
		assert_int_equal(veb_cfg_read(b->veb, 1, 4, 2), 0);
		assert_int_equal(veb_cfg_read(b->veb, 1, 0x72, 2), 2);
		assert_int_equal(veb_mmio_read(b->veb, 1, 3, 12, 0), 1);
		assert_int_equal(bed_rd(b, 1, VF_RXDCTL(0)), 0);
		assert_int_equal(bed_rd(b, 1, VF_RDLEN(0)), 0);
		assert_int_equal(bed_rd(b, 1, VF_EIMS), 0);
		assert_int_equal(bed_rd(b, 1, VF_MAILBOX), 0);
		assert_int_equal(bed_rd(b, 1, VF_MBMEM(0)), 0);
		bed_send(b, 0, 0, &tx, f, 100);
		assert_int_equal(call(b, 1, VF_OP_SET_LPE, 1518, NULL), VF_OP_SET_LPE | NACK);
		veb_cfg_write(b->veb, 1, 4, 2, 6, 0);
		veb_flr(b->veb, 0);
		veb_cfg_write(b->veb, 0, 4, 2, 6, 0);
	}
	assert_int_equal(stats(b, 1).rx_packets, 20);
	assert_int_equal(stats(b, 1).dma_faults, 0);
}

#include "tests/unit/nic_golden.h"

/* Linux 6.1's ixgbevf, register by register: what it must read back is checked. */
static void model_golden_trace_of_linux_ixgbevf(void **state)
{
	struct bed *b = *state;

	msix_on(b, 0);
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		const struct golden *g = &golden[i];

		if (g->write) {
			bed_wr(b, 0, g->off, g->val);
			continue;
		}
		if ((bed_rd(b, 0, g->off) & g->mask) != (g->val & g->mask))
			fail_msg("step %zu: register %#x", i, g->off);
	}
	assert_int_equal(stats(b, 0).dma_faults, 0);
	assert_int_equal(stats(b, 0).mbx_nacks, 2); /* API 1.5 and what else is refused */
}

/* MTU limits of the PF, as section 3.5 of an 82599's life has them. */
static void model_frame_limits(void **state)
{
	struct veb_config cfg = {.nvfs = 2, .max_frame = 1518};
	struct bed *b = bed_new(&cfg);
	struct bed_ring rx;
	uint8_t f[100];

	(void)state;
	bed_hello(b, 1);
	bed_rx_ring(b, 1, 0, 64, &rx);
	bed_eth(f, bed_mac[1], bed_mac[0], 0x88b5, 100);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 1);
	/* More than the PF's limit: refused, and the receiver is off until that is put right. */
	assert_true(call(b, 1, VF_OP_SET_LPE, 9000, NULL) & NACK);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 0);
	assert_true(call(b, 1, VF_OP_SET_LPE, 1518, NULL) & ACK);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 1);
	bed_free(b);
	/* With jumbo frames on, nothing is received before SET_LPE. */
	b = *state;
	call(b, 1, VF_OP_RESET, 0, NULL);
	bed_rx_ring(b, 1, 0, 64, &rx);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 0);
	call(b, 1, VF_OP_SET_LPE, 9728, NULL);
	assert_int_equal(veb_wire_input(b->veb, f, 100, 0), 1);
}

static void model_addresses(void **state)
{
	static const uint8_t own[6] = {2, 7, 7, 7, 7, 7}, none[6];
	struct bed *b = *state;
	uint32_t msg[16] = {VF_OP_SET_MAC};
	uint8_t mac[6];

	bed_hello(b, 0);
	memcpy(&msg[1], own, 6);
	bed_mbx(b, 0, msg, 3);
	assert_true(msg[0] & NACK); /* assigned by the administrator */
	veb_set_trust(b->veb, 0, true);
	msg[0] = VF_OP_SET_MAC;
	memcpy(&msg[1], own, 6);
	bed_mbx(b, 0, msg, 3);
	assert_true(msg[0] & ACK);
	veb_vf_mac(b->veb, 0, mac);
	assert_memory_equal(mac, own, 6);
	veb_set_mac(b->veb, 1, none, 0);
	bed_hello(b, 1);
	msg[0] = VF_OP_SET_MAC;
	memcpy(&msg[1], own, 6); /* taken */
	bed_mbx(b, 1, msg, 3);
	assert_true(msg[0] & NACK);
	msg[0] = VF_OP_SET_MAC;
	memcpy(&msg[1], bcast, 6);
	bed_mbx(b, 1, msg, 3);
	assert_true(msg[0] & NACK);
	assert_int_equal(veb_set_mac(b->veb, 9, own, 0), -ENOENT);
	assert_int_equal(veb_set_mac(b->veb, 0, bcast, 0), -EINVAL);
}

static void model_rss_is_set_by_the_control_plane(void **state)
{
	struct bed *b = *state;
	uint8_t key[40], reta[128];
	uint32_t r[16];

	for (unsigned i = 0; i < 40; i++)
		key[i] = i;
	for (unsigned i = 0; i < 128; i++)
		reta[i] = i / 3 % 4;
	assert_int_equal(veb_set_rss(b->veb, key, reta), 0);
	bed_hello(b, 0);
	call(b, 0, VF_OP_GET_RSS_KEY, 0, r);
	assert_memory_equal(&r[1], key, 40);
	call(b, 0, VF_OP_GET_RETA, 0, r);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(r[1 + i / 16] >> 2 * (i % 16) & 3, reta[i]);
	veb_set_rss_query(b->veb, 0, false);
	assert_int_equal(call(b, 0, VF_OP_GET_RETA, 0, r), VF_OP_GET_RETA | NACK | CTS);
	assert_int_equal(call(b, 0, VF_OP_GET_RSS_KEY, 0, r), VF_OP_GET_RSS_KEY | NACK | CTS);
	reta[5] = 4;
	assert_int_equal(veb_set_rss(b->veb, key, reta), -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(model_01_configuration_space),
	    T(model_02_no_register_reads_all_ones),
	    T(model_03_reset_bit),
	    T(model_04_reset_notice_bits),
	    T(model_05_status_bits_clear_on_read),
	    T(model_06_memory_ownership),
	    T(model_07_req_and_ack_read_zero),
	    T(model_08_message_memory_is_shared_and_persists),
	    T(model_09_reset_reply),
	    T(model_10_requests_before_reset_are_refused),
	    T(model_11_api_versions),
	    T(model_12_every_request_is_answered_at_once),
	    T(model_13_queues),
	    T(model_14_vlan_echo_and_xcast_mode),
	    T(model_15_notice_of_link_changes),
	    T(model_16_enable_reads_back),
	    T(model_17_register_masks),
	    T(model_18_receive_writes_status_last),
	    T(model_19_long_frames_take_several_buffers),
	    T(model_20_empty_ring_drops),
	    T(model_21_receive_offloads),
	    T(model_22_transmit_offloads),
	    T(model_23_completion),
	    T(model_24_bad_descriptors_stop_the_queue),
	    T(model_25_interrupt_causes_and_masks),
	    T(model_26_msix_masking),
	    T(model_27_throttling_loses_nothing),
	    T(model_28_bridge_rules),
	    T(model_29_counters),
	    T(model_30_function_level_reset),
	    T(model_golden_trace_of_linux_ixgbevf),
	    T(model_frame_limits),
	    T(model_addresses),
	    T(model_rss_is_set_by_the_control_plane),
	};

	return cmocka_run_group_tests_name("nic_model", tests, NULL, NULL);
}
