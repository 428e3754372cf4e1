/* SPDX-License-Identifier: MIT
 *
 * Echo server for the benchmark: ends after argv[1] bytes, upon which a test boot prints the counters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ixev.h>

static uint64_t left;

static void event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[4096];
	ssize_t n;

	while ((n = ixev_recv(ctx, buf, sizeof(buf))) > 0) {
		if (ixev_send(ctx, buf, (size_t)n) != n)
			exit(1);
		left -= (uint64_t)n < left ? (uint64_t)n : left;
	}
	if (n == 0 || (events & IXEV_HUP))
		ixev_close(ctx);
	else
		ixev_set_mask(ctx, IXEV_IN);
	if (!left)
		ixev_stop(ctx->base);
}

static void release(struct ixev_ctx *ctx)
{
	free(ctx);
}

static const struct ixev_ops ops = {.event = event, .release = release};

static struct ixev_ctx *accept_one(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct ixev_ctx *ctx = malloc(sizeof(*ctx));

	(void)tuple;
	if (ctx)
		ixev_init(l->base, ctx, &ops);
	return ctx;
}

int main(int argc, char **argv)
{
	struct ixev_listener listener = {.accept = accept_one};
	struct ixev *base;

	left = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	if (!left || ixev_open(&base, NULL) || ixev_listen(base, &listener, &ix_ip_any, 7, 0))
		return 1;
	printf("serving\n");
	ixev_loop(base);
	return 0;
}
