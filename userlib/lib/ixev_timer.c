/* SPDX-License-Identifier: MIT
 *
 * Timers of ixev: a kernel timer each while armed. Kernel timers that have fired are kept for the
 * next one. When the kernel has none left, a wanted timer is asked for again in each round.
 */
#include <errno.h>

#include "userlib/lib/ixev_priv.h"

static void unlink_timer(struct ixev_timer *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->next = t->prev = NULL;
}

static void append(struct ixev_timer *ring, struct ixev_timer *t)
{
	t->prev = ring->prev;
	t->next = ring;
	ring->prev->next = t;
	ring->prev = t;
}

void ixev_timer_init(struct ixev_timer *t, void (*fire)(struct ixev_timer *t))
{
	*t = (struct ixev_timer){.fire = fire};
}

void ixev_timer_add(struct ixev *b, struct ixev_timer *t, uint64_t usec)
{
	t->base = b;
	t->usec = usec < IX_TIMER_MAX ? usec : IX_TIMER_MAX;
	if (t->state == TIMER_WANTED)
		return;
	if (t->state == TIMER_FIRED)
		unlink_timer(t);
	t->state = TIMER_WANTED; /* the handle, if it was armed, is used again */
	append(&b->wanted, t);
}

/* Gives a kernel timer up. */
static void cancel(struct ixev *b, uint64_t handle)
{
	struct ix_call *call = ix_next(&b->t);
	struct ix_call now = {.op = IX_CALL_TIMER_CANCEL, .handle = handle};

	if (call)
		*call = now;
	else
		ix_call_now(&now, 1);
}

void ixev_timer_del(struct ixev_timer *t)
{
	if (t->state == TIMER_WANTED || t->state == TIMER_FIRED)
		unlink_timer(t);
	if (t->handle)
		cancel(t->base, t->handle);
	t->handle = 0;
	t->state = TIMER_OFF;
}

void timer_flush(struct ixev *b)
{
	while (b->wanted.next != &b->wanted) {
		struct ixev_timer *t = b->wanted.next;
		struct ix_call *call = ix_next(&b->t);

		if (!call)
			return;
		if (!t->handle && b->nspare)
			t->handle = b->spare[--b->nspare];
		unlink_timer(t);
		t->state = TIMER_ARMED;
		ix_call_timer(call, t->handle, (uintptr_t)t, t->usec);
	}
}

void timer_result(struct ixev *b, const struct ix_call *call)
{
	struct ixev_timer *t = (struct ixev_timer *)(uintptr_t)call->cookie;

	if (call->ret > 0) {
		t->handle = call->handle;
	} else {
		t->handle = 0;
		t->state = TIMER_WANTED;
		append(&b->wanted, t);
	}
}

void timer_event(struct ixev *b, const struct ix_event *e)
{
	struct ixev_timer *t = (struct ixev_timer *)(uintptr_t)e->cookie;

	if (t->state != TIMER_ARMED || t->handle != e->handle)
		return;
	if (b->nspare < NSPARE)
		b->spare[b->nspare++] = t->handle;
	else
		cancel(b, t->handle);
	t->handle = 0;
	t->state = TIMER_FIRED;
	append(&b->fired, t);
}

void timer_run_fired(struct ixev *b)
{
	while (b->fired.next != &b->fired) {
		struct ixev_timer *t = b->fired.next;

		unlink_timer(t);
		t->state = TIMER_OFF;
		t->fire(t);
	}
}

void timer_shut(struct ixev *b)
{
	while (b->wanted.next != &b->wanted)
		ixev_timer_del(b->wanted.next);
	while (b->fired.next != &b->fired)
		ixev_timer_del(b->fired.next);
	/* Armed ones are the kernel's alone: their events will not be looked at any more. */
	while (b->nspare)
		cancel(b, b->spare[--b->nspare]);
}
