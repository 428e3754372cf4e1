/* SPDX-License-Identifier: MIT
 *
 * A server that takes memory away under the network: after "go" it waits 200 ms, sends 8 KB by reference,
 * unmaps them at once and maps other memory, full of 'Z'. Other messages are echoed; "end" ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <ix/ixev.h>

#define SIZE  ((size_t)2 << 20)
#define BYTES 8192

static struct ixev_ctx *peer;
static struct ixev_buf piece;
static struct ixev_timer timer;
static char *memory;

static char *map(char fill)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	memset(p, fill, SIZE);
	return p;
}

static void take_away(struct ixev_timer *t)
{
	(void)t;
	munmap(memory, SIZE);
	for (int i = 0; i < 8; i++)
		map('Z');
	printf("taken away\n");
}

static void send_it(struct ixev_timer *t)
{
	memory = map('A');
	piece = (struct ixev_buf){.data = memory, .len = BYTES};
	if (ixev_send_zc(peer, &piece))
		exit(1);
	ixev_timer_init(t, take_away);
	ixev_timer_add(peer->base, t, 2000);
}

static void event(struct ixev_ctx *ctx, unsigned int events)
{
	char buf[100];
	ssize_t n;

	while ((n = ixev_recv(ctx, buf, sizeof(buf))) > 0) {
		if (n == 3 && !memcmp(buf, "end", 3))
			exit(0);
		if (n == 2 && !memcmp(buf, "go", 2)) {
			peer = ctx;
			ixev_timer_init(&timer, send_it);
			ixev_timer_add(ctx->base, &timer, 200000);
		} else if (ixev_send(ctx, buf, (size_t)n) != n) {
			exit(1);
		}
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

int main(void)
{
	struct ixev_listener listener = {.accept = accept_one};
	struct ixev *base;

	if (ixev_open(&base, NULL) || ixev_listen(base, &listener, &ix_ip_any, 7, 0))
		return 1;
	printf("serving\n");
	ixev_loop(base);
	return 0;
}
