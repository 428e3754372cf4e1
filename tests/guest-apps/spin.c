/* SPDX-License-Identifier: MIT
 *
 * An echo server that computes too long: a message "spin N" is answered after N milliseconds in an endless
 * loop, as a buggy application would spend them. Argument "now": spins for ever after the first run_io(); "slept": sleeps before;
 * "other": serves on another core.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ix/ixev.h>

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[4096];
	ssize_t n;

	while ((n = ixev_recv(ctx, buf, sizeof(buf) - 1)) > 0) {
		buf[n] = '\0';
		if (!strncmp(buf, "spin ", 5)) {
			uint64_t end = now_ms() + strtoul(buf + 5, NULL, 10);

			while (now_ms() < end)
				for (volatile int i = 0; i < 100000; i++)
					;
		}
		if (ixev_send(ctx, buf, (size_t)n) != n)
			ixev_abort(ctx);
	}
	if (n == 0 || (events & IXEV_HUP))
		ixev_close(ctx);
	else
		ixev_set_mask(ctx, IXEV_IN);
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

static bool sleeps;

static void never_return(struct ixev_timer *t)
{
	const struct timespec pause = {.tv_nsec = 30000000};

	(void)t;
	if (sleeps)
		nanosleep(&pause, NULL);
	for (;;)
		;
}

/* how: the argument or NULL. Returns NULL if it could not serve, or not go on. */
static void *serve(void *how)
{
	struct ixev_listener listener = {.accept = accept_one};
	struct ixev_timer timer;
	struct ixev *base;
	int err = ixev_open(&base, NULL);

	if (!err)
		err = ixev_listen(base, &listener, &ix_ip_any, 7, 0);
	if (err) {
		printf("spin: %s\n", strerror(-err));
		return NULL;
	}
	if (how) {
		sleeps = !strcmp(how, "slept");
		ixev_timer_init(&timer, never_return);
		ixev_timer_add(base, &timer, 1000);
	}
	/* Before it serves it may compute as long as it likes. */
	for (uint64_t end = now_ms() + 15; now_ms() < end;)
		;
	printf("spin: serving\n");
	return ixev_loop(base) < 0 ? NULL : base;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *ok;

	if (argc < 2 || strcmp(argv[1], "other") != 0)
		return !serve(argv[1]);
	return pthread_create(&thread, NULL, serve, NULL) || pthread_join(thread, &ok) || !ok;
}
