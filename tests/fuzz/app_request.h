/* SPDX-License-Identifier: MIT
 *
 * For fuzzers of applications' requests: what ix_serve() does, on bytes of the fuzzer's. Each look at
 * the bytes is in memory of just their size, so that ASan sees who reads on.
 */
#ifndef FUZZ_APP_REQUEST_H
#define FUZZ_APP_REQUEST_H

#include <stdlib.h>
#include <string.h>

#include <ix/server.h>

static size_t sent; /* bytes of answers */
static bool ended;

ssize_t ixev_send(struct ixev_ctx *ctx, const void *data, size_t len)
{
	volatile unsigned char sum = 0;

	(void)ctx;
	for (size_t i = 0; i < len; i++)
		sum = (unsigned char)(sum + ((const unsigned char *)data)[i]);
	sent += len;
	return ended ? -EPIPE : (ssize_t)len;
}

int ixev_send_ref(struct ixev_ctx *ctx, const void *data, size_t len, void (*done)(void *arg),
		  void *arg)
{
	if (ixev_send(ctx, data, len) < 0)
		return -EPIPE;
	done(arg);
	return 0;
}

int ixev_shutdown(struct ixev_ctx *ctx)
{
	(void)ctx;
	ended = true;
	return 0;
}

void ixev_close(struct ixev_ctx *ctx)
{
	ixev_shutdown(ctx);
}

void ixev_abort(struct ixev_ctx *ctx)
{
	ixev_shutdown(ctx);
}

const struct ix_attach *ixev_info(const struct ixev *base)
{
	(void)base;
	return NULL;
}

long ix_serve(const struct ix_server *s)
{
	(void)s;
	return -ENOSYS;
}

typedef size_t request_fn(struct ixev_ctx *ctx, const char *data, size_t len, size_t *want);

/* The stream comes in pieces of about `piece` bytes. */
static void feed(request_fn *request, const uint8_t *data, size_t size, size_t piece)
{
	struct ixev_ctx ctx = {0};
	size_t at = 0, have = 0;

	ended = false;
	while (at < size && !ended) {
		size_t used, want;
		char *copy;

		have = have + piece < size - at ? have + piece : size - at;
		want = have + 1;
		copy = malloc(have);
		if (!copy)
			abort();
		memcpy(copy, data + at, have);
		used = request(&ctx, copy, have, &want);
		free(copy);
		if (used) {
			at += used < size - at ? used : size - at;
			have = 0;
		} else if (want > size - at) {
			return;
		} else if (want > have) {
			have = want;
		}
	}
}

#endif
