/* SPDX-License-Identifier: MIT */
/*
 * IPv4 reassembly (RFC 791, RFC 815) into buffers of 64 KB, so that a datagram is handed on in
 * one piece. Limits: the number of buffers, half of them per source, the time. Overlapping fragments end the
 * datagram (as RFC 5722 asks of IPv6): they are never innocent.
 */
#include "net/core/core.h"

#define ROOM   65536
#define QUOTE  66 /* of the first fragment: what an ICMP error about it has room for */
#define RANGES 64

enum {
	R_FREE,
	R_OPEN,
	R_HELD, /* complete, with the application */
};

struct range {
	uint32_t lo, hi;
};

struct reasm {
	struct ixn_rxbuf buf; /* first: reasm_release() finds the slot by it */
	uint8_t *data;
	uint64_t dma;
	uint32_t src, dst;
	uint16_t id;
	uint8_t proto;
	uint8_t state;
	uint8_t laddr;
	bool bcast, first;
	uint8_t tos, ttl;
	uint16_t ihl, quoted;
	uint32_t end; /* known total, 0: not yet */
	uint32_t nranges;
	uint64_t due;
	uint8_t quote[QUOTE]; /* IP header and what follows */
	struct range range[RANGES];
};

size_t reasm_bytes(const struct ixn_config *cfg)
{
	return cfg->reasm_slots * sizeof(struct reasm);
}

void reasm_init(struct ixn *n, void *mem, uint8_t *data)
{
	n->reasm = mem;
	n->reasm_size = reasm_bytes(&n->cfg);
	memset(mem, 0, n->reasm_size);
	for (uint32_t i = 0; i < n->cfg.reasm_slots; i++) {
		struct reasm *s = &n->reasm[i];
		s->data = data + (size_t)i * 65536;
		s->dma =
		    n->ops.dma ? n->ops.dma(n->user, s->data, 65536) : (uint64_t)(uintptr_t)s->data;
	}
}

static void slot_free(struct ixn *n, struct reasm *s)
{
	n->reasm_held -= s->state == R_HELD;
	s->state = R_FREE;
	n->reasm_count--;
}

void reasm_release(struct ixn *n, struct ixn_rxbuf *b)
{
	slot_free(n, (struct reasm *)b);
}

void ixn_rx_return(struct ixn *owner, struct ixn_rxbuf *b)
{
	reasm_release(owner, b);
}

/*
 * The datagram's buffer. When there is none, or its source has half of them already, the oldest
 * datagram (of that source) gives way: fragments lost once must not keep others out for the whole
 * time that their datagram is waited for.
 */
static struct reasm *slot_for(struct ixn *n, const struct rxinfo *r, uint16_t id)
{
	struct reasm *free = NULL, *oldest = NULL, *own = NULL;
	uint32_t same_source = 0;

	for (uint32_t i = 0; i < n->cfg.reasm_slots; i++) {
		struct reasm *s = &n->reasm[i];
		if (s->state == R_FREE) {
			free = s;
			continue;
		}
		if (s->state != R_OPEN)
			continue;
		if (s->src == r->src && s->dst == r->dst && s->id == id && s->proto == r->proto)
			return s;
		if (!oldest || s->due < oldest->due)
			oldest = s;
		if (s->src == r->src) {
			same_source++;
			if (!own || s->due < own->due)
				own = s;
		}
	}
	if (own && same_source > n->cfg.reasm_slots / 2)
		free = own;
	else if (!free)
		free = oldest;
	if (!free)
		return NULL;
	if (free->state == R_OPEN) {
		n->st.reasm_drop++;
		slot_free(n, free);
	}
	n->reasm_count++;
	free->state = R_OPEN;
	free->src = r->src;
	free->dst = r->dst;
	free->id = id;
	free->proto = r->proto;
	free->laddr = r->laddr;
	free->bcast = r->bcast;
	free->first = false;
	free->tos = 0;
	free->end = 0;
	free->nranges = 0;
	free->due = n->now + n->cfg.reasm_timeout_us;
	return free;
}

/* Adds [lo, hi) to the sorted list of ranges. False: overlap, or too many pieces. */
static bool add_range(struct reasm *s, uint32_t lo, uint32_t hi, bool *duplicate)
{
	uint32_t i = 0;

	while (i < s->nranges && s->range[i].hi < lo)
		i++;
	for (uint32_t k = i; k < s->nranges; k++) {
		if (lo >= s->range[k].lo && hi <= s->range[k].hi) {
			*duplicate = true; /* RFC 5722 allows to ignore exact duplicates */
			return true;
		}
		if (lo < s->range[k].hi && hi > s->range[k].lo)
			return false;
	}
	bool left = i < s->nranges && s->range[i].hi == lo;
	uint32_t next = i + left;
	bool right = next < s->nranges && s->range[next].lo == hi;
	if (left && right) {
		s->range[i].hi = s->range[next].hi;
		for (uint32_t k = next; k + 1 < s->nranges; k++)
			s->range[k] = s->range[k + 1];
		s->nranges--;
	} else if (left) {
		s->range[i].hi = hi;
	} else if (right) {
		s->range[next].lo = lo;
	} else {
		if (s->nranges == RANGES)
			return false;
		for (uint32_t k = s->nranges; k > i; k--)
			s->range[k] = s->range[k - 1];
		s->range[i] = (struct range){lo, hi};
		s->nranges++;
	}
	return true;
}

void reasm_rx(struct ixn *n, struct rxinfo *r)
{
	uint16_t frag = get16(r->ip + 6);
	uint32_t lo = (uint32_t)(frag & 0x1fff) * 8, hi = lo + r->l4_len;
	bool more = frag & 0x2000, duplicate = false;
	struct ixn_rxbuf *b = r->buf;

	if (frag & 0x4000 || !r->l4_len || (more && r->l4_len & 7) || hi > ROOM ||
	    hi + r->ihl > 65535) {
		n->st.reasm_drop++;
		rx_release(n, b);
		return;
	}
	struct reasm *s = slot_for(n, r, get16(r->ip + 4));
	if (!s) {
		n->st.reasm_drop++;
		rx_release(n, b);
		return;
	}
	if ((s->end && hi > s->end) || (!more && s->end && hi != s->end) ||
	    (!more && s->nranges && s->range[s->nranges - 1].hi > hi) ||
	    !add_range(s, lo, hi, &duplicate)) {
		n->st.reasm_drop++;
		slot_free(n, s);
		rx_release(n, b);
		return;
	}
	if (!duplicate)
		memcpy(s->data + lo, r->l4, r->l4_len);
	if (!more)
		s->end = hi;
	if (!lo && !s->first) {
		s->first = true;
		s->ttl = r->ttl;
		s->ihl = r->ihl;
		uint32_t q = r->ihl + r->l4_len;
		s->quoted = (uint16_t)((q < QUOTE ? q : QUOTE) - r->ihl);
		memset(s->quote, 0, QUOTE);
		memcpy(s->quote, r->ip, r->ihl + s->quoted);
	}
	/* RFC 3168 5.3: CE in any fragment marks the datagram. */
	s->tos = (s->tos & 3) == 3 ? s->tos : r->tos;
	rx_release(n, b);
	if (s->nranges != 1 || s->range[0].lo || !s->end || s->range[0].hi != s->end)
		return;

	n->st.reasm_ok++;
	s->state = R_HELD;
	s->buf.data = s->data;
	s->buf.len = s->end;
	s->buf.dma = s->dma;
	s->buf.flags = IXN_RX_REASM;
	if (++n->reasm_held > n->cfg.reasm_slots / 2)
		s->buf.flags |= IXN_RX_SCARCE;
	s->buf.user = (uint64_t)(uintptr_t)n;
	struct rxinfo whole = {.buf = &s->buf,
			       .ip = s->quote,
			       .l4 = s->data,
			       .l4_len = s->end,
			       .src = s->src,
			       .dst = s->dst,
			       .ihl = s->ihl,
			       .proto = s->proto,
			       .laddr = s->laddr,
			       .tos = s->tos,
			       .ttl = s->ttl,
			       .bcast = s->bcast,
			       .l4_ok = r->l4_ok};
	ip_deliver(n, &whole);
}

void reasm_house(struct ixn *n)
{
	for (uint32_t i = 0; n->reasm_count && i < n->cfg.reasm_slots; i++) {
		struct reasm *s = &n->reasm[i];

		if (s->state != R_OPEN || n->now < s->due)
			continue;
		n->st.reasm_timeout++;
		if (s->first && !s->bcast) { /* RFC 792: code 1, with the first fragment */
			struct rxinfo r = {.ip = s->quote,
					   .l4 = s->quote + s->ihl,
					   .l4_len = s->quoted,
					   .src = s->src,
					   .dst = s->dst,
					   .ihl = s->ihl,
					   .proto = s->proto,
					   .laddr = s->laddr};
			icmp_time_exceeded(n, &r, 1);
		}
		slot_free(n, s);
	}
}

uint64_t reasm_next(const struct ixn *n)
{
	uint64_t t = UINT64_MAX;

	for (uint32_t i = 0; n->reasm_count && i < n->cfg.reasm_slots; i++) {
		if (n->reasm[i].state == R_OPEN && n->reasm[i].due < t)
			t = n->reasm[i].due;
	}
	return t;
}

void reasm_drop_addr(struct ixn *n, uint8_t laddr)
{
	for (uint32_t i = 0; i < n->cfg.reasm_slots; i++) {
		if (n->reasm[i].state == R_OPEN && n->reasm[i].laddr == laddr)
			slot_free(n, &n->reasm[i]);
	}
}
