/* SPDX-License-Identifier: MIT
 *
 * Socket options. They are remembered, and given to the connection as soon as there is one.
 */
#define _GNU_SOURCE /* struct tcp_info */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "userlib/lib/ixev_priv.h"
#include "userlib/lib/socket_priv.h"

#define KEEPIDLE_DEFAULT 7200 /* seconds, as Linux has it */
#define KEEPIDLE_MAX     32767

static const char *const cc_names[] = {
    [IX_CC_NEWRENO] = "reno",
    [IX_CC_CUBIC] = "cubic",
    [IX_CC_DCTCP] = "dctcp",
};
#define NCC ((int)(sizeof(cc_names) / sizeof(cc_names[0])))

static int fail(int err)
{
	errno = err;
	return -1;
}

static void tell(struct sock *s, uint32_t option, uint64_t value)
{
	if (s->kind == SOCK_CONN && s->connected)
		ixev_set_option(&s->ctx, option, value);
}

static void tell_keepalive(struct sock *s)
{
	tell(s, IX_OPT_KEEPALIVE,
	     s->opt.keepalive ? (s->opt.keepidle ? s->opt.keepidle : KEEPIDLE_DEFAULT) : 0);
}

void sock_apply_options(struct sock *s)
{
	if (!s->opt.nodelay)
		tell(s, IX_OPT_NODELAY, 0);
	if (s->opt.cork)
		tell(s, IX_OPT_CORK, 1);
	if (s->opt.keepalive)
		tell_keepalive(s);
	if (s->opt.user_timeout)
		tell(s, IX_OPT_USER_TIMEOUT, s->opt.user_timeout);
	if (s->opt.rcvbuf)
		tell(s, IX_OPT_RCVWND, s->opt.rcvbuf);
	if (s->opt.cc >= 0)
		tell(s, IX_OPT_CONGESTION, (uint64_t)s->opt.cc);
}

static int int_in(const void *value, socklen_t len, int *v)
{
	if (!value || len < (socklen_t)sizeof(*v))
		return fail(EINVAL);
	memcpy(v, value, sizeof(*v));
	return 0;
}

static int set_linger(struct sock *s, const void *value, socklen_t len)
{
	struct linger l;

	if (!value || len < (socklen_t)sizeof(l))
		return fail(EINVAL);
	memcpy(&l, value, sizeof(l));
	s->opt.linger0 = l.l_onoff && !l.l_linger;
	return 0;
}

static int set_cc(struct sock *s, const char *name, socklen_t len)
{
	if (!name)
		return fail(EINVAL);
	for (int i = 0; i < NCC; i++) {
		if (len >= strlen(cc_names[i]) && !memcmp(name, cc_names[i], strlen(cc_names[i])) &&
		    (len == strlen(cc_names[i]) || !name[strlen(cc_names[i])])) {
			s->opt.cc = i;
			tell(s, IX_OPT_CONGESTION, (uint64_t)i);
			return 0;
		}
	}
	return fail(ENOENT);
}

static int set_socket(struct sock *s, int name, int v)
{
	switch (name) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
		s->opt.reuse = v != 0;
		return 0;
	case SO_KEEPALIVE:
		s->opt.keepalive = v != 0;
		tell_keepalive(s);
		return 0;
	case SO_RCVBUF:
		if (v <= 0)
			return fail(EINVAL);
		s->opt.rcvbuf = (uint32_t)v;
		tell(s, IX_OPT_RCVWND, s->opt.rcvbuf);
		return 0;
	case SO_SNDBUF:
		if (v <= 0)
			return fail(EINVAL);
		s->opt.sndbuf = (uint32_t)v;
		if (s->kind == SOCK_CONN)
			ixev_set_limit(&s->ctx, (uint32_t)v);
		return 0;
	default:
		return fail(ENOPROTOOPT);
	}
}

static int set_tcp(struct sock *s, int name, int v)
{
	switch (name) {
	case TCP_NODELAY:
		s->opt.nodelay = v != 0;
		tell(s, IX_OPT_NODELAY, s->opt.nodelay);
		return 0;
	case TCP_CORK:
		s->opt.cork = v != 0;
		tell(s, IX_OPT_CORK, s->opt.cork);
		return 0;
	case TCP_KEEPIDLE:
		if (v <= 0 || v > KEEPIDLE_MAX)
			return fail(EINVAL);
		s->opt.keepidle = (uint32_t)v;
		tell_keepalive(s);
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return fail(EINVAL);
		s->opt.user_timeout = (uint32_t)v;
		tell(s, IX_OPT_USER_TIMEOUT, s->opt.user_timeout);
		return 0;
	default:
		return fail(ENOPROTOOPT);
	}
}

int ixs_setsockopt(int number, int level, int name, const void *value, socklen_t len)
{
	struct sock *s = sock_get(number);
	int v;

	if (!s)
		return -1;
	if (level == SOL_SOCKET && name == SO_LINGER)
		return set_linger(s, value, len);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return set_cc(s, value, len);
	if (int_in(value, len, &v) < 0)
		return -1;
	if (level == SOL_SOCKET)
		return set_socket(s, name, v);
	if (level == IPPROTO_TCP && s->type == SOCK_STREAM)
		return set_tcp(s, name, v);
	return fail(ENOPROTOOPT);
}

static int put(void *value, socklen_t *len, const void *from, size_t n)
{
	if (*len > n)
		*len = (socklen_t)n;
	memcpy(value, from, *len);
	return 0;
}

static int get_info(struct sock *s, void *value, socklen_t *len)
{
	struct ix_tcp_info in;
	struct tcp_info out = {0};
	/* Linux's numbers of the states (tcp_states.h), in ours. */
	static const uint8_t state[] = {
	    [IX_TCP_CLOSED] = 7,       [IX_TCP_LISTEN] = 10,     [IX_TCP_SYN_SENT] = 2,
	    [IX_TCP_SYN_RECEIVED] = 3, [IX_TCP_ESTABLISHED] = 1, [IX_TCP_FIN_WAIT_1] = 4,
	    [IX_TCP_FIN_WAIT_2] = 5,   [IX_TCP_CLOSE_WAIT] = 8,  [IX_TCP_CLOSING] = 11,
	    [IX_TCP_LAST_ACK] = 9,     [IX_TCP_TIME_WAIT] = 6,
	};

	if (s->kind != SOCK_CONN || ix_tcp_info(s->ctx.handle, &in) < 0)
		return fail(ENOTCONN);
	out.tcpi_state = state[in.state < sizeof(state) ? in.state : 0];
	out.tcpi_options = (uint8_t)((in.options & IX_TCPOPT_TIMESTAMPS ? TCPI_OPT_TIMESTAMPS : 0) |
				     (in.options & IX_TCPOPT_SACK ? TCPI_OPT_SACK : 0) |
				     (in.options & IX_TCPOPT_WSCALE ? TCPI_OPT_WSCALE : 0) |
				     (in.options & IX_TCPOPT_ECN ? TCPI_OPT_ECN : 0));
	out.tcpi_rto = in.rto;
	out.tcpi_snd_mss = out.tcpi_rcv_mss = in.mss;
	out.tcpi_unacked = in.mss ? (in.unacked + in.mss - 1) / in.mss : 0;
	out.tcpi_rtt = in.srtt;
	out.tcpi_rttvar = in.rttvar;
	out.tcpi_snd_ssthresh = in.mss ? in.ssthresh / in.mss : 0;
	out.tcpi_snd_cwnd = in.mss ? in.cwnd / in.mss : 0;
	out.tcpi_total_retrans = in.retransmits;
	return put(value, len, &out, sizeof(out));
}

static int get_cc(struct sock *s, void *value, socklen_t *len)
{
	struct ix_tcp_info info;
	uint32_t cc = s->opt.cc >= 0 ? (uint32_t)s->opt.cc : IX_CC_CUBIC;

	/* Not set: what the dataplane is configured for, which a connection knows. */
	if (s->opt.cc < 0 && s->kind == SOCK_CONN && ix_tcp_info(s->ctx.handle, &info) > 0 &&
	    info.congestion < NCC)
		cc = info.congestion;
	return put(value, len, cc_names[cc], strlen(cc_names[cc]) + 1);
}

int ixs_getsockopt(int number, int level, int name, void *value, socklen_t *len)
{
	struct sock *s = sock_get(number);
	struct linger l;
	int v;

	if (!s)
		return -1;
	if (level == IPPROTO_TCP && name == TCP_INFO)
		return get_info(s, value, len);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
		return get_cc(s, value, len);
	}
	if (level == SOL_SOCKET && name == SO_LINGER) {
		l = (struct linger){.l_onoff = s->opt.linger0};
		return put(value, len, &l, sizeof(l));
	}
	if (level == SOL_SOCKET && name == SO_ERROR) {
		v = s->error;
		s->error = 0;
	} else if (level == SOL_SOCKET && name == SO_TYPE) {
		v = s->type;
	} else if (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT)) {
		v = s->opt.reuse;
	} else if (level == SOL_SOCKET && name == SO_KEEPALIVE) {
		v = s->opt.keepalive;
	} else if (level == SOL_SOCKET && name == SO_RCVBUF) {
		v = (int)s->opt.rcvbuf;
	} else if (level == SOL_SOCKET && name == SO_SNDBUF) {
		v = (int)(s->opt.sndbuf ? s->opt.sndbuf : s->owner->base->pending_limit);
	} else if (level == IPPROTO_TCP && name == TCP_NODELAY) {
		v = s->opt.nodelay;
	} else if (level == IPPROTO_TCP && name == TCP_CORK) {
		v = s->opt.cork;
	} else if (level == IPPROTO_TCP && name == TCP_KEEPIDLE) {
		v = (int)(s->opt.keepidle ? s->opt.keepidle : KEEPIDLE_DEFAULT);
	} else if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT) {
		v = (int)s->opt.user_timeout;
	} else {
		return fail(ENOPROTOOPT);
	}
	return put(value, len, &v, sizeof(v));
}
