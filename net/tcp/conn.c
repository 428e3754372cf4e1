/* SPDX-License-Identifier: MIT */
/* Connections: creation, events, end; the calls of the application. */
#include "net/tcp/tcp.h"

/* ---- records of the send queue */

void rec_drop_all(struct ixn *n, struct tcb *t)
{
	while (t->rec_head != NONE) {
		uint32_t id = t->rec_head;
		t->rec_head = n->rec[id].next;
		rec_put(n, id);
	}
	t->rec_tail = t->rec_send = NONE;
}

bool rec_split(struct ixn *n, struct tcb *t, uint32_t id, uint32_t len)
{
	uint32_t rest = rec_new(n);

	if (rest == NONE)
		return false;
	struct txrec *a = &n->rec[id], *b = &n->rec[rest];
	*b = *a;
	b->ptr += len;
	b->dma += len;
	b->seq += len;
	b->len -= len;
	a->len = len;
	a->flags &= ~(REC_FIN | REC_PSH);
	a->next = rest;
	if (t->rec_tail == id)
		t->rec_tail = rest;
	return true;
}

static void rec_append(struct ixn *n, struct tcb *t, uint32_t id)
{
	n->rec[id].next = NONE;
	if (t->rec_tail == NONE)
		t->rec_head = id;
	else
		n->rec[t->rec_tail].next = id;
	t->rec_tail = id;
	if (t->rec_send == NONE)
		t->rec_send = id;
}

/* ---- creation and end */

struct tcb *conn_new(struct ixn *n, uint32_t raddr, uint8_t laddr, uint16_t rport, uint16_t lport,
		     uint32_t hash)
{
	uint32_t id = n->tcb_free;

	if (id == NONE) {
		n->st.no_conn++;
		return NULL;
	}
	struct tcb *t = &n->tcb[id];
	struct tcb_cold *c = &n->cold[id];
	uint32_t next = t->rec_head;
	if (!flow_add(n, hash, id)) {
		n->st.no_conn++;
		return NULL;
	}
	n->tcb_free = next;
	const struct ixn_tcp_config *cfg = &n->cfg.tcp;
	uint32_t gen = t->gen + 1, lip = n->addr[laddr].ip;
	memset(t, 0, sizeof(*t));
	memset(c, 0, sizeof(*c));
	t->gen = gen ? gen : 1;
	t->raddr = raddr;
	t->rport = rport;
	t->lport = lport;
	t->laddr = laddr;
	t->rec_head = t->rec_tail = t->rec_send = NONE;
	struct tcp_numbers num = tcp_numbers(n, raddr, lip, rport, lport);
	t->ts_off = num.ts_off;
	t->rcv_wnd = (int32_t)cfg->rcv_wnd;
	t->flags = cfg->nodelay ? F_NODELAY : 0;
	t->mss = 536;
	t->arp_hint = n->arp_hint;
	c->hash = hash;
	c->rcv_buf = cfg->rcv_wnd;
	c->iss = num.iss;
	c->cc = cfg->cc;
	c->ttl = cfg->ttl;
	c->tos = (uint8_t)(cfg->dscp << 2);
	if (cfg->dscp)
		t->flags |= F_MARK;
	c->quick = cfg->quickacks;
	if (c->quick)
		t->flags |= F_QUICK;
	c->user_timeout = us_to_ticks(cfg->user_timeout_us);
	c->keep_idle = us_to_ticks(cfg->keepalive_idle_us);
	c->keep_intvl = us_to_ticks(cfg->keepalive_intvl_us);
	c->keep_cnt = (uint8_t)(cfg->keepalive_count > 255 ? 255 : cfg->keepalive_count);
	c->ssthresh = 0x7fffffff;
	c->peer_mss = 536; /* RFC 9293 MUST-15 */
	c->reo_mult = 1;
	c->listener = NONE;
	c->ev_next = NONE;
	t->snd_una = t->snd_nxt = c->iss;
	t->group = (uint8_t)flow_group(n, raddr, lip, rport, lport);
	n->group_count[t->group]++;
	n->conns++;
	return t;
}

static void ooo_drop(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	while (c->ooo) {
		struct ixn_rxbuf *b = c->ooo;
		c->ooo = b->next;
		rx_release(n, b);
	}
	c->ooo_count = 0;
	t->flags &= ~F_OOO;
}

void listen_leave(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);

	if (c->listener != NONE) {
		if (t->flags & F_HALF)
			n->listener[c->listener].half--;
		if (t->flags & F_READY)
			n->listener[c->listener].ready--;
	}
	t->flags &= ~(F_HALF | F_READY);
	c->listener = NONE;
}

/* Leaves the tables; what the application may still refer to stays until conn_free(). */
static void conn_stop(struct ixn *n, struct tcb *t)
{
	uint32_t id = tcb_id(n, t);
	struct tcb_cold *c = &n->cold[id];

	if (t->state != IXN_TIME_WAIT) { /* tw_enter() takes its place over */
		flow_del(n, c->hash, id);
		n->group_count[t->group]--;
	}
	listen_leave(n, t);
	wheel_del(&n->wheel, id);
	t->wheel_at = t->rto_at = t->ack_at = 0;
	c->life_at = c->keep_at = 0;
	rec_drop_all(n, t);
	ooo_drop(n, t, c);
}

/* Buffers up to the reported ones stay until the end of the cycle. */
static void conn_free(struct ixn *n, struct tcb *t)
{
	while (t->rx_head) {
		struct ixn_rxbuf *b = t->rx_head;
		t->rx_head = b->next;
		rx_release(n, b);
	}
	t->rx_tail = NULL;
	t->gen++;
	t->flags = F_DEAD;
	t->rec_head = n->tcb_free;
	n->tcb_free = tcb_id(n, t);
	n->conns--;
}

void conn_end(struct ixn *n, struct tcb *t, int err, bool report)
{
	struct tcb_cold *c = tcb_cold(n, t);
	bool app = t->flags & F_APP,
	     connecting = t->state == IXN_SYN_SENT || (t->state == IXN_SYN_RCVD && app);

	conn_stop(n, t);
	t->state = IXN_CLOSED;
	t->flags |= F_DEAD;
	if (app && report) {
		c->err = (int16_t)err;
		/* What was received before the end is still delivered; RST ends that. */
		if (err && c->undelivered)
			c->ev &= ~(EVP_RECV | EVP_EOF);
		conn_event(n, t, connecting ? EVP_CONNECTED : EVP_DEAD);
		return;
	}
	c->ev = 0; /* conn_events_retry() drops it from its list */
	n->reap[n->nreap++] = tcb_id(n, t);
}

void conn_linger(struct ixn *n, struct tcb *t)
{
	conn_stop(n, t);
	t->state = IXN_TIME_WAIT;
}

void conn_forget(struct ixn *n, struct tcb *t)
{
	struct tcb_cold *c = tcb_cold(n, t);

	c->ooo = c->undelivered = NULL;
	c->ooo_count = 0;
	conn_stop(n, t);
	t->rx_head = t->rx_tail = NULL;
	t->state = IXN_CLOSED;
	t->flags = (t->flags & (F_EVENTS | F_PENDING)) | F_DEAD;
	c->ev = 0;
	n->reap[n->nreap++] = tcb_id(n, t);
}

struct tcb *conn_adopt(struct ixn *n, const struct tcb *copy, const struct tcb_cold *cold,
		       uint8_t laddr)
{
	uint32_t id = n->tcb_free;
	struct tcb *t = &n->tcb[id];
	uint32_t gen = t->gen + 1;

	n->tcb_free = t->rec_head;
	*t = *copy;
	n->cold[id] = *cold;
	t->gen = gen ? gen : 1;
	t->laddr = laddr;
	t->wheel_at = 0;
	t->flags &= ~(F_PENDING | F_EVENTS | F_HALF | F_READY);
	n->cold[id].listener = NONE;
	n->conns++;
	if (t->state != IXN_TIME_WAIT)
		n->group_count[t->group]++;
	return t;
}

void conn_reap(struct ixn *n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n->nreap; i++) {
		struct tcb *t = &n->tcb[n->reap[i]];
		/* Lists that still name it go first. */
		if (t->flags & (F_EVENTS | F_PENDING))
			n->reap[kept++] = n->reap[i];
		else
			conn_free(n, t);
	}
	n->nreap = kept;
}

/* ---- events */

static void ev_fill(const struct ixn *n, const struct tcb *t, struct ixn_event *ev, uint8_t type)
{
	conn_event_head(n, t, ev, type);
	ev->len = 0;
	ev->window = 0;
	ev->ptr = NULL;
	ev->buf = NULL;
}

static struct ixn_event *ev_new(struct ixn *n, struct tcb *t, uint8_t type)
{
	struct ixn_event *ev = ev_get(n);

	if (ev)
		ev_fill(n, t, ev, type);
	return ev;
}

static bool report_recv(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	while (c->undelivered) {
		struct ixn_rxbuf *b = c->undelivered;
		struct ixn_event *ev = ev_new(n, t, IXN_EV_RECV);
		if (!ev)
			return false;
		ev->ptr = b->pay;
		ev->len = b->paylen;
		ev->buf = b;
		c->undelivered = b->next;
	}
	return true;
}

/* Reports what c->ev notes, in the order in which it must be seen. False: no room. */
static bool report(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	struct ixn_event *ev;

	/* Before ixn_accept() there is nobody to report to. */
	uint16_t can = t->flags & F_APP ? 0xffff : EVP_KNOCK;

	if (c->ev & can & EVP_KNOCK) {
		if (!(ev = ev_new(n, t, IXN_EV_KNOCK)))
			return false;
		ev->cookie = n->listener[c->listener].cookie;
		ev->raddr = ixn_from_u32(t->raddr);
		c->ev &= ~EVP_KNOCK;
	}
	if (c->ev & can & EVP_MOVED) {
		if (!(ev = ev_new(n, t, IXN_EV_MOVED)))
			return false;
		ev->raddr = ixn_from_u32(t->raddr);
		c->ev &= ~EVP_MOVED;
	}
	if (c->ev & can & EVP_CONNECTED) {
		if (!(ev = ev_new(n, t, IXN_EV_CONNECTED)))
			return false;
		ev->result = c->err;
		ev->len = c->err ? 0 : conn_room(n, t);
		ev->raddr = ixn_from_u32(t->raddr);
		c->ev &= ~EVP_CONNECTED;
		if (t->flags & F_DEAD) {
			c->ev = 0;
			n->reap[n->nreap++] = tcb_id(n, t);
			return true;
		}
	}
	if (c->ev & can & EVP_URGENT) {
		if (!(ev = ev_new(n, t, IXN_EV_URGENT)))
			return false;
		ev->len = c->urg - t->rcv_nxt;
		for (struct ixn_rxbuf *b = c->undelivered; b; b = b->next)
			ev->len += b->paylen;
		c->ev &= ~EVP_URGENT;
	}
	if (c->ev & can & EVP_RECV) {
		if (!report_recv(n, t, c))
			return false;
		c->ev &= ~EVP_RECV;
	}
	if (c->ev & can & EVP_EOF) {
		if (!ev_new(n, t, IXN_EV_EOF))
			return false;
		c->ev &= ~EVP_EOF;
	}
	if (c->ev & can & EVP_SENT) {
		if (!(ev = ev_new(n, t, IXN_EV_SENT)))
			return false;
		ev->len = c->acked_unreported;
		ev->window = conn_room(n, t);
		c->acked_unreported = 0;
		c->ev &= ~EVP_SENT;
	}
	if (c->ev & can & EVP_ERROR) {
		if (!(ev = ev_new(n, t, IXN_EV_ERROR)))
			return false;
		ev->result = c->soft_err;
		c->ev &= ~EVP_ERROR;
	}
	if (c->ev & can & EVP_DEAD) {
		if (!(ev = ev_new(n, t, IXN_EV_DEAD)))
			return false;
		ev->result = c->err;
		c->ev = 0;
		n->reap[n->nreap++] = tcb_id(n, t);
	}
	return true;
}

static void events_later(struct ixn *n, struct tcb *t, struct tcb_cold *c)
{
	if (t->flags & F_EVENTS)
		return;
	n->st.ev_deferred++;
	t->flags |= F_EVENTS;
	c->ev_next = NONE;
	if (n->ev_head == NONE)
		n->ev_head = tcb_id(n, t);
	else
		n->cold[n->ev_tail].ev_next = tcb_id(n, t);
	n->ev_tail = tcb_id(n, t);
}

void conn_event(struct ixn *n, struct tcb *t, uint16_t evp)
{
	struct tcb_cold *c = tcb_cold(n, t);

	c->ev |= evp;
	/* Those that wait are reported first, for fairness and order. */
	if (t->flags & F_EVENTS || !report(n, t, c))
		events_later(n, t, c);
}

void conn_events_retry(struct ixn *n)
{
	udp_events(n);
	while (n->ev_head != NONE) {
		struct tcb *t = &n->tcb[n->ev_head];
		struct tcb_cold *c = tcb_cold(n, t);

		if (c->ev && !report(n, t, c))
			return;
		t->flags &= ~F_EVENTS;
		n->ev_head = c->ev_next;
	}
	n->ev_tail = NONE;
}

void conn_deliver(struct ixn *n, struct tcb *t, struct ixn_rxbuf *b)
{
	conn_hold(t, b);
	if (likely((t->flags & (F_APP | F_EVENTS)) == F_APP)) {
		struct ixn_event *ev = ev_new(n, t, IXN_EV_RECV);
		if (likely(ev != NULL)) {
			ev->ptr = b->pay;
			ev->len = b->paylen;
			ev->buf = b;
			return;
		}
	}
	struct tcb_cold *c = tcb_cold(n, t);
	if (!c->undelivered)
		c->undelivered = b;
	c->ev |= EVP_RECV;
	if (t->flags & F_APP)
		events_later(n, t, c);
}

/* ---- calls */

static struct tcb *conn_get(const struct ixn *n, ixn_conn h)
{
	uint32_t id = (uint32_t)h - 1;

	if (unlikely(id >= n->cfg.max_conns || n->tcb[id].gen != h >> 32))
		return NULL;
	return &n->tcb[id];
}

/* A connection that the application owns and that is not over. */
static struct tcb *conn_live(const struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_get(n, h);

	return t && (t->flags & (F_APP | F_DEAD)) == F_APP ? t : NULL;
}

int ixn_accept(struct ixn *n, ixn_conn h, uint64_t cookie)
{
	struct tcb *t = conn_get(n, h);

	if (!t || !(t->flags & F_READY)) {
		if (t && t->flags & F_DEAD && !(t->flags & F_APP))
			return -IXN_ECONNABORTED;
		return -IXN_EBADF;
	}
	struct tcb_cold *c = tcb_cold(n, t);
	if (c->ev & EVP_KNOCK)
		return -IXN_EBADF; /* not yet reported: the handle was guessed */
	listen_leave(n, t);
	t->flags |= F_APP;
	t->cookie = cookie;
	if (c->ev)
		events_later(n, t, c);
	return 0;
}

int ixn_reject(struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_get(n, h);

	if (!t || !(t->flags & F_READY))
		return -IXN_EBADF;
	tcp_send_rst(n, t);
	conn_end(n, t, 0, false);
	return 0;
}

int ixn_set_cookie(struct ixn *n, ixn_conn h, uint64_t cookie)
{
	struct tcb *t = conn_live(n, h);

	if (!t)
		return -IXN_EBADF;
	t->cookie = cookie;
	return 0;
}

int64_t ixn_send_window(struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_live(n, h);

	if (!t)
		return -IXN_EBADF;
	if (t->flags & F_FIN_QUEUED)
		return -IXN_EPIPE;
	if (t->state != IXN_ESTABLISHED && t->state != IXN_CLOSE_WAIT)
		return -IXN_ENOTCONN;
	return conn_room(n, t);
}

int64_t ixn_sendv(struct ixn *n, ixn_conn h, const struct ixn_seg *seg, uint32_t nsegs)
{
	struct tcb *t = conn_live(n, h);
	uint32_t taken = 0;

	if (unlikely(!t))
		return -IXN_EBADF;
	if (unlikely(t->flags & F_FIN_QUEUED))
		return -IXN_EPIPE;
	if (unlikely(t->state != IXN_ESTABLISHED && t->state != IXN_CLOSE_WAIT))
		return -IXN_ENOTCONN;
	uint32_t end = snd_end(n, t), room = conn_room_behind(n, t, end);
	const struct ixn_seg *stop = seg + nsegs;
	struct txrec *r = NULL;
	for (; seg < stop && room; seg++) {
		uint32_t len = seg->len < room ? seg->len : room;
		if (unlikely(len > REC_LEN_MAX))
			len = REC_LEN_MAX;
		if (unlikely(!len))
			continue;
		if (unlikely(n->rec_free_count < n->rec_reserve && t->rec_head != NONE))
			break;
		/* If all were taken by what is too long for a segment, nothing could be sent, ever. */
		if (unlikely(n->rec_free_count <= n->rec_cut)) {
			n->st.no_txrec++;
			if (!taken && t->rec_head == NONE) /* no ACK will come to tell */
				return -IXN_ENOBUFS;
			break;
		}
		uint32_t id = rec_new(n);
		r = &n->rec[id];
		*r = (struct txrec){.ptr = seg->ptr, .dma = seg->dma, .seq = end, .len = len};
		rec_append(n, t, id);
		end += len;
		taken += len;
		room -= len;
		if (len < seg->len)
			break;
	}
	if (unlikely(seg < stop))
		t->flags |= F_WANT;
	if (likely(r)) {
		r->flags |= REC_PSH;
		tcp_pend(n, t);
	}
	return taken;
}

/* Gives back the first `bytes` of what was delivered, which ends before `stop`. */
static int release_bytes(struct ixn *n, struct tcb *t, uint64_t bytes, const struct ixn_rxbuf *stop)
{
	struct ixn_rxbuf *b;
	uint64_t have = 0;

	if (bytes > INT32_MAX)
		return -IXN_EINVAL;
	/* Check before anything is given back. */
	for (b = t->rx_head; b != stop && have < bytes; b = b->next)
		have += b->paylen - b->done;
	if (have < bytes)
		return -IXN_EINVAL;
	t->rcv_wnd += (int32_t)bytes;
	while (bytes) {
		b = t->rx_head;
		uint32_t left = b->paylen - b->done;
		if (bytes < left) {
			b->done += (uint32_t)bytes;
			break;
		}
		bytes -= left;
		t->rx_head = b->next;
		if (!t->rx_head)
			t->rx_tail = NULL;
		rx_release(n, b);
	}
	return 0;
}

int ixn_recv_done(struct ixn *n, ixn_conn h, uint64_t bytes)
{
	struct tcb *t = conn_get(n, h);
	struct ixn_rxbuf *b, *stop;

	if (unlikely(!t || !(t->flags & F_APP)))
		return -IXN_EBADF;
	stop = unlikely(t->flags & F_EVENTS) ? tcb_cold(n, t)->undelivered : NULL;
	b = t->rx_head;
	if (likely(b && b != stop && bytes == b->paylen - b->done)) { /* one buffer, usually */
		t->rcv_wnd += (int32_t)bytes;
		t->rx_head = b->next;
		if (!b->next)
			t->rx_tail = NULL;
		rx_release(n, b);
	} else {
		int err = release_bytes(n, t, bytes, stop);
		if (unlikely(err))
			return err;
	}
	if (likely(t->state != IXN_CLOSED && t->state != IXN_TIME_WAIT))
		tcp_window_update(n, t);
	return 0;
}

void conn_queue_fin(struct ixn *n, struct tcb *t)
{
	uint32_t end = snd_end(n, t), id = t->rec_tail;

	/* On the last record if that was not sent yet, else on one of its own. */
	if (id != NONE && t->rec_send != NONE) {
		n->rec[id].flags |= REC_FIN;
	} else {
		id = rec_new(n);
		if (id == NONE) { /* tried again in the next cycle */
			t->flags |= F_RETRY;
			tcp_pend(n, t);
			return;
		}
		n->rec[id] = (struct txrec){.seq = end, .flags = REC_FIN};
		rec_append(n, t, id);
	}
	t->flags &= ~F_RETRY;
	if (t->state == IXN_CLOSE_WAIT)
		t->state = IXN_LAST_ACK;
	else
		t->state = IXN_FIN_WAIT_1;
	tcp_pend(n, t);
}

int ixn_shutdown_write(struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_live(n, h);

	if (!t)
		return -IXN_EBADF;
	if (t->flags & F_FIN_QUEUED)
		return -IXN_EPIPE;
	if (t->state == IXN_SYN_SENT)
		return -IXN_ENOTCONN;
	t->flags |= F_FIN_QUEUED;
	if (t->state != IXN_SYN_RCVD) /* else when it is established (RFC 9293 3.10.4) */
		conn_queue_fin(n, t);
	return 0;
}

int ixn_close(struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_live(n, h);

	if (!t || t->flags & F_CLOSED)
		return -IXN_EBADF;
	struct tcb_cold *c = tcb_cold(n, t);
	if (t->state == IXN_SYN_SENT) {
		conn_end(n, t, 0, false);
		return 0;
	}
	if (t->state == IXN_TIME_WAIT) {
		conn_end(n, t, 0, true);
		return 0;
	}
	/* RFC 9293 SHLD-3: data that the application will not read is answered with RST. */
	if (c->undelivered || t->flags & F_OOO) {
		tcp_send_rst(n, t);
		conn_end(n, t, 0, true);
		return 0;
	}
	t->flags |= F_CLOSED;
	if (t->state == IXN_FIN_WAIT_2) {
		c->life_at = tick_after(n, us_to_ticks(n->cfg.tcp.fin_wait2_us));
		t->flags |= F_COLD_TIMER;
		tcp_arm(n, t);
	}
	if (!(t->flags & F_FIN_QUEUED))
		return ixn_shutdown_write(n, h);
	return 0;
}

int ixn_abort(struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_get(n, h);

	if (!t || !(t->flags & F_APP))
		return -IXN_EBADF;
	if (t->flags & F_DEAD) { /* its end is not told any more, if it was not yet */
		if (tcb_cold(n, t)->ev)
			n->reap[n->nreap++] = tcb_id(n, t);
		tcb_cold(n, t)->ev = 0;
		t->flags &= ~F_APP;
		return -IXN_EBADF;
	}
	if (t->state != IXN_TIME_WAIT)
		tcp_send_rst(n, t);
	conn_end(n, t, 0, false);
	/* Gone at once: reported events of this handle find it dead. */
	t->flags &= ~F_APP;
	return 0;
}

void ixn_unlisten_all(struct ixn *n)
{
	for (uint32_t i = 0; i < n->cfg.max_listeners; i++)
		if (n->listener[i].used)
			listen_end(n, i);
	udp_unbind_all(n);
}

uint32_t ixn_abort_all(struct ixn *n, bool silent)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < n->cfg.max_conns; i++) {
		struct tcb *t = &n->tcb[i];

		if (t->state == IXN_CLOSED || t->flags & F_DEAD)
			continue;
		/* Closed in order, and all of it has arrived: a RST could destroy what was not read. */
		bool done = t->state == IXN_TIME_WAIT ||
			    (t->state == IXN_FIN_WAIT_2 && t->flags & F_CLOSED);

		if (!silent && !done && n->tx_free_count == 0) {
			left++;
			continue;
		}
		if (!silent && !done)
			tcp_send_rst(n, t);
		conn_end(n, t, 0, false);
		t->flags &= ~F_APP;
	}
	return left;
}

/* ---- information */

/* One that the application has heard of, until its end is forgotten. */
static struct tcb *conn_known(const struct ixn *n, ixn_conn h)
{
	struct tcb *t = conn_get(n, h);

	return t && t->flags & (F_APP | F_READY) ? t : NULL;
}

int ixn_tuple(struct ixn *n, ixn_conn h, struct ixn_tuple *out)
{
	struct tcb *t = conn_known(n, h);

	if (!t)
		return -IXN_EBADF;
	out->laddr = ixn_from_u32(n->addr[t->laddr].ip);
	out->raddr = ixn_from_u32(t->raddr);
	out->lport = t->lport;
	out->rport = t->rport;
	return 0;
}

int ixn_info(struct ixn *n, ixn_conn h, struct ixn_info *out)
{
	struct tcb *t = conn_known(n, h);

	if (!t)
		return -IXN_EBADF;
	const struct tcb_cold *c = tcb_cold(n, t);
	memset(out, 0, sizeof(*out));
	out->state = t->state;
	out->cc = c->cc;
	out->snd_wscale = t->snd_wscale;
	out->rcv_wscale = t->rcv_wscale;
	out->timestamps = t->flags & F_TS;
	out->sack = t->flags & F_SACK;
	out->ecn = t->flags & F_ECN;
	out->in_recovery = c->recovery != RECOVERY_NONE;
	out->group = t->group;
	out->mss = t->mss;
	out->srtt_us = t->srtt >> 3;
	out->rttvar_us = t->rttvar >> 2;
	out->min_rtt_us = c->min_rtt;
	out->rto_us = tcp_rto(n, t) << WHEEL_SHIFT;
	out->cwnd = t->cwnd;
	out->ssthresh = c->ssthresh;
	out->snd_wnd = t->snd_wnd;
	out->rcv_wnd = t->rcv_wnd > 0 ? (uint32_t)t->rcv_wnd : 0;
	out->in_flight = t->snd_nxt - t->snd_una;
	out->queued = snd_end(n, t) - t->snd_nxt;
	out->backoff = c->backoff;
	/* Sequence numbers since the start, without SYN. */
	uint64_t una = ((uint64_t)c->snd_wraps << 32) + t->snd_una - c->iss;
	out->bytes_acked = una ? una - 1 - !!(t->flags & F_FIN_ACKED) : 0;
	out->bytes_sent = out->bytes_acked + out->in_flight;
	uint64_t rcv = ((uint64_t)c->rcv_wraps << 32) + t->rcv_nxt - c->irs;
	out->bytes_received = rcv ? rcv - 1 - !!(t->flags & F_FIN_RCVD) : 0;
	out->retransmits = c->retransmits;
	for (struct ixn_rxbuf *b = t->rx_head; b && b != c->undelivered; b = b->next)
		out->held += b->paylen - b->done;
	if (t->flags & F_URG)
		out->urgent = c->urg - t->rcv_nxt;
	return 0;
}

void ixn_usage(const struct ixn *n, struct ixn_usage *out)
{
	memset(out, 0, sizeof(*out));
	out->conns = n->conns;
	out->timewait = n->tw_count;
	out->tx_pkts = n->cfg.tx_pkts - n->tx_free_count;
	out->tx_recs = n->cfg.tx_recs - n->rec_free_count;
	out->reasm = n->reasm_count;
	out->arp = n->nwait;
	out->bytes = n->size;
	out->bytes_per_conn = sizeof(struct tcb) + sizeof(struct tcb_cold) +
			      sizeof(struct wheel_node) + 2 * sizeof(uint32_t) +
			      (n->bucket_mask + 1) * sizeof(struct bucket) / n->cfg.max_conns;
}

/* ---- options */

/* What ticks can tell; the user timeout has 0 for the instance's default. */
static int set_time(struct ixn *n, struct tcb *t, struct tcb_cold *c, enum ixn_opt opt, uint64_t v)
{
	if (v > (uint64_t)INT32_MAX << WHEEL_SHIFT || (!v && opt != IXN_OPT_USER_TIMEOUT_US))
		return -IXN_EINVAL;
	if (opt == IXN_OPT_USER_TIMEOUT_US) {
		c->user_timeout = us_to_ticks(v ? v : n->cfg.tcp.user_timeout_us);
		return 0;
	}
	if (opt == IXN_OPT_KEEPINTVL_US) {
		c->keep_intvl = us_to_ticks(v);
		return 0;
	}
	c->keep_idle = us_to_ticks(v);
	if (t->flags & F_KEEPALIVE) {
		c->keep_at = tick_after(n, c->keep_idle);
		tcp_arm(n, t);
	}
	return 0;
}

int ixn_setopt(struct ixn *n, ixn_conn h, enum ixn_opt opt, uint64_t v)
{
	struct tcb *t = conn_live(n, h);
	uint32_t flag = 0;

	if (!t)
		return -IXN_EBADF;
	struct tcb_cold *c = tcb_cold(n, t);
	switch (opt) {
	case IXN_OPT_NODELAY:
		flag = F_NODELAY;
		break;
	case IXN_OPT_CORK:
		flag = F_CORK;
		break;
	case IXN_OPT_SOFT_ERRORS:
		c->soft_errors = v;
		return 0;
	case IXN_OPT_QUICKACK:
		flag = F_QUICKACK;
		break;
	case IXN_OPT_KEEPALIVE:
		t->flags &= ~F_KEEPALIVE;
		c->keep_at = 0;
		c->keep_sent = 0;
		if (v) {
			t->flags |= F_KEEPALIVE | F_COLD_TIMER;
			c->last_rx = n->tick;
			c->keep_at = tick_after(n, c->keep_idle);
			tcp_arm(n, t);
		}
		return 0;
	case IXN_OPT_KEEPIDLE_US:
	case IXN_OPT_KEEPINTVL_US:
	case IXN_OPT_USER_TIMEOUT_US:
		return set_time(n, t, c, opt, v);
	case IXN_OPT_KEEPCNT:
		if (!v || v > 255)
			return -IXN_EINVAL;
		c->keep_cnt = (uint8_t)v;
		return 0;
	case IXN_OPT_CC:
		if (v > IXN_CC_DCTCP)
			return -IXN_EINVAL;
		c->cc = (uint8_t)v;
		if (t->state >= IXN_ESTABLISHED)
			cc_ops(c->cc)->init(n, t, c);
		return 0;
	case IXN_OPT_DSCP:
		if (v > 63)
			return -IXN_EINVAL;
		c->tos = (uint8_t)(v << 2);
		t->flags |= F_MARK;
		return 0;
	case IXN_OPT_TTL:
		if (!v || v > 255)
			return -IXN_EINVAL;
		c->ttl = (uint8_t)v;
		t->flags |= F_MARK;
		return 0;
	case IXN_OPT_RCV_WND:
		if (v < c->rcv_buf || v > 1u << 30)
			return -IXN_EINVAL;
		t->rcv_wnd += (int32_t)(v - c->rcv_buf);
		c->rcv_buf = (uint32_t)v;
		return 0;
	default:
		return -IXN_EINVAL;
	}
	t->flags = v ? t->flags | flag : t->flags & ~flag;
	tcp_pend(n, t); /* what was held back may go now */
	return 0;
}

int ixn_getopt(struct ixn *n, ixn_conn h, enum ixn_opt opt, uint64_t *v)
{
	struct tcb *t = conn_live(n, h);

	if (!t)
		return -IXN_EBADF;
	const struct tcb_cold *c = tcb_cold(n, t);
	switch (opt) {
	case IXN_OPT_NODELAY:
		*v = !!(t->flags & F_NODELAY);
		return 0;
	case IXN_OPT_CORK:
		*v = !!(t->flags & F_CORK);
		return 0;
	case IXN_OPT_SOFT_ERRORS:
		*v = c->soft_errors;
		return 0;
	case IXN_OPT_QUICKACK:
		*v = !!(t->flags & F_QUICKACK);
		return 0;
	case IXN_OPT_KEEPALIVE:
		*v = !!(t->flags & F_KEEPALIVE);
		return 0;
	case IXN_OPT_KEEPIDLE_US:
		*v = (uint64_t)c->keep_idle << WHEEL_SHIFT;
		return 0;
	case IXN_OPT_KEEPINTVL_US:
		*v = (uint64_t)c->keep_intvl << WHEEL_SHIFT;
		return 0;
	case IXN_OPT_USER_TIMEOUT_US:
		*v = (uint64_t)c->user_timeout << WHEEL_SHIFT;
		return 0;
	case IXN_OPT_KEEPCNT:
		*v = c->keep_cnt;
		return 0;
	case IXN_OPT_CC:
		*v = c->cc;
		return 0;
	case IXN_OPT_DSCP:
		*v = c->tos >> 2;
		return 0;
	case IXN_OPT_TTL:
		*v = c->ttl;
		return 0;
	case IXN_OPT_RCV_WND:
		*v = c->rcv_buf;
		return 0;
	default:
		return -IXN_EINVAL;
	}
}
