/* SPDX-License-Identifier: MIT
 *
 * Datagrams of ixev.
 */
#include <errno.h>
#include <stdlib.h>

#include "userlib/lib/ixev_priv.h"

#define UDP_MAX 65507 /* bytes of payload over IPv4 */

int ixev_udp_bind(struct ixev *b, struct ixev_udp *u, const struct ix_ip *local, uint16_t port)
{
	struct ix_call call = {0};
	long err;

	ix_call_udp_bind(&call, (uintptr_t)u, local, port);
	err = ix_call_now(&call, 1);
	if (err < 0 || call.ret < 0)
		return (int)(err < 0 ? err : call.ret);
	u->base = b;
	u->handle = call.handle;
	u->state = UDP_OPEN;
	u->prev = NULL;
	u->next = b->udps;
	if (u->next)
		u->next->prev = u;
	b->udps = u;
	return 0;
}

static void unlink_udp(struct ixev_udp *u)
{
	if (u->prev)
		u->prev->next = u->next;
	else
		u->base->udps = u->next;
	if (u->next)
		u->next->prev = u->prev;
}

void ixev_udp_close(struct ixev_udp *u)
{
	struct ix_call *call;

	if (u->state == UDP_CLOSING)
		return;
	call = ix_next(&u->base->t);
	u->state = UDP_CLOSING;
	if (call) {
		ix_call_handle(call, IX_CALL_UDP_UNBIND, u->handle, (uintptr_t)u);
	} else {
		struct ix_call now = {.op = IX_CALL_UDP_UNBIND, .handle = u->handle};

		now.cookie = (uintptr_t)u;
		ix_call_now(&now, 1);
		udp_result(u->base, &now);
	}
}

ssize_t ixev_udp_send(struct ixev_udp *u, const struct ix_ip *remote, uint16_t port,
		      const void *data, size_t len)
{
	struct ixev *b = u->base;
	struct ix_call *call;
	struct ix_iov *iov;
	char *copy;

	if (len > UDP_MAX)
		return -EMSGSIZE;
	copy = mem_get(b, sizeof(size_t) + len);
	if (!copy)
		return -EAGAIN;
	iov = iov_get(b, 1);
	call = iov ? ix_next(&b->t) : NULL;
	if (!call) {
		mem_put(b, copy, sizeof(size_t) + len);
		return -EAGAIN;
	}
	memcpy(copy, &len, sizeof(len));
	memcpy(copy + sizeof(len), data, len);
	*iov = (struct ix_iov){(uintptr_t)copy + sizeof(len), len};
	ix_call_udp_sendv(call, u->handle, (uintptr_t)copy, remote, port, iov, 1);
	return (ssize_t)len;
}

static void sent(struct ixev *b, uint64_t cookie)
{
	void *copy = (void *)(uintptr_t)cookie;
	size_t len;

	memcpy(&len, copy, sizeof(len));
	mem_put(b, copy, sizeof(size_t) + len);
}

void udp_result(struct ixev *b, const struct ix_call *call)
{
	if (call->op == IX_CALL_UDP_SENDV) {
		if (call->ret < 0)
			sent(b, call->cookie);
	} else {
		struct ixev_udp *u = (struct ixev_udp *)(uintptr_t)call->cookie;

		unlink_udp(u);
		if (u->release)
			u->release(u);
	}
}

void udp_event(struct ixev *b, const struct ix_event *e)
{
	sent(b, e->cookie);
}

void udp_run(struct ixev *b, const struct ix_event *e)
{
	struct ixev_udp *u = b->udps;
	struct ix_call now = {0};
	struct ix_call *call;

	while (u && (uintptr_t)u != e->cookie)
		u = u->next;
	if (u && u->state == UDP_OPEN) {
		struct ixev_dgram d = {
		    .local = e->udp.local,
		    .remote = e->udp.remote,
		    .remote_port = e->port,
		    .data = (const void *)(uintptr_t)e->udp.addr,
		    .len = e->n,
		};

		u->recv(u, &d);
	}
	call = ix_next(&b->t);
	ix_call_udp_recv_done(call ? call : &now, e->udp.addr);
	if (!call)
		ix_call_now(&now, 1);
}

void udp_shut(struct ixev *b)
{
	for (struct ixev_udp *u = b->udps; u; u = u->next) {
		struct ix_call now = {.op = IX_CALL_UDP_UNBIND, .handle = u->handle};

		ix_call_now(&now, 1);
	}
	b->udps = NULL;
}
