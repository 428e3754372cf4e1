/* SPDX-License-Identifier: MIT
 *
 * kv: a cache that speaks memcached's text protocol and a subset of its binary one.
 *
 *	kv [-p PORT] [-m MEGABYTES]
 *
 * Keys are spread over shards with a lock each, many more than there are cores, so cores seldom meet.
 * Both protocols become one kind of request (its numbers are those of the binary one), which execute()
 * carries out. A large value is sent by reference: it is counted until the peer has acknowledged it.
 *
 * https://github.com/memcached/memcached/blob/master/doc/protocol.txt and the wiki page
 * BinaryProtocolRevamped.
 */
#define _GNU_SOURCE /* mempcpy() */
#include <ctype.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/cache.h>
#include <ix/server.h>

#define SHARDS    256
#define BUCKETS   4096 /* per shard */
#define KEY_MAX   250
#define VALUE_MAX (1u << 20)
#define LINE_MAX  65536
#define BY_REF    2048                /* values from this size on are sent by reference */
#define EXP_REL   (60 * 60 * 24 * 30) /* expiry times above this are absolute */

enum op {
	GET = 0,
	SET = 1,
	ADD = 2,
	REPLACE = 3,
	DELETE = 4,
	INCR = 5,
	DECR = 6,
	QUIT = 7,
	FLUSH = 8,
	NOOP = 10,
	VERSION = 11,
	APPEND = 14,
	PREPEND = 15,
	TOUCH = 28
};

enum status {
	OK = 0,
	NOT_FOUND = 1,
	EXISTS = 2,
	TOO_LARGE = 3,
	INVALID = 4,
	NOT_STORED = 5,
	NOT_NUMBER = 6,
	UNKNOWN = 0x81,
	NO_MEMORY = 0x82
};

struct request {
	enum op op;
	bool quiet, create; /* create: incr and decr begin with `number` where there is none */
	const char *key, *value;
	size_t klen, len;
	uint32_t flags;
	time_t expiry;
	uint64_t cas;           /* of the item that is expected; 0: any */
	uint64_t delta, number; /* incr, decr: by how much, the result */
};

struct item {
	struct ix_cache_item in;
	uint32_t flags, len;
	time_t expiry; /* 0: never */
	uint64_t cas;
	char *value; /* "\r\n" is behind it */
};

static struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct ix_cache cache;
	uint64_t cas;
} shards[SHARDS];

/* ---- the store ---- */

/* Whether a request can be carried out on the key's item. */
static enum status judge(const struct request *r, const struct item *old)
{
	if (r->op == ADD)
		return old ? EXISTS : OK;
	if (!old && (r->cas || !(r->op == SET || r->create)))
		return r->op == APPEND || r->op == PREPEND ? NOT_STORED : NOT_FOUND;
	return r->cas && r->cas != old->cas ? EXISTS : OK;
}

/* What incr and decr leave of a value, into r->number; false: it is no number. */
static bool count(struct request *r, const struct item *old)
{
	char *end;
	uint64_t v = strtoull(old->value, &end, 10); /* stops at "\r\n" at the latest */

	r->number = r->op == INCR ? v + r->delta : v > r->delta ? v - r->delta : 0;
	return isdigit((unsigned char)*old->value) && end == old->value + old->len;
}

/* The digits of a number; returns their end. A GET has three of them: sprintf() would be half its cost. */
static char *put_number(char *p, uint64_t v)
{
	char digit[20];
	int n = 0;

	do
		digit[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*p++ = digit[--n];
	return p;
}

/* Makes the item that replaces `old`. */
static enum status change(struct request *r, const struct item *old, struct item **out)
{
	size_t before = old && r->op == APPEND ? old->len : 0;
	size_t behind = old && r->op == PREPEND ? old->len : 0;
	struct item *it;
	char text[24], *p;

	if (r->op == INCR || r->op == DECR) {
		if (old && !count(r, old))
			return NOT_NUMBER;
		r->value = text;
		r->len = (size_t)(put_number(text, r->number) - text);
	}
	if (before + r->len + behind > VALUE_MAX)
		return TOO_LARGE;
	it = *out = malloc(sizeof(*it) + r->klen + before + r->len + behind + 2);
	if (!it)
		return NO_MEMORY;
	*it = (struct item){.flags = r->flags, .expiry = r->expiry};
	if (old && r->op >= INCR) { /* not a new value */
		it->flags = old->flags;
		it->expiry = old->expiry;
	}
	it->in = (struct ix_cache_item){.klen = (uint32_t)r->klen};
	it->in.key = memcpy(it + 1, r->key, r->klen);
	it->value = p = (char *)(it + 1) + r->klen;
	p = before ? mempcpy(p, old->value, before) : p;
	p = mempcpy(p, r->value, r->len);
	p = behind ? mempcpy(p, old->value, behind) : p;
	it->len = (uint32_t)(p - it->value);
	it->in.size = (size_t)((char *)mempcpy(p, "\r\n", 2) - (char *)it);
	return OK;
}

/* Carries out a request. *it: a counted reference to the item it is about, NULL if there is none. */
static enum status execute(struct request *r, struct item **it)
{
	struct shard *s = &shards[ix_cache_hash(r->key, r->klen) % SHARDS];
	struct item *old;
	enum status status;

	*it = NULL;
	for (int i = 0; r->op == FLUSH && i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		ix_cache_clear(&shards[i].cache);
		pthread_mutex_unlock(&shards[i].lock);
	}
	if (!r->klen)
		return OK;
	pthread_mutex_lock(&s->lock);
	old = (struct item *)ix_cache_find(&s->cache, r->key, r->klen);
	if (old && old->expiry && old->expiry <= time(NULL)) {
		ix_cache_remove(&s->cache, &old->in);
		old = NULL;
	}
	status = judge(r, old);
	if (status == OK && r->op == DELETE) {
		ix_cache_remove(&s->cache, &old->in);
	} else if (status == OK && (r->op == GET || r->op == TOUCH)) {
		old->expiry = r->op == TOUCH ? r->expiry : old->expiry;
		*it = old;
	} else if (status == OK && (status = change(r, old, it)) == OK) {
		(*it)->cas = ++s->cas;
		ix_cache_insert(&s->cache, &(*it)->in);
	}
	if (*it)
		ix_cache_hold(&(*it)->in);
	pthread_mutex_unlock(&s->lock);
	return status;
}

/* A negative time is long ago. */
static time_t expiry_of(uint64_t t)
{
	return t > INT64_MAX ? 1 : (time_t)t + (t && t <= EXP_REL ? time(NULL) : 0);
}

/* ---- answers ---- */

/* An answer with a hole is worse than none: without memory the connection ends. */
static void say(struct ixev_ctx *c, const void *data, size_t len)
{
	if (ixev_send(c, data, len) != (ssize_t)len)
		ixev_abort(c);
}

static void say_line(struct ixev_ctx *c, const char *s)
{
	say(c, s, strlen(s));
	say(c, "\r\n", 2);
}

/* `len` bytes of value and what is behind it; takes the reference. */
static void say_value(struct ixev_ctx *c, struct item *it, size_t len)
{
	if (len >= BY_REF && ixev_send_ref(c, it->value, len, ix_cache_drop, it) == 0)
		return;
	say(c, it->value, len);
	ix_cache_drop(it);
}

/* ---- text: each function returns how many bytes it has used up, or 0 and how many it wants ---- */

static const struct verb {
	const char *name, *done;
	enum op op;
	const char *args; /* Key, Flags, eXpiry, Bytes, Cas, Delta */
} verbs[] = {
    {"set", "STORED", SET, "KFXB"},
    {"add", "STORED", ADD, "KFXB"},
    {"replace", "STORED", REPLACE, "KFXB"},
    {"append", "STORED", APPEND, "KFXB"},
    {"prepend", "STORED", PREPEND, "KFXB"},
    {"cas", "STORED", SET, "KFXBC"},
    {"incr", NULL, INCR, "KD"},
    {"decr", NULL, DECR, "KD"},
    {"touch", "TOUCHED", TOUCH, "KX"},
    {"delete", "DELETED", DELETE, "K"},
    {"flush_all", "OK", FLUSH, ""},
    {"verbosity", "OK", NOOP, ""},
    {"version", "VERSION ix", VERSION, ""},
    {"quit", NULL, QUIT, ""},
};

static const char *const failures[] = {
    [NOT_FOUND] = "NOT_FOUND",
    [EXISTS] = "EXISTS",
    [TOO_LARGE] = "SERVER_ERROR object too large for cache",
    [INVALID] = "CLIENT_ERROR bad command line format",
    [NOT_STORED] = "NOT_STORED",
    [NOT_NUMBER] = "CLIENT_ERROR cannot increment or decrement non-numeric value",
    [NO_MEMORY] = "SERVER_ERROR out of memory storing object",
};

static void text_get(struct ixev_ctx *c, const char *p, bool with_cas)
{
	struct request r = {.op = GET};
	char head[KEY_MAX + 80], *h;
	struct item *it;
	size_t keys = 0;

	for (; (r.klen = ix_word(&p, &r.key)); keys++) {
		if (r.klen > KEY_MAX || execute(&r, &it) != OK)
			continue;
		h = mempcpy(mempcpy(head, "VALUE ", 6), r.key, r.klen);
		*h++ = ' ';
		h = put_number(h, it->flags);
		*h++ = ' ';
		h = put_number(h, it->len);
		if (with_cas) {
			*h++ = ' ';
			h = put_number(h, it->cas);
		}
		h = mempcpy(h, "\r\n", 2);
		say(c, head, (size_t)(h - head));
		say_value(c, it, it->len + 2);
	}
	if (keys)
		say(c, "END\r\n", 5);
	else
		say_line(c, "ERROR");
}

/* Reads a verb's arguments. False: something is wrong with them. */
static bool arguments(struct request *r, const char *args, const char *p)
{
	uint64_t v['X' + 1] = {0};
	const char *word;
	size_t n, more = 0;
	char *end;

	for (; *args; args++) {
		n = ix_word(&p, &word);
		if (*args == 'K') {
			r->key = word;
			r->klen = n;
		} else {
			v[(int)*args] = strtoull(word, &end, 10); /* -1: large, an age ago */
		}
		if (!n || r->klen > KEY_MAX || (*args != 'K' && end != word + n))
			return false;
	}
	for (; (n = ix_word(&p, &word)); more++)
		r->quiet = ix_word_is(word, n, "noreply") && r->op != VERSION;
	r->flags = (uint32_t)v['F'];
	r->expiry = expiry_of(v['X']);
	r->len = v['B'];
	r->cas = v['C'];
	r->delta = v['D'];
	return r->len < UINT32_MAX && (more <= 1 || !r->klen);
}

/* A verb with arguments, `head` bytes in all; `len` bytes are there from `value`. */
static size_t text_verb(struct ixev_ctx *c, const struct verb *v, const char *p, size_t head,
			const char *value, size_t len, size_t *want)
{
	struct request r = {.op = v->op, .value = value};
	enum status status = INVALID;
	struct item *it = NULL;
	size_t need = 0;
	char text[24];

	if (arguments(&r, v->args, p)) {
		need = strchr(v->args, 'B') ? r.len + 2 : 0;
		*want = head + need;
		if (r.len > VALUE_MAX)
			status = TOO_LARGE;
		else if (need > len)
			return 0;
		else if (!need || memcmp(value + r.len, "\r\n", 2) == 0)
			status = execute(&r, &it);
	}
	ix_cache_drop(it);
	if ((r.op == ADD && status == EXISTS) || (r.op == REPLACE && status == NOT_FOUND))
		status = NOT_STORED;
	*put_number(text, r.number) = '\0';
	if (r.op == QUIT)
		ixev_shutdown(c);
	else if (!r.quiet)
		say_line(c, status != OK ? failures[status] : v->done ? v->done : text);
	return head + need;
}

static size_t text(struct ixev_ctx *c, const char *data, size_t len, size_t *want)
{
	const char *nl = memchr(data, '\n', len < LINE_MAX ? len : LINE_MAX);
	const char *p = data, *word;
	size_t head = nl ? (size_t)(nl - data) + 1 : len, n;

	if (!nl && len >= LINE_MAX)
		ixev_close(c);
	if (!nl)
		return 0;
	n = ix_word(&p, &word);
	if (ix_word_is(word, n, "get") || ix_word_is(word, n, "gets")) {
		text_get(c, p, n == 4);
		return head;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (ix_word_is(word, n, verbs[i].name))
			return text_verb(c, &verbs[i], p, head, nl + 1, len - head, want);
	say_line(c, "ERROR");
	return head;
}

/* ---- binary ---- */

#define BIN_REQUEST 0x80
#define BIN_ANSWER  0x81
#define BIN_HEAD    24

static uint64_t be(const char *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | (uint8_t)*p++;
	return v;
}

static void put_be(char *p, uint64_t v, int n)
{
	for (; n--; v >>= 8)
		p[n] = (char)v;
}

/* The head of the answer to a request at `req`, the parts of which follow. */
static void bin_head(struct ixev_ctx *c, const char *req, enum status status, const struct item *it,
		     size_t extras, size_t klen, size_t vlen)
{
	char h[BIN_HEAD] = {(char)BIN_ANSWER, req[1]};

	put_be(h + 2, klen, 2);
	h[4] = (char)extras;
	put_be(h + 6, status, 2);
	put_be(h + 8, extras + klen + vlen, 4);
	memcpy(h + 12, req + 12, 4); /* opaque */
	put_be(h + 16, it ? it->cas : 0, 8);
	say(c, h, BIN_HEAD);
}

/* A complete request whose lengths are right. */
static void bin_request(struct ixev_ctx *c, const char *req, struct request *r, size_t extras)
{
	static const uint8_t extras_of[] = {
	    [SET] = 8, [ADD] = 8, [REPLACE] = 8, [INCR] = 20, [DECR] = 20, [TOUCH] = 4};
	bool plain = r->op >= QUIT && r->op <= VERSION; /* without a key */
	bool keyed = req[1] == 12 || req[1] == 13, number = r->op == INCR || r->op == DECR;
	enum status status = r->op <= PREPEND || r->op == TOUCH ? OK : UNKNOWN;
	const char *e = req + BIN_HEAD;
	struct item *it = NULL;
	char out[8];

	if (status == OK && (plain ? r->klen > 0 : extras != extras_of[r->op] || !r->klen))
		status = INVALID;
	if (status == OK && !plain && extras) {
		r->flags = (uint32_t)be(e, 4);
		r->expiry = expiry_of(be(e + extras - 4, 4));
		r->delta = number ? be(e, 8) : 0;
		r->number = number ? be(e + 8, 8) : 0;
		r->create = number && be(e + 16, 4) != UINT32_MAX;
	}
	if (status == OK)
		status = execute(r, &it);
	if (status == OK && r->op == GET) {
		bin_head(c, req, OK, it, 4, keyed ? r->klen : 0, it->len);
		put_be(out, it->flags, 4);
		say(c, out, 4);
		say(c, r->key, keyed ? r->klen : 0);
		say_value(c, it, it->len);
		return;
	}
	if (!r->quiet || status != (r->op == GET ? NOT_FOUND : OK)) {
		size_t vlen = status != OK ? 0 : number ? 8 : r->op == VERSION ? 2 : 0;

		bin_head(c, req, status, it, 0, 0, vlen);
		put_be(out, r->number, 8);
		say(c, number ? out : "ix", vlen);
	}
	ix_cache_drop(it);
	if (r->op == QUIT)
		ixev_shutdown(c);
}

static size_t binary(struct ixev_ctx *c, const char *req, size_t len, size_t *want)
{
	struct request r = {0};
	size_t extras, body;

	*want = BIN_HEAD;
	if (len < BIN_HEAD)
		return 0;
	r = (struct request){.op = (uint8_t)req[1], .klen = be(req + 2, 2), .cas = be(req + 16, 8)};
	extras = (uint8_t)req[4];
	body = be(req + 8, 4);
	r.quiet = r.op == 9 || r.op == 13 || (r.op >= 17 && r.op <= 26);
	if (r.op == 9 || r.op == 12 || r.op == 13)
		r.op = GET;
	else if (r.op >= 17 && r.op <= 26)
		r.op -= r.op < 25 ? 16 : 11; /* set to flush; append and prepend */
	if (r.klen > KEY_MAX || extras + r.klen > body) {
		ixev_close(c); /* no telling where the next one begins */
		return 0;
	}
	r.len = body - extras - r.klen;
	if (r.len > VALUE_MAX) {
		bin_head(c, req, TOO_LARGE, NULL, 0, 0, 0);
		return BIN_HEAD + body;
	}
	*want = BIN_HEAD + body;
	if (len < *want)
		return 0;
	r.key = req + BIN_HEAD + extras;
	r.value = r.key + r.klen;
	bin_request(c, req, &r, extras);
	return *want;
}

/* ---- the server ---- */

static size_t request(struct ixev_ctx *c, const char *data, size_t len, size_t *want)
{
	return ((uint8_t)*data == BIN_REQUEST ? binary : text)(c, data, len, want);
}

static int start(const struct ix_server *s, struct ixev *base)
{
	printf("kv: core %u serves port %u\n", ixev_info(base)->core, s->port);
	return 0;
}

int main(int argc, char **argv)
{
	struct ix_server server = {.start = start, .request = request};
	uint64_t port = 11211, megabytes = 64;
	int opt, err = 0;

	while ((opt = getopt(argc, argv, "p:m:")) != -1) {
		if (!(opt == 'p' && ix_number_parse(&port, optarg, 1, 65535) == 0) &&
		    !(opt == 'm' && ix_number_parse(&megabytes, optarg, 1, 1 << 20) == 0))
			break;
	}
	if (opt != -1 || optind != argc) {
		fprintf(stderr, "usage: kv [-p PORT] [-m MEGABYTES]\n");
		return 2;
	}
	server.port = (uint16_t)port;
	for (int i = 0; i < SHARDS && err == 0; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		err = ix_cache_init(&shards[i].cache, BUCKETS, (megabytes << 20) / SHARDS);
	}
	if (err == 0)
		err = (int)ix_serve(&server);
	fprintf(stderr, "kv: %s\n", ix_attach_error(err));
	return 1;
}
