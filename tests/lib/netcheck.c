/* SPDX-License-Identifier: MIT */
#include "tests/lib/netcheck.h"
#include "net/tcp/tcp.h"

#define CHECK(x)                   \
	do {                       \
		if (!(x))          \
			return #x; \
	} while (0)

static const char *check_records(struct ixn *n, struct tcb *t, uint32_t *recs)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t seq = t->snd_una, sacked = 0, lost = 0, last = NONE;
	bool sent = true;

	for (uint32_t id = t->rec_head; id != NONE; id = n->rec[id].next) {
		struct txrec *r = &n->rec[id];
		CHECK(id < n->cfg.tx_recs);
		CHECK(++*recs <= n->cfg.tx_recs);
		if (id == t->rec_send) {
			CHECK(seq == t->snd_nxt);
			sent = false;
		}
		CHECK(r->seq == seq);
		CHECK(rec_seqlen(r));
		CHECK(!(r->flags & REC_FIN) || r->next == NONE);
		CHECK(sent || !(r->flags & (REC_SACKED | REC_LOST | REC_RETRANS)));
		CHECK((r->flags & (REC_SACKED | REC_LOST)) != (REC_SACKED | REC_LOST));
		if (r->flags & REC_SACKED)
			sacked += rec_seqlen(r);
		if (r->flags & REC_LOST)
			lost += rec_seqlen(r);
		seq += rec_seqlen(r);
		last = id;
	}
	CHECK(t->rec_tail == last);
	if (sent)
		CHECK(t->rec_send == NONE && seq == t->snd_nxt);
	CHECK(lost == c->lost);
	if (t->flags & F_SACK)
		CHECK(sacked == c->sacked);
	CHECK(t->flags & F_LOSS || (!c->lost && !c->sacked && c->recovery == RECOVERY_NONE));
	CHECK(c->sacked + c->lost <= t->snd_nxt - t->snd_una);
	/* Something in flight or waiting always has a timer, or a place in the output queue. */
	if (t->rec_head != NONE)
		CHECK(t->rto_at || t->flags & F_PENDING);
	return NULL;
}

static const char *check_receive(struct ixn *n, struct tcb *t, uint32_t *held)
{
	struct tcb_cold *c = tcb_cold(n, t);
	uint32_t bytes = 0, count = 0;
	bool undelivered = !c->undelivered;

	for (struct ixn_rxbuf *b = t->rx_head; b; b = b->next) {
		CHECK(b->paylen && b->done < b->paylen);
		CHECK(b->pay >= b->data && b->pay + b->paylen <= b->data + b->len);
		bytes += b->paylen - b->done;
		if (b == c->undelivered)
			undelivered = true;
		if (!b->next)
			CHECK(t->rx_tail == b);
		++*held;
	}
	CHECK(undelivered || t->flags & F_DEAD);
	if (!t->rx_head)
		CHECK(!t->rx_tail);
	CHECK((int32_t)c->rcv_buf - (int32_t)bytes == t->rcv_wnd);
	uint32_t at = t->rcv_nxt;
	for (struct ixn_rxbuf *b = c->ooo; b; b = b->next) {
		CHECK(b->paylen);
		CHECK(b == c->ooo ? SEQ_GT(b->seq, at) : SEQ_GEQ(b->seq, at));
		CHECK(b->pay >= b->data && b->pay + b->paylen <= b->data + b->len);
		at = b->seq + b->paylen;
		CHECK(SEQ_LEQ(at, t->rcv_adv));
		count++;
		++*held;
	}
	CHECK(count == c->ooo_count);
	CHECK(!!(t->flags & F_OOO) == (count != 0));
	return NULL;
}

/* Each deadline has a look of the wheel before it, and what the application has closed has an end. */
static const char *check_timers(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);
	bool cold = t->flags & F_COLD_TIMER;
	uint32_t at[4] = {t->rto_at, t->ack_at, cold ? c->life_at : 0, cold ? c->keep_at : 0};

	CHECK(!!t->wheel_at == wheel_armed(&n->wheel, tcb_id(n, t)));
	for (int i = 0; i < 4; i++)
		CHECK(!at[i] || t->flags & F_PENDING ||
		      (t->wheel_at && (int32_t)(t->wheel_at - at[i]) <= 0));
	if (t->state == IXN_SYN_SENT || t->state == IXN_SYN_RCVD)
		CHECK(t->rto_at);
	if (t->flags & F_FIN_ACKED)
		CHECK(t->state == IXN_FIN_WAIT_2 || t->state == IXN_TIME_WAIT);
	if (t->flags & F_CLOSED && t->state > IXN_ESTABLISHED && t->state != IXN_TIME_WAIT)
		CHECK(t->rto_at || c->life_at || t->flags & F_PENDING);
	return NULL;
}

const char *net_check(struct ixn *n, uint32_t *held)
{
	uint32_t recs = 0, conns = 0, pkts = 0, groups = 0, half = 0, ready = 0, free_recs = 0;

	*held = 0;
	for (uint32_t i = 0; i < n->cfg.max_conns; i++) {
		struct tcb *t = &n->tcb[i];
		struct tcb_cold *c = &n->cold[i];
		const char *bad;
		if (t->state == IXN_CLOSED) {
			if (!(t->flags & (F_EVENTS | F_PENDING)) && !t->rx_head)
				continue;
			conns++;
			for (struct ixn_rxbuf *b = t->rx_head; b; b = b->next)
				++*held;
			CHECK(t->rec_head == NONE || !(t->flags & F_EVENTS));
			CHECK(!wheel_armed(&n->wheel, i));
			continue;
		}
		conns++;
		if (t->state != IXN_TIME_WAIT) {
			groups++;
			CHECK(flow_find(n, c->hash, t->raddr, n->addr[t->laddr].ip, t->rport,
					t->lport) == i);
		}
		half += !!(t->flags & F_HALF);
		ready += !!(t->flags & F_READY);
		if ((bad = check_timers(n, t)))
			return bad;
		CHECK(t->mss >= 36);
		CHECK(t->state < IXN_ESTABLISHED || t->state == IXN_TIME_WAIT ||
		      t->cwnd >= t->mss || c->recovery != RECOVERY_NONE);
		if (t->state >= IXN_ESTABLISHED && t->state != IXN_TIME_WAIT) {
			if ((bad = check_records(n, t, &recs)))
				return bad;
		}
		if ((bad = check_receive(n, t, held)))
			return bad;
	}
	CHECK(conns <= n->conns);
	for (uint32_t i = 0; i < n->cfg.max_listeners; i++) {
		if (!n->listener[i].used)
			continue;
		half -= n->listener[i].half;
		ready -= n->listener[i].ready;
	}
	CHECK(!half && !ready);
	for (uint32_t i = 0; i < IXN_GROUPS; i++)
		groups -= n->group_count[i];
	CHECK(!groups);
	for (uint32_t id = n->rec_free; id != NONE; id = n->rec[id].next)
		free_recs++;
	CHECK(free_recs == n->rec_free_count);
	CHECK(recs + free_recs == n->cfg.tx_recs);
	for (struct ixn_txpkt *p = n->tx_free; p; p = (struct ixn_txpkt *)(uintptr_t)p->priv[0])
		pkts++;
	CHECK(pkts == n->tx_free_count);
	return NULL;
}
