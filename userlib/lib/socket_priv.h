/* SPDX-License-Identifier: MIT
 *
 * Inside the socket layer.
 */
#ifndef USERLIB_SOCKET_PRIV_H
#define USERLIB_SOCKET_PRIV_H

#include <netinet/in.h>

#include <ix/socket.h>

enum sock_kind {
	SOCK_FREE,
	SOCK_NEW,
	SOCK_CONN,
	SOCK_LISTENER,
	SOCK_UDP,
	SOCK_EPOLL
};

/* A received datagram, waiting to be read. */
struct dgram {
	struct dgram *next;
	struct ix_ip from;
	uint16_t port;
	size_t len;
	char data[];
};

/* A listener's are those of the connections that it accepts, as on Linux. */
struct sock_options {
	bool nodelay, cork, keepalive, linger0, reuse;
	uint32_t keepidle, user_timeout, rcvbuf, sndbuf; /* 0: the default */
	int cc;                                          /* IX_CC_; -1: the dataplane's */
};

struct sock {
	union {
		struct ixev_ctx ctx;
		struct ixev_listener listener;
		struct ixev_udp udp;
	};
	struct sockets *owner;
	int number; /* -1: closed by the application, or not accepted yet */
	enum sock_kind kind;
	int type; /* SOCK_STREAM, SOCK_DGRAM */
	struct ix_ip local_ip, remote_ip;
	uint16_t local_port, remote_port;
	bool connected, connecting, bound, shut_read;
	struct sock_options opt;
	int error; /* SO_ERROR, positive */

	/* listeners: established connections, oldest first */
	struct sock *accept_next, *accept_head, *accept_tail;
	uint32_t accept_count, backlog;

	/* datagram sockets */
	struct dgram *dgram_head, *dgram_tail;
	size_t dgram_bytes;

	/* epoll: of a member */
	struct sock *set, *ready_prev, *ready_next;
	struct epoll_event interest;
	uint32_t edges;          /* EPOLL* that happened since they were last told */
	bool on_ready, disarmed; /* disarmed: a oneshot that was told */
	/* of a set */
	struct sock *ready_head, *ready_tail;
	uint32_t members;
};

struct sockets {
	struct ixev *base;
	struct sock **table;
	int size;
	int lowest_free; /* none below is free */
};

/* The calling thread's socket `number`, or NULL with errno set. */
struct sock *sock_get(int number);
struct sockets *sock_table(void);
struct sock *sock_new(struct sockets *t, int type);
int sock_number(struct sock *s); /* gives it one; -1: errno */
void sock_free(struct sock *s);

/* socket_poll.c: something happened (EPOLL* bits). */
void sock_notify(struct sock *s, uint32_t what);
void sock_leave_set(struct sock *s);
void sock_close_set(struct sock *set);

/* socket_opt.c: options given before there was a connection. */
void sock_apply_options(struct sock *s);

#endif
