// SPDX-License-Identifier: MIT
/* Receive rings: data first, then the descriptor with its status last. */
#include "nic/veb/veb.h"

#define DESC_LEN 16

/* Where a tag is left out, a frame is two pieces. */
struct pieces {
	const uint8_t *p[2];
	uint32_t len[2];
};

/* Copies bytes [off, off + len) of the frame. */
static void copy_out(uint8_t *to, const struct pieces *f, uint32_t off, uint32_t len)
{
	uint32_t first = 0;

	if (off < f->len[0]) {
		first = f->len[0] - off < len ? f->len[0] - off : len;
		memcpy(to, f->p[0] + off, first);
	}
	if (first < len)
		memcpy(to + first, f->p[1] + (off + first - f->len[0]), len - first);
}

static unsigned select_queue(const struct veb *v, const struct veb_vf *f,
			     const struct veb_frame *fr)
{
	uint32_t rqpl = f->psrtype >> VF_PSRTYPE_RQPL;
	uint32_t mask = (rqpl > 2 ? 4u : 1u << rqpl) - 1;

	return fr->rss_type ? v->rss.reta[fr->hash % IX_RSS_RETA_LEN] & mask : 0;
}

static uint64_t status(const struct veb_frame *fr)
{
	uint64_t s = VF_RX_EOP | VF_RX_DD;

	if (fr->src != VEB_WIRE)
		s |= VF_RX_LB;
	if (fr->data[0] & 1)
		s |= VF_RX_PIF;
	if (fr->ip_ok || fr->ip_bad)
		s |= VF_RX_IPCS | (fr->ip_bad ? VF_RX_ERR_IP : 0);
	if (fr->l4_ok || fr->l4_bad)
		s |= VF_RX_L4CS | (fr->udp ? VF_RX_UDPCS : 0) | (fr->l4_bad ? VF_RX_ERR_L4 : 0);
	return s;
}

static bool fault(struct veb_vf *f, struct veb_rxq *q)
{
	q->dead = true;
	f->stats.dma_faults++;
	return false;
}

bool veb_deliver(struct veb *v, struct veb_vf *f, const struct veb_frame *fr, uint64_t now)
{
	unsigned n = select_queue(v, f, fr);
	struct veb_rxq *q = &f->rxq[n];
	uint64_t base = (uint64_t)q->bah << 32 | q->bal;
	uint32_t size = q->len / DESC_LEN, bufsize = (q->srrctl & 0x1f) * 1024;
	uint32_t len = fr->len, need, avail, off = 0;
	bool strip = fr->tagged && (f->port_vlan || (q->ctl & VF_RXDCTL_VME));
	struct pieces data = {{fr->data}, {fr->len}};
	uint64_t w1_last = status(fr);

	if (!(q->ctl & VF_DCTL_ENABLE) || q->dead || !bufsize || q->head >= size ||
	    q->tail >= size) {
		f->stats.rx_no_desc++;
		return false;
	}
	if (strip) {
		data.len[0] = 12;
		data.p[1] = fr->data + 16;
		data.len[1] = fr->len - 16;
		len -= VEB_TAG_LEN;
		if (!f->port_vlan) /* a port VLAN is hidden from the function */
			w1_last |= VF_RX_VP | (uint64_t)fr->tci << VF_RX_VLAN_SHIFT;
	}
	need = (len + bufsize - 1) / bufsize;
	avail = q->tail >= q->head ? q->tail - q->head : q->tail + size - q->head;
	if (need > avail) {
		f->stats
		    .rx_no_desc++; /* drop enable is forced on: a slow function holds up nobody */
		return false;
	}
	while (off < len) {
		uint32_t part = len - off < bufsize ? len - off : bufsize;
		bool last = off + part == len;
		uint64_t *d = veb_dma(v, f, base + DESC_LEN * q->head, DESC_LEN, true);
		uint64_t gpa, w0 = 0, w1 = VF_RX_DD;
		uint8_t *buf;

		if (!d)
			return fault(f, q);
		/* Only the address counts; the rest may be an old status, which Linux leaves there. */
		gpa = __atomic_load_n(&d[0], __ATOMIC_RELAXED);
		buf = gpa & 1 ? NULL : veb_dma(v, f, gpa, part, true);
		if (!buf)
			return fault(f, q);
		copy_out(buf, &data, off, part);
		if (last) {
			w0 = (uint64_t)fr->hash << 32 | fr->ptype | fr->rss_type;
			w1 = w1_last;
		}
		w1 |= (uint64_t)part << VF_RX_LEN_SHIFT;
		__atomic_store_n(&d[0], w0, __ATOMIC_RELAXED);
		__atomic_store_n(&d[1], w1, __ATOMIC_RELEASE);
		q->head = q->head + 1 == size ? 0 : q->head + 1;
		off += part;
	}
	f->stats.rx_packets++;
	f->stats.rx_octets += fr->len + VEB_CRC_LEN;
	if ((fr->data[0] & 1) && fr->data[0] != 0xff)
		f->stats.rx_multicast++;
	veb_irq_cause(v, f, f->ivar[n / 2] >> 16 * (n % 2) & 0xff, now);
	return true;
}
