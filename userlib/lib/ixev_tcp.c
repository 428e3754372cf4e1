/* SPDX-License-Identifier: MIT
 *
 * Connections of ixev.
 *
 * A context that has something to tell the kernel is on the dirty list, one that has something to be
 * told on the ready list. It is let go of (ops->release) when the application has closed it, the
 * kernel has forgotten it and it is on neither list.
 */
#include <errno.h>
#include <stdlib.h>

#include "userlib/lib/ixev_priv.h"

/* ---- lists ---- */

void make_dirty(struct ixev_ctx *x)
{
	if (x->state & ST_DIRTY)
		return;
	x->state |= ST_DIRTY;
	x->next_dirty = NULL;
	*x->base->dirty_tail = x;
	x->base->dirty_tail = &x->next_dirty;
}

static void make_ready(struct ixev_ctx *x)
{
	if (x->state & ST_READY)
		return;
	x->state |= ST_READY;
	x->next_ready = NULL;
	*x->base->ready_tail = x;
	x->base->ready_tail = &x->next_ready;
}

static void happened(struct ixev_ctx *x, unsigned int ev)
{
	x->edges |= (uint8_t)ev;
	if (ev & (x->mask | IXEV_HUP))
		make_ready(x);
}

/* At half the limit an application that has filled it up hears of it. */
static void room(struct ixev_ctx *x)
{
	if ((x->state & ST_FULL) && x->tx_pending <= x->tx_limit / 2) {
		x->state &= (uint16_t)~ST_FULL;
		happened(x, IXEV_OUT);
	}
}

static void enroll(struct ixev *b, struct ixev_ctx *x)
{
	x->prev = b->all.prev;
	x->next = &b->all;
	b->all.prev->next = x;
	b->all.prev = x;
}

static void drop_sent(struct ixev_ctx *x)
{
	while (x->tx_head) {
		struct ixev_buf *buf = x->tx_head;

		x->tx_head = buf->next;
		buf_done(x->base, buf);
	}
	x->tx_next = x->tx_tail = NULL;
	x->tx_acked = x->tx_sent = x->tx_pending = 0;
}

static void try_release(struct ixev_ctx *x)
{
	if (!(x->state & ST_DEAD) || !(x->state & ST_CLOSING) ||
	    (x->state & (ST_READY | ST_DIRTY)) || !x->next)
		return;
	recv_drop(x);
	drop_sent(x);
	x->prev->next = x->next;
	x->next->prev = x->prev;
	x->next = x->prev = NULL;
	if (x->ops->release)
		x->ops->release(x);
}

/* ---- what the application asks for ---- */

void ixev_init(struct ixev *b, struct ixev_ctx *x, const struct ixev_ops *ops)
{
	memset(x, 0, sizeof(*x));
	x->base = b;
	x->tx_limit = b->pending_limit;
	x->ops = ops;
	x->mask = IXEV_IN;
}

int ixev_listen(struct ixev *b, struct ixev_listener *l, const struct ix_ip *local, uint16_t port,
		uint32_t backlog)
{
	struct ix_call call = {0};
	long err;

	ix_call_listen(&call, (uintptr_t)l, local, port, backlog);
	err = ix_call_now(&call, 1);
	if (err < 0 || call.ret < 0)
		return (int)(err < 0 ? err : call.ret);
	l->base = b;
	l->handle = call.handle;
	l->prev = NULL;
	l->next = b->listeners;
	if (l->next)
		l->next->prev = l;
	b->listeners = l;
	return 0;
}

void ixev_unlisten(struct ixev_listener *l)
{
	struct ix_call call = {.op = IX_CALL_UNLISTEN, .handle = l->handle};

	ix_call_now(&call, 1);
	if (l->prev)
		l->prev->next = l->next;
	else
		l->base->listeners = l->next;
	if (l->next)
		l->next->prev = l->prev;
}

int ixev_connect(struct ixev_ctx *x, const struct ix_ip *remote, uint16_t port)
{
	struct ixev *b = x->base;
	struct ix_call *call = ix_next(&b->t);

	if (!call)
		return -ENOMEM;
	ix_call_connect(call, (uintptr_t)x, remote, port);
	enroll(b, x);
	x->state |= ST_DIALING;
	return 0;
}

unsigned int ixev_levels(const struct ixev_ctx *x)
{
	unsigned int ev = 0;

	if ((x->rx_bytes && x->rx_bytes >= x->rx_want) || (x->state & (ST_EOF | ST_DEAD)))
		ev |= IXEV_IN;
	if ((x->state & (ST_OPEN | ST_DEAD | ST_SHUT | ST_CLOSING)) == ST_OPEN &&
	    x->tx_pending < x->tx_limit)
		ev |= IXEV_OUT;
	if (x->state & ST_DEAD)
		ev |= IXEV_HUP;
	return ev;
}

bool ixev_eof(const struct ixev_ctx *x)
{
	return x->state & ST_EOF;
}

void ixev_set_mask(struct ixev_ctx *x, unsigned int mask)
{
	x->mask = (uint8_t)mask;
	x->edges = (uint8_t)((x->edges & IXEV_HUP) | (ixev_levels(x) & ~IXEV_HUP));
	if (x->next && (x->edges & (mask | IXEV_HUP)))
		make_ready(x);
}

/* At the limit: IXEV_OUT is owed when there is room again. */
static void note_full(struct ixev_ctx *x)
{
	if (x->tx_pending >= x->tx_limit)
		x->state |= ST_FULL;
}

void ixev_set_limit(struct ixev_ctx *x, uint32_t bytes)
{
	x->tx_limit = bytes;
	note_full(x);
}

/* Why nothing can be sent; 0: it can. */
static int refusal(struct ixev_ctx *x)
{
	if (x->state & ST_DEAD)
		return x->error ? x->error : -EPIPE;
	if (x->state & (ST_CLOSING | ST_SHUT))
		return -EPIPE;
	if (x->tx_pending < x->tx_limit || (x->state & ST_ANSWERING))
		return 0;
	x->state |= ST_FULL;
	return -EAGAIN;
}

/* `sent` bytes of buf, which is or becomes the last, are behind us. */
static void queue(struct ixev_ctx *x, struct ixev_buf *buf, uint32_t sent)
{
	if (buf != x->tx_tail) {
		buf->next = NULL;
		if (x->tx_tail)
			x->tx_tail->next = buf;
		else
			x->tx_head = buf;
		x->tx_tail = buf;
	}
	if (!x->tx_next) {
		x->tx_next = buf;
		x->tx_sent = sent;
	}
	make_dirty(x);
}

ssize_t ixev_send(struct ixev_ctx *x, const void *data, size_t len)
{
	int err = refusal(x);
	size_t done = 0;

	if (err < 0)
		return err;
	if (x->tx_pending > PENDING_MAX || len > PENDING_MAX - x->tx_pending)
		return -EMSGSIZE;
	while (done < len) {
		struct ixev_buf *buf = x->tx_tail;
		size_t n = len - done;
		uint32_t old;

		if (!buf || !chunk_is(buf) || !buf->room)
			buf = chunk_get(x->base, n);
		if (!buf)
			break;
		n = n < buf->room ? n : buf->room;
		old = buf->len;
		memcpy(chunk_data(buf) + old, (const char *)data + done, n);
		buf->len += (uint32_t)n;
		buf->room -= (uint32_t)n;
		queue(x, buf, old);
		done += n;
		x->tx_pending += (uint32_t)n;
	}
	note_full(x);
	if (done == len)
		return (ssize_t)done;
	/* Memory ran out. What is acknowledged brings some; with nothing under way, try again. */
	x->state |= ST_FULL;
	if (!x->tx_head)
		room(x);
	return done ? (ssize_t)done : -EAGAIN;
}

int ixev_send_zc(struct ixev_ctx *x, struct ixev_buf *buf)
{
	int err = refusal(x);

	if (err < 0)
		return err;
	if (!buf->len) {
		buf_done(x->base, buf);
		return 0;
	}
	if (buf->len > UINT32_MAX - x->tx_pending)
		return -EMSGSIZE;
	queue(x, buf, 0);
	x->tx_pending += buf->len;
	note_full(x);
	return 0;
}

/* A buffer of ixev_send_ref(). */
struct ref {
	struct ixev_buf buf;
	void (*done)(void *arg);
	void *arg;
};

static void ref_done(struct ixev_buf *buf)
{
	struct ref *r = (struct ref *)buf;
	void (*done)(void *arg) = r->done;
	void *arg = r->arg;

	free(r);
	if (done)
		done(arg);
}

int ixev_send_ref(struct ixev_ctx *x, const void *data, size_t len, void (*done)(void *arg),
		  void *arg)
{
	struct ref *r = len <= UINT32_MAX ? malloc(sizeof(*r)) : NULL;
	int err;

	if (!r)
		return len <= UINT32_MAX ? -ENOMEM : -EMSGSIZE;
	*r = (struct ref){.done = done, .arg = arg};
	r->buf = (struct ixev_buf){.data = data, .len = (uint32_t)len, .release = ref_done};
	err = ixev_send_zc(x, &r->buf);
	if (err < 0)
		free(r);
	return err;
}

int ixev_shutdown(struct ixev_ctx *x)
{
	if (x->state & (ST_DEAD | ST_CLOSING))
		return -ENOTCONN;
	x->state |= ST_SHUT;
	make_dirty(x);
	return 0;
}

void ixev_close(struct ixev_ctx *x)
{
	if (x->state & ST_CLOSING)
		return;
	x->state |= ST_CLOSING;
	x->state &= (uint16_t)~ST_DIALING;
	make_dirty(x);
}

void ixev_abort(struct ixev_ctx *x)
{
	if (!(x->state & ST_ABORT)) /* behind a close the kernel is told once more */
		x->state &= (uint16_t)~ST_CLOSE_SENT;
	x->state |= ST_CLOSING | ST_ABORT;
	x->state &= (uint16_t)~ST_DIALING;
	make_dirty(x);
}

int ixev_set_option(struct ixev_ctx *x, uint32_t option, uint64_t value)
{
	struct ix_call *call;

	if ((x->state & (ST_KNOWN | ST_DEAD | ST_CLOSE_SENT)) != ST_KNOWN)
		return -ENOTCONN;
	call = ix_next(&x->base->t);
	if (!call)
		return -ENOMEM;
	ix_call_handle(call, IX_CALL_SET_OPTION, x->handle, (uintptr_t)x);
	call->opt.option = option;
	call->opt.value = value;
	return 0;
}

/* ---- telling the kernel ---- */

/* One sendv for all that waits, as far as there are descriptors. False: out of them. */
static bool flush_send(struct ixev *b, struct ixev_ctx *x)
{
	struct ix_iov *iov;
	struct ix_call *call;
	uint32_t n = 0, off = x->tx_sent;
	uint32_t want = 0;

	for (struct ixev_buf *buf = x->tx_next; buf && want < IX_IOV_MAX; buf = buf->next)
		want++;
	iov = iov_get(b, want);
	call = iov ? ix_next(&b->t) : NULL;
	if (!call)
		return false;
	x->tx_given = 0;
	for (struct ixev_buf *buf = x->tx_next; n < want; buf = buf->next) {
		iov[n++] = (struct ix_iov){(uintptr_t)buf->data + off, buf->len - off};
		x->tx_given += buf->len - off;
		off = 0;
	}
	ix_call_sendv(call, x->handle, (uintptr_t)x, iov, n);
	return true;
}

static bool flush_handle(struct ixev *b, struct ixev_ctx *x, enum ix_call_op op, uint16_t done)
{
	struct ix_call *call = ix_next(&b->t);

	if (!call)
		return false;
	ix_call_handle(call, op, x->handle, (uintptr_t)x);
	x->state |= done;
	return true;
}

/* False: no descriptor left, try again in the next round. */
static bool flush_one(struct ixev *b, struct ixev_ctx *x)
{
	if (!(x->state & ST_KNOWN) || (x->state & (ST_DEAD | ST_CLOSE_SENT)))
		return true;
	if (x->state & ST_ABORT)
		return flush_handle(b, x, IX_CALL_ABORT, ST_CLOSE_SENT);
	if (!(x->state & ST_OPEN)) /* still dialing: a close ends it */
		return !(x->state & ST_CLOSING) ||
		       flush_handle(b, x, IX_CALL_ABORT, ST_ABORT | ST_CLOSE_SENT);
	if (x->rx_done) {
		struct ix_call *call = ix_next(&b->t);

		if (!call)
			return false;
		ix_call_recv_done(call, x->handle, (uintptr_t)x, x->rx_done);
		x->rx_done = 0;
	}
	if (x->tx_pending) {
		/* A FIN goes behind everything: shutdown and close wait for the last byte. */
		return (x->state & ST_BLOCKED) || flush_send(b, x);
	}
	if ((x->state & (ST_SHUT | ST_SHUT_SENT)) == ST_SHUT &&
	    !flush_handle(b, x, IX_CALL_SHUTDOWN, ST_SHUT_SENT))
		return false;
	return !(x->state & ST_CLOSING) || flush_handle(b, x, IX_CALL_CLOSE, ST_CLOSE_SENT);
}

void tcp_flush(struct ixev *b)
{
	while (b->dirty) {
		struct ixev_ctx *x = b->dirty;

		if (!flush_one(b, x))
			return;
		b->dirty = x->next_dirty;
		if (!b->dirty)
			b->dirty_tail = &b->dirty;
		x->state &= (uint16_t)~ST_DIRTY;
		try_release(x);
	}
}

/* ---- what the kernel answers ---- */

static void died(struct ixev_ctx *x, int error)
{
	if (!x->error)
		x->error = error;
	x->state |= ST_DEAD;
	x->rx_done = 0;
	drop_sent(x);
	if (x->state & ST_CLOSING) {
		make_ready(x); /* to be released there, where callbacks are run */
		return;
	}
	recv_save(x);
	happened(x, IXEV_HUP | IXEV_IN);
}

static void sendv_result(struct ixev_ctx *x, int64_t ret)
{
	uint32_t taken = ret > 0 ? (uint32_t)ret : 0;

	if (x->state & ST_DEAD)
		return;
	if (ret < 0) {
		if (ret == -ENOBUFS) { /* passes by itself */
			make_dirty(x);
			return;
		}
		x->state |= ST_BLOCKED;
		if (ret != -EPIPE && ret != -EBADF) { /* those have a `dead` coming */
			x->error = (int)ret;
			x->state |= ST_ABORT;
			make_dirty(x);
		}
		return;
	}
	if (taken < x->tx_given)
		x->state |= ST_BLOCKED;
	x->tx_pending -= taken;
	while (taken) {
		uint32_t left = x->tx_next->len - x->tx_sent;

		if (taken < left) {
			x->tx_sent += taken;
			break;
		}
		taken -= left;
		x->tx_next = x->tx_next->next;
		x->tx_sent = 0;
	}
	if ((x->tx_pending && !(x->state & ST_BLOCKED)) ||
	    (!x->tx_pending && (x->state & (ST_SHUT | ST_CLOSING))))
		make_dirty(x);
	room(x);
}

static void abort_again(struct ixev_ctx *x)
{
	x->state |= ST_ABORT;
	x->state &= (uint16_t)~ST_CLOSE_SENT;
	make_dirty(x);
}

void tcp_result(struct ixev *b, const struct ix_call *call)
{
	struct ixev_ctx *x = (struct ixev_ctx *)(uintptr_t)call->cookie;

	(void)b;
	switch (call->op) {
	case IX_CALL_SENDV:
		sendv_result(x, call->ret);
		break;
	case IX_CALL_CONNECT:
		if (call->ret < 0) {
			died(x, (int)call->ret);
			break;
		}
		x->handle = call->handle;
		x->state |= ST_KNOWN;
		if (x->state & ST_CLOSING)
			make_dirty(x);
		break;
	case IX_CALL_ACCEPT:
		if (call->ret < 0)
			died(x, (int)call->ret);
		break;
	case IX_CALL_CLOSE:
		/* Over already: a `dead` is on its way, which abort calls off if it would be late. */
		if (call->ret < 0)
			abort_again(x);
		break;
	case IX_CALL_ABORT:
		died(x, -ECONNABORTED);
		break;
	default:
		break;
	}
}

static void received(struct ixev_ctx *x, const struct ix_event *e)
{
	if (x->state & (ST_CLOSING | ST_DEAD | ST_ABORT))
		return;
	if (!recv_add(x, (const char *)(uintptr_t)e->addr, e->n)) {
		/* Out of memory: the stream has a hole, so it cannot go on. */
		x->state |= ST_ABORT;
		x->error = -ENOMEM;
		make_dirty(x);
		return;
	}
	if (x->rx_bytes && x->rx_bytes >= x->rx_want)
		happened(x, IXEV_IN);
}

static void acknowledged(struct ixev *b, struct ixev_ctx *x, const struct ix_event *e)
{
	uint32_t n = e->n;

	while (n && x->tx_head) {
		struct ixev_buf *buf = x->tx_head;
		uint32_t left = buf->len - x->tx_acked;

		if (n < left) {
			x->tx_acked += n;
			break;
		}
		n -= left;
		x->tx_acked = 0;
		x->tx_head = buf->next;
		if (!x->tx_head)
			x->tx_tail = NULL;
		buf_done(b, buf);
	}
	room(x);
	if (e->window) {
		x->state &= (uint16_t)~ST_BLOCKED;
		if (x->tx_pending)
			make_dirty(x);
	}
}

void tcp_event(struct ixev *b, const struct ix_event *e)
{
	struct ixev_ctx *x = (struct ixev_ctx *)(uintptr_t)e->cookie;

	switch (e->type) {
	case IX_EV_RECV:
		received(x, e);
		break;
	case IX_EV_SENT:
		acknowledged(b, x, e);
		break;
	case IX_EV_CONNECTED:
		if (e->n) {
			died(x, -(int)e->n);
			break;
		}
		x->state |= ST_OPEN;
		if (x->tx_pending || (x->state & (ST_CLOSING | ST_SHUT)))
			make_dirty(x);
		happened(x, IXEV_OUT);
		make_ready(x);
		break;
	case IX_EV_EOF:
		x->state |= ST_EOF;
		if (!(x->state & ST_CLOSING))
			happened(x, IXEV_IN);
		break;
	case IX_EV_DEAD:
		died(x, (int)e->reason);
		break;
	default:
		break;
	}
}

void tcp_knock(struct ixev *b, const struct ix_event *e)
{
	struct ixev_listener *l = b->listeners;
	struct ix_call now = {0};
	struct ix_call *call;
	struct ixev_ctx *x;
	uint32_t keepalive;

	while (l && (uintptr_t)l != e->cookie)
		l = l->next;
	if (!l) /* a callback has closed it */
		return;
	keepalive = l->keepalive; /* the hook may end the listener */
	x = l->accept(l, &e->tuple);
	call = ix_next(&b->t);
	if (!x) {
		ix_call_handle(call ? call : &now, IX_CALL_REJECT, e->handle, 0);
		if (!call)
			ix_call_now(&now, 1);
		return;
	}
	enroll(b, x);
	x->handle = e->handle;
	x->state |= ST_KNOWN | ST_OPEN;
	ix_call_accept(call ? call : &now, e->handle, (uintptr_t)x);
	if (!call) {
		ix_call_now(&now, 1);
		tcp_result(b, &now);
	}
	if (keepalive)
		ixev_set_option(x, IX_OPT_KEEPALIVE, keepalive);
	ixev_set_mask(x, x->mask);
}

static void run_one(struct ixev_ctx *x)
{
	unsigned int ev;

	if (x->state & ST_CLOSING)
		return;
	if (x->state & ST_DIALING) {
		if (!(x->state & (ST_OPEN | ST_DEAD)))
			return;
		x->state &= (uint16_t)~ST_DIALING;
		if (x->ops->dialed)
			x->ops->dialed(x, x->state & ST_DEAD ? x->error : 0);
		if (x->state & ST_DEAD) {
			ixev_close(x);
			return;
		}
		if (x->state & ST_CLOSING)
			return;
	}
	ev = (x->mask & IXEV_ET ? x->edges : (ixev_levels(x) & ~IXEV_HUP) | (x->edges & IXEV_HUP)) &
	     (x->mask | IXEV_HUP) & ~(unsigned int)IXEV_ET;
	x->edges = 0;
	if (ev)
		x->ops->event(x, ev);
	if (!(x->state & ST_CLOSING) && !(x->mask & IXEV_ET) && (ixev_levels(x) & x->mask))
		make_ready(x);
}

void tcp_run_ready(struct ixev *b)
{
	struct ixev_ctx *x = b->ready;

	b->ready = NULL;
	b->ready_tail = &b->ready;
	while (x) {
		struct ixev_ctx *next = x->next_ready;

		x->state &= (uint16_t)~ST_READY;
		run_one(x);
		try_release(x);
		x = next;
	}
}

void tcp_shut(struct ixev *b)
{
	while (b->all.next != &b->all) {
		struct ixev_ctx *x = b->all.next;
		struct ix_call now = {.op = IX_CALL_ABORT, .handle = x->handle};

		if ((x->state & (ST_KNOWN | ST_DEAD)) == ST_KNOWN)
			ix_call_now(&now, 1);
		recv_drop(x);
		drop_sent(x);
		b->all.next = x->next;
		x->next->prev = &b->all;
		x->next = x->prev = NULL;
	}
	for (struct ixev_listener *l = b->listeners; l; l = l->next) {
		struct ix_call now = {.op = IX_CALL_UNLISTEN, .handle = l->handle};

		ix_call_now(&now, 1);
	}
}
