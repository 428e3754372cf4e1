/* SPDX-License-Identifier: MIT */
/*
 * lwIP as the server of net_echo: Debian's shared library with its own options, through the raw API, in
 * the one thread that there is. Where that favours lwIP, functions that the library calls are
 * replaced by ours: no locks, as in a build with NO_SYS, and, unless asked for, no checksums, as with a
 * NIC that computes them. A shared object of its own, because both stacks have a tcp_input(): the
 * linker looks here before it looks into the library, and never into the program.
 */
#define _GNU_SOURCE
#include "tests/bench/net_echo.h"

#include <dlfcn.h>
#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

struct lwip_server {
	struct server server;
	struct netif netif;
	struct ring *in, *out;
	uint32_t batch, size;
	uint64_t rng;
};

static bool checksums;
static struct bench_clock *bench_clock;

/* ---- what replaces functions of the library ---- */

sys_prot_t sys_arch_protect(void)
{
	return 0;
}

void sys_arch_unprotect(sys_prot_t p)
{
	(void)p;
}

void sys_check_core_locking(void)
{
}

u32_t sys_now(void)
{
	return (u32_t)(now_us(bench_clock) / 1000);
}

/* The library's own function of this name. */
#define LIBRARY(name)                                               \
	({                                                          \
		static __typeof__(name) *f;                         \
		if (!f)                                             \
			f = (__typeof__(f))dlsym(RTLD_NEXT, #name); \
		f;                                                  \
	})

u16_t inet_chksum(const void *data, u16_t len)
{
	return checksums ? LIBRARY(inet_chksum)(data, len) : 0;
}

u16_t ip_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t len, const ip_addr_t *src,
		       const ip_addr_t *dest)
{
	return checksums ? LIBRARY(ip_chksum_pseudo)(p, proto, len, src, dest) : 0;
}

u16_t ip_chksum_pseudo_partial(struct pbuf *p, u8_t proto, u16_t len, u16_t part,
			       const ip_addr_t *src, const ip_addr_t *dest)
{
	return checksums ? LIBRARY(ip_chksum_pseudo_partial)(p, proto, len, part, src, dest) : 0;
}

u16_t lwip_chksum_copy(void *dst, const void *src, u16_t len)
{
	if (checksums)
		return LIBRARY(lwip_chksum_copy)(dst, src, len);
	memcpy(dst, src, len);
	return 0;
}

/* ---- interface ---- */

static err_t transmit(struct netif *netif, struct pbuf *p)
{
	struct lwip_server *s = netif->state;
	struct ring *r = s->out;

	if (r->head - r->tail > r->mask || p->tot_len > r->room)
		return ERR_MEM;
	r->len[r->head & r->mask] = p->tot_len;
	for (uint8_t *d = ring_frame(r, r->head); p; d += p->len, p = p->next)
		memcpy(d, p->payload, p->len);
	if (!lost(s->server.loss, &s->rng))
		r->head++;
	return ERR_OK;
}

static err_t attach(struct netif *netif)
{
	memcpy(netif->hwaddr, (uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
	netif->hwaddr_len = 6;
	netif->mtu = 1500;
	netif->flags =
	    NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	netif->output = etharp_output;
	netif->linkoutput = transmit;
	return ERR_OK;
}

static uint32_t cycle(struct server *server, uint64_t now)
{
	struct lwip_server *s = (struct lwip_server *)server;
	struct ring *r = s->in;
	uint32_t n;

	(void)now; /* sys_now() gives it */
	for (n = 0; n < s->batch && r->tail != r->head; n++, r->tail++) {
		uint32_t len = r->len[r->tail & r->mask];
		struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);

		if (!p)
			continue;
		memcpy(p->payload, ring_frame(r, r->tail), len);
		if (s->netif.input(p, &s->netif) != ERR_OK)
			pbuf_free(p);
	}
	sys_check_timeouts();
	bench_clock->frames += n + 1;
	return n;
}

static void usage(struct server *s, size_t *bytes, size_t *per_conn)
{
	(void)s;
	*bytes = 0;
	*per_conn = sizeof(struct tcp_pcb);
}

/* ---- application ---- */

/* A message of several segments, answered when it is complete. */
struct message {
	uint32_t size, received, taken;
	uint8_t data[];
};

static void push(struct tcp_pcb *pcb, struct message *m)
{
	while (m->taken < m->size) {
		uint32_t n = m->size - m->taken;

		if (n > tcp_sndbuf(pcb))
			n = tcp_sndbuf(pcb);
		if (!n || tcp_write(pcb, m->data + m->taken, (u16_t)n, 0) != ERR_OK)
			break;
		m->taken += n;
	}
	tcp_output(pcb);
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct message *m = arg;

	(void)len;
	if (m->taken < m->size)
		push(pcb, m);
	return ERR_OK;
}

static void failed(void *arg, err_t err)
{
	(void)err;
	free(arg);
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct message *m = arg;

	(void)err;
	if (!p)
		return tcp_close(pcb);
	tcp_recved(pcb, p->tot_len);
	if (m) {
		pbuf_copy_partial(p, m->data + m->received, p->tot_len, 0);
		m->received += p->tot_len;
		if (m->received == m->size) {
			m->received = m->taken = 0;
			push(pcb, m);
		}
	} else {
		tcp_write(pcb, p->payload, p->len, TCP_WRITE_FLAG_COPY);
		tcp_output(pcb);
	}
	pbuf_free(p);
	return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct lwip_server *s = arg;
	struct message *m = NULL;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	tcp_nagle_disable(pcb);
	if (s->size > TCP_MSS - 60) {
		m = malloc(sizeof(*m) + s->size);
		if (!m)
			return ERR_MEM;
		*m = (struct message){.size = s->size, .taken = s->size};
		tcp_sent(pcb, sent);
		tcp_err(pcb, failed);
	}
	tcp_arg(pcb, m);
	tcp_recv(pcb, received);
	return ERR_OK;
}

struct server *lwip_server(const struct options *opt, struct bench_clock *clock, struct ring *in,
			   struct ring *out, uint32_t ports)
{
	struct lwip_server *s = calloc(1, sizeof(*s));
	ip4_addr_t address, mask, none = {0};

	s->server = (struct server){.cycle = cycle, .usage = usage};
	s->in = in;
	s->out = out;
	s->batch = opt->batch;
	s->size = opt->size;
	s->rng = 2;
	checksums = opt->csum;
	bench_clock = clock;
	IP4_ADDR(&address, 10, 0, 0, 2);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	lwip_init();
	netif_add(&s->netif, &address, &mask, &none, s, attach, ethernet_input);
	netif_set_default(&s->netif);
	netif_set_up(&s->netif);
	for (uint32_t i = 0; i < ports; i++) {
		struct tcp_pcb *l = tcp_new();

		if (!l || tcp_bind(l, IP_ADDR_ANY, (u16_t)(8000 + i)) != ERR_OK ||
		    !(l = tcp_listen(l))) {
			fprintf(stderr, "lwIP: cannot listen\n");
			exit(1);
		}
		tcp_arg(l, s);
		tcp_accept(l, accepted);
	}
	return &s->server;
}
