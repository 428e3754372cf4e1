/* SPDX-License-Identifier: MIT
 *
 * Parser of the dataplane's configuration text.
 */
#include <string.h>

#include "guest/core/core.h"

#define E_INVAL  22
#define LINE_MAX 256
#define UNKNOWN  (-1)

void core_config_default(struct core_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	ixn_config_default(&cfg->net);
	cfg->net.tcp.nodelay = true; /* the application collects what belongs together (abi.h) */
	cfg->batch = 64;
	cfg->rx_buffers = 8192;
	cfg->rx_ring = 512;
	cfg->tx_ring = 512;
	cfg->events = 4096;
	cfg->timers = 4096;
	cfg->backlog = 1024;
	cfg->idle_sleep = true;
}

/* ---- words ---- */

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r';
}

static bool eq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Digits at *s; advances. UINT64_MAX: none, or too many. */
static uint64_t digits(const char **s)
{
	uint64_t v = 0;
	int n = 0;

	for (; **s >= '0' && **s <= '9'; ++*s, n++)
		v = v * 10 + (uint64_t)(**s - '0');
	return n && n < 19 ? v : UINT64_MAX;
}

static int suffixed(uint64_t *v, const char *s, const char *const *unit, const uint64_t *scale,
		    int n)
{
	uint64_t x = digits(&s);

	if (x == UINT64_MAX)
		return -E_INVAL;
	for (int i = 0; i < n; i++) {
		if (eq(s, unit[i])) {
			*v = x * scale[i];
			return x > UINT64_MAX / scale[i] ? -E_INVAL : 0;
		}
	}
	return -E_INVAL;
}

int core_parse_number(uint64_t *v, const char *s)
{
	static const char *const unit[] = {"", "K", "M", "G"};
	static const uint64_t scale[] = {1, 1u << 10, 1u << 20, 1u << 30};

	return suffixed(v, s, unit, scale, 4);
}

int core_parse_usec(uint64_t *v, const char *s)
{
	static const char *const unit[] = {"", "us", "ms", "s", "min", "h"};
	static const uint64_t scale[] = {1, 1, 1000, 1000000, 60000000, 3600000000};

	return suffixed(v, s, unit, scale, 6);
}

/* A dotted quad at *s; advances. */
static int quad(struct ixn_addr *ip, const char **s)
{
	uint8_t a[4];

	for (int i = 0; i < 4; i++) {
		uint64_t v = digits(s);

		if (v > 255)
			return -E_INVAL;
		a[i] = (uint8_t)v;
		if (i < 3 && *(*s)++ != '.')
			return -E_INVAL;
	}
	*ip = ixn_v4(a[0], a[1], a[2], a[3]);
	return 0;
}

int core_parse_ip(struct ixn_addr *ip, const char *s)
{
	return quad(ip, &s) < 0 || *s ? -E_INVAL : 0;
}

int core_parse_prefix(struct ixn_addr *ip, uint8_t *len, const char *s)
{
	uint64_t v = 32;

	if (quad(ip, &s) < 0)
		return -E_INVAL;
	if (*s == '/') {
		s++;
		v = digits(&s);
	}
	*len = (uint8_t)v;
	return v > 32 || *s ? -E_INVAL : 0;
}

int core_parse_mac(uint8_t mac[6], const char *s)
{
	for (int i = 0; i < 6; i++) {
		unsigned int v = 0;

		for (int k = 0; k < 2; k++, s++) {
			char ch = *s;

			if (ch >= '0' && ch <= '9')
				v = v * 16 + (unsigned int)(ch - '0');
			else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
				v = v * 16 + (unsigned int)((ch | 0x20) - 'a') + 10;
			else
				return -E_INVAL;
		}
		mac[i] = (uint8_t)v;
		if (i < 5 && *s++ != ':')
			return -E_INVAL;
	}
	return *s ? -E_INVAL : 0;
}

/* Cuts the next word off *s; "" at the end. */
static char *word(char **s)
{
	char *w = *s;

	while (is_space(*w))
		w++;
	*s = w;
	while (**s && !is_space(**s))
		++*s;
	if (**s)
		*(*s)++ = '\0';
	return w;
}

/* ---- values with a form of their own ---- */

static int parse_route(struct core_config *cfg, char *v)
{
	struct core_prefix *r = &cfg->route[cfg->nroutes];
	const char *dst = word(&v);
	const char *via = word(&v);

	if (cfg->nroutes == CORE_MAX_ROUTES || core_parse_prefix(&r->addr, &r->len, dst) < 0)
		return -E_INVAL;
	r->gw = IXN_ANY;
	if (*via && (!eq(via, "via") || core_parse_ip(&r->gw, word(&v)) < 0))
		return -E_INVAL;
	cfg->nroutes++;
	return *word(&v) ? -E_INVAL : 0;
}

static int parse_arp(struct core_config *cfg, char *v)
{
	struct core_arp *a = &cfg->arp[cfg->narps];

	if (cfg->narps == CORE_MAX_ARPS || core_parse_ip(&a->addr, word(&v)) < 0 ||
	    core_parse_mac(a->mac, word(&v)) < 0)
		return -E_INVAL;
	cfg->narps++;
	return *word(&v) ? -E_INVAL : 0;
}

/* acl = allow|deny in|out|both tcp|udp|icmp|any PREFIX|any [PORT|PORT-PORT|any] */
static int parse_acl(struct core_config *cfg, char *v)
{
	struct ixn_acl *a = &cfg->acl[cfg->nacls];
	const char *action = word(&v), *dir = word(&v), *proto = word(&v), *who = word(&v),
		   *port = word(&v);
	uint64_t lo = 0, hi = 65535;

	if (cfg->nacls == CORE_MAX_ACLS)
		return -E_INVAL;
	*a = (struct ixn_acl){.allow = eq(action, "allow")};
	if (!a->allow && !eq(action, "deny"))
		return -E_INVAL;
	a->in = eq(dir, "in") || eq(dir, "both");
	a->out = eq(dir, "out") || eq(dir, "both");
	if (!a->in && !a->out)
		return -E_INVAL;
	if (eq(proto, "tcp"))
		a->proto = 6;
	else if (eq(proto, "udp"))
		a->proto = 17;
	else if (eq(proto, "icmp"))
		a->proto = 1;
	else if (!eq(proto, "any"))
		return -E_INVAL;
	if (eq(who, "any"))
		a->remote = ixn_v4(0, 0, 0, 0);
	else if (core_parse_prefix(&a->remote, &a->prefix, who) < 0)
		return -E_INVAL;
	if (*port && !eq(port, "any")) {
		lo = hi = digits(&port);
		if (*port == '-') {
			port++;
			hi = digits(&port);
		}
		if (*port || lo > hi || hi > 65535)
			return -E_INVAL;
	}
	a->port_lo = (uint16_t)lo;
	a->port_hi = (uint16_t)hi;
	cfg->nacls++;
	return *word(&v) ? -E_INVAL : 0;
}

static int parse_address(struct core_config *cfg, const char *v)
{
	struct core_prefix *a = &cfg->addr[cfg->naddrs];

	if (cfg->naddrs == CORE_MAX_ADDRS || core_parse_prefix(&a->addr, &a->len, v) < 0)
		return -E_INVAL;
	cfg->naddrs++;
	return 0;
}

static int parse_word(struct core_config *cfg, const char *key, const char *v)
{
	static const char *const cc[] = {
	    [IXN_CC_CUBIC] = "cubic",
	    [IXN_CC_NEWRENO] = "newreno",
	    [IXN_CC_DCTCP] = "dctcp",
	};

	if (eq(key, "idle")) {
		cfg->idle_sleep = eq(v, "sleep");
		return cfg->idle_sleep || eq(v, "poll") ? 0 : -E_INVAL;
	}
	if (eq(key, "tcp.profile")) {
		struct ixn_config net;

		if (eq(v, "linux"))
			ixn_config_default(&net);
		else if (eq(v, "datacenter"))
			ixn_config_datacenter(&net);
		else
			return -E_INVAL;
		net.tcp.nodelay = cfg->net.tcp.nodelay;
		cfg->net.tcp = net.tcp;
		return 0;
	}
	if (eq(key, "tcp.congestion")) {
		for (uint8_t i = 0; i < sizeof(cc) / sizeof(cc[0]); i++) {
			if (eq(v, cc[i])) {
				cfg->net.tcp.cc = i;
				return 0;
			}
		}
		return -E_INVAL;
	}
	return UNKNOWN;
}

/* ---- values that are one number, time or switch ---- */

enum form {
	NUMBER,
	TIME,
	SWITCH
};

#define AT(member) offsetof(struct core_config, member), sizeof(((struct core_config *)0)->member)

static const struct {
	const char *key;
	enum form form;
	uint32_t at, size;
	uint64_t min, max;
} plain[] = {
    {"batch", NUMBER, AT(batch), 1, CORE_MAX_BATCH},
    {"queues", NUMBER, AT(queues), 0, 4},
    {"rx-ring", NUMBER, AT(rx_ring), 64, 4096},
    {"tx-ring", NUMBER, AT(tx_ring), 64, 4096},
    {"rx-buffers", NUMBER, AT(rx_buffers), 256, 1u << 20},
    {"events", NUMBER, AT(events), 64, 65536},
    {"timers", NUMBER, AT(timers), 0, 1u << 20},
    {"backlog", NUMBER, AT(backlog), 1, 65535},
    {"connections", NUMBER, AT(net.max_conns), 1, 1u << 24},
    {"timewait", NUMBER, AT(net.max_timewait), 1, 1u << 24},
    {"listeners", NUMBER, AT(net.max_listeners), 1, 4096},
    {"udp-sockets", NUMBER, AT(net.max_udp), 1, 4096},
    {"tx-packets", NUMBER, AT(net.tx_pkts), 256, 1u << 22},
    {"tx-references", NUMBER, AT(net.tx_recs), 256, 1u << 24},
    {"reassembly", NUMBER, AT(net.reasm_slots), 0, 4096},
    {"reassembly-timeout", TIME, AT(net.reasm_timeout_us), 1000, 120000000},
    {"arp-entries", NUMBER, AT(net.arp_entries), 16, 65536},
    {"mtu", NUMBER, AT(net.mtu), 576, 1500},
    {"port-low", NUMBER, AT(net.port_lo), 1, 65535},
    {"port-high", NUMBER, AT(net.port_hi), 1, 65535},
    {"icmp-echo", SWITCH, AT(net.icmp_echo), 0, 1},
    {"icmp-per-second", NUMBER, AT(net.icmp_per_s), 0, UINT32_MAX},
    {"arp-announce", SWITCH, AT(net.arp_announce), 0, 1},
    {"tcp.receive-window", NUMBER, AT(net.tcp.rcv_wnd), 2048, 1u << 30},
    {"tcp.max-rx-buffers", NUMBER, AT(net.tcp.max_rx_bufs), 4, 1u << 20},
    {"tcp.window-scale", NUMBER, AT(net.tcp.wscale), 0, 14},
    {"tcp.timestamps", SWITCH, AT(net.tcp.timestamps), 0, 1},
    {"tcp.sack", SWITCH, AT(net.tcp.sack), 0, 1},
    {"tcp.ecn", SWITCH, AT(net.tcp.ecn), 0, 1},
    {"tcp.nodelay", SWITCH, AT(net.tcp.nodelay), 0, 1},
    {"tcp.syncookies", SWITCH, AT(net.tcp.syncookies), 0, 1},
    {"tcp.pmtud", SWITCH, AT(net.tcp.pmtud), 0, 1},
    {"tcp.rack", SWITCH, AT(net.tcp.rack), 0, 1},
    {"tcp.initial-window", NUMBER, AT(net.tcp.iw), 1, 64},
    {"tcp.quickacks", NUMBER, AT(net.tcp.quickacks), 0, 255},
    {"tcp.ttl", NUMBER, AT(net.tcp.ttl), 1, 255},
    {"tcp.dscp", NUMBER, AT(net.tcp.dscp), 0, 63},
    {"tcp.syn-retries", NUMBER, AT(net.tcp.syn_retries), 0, 127},
    {"tcp.synack-retries", NUMBER, AT(net.tcp.synack_retries), 0, 127},
    {"tcp.mss", NUMBER, AT(net.tcp.mss), 0, 1460},
    {"tcp.mss-min", NUMBER, AT(net.tcp.mss_min), 48, 1460},
    {"tcp.rto-initial", TIME, AT(net.tcp.rto_initial_us), 16, 60000000},
    {"tcp.rto-min", TIME, AT(net.tcp.rto_min_us), 16, 60000000},
    {"tcp.rto-max", TIME, AT(net.tcp.rto_max_us), 1000, 240000000},
    {"tcp.delayed-ack", TIME, AT(net.tcp.delack_us), 0, 500000},
    {"tcp.user-timeout", TIME, AT(net.tcp.user_timeout_us), 0, 9 * 3600000000ull},
    {"tcp.time-wait", TIME, AT(net.tcp.time_wait_us), 0, 240000000},
    {"tcp.fin-wait-2", TIME, AT(net.tcp.fin_wait2_us), 1000, 3600000000},
    {"tcp.keepalive-idle", TIME, AT(net.tcp.keepalive_idle_us), 1000, 9 * 3600000000ull},
    {"tcp.keepalive-interval", TIME, AT(net.tcp.keepalive_intvl_us), 1000, 9 * 3600000000ull},
    {"tcp.orphan-probes", NUMBER, AT(net.tcp.orphan_probes), 1, 255},
    {"tcp.challenge-acks", NUMBER, AT(net.tcp.challenge_ack_per_s), 1, UINT32_MAX},
    {"tcp.challenge-ack-interval", TIME, AT(net.tcp.challenge_ack_us), 0, 60000000},
    {"tcp.keepalive-count", NUMBER, AT(net.tcp.keepalive_count), 1, 255},
};

static int parse_plain(struct core_config *cfg, const char *key, const char *v)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		uint64_t x = eq(v, "on");
		int err = 0;

		if (!eq(key, plain[i].key))
			continue;
		if (plain[i].form == NUMBER)
			err = core_parse_number(&x, v);
		else if (plain[i].form == TIME)
			err = core_parse_usec(&x, v);
		else if (!x && !eq(v, "off"))
			err = -E_INVAL;
		if (err || x < plain[i].min || x > plain[i].max)
			return -E_INVAL;
		/* Little-endian: the low bytes of x are the value. */
		memcpy((char *)cfg + plain[i].at, &x, plain[i].size);
		return 0;
	}
	return UNKNOWN;
}

static int parse_pair(struct core_config *cfg, const char *key, char *v)
{
	int err;

	if (eq(key, "address"))
		return parse_address(cfg, v);
	if (eq(key, "gateway"))
		return core_parse_ip(&cfg->gateway, v);
	if (eq(key, "route"))
		return parse_route(cfg, v);
	if (eq(key, "arp"))
		return parse_arp(cfg, v);
	if (eq(key, "acl"))
		return parse_acl(cfg, v);
	if (eq(key, "mac"))
		return core_parse_mac(cfg->net.mac, v);
	err = parse_word(cfg, key, v);
	return err == UNKNOWN ? parse_plain(cfg, key, v) : err;
}

/* Copies a line without comment and outer spaces; false if it is too long or holds a NUL. */
static bool clean(char line[LINE_MAX], const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && text[i] != '#'; i++) {
		if (text[i] == '\0' || n == LINE_MAX - 1)
			return false;
		if (n || !is_space(text[i]))
			line[n++] = text[i];
	}
	while (n && is_space(line[n - 1]))
		n--;
	line[n] = '\0';
	return true;
}

static const char *parse_line(struct core_config *cfg, char *line, core_config_extra extra,
			      void *ctx)
{
	char *key = line;
	char *v = line;
	char *end;
	int err;

	while (*v && *v != '=')
		v++;
	if (!*v)
		return "not of the form `key = value`";
	for (end = v; end > key && is_space(end[-1]);)
		end--;
	*end = '\0';
	for (v++; is_space(*v);)
		v++;
	err = parse_pair(cfg, key, v);
	if (err == UNKNOWN)
		err = extra ? extra(ctx, key, v) : UNKNOWN;
	if (err == UNKNOWN)
		return "unknown key";
	return err ? "value not valid, out of range or too many of them" : NULL;
}

int core_config_parse(struct core_config *cfg, const char *text, size_t len,
		      core_config_extra extra, void *ctx, struct core_config_error *err)
{
	const char *end = text + len;

	err->line = 0;
	for (const char *p = text; p < end; p++) {
		char line[LINE_MAX];
		size_t n = 0;

		while (p + n < end && p[n] != '\n')
			n++;
		err->line++;
		err->what = clean(line, p, n) ? NULL : "line too long or not text";
		if (!err->what && line[0])
			err->what = parse_line(cfg, line, extra, ctx);
		if (err->what)
			return -E_INVAL;
		p += n;
	}
	if (cfg->net.port_lo > cfg->net.port_hi) {
		err->what = "port-low is above port-high";
		return -E_INVAL;
	}
	return 0;
}

/* ---- small memory ---- */

/* The sizes that matter, and what is the least that a server can use. */
static const struct {
	uint32_t at, least;
} elastic[] = {
    {offsetof(struct core_config, net.max_conns), 1024},
    {offsetof(struct core_config, net.max_timewait), 512},
    {offsetof(struct core_config, net.tx_recs), 4096},
    {offsetof(struct core_config, rx_buffers), 1024},
};
#define NELASTIC (sizeof(elastic) / sizeof(elastic[0]))

static uint32_t *member(struct core_config *cfg, uint32_t at)
{
	return (uint32_t *)((uint8_t *)cfg + at);
}

bool core_config_fit(struct core_config *cfg, uint64_t bytes)
{
	static struct core_config usual;
	bool free[NELASTIC], changed = false, can = true;

	core_config_default(&usual);
	for (uint32_t i = 0; i < NELASTIC; i++)
		free[i] = *member(cfg, elastic[i].at) == *member(&usual, elastic[i].at);
	while (can && core_mem_size(cfg) + core_shared_size(cfg) > bytes) {
		can = false;
		for (uint32_t i = 0; i < NELASTIC; i++) {
			uint32_t *v = member(cfg, elastic[i].at);

			if (!free[i] || *v / 2 < elastic[i].least)
				continue;
			*v /= 2;
			can = changed = true;
		}
	}
	/* One connection shall not hold all buffers. */
	if (cfg->net.tcp.max_rx_bufs == usual.net.tcp.max_rx_bufs &&
	    cfg->net.tcp.max_rx_bufs > cfg->rx_buffers / 2)
		cfg->net.tcp.max_rx_bufs = cfg->rx_buffers / 2;
	return changed;
}
