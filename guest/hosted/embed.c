/* SPDX-License-Identifier: MIT
 *
 * libixhost: a dataplane core with queues of packets for a wire.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <ix/ixhost.h>

#include "guest/hosted/host.h"

#define ETH_LEN 14

struct packet {
	struct packet *next;
	uint64_t when;
	size_t len;
	uint8_t data[];
};

struct queue {
	struct packet *head, **tail;
};

struct ixhost {
	struct core *core;
	void *mem, *shared;
	struct core_config cfg;
	struct ix_stats *stats;
	bool real_clock, ip;
	uint64_t now;
	struct queue in, out;
};

/* libix's gate (userlib/lib/native.c). */
extern long (*ix_hosted_entry)(long nr, uint64_t a, uint64_t b, uint64_t c);

static __thread struct ixhost *bound;

/* The other end of an IP-only instance. */
static const uint8_t far_mac[6] = {0x02, 0x49, 0x58, 0, 0, 0xfe};

static bool put(struct queue *q, const void *head, size_t hlen, const void *data, size_t len,
		uint64_t when)
{
	struct packet *p = malloc(sizeof(*p) + hlen + len);

	if (!p)
		return false;
	*p = (struct packet){.when = when, .len = hlen + len};
	memcpy(p->data, head, hlen);
	if (len)
		memcpy(p->data + hlen, data, len);
	*q->tail = p;
	q->tail = &p->next;
	return true;
}

static void drop_head(struct queue *q)
{
	struct packet *p = q->head;

	q->head = p->next;
	if (!q->head)
		q->tail = &q->head;
	free(p);
}

uint64_t ixhost_now(const struct ixhost *h)
{
	struct timespec ts;

	if (!h->real_clock)
		return h->now;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t env_now(void *ctx)
{
	return ixhost_now(ctx);
}

static bool env_idle(void *ctx, uint64_t until)
{
	(void)ctx;
	(void)until;
	return false;
}

/* ---- the port ---- */

static uint32_t port_rx(void *ctx, struct ixn_rxbuf **bufs, uint32_t max)
{
	struct ixhost *h = ctx;
	uint32_t n = 0;

	while (n < max && h->in.head) {
		struct ixn_rxbuf *buf = core_rxbuf_get(h->core);

		if (!buf)
			break;
		buf->len = (uint32_t)h->in.head->len;
		buf->flags = 0;
		memcpy(core_rxbuf_memory(h->core, (uint32_t)buf->user), h->in.head->data, buf->len);
		drop_head(&h->in);
		bufs[n++] = buf;
	}
	return n;
}

static uint32_t port_waiting(void *ctx)
{
	const struct ixhost *h = ctx;
	uint32_t n = 0;

	for (const struct packet *p = h->in.head; p; p = p->next)
		n++;
	return n;
}

/* Who-has, answered with the far end's address whatever was asked for (RFC 826). */
static void answer_arp(struct ixhost *h, const uint8_t *request, size_t len)
{
	uint8_t a[42];

	if (len < sizeof(a) || request[21] != 1)
		return;
	memcpy(a, request + 6, 6);
	memcpy(a + 6, far_mac, 6);
	memcpy(a + 12, request + 12, 8);
	a[20] = 0;
	a[21] = 2;
	memcpy(a + 22, far_mac, 6);
	memcpy(a + 28, request + 38, 4);
	memcpy(a + 32, request + 22, 10);
	put(&h->in, a, sizeof(a), NULL, 0, 0);
}

static void send_one(struct ixhost *h, const struct ixn_txpkt *p)
{
	uint8_t flat[IXN_HDR_MAX + 65536];
	size_t len = p->hdr_len;

	memcpy(flat, p->hdr, p->hdr_len);
	for (int i = 0; i < p->nsegs && len + p->seg[i].len <= sizeof(flat); i++) {
		memcpy(flat + len, p->seg[i].ptr, p->seg[i].len);
		len += p->seg[i].len;
	}
	if (!h->ip)
		put(&h->out, flat, len, NULL, 0, ixhost_now(h));
	else if (flat[12] == 0x08 && flat[13] == 0x06)
		answer_arp(h, flat, len);
	else
		put(&h->out, flat + ETH_LEN, len - ETH_LEN, NULL, 0, ixhost_now(h));
}

static uint32_t port_tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct ixhost *h = ctx;

	for (uint32_t i = 0; i < n; i++) {
		send_one(h, pkts[i]);
		core_tx_done(h->core, pkts[i]);
	}
	return n;
}

static void port_poll(void *ctx, uint64_t now)
{
	(void)ctx;
	(void)now;
}

/* ---- life ---- */

static const char *configure(struct ixhost *h, const struct ixhost_options *o, char *line)
{
	static const uint8_t mac[6] = {0x02, 0x49, 0x58, 0, 0, 0x01};
	struct core_config_error err;

	core_config_default(&h->cfg);
	h->cfg.net.arp_announce = false;
	if (o->ip)
		memcpy(h->cfg.net.mac, mac, sizeof(mac));
	if (core_config_parse(&h->cfg, o->config, strlen(o->config), NULL, NULL, &err) < 0) {
		snprintf(line, 128, "line %u: %s", err.line, err.what);
		return line;
	}
	if (!h->cfg.naddrs)
		return "no address";
	for (unsigned int i = 0; i < 4; i++)
		h->cfg.net.secret[i] = (o->seed + i + 1) * 0x9e3779b97f4a7c15ull;
	if (o->real_clock && getrandom(h->cfg.net.secret, sizeof(h->cfg.net.secret), 0) !=
				 (ssize_t)sizeof(h->cfg.net.secret))
		return "no random numbers";
	return NULL;
}

static const char *build(struct ixhost *h)
{
	struct core_env env = {.ctx = h, .now_us = env_now, .user = host_user, .idle = env_idle};
	struct core_port port = {
	    .ctx = h, .rx = port_rx, .tx = port_tx, .poll = port_poll, .waiting = port_waiting};
	struct core_params p = {.cfg = &h->cfg, .env = &env, .ncores = 1};

	h->stats = malloc(core_stats_size(1));
	if (!h->stats)
		return "out of memory";
	core_stats_init(h->stats, 1, 0);
	p.stats = h->stats;
	h->core = host_build_core(&p, &h->mem, &h->shared);
	if (!h->core)
		return "the configuration is not consistent, or too large for the memory";
	core_set_port(h->core, &port);
	return core_start(h->core, &h->cfg) < 0 ? "addresses or routes were refused" : NULL;
}

struct ixhost *ixhost_new(const struct ixhost_options *o, char *error)
{
	struct ixhost *h = calloc(1, sizeof(*h));
	const char *why = "out of memory";
	char line[128];

	if (h) {
		h->real_clock = o->real_clock;
		h->ip = o->ip;
		h->now = o->start;
		h->in.tail = &h->in.head;
		h->out.tail = &h->out.head;
		why = configure(h, o, line);
		if (!why)
			why = build(h);
	}
	if (!why)
		return h;
	if (error)
		snprintf(error, 128, "%s", why);
	if (h)
		ixhost_free(h);
	return NULL;
}

void ixhost_free(struct ixhost *h)
{
	while (h->in.head)
		drop_head(&h->in);
	while (h->out.head)
		drop_head(&h->out);
	host_free_core(&h->cfg, h->mem, h->shared);
	free(h->stats);
	if (bound == h)
		bound = NULL;
	free(h);
}

static long entry(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	return bound ? core_syscall(bound->core, (uint64_t)nr, a, b, c) : -EPERM;
}

void ixhost_bind(struct ixhost *h)
{
	bound = h;
	ix_hosted_entry = entry;
}

int64_t ixhost_call(struct ixhost *h, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	return core_syscall(h->core, nr, a, b, c);
}

void ixhost_run(struct ixhost *h)
{
	core_background(h->core);
}

int ixhost_push(struct ixhost *h, const void *packet, size_t len)
{
	uint8_t eth[ETH_LEN];
	size_t hlen = h->ip ? ETH_LEN : 0;

	if (!len || len + hlen > IXHOST_PACKET_MAX)
		return -EMSGSIZE;
	memcpy(eth, h->cfg.net.mac, 6);
	memcpy(eth + 6, far_mac, 6);
	eth[12] = 0x08;
	eth[13] = 0x00;
	return put(&h->in, eth, hlen, packet, len, 0) ? 0 : -ENOMEM;
}

int64_t ixhost_pull(struct ixhost *h, void *packet, size_t size, uint64_t *when)
{
	struct packet *p = h->out.head;
	size_t len;

	if (!p)
		return 0;
	len = p->len;
	if (len > size)
		return -EMSGSIZE;
	memcpy(packet, p->data, len);
	if (when)
		*when = p->when;
	drop_head(&h->out);
	return (int64_t)len;
}

uint64_t ixhost_next(const struct ixhost *h)
{
	return h->in.head ? ixhost_now(h) : core_next(h->core);
}

void ixhost_advance(struct ixhost *h, uint64_t time)
{
	if (time > h->now)
		h->now = time;
}

uint64_t ixhost_counter(struct ixhost *h, const char *name)
{
	core_stats_update(h->core);
	for (uint32_t i = 0; i < h->stats->ncounters; i++)
		if (strcmp(h->stats->name[i], name) == 0)
			return h->stats->core[0].value[i];
	return 0;
}
