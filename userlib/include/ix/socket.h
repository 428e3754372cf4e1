/* SPDX-License-Identifier: MIT
 *
 * Sockets as POSIX has them, non-blocking, on the dataplane: for programs written that way.
 *
 * The functions are those of <sys/socket.h>, <unistd.h> and <sys/epoll.h> with the prefix ixs_, with
 * their types and constants, results, and errors in errno. What differs:
 *  - Sockets and epoll sets belong to the thread that made them, their numbers too (they are not
 *    file descriptors). The thread must call ixs_init() first.
 *  - Every socket is non-blocking, whatever flags say.
 *  - Nothing is sent or received but in ixs_epoll_wait(): each call is one round of the event loop.
 *  - A socket is in at most one epoll set (EEXIST), and an epoll set is in none.
 *  - Only AF_INET, SOCK_STREAM and SOCK_DGRAM; no MSG_PEEK. A stream socket is bound to a port to listen
 *    (EINVAL), and is not bound to connect (EOPNOTSUPP). The port that the kernel chooses for a datagram
 *    socket is not told: ixs_getsockname() says 0.
 *  - SO_REUSEADDR and SO_REUSEPORT are accepted and say what is true anyway: each thread listens on
 *    a port for the connections of its core.
 */
#ifndef IX_SOCKET_H
#define IX_SOCKET_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <ix/ixev.h>

/* Attaches the thread and makes its tables. 0 or -1: errno as ixev_open(). */
int ixs_init(const struct ixev_config *conf);

/* Resets what is open and frees everything. */
void ixs_exit(void);

/*
 * A thread that drives several dataplanes (<ix/ixhost.h>) has a table of sockets for each: makes `t` the
 * one in use (NULL: none; then ixs_init() makes another) and returns the one before.
 */
struct sockets;
struct sockets *ixs_use(struct sockets *t);

/* The base below, to use timers or ixev objects beside sockets. */
struct ixev *ixs_base(void);

int ixs_socket(int domain, int type, int protocol);
int ixs_bind(int s, const struct sockaddr *addr, socklen_t len);
int ixs_listen(int s, int backlog);
int ixs_accept4(int s, struct sockaddr *addr, socklen_t *len, int flags);

/* Always -1: EINPROGRESS and then EPOLLOUT with SO_ERROR, or an error. UDP: sets the peer, 0. */
int ixs_connect(int s, const struct sockaddr *addr, socklen_t len);

ssize_t ixs_read(int s, void *buf, size_t len);
ssize_t ixs_write(int s, const void *buf, size_t len);
ssize_t ixs_readv(int s, const struct iovec *iov, int n);
ssize_t ixs_writev(int s, const struct iovec *iov, int n);
ssize_t ixs_recvfrom(int s, void *buf, size_t len, int flags, struct sockaddr *addr,
		     socklen_t *alen);
ssize_t ixs_sendto(int s, const void *buf, size_t len, int flags, const struct sockaddr *addr,
		   socklen_t alen);
ssize_t ixs_sendmsg(int s, const struct msghdr *msg, int flags);
int ixs_shutdown(int s, int how);
int ixs_close(int s);

int ixs_getsockname(int s, struct sockaddr *addr, socklen_t *len);
int ixs_getpeername(int s, struct sockaddr *addr, socklen_t *len);

/*
 * SOL_SOCKET: SO_ERROR, SO_TYPE, SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_LINGER (with time 0: close
 * resets), SO_RCVBUF (can only grow), SO_SNDBUF (pending limit). IPPROTO_TCP: TCP_NODELAY, TCP_CORK,
 * TCP_KEEPIDLE, TCP_USER_TIMEOUT, TCP_CONGESTION, TCP_INFO. Others: ENOPROTOOPT. What was set before there
 * is a connection holds for it, what was set for a listener for the connections that it accepts.
 */
int ixs_setsockopt(int s, int level, int name, const void *value, socklen_t len);
int ixs_getsockopt(int s, int level, int name, void *value, socklen_t *len);

/* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR; EPOLLET, EPOLLONESHOT. */
int ixs_epoll_create(void);
int ixs_epoll_ctl(int ep, int op, int s, struct epoll_event *event);
int ixs_epoll_wait(int ep, struct epoll_event *events, int max, int timeout_ms);

#endif
