/* SPDX-License-Identifier: MIT
 *
 * The hosted dataplane. Frames are spread over the cores as the NIC would do it: whichever core finds
 * the wire free reads it, keeps its own flows' frames and hands the others to their cores.
 */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <ix/rss.h>

#include "guest/hosted/host.h"

#define MAX_CORES 16
#define HANDOFF   1024 /* frames under way to a core */
#define ETH_LEN   14
#define DRAIN_US  200000 /* how long the last words may take */

struct handoff_slot {
	uint32_t len;
	uint32_t hash;
	uint8_t data[CORE_RXBUF_SIZE];
};

struct host_core {
	struct host *host;
	struct core *core;
	uint32_t id;
	int event; /* readable when frames were handed over to a sleeping core */
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint32_t tail;
	_Atomic uint32_t sleeping;
	struct handoff_slot *slot;
};

struct host {
	struct core_config cfg;
	struct wire *wire;
	struct link *rx_link, *tx_link; /* NULL: plain */
	struct pcap *pcap;
	struct ix_rss rss;
	struct ix_stats *stats;
	struct host_signals *signals; /* NULL: not watched */
	const char *who;              /* in front of statistics */
	pthread_mutex_t rx_lock, tx_lock, attach_lock;
	uint32_t ncores, attached;
	struct host_core core[MAX_CORES];
};

static __thread struct host_core *self;

/* ---- the environment of a core ---- */

static uint64_t clock_us(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The application is this process: what it hands us it may as well do itself. */
void *host_user(void *ctx, uint64_t addr, uint64_t len, bool write, uint64_t *run)
{
	(void)ctx;
	(void)write;
	if (addr < 65536 || addr + len < addr || (addr + len) >> 47)
		return NULL;
	*run = len;
	return (void *)(uintptr_t)addr;
}

static bool handed_over(struct host_core *hc)
{
	return atomic_load(&hc->head) != atomic_load(&hc->tail);
}

static bool idle(void *ctx, uint64_t until)
{
	struct host_core *hc = ctx;
	struct host *h = hc->host;
	struct pollfd fd[2] = {{.fd = wire_fd(h->wire), .events = POLLIN},
			       {.fd = hc->event, .events = POLLIN}};
	uint64_t now = clock_us(NULL);
	struct timespec ts;
	uint64_t count;

	pthread_mutex_lock(&h->tx_lock);
	if (h->tx_link && link_next(h->tx_link) < until)
		until = link_next(h->tx_link);
	pthread_mutex_unlock(&h->tx_lock);
	if (h->rx_link) {
		pthread_mutex_lock(&h->rx_lock);
		if (link_next(h->rx_link) < until)
			until = link_next(h->rx_link);
		pthread_mutex_unlock(&h->rx_lock);
	}
	if (h->signals && h->signals->stop)
		return false;
	if (h->signals && h->signals->report) {
		h->signals->report = 0;
		host_print_stats(h);
	}
	if (until <= now)
		return true;
	if (until - now > 1000000) /* a signal may have come between the check and here */
		until = now + 1000000;
	ts = (struct timespec){.tv_sec = (time_t)((until - now) / 1000000),
			       .tv_nsec = (long)((until - now) % 1000000 * 1000)};
	atomic_store(&hc->sleeping, 1);
	if (wire_arm(h->wire) && !handed_over(hc))
		ppoll(fd, 2, &ts, NULL);
	wire_disarm(h->wire);
	atomic_store(&hc->sleeping, 0);
	if ((fd[1].revents & POLLIN) && read(hc->event, &count, sizeof(count)) < 0)
		return true; /* another look has taken it */
	return true;
}

/* ---- spreading ---- */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The hash an 82599 would find (82599 7.1.2.8): ports count for whole TCP and UDP packets. */
static bool frame_hash(struct host *h, const uint8_t *f, size_t len, uint32_t *hash)
{
	const uint8_t *ip = f + ETH_LEN;
	size_t ihl;

	if (len < ETH_LEN + 20 || be16(f + 12) != 0x0800)
		return false;
	ihl = (size_t)(ip[0] & 15) * 4;
	if ((ip[9] == 6 || ip[9] == 17) && !(be16(ip + 6) & 0x3fff) && len >= ETH_LEN + ihl + 4)
		*hash = ix_toeplitz_flow4(&h->rss.toeplitz, be32(ip + 12), be32(ip + 16),
					  be16(ip + ihl), be16(ip + ihl + 2));
	else
		*hash = ix_toeplitz(&h->rss.toeplitz, ip + 12, 8);
	return true;
}

static bool steered_here(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	struct host_core *hc = ctx;
	struct host *h = hc->host;

	return ix_rss_queue(&h->rss, ix_toeplitz_flow4(&h->rss.toeplitz, raddr, laddr, rport,
						       lport)) == hc->id;
}

static uint32_t flow_hash(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	struct host_core *hc = ctx;

	return ix_toeplitz_flow4(&hc->host->rss.toeplitz, raddr, laddr, rport, lport);
}

/* Only the holder of rx_lock hands over, so each ring has one producer at a time. */
static void hand_over(struct host_core *to, const struct ixn_rxbuf *buf)
{
	uint32_t head = atomic_load_explicit(&to->head, memory_order_relaxed);
	struct handoff_slot *s = &to->slot[head % HANDOFF];
	uint64_t one = 1;

	if (head - atomic_load(&to->tail) == HANDOFF)
		return; /* that core does not keep up: lost, as on a full ring */
	s->len = buf->len;
	s->hash = buf->hash;
	memcpy(s->data, buf->data, buf->len);
	atomic_store(&to->head, head + 1);
	if (atomic_load(&to->sleeping) && write(to->event, &one, sizeof(one)) < 0)
		return; /* it is awake */
}

/* ---- the port ---- */

static void capture(struct host *h, const void *data, size_t len)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

	if (h->pcap)
		pcap_write(h->pcap, &iov, 1, clock_us(NULL));
}

/* A frame from the wire, through the harmful link if there is one. rx_lock is held. */
static size_t next_frame(struct host *h, uint8_t *to)
{
	uint8_t frame[LINK_FRAME_MAX];
	uint64_t now, when;
	size_t len;

	if (!h->rx_link)
		return wire_recv(h->wire, to);
	now = clock_us(NULL);
	for (int i = 0; i < 64 && (len = wire_recv(h->wire, frame)) > 0; i++)
		link_push(h->rx_link, frame, len, now);
	len = link_pop(h->rx_link, frame, now, &when);
	if (len > CORE_RXBUF_SIZE)
		return 0;
	memcpy(to, frame, len);
	return len;
}

static uint32_t read_wire(struct host_core *hc, struct ixn_rxbuf **out, uint32_t max)
{
	struct host *h = hc->host;
	struct ixn_rxbuf *buf = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < max; i++) {
		uint32_t owner = 0;
		uint8_t *data;

		if (!buf)
			buf = core_rxbuf_get(hc->core);
		if (!buf)
			break;
		data = core_rxbuf_memory(hc->core, (uint32_t)buf->user);
		buf->len = (uint32_t)next_frame(h, data);
		if (!buf->len)
			break;
		capture(h, data, buf->len);
		buf->flags = 0;
		if (frame_hash(h, data, buf->len, &buf->hash)) {
			buf->flags = IXN_RX_HASH;
			owner = ix_rss_queue(&h->rss, buf->hash);
		}
		if (owner == hc->id) {
			out[n++] = buf;
			buf = NULL;
		} else {
			hand_over(&h->core[owner], buf);
		}
	}
	if (buf)
		core_rxbuf_put(hc->core, buf);
	return n;
}

static uint32_t port_rx(void *ctx, struct ixn_rxbuf **out, uint32_t max)
{
	struct host_core *hc = ctx;
	struct host *h = hc->host;
	uint32_t tail = atomic_load_explicit(&hc->tail, memory_order_relaxed);
	uint32_t n = 0;

	while (n < max && tail != atomic_load_explicit(&hc->head, memory_order_acquire)) {
		struct handoff_slot *s = &hc->slot[tail % HANDOFF];
		struct ixn_rxbuf *buf = core_rxbuf_get(hc->core);

		if (!buf)
			break;
		memcpy(core_rxbuf_memory(hc->core, (uint32_t)buf->user), s->data, s->len);
		buf->len = s->len;
		buf->hash = s->hash;
		buf->flags = IXN_RX_HASH;
		out[n++] = buf;
		atomic_store_explicit(&hc->tail, ++tail, memory_order_release);
	}
	if (n < max && pthread_mutex_trylock(&h->rx_lock) == 0) {
		n += read_wire(hc, out + n, max - n);
		pthread_mutex_unlock(&h->rx_lock);
	}
	return n;
}

/* False: there is no room on the wire now. */
static bool send_frame(struct host *h, const struct ixn_txpkt *p)
{
	struct iovec iov[1 + IXN_TX_SEGS] = {{.iov_base = p->hdr, .iov_len = p->hdr_len}};
	uint8_t flat[LINK_FRAME_MAX];
	size_t len = 0;
	int n = 1;

	for (int i = 0; i < p->nsegs; i++, n++)
		iov[n] = (struct iovec){.iov_base = (void *)(uintptr_t)p->seg[i].ptr,
					.iov_len = p->seg[i].len};
	if (!h->tx_link && !wire_send(h->wire, iov, n))
		return false;
	if (h->pcap)
		pcap_write(h->pcap, iov, n, clock_us(NULL));
	if (!h->tx_link)
		return true;
	for (int i = 0; i < n && len + iov[i].iov_len <= sizeof(flat); i++) {
		memcpy(flat + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	link_push(h->tx_link, flat, len, clock_us(NULL));
	return true;
}

static uint32_t port_tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct host_core *hc = ctx;
	struct host *h = hc->host;

	uint32_t taken = 0;

	pthread_mutex_lock(&h->tx_lock);
	while (taken < n && send_frame(h, pkts[taken]))
		taken++;
	pthread_mutex_unlock(&h->tx_lock);
	for (uint32_t i = 0; i < taken; i++)
		core_tx_done(hc->core, pkts[i]);
	return taken;
}

/* Frames that have come to the end of the harmful link leave. */
static void port_poll(void *ctx, uint64_t now)
{
	struct host_core *hc = ctx;
	struct host *h = hc->host;
	uint8_t frame[LINK_FRAME_MAX];
	uint64_t when;

	if (!h->tx_link)
		return;
	pthread_mutex_lock(&h->tx_lock);
	while ((long)(now - link_next(h->tx_link)) >= 0) {
		struct iovec iov = {.iov_base = frame,
				    .iov_len = link_pop(h->tx_link, frame, now, &when)};

		if (!iov.iov_len)
			break;
		wire_send(h->wire, &iov, 1);
	}
	pthread_mutex_unlock(&h->tx_lock);
}

/* ---- life ---- */

#define SHARED_ALIGN 65536

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct core *host_build_core(const struct core_params *p, void **mem, void **shared)
{
	size_t size = core_mem_size(p->cfg);

	*mem = *shared = NULL;
	if (!size)
		return NULL;
	*mem = map(size);
	*shared = map(core_shared_size(p->cfg) + SHARED_ALIGN);
	if (!*mem || !*shared) {
		host_free_core(p->cfg, *mem, *shared);
		*mem = *shared = NULL;
		return NULL;
	}
	return core_init(
	    *mem,
	    (void *)(((uintptr_t)*shared + SHARED_ALIGN - 1) & ~(uintptr_t)(SHARED_ALIGN - 1)), p);
}

void host_free_core(const struct core_config *cfg, void *mem, void *shared)
{
	if (mem)
		munmap(mem, core_mem_size(cfg));
	if (shared)
		munmap(shared, core_shared_size(cfg) + SHARED_ALIGN);
}

static bool new_core(struct host *h, uint32_t id, struct ixn_arp *arp)
{
	struct host_core *hc = &h->core[id];
	struct core_env env = {.ctx = hc, .now_us = clock_us, .user = host_user, .idle = idle};
	struct core_port port = {
	    .ctx = hc,
	    .rx = port_rx,
	    .tx = port_tx,
	    .poll = port_poll,
	    .steered_here = h->ncores > 1 ? steered_here : NULL,
	    .rss_hash = flow_hash,
	};
	struct core_params p = {
	    .cfg = &h->cfg,
	    .env = &env,
	    .stats = h->stats,
	    .arp = arp,
	    .id = id,
	    .ncores = h->ncores,
	};
	void *mem, *shared;

	hc->host = h;
	hc->id = id;
	hc->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	hc->slot = map(HANDOFF * sizeof(*hc->slot));
	hc->core = host_build_core(&p, &mem, &shared);
	if (!hc->core || !hc->slot || hc->event < 0)
		return false;
	core_set_port(hc->core, &port);
	return core_start(hc->core, &h->cfg) == 0;
}

static struct link *make_link(const struct link_config *cfg)
{
	return link_is_plain(cfg) ? NULL : link_new(cfg);
}

struct host *host_new(const struct host_params *p, const char **err)
{
	struct host *h = map(sizeof(*h));
	struct ixn_arp *arp = NULL;

	*err = "out of memory";
	if (!h)
		return NULL;
	h->cfg = *p->cfg;
	h->wire = p->wire;
	h->pcap = p->pcap;
	h->ncores = p->ncores;
	h->rx_link = make_link(&p->rx_link);
	h->tx_link = make_link(&p->tx_link);
	pthread_mutex_init(&h->rx_lock, NULL);
	pthread_mutex_init(&h->tx_lock, NULL);
	pthread_mutex_init(&h->attach_lock, NULL);
	memcpy(h->rss.key, ix_rss_default_key, sizeof(h->rss.key));
	ix_toeplitz_init(&h->rss.toeplitz, h->rss.key);
	h->rss.queue_mask = UINT32_MAX;
	for (uint32_t i = 0; i < IX_RSS_RETA_LEN; i++)
		h->rss.reta[i] = (uint8_t)(i % p->ncores);
	h->stats = map(core_stats_size(p->ncores));
	if (!h->stats)
		return NULL;
	core_stats_init(h->stats, p->ncores, 0);
	if (p->ncores > 1) {
		void *mem = map(ixn_arp_size(h->cfg.net.arp_entries));

		arp = mem ? ixn_arp_init(mem, h->cfg.net.arp_entries) : NULL;
		if (!arp)
			return NULL;
	}
	*err = "the configuration is not consistent, or too large for the memory";
	for (uint32_t i = 0; i < p->ncores; i++)
		if (!new_core(h, i, arp))
			return NULL;
	return h;
}

void host_watch(struct host *h, struct host_signals *signals, const char *who)
{
	h->signals = signals;
	h->who = who;
}

static int64_t attach(struct host *h, uint64_t a)
{
	int64_t ret = -EAGAIN;

	pthread_mutex_lock(&h->attach_lock);
	if (h->attached < h->ncores) {
		ret = core_syscall(h->core[h->attached].core, IX_SYS_ATTACH, a, 0, 0);
		if (ret == 0)
			self = &h->core[h->attached++];
	}
	pthread_mutex_unlock(&h->attach_lock);
	return ret;
}

/* A signal ends the wait in idle(). */
static int64_t run_io(struct host *h, uint64_t calls, uint64_t n, uint64_t wait)
{
	uint64_t end = clock_us(NULL);

	end = wait > UINT64_MAX - end ? UINT64_MAX : end + wait;
	for (;;) {
		uint64_t now = clock_us(NULL);
		uint64_t left = end > now ? end - now : 0;
		int64_t ret;

		if (h->signals && h->signals->stop)
			exit(128 + h->signals->stop);
		ret = core_syscall(self->core, IX_SYS_RUN_IO, calls, n, left);
		if (ret || !left)
			return ret;
		n = 0;
	}
}

int64_t host_call(struct host *h, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	if (nr == IX_SYS_ATTACH)
		return self ? -EBUSY : attach(h, a);
	if (!self)
		return -EPERM;
	return nr == IX_SYS_RUN_IO ? run_io(h, a, b, c) : core_syscall(self->core, nr, a, b, c);
}

void host_end(struct host *h)
{
	uint64_t end = clock_us(NULL) + DRAIN_US;

	h->signals = NULL;
	if (!self)
		return;
	while (core_end(self->core, CORE_DRAIN) && clock_us(NULL) < end)
		sched_yield();
	for (int i = 0; i < 3 && core_end(self->core, CORE_RESET); i++)
		;
}

void host_print_stats(struct host *h)
{
	for (uint32_t i = 0; i < h->ncores; i++) {
		core_stats_update(h->core[i].core);
		for (uint32_t k = 0; k < h->stats->ncounters; k++)
			if (h->stats->core[i].value[k])
				fprintf(stderr, "stats %s core%u %s %llu\n", h->who, i,
					h->stats->name[k],
					(unsigned long long)h->stats->core[i].value[k]);
		fprintf(stderr, "stats %s core%u end\n", h->who, i);
	}
}
