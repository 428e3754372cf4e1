/* SPDX-License-Identifier: MIT */
/*
 * Flow groups on their way from one instance to another: packed into memory of the caller, and unpacked
 * by the next owner. What a connection refers to (memory to send, received buffers) stays where it is.
 */
#include "net/tcp/tcp.h"

#define PARCEL_MAGIC 0x31677869u /* "ixg1" */

/* The parcel: this, then connections, records in the order of the connections, TIME-WAIT entries. */
struct parcel {
	uint32_t magic;
	uint32_t group;
	uint32_t conns, recs, tws;
	uint64_t cookie_sent;
};

struct moved {
	struct tcb t; /* rec_head: number of records; rec_send: which of them, or NONE */
	struct tcb_cold c;
	uint32_t laddr;
};

static struct moved *parcel_conns(const struct parcel *p)
{
	return (struct moved *)(p + 1);
}

static struct txrec *parcel_recs(const struct parcel *p)
{
	return (struct txrec *)(parcel_conns(p) + p->conns);
}

static struct timewait *parcel_tws(const struct parcel *p)
{
	return (struct timewait *)(parcel_recs(p) + p->recs);
}

static size_t parcel_size(const struct parcel *p)
{
	return (size_t)((const uint8_t *)(parcel_tws(p) + p->tws) - (const uint8_t *)p);
}

static bool is_away(const struct ixn *n, uint32_t group)
{
	return n->away[group / 64] >> (group % 64) & 1;
}

static void set_away(struct ixn *n, uint32_t group, bool away)
{
	uint64_t bit = 1ull << (group % 64);

	n->away[group / 64] = away ? n->away[group / 64] | bit : n->away[group / 64] & ~bit;
	n->any_away = n->away[0] | n->away[1];
}

int ixn_group_own(struct ixn *n, uint32_t group, bool own)
{
	if (group >= IXN_GROUPS)
		return -IXN_EINVAL;
	set_away(n, group, !own);
	return 0;
}

bool group_elsewhere(const struct ixn *n, uint32_t raddr, uint32_t laddr, uint16_t rport,
		     uint16_t lport)
{
	return n->any_away && is_away(n, flow_group(n, raddr, laddr, rport, lport));
}

bool group_stray(struct ixn *n, struct seg *s)
{
	uint32_t group = flow_group(n, s->raddr, n->addr[s->laddr].ip, s->rport, s->lport);

	if (!is_away(n, group))
		return false;
	n->st.tcp_stray++;
	/* A reassembled segment lies in memory of this instance: its sender repeats it. */
	s->kept =
	    n->ops.stray && !(s->buf->flags & IXN_RX_REASM) && n->ops.stray(n->user, s->buf, group);
	return true;
}

/* ---- packing */

static bool moves(const struct tcb *t, uint32_t group)
{
	return t->state != IXN_CLOSED && t->group == group;
}

static void count(const struct ixn *n, uint32_t group, struct parcel *p)
{
	*p = (struct parcel){.magic = PARCEL_MAGIC, .group = group};
	for (uint32_t i = 0; i < n->cfg.max_conns; i++) {
		const struct tcb *t = &n->tcb[i];
		if (!moves(t, group))
			continue;
		p->conns++;
		for (uint32_t id = t->rec_head; id != NONE; id = n->rec[id].next)
			p->recs++;
	}
	p->tws = tw_count_group(n, group);
}

size_t ixn_group_size(const struct ixn *n, uint32_t group)
{
	struct parcel p;

	if (group >= IXN_GROUPS)
		return 0;
	count(n, group, &p);
	return parcel_size(&p);
}

/* Copies a connection's records; returns the place behind them. */
static struct txrec *pack_recs(const struct ixn *n, const struct tcb *t, struct tcb *copy,
			       struct txrec *to)
{
	uint32_t k = 0;

	copy->rec_send = NONE;
	for (uint32_t id = t->rec_head; id != NONE; id = n->rec[id].next) {
		if (id == t->rec_send)
			copy->rec_send = k;
		to[k++] = n->rec[id];
	}
	copy->rec_head = k;
	return to + k;
}

int ixn_group_detach(struct ixn *n, uint32_t group, void *mem, size_t size)
{
	struct parcel *p = mem, head;

	if (group >= IXN_GROUPS || (uintptr_t)mem & 7)
		return -IXN_EINVAL;
	if (n->q->n) /* events that are not yet handled name handles that will be gone */
		return -IXN_EAGAIN;
	count(n, group, &head);
	if (size < parcel_size(&head))
		return -IXN_EMSGSIZE;
	*p = head;
	p->cookie_sent = n->cookie_sent;

	struct moved *m = parcel_conns(p);
	struct txrec *rec = parcel_recs(p);
	for (uint32_t i = 0; i < n->cfg.max_conns; i++) {
		struct tcb *t = &n->tcb[i];
		if (!moves(t, group))
			continue;
		m->t = *t;
		m->c = *tcb_cold(n, t);
		m->laddr = n->addr[t->laddr].ip;
		rec = pack_recs(n, t, &m->t, rec);
		conn_forget(n, t);
		m++;
	}
	tw_take_group(n, group, parcel_tws(p));
	set_away(n, group, true);
	return 0;
}

/* ---- unpacking */

static void unpack_recs(struct ixn *n, struct tcb *t, const struct txrec *from)
{
	uint32_t total = t->rec_head, send = t->rec_send;

	t->rec_head = t->rec_tail = t->rec_send = NONE;
	for (uint32_t k = 0; k < total; k++) {
		uint32_t id = rec_new(n);
		n->rec[id] = from[k];
		n->rec[id].next = NONE;
		if (t->rec_tail == NONE)
			t->rec_head = id;
		else
			n->rec[t->rec_tail].next = id;
		t->rec_tail = id;
		if (k == send)
			t->rec_send = id;
	}
}

/* A connection that no application has accepted needs a listener. */
static bool rejoin_listener(struct ixn *n, struct tcb *t, uint32_t was)
{
	struct tcb_cold *c = tcb_cold(n, t);
	struct listener *l = listener_find(n, n->addr[t->laddr].ip, t->lport);

	if (!l)
		return false;
	c->listener = (uint32_t)(l - n->listener);
	t->flags |= was & (F_HALF | F_READY);
	l->half += !!(was & F_HALF);
	l->ready += !!(was & F_READY);
	return true;
}

static void unpack(struct ixn *n, const struct moved *m, const struct txrec *recs)
{
	uint32_t lip = m->laddr, was = m->t.flags;
	struct tcb *t = conn_adopt(n, &m->t, &m->c, local_index(n, lip));
	struct tcb_cold *c = tcb_cold(n, t);

	unpack_recs(n, t, recs);
	if (t->state != IXN_TIME_WAIT) {
		c->hash = flow_hash(n, t->raddr, lip, t->rport, t->lport);
		if (!flow_add(n, c->hash, tcb_id(n, t))) { /* sixteen full buckets in a row */
			n->st.no_conn++;
			n->group_count[t->group]--;
			t->state = IXN_TIME_WAIT; /* in no table: conn_end() need not look */
			c->ev |= EVP_MOVED;
			conn_end(n, t, -IXN_ECONNABORTED, true);
			return;
		}
	}
	if (was & (F_HALF | F_READY) && !rejoin_listener(n, t, was)) {
		tcp_send_rst(n, t);
		conn_end(n, t, 0, false);
		return;
	}
	tcp_pend(n, t);
	tcp_arm(n, t);
	if (t->flags & F_APP)
		conn_event(n, t, EVP_MOVED);
	else if (t->flags & F_READY)
		conn_event(n, t, EVP_KNOCK);
}

static int fits(const struct ixn *n, const struct parcel *p)
{
	const struct moved *m = parcel_conns(p);

	if (p->conns > n->cfg.max_conns - n->conns || p->recs > n->rec_free_count)
		return -IXN_ENOMEM;
	for (uint32_t i = 0; i < p->conns; i++) {
		if (local_index(n, m[i].laddr) == 0xff)
			return -IXN_EADDRNOTAVAIL;
	}
	return 0;
}

int ixn_group_attach(struct ixn *n, const void *mem, uint64_t now)
{
	const struct parcel *p = mem;

	if ((uintptr_t)mem & 7 || p->magic != PARCEL_MAGIC || p->group >= IXN_GROUPS)
		return -IXN_EINVAL;
	int err = fits(n, p);
	if (err)
		return err;
	set_now(n, now);
	const struct moved *m = parcel_conns(p);
	const struct txrec *rec = parcel_recs(p);
	for (uint32_t i = 0; i < p->conns; i++) {
		unpack(n, &m[i], rec);
		rec += m[i].t.rec_head;
	}
	for (uint32_t i = 0; i < p->tws; i++)
		tw_adopt(n, &parcel_tws(p)[i]);
	if (p->cookie_sent > n->cookie_sent)
		n->cookie_sent = p->cookie_sent;
	set_away(n, p->group, false);
	return 0;
}
