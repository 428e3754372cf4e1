/* SPDX-License-Identifier: MIT
 *
 * ixcpd's side of the Unix socket (wire.h): one thread, many clients, no client can hold it up.
 */
#ifndef LINUX_CONTROL_SERVER_H
#define LINUX_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "linux-control/json.h"

#define SERVER_CLIENTS_MAX 32

struct client;

struct server_ops {
	/*
	 * A request of `count` words, the first not empty. It is answered by client_result() or
	 * client_error(), now or later from follow().
	 */
	void (*request)(void *ctx, struct client *client, int count, char **words);
	/* Called for each client that asked for it with client_follow(), every now and then. */
	void (*follow)(void *ctx, struct client *client);
	/* Called as often, once. Returns milliseconds until the next time at most. */
	int (*tick)(void *ctx);
};

/* A listening socket at `path` that only root can connect to; -errno on failure. */
int server_listen(const char *path);

/* Serves until *stop, set by a signal handler. Returns 0 or -errno. */
int server_run(int fd, const struct server_ops *ops, void *ctx, const volatile int *stop);

void client_output(struct client *client, const void *bytes, size_t size);
void client_result(struct client *client, struct json *json); /* frees its text */
__attribute__((format(printf, 2, 3))) void client_error(struct client *client, const char *format,
							...);
/* Marks the client as one that follow() is called for, with something to remember. */
void client_follow(struct client *client, const char *what, unsigned long long position);
const char *client_following(const struct client *client);
unsigned long long *client_position(struct client *client);

#endif
