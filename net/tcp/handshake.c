/* SPDX-License-Identifier: MIT */
/* Opening: LISTEN, SYN-SENT, SYN-RCVD, SYN cookies (RFC 4987), initial sequence numbers. */
#include "net/core/siphash.h"
#include "net/tcp/tcp.h"

static uint64_t addr_word(uint32_t raddr, uint32_t laddr)
{
	return (uint64_t)raddr << 32 | laddr;
}

/* RFC 6528: a clock of 4 us and a keyed hash of the connection. */
struct tcp_numbers tcp_numbers(const struct ixn *n, uint32_t raddr, uint32_t laddr, uint16_t rport,
			       uint16_t lport)
{
	uint64_t h = siphash2(n->cfg.secret, addr_word(raddr, laddr),
			      (uint64_t)rport << 16 | lport | 1ull << 32);

	/* Halves of one keyed hash: the one does not tell the other. */
	return (struct tcp_numbers){.iss = (uint32_t)h + (uint32_t)(n->now / 4),
				    .ts_off = (uint32_t)(h >> 32)};
}

/* MUST-67: from what we can receive, options not subtracted. */
uint32_t tcp_our_mss(const struct ixn *n)
{
	uint32_t mss = n->cfg.mtu - IX_IP_HLEN - 20;

	return n->cfg.tcp.mss && n->cfg.tcp.mss < mss ? n->cfg.tcp.mss : mss;
}

/* ---- listeners */

static uint32_t port_slot(uint16_t port)
{
	return (port ^ port >> 6) & 63;
}

struct listener *listener_find(struct ixn *n, uint32_t laddr, uint16_t port)
{
	struct listener *any = NULL;

	for (uint32_t i = n->listen_hash[port_slot(port)]; i != NONE; i = n->listener[i].next) {
		struct listener *l = &n->listener[i];
		if (l->port != port)
			continue;
		if (l->ip == laddr)
			return l;
		if (!l->ip)
			any = l;
	}
	return any;
}

int ixn_listen(struct ixn *n, struct ixn_addr addr, uint16_t port, uint32_t backlog,
	       uint64_t cookie, ixn_listener *out)
{
	uint32_t ip, i;

	if (!addr_v4(&addr, true, &ip) || !port)
		return -IXN_EINVAL;
	if (ip && local_index(n, ip) == 0xff)
		return -IXN_EADDRNOTAVAIL;
	uint32_t *slot = &n->listen_hash[port_slot(port)];
	for (i = *slot; i != NONE; i = n->listener[i].next) {
		if (n->listener[i].port == port && n->listener[i].ip == ip)
			return -IXN_EADDRINUSE;
	}
	for (i = 0; i < n->cfg.max_listeners && n->listener[i].used; i++)
		;
	if (i == n->cfg.max_listeners)
		return -IXN_ENOMEM;
	struct listener *l = &n->listener[i];
	*l = (struct listener){.ip = ip,
			       .port = port,
			       .used = true,
			       .gen = l->gen + 1,
			       .backlog = backlog ? backlog : 1,
			       .cookie = cookie,
			       .next = *slot};
	*slot = i;
	*out = (uint64_t)l->gen << 32 | (i + 1);
	return 0;
}

void listen_end(struct ixn *n, uint32_t i)
{
	struct listener *l = &n->listener[i];

	if (l->half + l->ready) {
		for (uint32_t k = 0; k < n->cfg.max_conns; k++) {
			struct tcb *t = &n->tcb[k];
			if (t->state == IXN_CLOSED || !(t->flags & (F_HALF | F_READY)) ||
			    n->cold[k].listener != i)
				continue;
			tcp_send_rst(n, t);
			conn_end(n, t, 0, false);
		}
	}
	uint32_t *p = &n->listen_hash[port_slot(l->port)];
	while (*p != i)
		p = &n->listener[*p].next;
	*p = l->next;
	l->used = false;
}

int ixn_unlisten(struct ixn *n, ixn_listener h)
{
	uint32_t i = (uint32_t)h - 1;

	if (i >= n->cfg.max_listeners || !n->listener[i].used || n->listener[i].gen != h >> 32)
		return -IXN_EBADF;
	listen_end(n, i);
	return 0;
}

/* ---- negotiation */

/* Takes over what the peer's SYN says. */
static void negotiate(struct ixn *n, struct tcb *t, const struct seg *s)
{
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	struct tcb_cold *c = tcb_cold(n, t);

	if (s->mss)
		c->peer_mss = s->mss;
	if (c->peer_mss < cfg->mss_min) /* tiny segments cost us, not the peer */
		c->peer_mss = cfg->mss_min;
	if (s->has_ts && cfg->timestamps) {
		t->flags |= F_TS;
		t->ts_recent = s->tsval;
		c->seen_at = now_seconds(n);
	}
	if (s->sack_ok && cfg->sack)
		t->flags |= F_SACK;
	if (s->has_wscale) {
		c->peer_scales = true;
		t->snd_wscale = s->wscale & 15;
		t->rcv_wscale = cfg->wscale & 15;
	}
	c->irs = s->seq;
	t->rcv_nxt = t->last_ack_sent = s->seq + 1;
	t->snd_wl1 = s->seq;
}

static void set_mss(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t mss = tcp_our_mss(n);

	/* RFC 9293 3.7.1, MUST-16: what both sides allow, less the options of every segment */
	if (c->peer_mss < mss)
		mss = c->peer_mss;
	t->mss = (uint16_t)(mss - (t->flags & F_TS ? 12 : 0));
}

void tcp_established(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);

	n->st.tcp_established++;
	set_mss(n, t);
	if (!(t->flags & F_LOSS) || !c->retries)
		t->cwnd = cc_initial_window(n, t->mss);
	else
		t->cwnd = t->mss; /* RFC 5681 3.1: the SYN was lost */
	t->state = IXN_ESTABLISHED;
	t->rto_at = 0;
	c->retries = c->backoff = 0;
	c->retrans_at = 0;
	c->max_wnd = t->snd_wnd;
	c->last_send = n->tick;
	c->fack = c->rack_end = c->cwr_end = c->dsack_round = c->recover = t->snd_una;
	t->flags &= ~F_LOSS;
	cc_ops(c->cc)->init(n, t, c);
	if (t->flags & F_PASSIVE) {
		struct listener *l = &n->listener[c->listener];
		if (t->flags & F_HALF) {
			t->flags &= ~F_HALF;
			l->half--;
		}
		l->ready++;
		t->flags |= F_READY;
		n->st.tcp_passive++;
		conn_event(n, t, EVP_KNOCK);
	} else {
		n->st.tcp_active++;
		conn_event(n, t, EVP_CONNECTED);
	}
	if (t->flags & F_FIN_QUEUED)
		conn_queue_fin(n, t);
}

/* ---- cookies */

#define COOKIE_US 64000000ull
static const uint16_t cookie_mss[8] = {216, 536, 1024, 1220, 1400, 1440, 1460, 8960};

static uint32_t cookie_hash(const struct ixn *n, const struct seg *s, uint32_t irs, uint32_t t)
{
	uint64_t a = addr_word(s->raddr, n->addr[s->laddr].ip);
	uint64_t b = (uint64_t)s->rport << 48 | (uint64_t)s->lport << 32 | irs;
	const uint64_t key[2] = {n->cfg.secret[2], n->cfg.secret[3]};

	return (uint32_t)siphash2(key, a ^ (uint64_t)t << 59, b) & 0xffffff;
}

/* 5 bits of time, 3 of MSS, 24 of keyed hash; the other options ride in the timestamp. */
static void cookie_send(struct ixn *n, const struct seg *s)
{
	uint32_t t = (uint32_t)(n->now / COOKIE_US) & 31, m = 0;
	uint32_t ours = tcp_our_mss(n), mss = s->mss ? s->mss : 536;
	uint8_t opt[40];

	while (m < 7 && cookie_mss[m + 1] <= mss)
		m++;
	uint32_t iss = t << 27 | m << 24 | cookie_hash(n, s, s->seq, t);
	bool ts = s->has_ts && n->cfg.tcp.timestamps;
	bool ecn = (s->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR) && ts;
	uint32_t tsval = 0;
	if (ts) {
		uint32_t off =
		    tcp_numbers(n, s->raddr, n->addr[s->laddr].ip, s->rport, s->lport).ts_off;
		uint32_t now = n->ts_now + off;
		tsval = (now & ~63u) | (s->has_wscale ? s->wscale : 15u) | (s->sack_ok ? 16 : 0) |
			(ecn ? 32 : 0);
		if ((int32_t)(tsval - now) > 0)
			tsval -= 64;
	}
	uint32_t len = syn_options(opt, (uint16_t)ours, ts && s->sack_ok && n->cfg.tcp.sack, ts,
				   tsval, s->tsval, ts && s->has_wscale ? n->cfg.tcp.wscale : -1);
	uint32_t wnd = n->cfg.tcp.rcv_wnd < 65535 ? n->cfg.tcp.rcv_wnd : 65535;
	n->st.tcp_cookie_sent++;
	n->cookie_sent = n->now ? n->now : 1;
	tcp_send_raw(n, s->laddr, s->raddr, s->lport, s->rport, iss, s->seq + 1,
		     (uint8_t)(TH_SYN | TH_ACK | (ecn ? TH_ECE : 0)), (uint16_t)wnd, opt, len);
}

/*
 * The ACK of a cookie: rebuilds the connection that was not kept. *valid: it is right; if there is
 * no room, the peer will repeat it.
 */
static struct tcb *cookie_check(struct ixn *n, struct seg *s, uint32_t hash, struct listener *l,
				bool *valid)
{
	uint32_t cookie = s->ack - 1, irs = s->seq - 1, t = cookie >> 27;
	uint32_t age = ((uint32_t)(n->now / COOKIE_US) - t) & 31;

	if (!n->cookie_sent || n->now - n->cookie_sent > 2 * COOKIE_US)
		return NULL;
	if (age > 1 || cookie_hash(n, s, irs, t) != (cookie & 0xffffff)) {
		n->st.tcp_cookie_bad++;
		return NULL;
	}
	*valid = true;
	if (l->ready >= l->backlog) {
		n->st.tcp_syn_drop++;
		return NULL;
	}
	struct tcb *c = conn_new(n, s->raddr, s->laddr, s->rport, s->lport, hash);
	if (!c)
		return NULL;
	struct seg syn = *s;
	uint32_t opts = s->tsecr & 63;
	syn.seq = irs;
	syn.mss = cookie_mss[cookie >> 24 & 7];
	syn.has_wscale = s->has_ts && (opts & 15) != 15;
	syn.wscale = opts & 15;
	syn.sack_ok = s->has_ts && opts & 16;
	c->flags |= F_PASSIVE;
	if (s->has_ts && opts & 32)
		c->flags |= F_ECN;
	negotiate(n, c, &syn);
	struct tcb_cold *cold = tcb_cold(n, c);
	cold->listener = (uint32_t)(l - n->listener);
	cold->iss = cookie;
	c->snd_una = cookie;
	c->snd_nxt = cookie + 1;
	c->state = IXN_SYN_RCVD;
	c->rcv_adv = c->rcv_nxt + (n->cfg.tcp.rcv_wnd < 65535 ? n->cfg.tcp.rcv_wnd : 65535);
	n->st.tcp_cookie_ok++;
	return c;
}

/* ---- LISTEN (RFC 9293 3.10.7.2), CLOSED (3.10.7.1) */

void tcp_listen_input(struct ixn *n, struct seg *s, uint32_t hash)
{
	if (unlikely(n->any_away) && group_stray(n, s))
		return;
	if (s->flags & TH_RST)
		return;
	/* MUST-63: also protects against answering to ourselves or to many */
	if (bad_source(n, s->raddr))
		return;
	/* Who is denied learns nothing, not even that nobody listens. */
	if (!acl_allows(n, PROTO_TCP, true, s->raddr, s->lport)) {
		n->st.acl_denied++;
		return;
	}
	struct listener *l = listener_find(n, n->addr[s->laddr].ip, s->lport);
	if (!l) {
		n->st.tcp_no_conn++;
		tcp_reset_reply(n, s);
		return;
	}
	if (s->flags & TH_ACK) {
		bool valid = false;
		struct tcb *t = s->flags & TH_SYN ? NULL : cookie_check(n, s, hash, l, &valid);
		if (t)
			tcp_input(n, s, hash, tcb_id(n, t));
		else if (!valid)
			tcp_reset_reply(n, s);
		return;
	}
	if (!(s->flags & TH_SYN) || s->flags & TH_FIN)
		return;
	if (l->ready >= l->backlog) {
		n->st.tcp_syn_drop++;
		return;
	}
	struct tcb *t = NULL;
	if (l->half < l->backlog)
		t = conn_new(n, s->raddr, s->laddr, s->rport, s->lport, hash);
	if (!t) {
		if (n->cfg.tcp.syncookies && !s->reopens)
			cookie_send(n, s);
		else
			n->st.tcp_syn_drop++;
		return;
	}
	struct tcb_cold *c = tcb_cold(n, t);
	negotiate(n, t, s);
	t->flags |= F_PASSIVE | F_HALF;
	/* RFC 3168 6.1.1 */
	if ((s->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR))
		t->flags |= F_ECN;
	c->listener = (uint32_t)(l - n->listener);
	l->half++;
	t->state = IXN_SYN_RCVD;
	if (unlikely(s->reopens) && SEQ_LT(c->iss, s->iss))
		t->snd_una = c->iss = s->iss;
	t->snd_wnd = s->wnd; /* the window of a SYN is not scaled (RFC 7323 2.2) */
	t->snd_nxt = c->iss + 1;
	set_mss(n, t);
	tcp_send_syn(n, t);
}

/* ---- SYN-SENT (RFC 9293 3.10.7.3) */

void tcp_syn_sent_input(struct ixn *n, struct tcb *t, struct seg *s)
{
	struct tcb_cold *c = tcb_cold(n, t);

	if (s->flags & TH_ACK && s->ack != t->snd_nxt) {
		if (!(s->flags & TH_RST))
			tcp_reset_reply(n, s);
		return;
	}
	/* RFC 7323 3.2: the echo must be ours */
	if (s->flags & TH_ACK && s->has_ts && n->cfg.tcp.timestamps && s->tsecr &&
	    (int32_t)(tcp_ts(n, t) - s->tsecr) < 0) {
		tcp_reset_reply(n, s);
		return;
	}
	if (s->flags & TH_RST) {
		if (s->flags & TH_ACK) {
			n->st.tcp_rst_in++;
			conn_end(n, t, -IXN_ECONNREFUSED, true);
		}
		return;
	}
	if (!(s->flags & TH_SYN))
		return;
	negotiate(n, t, s);
	t->snd_wnd = s->wnd;
	if (!(s->flags & TH_ACK)) { /* MUST-10: both sides opened */
		t->flags &= ~F_ECN;
		if ((s->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR))
			t->flags |= F_ECN;
		t->state = IXN_SYN_RCVD;
		c->retries = 0;
		set_mss(n, t);
		tcp_send_syn(n, t);
		return;
	}
	/* RFC 3168 6.1.1: a SYN-ACK agrees with ECE alone */
	if (!n->cfg.tcp.ecn || (s->flags & (TH_ECE | TH_CWR)) != TH_ECE)
		t->flags &= ~F_ECN;
	else
		t->flags |= F_ECN;
	t->snd_una = s->ack;
	if (!c->retries) /* Karn */
		tcp_rtt_sample(n, t, (uint32_t)n->now - t->rack_xmit);
	/* The window of our SYN was not scaled. */
	t->rcv_adv = t->rcv_nxt + (uint32_t)(t->rcv_wnd < 65535 ? t->rcv_wnd : 65535);
	tcp_established(n, t);
	t->flags |= F_ACK_NOW;
	tcp_pend(n, t);
}

/* ---- active open */

static bool port_free(struct ixn *n, uint32_t raddr, uint32_t laddr, uint16_t rport, uint16_t lport,
		      uint32_t *hash)
{
	*hash = flow_hash(n, raddr, laddr, rport, lport);
	if (n->ops.steered_here && !n->ops.steered_here(n->user, raddr, laddr, rport, lport))
		return false;
	return !listener_find(n, laddr, lport) && !group_elsewhere(n, raddr, laddr, rport, lport) &&
	       flow_find(n, *hash, raddr, laddr, rport, lport) == NONE;
}

int ixn_connect(struct ixn *n, const struct ixn_tuple *tu, uint64_t cookie, uint64_t now,
		ixn_conn *out)
{
	uint32_t raddr, local, nexthop, hash = 0;
	uint8_t la = 0xff;
	uint16_t lport = tu->lport;

	set_now(n, now);
	/* MUST-46 */
	if (!addr_v4(&tu->raddr, false, &raddr) || !addr_v4(&tu->laddr, true, &local) ||
	    !tu->rport || bad_source(n, raddr))
		return -IXN_EINVAL;
	if (local) { /* MUST-43 */
		la = local_index(n, local);
		if (la == 0xff)
			return -IXN_EADDRNOTAVAIL;
	}
	if (!ip_route(n, raddr, &nexthop, &la)) /* MUST-44 */
		return -IXN_ENETUNREACH;
	if (!acl_allows(n, PROTO_TCP, false, raddr, tu->rport)) {
		n->st.acl_denied++;
		return -IXN_EACCES;
	}
	uint32_t lip = n->addr[la].ip;
	if (lport) {
		hash = flow_hash(n, raddr, lip, tu->rport, lport);
		if (flow_find(n, hash, raddr, lip, tu->rport, lport) != NONE)
			return -IXN_EADDRINUSE;
	} else { /* RFC 6056 3.3.1: random, then the next free one */
		uint32_t span = (uint32_t)n->cfg.port_hi - n->cfg.port_lo + 1, k;
		uint32_t start = (uint32_t)(rng_next(n) % span);
		for (k = 0; k < span; k++) {
			lport = (uint16_t)(n->cfg.port_lo + (start + k) % span);
			if (port_free(n, raddr, lip, tu->rport, lport, &hash))
				break;
		}
		if (k == span)
			return -IXN_EADDRNOTAVAIL;
	}
	struct tcb *t = conn_new(n, raddr, la, tu->rport, lport, hash);
	if (!t)
		return -IXN_ENOMEM;
	t->flags |= F_APP;
	if (n->cfg.tcp.ecn || n->cfg.tcp.cc == IXN_CC_DCTCP)
		t->flags |= F_ECN;
	t->cookie = cookie;
	t->state = IXN_SYN_SENT;
	t->snd_nxt = t->snd_una + 1;
	t->mss = (uint16_t)tcp_our_mss(n);
	*out = conn_handle(n, t);
	tcp_send_syn(n, t);
	return 0;
}
