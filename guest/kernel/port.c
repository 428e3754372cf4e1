/* SPDX-License-Identifier: MIT
 *
 * Joins a queue of the NIC and a dataplane core.
 */
#include "guest/kernel/console.h"
#include "guest/kernel/port.h"

#define CONTROL_US 10000
#define ETH_LEN    14

void port_refill(struct port *p)
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
			out[n++] = b;
		}
		if (got < want)
			break;
	}
	return n;
}

static uint32_t tx(void *ctx, struct ixn_txpkt **pkts, uint32_t n)
{
	struct port *p = ctx;
	struct ix_nic_seg seg[PORT_BURST / 4][1 + IXN_TX_SEGS];
	struct ix_nic_tx out[PORT_BURST / 4];
	uint32_t done = 0;

	while (done < n) {
		uint32_t part = n - done < PORT_BURST / 4 ? n - done : PORT_BURST / 4;

		for (uint32_t i = 0; i < part; i++) {
			const struct ixn_txpkt *t = pkts[done + i];
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

static void poll(void *ctx, uint64_t now)
{
	struct port *p = ctx;
	uint64_t cookies[PORT_BURST];
	unsigned n;

	while ((n = ix_nic_tx_done(p->queue, cookies, PORT_BURST)) > 0)
		for (unsigned i = 0; i < n; i++)
			core_tx_done(p->core, (struct ixn_txpkt *)cookies[i]);
	port_refill(p);
	if (p->control && now >= p->next_control) {
		uint32_t events = ix_nic_control(p->nic);

		p->next_control = now + CONTROL_US;
		if (events & IX_NIC_EV_LINK)
			say("network: link is %s", ix_nic_link(p->nic).up ? "up" : "down");
		if (events & IX_NIC_EV_DOWN)
			say("network: the NIC was reset");
		if (events & IX_NIC_EV_UP)
			say("network: the NIC is up");
		if (events & IX_NIC_EV_GONE)
			say("network: the NIC is gone");
	}
}

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
	    .rx = rx,
	    .tx = tx,
	    .poll = poll,
	    .steered_here = p->rss ? steered_here : NULL,
	    .rss_hash = p->rss ? rss_hash : NULL,
	};
}
