/* SPDX-License-Identifier: MIT
 *
 * The base and its rounds.
 *
 * After run_io() the results of the calls are read first, then the events in two passes. The first
 * only updates objects, so no application code runs while the array names objects that this code
 * might free; the second runs callbacks.
 */
#include <errno.h>
#include <stdlib.h>

#include "userlib/lib/ixev_priv.h"

int ixev_open(struct ixev **base, const struct ixev_config *conf)
{
	struct ixev *b = calloc(1, sizeof(*b));
	int err;

	*base = NULL;
	if (!b)
		return -ENOMEM;
	b->iov = calloc(IOV_ARENA, sizeof(*b->iov));
	err = b->iov ? ix_attach(&b->t) : -ENOMEM;
	if (err < 0) {
		free(b->iov);
		free(b);
		return err;
	}
	b->ready_tail = &b->ready;
	b->dirty_tail = &b->dirty;
	b->all.next = b->all.prev = &b->all;
	b->wanted.next = b->wanted.prev = &b->wanted;
	b->fired.next = b->fired.prev = &b->fired;
	b->pending_limit =
	    conf && conf->pending_limit ? conf->pending_limit : PENDING_LIMIT_DEFAULT;
	b->memory_limit = conf ? conf->memory_limit : 0;
	*base = b;
	return 0;
}

static void results(struct ixev *b)
{
	for (uint32_t i = 0; i < b->t.done; i++) {
		const struct ix_call *call = &b->t.results[i];

		switch (call->op) {
		case IX_CALL_TIMER_ARM:
			timer_result(b, call);
			break;
		case IX_CALL_UDP_SENDV:
		case IX_CALL_UDP_UNBIND:
			udp_result(b, call);
			break;
		default:
			tcp_result(b, call);
		}
	}
	b->niov = 0;
}

static void events(struct ixev *b, long n)
{
	const struct ix_event *e = b->t.events;
	long later = 0;

	for (long i = 0; i < n; i++) {
		switch (e[i].type) {
		case IX_EV_TIMER:
			timer_event(b, &e[i]);
			break;
		case IX_EV_UDP_SENT:
			udp_event(b, &e[i]);
			break;
		case IX_EV_KNOCK:
		case IX_EV_UDP_RECV:
			later++;
			break;
		default:
			tcp_event(b, &e[i]);
		}
	}
	for (long i = 0; later; i++) {
		if (e[i].type == IX_EV_KNOCK)
			tcp_knock(b, &e[i]);
		else if (e[i].type == IX_EV_UDP_RECV)
			udp_run(b, &e[i]);
		else
			continue;
		later--;
	}
}

long ixev_wait(struct ixev *b, uint64_t usec)
{
	long n;

	buf_run_released(b);
	tcp_flush(b);
	timer_flush(b); /* last: no callback may run between a timer's call and its result */
	/* Work that is left needs no event to go on. */
	n = ix_run(&b->t, b->ready || b->dirty ? 0 : usec);
	results(b);
	if (n > 0)
		events(b, n);
	buf_run_released(b);
	timer_run_fired(b);
	tcp_run_ready(b);
	return n;
}

long ixev_loop(struct ixev *b)
{
	long n = 0;

	b->stop = false;
	while (!b->stop && n >= 0)
		n = ixev_wait(b, IX_WAIT_FOREVER);
	return n < 0 ? n : 0;
}

void ixev_stop(struct ixev *b)
{
	b->stop = true;
}

const struct ix_attach *ixev_info(const struct ixev *b)
{
	return &b->t.info;
}

/* A round in which only the memory of datagrams under way is looked after. */
static void last_round(struct ixev *b)
{
	long n = ix_run(&b->t, 0);

	for (uint32_t i = 0; i < b->t.done; i++)
		if (b->t.results[i].op == IX_CALL_UDP_SENDV)
			udp_result(b, &b->t.results[i]);
	for (long i = 0; i < n; i++)
		if (b->t.events[i].type == IX_EV_UDP_SENT)
			udp_event(b, &b->t.events[i]);
}

void ixev_shut(struct ixev *b)
{
	timer_shut(b);
	udp_shut(b);
	tcp_shut(b);
	/* Connections are reset on the wire, and the memory lent to the kernel comes back. */
	last_round(b);
	last_round(b);
	buf_run_released(b);
	mem_free_all(b);
	ix_detach(&b->t);
	free(b);
}
