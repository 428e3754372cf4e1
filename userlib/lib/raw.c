/* SPDX-License-Identifier: MIT
 *
 * An elastic thread with growing call arrays, and addresses as text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <ix/ix.h>

const struct ix_ip ix_ip_any;

static struct ix_call *calls_alloc(uint32_t n)
{
	return aligned_alloc(sizeof(struct ix_call), n * sizeof(struct ix_call));
}

int ix_attach(struct ix_thread *t)
{
	long err;

	memset(t, 0, sizeof(*t));
	t->cap = t->results_cap = 256;
	t->calls = calls_alloc(t->cap);
	t->results = calls_alloc(t->cap);
	err = t->calls && t->results ? ix_attach_raw(&t->info) : -ENOMEM;
	if (err < 0) {
		ix_detach(t);
		return (int)err;
	}
	t->events = (const struct ix_event *)(uintptr_t)t->info.events;
	return 0;
}

const char *ix_attach_error(int err)
{
	switch (err) {
	case -ENOSYS:
		return "not in a dataplane: start the program with ixctl, or build it with ix-cc "
		       "--hosted and run it with ixhost";
	case -ENOTSUP:
	case -EINVAL:
		return "the dataplane's kernel does not offer this program's version of the "
		       "interface";
	case -EAGAIN:
		return "every core of the dataplane has its thread already";
	case -EBUSY:
		return "the thread is attached already";
	default:
		return strerror(-err);
	}
}

void ix_detach(struct ix_thread *t)
{
	free(t->calls);
	free(t->results);
	t->calls = t->results = NULL;
	t->cap = t->results_cap = t->ncalls = t->done = 0;
}

struct ix_call *ix_next(struct ix_thread *t)
{
	if (t->ncalls == t->cap) {
		uint32_t cap = t->cap * 2;
		struct ix_call *calls = cap <= IX_CALLS_MAX ? calls_alloc(cap) : NULL;

		if (!calls)
			return NULL;
		memcpy(calls, t->calls, t->ncalls * sizeof(*calls));
		free(t->calls);
		t->calls = calls;
		t->cap = cap;
	}
	return memset(&t->calls[t->ncalls++], 0, sizeof(struct ix_call));
}

long ix_run(struct ix_thread *t, uint64_t wait_us)
{
	struct ix_call *calls = t->calls;
	uint32_t cap = t->cap;
	long n = ix_run_io(calls, t->ncalls, wait_us);

	/* New calls may be written while the results of these are read. */
	t->calls = t->results;
	t->cap = t->results_cap;
	t->results = calls;
	t->results_cap = cap;
	t->done = n < 0 ? 0 : t->ncalls;
	t->ncalls = 0;
	return n;
}

int ix_ip_parse(struct ix_ip *ip, const char *text)
{
	const char *s = text;
	uint8_t a[4];

	for (int i = 0; i < 4; i++) {
		unsigned int v = 0, digits = 0;

		for (; *s >= '0' && *s <= '9' && digits < 3; s++, digits++)
			v = v * 10 + (unsigned int)(*s - '0');
		if (!digits || v > 255 || *s != (i < 3 ? '.' : '\0'))
			return -EINVAL;
		a[i] = (uint8_t)v;
		s++;
	}
	*ip = ix_ip4(a[0], a[1], a[2], a[3]);
	return 0;
}

char *ix_ip_format(const struct ix_ip *ip, char text[IX_IP_STRLEN])
{
	snprintf(text, IX_IP_STRLEN, "%u.%u.%u.%u", ip->b[12], ip->b[13], ip->b[14], ip->b[15]);
	return text;
}
