/* SPDX-License-Identifier: MIT
 *
 * stream_peer: the other side of `stream` (tests/apps), on Linux's TCP.
 *
 *	stream_peer serve PORT [CONGESTION]
 *	stream_peer put|get ADDRESS PORT BYTES [CONGESTION]
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/apps/pattern.h"

static unsigned char pattern[2 * PATTERN_LEN];

static int send_all(int fd, const void *data, size_t len)
{
	for (const char *p = data; len;) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int recv_all(int fd, void *data, size_t len)
{
	for (char *p = data; len;) {
		ssize_t n = read(fd, p, len);

		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int source(int fd, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		uint64_t n = length - done < 65536 ? length - done : 65536;

		if (send_all(fd, pattern + done % PATTERN_LEN, n) < 0)
			return -1;
		done += n;
	}
	return 0;
}

/* Bytes that came right; -1 if not all came. */
static int64_t sink(int fd, uint64_t length)
{
	static unsigned char buf[1 << 18];
	int wrong = 0;

	for (uint64_t done = 0; done < length;) {
		uint64_t want = length - done < sizeof(buf) ? length - done : sizeof(buf);
		ssize_t n = read(fd, buf, want);

		if (n <= 0)
			return -1;
		wrong |= memcmp(buf, pattern + done % PATTERN_LEN, (size_t)n) != 0;
		done += (uint64_t)n;
	}
	return wrong ? 0 : (int64_t)length;
}

static int client(int fd, int direction, uint64_t length)
{
	struct stream_request req = {(uint64_t)direction, length};
	uint64_t answer;

	if (send_all(fd, &req, sizeof(req)) < 0)
		return -1;
	if (direction == STREAM_GET)
		return sink(fd, length) == (int64_t)length ? 0 : -1;
	if (source(fd, length) < 0 || recv_all(fd, &answer, sizeof(answer)) < 0)
		return -1;
	return answer == length ? 0 : -1;
}

static void serve_one(int fd)
{
	struct stream_request req;
	int64_t n;

	if (recv_all(fd, &req, sizeof(req)) < 0)
		return;
	if (req.direction == STREAM_GET) {
		source(fd, req.length);
	} else {
		n = sink(fd, req.length);
		if (n >= 0)
			send_all(fd, &n, sizeof(n));
	}
}

static int serve(int s)
{
	if (listen(s, 128) < 0)
		return 1;
	puts("stream_peer: ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(s, NULL, NULL);

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (fd >= 0 && fork() == 0) {
			serve_one(fd);
			exit(0);
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct timespec t0, t1;
	uint64_t length;
	int cc = argc > 1 && strcmp(argv[1], "serve") == 0 ? 3 : 5;
	int one = 1, bad;
	double sec;

	if (argc < 3 || (argc < 5 && strcmp(argv[1], "serve") != 0))
		return 2;
	pattern_fill(pattern);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (argc > cc &&
	    setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, argv[cc], (socklen_t)strlen(argv[cc])) < 0) {
		perror(argv[cc]);
		return 1;
	}
	if (strcmp(argv[1], "serve") == 0) {
		a.sin_port = htons((uint16_t)atoi(argv[2]));
		return bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ? 1 : serve(s);
	}
	a.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &a.sin_addr);
	length = strtoull(argv[4], NULL, 10);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror("connect");
		return 1;
	}
	bad = client(s, argv[1][0] == 'p' ? STREAM_PUT : STREAM_GET, length);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	sec = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("stream_peer: %s, %.2f Mbit/s\n", bad ? "WRONG" : "right",
	       (double)length * 8 / sec / 1e6);
	return bad != 0;
}
