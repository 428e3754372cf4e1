/* SPDX-License-Identifier: MIT
 *
 * Sockets on ixev.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userlib/lib/ixev_priv.h"
#include "userlib/lib/socket_priv.h"

#define DGRAM_LIMIT (1u << 20) /* bytes that wait on a datagram socket */
#define BACKLOG_MAX 65535

static __thread struct sockets *mine;

struct sockets *sock_table(void)
{
	return mine;
}

static int fail(int err)
{
	errno = err;
	return -1;
}

/* ---- the table ---- */

int ixs_init(const struct ixev_config *conf)
{
	struct sockets *t;
	int err;

	if (mine)
		return fail(EBUSY);
	t = calloc(1, sizeof(*t));
	if (!t)
		return fail(ENOMEM);
	err = ixev_open(&t->base, conf);
	if (err < 0) {
		free(t);
		return fail(-err);
	}
	mine = t;
	return 0;
}

struct sockets *ixs_use(struct sockets *t)
{
	struct sockets *before = mine;

	mine = t;
	return before;
}

struct ixev *ixs_base(void)
{
	return mine ? mine->base : NULL;
}

struct sock *sock_get(int number)
{
	if (!mine || number < 0 || number >= mine->size || !mine->table[number]) {
		errno = EBADF;
		return NULL;
	}
	return mine->table[number];
}

struct sock *sock_new(struct sockets *t, int type)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return NULL;
	}
	s->owner = t;
	s->number = -1;
	s->kind = SOCK_NEW;
	s->type = type;
	s->opt = (struct sock_options){.nodelay = true, .cc = -1};
	return s;
}

int sock_number(struct sock *s)
{
	struct sockets *t = s->owner;
	int i = t->lowest_free;

	while (i < t->size && t->table[i])
		i++;
	if (i == t->size) {
		int size = t->size ? t->size * 2 : 64;
		struct sock **table = realloc(t->table, (size_t)size * sizeof(struct sock *));

		if (!table)
			return fail(ENOMEM);
		memset(table + t->size, 0, (size_t)(size - t->size) * sizeof(struct sock *));
		t->table = table;
		t->size = size;
	}
	t->table[i] = s;
	t->lowest_free = i + 1;
	s->number = i;
	return i;
}

static void drop_number(struct sock *s)
{
	if (s->number < 0)
		return;
	s->owner->table[s->number] = NULL;
	if (s->number < s->owner->lowest_free)
		s->owner->lowest_free = s->number;
	s->number = -1;
}

void sock_free(struct sock *s)
{
	drop_number(s);
	while (s->dgram_head) {
		struct dgram *d = s->dgram_head;

		s->dgram_head = d->next;
		free(d);
	}
	free(s);
}

/* ---- addresses ---- */

static int addr_in(const struct sockaddr *addr, socklen_t len, struct ix_ip *ip, uint16_t *port)
{
	struct sockaddr_in in;
	uint8_t a[4];

	if (!addr || len < (socklen_t)sizeof(in))
		return fail(EINVAL);
	memcpy(&in, addr, sizeof(in));
	if (in.sin_family != AF_INET)
		return fail(EAFNOSUPPORT);
	memcpy(a, &in.sin_addr, 4);
	*ip = in.sin_addr.s_addr ? ix_ip4(a[0], a[1], a[2], a[3]) : ix_ip_any;
	*port = ntohs(in.sin_port);
	return 0;
}

static void addr_out(const struct ix_ip *ip, uint16_t port, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (!addr || !len)
		return;
	memcpy(&in.sin_addr, ip->b + 12, 4);
	memcpy(addr, &in, *len < (socklen_t)sizeof(in) ? *len : sizeof(in));
	*len = sizeof(in);
}

/* ---- connections ---- */

static void conn_event(struct ixev_ctx *ctx, unsigned int events)
{
	struct sock *s = (struct sock *)ctx;
	uint32_t what = 0;

	if (events & IXEV_IN)
		what |= EPOLLIN | (ixev_eof(ctx) ? EPOLLRDHUP : 0);
	if (events & IXEV_OUT)
		what |= EPOLLOUT;
	if (events & IXEV_HUP) {
		s->error = -ixev_error(ctx);
		what |= EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP;
	}
	sock_notify(s, what);
}

static void conn_dialed(struct ixev_ctx *ctx, int err)
{
	struct sock *s = (struct sock *)ctx;

	s->connecting = false;
	s->connected = !err;
	s->error = -err;
	if (!err)
		sock_apply_options(s);
	sock_notify(s, err ? EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR : EPOLLOUT);
}

/* After a failed connect the number stays until the application closes it. */
static void conn_release(struct ixev_ctx *ctx)
{
	struct sock *s = (struct sock *)ctx;

	if (s->number < 0)
		sock_free(s);
	else
		s->kind = SOCK_NEW;
}

static const struct ixev_ops conn_ops = {
    .event = conn_event, .dialed = conn_dialed, .release = conn_release};

static void conn_init(struct sock *s)
{
	s->kind = SOCK_CONN;
	ixev_init(s->owner->base, &s->ctx, &conn_ops);
	if (s->opt.sndbuf)
		ixev_set_limit(&s->ctx, s->opt.sndbuf);
	ixev_set_mask(&s->ctx, IXEV_IN | IXEV_OUT | IXEV_ET);
}

static struct ixev_ctx *listener_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct sock *ls = (struct sock *)l;
	struct sock *s = ls->accept_count < ls->backlog ? sock_new(ls->owner, SOCK_STREAM) : NULL;

	if (!s)
		return NULL;
	s->opt = ls->opt;
	conn_init(s);
	s->connected = true;
	s->local_ip = tuple->local;
	s->remote_ip = tuple->remote;
	s->local_port = tuple->local_port;
	s->remote_port = tuple->remote_port;
	if (ls->accept_head)
		ls->accept_tail->accept_next = s;
	else
		ls->accept_head = s;
	ls->accept_tail = s;
	ls->accept_count++;
	sock_notify(ls, EPOLLIN);
	return &s->ctx;
}

static void datagram(struct ixev_udp *u, const struct ixev_dgram *in)
{
	struct sock *s = (struct sock *)u;
	struct dgram *d;

	if (s->connected && (memcmp(&in->remote, &s->remote_ip, sizeof(in->remote)) != 0 ||
			     in->remote_port != s->remote_port))
		return;
	d = s->dgram_bytes + in->len <= DGRAM_LIMIT ? malloc(sizeof(*d) + in->len) : NULL;
	if (!d)
		return; /* lost, as on any full socket */
	*d = (struct dgram){.from = in->remote, .port = in->remote_port, .len = in->len};
	memcpy(d->data, in->data, in->len);
	if (s->dgram_head)
		s->dgram_tail->next = d;
	else
		s->dgram_head = d;
	s->dgram_tail = d;
	s->dgram_bytes += in->len;
	sock_notify(s, EPOLLIN);
}

static void udp_release(struct ixev_udp *u)
{
	sock_free((struct sock *)u);
}

/* ---- making and naming ---- */

int ixs_socket(int domain, int type, int protocol)
{
	struct sock *s;

	type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!mine)
		return fail(EPERM);
	if (domain != AF_INET)
		return fail(EAFNOSUPPORT);
	if ((type != SOCK_STREAM || (protocol && protocol != IPPROTO_TCP)) &&
	    (type != SOCK_DGRAM || (protocol && protocol != IPPROTO_UDP)))
		return fail(EPROTONOSUPPORT);
	s = sock_new(mine, type);
	if (s && sock_number(s) < 0) {
		free(s);
		s = NULL;
	}
	return s ? s->number : -1;
}

static int udp_open(struct sock *s)
{
	int err;

	s->udp = (struct ixev_udp){.recv = datagram, .release = udp_release};
	err = ixev_udp_bind(s->owner->base, &s->udp, &s->local_ip, s->local_port);
	if (err < 0)
		return fail(-err);
	s->kind = SOCK_UDP;
	sock_notify(s, EPOLLOUT);
	return 0;
}

int ixs_bind(int number, const struct sockaddr *addr, socklen_t len)
{
	struct sock *s = sock_get(number);

	if (!s)
		return -1;
	if (s->kind != SOCK_NEW || s->bound)
		return fail(EINVAL);
	if (addr_in(addr, len, &s->local_ip, &s->local_port) < 0)
		return -1;
	if (s->type == SOCK_DGRAM && udp_open(s) < 0)
		return -1;
	s->bound = true;
	return 0;
}

int ixs_listen(int number, int backlog)
{
	struct sock *s = sock_get(number);
	int err;

	if (!s)
		return -1;
	if (s->type != SOCK_STREAM)
		return fail(EOPNOTSUPP);
	if (backlog < 1)
		backlog = 1;
	if (s->kind == SOCK_LISTENER) {
		s->backlog = (uint32_t)backlog;
		return 0;
	}
	if (s->kind != SOCK_NEW || !s->local_port)
		return fail(EINVAL);
	s->listener = (struct ixev_listener){.accept = listener_accept};
	s->backlog = backlog < BACKLOG_MAX ? (uint32_t)backlog : BACKLOG_MAX;
	err = ixev_listen(s->owner->base, &s->listener, &s->local_ip, s->local_port, s->backlog);
	if (err < 0)
		return fail(-err);
	s->kind = SOCK_LISTENER;
	return 0;
}

int ixs_accept4(int number, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct sock *ls = sock_get(number);
	struct sock *s;

	(void)flags;
	if (!ls)
		return -1;
	if (ls->kind != SOCK_LISTENER)
		return fail(EINVAL);
	s = ls->accept_head;
	if (!s)
		return fail(EAGAIN);
	if (sock_number(s) < 0)
		return -1;
	ls->accept_head = s->accept_next;
	ls->accept_count--;
	sock_apply_options(s);
	addr_out(&s->remote_ip, s->remote_port, addr, len);
	return s->number;
}

int ixs_connect(int number, const struct sockaddr *addr, socklen_t len)
{
	struct sock *s = sock_get(number);
	int err;

	if (!s)
		return -1;
	if (s->kind == SOCK_CONN)
		return fail(s->connecting ? EALREADY : EISCONN);
	if (s->kind != SOCK_NEW && s->kind != SOCK_UDP)
		return fail(EINVAL);
	if (addr_in(addr, len, &s->remote_ip, &s->remote_port) < 0)
		return -1;
	if (s->type == SOCK_DGRAM) {
		if (s->kind == SOCK_NEW && udp_open(s) < 0)
			return -1;
		s->connected = true;
		return 0;
	}
	if (s->bound)
		return fail(EOPNOTSUPP);
	conn_init(s);
	s->connecting = true;
	err = ixev_connect(&s->ctx, &s->remote_ip, s->remote_port);
	if (err < 0) {
		s->kind = SOCK_NEW;
		s->connecting = false;
	}
	return fail(err < 0 ? -err : EINPROGRESS);
}

/* ---- data ---- */

static struct sock *data_sock(int number)
{
	struct sock *s = sock_get(number);

	if (!s)
		return NULL;
	if (s->kind == SOCK_UDP || (s->kind == SOCK_CONN && s->connected))
		return s;
	if (s->kind == SOCK_CONN)
		errno = EAGAIN;
	else if (s->type == SOCK_DGRAM && s->kind == SOCK_NEW && udp_open(s) == 0)
		return s;
	else
		errno = ENOTCONN;
	return NULL;
}

/* As much as there is room for; what is refused is told by EPOLLOUT when there is room again. */
static ssize_t conn_send(struct sock *s, const void *buf, size_t len)
{
	size_t room = s->ctx.tx_limit - ixev_pending(&s->ctx);
	ssize_t n;

	if (ixev_pending(&s->ctx) >= s->ctx.tx_limit)
		return ixev_send(&s->ctx, buf, len);
	n = ixev_send(&s->ctx, buf, len < room ? len : room);
	if (n >= 0 && (size_t)n < len)
		ixev_send(&s->ctx, buf, 0); /* refused: it asks for the event */
	return n;
}

static ssize_t result(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

/* Takes the oldest datagram; what the pieces have no room for is gone. */
static ssize_t take_datagram(struct sock *s, const struct iovec *iov, int n, struct sockaddr *addr,
			     socklen_t *alen)
{
	struct dgram *d = s->dgram_head;
	size_t at = 0;

	if (!d)
		return fail(EAGAIN);
	for (int i = 0; i < n && at < d->len; i++) {
		size_t part = iov[i].iov_len < d->len - at ? iov[i].iov_len : d->len - at;

		memcpy(iov[i].iov_base, d->data + at, part);
		at += part;
	}
	addr_out(&d->from, d->port, addr, alen);
	s->dgram_head = d->next;
	s->dgram_bytes -= d->len;
	free(d);
	return (ssize_t)at;
}

ssize_t ixs_recvfrom(int number, void *buf, size_t len, int flags, struct sockaddr *addr,
		     socklen_t *alen)
{
	struct iovec all = {buf, len};
	struct sock *s = data_sock(number);

	if (!s)
		return -1;
	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))
		return fail(EOPNOTSUPP);
	if (s->kind == SOCK_CONN) {
		ssize_t n = ixev_recv(&s->ctx, buf, len);

		return n == -EAGAIN && s->shut_read ? 0 : result(n);
	}
	return take_datagram(s, &all, 1, addr, alen);
}

ssize_t ixs_sendto(int number, const void *buf, size_t len, int flags, const struct sockaddr *addr,
		   socklen_t alen)
{
	struct sock *s = data_sock(number);
	struct ix_ip ip;
	uint16_t port;

	if (!s)
		return -1;
	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE))
		return fail(EOPNOTSUPP);
	if (s->kind == SOCK_CONN)
		return addr ? (ssize_t)fail(EISCONN) : result(conn_send(s, buf, len));
	if (!addr && !s->connected)
		return fail(EDESTADDRREQ);
	ip = s->remote_ip;
	port = s->remote_port;
	if (addr && addr_in(addr, alen, &ip, &port) < 0)
		return -1;
	return result(ixev_udp_send(&s->udp, &ip, port, buf, len));
}

ssize_t ixs_read(int number, void *buf, size_t len)
{
	return ixs_recvfrom(number, buf, len, 0, NULL, NULL);
}

ssize_t ixs_write(int number, const void *buf, size_t len)
{
	return ixs_sendto(number, buf, len, 0, NULL, 0);
}

ssize_t ixs_readv(int number, const struct iovec *iov, int n)
{
	struct sock *s = data_sock(number);
	ssize_t sum = 0;

	if (!s)
		return -1;
	if (n < 0)
		return fail(EINVAL);
	if (s->kind == SOCK_UDP)
		return take_datagram(s, iov, n, NULL, NULL);
	for (int i = 0; i < n; i++) {
		ssize_t got = ixs_read(number, iov[i].iov_base, iov[i].iov_len);

		if (got < 0)
			return sum ? sum : -1;
		sum += got;
		if ((size_t)got < iov[i].iov_len)
			break;
	}
	return sum;
}

/* A datagram from several pieces is put together first. */
static ssize_t udp_gather(int number, const struct msghdr *msg, int flags)
{
	size_t len = 0, at = 0;
	ssize_t n;
	char *flat;

	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	flat = malloc(len ? len : 1);
	if (!flat)
		return fail(ENOMEM);
	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
		memcpy(flat + at, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
		at += msg->msg_iov[i].iov_len;
	}
	n = ixs_sendto(number, flat, len, flags, msg->msg_name, msg->msg_namelen);
	free(flat);
	return n;
}

ssize_t ixs_sendmsg(int number, const struct msghdr *msg, int flags)
{
	struct sock *s = data_sock(number);
	ssize_t sum = 0;

	if (!s)
		return -1;
	if (s->kind == SOCK_UDP)
		return udp_gather(number, msg, flags);
	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
		const struct iovec *v = &msg->msg_iov[i];
		ssize_t n = ixs_sendto(number, v->iov_base, v->iov_len, flags, NULL, 0);

		if (n < 0)
			return sum ? sum : -1;
		sum += n;
		if ((size_t)n < v->iov_len)
			break;
	}
	return sum;
}

ssize_t ixs_writev(int number, const struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov};

	if (n < 0)
		return fail(EINVAL);
	msg.msg_iovlen = (unsigned int)n;
	return ixs_sendmsg(number, &msg, 0);
}

/* ---- ends ---- */

int ixs_shutdown(int number, int how)
{
	struct sock *s = sock_get(number);
	int err = 0;

	if (!s)
		return -1;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return fail(EINVAL);
	if (s->kind != SOCK_CONN || !s->connected)
		return fail(ENOTCONN);
	if (how != SHUT_WR) {
		s->shut_read = true;
		sock_notify(s, EPOLLIN | EPOLLRDHUP);
	}
	if (how != SHUT_RD)
		err = ixev_shutdown(&s->ctx);
	return err < 0 ? fail(-err) : 0;
}

static void close_conn(struct sock *s)
{
	if (s->opt.linger0)
		ixev_abort(&s->ctx);
	else
		ixev_close(&s->ctx);
}

static void close_listener(struct sock *s)
{
	ixev_unlisten(&s->listener);
	while (s->accept_head) {
		struct sock *a = s->accept_head;

		s->accept_head = a->accept_next;
		ixev_abort(&a->ctx);
	}
	sock_free(s);
}

int ixs_close(int number)
{
	struct sock *s = sock_get(number);

	if (!s)
		return -1;
	sock_leave_set(s);
	drop_number(s);
	switch (s->kind) {
	case SOCK_CONN:
		close_conn(s);
		break;
	case SOCK_LISTENER:
		close_listener(s);
		break;
	case SOCK_UDP:
		ixev_udp_close(&s->udp);
		break;
	case SOCK_EPOLL:
		sock_close_set(s);
		sock_free(s);
		break;
	default:
		sock_free(s);
	}
	return 0;
}

void ixs_exit(void)
{
	struct sockets *t = mine;
	struct sock *closing = NULL;

	if (!t)
		return;
	for (int i = 0; i < t->size; i++) {
		if (t->table[i]) {
			t->table[i]->opt.linger0 = true;
			ixs_close(i);
		}
	}
	/* Two rounds: the calls, and the releases that follow their results. */
	ixev_wait(t->base, 0);
	ixev_wait(t->base, 0);
	/* Those that were closed before and still send: reset below, where nobody is told. */
	for (struct ixev_ctx *x = t->base->all.next; x != &t->base->all; x = x->next) {
		if (x->ops == &conn_ops) {
			((struct sock *)x)->accept_next = closing;
			closing = (struct sock *)x;
		}
	}
	ixev_shut(t->base);
	while (closing) {
		struct sock *s = closing;

		closing = s->accept_next;
		sock_free(s);
	}
	free(t->table);
	free(t);
	mine = NULL;
}

int ixs_getsockname(int number, struct sockaddr *addr, socklen_t *len)
{
	struct sock *s = sock_get(number);
	struct ix_tcp_info info;

	if (!s)
		return -1;
	if (s->kind == SOCK_CONN && s->connected && !s->local_port &&
	    ix_tcp_info(s->ctx.handle, &info) > 0) {
		s->local_ip = info.tuple.local;
		s->local_port = info.tuple.local_port;
	}
	addr_out(&s->local_ip, s->local_port, addr, len);
	return 0;
}

int ixs_getpeername(int number, struct sockaddr *addr, socklen_t *len)
{
	struct sock *s = sock_get(number);

	if (!s)
		return -1;
	if (!s->connected)
		return fail(ENOTCONN);
	addr_out(&s->remote_ip, s->remote_port, addr, len);
	return 0;
}
