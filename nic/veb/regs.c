// SPDX-License-Identifier: MIT
/*
 * Registers of BAR0. None reads as all ones, which drivers take for a removed device, unless
 * software wrote that (high halves of addresses, mailbox memory).
 */
#include "nic/veb/veb.h"

#define ALL_VECTORS  7u
#define BASE_MASK    0xffffff80u
#define LEN_MASK     0xfff80u
#define INDEX_MASK   0xffffu
#define RXQ_FIRST    0x1000u
#define TXQ_FIRST    0x2000u
#define QUEUE_STRIDE 0x40u
#define QUEUES_LEN   (VEB_HW_QUEUES * QUEUE_STRIDE)
#define SWFLSH       (1u << 26)
#define STATUS_VALUE \
	0x00000080u /* link up as the PF sees it, no more than a value that is stable */

void veb_vf_reset(struct veb_vf *f)
{
	for (unsigned i = 0; i < VEB_HW_QUEUES; i++) {
		f->rxq[i].ctl &= ~VF_DCTL_ENABLE;
		f->txq[i].ctl &= ~VF_DCTL_ENABLE;
		f->txq[i].tso_done = 0;
		memset(f->txq[i].ctx, 0, sizeof(f->txq[i].ctx));
	}
	f->eicr = f->eims = f->eiam = f->eiac = f->pba = 0;
	f->not_before[0] = f->not_before[1] = 0;
	f->stats.resets++;
}

static uint32_t links(const struct veb *v, const struct veb_vf *f)
{
	uint32_t speed = v->mbps >= 10000 ? 3 : v->mbps >= 1000 ? 2 : 1;

	if (!v->mbps || !f->link_enabled || v->in_reset)
		return 0;
	return VF_LINKS_UP | speed << VF_LINKS_SPEED;
}

/* The five counters lie among the queue registers, in places that queues do not use. */
static bool counter_read(const struct veb_vf *f, uint32_t off, uint32_t *val)
{
	const struct veb_vf_stats *s = &f->stats;

	switch (off) {
	case VF_GPRC:
		*val = s->rx_packets;
		break;
	case VF_GORC_LSB:
		*val = s->rx_octets;
		break;
	case VF_GORC_MSB:
		*val = s->rx_octets >> 32 & 15;
		break;
	case VF_MPRC:
		*val = s->rx_multicast;
		break;
	case VF_GPTC:
		*val = s->tx_packets;
		break;
	case VF_GOTC_LSB:
		*val = s->tx_octets;
		break;
	case VF_GOTC_MSB:
		*val = s->tx_octets >> 32 & 15;
		break;
	default:
		return false;
	}
	return true;
}

/* Plain registers of a queue: where they are kept. The mask says which bits can be written. */
static uint32_t *rx_reg(struct veb_vf *f, uint32_t off, uint32_t *mask)
{
	struct veb_rxq *q = &f->rxq[(off - RXQ_FIRST) / QUEUE_STRIDE];

	*mask = ~0u;
	switch (off % QUEUE_STRIDE) {
	case 0x00:
		*mask = BASE_MASK;
		return &q->bal;
	case 0x04:
		return &q->bah;
	case 0x08:
		*mask = LEN_MASK;
		return &q->len;
	case 0x0c:
		*mask = 0xffff;
		return &q->dca;
	case 0x10:
		*mask = INDEX_MASK;
		return &q->head;
	case 0x14:
		*mask = 0x1fffffff;
		return &q->srrctl;
	case 0x18:
		*mask = INDEX_MASK;
		return &q->tail;
	case 0x28:
		*mask = 0x43ffffff;
		return &q->ctl;
	case 0x2c:
		*mask = 0xff;
		return &q->rsc;
	default:
		return NULL;
	}
}

static uint32_t *tx_reg(struct veb_vf *f, uint32_t off, uint32_t *mask)
{
	struct veb_txq *q = &f->txq[(off - TXQ_FIRST) / QUEUE_STRIDE];

	*mask = ~0u;
	switch (off % QUEUE_STRIDE) {
	case 0x00:
		*mask = BASE_MASK;
		return &q->bal;
	case 0x04:
		return &q->bah;
	case 0x08:
		*mask = LEN_MASK;
		return &q->len;
	case 0x0c:
		*mask = 0xffff;
		return &q->dca;
	case 0x10:
		*mask = INDEX_MASK;
		return &q->head;
	case 0x18:
		*mask = INDEX_MASK;
		return &q->tail;
	case 0x28:
		*mask = 0x03ffffff;
		return &q->ctl;
	case 0x38:
		return &q->wbal;
	case 0x3c:
		return &q->wbah;
	default:
		return NULL;
	}
}

static uint32_t *queue_reg(struct veb_vf *f, uint32_t off, uint32_t *mask)
{
	if (off >= RXQ_FIRST && off < RXQ_FIRST + QUEUES_LEN)
		return rx_reg(f, off, mask);
	if (off >= TXQ_FIRST && off < TXQ_FIRST + QUEUES_LEN)
		return tx_reg(f, off, mask);
	return NULL;
}

static void queue_write(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val, uint64_t now)
{
	uint32_t mask, *reg, old;
	bool rx = off < TXQ_FIRST;
	struct veb_rxq *rxq = &f->rxq[(off - RXQ_FIRST) / QUEUE_STRIDE % VEB_HW_QUEUES];
	struct veb_txq *txq = &f->txq[(off - TXQ_FIRST) / QUEUE_STRIDE % VEB_HW_QUEUES];

	if (counter_read(f, off, &mask))
		return; /* read-only */
	reg = queue_reg(f, off, &mask);
	if (!reg)
		return;
	old = *reg;
	*reg = val & mask;
	if (reg == &rxq->ctl && rx) {
		*reg &= ~SWFLSH;
		if (!(old & VF_DCTL_ENABLE) && (val & VF_DCTL_ENABLE))
			rxq->dead = false;
	} else if (reg == &txq->ctl) {
		*reg &= ~SWFLSH;
		if (!(old & VF_DCTL_ENABLE) && (val & VF_DCTL_ENABLE)) {
			txq->dead = false;
			txq->tso_done = 0;
			memset(txq->ctx, 0, sizeof(txq->ctx));
		}
	} else if (reg == &txq->head) {
		txq->tso_done = 0;
	} else if (reg == &txq->tail) {
		veb_transmit(v, f, 1u << (txq - f->txq), now);
	}
}

uint32_t veb_reg_read(struct veb *v, struct veb_vf *f, uint32_t off, uint64_t now)
{
	uint32_t val, *reg;

	if (counter_read(f, off, &val))
		return val;
	reg = queue_reg(f, off, &val);
	if (reg)
		return *reg;
	if (off >= VF_MBMEM(0) && off < VF_MBMEM(VF_MBMEM_WORDS))
		return f->mbmem[(off - VF_MBMEM(0)) / 4];
	switch (off) {
	case VF_STATUS:
		return STATUS_VALUE;
	case VF_LINKS:
		return links(v, f);
	case VF_FRTIMER:
		return now / 1000 & 0x7fffffff;
	case VF_EICR:
		val = f->eicr;
		f->eicr = 0;
		return val;
	case VF_EICS:
		return f->eicr;
	case VF_EIMS:
	case VF_EIMC:
		return f->eims;
	case VF_EIAC:
		return f->eiac;
	case VF_EIAM:
		return f->eiam;
	case VF_IVAR(0):
	case VF_IVAR(1):
	case VF_IVAR(2):
	case VF_IVAR(3):
		return f->ivar[(off - VF_IVAR(0)) / 4];
	case VF_IVAR_MISC:
		return f->ivar_misc;
	case VF_PBACL:
		return f->pba;
	case VF_MAILBOX:
		return veb_mbx_read(f);
	case VF_PSRTYPE:
		return f->psrtype;
	case VF_EITR(0):
	case VF_EITR(1):
		return f->eitr[(off - VF_EITR(0)) / 4];
	default:
		return 0; /* VFCTRL is write-only */
	}
}

void veb_reg_write(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val, uint64_t now)
{
	if (off >= RXQ_FIRST && off < TXQ_FIRST + QUEUES_LEN) {
		queue_write(v, f, off, val, now);
		return;
	}
	if (off >= VF_MBMEM(0) && off < VF_MBMEM(VF_MBMEM_WORDS)) {
		f->mbmem[(off - VF_MBMEM(0)) / 4] = val;
		return;
	}
	switch (off) {
	case VF_CTRL:
		if (val & VF_CTRL_RST)
			veb_vf_reset(f);
		break;
	case VF_EICR:
		f->eicr &= ~val;
		break;
	case VF_EICS:
		f->eicr |= val & ALL_VECTORS;
		f->eims |= val & f->eiam; /* X550 7.3.1.7 */
		veb_irq_evaluate(v, f, now);
		break;
	case VF_EIMS:
		f->eims |= val & ALL_VECTORS;
		veb_irq_evaluate(v, f, now);
		break;
	case VF_EIMC:
		f->eims &= ~val;
		break;
	case VF_EIAC:
		f->eiac = val & ALL_VECTORS; /* kept, without effect: causes always clear */
		break;
	case VF_EIAM:
		f->eiam = val & ALL_VECTORS;
		break;
	case VF_IVAR(0):
	case VF_IVAR(1):
	case VF_IVAR(2):
	case VF_IVAR(3):
		f->ivar[(off - VF_IVAR(0)) / 4] = val & 0x81818181; /* vectors 0 and 1 only */
		break;
	case VF_IVAR_MISC:
		f->ivar_misc = val & 0x83;
		break;
	case VF_PBACL:
		f->pba &= ~val;
		break;
	case VF_MAILBOX:
		veb_mbx_write(v, f, val, now);
		break;
	case VF_PSRTYPE:
		f->psrtype = val & 0xe0001330;
		break;
	case VF_EITR(0):
	case VF_EITR(1):
		f->eitr[(off - VF_EITR(0)) / 4] = val & 0x8ff8; /* CNT_WDIS reads 0 */
		break;
	default:
		break;
	}
}
