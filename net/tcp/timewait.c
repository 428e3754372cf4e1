/* SPDX-License-Identifier: MIT */
/*
 * TIME-WAIT in a small state of its own (RFC 9293 MUST-13). The duration is the same for all, so
 * the list is in the order of expiry. When the pool is empty the oldest gives its place up.
 */
#include "net/tcp/tcp.h"

void tw_init(struct ixn *n)
{
	n->tw_free = NONE;
	for (uint32_t i = n->cfg.max_timewait; i-- > 0;) {
		n->tw[i].newer = n->tw_free;
		n->tw_free = i;
	}
	n->tw_old = n->tw_new = NONE;
}

static void unlink_tw(struct ixn *n, uint32_t id)
{
	struct timewait *w = &n->tw[id];

	if (w->older != NONE)
		n->tw[w->older].newer = w->newer;
	else
		n->tw_old = w->newer;
	if (w->newer != NONE)
		n->tw[w->newer].older = w->older;
	else
		n->tw_new = w->older;
}

static void link_newest(struct ixn *n, uint32_t id)
{
	struct timewait *w = &n->tw[id];

	w->due = n->tick + us_to_ticks(n->cfg.tcp.time_wait_us);
	w->older = n->tw_new;
	w->newer = NONE;
	if (n->tw_new != NONE)
		n->tw[n->tw_new].newer = id;
	else
		n->tw_old = id;
	n->tw_new = id;
}

static void tw_end(struct ixn *n, uint32_t id)
{
	unlink_tw(n, id);
	flow_del(n, n->tw[id].hash, id | ID_TIMEWAIT);
	n->tw[id].newer = n->tw_free;
	n->tw_free = id;
	n->tw_count--;
}

/* A free entry, which stays in the free list for now; NONE: none is configured. */
static uint32_t tw_new(struct ixn *n)
{
	if (n->tw_free == NONE && n->tw_old != NONE) {
		n->st.tcp_tw_recycled++;
		tw_end(n, n->tw_old);
	}
	return n->tw_free;
}

/* The entry from tw_new() is filled in; next was behind it in the free list. */
static void tw_start(struct ixn *n, uint32_t id, uint32_t next)
{
	n->tw[id].newer = next;
	if (!flow_add(n, n->tw[id].hash, id | ID_TIMEWAIT))
		return;
	n->tw_free = next;
	n->tw_count++;
	link_newest(n, id);
}

void tw_enter(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);

	flow_del(n, c->hash, tcb_id(n, t));
	n->group_count[t->group]--;
	t->state = IXN_TIME_WAIT;
	n->st.tcp_timewait++;
	uint32_t id = tw_new(n);
	if (id == NONE)
		return;
	struct timewait *w = &n->tw[id];
	uint32_t next = w->newer;
	*w = (struct timewait){.raddr = t->raddr,
			       .rport = t->rport,
			       .lport = t->lport,
			       .laddr = n->addr[t->laddr].ip,
			       .laddr_index = t->laddr,
			       .snd_nxt = t->snd_nxt,
			       .rcv_nxt = t->rcv_nxt,
			       .rcv_wnd = t->rcv_adv - t->rcv_nxt,
			       .ts_recent = t->ts_recent,
			       .ts_off = t->ts_off,
			       .ts = t->flags & F_TS,
			       .rcv_wscale = t->rcv_wscale,
			       .group = t->group,
			       .hash = c->hash};
	tw_start(n, id, next);
}

bool tw_input(struct ixn *n, uint32_t id, struct seg *s)
{
	struct timewait *w = &n->tw[id];

	if (s->flags & TH_RST) /* RFC 1337: TIME-WAIT is not ended by a stray RST */
		return true;
	/* RFC 9293 3.10.7.4 (MAY-2), RFC 6191: a SYN that is provably new opens again */
	if ((s->flags & (TH_SYN | TH_ACK)) == TH_SYN &&
	    (SEQ_GT(s->seq, w->rcv_nxt) ||
	     (w->ts && s->has_ts && (int32_t)(s->tsval - w->ts_recent) > 0))) {
		/* MAY-2: above all that was sent before. The clock of tcp_numbers() is slower than a fast
		 * connection was; a window further on nothing old is acceptable. */
		s->reopens = true;
		s->iss = w->snd_nxt + 65537;
		tw_end(n, id);
		return false;
	}
	/* What needs no answer: the ACK of our FIN, once more. */
	if (!s->len && !(s->flags & (TH_SYN | TH_FIN)) && s->seq == w->rcv_nxt)
		return true;
	if (s->flags & TH_FIN && s->seq + s->len + 1 == w->rcv_nxt) {
		/* Our last ACK was lost: restart the 2 MSL timer. */
		unlink_tw(n, id);
		link_newest(n, id);
	}
	if (!limit_take(n, &n->challenge_limit, n->cfg.tcp.challenge_ack_per_s)) {
		n->st.tcp_challenge_limited++;
		return true;
	}
	uint8_t opt[12];
	put32(opt, 0x0101080a);
	put32(opt + 4, n->ts_now + w->ts_off);
	put32(opt + 8, w->ts_recent);
	tcp_send_raw(n, w->laddr_index, w->raddr, w->lport, w->rport, w->snd_nxt, w->rcv_nxt,
		     TH_ACK, (uint16_t)(w->rcv_wnd >> w->rcv_wscale), opt, w->ts ? 12 : 0);
	return true;
}

void tw_expire(struct ixn *n)
{
	while (n->tw_old != NONE && (int32_t)(n->tick - n->tw[n->tw_old].due) >= 0)
		tw_end(n, n->tw_old);
}

void tw_drop_addr(struct ixn *n, uint8_t laddr)
{
	for (uint32_t id = n->tw_old; id != NONE;) {
		uint32_t next = n->tw[id].newer;
		if (n->tw[id].laddr_index == laddr)
			tw_end(n, id);
		id = next;
	}
}

uint64_t tw_next(const struct ixn *n)
{
	if (n->tw_old == NONE)
		return UINT64_MAX;
	int32_t left = (int32_t)(n->tw[n->tw_old].due - n->tick);
	return left <= 0 ? n->now : ((n->now >> WHEEL_SHIFT) + (uint32_t)left) << WHEEL_SHIFT;
}

uint32_t tw_count_group(const struct ixn *n, uint32_t group)
{
	uint32_t count = 0;

	for (uint32_t id = n->tw_old; id != NONE; id = n->tw[id].newer)
		count += n->tw[id].group == group;
	return count;
}

void tw_take_group(struct ixn *n, uint32_t group, struct timewait *to)
{
	for (uint32_t id = n->tw_old; id != NONE;) {
		uint32_t next = n->tw[id].newer;
		if (n->tw[id].group == group) {
			*to++ = n->tw[id];
			tw_end(n, id);
		}
		id = next;
	}
}

/* Its time starts anew, as the list is in the order of expiry. */
void tw_adopt(struct ixn *n, const struct timewait *from)
{
	uint8_t laddr = local_index(n, from->laddr);
	uint32_t id = tw_new(n), next;

	if (id == NONE || laddr == 0xff)
		return;
	next = n->tw[id].newer;
	n->tw[id] = *from;
	n->tw[id].laddr_index = laddr;
	n->tw[id].hash = flow_hash(n, from->raddr, from->laddr, from->rport, from->lport);
	tw_start(n, id, next);
}
