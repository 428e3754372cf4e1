/* SPDX-License-Identifier: MIT
 *
 * The store of kv: a part of kv.c. Items in hash tables, by shard, each with a lock and a list by use;
 * items are counted, so that one can be sent while it is replaced.
 */

#define SHARDS    256
#define BUCKETS   4096 /* per shard */
#define KEY_MAX   250
#define VALUE_MAX (1u << 20)
#define EXP_REL   (60 * 60 * 24 * 30) /* expiry times above this are absolute */

struct item {
	struct item *next;          /* in its bucket */
	struct item *older, *newer; /* in its shard, by use */
	atomic_uint refs;
	uint32_t hash, flags, len;
	time_t expiry; /* 0: never */
	uint64_t cas;
	uint8_t klen;
	char data[]; /* key, value, "\r\n" */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct item *bucket[BUCKETS];
	struct item *newest, *oldest;
	size_t bytes, limit;
	uint64_t cas;
};

enum store {
	SET,
	ADD,
	REPLACE,
	APPEND,
	PREPEND,
	CAS
};
enum result {
	STORED,
	NOT_STORED,
	EXISTS,
	NOT_FOUND,
	TOO_LARGE,
	NO_MEMORY
};

static struct shard shards[SHARDS];
static atomic_ullong gets, hits, sets;

static uint32_t hash_of(const char *key, size_t len)
{
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * 1099511628211ull;
	return (uint32_t)(h ^ h >> 32);
}

static struct shard *shard_of(uint32_t hash)
{
	return &shards[hash % SHARDS];
}

static char *value(struct item *it)
{
	return it->data + it->klen;
}

static size_t cost(const struct item *it)
{
	return sizeof(*it) + it->klen + it->len + 2;
}

static struct item *item_new(const char *key, size_t klen, uint32_t flags, time_t expiry,
			     uint32_t len)
{
	struct item *it = malloc(sizeof(*it) + klen + len + 2);

	if (!it)
		return NULL;
	*it = (struct item){.refs = 1,
			    .hash = hash_of(key, klen),
			    .flags = flags,
			    .len = len,
			    .expiry = expiry,
			    .klen = (uint8_t)klen};
	memcpy(it->data, key, klen);
	memcpy(value(it) + len, "\r\n", 2);
	return it;
}

static void item_put(struct item *it)
{
	if (atomic_fetch_sub(&it->refs, 1) == 1)
		free(it);
}

static void use(struct shard *s, struct item *it)
{
	it->newer = NULL;
	it->older = s->newest;
	if (s->newest)
		s->newest->newer = it;
	else
		s->oldest = it;
	s->newest = it;
}

static void unuse(struct shard *s, struct item *it)
{
	*(it->newer ? &it->newer->older : &s->newest) = it->older;
	*(it->older ? &it->older->newer : &s->oldest) = it->newer;
}

static struct item **slot(struct shard *s, const char *key, size_t klen, uint32_t hash)
{
	struct item **p = &s->bucket[hash / SHARDS % BUCKETS];

	while (*p && ((*p)->hash != hash || (*p)->klen != klen || memcmp((*p)->data, key, klen)))
		p = &(*p)->next;
	return p;
}

static void remove_item(struct shard *s, struct item **p)
{
	struct item *it = *p;

	*p = it->next;
	unuse(s, it);
	s->bytes -= cost(it);
	item_put(it);
}

/* The live item of a key, or NULL; s->lock is held. */
static struct item *lookup(struct shard *s, const char *key, size_t klen, uint32_t hash,
			   struct item ***where)
{
	struct item **p = slot(s, key, klen, hash);

	if (*p && (*p)->expiry && (*p)->expiry <= time(NULL))
		remove_item(s, p);
	*where = p;
	return *p;
}

/* A counted reference, or NULL. */
static struct item *get(const char *key, size_t klen, time_t touch)
{
	uint32_t hash = hash_of(key, klen);
	struct shard *s = shard_of(hash);
	struct item **p, *it;

	pthread_mutex_lock(&s->lock);
	it = lookup(s, key, klen, hash, &p);
	if (it) {
		atomic_fetch_add(&it->refs, 1);
		unuse(s, it);
		use(s, it);
		if (touch >= 0)
			it->expiry = touch;
	}
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add_explicit(&gets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&hits, it != NULL, memory_order_relaxed);
	return it;
}

static void insert(struct shard *s, struct item **p, struct item *it)
{
	if (*p)
		remove_item(s, p);
	it->cas = ++s->cas;
	it->next = *p;
	*p = it;
	use(s, it);
	s->bytes += cost(it);
	while (s->bytes > s->limit && s->oldest != it)
		remove_item(s, slot(s, s->oldest->data, s->oldest->klen, s->oldest->hash));
}

/* The two values in one item; keeps flags and expiry of the old one. */
static struct item *joined(struct item *a, struct item *b, const struct item *old)
{
	struct item *it = a->len + b->len <= VALUE_MAX ? item_new(old->data, old->klen, old->flags,
								  old->expiry, a->len + b->len)
						       : NULL;

	if (it) {
		memcpy(value(it), value(a), a->len);
		memcpy(value(it) + a->len, value(b), b->len);
	}
	return it;
}

/* Takes the caller's reference to `it`. `cas` 0: any. */
static enum result store(struct item *it, enum store how, uint64_t cas, uint64_t *new_cas)
{
	struct shard *s = shard_of(it->hash);
	enum result r = STORED;
	struct item **p, *old, *both;

	atomic_fetch_add_explicit(&sets, 1, memory_order_relaxed);
	pthread_mutex_lock(&s->lock);
	old = lookup(s, it->data, it->klen, it->hash, &p);
	if (!old && (how == CAS || cas))
		r = NOT_FOUND;
	else if (cas && old->cas != cas)
		r = EXISTS;
	else if ((how == ADD && old) ||
		 (!old && (how == REPLACE || how == APPEND || how == PREPEND)))
		r = NOT_STORED;
	if (r == STORED && (how == APPEND || how == PREPEND)) {
		both = how == APPEND ? joined(old, it, old) : joined(it, old, old);
		item_put(it);
		it = both;
		r = it ? STORED : TOO_LARGE;
	}
	if (r == STORED) {
		insert(s, p, it);
		if (new_cas)
			*new_cas = it->cas;
	} else if (it) {
		item_put(it);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static enum result delete (const char *key, size_t klen, uint64_t cas) {
	uint32_t hash = hash_of(key, klen); struct shard *s = shard_of(hash);
	    enum result r = NOT_FOUND; struct item * *p;

	    pthread_mutex_lock(&s->lock); if (lookup(s, key, klen, hash, &p)){
		r = cas && (*p)->cas != cas ? EXISTS : STORED; if (r == STORED) remove_item(s, p);
}
pthread_mutex_unlock(&s->lock);
return r;
}

/* Adds to a decimal value; NOT_STORED: it is none. Down stops at 0. */
static enum result arith(const char *key, size_t klen, uint64_t by, bool up, uint64_t *out)
{
	uint32_t hash = hash_of(key, klen);
	struct shard *s = shard_of(hash);
	struct item **p, *old, *it;
	enum result r = NOT_FOUND;
	char text[24];
	uint64_t v;
	char *end;
	int n;

	pthread_mutex_lock(&s->lock);
	old = lookup(s, key, klen, hash, &p);
	if (old) {
		v = strtoull(value(old), &end, 10); /* stops at "\r\n" at the latest */
		r = NOT_STORED;
		if (old->len && isdigit((unsigned char)*value(old)) &&
		    end == value(old) + old->len) {
			*out = up ? v + by : v > by ? v - by : 0;
			n = snprintf(text, sizeof(text), "%llu", (unsigned long long)*out);
			it = item_new(key, klen, old->flags, old->expiry, (uint32_t)n);
			r = it ? STORED : NO_MEMORY;
			if (it) {
				memcpy(value(it), text, (size_t)n);
				insert(s, p, it);
			}
		}
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void flush_all(void)
{
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		pthread_mutex_lock(&s->lock);
		while (s->oldest)
			remove_item(s, slot(s, s->oldest->data, s->oldest->klen, s->oldest->hash));
		pthread_mutex_unlock(&s->lock);
	}
}

static time_t expiry_of(int64_t t)
{
	if (t == 0)
		return 0;
	if (t < 0)
		return 1; /* long ago */
	return t > EXP_REL ? (time_t)t : time(NULL) + (time_t)t;
}
