/* SPDX-License-Identifier: MIT
 *
 * ixcpd's server on a real socket, with well-behaved and hostile clients.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux-control/server.h"
#include "linux-control/wire.h"

static char path[64];
static volatile int stop;
static int listener;
static pthread_t thread;

static void request(void *ctx, struct client *client, int count, char **words)
{
	struct json j = {0};

	(void)ctx;
	if (!strcmp(words[0], "fail")) {
		client_error(client, "no %s", words[1]);
	} else if (!strcmp(words[0], "follow")) {
		client_follow(client, "x", 0);
	} else if (!strcmp(words[0], "much")) {
		static char block[1 << 20];

		for (int i = 0; i < 64; i++)
			client_output(client, block, sizeof(block));
	} else {
		client_output(client, "some\n", 5);
		json_number(&j, NULL, (uint64_t)count);
		client_result(client, &j);
	}
}

static void follow(void *ctx, struct client *client)
{
	struct json j = {0};

	(void)ctx;
	if ((*client_position(client))++ < 3) {
		client_output(client, "tick", 4);
		return;
	}
	json_string(&j, NULL, client_following(client));
	client_result(client, &j);
}

static int tick(void *ctx)
{
	(void)ctx;
	return 5;
}

static void *run(void *arg)
{
	static const struct server_ops ops = {request, follow, tick};

	(void)arg;
	server_run(listener, &ops, NULL, &stop);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/ctl_server.%d", (int)getpid());
	listener = server_listen(path);
	return listener < 0 || pthread_create(&thread, NULL, run, NULL);
}

static int teardown(void **state)
{
	(void)state;
	stop = 1;
	pthread_join(thread, NULL);
	close(listener);
	unlink(path);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval limit = {20, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void ask(int fd, const char *words, size_t size)
{
	struct wire_header h = {(uint32_t)size, WIRE_REQUEST};

	assert_int_equal(write(fd, &h, sizeof(h)), sizeof(h));
	assert_int_equal(write(fd, words, size), size);
}

/* All bytes until the server closes. */
static size_t answer(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size && (got = read(fd, text + n, size - n)) > 0)
		n += (size_t)got;
	close(fd);
	return n;
}

static void assert_frame(const char *at, enum wire_kind kind, const char *text)
{
	struct wire_header h;

	memcpy(&h, at, sizeof(h));
	assert_int_equal(h.kind, kind);
	assert_int_equal(h.size, strlen(text));
	assert_memory_equal(at + sizeof(h), text, h.size);
}

static void test_request(void **state)
{
	char text[256];
	int fd = dial();

	(void)state;
	ask(fd, "one\0two\0", 8);
	assert_int_equal(answer(fd, text, sizeof(text)), 8 + 5 + 8 + 1);
	assert_frame(text, WIRE_OUTPUT, "some\n");
	assert_frame(text + 13, WIRE_RESULT, "2");
	fd = dial();
	ask(fd, "fail\0way\0", 9);
	assert_int_equal(answer(fd, text, sizeof(text)), 8 + 6);
	assert_frame(text, WIRE_ERROR, "no way");
}

static void test_slow_client(void **state)
{
	struct wire_header h = {4, WIRE_REQUEST};
	char bytes[12], text[64];
	int fd = dial();

	(void)state;
	memcpy(bytes, &h, 8);
	memcpy(bytes + 8, "abc", 4);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(write(fd, bytes + i, 1), 1);
		usleep(1000);
	}
	assert_int_equal(answer(fd, text, sizeof(text)), 22);
}

static void test_follow(void **state)
{
	char text[256];
	int fd = dial();

	(void)state;
	ask(fd, "follow", 7);
	assert_int_equal(answer(fd, text, sizeof(text)), 3 * 12 + 8 + 3);
	assert_frame(text + 36, WIRE_RESULT, "\"x\"");
}

static void test_malformed(void **state)
{
	static const struct wire_header bad[] = {{0, WIRE_REQUEST},
						 {WIRE_REQUEST_MAX + 1, WIRE_REQUEST},
						 {4, WIRE_RESULT},
						 {UINT32_MAX, UINT32_MAX}};
	char text[64];
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = dial();
		assert_int_equal(write(fd, &bad[i], 8), 8);
		assert_int_equal(answer(fd, text, sizeof(text)), 0);
	}
	fd = dial();
	ask(fd, "abc", 3); /* no NUL */
	assert_int_equal(answer(fd, text, sizeof(text)), 8 + 17);
	fd = dial();
	ask(fd, "\0", 1); /* an empty word */
	assert_int_equal(answer(fd, text, sizeof(text)), 8 + 17);
}

/* A client that does not read, and many that say nothing, do not keep others from being served. */
static void test_hostile(void **state)
{
	int fd[SERVER_CLIENTS_MAX - 1];
	char text[64];
	int other;

	(void)state;
	other = dial();
	ask(other, "much", 5);
	for (int i = 0; i < SERVER_CLIENTS_MAX - 2; i++)
		fd[i] = dial();
	test_request(state);
	/* More than fit are turned away, and the server goes on. */
	for (int i = SERVER_CLIENTS_MAX - 2; i < SERVER_CLIENTS_MAX - 1; i++)
		fd[i] = dial();
	for (int i = 0; i < SERVER_CLIENTS_MAX - 1; i++)
		close(fd[i]);
	close(other);
	other = dial();
	ask(other, "x", 2);
	assert_int_equal(answer(other, text, sizeof(text)), 22);
}

static void test_mode(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request), cmocka_unit_test(test_slow_client),
	    cmocka_unit_test(test_follow),  cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_hostile), cmocka_unit_test(test_mode),
	};

	return cmocka_run_group_tests_name("ctl_server", tests, setup, teardown);
}
