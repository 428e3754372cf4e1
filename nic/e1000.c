// SPDX-License-Identifier: MIT
/*
 * 82540EM (e1000): bringing it up, and keeping it so. The order is one that works on hardware, on
 * QEMU 7.2 and on Bochs 2.7:
 * - both models' CTRL.RST resets nothing, so every register that matters is written;
 * - Bochs has no MAC address in RAL0/RAH0 after a reset, and only 32 of the 128 MTA words;
 * - QEMU holds reception back for a second after each write of RCTL, and Bochs would write through
 *   an unset ring, so RCTL is written once, by the first doorbell (ring.h);
 * - MDIC is left alone: restarting autonegotiation drops QEMU's link.
 */
#include <string.h>
#include "nic/e1000_regs.h"
#include "nic/ring.h"

#define RESET_US   1000
#define MTA_WORDS  128
#define EERD_TRIES 1000

static uint32_t rd(const struct ix_nic *nic, uint32_t off)
{
	return nic_read32(nic->dev, off);
}

static void wr(const struct ix_nic *nic, uint32_t off, uint32_t val)
{
	nic_write32(nic->dev, off, val);
}

static void silence(const struct ix_nic *nic)
{
	wr(nic, E1000_IMC, ~0u);
	(void)rd(nic, E1000_ICR);
}

static int step_reset(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	if (rd(nic, E1000_STATUS) == ~0u)
		return -ENODEV;
	silence(nic);
	wr(nic, E1000_RCTL, 0);
	wr(nic, E1000_TCTL, 0);
	wr(nic, E1000_CTRL, rd(nic, E1000_CTRL) | E1000_CTRL_RST);
	return 1;
}

static int step_wait(struct ix_nic *nic, uint64_t now)
{
	return now - nic->step_time >= RESET_US;
}

/* EEPROM words 0 to 2 hold the address, low byte first. */
static bool read_eeprom(const struct ix_nic *nic, uint32_t word, uint16_t *val)
{
	wr(nic, E1000_EERD, word << 8 | E1000_EERD_START);
	for (unsigned i = 0; i < EERD_TRIES; i++) {
		uint32_t v = rd(nic, E1000_EERD);

		if (v & E1000_EERD_DONE) {
			*val = v >> 16;
			return true;
		}
	}
	return false;
}

static int step_mac(struct ix_nic *nic, uint64_t now)
{
	static const uint8_t zero[6];

	(void)now;
	silence(nic);
	wr(nic, E1000_CTRL,
	   (rd(nic, E1000_CTRL) & ~(E1000_CTRL_LRST | E1000_CTRL_PHY_RST | E1000_CTRL_ILOS |
				    E1000_CTRL_VME | E1000_CTRL_RST)) |
	       E1000_CTRL_SLU | E1000_CTRL_ASDE);
	memcpy(nic->mac, nic->cfg.mac, 6);
	if (memcmp(nic->mac, zero, 6) == 0) {
		for (unsigned i = 0; i < 3; i++) {
			uint16_t val;

			if (!read_eeprom(nic, i, &val))
				return -EIO;
			nic->mac[2 * i] = val & 0xff;
			nic->mac[2 * i + 1] = val >> 8;
		}
	}
	wr(nic, E1000_RAL0,
	   nic->mac[0] | nic->mac[1] << 8 | nic->mac[2] << 16 | (uint32_t)nic->mac[3] << 24);
	wr(nic, E1000_RAH0, nic->mac[4] | nic->mac[5] << 8 | E1000_RAH_AV);
	for (unsigned i = 0; i < MTA_WORDS; i++)
		wr(nic, E1000_MTA + 4 * i, 0);
	/* Only now may descriptors change: the device was stopped a millisecond ago. */
	nic_queues_stop(nic);
	return 1;
}

static int step_owners(struct ix_nic *nic, uint64_t now)
{
	(void)now;
	return nic_queues_stopped(nic);
}

/* Groups are not filtered by hash: Bochs keeps a quarter of the table. */
static uint32_t rctl(const struct ix_nic *nic)
{
	uint32_t val = E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_SECRC;

	if (nic->cfg.max_frame > 1518)
		val |= E1000_RCTL_LPE;
	if (nic->cfg.nmc || (nic->cfg.flags & IX_NIC_ALLMULTI))
		val |= E1000_RCTL_MPE;
	if (nic->cfg.flags & IX_NIC_PROMISC)
		val |= E1000_RCTL_UPE | E1000_RCTL_MPE;
	switch (nic->cfg.rx_buf_size) {
	case 4096:
		return val | E1000_RCTL_BSEX | 3 << E1000_RCTL_BSIZE;
	case 8192:
		return val | E1000_RCTL_BSEX | 2 << E1000_RCTL_BSIZE;
	case 16384:
		return val | E1000_RCTL_BSEX | 1 << E1000_RCTL_BSIZE;
	default:
		return val; /* 2048 */
	}
}

static int step_program(struct ix_nic *nic, uint64_t now)
{
	struct ix_nic_queue *q = nic->queue[0];

	(void)now;
	wr(nic, E1000_RDBAL, (uint32_t)q->rx_dma);
	wr(nic, E1000_RDBAH, q->rx_dma >> 32);
	wr(nic, E1000_RDLEN, (q->rx_mask + 1) * sizeof(struct nic_desc));
	wr(nic, E1000_RDTR, 0);
	wr(nic, E1000_RDH, 0);
	wr(nic, E1000_TDBAL, (uint32_t)q->tx_dma);
	wr(nic, E1000_TDBAH, q->tx_dma >> 32);
	wr(nic, E1000_TDLEN, (q->tx_mask + 1) * sizeof(struct nic_desc));
	wr(nic, E1000_TDH, 0);
	wr(nic, E1000_TDT, 0);
	wr(nic, E1000_TIDV, 0);
	wr(nic, E1000_TIPG, E1000_TIPG_COPPER);
	wr(nic, E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT | E1000_TCTL_COLD);
	q->rx_enable = rctl(nic);
	return 1;
}

nic_step *const e1000_steps[] = {step_reset, step_wait, step_mac, step_owners, step_program};
const unsigned e1000_nsteps = sizeof(e1000_steps) / sizeof(e1000_steps[0]);

static void check_link(struct ix_nic *nic, uint32_t status)
{
	static const uint32_t mbps[4] = {10, 100, 1000, 1000};
	bool up = status & E1000_STATUS_LU;

	if (up != nic->link.up) {
		nic->link.up = up;
		nic->link.mbps = up ? mbps[status >> E1000_STATUS_SPEED & 3] : 0;
		nic->stats.link_changes++;
		nic->events |= IX_NIC_EV_LINK;
	}
}

int e1000_housekeep(struct ix_nic *nic, uint64_t now)
{
	uint32_t status = rd(nic, E1000_STATUS);
	struct ix_nic_stats *s = &nic->stats;

	(void)now;
	if (status == ~0u)
		return -ENODEV;
	check_link(nic, status);
	/* Written only when it has to be, and never before the first doorbell has enabled RX. */
	if (nic->filter_changed && (rd(nic, E1000_RCTL) & E1000_RCTL_EN)) {
		nic->filter_changed = false;
		if (rd(nic, E1000_RCTL) != rctl(nic))
			wr(nic, E1000_RCTL, rctl(nic));
	}
	/* These clear when read; of a pair, the high half last. */
	s->rx_packets += rd(nic, E1000_GPRC);
	s->tx_packets += rd(nic, E1000_GPTC);
	s->rx_multicast += rd(nic, E1000_MPRC);
	s->rx_missed += rd(nic, E1000_MPC);
	s->rx_octets += rd(nic, E1000_TORL);
	s->rx_octets += (uint64_t)rd(nic, E1000_TORH) << 32;
	s->tx_octets += rd(nic, E1000_TOTL);
	s->tx_octets += (uint64_t)rd(nic, E1000_TOTH) << 32;
	return 0;
}

void e1000_halt(struct ix_nic *nic)
{
	const struct ix_nic_platform *p = nic->dev->platform;

	silence(nic);
	wr(nic, E1000_RCTL, 0);
	wr(nic, E1000_TCTL, 0);
	p->udelay(p->ctx, RESET_US);
}
