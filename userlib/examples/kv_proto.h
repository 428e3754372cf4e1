/* SPDX-License-Identifier: MIT
 *
 * The two protocols of kv: a part of kv.c. Each parser is given what has arrived and returns the bytes
 * of one request that it has answered, 0 if the request is not complete, or a negative value to end
 * the connection.
 */

/* ---- text ---- */

struct words {
	const char *at[8];
	size_t len[8];
	int n;
};

/* Up to 8 words of a line; what is behind them is left. Returns where it stopped. */
static const char *split(struct words *w, const char *p, const char *end)
{
	w->n = 0;
	while (w->n < 8) {
		while (p < end && *p == ' ')
			p++;
		if (p == end)
			break;
		w->at[w->n] = p;
		while (p < end && *p != ' ')
			p++;
		w->len[w->n] = (size_t)(p - w->at[w->n]);
		w->n++;
	}
	return p;
}

static bool is(const struct words *w, int i, const char *s)
{
	return i < w->n && w->len[i] == strlen(s) && memcmp(w->at[i], s, w->len[i]) == 0;
}

static bool num(const struct words *w, int i, int64_t *v)
{
	char buf[24], *end;

	if (i >= w->n || w->len[i] >= sizeof(buf))
		return false;
	memcpy(buf, w->at[i], w->len[i]);
	buf[w->len[i]] = '\0';
	errno = 0;
	*v = strtoll(buf, &end, 10);
	if (errno == ERANGE && buf[0] != '-')
		*v = (int64_t)strtoull(buf, &end, 10);
	return !*end && end != buf;
}

static bool line(struct conn *c, const char *s)
{
	return say(c, s, strlen(s)) && say(c, "\r\n", 2);
}

/* "get key key ...": any number of keys. */
static bool text_get(struct conn *c, const char *p, const char *end, bool with_cas)
{
	while (p < end) {
		const char *key;
		struct item *it;
		char head[KEY_MAX + 80];
		int n;

		while (p < end && *p == ' ')
			p++;
		key = p;
		while (p < end && *p != ' ')
			p++;
		if (p == key)
			break;
		if (p - key > KEY_MAX)
			return line(c, "CLIENT_ERROR key too long");
		it = get(key, (size_t)(p - key), -1);
		if (!it)
			continue;
		n = snprintf(head, sizeof(head), "VALUE %.*s %u %u", (int)(p - key), key, it->flags,
			     it->len);
		if (with_cas)
			n += snprintf(head + n, sizeof(head) - (size_t)n, " %llu",
				      (unsigned long long)it->cas);
		memcpy(head + n, "\r\n", 2);
		if (!say(c, head, (size_t)n + 2)) {
			item_put(it);
			return false;
		}
		if (!say_value(c, it, it->len + 2))
			return false;
	}
	return line(c, "END");
}

static bool text_stats(struct conn *c)
{
	char buf[512];
	int n = snprintf(buf, sizeof(buf),
			 "STAT version ix\r\nSTAT curr_connections %llu\r\n"
			 "STAT total_connections %llu\r\nSTAT cmd_get %llu\r\n"
			 "STAT get_hits %llu\r\nSTAT cmd_set %llu\r\nEND\r\n",
			 conns, total_conns, gets, hits, sets);

	return say(c, buf, (size_t)n);
}

static int store_verb(const struct words *w)
{
	static const char *const verbs[] = {"set", "add", "replace", "append", "prepend", "cas"};

	for (int i = 0; i < 6; i++)
		if (is(w, 0, verbs[i]))
			return i;
	return -1;
}

/* "set key flags exptime bytes [cas] [noreply]", then the bytes and an end of line. */
static ssize_t text_store(struct conn *c, const struct words *w, int how, const char *data,
			  size_t len, size_t head)
{
	static const char *const answers[] = {"STORED",
					      "NOT_STORED",
					      "EXISTS",
					      "NOT_FOUND",
					      "SERVER_ERROR object too large for cache",
					      "SERVER_ERROR out of memory storing object"};
	int64_t flags, exp, bytes, cas = 0;
	bool quiet = is(w, how == CAS ? 6 : 5, "noreply");
	enum result r = TOO_LARGE;
	struct item *it;

	if (!num(w, 2, &flags) || !num(w, 3, &exp) || !num(w, 4, &bytes) || bytes < 0 ||
	    w->len[1] > KEY_MAX || (how == CAS && !num(w, 5, &cas)))
		return line(c, "CLIENT_ERROR bad command line format") ? (ssize_t)head : -1;
	if (bytes > 64 * (int64_t)VALUE_MAX)
		return -1;
	if (len < head + (size_t)bytes + 2)
		return 0;
	if (memcmp(data + head + bytes, "\r\n", 2) != 0)
		return line(c, "CLIENT_ERROR bad data chunk") ? (ssize_t)head + bytes + 2 : -1;
	if (bytes <= VALUE_MAX) {
		it =
		    item_new(w->at[1], w->len[1], (uint32_t)flags, expiry_of(exp), (uint32_t)bytes);
		r = NO_MEMORY;
		if (it) {
			memcpy(value(it), data + head, (size_t)bytes);
			r = store(it, (enum store)how, (uint64_t)cas, NULL);
		}
	}
	return quiet || line(c, answers[r]) ? (ssize_t)head + bytes + 2 : -1;
}

static bool text_arith(struct conn *c, const struct words *w)
{
	bool quiet = is(w, 3, "noreply");
	uint64_t v = 0;
	char buf[24];
	int64_t by;

	if (w->len[1] > KEY_MAX || !num(w, 2, &by))
		return line(c, "CLIENT_ERROR invalid numeric delta argument");
	switch (arith(w->at[1], w->len[1], (uint64_t)by, is(w, 0, "incr"), &v)) {
	case STORED:
		snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
		return quiet || line(c, buf);
	case NOT_STORED:
		return line(c, "CLIENT_ERROR cannot increment or decrement non-numeric value");
	case NO_MEMORY:
		return line(c, "SERVER_ERROR out of memory in incr");
	default:
		return quiet || line(c, "NOT_FOUND");
	}
}

static bool text_touch(struct conn *c, const struct words *w)
{
	struct item *it = NULL;
	int64_t exp;

	if (w->len[1] > KEY_MAX || !num(w, 2, &exp))
		return line(c, "CLIENT_ERROR invalid exptime argument");
	it = get(w->at[1], w->len[1], expiry_of(exp));
	if (it)
		item_put(it);
	return is(w, 3, "noreply") || line(c, it ? "TOUCHED" : "NOT_FOUND");
}

static bool text_other(struct conn *c, const struct words *w)
{
	if (is(w, 0, "delete") && w->n >= 2 && w->len[1] <= KEY_MAX) {
		enum result r = delete (w->at[1], w->len[1], 0);

		return is(w, 2, "noreply") || line(c, r == STORED ? "DELETED" : "NOT_FOUND");
	}
	if ((is(w, 0, "incr") || is(w, 0, "decr")) && w->n >= 3)
		return text_arith(c, w);
	if (is(w, 0, "touch") && w->n >= 3)
		return text_touch(c, w);
	if (is(w, 0, "stats"))
		return text_stats(c);
	if (is(w, 0, "version"))
		return line(c, "VERSION ix");
	if (is(w, 0, "verbosity"))
		return is(w, 2, "noreply") || line(c, "OK");
	if (is(w, 0, "flush_all")) {
		flush_all();
		return is(w, w->n - 1, "noreply") || line(c, "OK");
	}
	return line(c, "ERROR");
}

static ssize_t text(struct conn *c, const char *data, size_t len)
{
	const char *nl = memchr(data, '\n', len);
	struct words w;
	const char *end;
	size_t head;
	int how;

	if (!nl)
		return len > LINE_MAX * 32 ? -1 : 0;
	head = (size_t)(nl - data) + 1;
	end = nl > data && nl[-1] == '\r' ? nl - 1 : nl;
	split(&w, data, end);
	if (w.n == 0)
		return line(c, "ERROR") ? (ssize_t)head : -1;
	if (is(&w, 0, "quit"))
		return -1;
	if ((is(&w, 0, "get") || is(&w, 0, "gets")) && w.n >= 2)
		return text_get(c, w.at[0] + w.len[0], end, is(&w, 0, "gets")) ? (ssize_t)head : -1;
	how = store_verb(&w);
	if (how >= 0)
		return w.n >= 5 ? text_store(c, &w, how, data, len, head)
				: (line(c, "ERROR") ? (ssize_t)head : -1);
	return text_other(c, &w) ? (ssize_t)head : -1;
}

/* ---- binary ---- */

#define BIN_REQUEST 0x80
#define BIN_ANSWER  0x81
#define BIN_HEAD    24

enum bin_op {
	B_GET = 0,
	B_SET,
	B_ADD,
	B_REPLACE,
	B_DELETE,
	B_INCR,
	B_DECR,
	B_QUIT,
	B_FLUSH,
	B_GETQ,
	B_NOOP,
	B_VERSION,
	B_GETK,
	B_GETKQ,
	B_APPEND,
	B_PREPEND,
	B_SETQ = 0x11,
	B_ADDQ,
	B_REPLACEQ,
	B_DELETEQ,
	B_QUITQ = 0x17,
	B_TOUCH = 0x1c
};
enum bin_status {
	B_OK = 0,
	B_NOT_FOUND = 1,
	B_EXISTS = 2,
	B_TOO_LARGE = 3,
	B_INVALID = 4,
	B_NOT_STORED = 5,
	B_NOT_NUMBER = 6,
	B_UNKNOWN = 0x81,
	B_NO_MEMORY = 0x82
};

struct bin {
	uint8_t op, extras;
	uint16_t klen;
	uint32_t body, opaque, vlen;
	uint64_t cas;
	const char *ext, *key, *val;
};

static uint64_t be(const char *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | (uint8_t)*p++;
	return v;
}

static void put_be(char *p, uint64_t v, int n)
{
	while (n--) {
		p[n] = (char)v;
		v >>= 8;
	}
}

/* Header of an answer with the given lengths of extras, key and value. */
static bool bin_head(struct conn *c, const struct bin *b, enum bin_status st, uint8_t extras,
		     uint16_t klen, uint32_t vlen, uint64_t cas)
{
	char h[BIN_HEAD] = {(char)BIN_ANSWER, (char)b->op};

	put_be(h + 2, klen, 2);
	h[4] = (char)extras;
	put_be(h + 6, st, 2);
	put_be(h + 8, extras + klen + vlen, 4);
	put_be(h + 12, b->opaque, 4);
	put_be(h + 16, cas, 8);
	return say(c, h, sizeof(h));
}

static bool bin_status(struct conn *c, const struct bin *b, enum bin_status st, uint64_t cas)
{
	return bin_head(c, b, st, 0, 0, 0, cas);
}

static enum bin_status bin_of(enum result r)
{
	static const uint8_t st[] = {B_OK,        B_NOT_STORED, B_EXISTS,
				     B_NOT_FOUND, B_TOO_LARGE,  B_NO_MEMORY};

	return (enum bin_status)st[r];
}

static bool bin_get(struct conn *c, const struct bin *b)
{
	struct item *it = get(b->key, b->klen, -1);
	bool quiet = b->op == B_GETQ || b->op == B_GETKQ;
	uint16_t klen = b->op == B_GETK || b->op == B_GETKQ ? b->klen : 0;
	char flags[4];

	if (!it)
		return quiet || bin_status(c, b, B_NOT_FOUND, 0);
	put_be(flags, it->flags, 4);
	if (!bin_head(c, b, B_OK, 4, klen, it->len, it->cas) || !say(c, flags, 4) ||
	    (klen && !say(c, b->key, klen))) {
		item_put(it);
		return false;
	}
	return say_value(c, it, it->len);
}

static bool bin_store(struct conn *c, const struct bin *b)
{
	static const uint8_t verb[] = {
	    [B_SET] = SET,         [B_ADD] = ADD,  [B_REPLACE] = REPLACE, [B_APPEND] = APPEND,
	    [B_PREPEND] = PREPEND, [B_SETQ] = SET, [B_ADDQ] = ADD,        [B_REPLACEQ] = REPLACE};
	bool join = b->op == B_APPEND || b->op == B_PREPEND;
	struct item *it;
	uint64_t cas = 0;
	enum result r = NO_MEMORY;

	if (b->extras != (join ? 0 : 8) || !b->klen || b->vlen > VALUE_MAX)
		return bin_status(c, b, b->vlen > VALUE_MAX ? B_TOO_LARGE : B_INVALID, 0);
	it = item_new(b->key, b->klen, join ? 0 : (uint32_t)be(b->ext, 4),
		      join ? 0 : expiry_of((int64_t)be(b->ext + 4, 4)), b->vlen);
	if (it) {
		memcpy(value(it), b->val, b->vlen);
		r = store(it, (enum store)verb[b->op], b->cas, &cas);
	}
	if (r == STORED && b->op >= B_SETQ)
		return true;
	/* A failed add or replace has a status of its own here. */
	if (r == NOT_STORED && !join)
		return bin_status(c, b, verb[b->op] == ADD ? B_EXISTS : B_NOT_FOUND, 0);
	return bin_status(c, b, bin_of(r), cas);
}

static bool bin_arith(struct conn *c, const struct bin *b)
{
	uint64_t v = 0;
	enum result r;
	char out[24];

	if (b->extras != 20 || !b->klen)
		return bin_status(c, b, B_INVALID, 0);
	r = arith(b->key, b->klen, be(b->ext, 8), b->op == B_INCR, &v);
	if (r == NOT_FOUND && be(b->ext + 16, 4) != UINT32_MAX) {
		struct item *it;
		int n;

		v = be(b->ext + 8, 8);
		n = snprintf(out, sizeof(out), "%llu", (unsigned long long)v);
		it = item_new(b->key, b->klen, 0, expiry_of((int64_t)be(b->ext + 16, 4)),
			      (uint32_t)n);
		r = NO_MEMORY;
		if (it) {
			memcpy(value(it), out, (size_t)n);
			r = store(it, SET, 0, NULL);
		}
	}
	if (r != STORED)
		return bin_status(c, b, r == NOT_STORED ? B_NOT_NUMBER : bin_of(r), 0);
	put_be(out, v, 8);
	return bin_head(c, b, B_OK, 0, 0, 8, 0) && say(c, out, 8);
}

static bool bin_one(struct conn *c, const struct bin *b)
{
	struct item *it;
	enum result r;

	switch (b->op) {
	case B_GET:
	case B_GETQ:
	case B_GETK:
	case B_GETKQ:
		return b->klen ? bin_get(c, b) : bin_status(c, b, B_INVALID, 0);
	case B_SET:
	case B_ADD:
	case B_REPLACE:
	case B_APPEND:
	case B_PREPEND:
	case B_SETQ:
	case B_ADDQ:
	case B_REPLACEQ:
		return bin_store(c, b);
	case B_INCR:
	case B_DECR:
		return bin_arith(c, b);
	case B_DELETE:
	case B_DELETEQ:
		r = delete (b->key, b->klen, b->cas);
		return (b->op == B_DELETEQ && r == STORED) || bin_status(c, b, bin_of(r), 0);
	case B_TOUCH:
		if (b->extras != 4)
			return bin_status(c, b, B_INVALID, 0);
		it = get(b->key, b->klen, expiry_of((int64_t)be(b->ext, 4)));
		if (it)
			item_put(it);
		return bin_status(c, b, it ? B_OK : B_NOT_FOUND, 0);
	case B_FLUSH:
		flush_all();
		return bin_status(c, b, B_OK, 0);
	case B_NOOP:
		return bin_status(c, b, B_OK, 0);
	case B_VERSION:
		return bin_head(c, b, B_OK, 0, 0, 2, 0) && say(c, "ix", 2);
	default:
		return bin_status(c, b, B_UNKNOWN, 0);
	}
}

static ssize_t binary(struct conn *c, const char *data, size_t len)
{
	struct bin b;

	if (len < BIN_HEAD)
		return 0;
	b = (struct bin){
	    .op = (uint8_t)data[1],
	    .klen = (uint16_t)be(data + 2, 2),
	    .extras = (uint8_t)data[4],
	    .body = (uint32_t)be(data + 8, 4),
	    .opaque = (uint32_t)be(data + 12, 4),
	    .cas = be(data + 16, 8),
	};
	if (b.body > 64 * VALUE_MAX || (uint32_t)b.extras + b.klen > b.body || b.klen > KEY_MAX)
		return -1;
	if (len < BIN_HEAD + (size_t)b.body)
		return 0;
	b.ext = data + BIN_HEAD;
	b.key = b.ext + b.extras;
	b.val = b.key + b.klen;
	b.vlen = b.body - b.extras - b.klen;
	if (b.op == B_QUIT || b.op == B_QUITQ) {
		if (b.op == B_QUIT)
			bin_status(c, &b, B_OK, 0);
		return -1;
	}
	return bin_one(c, &b) ? (ssize_t)(BIN_HEAD + (size_t)b.body) : -1;
}
