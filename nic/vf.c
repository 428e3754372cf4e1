// SPDX-License-Identifier: MIT
/*
 * 82599 VF: bringing it up, and keeping it so.
 *
 * The order follows what Linux 6.1 ixgbevf and the PF drivers agree on; each step may say "not yet"
 * and is called again, so that a PF that is slow or in reset never holds up a core.
 */
#include <string.h>
#include "nic/ring.h"
#include "nic/vf_mbx.h"
#include "nic/vf_regs.h"

#define ALL_VECTORS      7u
#define HW_QUEUES        8 /* decoded by the device, whatever we use */
#define DISABLE_US       10000
#define SETTLE_US        200 /* DMA may go on for 100 us after ENABLE reads 0 (X550 4.6.7.1.1) */
#define ENABLE_US        20000
#define LINK_READS       3   /* VFLINKS flaps: believe it after some reads ... */
#define LINK_US          500 /* ... spread over this time (ixgbevf_check_mac_link) */
#define MIN_FRAME        1518
#define EITR_INTERVAL_US 10
#define COUNTERS_US      100000 /* octets, of 36 bits, wrap in 55 s at 10 Gbit/s */

static uint32_t rd(const struct ix_nic *nic, uint32_t off)
{
	return nic_read32(nic->dev, off);
}

static void wr(const struct ix_nic *nic, uint32_t off, uint32_t val)
{
	nic_write32(nic->dev, off, val);
}

static bool gone(const struct ix_nic *nic)
{
	return rd(nic, VF_STATUS) == ~0u;
}

/* Quiescing */

static void disable_queues(const struct ix_nic *nic)
{
	for (unsigned i = 0; i < HW_QUEUES; i++) {
		wr(nic, VF_RXDCTL(i), rd(nic, VF_RXDCTL(i)) & ~VF_DCTL_ENABLE);
		wr(nic, VF_TXDCTL(i), rd(nic, VF_TXDCTL(i)) & ~VF_DCTL_ENABLE);
	}
}

static bool queues_disabled(const struct ix_nic *nic)
{
	for (unsigned i = 0; i < HW_QUEUES; i++)
		if ((rd(nic, VF_RXDCTL(i)) | rd(nic, VF_TXDCTL(i))) & VF_DCTL_ENABLE)
			return false;
	return true;
}

static void mask_interrupts(const struct ix_nic *nic)
{
	wr(nic, VF_EIMC, ALL_VECTORS);
	/* Read-to-clear or write-to-clear, as the PF has set GPIE.OCD: do both. */
	(void)rd(nic, VF_EICR);
	wr(nic, VF_EICR, ALL_VECTORS);
}

static int step_quiet(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	if (gone(nic))
		return -ENODEV;
	mask_interrupts(nic);
	disable_queues(nic);
	memset(&nic->vf.mbx, 0, sizeof(nic->vf.mbx));
	nic->vf.todo = nic->vf.request = 0;
	nic->vf.up_reads = 0;
	nic->vf.admin_down = nic->vf.small_frame = false;
	return 1;
}

static int step_disabled(struct ix_nic *nic, uint64_t now)
{
	return queues_disabled(nic) || now - nic->step_time >= DISABLE_US;
}

static int step_settle(struct ix_nic *nic, uint64_t now)
{
	return now - nic->step_time >= SETTLE_US;
}

static int step_reset(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	wr(nic, VF_CTRL, VF_CTRL_RST);
	(void)rd(nic, VF_STATUS);
	mask_interrupts(nic);
	nic_queues_stop(nic);
	return 1;
}

/* RSTD is cleared by the read that sees it; RSTI goes when the PF is ready. */
static int step_pf_ready(struct ix_nic *nic, uint64_t now)
{
	uint32_t status = rd(nic, VF_MAILBOX);

	(void)now;
	if (status == ~0u && gone(nic))
		return -ENODEV;
	return !(status & (VF_MB_RSTI | VF_MB_RSTD));
}

/*
 * One request as a step: returns like a step, 1 with the reply in mbx.msg; *acked tells whether the
 * PF agreed.
 */
static int request(struct ix_nic *nic, uint64_t now, const uint32_t *msg, uint32_t n, bool *acked)
{
	struct vf_mbx *m = &nic->vf.mbx;
	int ret;

	if (m->state == MBX_IDLE)
		vf_mbx_send(nic, now, msg, n);
	ret = vf_mbx_step(nic, now);
	if (ret == 1) {
		*acked = !(m->msg[0] & VF_MSG_NACK) && (m->msg[0] & VF_MSG_ACK);
		if (!*acked)
			nic->stats.mbx_nacks++;
	}
	return ret;
}

static bool mac_ok(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, 6) != 0;
}

/* A locally administered address out of what entropy there is. */
static void invent_mac(struct ix_nic *nic, uint64_t now)
{
	uint64_t x = (now + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)nic->cfg.seed << 20;

	x ^= x >> 29;
	for (unsigned i = 0; i < 6; i++)
		nic->mac[i] = x >> 8 * i;
	nic->mac[0] = (nic->mac[0] & 0xfc) | 2;
}

static int step_hello(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t msg[1] = {VF_OP_RESET};
	const uint32_t *m = nic->vf.mbx.msg;
	bool acked;
	int ret = request(nic, now, msg, 1, &acked);

	if (ret != 1)
		return ret;
	/* Exactly these two, and CTS is not in them (ixgbevf_reset_hw_vf). */
	if (nic->vf.cts ||
	    (m[0] != (VF_OP_RESET | VF_MSG_ACK) && m[0] != (VF_OP_RESET | VF_MSG_NACK)))
		return -EPROTO;
	nic->vf.mac_granted = false;
	if (acked) {
		uint8_t mac[6];

		memcpy(mac, &m[1], 6);
		if (mac_ok(mac)) {
			memcpy(nic->mac, mac, 6);
			nic->vf.mac_granted = true;
		}
	}
	nic->vf.mc_type = m[3] & 3;
	nic->vf.api = 0;
	return 1;
}

static const uint8_t api_ladder[] = {VF_API_13, VF_API_12, VF_API_11, VF_API_10};

static uint32_t api(const struct ix_nic *nic)
{
	return api_ladder[nic->vf.api];
}

static int step_api(struct ix_nic *nic, uint64_t now)
{
	uint32_t msg[3] = {VF_OP_API_NEGOTIATE, api(nic), 0};
	bool acked;
	int ret = request(nic, now, msg, 3, &acked);

	if (ret != 1)
		return ret;
	/* A PF older than negotiation refuses all of them: that is 1.0. */
	if (acked || nic->vf.api == sizeof(api_ladder) - 1)
		return 1;
	nic->vf.api++;
	return 0;
}

static int step_mac(struct ix_nic *nic, uint64_t now)
{
	uint32_t msg[3] = {VF_OP_SET_MAC};
	bool wish = mac_ok(nic->cfg.mac) && memcmp(nic->cfg.mac, nic->mac, 6) != 0;
	bool acked;
	int ret;

	if (nic->vf.mac_granted && !wish)
		return 1;
	if (nic->vf.mbx.state == MBX_IDLE && !nic->vf.mac_granted) {
		if (wish)
			memcpy(nic->mac, nic->cfg.mac, 6);
		else if (!mac_ok(nic->mac))
			invent_mac(nic, now);
	}
	memcpy(&msg[1], nic->vf.mac_granted ? nic->cfg.mac : nic->mac, 6);
	ret = request(nic, now, msg, 3, &acked);
	if (ret != 1)
		return ret;
	if (!nic->vf.mac_granted)
		return acked ? 1 : -EADDRNOTAVAIL;
	if (acked) /* else the granted address stays */
		memcpy(nic->mac, nic->cfg.mac, 6);
	return 1;
}

static int step_queues(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t msg[5] = {VF_OP_GET_QUEUES};
	const uint32_t *m = nic->vf.mbx.msg;
	uint32_t n = nic->cfg.nqueues;
	bool acked = false;

	if (api(nic) != VF_API_10) {
		int ret = request(nic, now, msg, 5, &acked);

		if (ret != 1)
			return ret;
	}
	if (acked) {
		uint32_t tx = m[1] && m[1] <= HW_QUEUES ? m[1] : HW_QUEUES;
		uint32_t rx = m[2] && m[2] <= HW_QUEUES ? m[2] : HW_QUEUES;

		n = n < tx ? n : tx;
		n = n < rx ? n : rx;
		/* RSS spreads over a power of two. */
		n = n >= 4 ? 4 : n >= 2 ? 2 : 1;
	} else {
		n = 1;
	}
	nic->nqueues = n;
	return 1;
}

/*
 * Before RX is enabled: a PF with an MTU over 1500 keeps the VF's receiver off until it has heard
 * this, another one turns it off when asked for more than 1518 (ixgbe_set_vf_lpe).
 */
static int step_frame(struct ix_nic *nic, uint64_t now)
{
	uint32_t want = nic->cfg.max_frame > MIN_FRAME ? nic->cfg.max_frame : MIN_FRAME;
	uint32_t msg[2] = {VF_OP_SET_LPE, nic->vf.small_frame ? MIN_FRAME : want};
	bool acked;
	int ret;

	ret = request(nic, now, msg, 2, &acked);
	if (ret != 1)
		return ret;
	if (!acked && msg[1] > MIN_FRAME) {
		nic->vf.small_frame = true; /* ask again, for less */
		return 0;
	}
	return 1;
}

static uint32_t xcast_msg(const struct ix_nic *nic, uint32_t msg[2])
{
	uint32_t flags = nic->cfg.flags;

	msg[0] = VF_OP_UPDATE_XCAST;
	msg[1] = nic->cfg.nmc ? VF_XCAST_MULTI : VF_XCAST_NONE;
	if (flags & IX_NIC_ALLMULTI)
		msg[1] = VF_XCAST_ALLMULTI;
	if (flags & IX_NIC_PROMISC)
		msg[1] = api(nic) >= VF_API_13 ? VF_XCAST_PROMISC : VF_XCAST_ALLMULTI;
	return 2;
}

/* 12 bits of the address, chosen by the PF's filter type (82599 MCSTCTRL.MO). */
static uint16_t mc_hash(const uint8_t mac[6], uint32_t type)
{
	uint32_t v = mac[4] | mac[5] << 8;

	switch (type) {
	case 0:
		return v >> 4;
	case 1:
		return v >> 3 & 0xfff;
	case 2:
		return v >> 2 & 0xfff;
	default:
		return v & 0xfff;
	}
}

static uint32_t mc_msg(const struct ix_nic *nic, uint32_t msg[VF_MBMEM_WORDS])
{
	memset(msg, 0, VF_MBMEM_WORDS * sizeof(*msg));
	msg[0] = VF_OP_SET_MULTICAST | nic->cfg.nmc << VF_MSG_INFO;
	for (uint32_t i = 0; i < nic->cfg.nmc; i++)
		msg[1 + i / 2] |= (uint32_t)mc_hash(nic->cfg.mc[i], nic->vf.mc_type)
				  << 16 * (i % 2);
	return VF_MBMEM_WORDS;
}

/* Housekeeping sets the filter, too, when it changes. A refusal means less is received: no error. */
static int step_xcast(struct ix_nic *nic, uint64_t now)
{
	uint32_t msg[2];
	bool acked;

	nic->filter_changed = false;
	if (api(nic) < VF_API_12)
		return 1;
	return request(nic, now, msg, xcast_msg(nic, msg), &acked);
}

static int step_multicast(struct ix_nic *nic, uint64_t now)
{
	uint32_t msg[VF_MBMEM_WORDS];
	bool acked;

	return request(nic, now, msg, mc_msg(nic, msg), &acked);
}

static int step_rss_key(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t msg[1] = {VF_OP_GET_RSS_KEY};
	bool acked;
	int ret;

	nic->vf.have_key = false;
	if (api(nic) < VF_API_12)
		return 1;
	ret = request(nic, now, msg, 1, &acked);
	if (ret == 1 && acked) {
		memcpy(nic->rss.key, &nic->vf.mbx.msg[1], sizeof(nic->rss.key));
		ix_toeplitz_init(&nic->rss.toeplitz, nic->rss.key);
		nic->vf.have_key = true;
	}
	return ret;
}

static int step_rss_table(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t msg[1] = {VF_OP_GET_RETA};
	bool acked;
	int ret;

	nic->rss_known = false;
	if (!nic->vf.have_key)
		return 1;
	ret = request(nic, now, msg, 1, &acked);
	if (ret == 1 && acked) {
		for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
			nic->rss.reta[i] = nic->vf.mbx.msg[1 + i / 16] >> 2 * (i % 16) & 3;
		nic->rss.queue_mask = nic->nqueues - 1;
		nic->rss_known = true;
	}
	return ret;
}

/* Any API version; a PF that does not know it refuses, which means "up". */
static void link_state_reply(struct ix_nic *nic, bool acked)
{
	nic->vf.admin_down = acked && nic->vf.mbx.msg[1] == 0;
}

static int step_link_state(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t msg[2] = {VF_OP_GET_LINK_STATE};
	bool acked;
	int ret = request(nic, now, msg, 2, &acked);

	if (ret == 1)
		link_state_reply(nic, acked);
	return ret;
}

/* Programming */

static int step_owners(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	return nic_queues_stopped(nic);
}

static uint32_t log2_of(uint32_t n)
{
	return n >= 4 ? 2 : n >= 2 ? 1 : 0;
}

static void program_rx(const struct ix_nic *nic, const struct ix_nic_queue *q)
{
	unsigned i = q->index;

	wr(nic, VF_RDBAL(i), (uint32_t)q->rx_dma);
	wr(nic, VF_RDBAH(i), q->rx_dma >> 32);
	wr(nic, VF_RDLEN(i), (q->rx_mask + 1) * sizeof(struct nic_desc));
	/* Relaxed ordering of write-back off: DD must not pass the data. */
	wr(nic, VF_DCA_RXCTRL(i), VF_RXCTRL_DESC_RO);
	wr(nic, VF_RDH(i), 0);
	wr(nic, VF_RDT(i), 0);
	wr(nic, VF_SRRCTL(i), VF_SRRCTL_DROP | VF_SRRCTL_ADV | q->rx_buf_size / 1024);
	wr(nic, VF_RXDCTL(i), VF_DCTL_ENABLE | VF_RXDCTL_VME);
}

static void program_tx(const struct ix_nic *nic, const struct ix_nic_queue *q)
{
	unsigned i = q->index;

	wr(nic, VF_TDBAL(i), (uint32_t)q->tx_dma);
	wr(nic, VF_TDBAH(i), q->tx_dma >> 32);
	wr(nic, VF_TDLEN(i), (q->tx_mask + 1) * sizeof(struct nic_desc));
	wr(nic, VF_TDWBAH(i), 0);
	wr(nic, VF_TDWBAL(i), 0);
	/* Descriptor write-back in order, or DD could be seen out of order. */
	wr(nic, VF_DCA_TXCTRL(i), VF_TXCTRL_DESC_RO | VF_TXCTRL_DATA_RO);
	wr(nic, VF_TDH(i), 0);
	wr(nic, VF_TDT(i), 0);
	/* PTHRESH 32, HTHRESH 1; WTHRESH 0, or write-back would need an interrupt timer. */
	wr(nic, VF_TXDCTL(i), VF_DCTL_ENABLE | 1 << 8 | 32);
}

static void program_irq(const struct ix_nic *nic)
{
	uint32_t ivar[HW_QUEUES / 2] = {0};

	for (unsigned i = 0; i < nic->nqueues; i++)
		if (nic->queue[i]->irq_on)
			ivar[i / 2] |= (VF_IVAR_VALID | nic->queue[i]->irq_vector) << 16 * (i % 2);
	for (unsigned i = 0; i < HW_QUEUES / 2; i++)
		wr(nic, VF_IVAR(i), ivar[i]);
	wr(nic, VF_IVAR_MISC, 0); /* the mailbox is polled */
	for (unsigned v = 0; v < 2; v++)
		wr(nic, VF_EITR(v), EITR_INTERVAL_US / 2 << 3);
	wr(nic, VF_EIAM, 3); /* one interrupt per ix_nic_irq_arm() */
}

static int step_program(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	program_irq(nic);
	wr(nic, VF_PSRTYPE, log2_of(nic->nqueues) << VF_PSRTYPE_RQPL);
	for (unsigned i = 0; i < nic->nqueues; i++) {
		program_tx(nic, nic->queue[i]);
		program_rx(nic, nic->queue[i]);
	}
	return 1;
}

/* Widens a counter of `bits` bits that only counts up. */
static void widen(uint64_t *sum, uint64_t *last, uint64_t now, unsigned bits)
{
	*sum += (now - *last) & ((1ull << bits) - 1);
	*last = now;
}

static uint64_t rd36(const struct ix_nic *nic, uint32_t lsb)
{
	uint32_t lo = rd(nic, lsb);

	return lo | (uint64_t)(rd(nic, lsb + 4) & 15) << 32;
}

static void read_counters(struct ix_nic *nic)
{
	struct ix_nic_stats *s = &nic->stats;
	uint64_t *last = nic->vf.counter;

	widen(&s->rx_packets, &last[0], rd(nic, VF_GPRC), 32);
	widen(&s->rx_octets, &last[1], rd36(nic, VF_GORC_LSB), 36);
	widen(&s->rx_multicast, &last[2], rd(nic, VF_MPRC), 32);
	widen(&s->tx_packets, &last[3], rd(nic, VF_GPTC), 32);
	widen(&s->tx_octets, &last[4], rd36(nic, VF_GOTC_LSB), 36);
}

/* The counters survive a reset of the VF, not one of the PF: go on from what they hold now. */
static void rebase_counters(struct ix_nic *nic)
{
	struct ix_nic_stats stats = nic->stats;

	read_counters(nic);
	nic->stats = stats;
}

/* No tail may be written before ENABLE reads 1 (X550 4.6.7.1); tails follow when owners run. */
static int step_enabled(struct ix_nic *nic, uint64_t now)
{
	for (unsigned i = 0; i < nic->nqueues; i++) {
		if (!(rd(nic, VF_RXDCTL(i)) & rd(nic, VF_TXDCTL(i)) & VF_DCTL_ENABLE))
			return now - nic->step_time >= ENABLE_US ? -EIO : 0;
	}
	rebase_counters(nic);
	return 1;
}

nic_step *const vf_steps[] = {
    step_quiet,   step_disabled,  step_settle,     step_reset,  step_pf_ready, step_hello,
    step_api,     step_mac,       step_queues,     step_frame,  step_xcast,    step_multicast,
    step_rss_key, step_rss_table, step_link_state, step_owners, step_program,  step_enabled,
};
const unsigned vf_nsteps = sizeof(vf_steps) / sizeof(vf_steps[0]);

/* Running */

static void set_link(struct ix_nic *nic, bool up, uint32_t mbps)
{
	if (nic->link.up != up || nic->link.mbps != mbps) {
		nic->link.up = up;
		nic->link.mbps = mbps;
		nic->stats.link_changes++;
		nic->events |= IX_NIC_EV_LINK;
	}
}

static void check_link(struct ix_nic *nic, uint64_t now)
{
	static const uint32_t mbps[4] = {0, 100, 1000, 10000};
	uint32_t links = rd(nic, VF_LINKS);
	struct vf_state *vf = &nic->vf;

	if (!(links & VF_LINKS_UP) || vf->admin_down || !vf->cts) {
		vf->up_reads = 0;
		set_link(nic, false, 0);
		return;
	}
	if (vf->up_reads++ == 0)
		vf->up_since = now;
	if (vf->up_reads >= LINK_READS && now - vf->up_since >= LINK_US) {
		vf->up_reads = LINK_READS;
		set_link(nic, true, mbps[links >> VF_LINKS_SPEED & 3]);
	}
}

/* Requests that come up while running, one at a time. */
static int serve_todo(struct ix_nic *nic, uint64_t now)
{
	struct vf_state *vf = &nic->vf;
	uint32_t msg[VF_MBMEM_WORDS] = {0}, n;
	bool acked;
	int ret;

	if (!vf->request) {
		vf->request = vf->todo & -vf->todo;
		vf->todo &= ~vf->request;
	}
	switch (vf->request) {
	case VF_TODO_LINK:
		msg[0] = VF_OP_GET_LINK_STATE;
		n = 2;
		break;
	case VF_TODO_XCAST:
		n = xcast_msg(nic, msg);
		break;
	case VF_TODO_MC:
		n = mc_msg(nic, msg);
		break;
	default:
		return 0;
	}
	ret = request(nic, now, msg, n, &acked);
	if (ret == 1) {
		if (vf->request == VF_TODO_LINK)
			link_state_reply(nic, acked);
		vf->request = 0;
	}
	return ret < 0 ? ret : 0;
}

int vf_housekeep(struct ix_nic *nic, uint64_t now)
{
	struct vf_state *vf = &nic->vf;
	int ret;

	if (nic->filter_changed) {
		nic->filter_changed = false;
		vf->todo |= VF_TODO_MC | (api(nic) >= VF_API_12 ? VF_TODO_XCAST : 0);
	}
	if (!vf->request) {
		ret = vf_mbx_listen(nic);
		if (ret < 0)
			return ret;
		if (ret == 1) {
			/* A word of the PF's own: without CTS it wants us to start again. */
			if (!vf->cts)
				return -ECONNRESET;
			vf->todo |= VF_TODO_LINK;
		}
	}
	ret = serve_todo(nic, now);
	if (ret < 0)
		return ret;
	check_link(nic, now);
	/* Each read waits for the device, and is a VM exit where the device is software. */
	if (now >= vf->counters_due) {
		vf->counters_due = now + COUNTERS_US;
		read_counters(nic);
	}
	return 0;
}

void vf_halt(struct ix_nic *nic)
{
	const struct ix_nic_platform *p = nic->dev->platform;

	mask_interrupts(nic);
	disable_queues(nic);
	p->udelay(p->ctx, SETTLE_US);
	wr(nic, VF_CTRL, VF_CTRL_RST);
	(void)rd(nic, VF_STATUS);
}
