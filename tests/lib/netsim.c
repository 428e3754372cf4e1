/* SPDX-License-Identifier: MIT */
#include "tests/lib/netsim.h"

#include <stdlib.h>
#include <string.h>

struct sim_frame {
	uint64_t at, serial;
	uint8_t *data;
	uint32_t len;
	uint32_t to;
};

static uint64_t mix(uint64_t *s) /* splitmix64 */
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t sim_random(struct sim *s)
{
	return mix(&s->rng);
}

double sim_uniform(struct sim *s)
{
	return (double)(sim_random(s) >> 11) / (double)(1ull << 53);
}

struct ixn_addr sim_ip(uint32_t index)
{
	return ixn_v4(10, 0, 0, (uint8_t)(index + 1));
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	s->rng = seed;
	s->now = 1000000;
	return s;
}

void sim_pcap(struct sim *s, const char *path)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};

	s->pcap = fopen(path, "wb");
	if (s->pcap)
		fwrite(head, sizeof(head), 1, s->pcap);
}

static void pcap_frame(struct sim *s, const uint8_t *d, uint32_t len)
{
	uint32_t h[4] = {(uint32_t)(s->now / 1000000), (uint32_t)(s->now % 1000000), len, len};

	if (s->pcap) {
		fwrite(h, sizeof(h), 1, s->pcap);
		fwrite(d, len, 1, s->pcap);
	}
}

static bool before(const struct sim_frame *a, const struct sim_frame *b)
{
	return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void heap_push(struct sim *s, struct sim_frame f)
{
	if (s->heap_n == s->heap_cap) {
		s->heap_cap = s->heap_cap ? s->heap_cap * 2 : 256;
		s->heap = realloc(s->heap, s->heap_cap * sizeof(*s->heap));
	}
	uint32_t i = s->heap_n++;
	while (i && before(&f, &s->heap[(i - 1) / 2])) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = f;
}

static struct sim_frame heap_pop(struct sim *s)
{
	struct sim_frame top = s->heap[0], last = s->heap[--s->heap_n];
	uint32_t i = 0;

	for (;;) {
		uint32_t c = 2 * i + 1;
		if (c >= s->heap_n)
			break;
		if (c + 1 < s->heap_n && before(&s->heap[c + 1], &s->heap[c]))
			c++;
		if (!before(&s->heap[c], &last))
			break;
		s->heap[i] = s->heap[c];
		i = c;
	}
	if (s->heap_n)
		s->heap[i] = last;
	return top;
}

static void put_frame(struct sim *s, uint32_t to, const uint8_t *d, uint32_t len, uint64_t at)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, d, len);
	heap_push(s, (struct sim_frame){at, s->serial++, copy, len, to});
}

void sim_give(struct sim_host *to, const uint8_t *d, uint32_t len, uint64_t delay_us)
{
	struct sim *s = to->sim;

	for (uint32_t i = 0; i < s->hosts; i++) {
		if (s->host[i] == to)
			put_frame(s, i, d, len, s->now + delay_us);
	}
}

void sim_inject(struct sim *s, const struct sim_host *from, const uint8_t *d, uint32_t len,
		uint64_t delay_us)
{
	pcap_frame(s, d, len);
	for (uint32_t i = 0; i < s->hosts; i++) {
		if (s->host[i] != from)
			put_frame(s, i, d, len, s->now + delay_us);
	}
}

/* CE in the IPv4 header, with its checksum (RFC 1624). */
static void mark_ce(uint8_t *f, uint32_t len)
{
	if (len < 34 || f[12] != 8 || f[13] || !(f[15] & 3) || (f[15] & 3) == 3)
		return;
	f[15] |= 3;
	f[24] = f[25] = 0;
	uint32_t sum = 0;
	for (uint32_t i = 14; i < 34; i += 2)
		sum += (uint32_t)f[i] << 8 | f[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(~sum >> 8);
	f[25] = (uint8_t)~sum;
}

static bool takes(struct sim_host *h, const uint8_t *d, uint32_t len)
{
	return !h->takes || h->takes(h, d, len);
}

static void transmit(struct sim_host *h, uint8_t *d, uint32_t len)
{
	struct sim *s = h->sim;
	const struct sim_wire *w = &h->wire;
	uint64_t at = s->now + w->delay_us;

	h->frames++;
	h->bytes += len;
	if (h->mute || (h->on_tx && !h->on_tx(h, d, len)))
		return;
	if (w->rate_bps) {
		if (h->busy_until < s->now)
			h->busy_until = s->now;
		if (w->queue_us && h->busy_until - s->now > w->queue_us) {
			h->dropped++;
			return;
		}
		if (w->mark_us && h->busy_until - s->now > w->mark_us)
			mark_ce(d, len);
		h->busy_until += (uint64_t)len * 8 * 1000000 / w->rate_bps;
		at = h->busy_until + w->delay_us;
	}
	pcap_frame(s, d, len);
	if (w->loss && sim_uniform(s) < w->loss) {
		h->dropped++;
		return;
	}
	if (w->jitter_us)
		at += sim_random(s) % w->jitter_us;
	if (w->reorder && sim_uniform(s) < w->reorder)
		at += (w->delay_us ? w->delay_us : 100) / 2 + sim_random(s) % 200;
	if (w->corrupt && sim_uniform(s) < w->corrupt && len > 14)
		d[14 + sim_random(s) % (len - 14)] ^= (uint8_t)(1 + sim_random(s) % 255);
	for (uint32_t i = 0; i < s->hosts; i++) {
		if (s->host[i]->index == h->index || !takes(s->host[i], d, len))
			continue;
		put_frame(s, i, d, len, at);
		if (w->dup && sim_uniform(s) < w->dup)
			put_frame(s, i, d, len, at + sim_random(s) % 50);
	}
}

/* What a NIC with TSO does. */
static void send_tso(struct sim_host *h, const struct ixn_txpkt *p, uint8_t *flat)
{
	uint32_t off = 0;
	uint8_t seg[2048];

	while (off < p->pay_len) {
		uint32_t part = p->pay_len - off < p->mss ? p->pay_len - off : p->mss;
		uint32_t l3 = p->hdr_len - 14 + part, seq;
		memcpy(seg, flat, p->hdr_len);
		memcpy(seg + p->hdr_len, flat + p->hdr_len + off, part);
		seg[16] = (uint8_t)(l3 >> 8);
		seg[17] = (uint8_t)l3;
		memcpy(&seq, seg + 38, 4);
		seq = __builtin_bswap32(__builtin_bswap32(seq) + off);
		memcpy(seg + 38, &seq, 4);
		off += part;
		if (off < p->pay_len)
			seg[47] &= ~9; /* FIN, PSH on the last one only */
		transmit(h, seg, p->hdr_len + part);
	}
}

static uint32_t host_tx(void *user, struct ixn_txpkt **pkts, uint32_t n)
{
	struct sim_host *h = user;

	for (uint32_t i = 0; i < n; i++) {
		struct ixn_txpkt *p = pkts[i];
		uint32_t len = p->hdr_len;
		uint8_t *d = malloc(p->hdr_len + p->pay_len + 1);
		memcpy(d, p->hdr, p->hdr_len);
		for (uint32_t k = 0; k < p->nsegs; k++) {
			memcpy(d + len, p->seg[k].ptr, p->seg[k].len);
			len += p->seg[k].len;
		}
		if (len != p->hdr_len + p->pay_len)
			abort();
		if (p->flags & IXN_TX_TSO)
			send_tso(h, p, d);
		else
			transmit(h, d, len);
		free(d);
		ixn_tx_done(h->n, p);
	}
	return n;
}

/* A buffer may have moved to another instance with its connection. */
static void host_release(void *user, struct ixn_rxbuf *b)
{
	struct sim_host *h = (struct sim_host *)(uintptr_t)b->user;

	(void)user;
	h->held--;
	free((void *)b->data);
	free(b);
}

struct sim_host *sim_add(struct sim *s, const struct ixn_config *cfg)
{
	return sim_add_core(s, cfg, NULL);
}

static uint32_t host_rss(void *user, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	struct sim_host *h = user;

	(void)raddr;
	(void)laddr;
	return h->rss ? h->rss(rport, lport) : 0;
}

static bool host_stray(void *user, struct ixn_rxbuf *b, uint32_t group)
{
	struct sim_host *h = user;

	if (!h->on_stray || !h->on_stray(h, b->data, b->len, group))
		return false;
	host_release(h, b);
	return true;
}

struct sim_host *sim_add_core(struct sim *s, const struct ixn_config *cfg, struct sim_host *other)
{
	static const struct ixn_ops ops = {
	    .tx = host_tx, .rx_release = host_release, .rss_hash = host_rss, .stray = host_stray};
	struct sim_host *h = calloc(1, sizeof(*h));
	uint32_t index = other ? other->index : s->hosts;

	h->index = index;
	if (cfg) {
		h->cfg = *cfg;
	} else {
		ixn_config_default(&h->cfg);
		h->cfg.max_conns = 64;
		h->cfg.max_timewait = 64;
		h->cfg.tx_recs = 8192;
		h->cfg.tx_pkts = 512;
	}
	memcpy(h->cfg.mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(index + 1)}, 6);
	for (uint32_t i = 0; i < 4; i++)
		h->cfg.secret[i] = other ? other->cfg.secret[i] : sim_random(s);
	h->sim = s;
	h->q = (struct ixn_evq){.ev = h->ev, .cap = sizeof(h->ev) / sizeof(h->ev[0])};
	h->batch = 64;
	h->mem = aligned_alloc(65536, (ixn_size(&h->cfg) + 65535) & ~(size_t)65535);
	h->n = ixn_init(h->mem, &h->cfg, &ops, h, &h->q, s->now);
	if (!h->n)
		abort();
	if (ixn_addr_add(h->n, sim_ip(index), 24))
		abort();
	s->host[s->hosts++] = h;
	return h;
}

void sim_free(struct sim *s)
{
	while (s->heap_n)
		free(heap_pop(s).data);
	free(s->heap);
	for (uint32_t i = 0; i < s->hosts; i++) {
		free(s->host[i]->mem);
		free(s->host[i]);
	}
	if (s->pcap)
		fclose(s->pcap);
	free(s);
}

static void handle_events(struct sim_host *h)
{
	for (uint32_t i = 0; i < h->q.n; i++) {
		if (h->on_event)
			h->on_event(h, &h->ev[i]);
		else if (h->ev[i].type == IXN_EV_UDP_RECV)
			ixn_udp_recv_done(h->n, h->ev[i].buf);
	}
	h->q.n = 0;
	if (h->on_cycle)
		h->on_cycle(h);
}

static void cycle(struct sim_host *h, struct ixn_rxbuf **bufs, uint32_t n)
{
	uint64_t now = h->sim->now;

	if (n)
		ixn_rx(h->n, bufs, n, now);
	ixn_timers(h->n, now);
	handle_events(h);
	ixn_flush(h->n, now);
}

void sim_cycle(struct sim_host *h)
{
	cycle(h, NULL, 0);
}

bool sim_step(struct sim *s, uint64_t until)
{
	uint64_t next = until;
	bool work = false;

	if (s->heap_n && s->heap[0].at < next)
		next = s->heap[0].at;
	for (uint32_t i = 0; i < s->hosts; i++) {
		uint64_t t = ixn_backlogged(s->host[i]->n) ? s->now : ixn_next_timer(s->host[i]->n);
		if (t < next)
			next = t;
	}
	work = next < until;
	if (next > s->now)
		s->now = next;
	for (uint32_t i = 0; i < s->hosts; i++) {
		struct sim_host *h = s->host[i];
		struct ixn_rxbuf *bufs[256];
		uint32_t n = 0;
		/* The frames due for this host, up to its batch: one after the other from the heap,
		 * those for others stay. */
		while (n < h->batch && n < 256 && s->heap_n && s->heap[0].at <= s->now &&
		       s->heap[0].to == i) {
			struct sim_frame f = heap_pop(s);
			struct ixn_rxbuf *b = calloc(1, sizeof(*b));
			b->data = f.data;
			b->len = f.len;
			b->dma = (uintptr_t)f.data;
			b->user = (uintptr_t)h;
			bufs[n++] = b;
			h->held++;
		}
		cycle(h, bufs, n);
	}
	return work;
}

bool sim_run(struct sim *s, uint64_t until, bool (*done)(void *arg), void *arg)
{
	while (s->now < until) {
		if (done && done(arg))
			return true;
		if (!sim_step(s, until) && s->now >= until)
			break;
	}
	return done ? done(arg) : true;
}
