/* SPDX-License-Identifier: MIT
 *
 * Joins a dataplane core to a queue of the NIC.
 */
#include "guest/kernel/console.h"
#include "guest/kernel/port.h"

#define DOWN_CONTROL_US 10000 /* how often the NIC is looked after without a link, */
#define UP_CONTROL_US   50000 /* and with one */
#define ETH_LEN         14

static void refill(struct port *p)
{
	struct ix_nic_buf bufs[PORT_BURST];
	unsigned room;

	while ((room = ix_nic_rx_room(p->queue)) > 0) {
		unsigned n = 0;

		room = room < PORT_BURST ? room : PORT_BURST;
		for (; n < room; n++) {
			struct ixn_rxbuf *b = core_rxbuf_get(p->core);

			if (!b)
				break;
			bufs[n].va = p->rx_base + b->user * CORE_RXBUF_SIZE;
			bufs[n].dma = (uint64_t)bufs[n].va + p->dma_delta;
		}
		unsigned taken = ix_nic_rx_post(p->queue, bufs, n);

		ASSERT(taken == n);
		if (n < room)
			return;
	}
}

/* A frame of another core's flow is copied to it, and its buffer is free again. */
static bool handed_over(struct port *p, struct ixn_rxbuf *b)
{
	uint32_t hash;

	if (!p->peers || !spread_hash(&p->rss->toeplitz, b->data, b->len, &hash))
		return false;
	uint32_t to = ix_rss_queue(p->rss, hash);

	b->hash = hash;
	b->flags |= IXN_RX_HASH;
	if (to == p->id)
		return false;
	spread_give(p->peers[to]->spread, b, hash);
	core_rxbuf_put(p->core, b);
	p->wake(to);
	return true;
}

static uint32_t rx(void *ctx, struct ixn_rxbuf **out, uint32_t max)
{
	struct port *p = ctx;
	struct ix_nic_rx in[PORT_BURST];
	uint32_t n = 0;

	while (n < max) {
		uint32_t want = max - n < PORT_BURST ? max - n : PORT_BURST;
		uint32_t got = ix_nic_rx_burst(p->queue, in, want);

		for (uint32_t i = 0; i < got; i++) {
			uint64_t number =
			    (uint64_t)((uint8_t *)in[i].va - p->rx_base) / CORE_RXBUF_SIZE;
			struct ixn_rxbuf *b = core_rxbuf(p->core, (uint32_t)number);

			b->data = in[i].va;
			b->dma = in[i].dma;
			b->len = in[i].len;
			b->hash = in[i].hash;
			b->flags =
			    (in[i].flags & IX_NIC_RX_IP_OK ? IXN_RX_IP_CSUM_OK : 0) |
			    (in[i].flags & IX_NIC_RX_L4_OK ? IXN_RX_IP_CSUM_OK | IXN_RX_L4_CSUM_OK
							   : 0) |
			    (in[i].flags & IX_NIC_RX_HASH ? IXN_RX_HASH : 0);
			if (!handed_over(p, b))
				out[n++] = b;
		}
		if (got < want)
			break;
	}
	return n;
}

/* `id` tells whose packets these are. */
static uint32_t transmit(struct port *p, struct ixn_txpkt **pkts, uint32_t n, uint32_t id)
{
	struct ix_nic_seg seg[PORT_BURST / 4][1 + IXN_TX_SEGS];
	struct ix_nic_tx out[PORT_BURST / 4];
	uint32_t done = 0;

	while (done < n) {
		uint32_t part = n - done < PORT_BURST / 4 ? n - done : PORT_BURST / 4;

		for (uint32_t i = 0; i < part; i++) {
			struct ixn_txpkt *t = pkts[done + i];
			t->drv = id;
			bool tcp = t->flags & (IXN_TX_TCP_CSUM | IXN_TX_TSO);

			seg[i][0] = (struct ix_nic_seg){t->hdr, t->hdr_dma, t->hdr_len, 0};
			for (unsigned s = 0; s < t->nsegs; s++)
				seg[i][s + 1] =
				    (struct ix_nic_seg){(void *)(uintptr_t)t->seg[s].ptr,
							t->seg[s].dma, t->seg[s].len, 0};
			out[i] = (struct ix_nic_tx){
			    .seg = seg[i],
			    .nseg = (uint16_t)(t->nsegs + 1),
			    .flags = (t->flags & IXN_TX_IP_CSUM ? IX_NIC_TX_IP_CSUM : 0) |
				     (tcp ? IX_NIC_TX_TCP_CSUM : 0) |
				     (t->flags & IXN_TX_UDP_CSUM ? IX_NIC_TX_UDP_CSUM : 0) |
				     (t->flags & IXN_TX_TSO ? IX_NIC_TX_TSO : 0),
			    .mss = t->mss,
			    .l2_len = ETH_LEN,
			    .l3_len = t->l4_off > ETH_LEN ? (uint16_t)(t->l4_off - ETH_LEN) : 0,
			    .l4_len = tcp ? (uint8_t)(t->hdr_len - t->l4_off) : 0,
			    .cookie = (uint64_t)pkts[done + i],
			};
		}
		uint32_t taken = ix_nic_tx_burst(p->queue, out, part);

		done += taken;
		if (taken < part)
			break;
	}
	return done;
}

static uint32_t tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct port *p = ctx;

	return transmit(p, pkts, n, p->id);
}

static void completed(struct port *p, struct ixn_txpkt *t)
{
	if (t->drv == p->id) {
		core_tx_done(p->core, t);
		return;
	}
	struct spread_ring *r = &p->peers[t->drv]->spread->done;

	r->at[r->head % SPREAD_RING].word = (uint64_t)t;
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

/* Sends what the cores without a queue have to send. */
static void serve(struct port *p)
{
	for (uint32_t i = 0; i < p->npeers; i++) {
		struct spread_ring *r = p->peers[i]->spread ? &p->peers[i]->spread->tx : NULL;
		struct ixn_txpkt *pkts[PORT_BURST];
		uint32_t n = r ? ring_used(r) : 0;

		n = n < PORT_BURST ? n : PORT_BURST;
		for (uint32_t k = 0; k < n; k++)
			pkts[k] = (struct ixn_txpkt *)r->at[(r->tail + k) % SPREAD_RING].word;
		if (n) {
			n = transmit(p, pkts, n, i);
			__atomic_store_n(&r->tail, r->tail + n, __ATOMIC_RELEASE);
		}
	}
}

static void look_after(struct port *p, uint64_t now)
{
	uint32_t events = ix_nic_control(p->nic);

	p->next_control = now + (ix_nic_link(p->nic).up ? UP_CONTROL_US : DOWN_CONTROL_US);
	if (events & IX_NIC_EV_LINK)
		say("network: link is %s", ix_nic_link(p->nic).up ? "up" : "down");
	if (events & IX_NIC_EV_DOWN)
		say("network: the NIC was reset");
	if (events & IX_NIC_EV_UP)
		say("network: the NIC is up");
	if (events & IX_NIC_EV_GONE)
		say("network: the NIC is gone");
}

static void poll(void *ctx, uint64_t now)
{
	struct port *p = ctx;
	uint64_t cookies[PORT_BURST];
	unsigned n;

	while ((n = ix_nic_tx_done(p->queue, cookies, PORT_BURST)) > 0)
		for (unsigned i = 0; i < n; i++)
			completed(p, (struct ixn_txpkt *)cookies[i]);
	refill(p);
	if (p->npeers)
		serve(p);
	if (p->control && now >= p->next_control)
		look_after(p, now);
}

static uint32_t waiting(void *ctx)
{
	struct port *p = ctx;

	return ix_nic_rx_waiting(p->queue);
}

/* ---- a core without a queue ---- */

static uint32_t spread_rx(void *ctx, struct ixn_rxbuf **out, uint32_t max)
{
	struct port *p = ctx;
	struct spread_frame f;
	uint32_t n = 0;

	while (n < max && spread_take(p->spread, &f)) {
		struct ixn_rxbuf *b = core_rxbuf(p->core, f.number);

		b->data = p->rx_base + (uint64_t)f.number * CORE_RXBUF_SIZE;
		b->dma = (uint64_t)b->data + p->dma_delta;
		b->len = f.len;
		b->hash = f.hash;
		b->flags = f.flags;
		out[n++] = b;
	}
	return n;
}

static uint32_t spread_tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct port *p = ctx;
	uint32_t taken = spread_send(p->spread, pkts, n);

	if (taken)
		p->wake(0);
	return taken;
}

static void spread_poll(void *ctx, uint64_t now)
{
	struct port *p = ctx;
	struct ixn_txpkt *t;

	(void)now;
	while ((t = spread_done(p->spread)))
		core_tx_done(p->core, t);
	while (ring_room(&p->spread->lent)) {
		struct ixn_rxbuf *b = core_rxbuf_get(p->core);
		uint32_t number;

		if (!b)
			break;
		number = (uint32_t)b->user;
		spread_lend(p->spread, &number, 1);
	}
}

static uint32_t spread_waiting(void *ctx)
{
	struct port *p = ctx;

	return ring_used(&p->spread->full);
}

/* ---- both ---- */

static uint32_t rss_hash(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	const struct port *p = ctx;

	return ix_toeplitz_flow4(&p->rss->toeplitz, raddr, laddr, rport, lport);
}

static bool steered_here(void *ctx, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport)
{
	const struct port *p = ctx;

	return ix_rss_queue(p->rss, rss_hash(ctx, raddr, laddr, rport, lport)) == p->id;
}

void port_attach(struct port *p, struct core_port *out)
{
	p->rx_base = core_rxbuf_memory(p->core, 0);
	*out = (struct core_port){
	    .ctx = p,
	    .rx = p->queue ? rx : spread_rx,
	    .tx = p->queue ? tx : spread_tx,
	    .poll = p->queue ? poll : spread_poll,
	    .waiting = p->queue ? waiting : spread_waiting,
	    .steered_here = p->rss ? steered_here : NULL,
	    .rss_hash = p->rss ? rss_hash : NULL,
	};
	if (p->spread)
		p->spread->rx_base = p->rx_base;
}
