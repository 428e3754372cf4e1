/* SPDX-License-Identifier: MIT
 *
 * Epoll sets. A member is on its set's ready list when something has happened to it; whether that is
 * still true is asked when events are handed out.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "userlib/lib/socket_priv.h"

static int fail(int err)
{
	errno = err;
	return -1;
}

static void list_add(struct sock *set, struct sock *s)
{
	if (s->on_ready)
		return;
	s->on_ready = true;
	s->ready_next = NULL;
	s->ready_prev = set->ready_tail;
	if (set->ready_tail)
		set->ready_tail->ready_next = s;
	else
		set->ready_head = s;
	set->ready_tail = s;
}

static void list_del(struct sock *set, struct sock *s)
{
	if (!s->on_ready)
		return;
	s->on_ready = false;
	if (s->ready_prev)
		s->ready_prev->ready_next = s->ready_next;
	else
		set->ready_head = s->ready_next;
	if (s->ready_next)
		s->ready_next->ready_prev = s->ready_prev;
	else
		set->ready_tail = s->ready_prev;
}

void sock_notify(struct sock *s, uint32_t what)
{
	s->edges |= what;
	if (s->set && !s->disarmed && (what & (s->interest.events | EPOLLHUP | EPOLLERR)))
		list_add(s->set, s);
}

void sock_leave_set(struct sock *s)
{
	if (!s->set)
		return;
	list_del(s->set, s);
	s->set->members--;
	s->set = NULL;
}

void sock_close_set(struct sock *set)
{
	struct sockets *t = set->owner;

	for (int i = 0; i < t->size; i++)
		if (t->table[i] && t->table[i]->set == set)
			sock_leave_set(t->table[i]);
}

/* What is true of a socket now. */
static uint32_t levels(const struct sock *s)
{
	uint32_t ev = 0;
	unsigned int x;

	switch (s->kind) {
	case SOCK_LISTENER:
		return s->accept_head ? EPOLLIN : 0;
	case SOCK_UDP:
		return EPOLLOUT | (s->dgram_head ? EPOLLIN : 0);
	case SOCK_CONN:
		x = ixev_levels(&s->ctx);
		if (x & IXEV_IN)
			ev |= EPOLLIN;
		if (x & IXEV_OUT)
			ev |= EPOLLOUT;
		if (x & IXEV_HUP)
			ev |= EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP;
		else if (ixev_eof(&s->ctx))
			ev |= EPOLLRDHUP;
		if (s->shut_read)
			ev |= EPOLLIN | EPOLLRDHUP;
		break;
	default: /* not connected: as Linux reports it; a failed connect adds its error */
		ev = s->type == SOCK_STREAM ? EPOLLOUT | EPOLLHUP : EPOLLOUT;
	}
	return s->error ? ev | EPOLLERR | EPOLLIN : ev;
}

int ixs_epoll_create(void)
{
	struct sock *set = sock_table() ? sock_new(sock_table(), 0) : NULL;

	if (!set)
		return fail(sock_table() ? ENOMEM : EPERM);
	set->kind = SOCK_EPOLL;
	if (sock_number(set) < 0) {
		sock_free(set);
		return -1;
	}
	return set->number;
}

int ixs_epoll_ctl(int ep, int op, int number, struct epoll_event *event)
{
	struct sock *set = sock_get(ep);
	struct sock *s = set ? sock_get(number) : NULL;

	if (!s)
		return -1;
	if (set->kind != SOCK_EPOLL || s->kind == SOCK_EPOLL)
		return fail(EINVAL);
	if (op == EPOLL_CTL_ADD) {
		if (s->set)
			return fail(EEXIST);
		s->set = set;
		set->members++;
	} else if (s->set != set) {
		return fail(ENOENT);
	}
	if (op == EPOLL_CTL_DEL) {
		sock_leave_set(s);
		return 0;
	}
	s->interest = *event;
	s->disarmed = false;
	s->edges = levels(s);
	if (s->edges & (event->events | EPOLLHUP | EPOLLERR))
		list_add(set, s);
	return 0;
}

/* Takes ready members off the list; those reported by level go to its end again. */
static int collect(struct sock *set, struct epoll_event *events, int max)
{
	struct sock *last = set->ready_tail;
	struct sock *s = set->ready_head;
	int n = 0;

	while (s && n < max) {
		struct sock *next = s == last ? NULL : s->ready_next;
		uint32_t want = s->interest.events;
		uint32_t ev = levels(s);

		if (want & EPOLLET)
			ev &= s->edges | EPOLLHUP | EPOLLERR;
		ev &= want | EPOLLHUP | EPOLLERR;
		s->edges = 0;
		list_del(set, s);
		if (ev) {
			events[n] = s->interest;
			events[n++].events = ev;
			if (want & EPOLLONESHOT)
				s->disarmed = true;
			else if (!(want & EPOLLET))
				list_add(set, s);
		}
		s = next;
	}
	return n;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int ixs_epoll_wait(int ep, struct epoll_event *events, int max, int timeout_ms)
{
	struct sock *set = sock_get(ep);
	uint64_t end = 0;

	if (!set)
		return -1;
	if (set->kind != SOCK_EPOLL || max <= 0)
		return fail(EINVAL);
	for (;;) {
		uint64_t left = IX_WAIT_FOREVER;
		long err;
		int n;

		if (timeout_ms >= 0) {
			uint64_t now = now_us();

			if (!end)
				end = now + (uint64_t)timeout_ms * 1000;
			left = end > now ? end - now : 0;
		}
		err = ixev_wait(set->owner->base, set->ready_head ? 0 : left);
		if (err < 0)
			return fail((int)-err);
		n = collect(set, events, max);
		if (n || !left)
			return n;
	}
}
