/* SPDX-License-Identifier: MIT */
#include "tests/lib/stream.h"

#include <stdlib.h>

static uint8_t pattern[2 * STREAM_PERIOD];

uint8_t stream_byte(uint64_t pos)
{
	uint32_t x = (uint32_t)(pos % STREAM_PERIOD) * 2654435761u;

	return (uint8_t)(x >> 24 ^ x >> 13);
}

static void fill(void)
{
	if (pattern[1])
		return;
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = stream_byte(i);
}

void stream_pump(struct stream *s)
{
	fill();
	while (s->offered < s->to_send) {
		uint64_t left = s->to_send - s->offered;
		uint32_t at = (uint32_t)(s->offered % STREAM_PERIOD);
		uint32_t len = s->chunk && s->chunk < STREAM_PERIOD ? s->chunk : STREAM_PERIOD;
		if (len > left)
			len = (uint32_t)left;
		struct ixn_seg seg = {
		    .ptr = pattern + at, .dma = (uintptr_t)pattern + at, .len = len};
		int64_t taken = ixn_sendv(s->h->n, s->c, &seg, 1);
		if (taken <= 0)
			return;
		s->offered += (uint64_t)taken;
	}
	if (s->echo && !s->eof)
		return;
	if (s->shutdown_when_sent && !s->closed) {
		s->closed = true;
		ixn_shutdown_write(s->h->n, s->c);
	}
	if (s->close_when_sent && !s->closed) {
		s->closed = true;
		ixn_close(s->h->n, s->c);
	}
}

void stream_event(struct sim_host *h, const struct ixn_event *ev)
{
	struct stream *s = (struct stream *)(uintptr_t)ev->cookie;

	fill();
	if (ev->type == IXN_EV_UDP_RECV)
		ixn_udp_recv_done(h->n, ev->buf);
	if (!s)
		return;
	switch (ev->type) {
	case IXN_EV_KNOCK:
		s->h = h;
		s->c = ev->handle;
		s->connected = true;
		ixn_accept(h->n, ev->handle, ev->cookie);
		stream_pump(s);
		break;
	case IXN_EV_CONNECTED:
		s->result = ev->result;
		if (ev->result) {
			s->dead = true;
			break;
		}
		s->connected = true;
		stream_pump(s);
		break;
	case IXN_EV_RECV:
		s->recv_events++;
		for (uint32_t i = 0; i < ev->len; i++) {
			if (ev->ptr[i] != pattern[(s->received + i) % STREAM_PERIOD]) {
				s->corrupt = true;
				break;
			}
		}
		s->received += ev->len;
		if (!s->lazy && ixn_recv_done(h->n, s->c, ev->len))
			s->corrupt = true;
		if (s->echo)
			s->to_send += ev->len;
		stream_pump(s);
		break;
	case IXN_EV_SENT:
		s->sent_events++;
		s->acked += ev->len;
		stream_pump(s);
		break;
	case IXN_EV_EOF:
		s->eof = true;
		if (s->close_on_eof) { /* after what is still to be sent */
			s->shutdown_when_sent = false;
			s->close_when_sent = true;
			s->closed = false;
		}
		stream_pump(s);
		break;
	case IXN_EV_MOVED:
		s->h = h;
		s->c = ev->handle;
		stream_pump(s);
		break;
	case IXN_EV_DEAD:
		s->dead = true;
		s->result = ev->result;
		break;
	default:
		break;
	}
}

int stream_connect(struct stream *s, struct sim_host *h, uint32_t to, uint16_t port)
{
	struct ixn_tuple t = {.raddr = sim_ip(to), .rport = port};

	s->h = h;
	h->on_event = stream_event;
	int err = ixn_connect(h->n, &t, (uintptr_t)s, h->sim->now, &s->c);
	sim_cycle(h);
	return err;
}

int stream_listen(struct stream *s, struct sim_host *h, uint16_t port, uint32_t backlog)
{
	ixn_listener l;

	s->h = h;
	h->on_event = stream_event;
	return ixn_listen(h->n, IXN_ANY, port, backlog, (uintptr_t)s, &l);
}
