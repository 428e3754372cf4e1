/* SPDX-License-Identifier: MIT */
/*
 * Any calls with any arguments, between two stacks on a wire that loses and reorders: handles are
 * guessed, kept too long, or right. The first stack is called, the second answers.
 */
#include "tests/fuzz/net_fuzz.h"
#include "tests/lib/netsim.h"

static struct sim_host *caller;
static ixn_conn conns[8];
static uint32_t nconns;
static struct ixn_rxbuf *datagrams[8];

static void answer(struct sim_host *h, const struct ixn_event *ev)
{
	struct ixn_seg seg = {.ptr = fz_payload, .len = 100};

	if (ev->type == IXN_EV_KNOCK) {
		ixn_accept(h->n, ev->handle, 0);
	} else if (ev->type == IXN_EV_RECV) {
		ixn_recv_done(h->n, ev->handle, ev->len);
		ixn_sendv(h->n, ev->handle, &seg, 1);
	} else if (ev->type == IXN_EV_EOF) {
		ixn_close(h->n, ev->handle);
	} else if (ev->type == IXN_EV_UDP_RECV) {
		ixn_udp_recv_done(h->n, ev->buf);
	}
}

static void note(struct sim_host *h, const struct ixn_event *ev)
{
	if (ev->type == IXN_EV_KNOCK)
		conns[nconns++ % 8] = ev->handle;
	if (ev->type == IXN_EV_UDP_RECV) {
		struct ixn_rxbuf **d = &datagrams[ev->len % 8];
		if (*d)
			ixn_udp_recv_done(h->n, *d);
		*d = ev->buf;
	}
}

static void check_host(struct sim_host *h)
{
	uint32_t held;
	const char *bad = net_check(h->n, &held);

	if (bad || held > h->held) {
		fprintf(stderr, "invariant: %s (held %u of %u)\n", bad ? bad : "buffers", held,
			h->held);
		abort();
	}
}

static ixn_conn pick(struct in *in)
{
	uint32_t k = in_u8(in);

	if (k < 200)
		return conns[k % 8];
	return k < 220 ? (uint64_t)in_u8(in) << 32 | in_u8(in) : conns[k % 8] + (1ull << 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct in in = {data, size};
	struct sim *s = sim_new(1 + in_u8(&in));
	struct ixn_config c;
	ixn_listener l[2] = {0};
	ixn_udp u[2] = {0};

	ixn_config_default(&c);
	c.max_conns = 6;
	c.max_timewait = 2;
	c.max_listeners = 2;
	c.max_udp = 2;
	c.tx_pkts = 64;
	c.tx_recs = 24;
	c.max_acl = 2;
	c.reasm_slots = 2;
	c.arp_entries = 16;
	c.tcp.cc = in_u8(&in) % 3;
	c.tcp.time_wait_us = 1000000;
	memset(conns, 0, sizeof(conns));
	memset(datagrams, 0, sizeof(datagrams));
	nconns = 0;
	caller = sim_add(s, &c);
	struct sim_host *b = sim_add(s, &c);
	uint32_t w = in_u8(&in);
	caller->wire = b->wire = (struct sim_wire){.delay_us = 100,
						   .loss = (w & 15) / 50.0,
						   .reorder = (w >> 4) / 50.0,
						   .dup = (w & 3) / 20.0};
	caller->on_event = note;
	caller->q.cap = 16 + in_u8(&in) % 16;
	b->on_event = answer;
	ixn_listen(b->n, IXN_ANY, 80, 4, 0, &l[0]);
	while (in.left > 1) {
		uint32_t op = in_u8(&in) % 20, arg = in_u16(&in);
		struct ixn_seg seg[3] = {{.ptr = fz_payload, .len = arg % 4096},
					 {.ptr = fz_payload, .len = arg & 31},
					 {.ptr = fz_payload, .len = arg >> 5}};
		struct ixn_tuple t = {.raddr = sim_ip(arg & 1), .rport = arg & 2 ? 80 : 81};
		struct ixn_info info;
		uint64_t v;
		switch (op) {
		case 0:
			ixn_connect(caller->n, &t, arg, s->now, &conns[nconns++ % 8]);
			break;
		case 1:
		case 2:
			ixn_sendv(caller->n, pick(&in), seg, arg % 4);
			break;
		case 3:
			ixn_recv_done(caller->n, pick(&in), arg);
			break;
		case 4:
			ixn_recv_done(caller->n, pick(&in), (uint64_t)arg << 40);
			break;
		case 5:
			ixn_close(caller->n, pick(&in));
			break;
		case 6:
			ixn_abort(caller->n, pick(&in));
			break;
		case 7:
			ixn_shutdown_write(caller->n, pick(&in));
			break;
		case 8:
			ixn_setopt(caller->n, pick(&in), arg % 15, arg >> 4);
			break;
		case 9:
			ixn_getopt(caller->n, pick(&in), arg % 15, &v);
			ixn_info(caller->n, pick(&in), &info);
			break;
		case 10:
			ixn_accept(caller->n, pick(&in), arg);
			break;
		case 11:
			ixn_reject(caller->n, pick(&in));
			break;
		case 12:
			ixn_listen(caller->n, IXN_ANY, (uint16_t)arg, arg % 3, 0, &l[arg & 1]);
			break;
		case 13:
			ixn_unlisten(caller->n, l[arg & 1]);
			break;
		case 14:
			ixn_udp_bind(caller->n, IXN_ANY, (uint16_t)(arg & 3), arg, &u[arg & 1]);
			break;
		case 15:
			ixn_udp_send(caller->n, u[arg & 1], sim_ip(1), (uint16_t)arg, seg, arg % 4,
				     arg, s->now);
			break;
		case 16:
			ixn_udp_unbind(caller->n, u[arg & 1]);
			break;
		case 17: { /* the other side opens, too */
			ixn_conn h;
			t.raddr = sim_ip(0);
			t.rport = (uint16_t)arg;
			ixn_connect(b->n, &t, 0, s->now, &h);
			break;
		}
		default:
			sim_run(s, s->now + (1ull << (arg % 24)), NULL, NULL);
			break;
		}
		check_host(caller);
		check_host(b);
	}
	sim_run(s, s->now + 100000, NULL, NULL);
	for (int i = 0; i < 8; i++) {
		ixn_abort(caller->n, conns[i]);
		if (datagrams[i])
			ixn_udp_recv_done(caller->n, datagrams[i]);
	}
	ixn_addr_del(caller->n, sim_ip(0));
	ixn_addr_del(b->n, sim_ip(1));
	for (int i = 0; i < 4; i++) {
		sim_cycle(caller);
		sim_cycle(b);
	}
	check_host(caller);
	check_host(b);
	/* What was not accepted goes with its listener; nothing else holds anything. */
	if (caller->held || b->held) {
		fprintf(stderr, "%u and %u buffers left\n", caller->held, b->held);
		abort();
	}
	sim_free(s);
	return 0;
}
