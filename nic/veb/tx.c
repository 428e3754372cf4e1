// SPDX-License-Identifier: MIT
/*
 * Transmit rings: packets are gathered out of the owner's memory, which may change meanwhile, into
 * the bridge's; all decisions are taken on the copy.
 */
#include "nic/veb/veb.h"

#define DESC_LEN    16
#define TCP_FIN_PSH 0x09
#define TCP_CWR     0x80
#define MIN_PACKET  17

enum verdict {
	DONE,   /* the packet left, or was dropped by policy: complete it */
	AGAIN,  /* the budget is used up: the packet goes on later */
	BROKEN, /* the rules are broken or memory is not the owner's: the queue stops */
};

/* A packet on its way: its data descriptors and what they ask for. */
struct packet {
	struct veb_vf *f;
	struct veb_txq *q;
	uint64_t (*d)[2]; /* copies; room for VEB_TX_PKT_MAX */
	unsigned n;
	uint32_t len; /* sum of all pieces */
	uint32_t maclen, iplen, l4len, mss, l4t;
	bool ixsm, txsm, ipv4;
	bool vle;
	uint16_t tci;
};

static void put16(uint8_t *p, uint32_t val)
{
	p[0] = val >> 8;
	p[1] = val;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t piece_len(const struct packet *p, unsigned i)
{
	return p->d[i][1] & 0xffff;
}

static uint64_t *desc_at(struct veb *v, struct packet *p, uint32_t index)
{
	uint64_t base = (uint64_t)p->q->bah << 32 | p->q->bal;

	return veb_dma(v, p->f, base + DESC_LEN * index, DESC_LEN, true);
}

/* Copies bytes [off, off + len) of the packet. */
static bool gather(struct veb *v, const struct packet *p, uint32_t off, uint32_t len, uint8_t *to)
{
	for (unsigned i = 0; i < p->n && len; i++) {
		uint32_t here = piece_len(p, i), part;
		const void *from;

		if (off >= here) {
			off -= here;
			continue;
		}
		part = here - off < len ? here - off : len;
		from = veb_dma(v, p->f, p->d[i][0] + off, part, false);
		if (!from) {
			p->f->stats.dma_faults++;
			return false;
		}
		memcpy(to, from, part);
		to += part;
		len -= part;
		off = 0;
	}
	return true;
}

/* IPv4 header checksum; the driver has put 0 in its place (X550 7.2.5). */
static void insert_ip(const struct packet *p, uint8_t *frame)
{
	uint8_t *ip = frame + p->maclen;

	put16(ip + 10, ~veb_fold(veb_sum(ip, p->iplen, 0)));
}

/* TCP or UDP checksum over the rest of the frame; its field holds the pseudo-header's sum. */
static void insert_l4(const struct packet *p, uint8_t *frame, uint32_t len)
{
	uint32_t at = p->maclen + p->iplen;
	uint8_t *l4 = frame + at;
	uint32_t crc;
	uint16_t sum;

	switch (p->l4t) {
	case 0: /* UDP */
		sum = ~veb_fold(veb_sum(l4, len - at, 0));
		put16(l4 + 6, sum ? sum : 0xffff);
		break;
	case 1: /* TCP */
		put16(l4 + 16, ~veb_fold(veb_sum(l4, len - at, 0)));
		break;
	default: /* SCTP: RFC 4960 appendix B */
		memset(l4 + 8, 0, 4);
		crc = veb_crc32c(l4, len - at);
		memcpy(l4 + 8, &crc, 4);
	}
}

static bool may_send(const struct veb *v, const struct veb_vf *f, const struct veb_frame *fr)
{
	uint32_t vid = fr->tci & 0xfff;

	if (!veb_active(v, f))
		return false;
	if (!f->spoof_check)
		return true;
	if (fr->tagged && !f->port_vlan && !(f->vlan[vid / 64] & 1ull << vid % 64))
		return false;
	for (unsigned i = 0; i < f->nmacs; i++)
		if (veb_mac_equal(f->mac[i], fr->data + 6))
			return true;
	return false;
}

/* Sends the frame of `len` bytes that lies in v->frame behind the room for a tag. */
static uint32_t send_frame(struct veb *v, const struct packet *p, uint32_t len, uint64_t now)
{
	struct veb_frame fr = {.data = v->frame + VEB_TAG_LEN, .len = len};
	struct veb_vf *f = p->f;
	bool tag = p->vle;
	uint16_t tci = p->tci;
	uint8_t *data = v->frame + VEB_TAG_LEN;
	unsigned receivers;

	fr.src = veb_index(v, f);
	if (f->port_vlan) {
		/* Insertion is forced; a frame with a tag of its own would hide in another VLAN. */
		if (tag || get16(data + 12) == 0x8100) {
			f->stats.tx_spoofed++;
			return 1;
		}
		tag = true;
		tci = f->port_vlan;
	}
	if (tag) {
		memmove(v->frame, data, 12);
		put16(data + 8, 0x8100);
		put16(data + 10, tci);
		fr.data = v->frame;
		fr.len += VEB_TAG_LEN;
	}
	if (fr.len < VEB_MIN_FRAME) {
		memset((tag ? v->frame : data) + fr.len, 0, VEB_MIN_FRAME - fr.len);
		fr.len = VEB_MIN_FRAME;
	}
	veb_parse(v, &fr);
	if (!may_send(v, f, &fr)) {
		f->stats.tx_spoofed++;
		return 1;
	}
	/* The receiver is told a checksum is good if the sender had it inserted, and only then. */
	fr.ip_ok = p->ixsm && fr.ip4;
	fr.l4_ok = p->txsm && ((p->l4t == 1 && fr.tcp) || (p->l4t == 0 && fr.udp));
	f->stats.tx_packets++;
	f->stats.tx_octets += fr.len + VEB_CRC_LEN;
	return veb_forward(v, &fr, now, &receivers) + fr.len / 512;
}

static enum verdict send_plain(struct veb *v, struct packet *p, uint32_t *cost, uint64_t now)
{
	uint8_t *frame = v->frame + VEB_TAG_LEN;

	if (p->len > VEB_FRAME_MAX) {
		p->f->stats.tx_too_long++;
		return DONE;
	}
	if (!gather(v, p, 0, p->len, frame))
		return BROKEN;
	if (p->ixsm)
		insert_ip(p, frame);
	if (p->txsm)
		insert_l4(p, frame, p->len);
	*cost += send_frame(v, p, p->len, now);
	return DONE;
}

/* Header of one segment: lengths, identification, sequence number, flags (X550 7.2.4.7). */
static void segment_header(const struct packet *p, uint8_t *frame, uint32_t off, uint32_t len,
			   bool last)
{
	uint8_t *ip = frame + p->maclen, *tcp = ip + p->iplen;
	uint32_t seq, l4 = p->l4len + len;

	if (p->ipv4) {
		put16(ip + 2, p->iplen + l4);
		put16(ip + 4, get16(ip + 4) + off / p->mss);
	} else {
		put16(ip + 4, p->iplen - 40 + l4);
	}
	seq = (get16(tcp + 4) << 16 | get16(tcp + 6)) + off;
	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq);
	if (!last)
		tcp[13] &= ~TCP_FIN_PSH;
	if (off)
		tcp[13] &= ~TCP_CWR;
	put16(tcp + 16, veb_fold(get16(tcp + 16) + l4)); /* the driver's sum has no length */
}

static enum verdict send_tso(struct veb *v, struct packet *p, uint32_t *cost, uint64_t now)
{
	uint32_t hdr = p->maclen + p->iplen + p->l4len, payload = p->len - hdr;
	uint8_t *frame = v->frame + VEB_TAG_LEN;

	if (!gather(v, p, 0, hdr, v->hdr))
		return BROKEN;
	while (p->q->tso_done < payload) {
		uint32_t off = p->q->tso_done,
			 part = payload - off < p->mss ? payload - off : p->mss;

		if (*cost >= VEB_BUDGET)
			return AGAIN;
		memcpy(frame, v->hdr, hdr);
		if (!gather(v, p, hdr + off, part, frame + hdr))
			return BROKEN;
		segment_header(p, frame, off, part, off + part == payload);
		if (p->ixsm)
			insert_ip(p, frame);
		if (p->txsm)
			insert_l4(p, frame, hdr + part);
		*cost += send_frame(v, p, hdr + part, now);
		p->q->tso_done += part;
	}
	p->q->tso_done = 0;
	return DONE;
}

/* Reads what the first descriptor and its context ask for; false if that breaks the rules. */
static bool interpret(struct packet *p)
{
	uint64_t w1 = p->d[0][1], payload = w1 >> VF_TX_PAYLEN;
	unsigned idx = w1 >> VF_TX_IDX_SHIFT & 7;
	bool tse = w1 & VF_TX_TSE;
	const uint64_t *ctx;
	uint32_t hdr;

	p->ixsm = w1 & VF_TX_IXSM;
	p->txsm = w1 & VF_TX_TXSM;
	p->vle = w1 & VF_TX_VLE;
	if (!(w1 & VF_TX_IFCS) || p->len < MIN_PACKET)
		return false;
	if (!(w1 & VF_TX_CC)) /* no context is used, so nothing can be asked for */
		return !tse && !p->ixsm && !p->txsm && !p->vle && payload == p->len;
	ctx = p->q->ctx[idx & 1];
	if (idx > 1 || !ctx[1])
		return false;
	p->iplen = ctx[0] & 0x1ff;
	p->maclen = ctx[0] >> VF_CTX_MACLEN & 0x7f;
	p->tci = ctx[0] >> VF_CTX_VLAN;
	p->ipv4 = ctx[1] & VF_CTX_IPV4;
	p->l4t = ctx[1] >> 11 & 3;
	p->l4len = ctx[1] >> VF_CTX_L4LEN & 0xff;
	p->mss = ctx[1] >> VF_CTX_MSS & 0xffff;
	hdr = p->maclen + p->iplen;
	/* Linux names a context without lengths for packets it knows nothing about. */
	if (((tse || p->ixsm || p->txsm) && p->maclen < 14) || hdr > p->len)
		return false;
	if (p->ixsm && p->iplen < 20)
		return false;
	if (p->txsm && (p->l4t > 2 || p->len < hdr + (p->l4t == 1 ? 20 : p->l4t == 0 ? 8 : 12)))
		return false;
	if (!tse)
		return payload == p->len;
	hdr += p->l4len;
	return p->l4t == 1 && p->l4len >= 20 && p->iplen >= (p->ipv4 ? 20 : 40) && p->mss &&
	       hdr <= VEB_HDR_MAX && hdr + p->mss <= VEB_FRAME_MAX && hdr < p->len &&
	       payload == p->len - hdr;
}

static enum verdict send_packet(struct veb *v, struct packet *p, uint32_t *cost, uint64_t now)
{
	if (!interpret(p)) {
		p->f->stats.tx_malformed++;
		return BROKEN;
	}
	return p->d[0][1] & VF_TX_TSE ? send_tso(v, p, cost, now) : send_plain(v, p, cost, now);
}

static bool is_data(uint64_t w1)
{
	return (w1 & (VF_TX_DEXT | 15 << 20)) == (VF_TX_DEXT | VF_TX_DATA);
}

static bool is_context(uint64_t w1)
{
	return (w1 & (VF_TX_DEXT | 15 << 20)) == (VF_TX_DEXT | VF_TX_CTX);
}

/* Copies the descriptor at `index` to p->d[n]. False: it is not in the owner's memory. */
static bool fetch(struct veb *v, struct packet *p, uint32_t index, unsigned n)
{
	const uint64_t *d = desc_at(v, p, index);

	if (!d) {
		p->f->stats.dma_faults++;
		return false;
	}
	p->d[n][0] = __atomic_load_n(&d[0], __ATOMIC_RELAXED);
	p->d[n][1] = __atomic_load_n(&d[1], __ATOMIC_RELAXED);
	return true;
}

/*
 * Collects the packet at `head`, the first descriptor of which is in p->d[0]. DONE: it is whole, *next is
 * past it. AGAIN: its end has not been written yet.
 */
static enum verdict collect(struct veb *v, struct packet *p, uint32_t size, uint32_t *next)
{
	uint32_t at = p->q->head;

	p->n = p->len = 0;
	do {
		if (p->n == VEB_TX_PKT_MAX) {
			p->f->stats.tx_malformed++;
			return BROKEN;
		}
		if (p->n && !fetch(v, p, at, p->n))
			return BROKEN;
		/* A context amid a packet, a legacy or an empty descriptor in it: broken. */
		if (!is_data(p->d[p->n][1]) || (piece_len(p, p->n) == 0 && p->n) ||
		    piece_len(p, p->n) > 16384) {
			p->f->stats.tx_malformed++;
			return BROKEN;
		}
		p->len += piece_len(p, p->n);
		at = at + 1 == size ? 0 : at + 1;
		if (p->d[p->n++][1] & VF_TX_EOP) {
			*next = at;
			return DONE;
		}
	} while (at != p->q->tail);
	return AGAIN;
}

/* Reports the descriptors of [head, next) that asked for it. Returns whether any did. */
static bool report(struct veb *v, struct packet *p, uint32_t size, uint32_t next)
{
	bool any = false;
	uint32_t at = p->q->head;

	for (unsigned i = 0; i < p->n; i++, at = at + 1 == size ? 0 : at + 1) {
		uint64_t *d;

		if (!(p->d[i][1] & VF_TX_RS))
			continue;
		any = true;
		if (p->q->wbal & 1)
			continue; /* head write-back takes its place */
		d = desc_at(v, p, at);
		if (!d)
			continue;
		__atomic_store_n(&d[0], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&d[1], VF_TX_DD, __ATOMIC_RELEASE);
	}
	if (any && (p->q->wbal & 1)) {
		uint64_t gpa = (uint64_t)p->q->wbah << 32 | (p->q->wbal & ~3u);
		uint32_t *head = veb_dma(v, p->f, gpa, 4, true);

		if (head)
			__atomic_store_n(head, next, __ATOMIC_RELEASE);
		else
			p->f->stats.dma_faults++;
	}
	return any;
}

/* One element at the head of a ring: a context, an empty descriptor, or a packet. */
static enum verdict step(struct veb *v, struct packet *p, uint32_t size, uint32_t *cost,
			 bool *reported, uint64_t now)
{
	struct veb_txq *q = p->q;
	uint64_t w0, w1;
	uint32_t next = q->head + 1 == size ? 0 : q->head + 1;
	enum verdict verdict;

	if (!fetch(v, p, q->head, 0))
		return BROKEN;
	w0 = p->d[0][0];
	w1 = p->d[0][1];
	*cost += 1;
	if (is_context(w1)) {
		unsigned idx = w1 >> VF_TX_IDX_SHIFT & 7;

		if (idx > 1) {
			p->f->stats.tx_malformed++;
			return BROKEN;
		}
		q->ctx[idx][0] = w0;
		q->ctx[idx][1] = w1;
		q->head = next;
		return DONE;
	}
	if (is_data(w1) && !(w1 & 0xffff) && (w1 & VF_TX_EOP) && !q->tso_done) {
		q->head = next; /* empty, between packets: passed, not reported */
		return DONE;
	}
	verdict = collect(v, p, size, &next);
	if (verdict != DONE)
		return verdict;
	*cost += p->n;
	verdict = send_packet(v, p, cost, now);
	if (verdict == DONE) {
		*reported |= report(v, p, size, next);
		q->head = next;
	}
	return verdict;
}

/* Returns whether work is left over. */
static bool run_queue(struct veb *v, struct veb_vf *f, unsigned n, uint32_t *cost, uint64_t now)
{
	struct packet p = {.f = f, .q = &f->txq[n], .d = v->desc};
	struct veb_txq *q = p.q;
	bool reported = false, left = false;
	uint32_t size = q->len / DESC_LEN;

	if (!(q->ctl & VF_DCTL_ENABLE) || q->dead || q->head >= size || q->tail >= size)
		return false;
	while (q->head != q->tail) {
		enum verdict verdict;

		if (*cost >= VEB_BUDGET) {
			left = true;
			break;
		}
		verdict = step(v, &p, size, cost, &reported, now);
		if (verdict == BROKEN) {
			q->dead = true;
			break;
		}
		if (verdict == AGAIN) {
			left = *cost >= VEB_BUDGET;
			break;
		}
	}
	if (reported)
		veb_irq_cause(v, f, f->ivar[n / 2] >> (16 * (n % 2) + 8) & 0xff, now);
	return left;
}

void veb_transmit(struct veb *v, struct veb_vf *f, uint32_t queues, uint64_t now)
{
	uint32_t cost = 0;
	bool left = false;

	if (v->in_reset)
		return;
	if (v->tx_pending >> veb_index(v, f) & 1)
		queues = VEB_ALL_QUEUES;
	for (; queues; queues &= queues - 1)
		left |= run_queue(v, f, (unsigned)__builtin_ctz(queues), &cost, now);
	veb_mark(v, &v->tx_pending, f, left);
}
