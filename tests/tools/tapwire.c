/* SPDX-License-Identifier: MIT
 *
 * tapwire: joins two TAP devices by the harmful wire of hosted mode, so that Linux's TCP can be
 * measured over what ours is measured over.
 *
 *	tapwire TAP TAP [loss PERCENT] [reorder P] [dup P] [corrupt P] [delay US] [rate KBPS] [seed N]
 */
#define _GNU_SOURCE /* ppoll */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest/hosted/link.h"
#include "guest/hosted/wire.h"

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void set(struct link_config *c, const char *name, const char *value)
{
	double v = strtod(value, NULL);

	if (strcmp(name, "loss") == 0)
		c->loss = v / 100;
	else if (strcmp(name, "reorder") == 0)
		c->reorder = v / 100;
	else if (strcmp(name, "dup") == 0)
		c->dup = v / 100;
	else if (strcmp(name, "corrupt") == 0)
		c->corrupt = v / 100;
	else if (strcmp(name, "delay") == 0)
		c->delay_us = (uint64_t)v;
	else if (strcmp(name, "rate") == 0)
		c->rate_kbps = (uint64_t)v;
	else if (strcmp(name, "seed") == 0)
		c->seed = (uint64_t)v;
}

int main(int argc, char **argv)
{
	struct link_config cfg = {0};
	struct wire *w[2];
	struct link *l[2];

	for (int i = 3; i + 1 < argc; i += 2)
		set(&cfg, argv[i], argv[i + 1]);
	for (int i = 0; i < 2 && argc > 2; i++) {
		w[i] = wire_tap(argv[1 + i]);
		cfg.seed = cfg.seed * 2 + 1;
		l[i] = link_new(&cfg);
		if (!w[i] || !l[i]) {
			perror(argv[1 + i]);
			return 1;
		}
	}
	if (argc < 3)
		return 2;
	puts("tapwire: ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fd[2] = {{.fd = wire_fd(w[0]), .events = POLLIN},
				       {.fd = wire_fd(w[1]), .events = POLLIN}};
		uint64_t now = now_us(), next = UINT64_MAX, when;
		uint8_t frame[LINK_FRAME_MAX];
		struct timespec ts;

		for (int i = 0; i < 2; i++) {
			size_t n;

			for (int k = 0; k < 64 && (n = wire_recv(w[i], frame)) > 0; k++)
				link_push(l[i], frame, n, now);
			while ((n = link_pop(l[i], frame, now, &when)) > 0) {
				struct iovec iov = {.iov_base = frame, .iov_len = n};

				wire_send(w[!i], &iov, 1);
			}
			next = link_next(l[i]) < next ? link_next(l[i]) : next;
		}
		now = now_us();
		next = next == UINT64_MAX ? 1000000 : next > now ? next - now : 0;
		ts = (struct timespec){.tv_sec = (time_t)(next / 1000000),
				       .tv_nsec = (long)(next % 1000000 * 1000)};
		ppoll(fd, 2, &ts, NULL);
	}
}
