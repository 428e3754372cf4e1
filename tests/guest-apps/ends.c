/* SPDX-License-Identifier: MIT
 *
 * An echo server that ends without closing its connections: the message "exit" is answered with "bye" and
 * exit(), "crash" is a fault, "thread" ends the serving thread, after which another one takes over.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/ixev.h>

static enum {
	SERVING,
	LEAVING, /* this thread ends */
	EXITING
} state;

static void event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[4096];
	ssize_t n;

	while ((n = ixev_recv(ctx, buf, sizeof(buf))) > 0) {
		if (n == 5 && !memcmp(buf, "crash", 5))
			__builtin_trap();
		if (n == 6 && !memcmp(buf, "thread", 6)) {
			state = LEAVING;
			return;
		}
		if (n == 4 && !memcmp(buf, "exit", 4)) {
			ixev_send(ctx, "bye", 3);
			state = EXITING;
			return;
		}
		if (ixev_send(ctx, buf, (size_t)n) != n)
			exit(1);
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

/* What it has, it leaves behind. */
static void *serve(void *arg)
{
	struct ixev_listener listener = {.accept = accept_one};
	struct ixev *base;
	int err = ixev_open(&base, NULL);

	(void)arg;
	if (!err)
		err = ixev_listen(base, &listener, &ix_ip_any, 7, 0);
	if (err) {
		printf("ends: %s\n", strerror(-err));
		exit(1);
	}
	printf("serving\n");
	for (state = SERVING; state == SERVING;)
		ixev_wait(base, IX_WAIT_FOREVER);
	if (state == EXITING) {
		ixev_wait(base, 0); /* hands "bye" over */
		exit(0);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	(void)argv;
	if (argc == 1)
		serve(NULL);
	for (;;) {
		if (pthread_create(&t, NULL, serve, NULL) || pthread_join(t, NULL))
			return 2;
	}
}
