/* SPDX-License-Identifier: MIT */
/*
 * Structured TCP: segments whose numbers are near those that matter, with calls of the application
 * between them. The first byte says whether a connection is established first (by a handshake)
 * or segments go to the listener. Each input runs twice, with and without the short way of
 * net/tcp/fast.c: frames, events, connections and counters must be the same.
 */
#include "tests/fuzz/net_tcp_state.h"
#include "tests/fuzz/net_fuzz.h"
#include "net/tcp/tcp.h"

static void segment(struct fz *f, uint16_t port, uint32_t seq, uint32_t ack, uint8_t flags,
		    uint16_t wnd, const uint8_t *opt, uint32_t optlen, uint32_t len, uint16_t urg,
		    uint8_t tos)
{
	uint8_t p[1600] = {0};
	uint32_t pad = (optlen + 3) & ~3u;

	memcpy(p, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45", 15);
	p[15] = tos;
	put16(p + 16, (uint16_t)(40 + pad + len));
	p[22] = 64;
	p[23] = 6;
	put32(p + 26, 0x0a000002);
	put32(p + 30, 0x0a000001);
	put16(p + 34, port);
	put16(p + 36, 80);
	put32(p + 38, seq);
	put32(p + 42, ack);
	p[46] = (uint8_t)((5 + pad / 4) << 4);
	p[47] = flags;
	put16(p + 48, wnd);
	put16(p + 52, urg);
	memcpy(p + 54, opt, optlen);
	fz_frame(f, p, 54 + pad + len);
}

/* The only flow group leaves and comes back, as if from another core. */
static void move(struct fz *f)
{
	static uint64_t parcel[32768];

	if (ixn_group_detach(f->n, 0, parcel, sizeof(parcel)))
		return; /* events are waiting */
	for (int i = 0; i < 100; i++) {
		/* A cycle without fz_check(): the parcel holds buffers. */
		ixn_timers(f->n, f->now);
		fz_events(f);
		ixn_flush(f->n, f->now);
		if (!ixn_group_attach(f->n, parcel, f->now))
			return;
		f->slow_tx = false;
		fz_complete(f);
	}
	abort();
}

/* The connections, without pointers and what lies in the pools. */
static void note_conns(struct fz *f)
{
	for (uint32_t i = 0; i < f->n->cfg.max_conns; i++) {
		if (f->n->tcb[i].state == IXN_CLOSED)
			continue;
		struct tcb t = f->n->tcb[i];
		struct tcb_cold c = f->n->cold[i];
		t.rx_head = t.rx_tail = NULL;
		c.ooo = c.undelivered = NULL;
		fz_note(f, &t, sizeof(t));
		fz_note(f, &c, sizeof(c));
	}
}

static void cycle(struct fz *f)
{
	fz_cycle(f);
	note_conns(f);
}

static void run(const uint8_t *data, size_t size, bool no_fast, struct ixn_stats *st,
		uint64_t *trace)
{
	struct in in = {data, size};
	struct fz f;
	uint32_t mode = in_u8(&in), irs = 1000 + (mode & 4 ? 0xfffff000u : 0);
	uint32_t tsval = 5000;

	fz_start(&f, 16 + (mode >> 4));
	f.n->no_fast = no_fast;
	f.n->cfg.tcp.quickacks = 2;
	f.n->cfg.tcp.delack_us = mode & 32 ? 0 : 40000;
	f.lazy = mode & 8;
	f.n->cfg.tso_max = mode & 16 ? 16000 : 0;
	f.n->cfg.tcp.rack = !(mode & 32);
	f.n->cfg.tcp.cc = mode >> 6 & 1 ? IXN_CC_DCTCP : IXN_CC_CUBIC;
	if (mode & 1) {
		uint8_t opt[20] = {2,    4,    5, 0xb4, 4, 2, 8, 10, 0, 0,
				   0x13, 0x88, 0, 0,    0, 0, 1, 3,  3, 4};
		segment(&f, 1000, irs, 0, TH_SYN | (mode & 128 ? 0 : TH_ECE | TH_CWR), 65535, opt,
			mode & 2 ? 20 : 4, 0, 0, 0);
		cycle(&f);
		uint8_t ts[12] = {1, 1, 8, 10, 0, 0, 0x13, 0x88};
		memcpy(ts + 8, f.last + 14 + 20 + 20 + 8, 4);
		segment(&f, 1000, irs + 1, get32(f.last + 38) + 1, TH_ACK, 8192, ts,
			mode & 2 ? 12 : 0, 0, 0, 0);
		cycle(&f);
	}
	while (in.left > 1) {
		uint32_t op = in_u8(&in);
		struct tcb *t = NULL;
		for (uint32_t i = 0; i < 16 && !t; i++) {
			if (f.n->tcb[i].state != IXN_CLOSED)
				t = &f.n->tcb[(i + (op >> 7)) % 16];
		}
		if (!t)
			t = &f.n->tcb[0];
		if (op & 0x40) { /* a call */
			ixn_conn c = f.conn[in_u8(&in) % 16];
			uint32_t arg = in_u16(&in);
			struct ixn_seg seg[3] = {{.ptr = fz_payload, .len = arg % 4000},
						 {.ptr = fz_payload, .len = arg & 63},
						 {.ptr = fz_payload, .len = arg >> 8}};
			switch (op & 15) {
			case 0:
			case 1:
			case 2:
				ixn_sendv(f.n, c, seg, 1 + op % 3);
				break;
			case 3:
				fz_events(&f); /* nobody gives back what he has not heard of */
				ixn_recv_done(f.n, c, arg);
				break;
			case 4:
				ixn_close(f.n, c);
				break;
			case 5:
				ixn_shutdown_write(f.n, c);
				break;
			case 6:
				ixn_abort(f.n, c);
				break;
			case 7:
			case 8:
				ixn_setopt(f.n, c, 1 + arg % 13, arg >> 4);
				break;
			case 9: { /* an ICMP error about what was sent last */
				uint8_t e[70] = {0};
				memcpy(e, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45", 15);
				put16(e + 16, 56);
				e[22] = 64;
				e[23] = 1;
				put32(e + 26, 0x0a000002);
				put32(e + 30, 0x0a000001);
				e[34] = arg & 1 ? 3 : 11;
				e[35] = arg >> 1 & 7;
				put16(e + 40, (uint16_t)(arg & 0x7f8));
				memcpy(e + 42, f.last + 14, 28);
				fz_frame(&f, e, 70);
				break;
			}
			case 10: {
				struct ixn_tuple tu = {.raddr = ixn_v4(10, 0, 0, 2),
						       .rport = 1000,
						       .lport = arg & 1 ? 80 : 0};
				ixn_connect(f.n, &tu, 1, f.now, &f.conn[f.conns++ % 16]);
				break;
			}
			case 11:
				f.slow_tx = arg & 1;
				break;
			case 12:
				move(&f);
				break;
			case 13:
			case 14: { /* the next segment of a peer that does nothing unusual */
				static const uint16_t wnds[] = {8192, 8192, 8000, 0};
				static const uint16_t lens[] = {0,    1,    2,   13,  20,  31,
								64,   64,   64,  100, 362, 724,
								1448, 1460, 536, 0};
				uint8_t ts[12] = {1, 1, 8, 10};
				put32(ts + 4, t->ts_recent + (arg & 1));
				put32(ts + 8, tcp_ts(f.n, t));
				segment(&f, t->rport, t->rcv_nxt,
					arg & 2 ? t->snd_nxt : t->snd_una + (arg >> 9),
					arg & 4 ? TH_ACK : TH_ACK | TH_PSH, wnds[arg >> 3 & 3], ts,
					t->flags & F_TS ? 12 : 0, lens[arg >> 5 & 15], 0, 0);
				break;
			}
			default:
				f.now += (uint64_t)1 << (arg % 28);
				cycle(&f);
				break;
			}
		} else {
			uint8_t opt[40];
			uint32_t optlen = 0, kind = in_u8(&in), flags = in_u8(&in);
			int32_t ds = (int8_t)in_u8(&in), da = (int8_t)in_u8(&in);
			uint32_t len = in_u8(&in) * (op & 1 ? 5 : 1);
			if (op & 2)
				ds *= 300;
			if (op & 4)
				da *= 300;
			if (kind & 1) {
				memcpy(opt, "\1\1\10\12", 4);
				tsval += kind & 2 ? 1 : 0;
				put32(opt + 4, kind & 4 ? tsval - 100 : tsval);
				put32(opt + 8, tcp_ts(f.n, t) - (kind & 8 ? 1000 : 0));
				optlen = 12;
			}
			if (kind & 16) {
				uint32_t blocks = 1 + (kind >> 5 & 1);
				put32(opt + optlen, 0x01010500 | (2 + 8 * blocks));
				optlen += 4;
				for (uint32_t i = 0; i < blocks; i++) {
					uint32_t lo =
					    t->snd_una + (uint32_t)((int8_t)in_u8(&in) * 100);
					put32(opt + optlen, lo);
					put32(opt + optlen + 4, lo + in_u8(&in) * 100);
					optlen += 8;
				}
			}
			if (kind & 64) { /* whatever bytes */
				while (optlen < 40 && in.left && optlen < 36)
					opt[optlen++] = (uint8_t)in_u8(&in);
			}
			uint16_t wnd = kind & 128 ? (uint16_t)in_u16(&in) : 8192;
			segment(&f, op & 8 ? 1000 : (uint16_t)(1000 + in_u8(&in) % 20),
				(t->state ? t->rcv_nxt : irs) + (uint32_t)ds,
				t->snd_nxt + (uint32_t)da, (uint8_t)flags, wnd, opt, optlen, len,
				(uint16_t)(op & 16 ? len : 0), op & 32 ? 3 : 2);
		}
		if (op & 1 || op & 32)
			cycle(&f);
		if (!f.slow_tx)
			fz_complete(&f);
	}
	cycle(&f);
	*st = *ixn_stats(f.n);
	*trace = f.trace;
	fz_end(&f);
}

struct fast_counts net_tcp_state_compare(const uint8_t *data, size_t size)
{
	struct ixn_stats fast, full;
	uint64_t a, b;

	run(data, size, false, &fast, &a);
	run(data, size, true, &full, &b);
	struct fast_counts c = {.in = fast.tcp_in, .full = fast.tcp_full_path};
	full.tcp_full_path = fast.tcp_full_path;
	if (a != b || memcmp(&fast, &full, sizeof(fast)) != 0) {
		fprintf(stderr, "the short way differs from the full one\n");
		abort();
	}
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	net_tcp_state_compare(data, size);
	return 0;
}
