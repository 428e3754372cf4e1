/* SPDX-License-Identifier: MIT */
/*
 * LISTEN, SYN-RCVD, SYN cookies and TIME-WAIT: SYNs, ACKs of what the stack has answered and of what it has not, from a few
 * peers, with a backlog that is soon full. The first byte configures.
 */
#include "tests/fuzz/net_fuzz.h"
#include "net/tcp/tcp.h"

#define PEERS 8

struct peer_state {
	uint32_t seq, iss, tsval; /* the next of the peer; the stack's, as last seen */
};

static struct peer_state peer[PEERS];

/* Notes the sequence number of what the stack sent last, with the port it went to. */
static void look(struct fz *f)
{
	if (f->last_len >= 54 && f->last[23] == 6) {
		uint32_t who = get16(f->last + 36) - 1000u;
		if (who < PEERS && f->last[47] & TH_SYN) {
			peer[who].iss = get32(f->last + 38);
			if (f->last[46] >= 0xa0) /* options in Linux's order */
				peer[who].tsval = get32(f->last + 62);
		}
	}
}

static void segment(struct fz *f, uint32_t who, uint16_t port, uint32_t seq, uint32_t ack,
		    uint8_t flags, const uint8_t *opt, uint32_t optlen, uint32_t len)
{
	uint8_t p[200] = {0};

	memcpy(p, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45", 15);
	put16(p + 16, (uint16_t)(40 + optlen + len));
	p[22] = 64;
	p[23] = 6;
	put32(p + 26, who == PEERS - 1 ? 0x0a000003 : 0x0a000002);
	put32(p + 30, 0x0a000001);
	put16(p + 34, (uint16_t)(1000 + who));
	put16(p + 36, port);
	put32(p + 38, seq);
	put32(p + 42, ack);
	p[46] = (uint8_t)((5 + optlen / 4) << 4);
	p[47] = flags;
	put16(p + 48, 8192);
	memcpy(p + 54, opt, optlen);
	fz_frame(f, p, 54 + optlen + len);
	look(f);
}

/* Options as peers send them, and other ones. Returns the length, a multiple of four. */
static uint32_t options(struct in *in, uint32_t kind, const struct peer_state *s, uint8_t *o)
{
	uint32_t len = 0;

	if (kind & 1) {
		memcpy(o, "\2\4\5\xb4", 4);
		put16(o + 2, kind & 2 ? 1460 : (uint16_t)in_u16(in));
		len = 4;
	}
	if (kind & 4) {
		memcpy(o + len, "\4\2\10\12", 4);
		put32(o + len + 4, kind & 8 ? 5000 : in_u16(in));
		put32(o + len + 8, s->tsval - (kind & 16 ? in_u8(in) : 0));
		len += 12;
	}
	if (kind & 32) {
		memcpy(o + len, "\1\3\3", 3);
		o[len + 3] = (uint8_t)in_u8(in);
		len += 4;
	}
	if (kind & 64) {
		for (int i = 0; i < 4; i++)
			o[len++] = (uint8_t)in_u8(in);
	}
	return len;
}

static void call(struct fz *f, struct in *in, ixn_listener *l)
{
	uint32_t op = in_u8(in), arg = in_u8(in);
	struct ixn_acl acl = {.remote = ixn_v4(10, 0, 0, 3),
			      .prefix = 32,
			      .proto = 6,
			      .in = true,
			      .port_lo = 80,
			      .port_hi = (uint16_t)(80 + (arg & 1)),
			      .allow = arg & 2};

	switch (op & 7) {
	case 0:
		ixn_unlisten(f->n, *l);
		break;
	case 1:
		ixn_listen(f->n, arg & 1 ? IXN_ANY : ixn_v4(10, 0, 0, 1), 81, arg >> 4, 7, l);
		break;
	case 2:
		ixn_acl_set(f->n, &acl, arg >> 2 & 1);
		break;
	case 3:
		ixn_close(f->n, f->conn[arg % 16]);
		break;
	case 4:
		ixn_reject(f->n, f->conn[arg % 16]);
		break;
	case 5:
		f->slow_tx = arg & 1;
		break;
	case 6:
		f->lazy = arg & 1;
		break;
	default:
		f->now += (uint64_t)1 << (arg % 28);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct in in = {data, size};
	struct fz f;
	ixn_listener l = 0;
	uint32_t mode = in_u8(&in);

	for (uint32_t i = 0; i < PEERS; i++)
		peer[i] = (struct peer_state){.seq = 1000 + (mode & 1 ? 0xfffffff0u : 0)};
	fz_start(&f, 16 + (mode >> 5));
	f.n->cfg.tcp.syncookies = mode & 2;
	f.n->cfg.tcp.timestamps = !(mode & 4);
	f.n->cfg.tcp.sack = !(mode & 8);
	f.n->cfg.tcp.time_wait_us = mode & 16 ? 1000 : 60000000;
	while (in.left > 2) {
		uint32_t op = in_u8(&in), kind = in_u8(&in), who = op % PEERS;
		struct peer_state *s = &peer[who];
		uint16_t port = op & 8 ? 81 : 80;
		uint8_t opt[40], flags = 0;
		uint32_t optlen = options(&in, kind, s, opt), seq = s->seq, ack = s->iss + 1;

		switch (op >> 4) {
		case 0:
		case 1:
		case 2: /* a SYN; again, or a new one */
			flags = TH_SYN | (kind & 128 ? TH_ECE | TH_CWR : 0);
			break;
		case 3:
			s->seq += in_u16(&in);
			seq = s->seq;
			flags = TH_SYN;
			break;
		case 4:
		case 5:
		case 6: /* the ACK of the last SYN-ACK, that of a cookie perhaps, with data or FIN */
			seq++;
			flags = TH_ACK | (kind & 128 ? TH_FIN : 0);
			break;
		case 7: /* an ACK of something else */
			seq++;
			ack += (uint32_t)(int8_t)in_u8(&in) << (in_u8(&in) & 31);
			flags = TH_ACK;
			break;
		case 8: /* anything near */
			seq += (uint32_t)(int8_t)in_u8(&in);
			flags = (uint8_t)in_u8(&in);
			break;
		case 9:
			seq++;
			flags = TH_RST | (kind & 128 ? TH_ACK : 0);
			break;
		case 10: /* SYN-ACK, as in a simultaneous open */
			flags = TH_SYN | TH_ACK;
			break;
		case 11: { /* the stack opens itself */
			struct ixn_tuple tu = {.raddr = ixn_v4(10, 0, 0, 2),
					       .rport = (uint16_t)(1000 + who),
					       .lport = port};
			ixn_connect(f.n, &tu, 1, f.now, &f.conn[f.conns++ % 16]);
			look(&f);
			break;
		}
		default:
			call(&f, &in, &l);
			break;
		}
		if (flags)
			segment(&f, who, port, seq, ack, flags, opt, optlen,
				flags & TH_ACK ? op & 3 : 0);
		if (kind & 1 || op & 1)
			fz_cycle(&f);
		look(&f);
		if (!f.slow_tx)
			fz_complete(&f);
	}
	fz_cycle(&f);
	fz_end(&f);
	return 0;
}
