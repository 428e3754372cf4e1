/* SPDX-License-Identifier: MIT
 *
 * Sends messages to an echo service and compares every byte that comes back.
 *
 *	echo_client udp|tcp|framed ADDRESS PORT MESSAGES [LARGEST [WINDOW]]
 *
 * WINDOW messages are under way at a time, of 16 to LARGEST bytes each; both follow from the message's
 * number, as its bytes do. A datagram without an answer for a second is sent again, and counted.
 * "framed" messages, over TCP, begin with their length as 8 bytes: what netpipe's server echoes.
 * Prints one line; exit status 0 when every message came back as it was sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALLEST     16
#define LARGEST      65507
#define PATIENCE     120 /* seconds without any answer */
#define WAIT_MS      1000
#define WINDOW_LIMIT 1024

struct client {
	int fd;
	uint64_t messages, echoed, wrong, again;
	uint64_t first, next; /* numbers under way are in [first, next) */
	uint32_t largest, window;
	bool framed;
	uint8_t done[WINDOW_LIMIT]; /* of number % WINDOW_LIMIT */
	uint8_t want[LARGEST], got[LARGEST + 1];
};

/*
 * Message `number` in want[]: the number (or the length), then a stream that begins with it. Returns its
 * length.
 */
static uint32_t make(struct client *c, uint64_t number)
{
	uint64_t x = (number + 1) * 0x9e3779b97f4a7c15ull;
	uint32_t len = SMALLEST + (uint32_t)((x >> 32) % (c->largest - SMALLEST + 1));
	uint64_t first = c->framed ? len : number;

	memcpy(c->want, &first, sizeof(first));
	for (uint32_t i = sizeof(first); i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		c->want[i] = (uint8_t)(x >> 32);
	}
	return len;
}

static void send_datagram(struct client *c, uint64_t number)
{
	uint32_t len = make(c, number);

	/* What cannot be sent now counts as lost. */
	(void)!send(c->fd, c->want, len, 0);
}

static void take_datagram(struct client *c, ssize_t len)
{
	uint64_t number;

	if (len < SMALLEST) {
		c->wrong++;
		return;
	}
	memcpy(&number, c->got, sizeof(number));
	if (number >= c->next) {
		c->wrong++;
		return;
	}
	if (make(c, number) != (uint32_t)len || memcmp(c->want, c->got, (size_t)len)) {
		c->wrong++;
		return;
	}
	/* Else it is the answer to one that was sent again. */
	if (number >= c->first && !c->done[number % WINDOW_LIMIT]) {
		c->done[number % WINDOW_LIMIT] = 1;
		c->echoed++;
	}
	while (c->first < c->next && c->done[c->first % WINDOW_LIMIT])
		c->first++;
}

static void datagrams(struct client *c)
{
	unsigned int idle = 0;

	while (c->first < c->messages && idle < PATIENCE) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		ssize_t len;

		while (c->next < c->messages && c->next < c->first + c->window) {
			c->done[c->next % WINDOW_LIMIT] = 0;
			send_datagram(c, c->next++);
		}
		if (poll(&p, 1, WAIT_MS) > 0) {
			idle = 0;
			len = recv(c->fd, c->got, sizeof(c->got), MSG_DONTWAIT);
			if (len >= 0)
				take_datagram(c, len);
			continue;
		}
		idle++;
		for (uint64_t n = c->first; n < c->next; n++) {
			if (c->done[n % WINDOW_LIMIT])
				continue;
			send_datagram(c, n);
			c->again++;
		}
	}
}

/* Messages one after the other, `sent` and `taken` bytes of the current ones done. */
static void stream(struct client *c)
{
	uint32_t sent = 0, taken = 0, len;

	while (c->echoed < c->messages) {
		int more = c->next < c->messages && c->next < c->echoed + c->window;
		struct pollfd p = {.fd = c->fd, .events = POLLIN | (more ? POLLOUT : 0)};
		ssize_t n;

		if (poll(&p, 1, PATIENCE * 1000) <= 0)
			return;
		if (more && p.revents & POLLOUT) {
			len = make(c, c->next);
			n = send(c->fd, c->want + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN)
				return;
			sent += n > 0 ? (uint32_t)n : 0;
			if (sent == len) {
				sent = 0;
				c->next++;
			}
		}
		if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		len = make(c, c->echoed);
		n = recv(c->fd, c->got, len - taken, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		if (n < 0)
			continue;
		if (memcmp(c->want + taken, c->got, (size_t)n)) {
			c->wrong++; /* the rest of the stream would be too */
			return;
		}
		taken += (uint32_t)n;
		if (taken == len) {
			taken = 0;
			c->echoed++;
		}
	}
}

/* A decimal argument, or `otherwise` where it is not given; ends the program outside of the limits. */
static uint64_t number(int argc, char **argv, int i, uint64_t otherwise, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value;

	if (i >= argc)
		return otherwise;
	value = strtoull(argv[i], &end, 10);
	if (*end || end == argv[i] || value < min || value > max) {
		fprintf(stderr, "echo_client: '%s' is not a number from %lu to %lu\n", argv[i], min,
			max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static struct client c;
	struct sockaddr_in to = {.sin_family = AF_INET};
	bool udp = argc > 1 && !strcmp(argv[1], "udp");

	c.framed = argc > 1 && !strcmp(argv[1], "framed");
	if (argc < 5 || argc > 7 || (!udp && !c.framed && strcmp(argv[1], "tcp")) ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: echo_client udp|tcp|framed ADDRESS PORT MESSAGES "
				"[LARGEST [WINDOW]]\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)number(argc, argv, 3, 0, 1, 65535));
	c.messages = number(argc, argv, 4, 0, 1, UINT64_MAX / 2);
	c.largest = (uint32_t)number(argc, argv, 5, 1472, SMALLEST, LARGEST);
	c.window = (uint32_t)number(argc, argv, 6, 16, 1, WINDOW_LIMIT);
	c.fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (c.fd < 0 || connect(c.fd, (struct sockaddr *)&to, sizeof(to))) {
		perror("echo_client");
		return 1;
	}
	if (udp)
		datagrams(&c);
	else
		stream(&c);
	close(c.fd);
	printf("%s: %lu of %lu messages echoed, %lu wrong, %lu sent again\n", argv[1], c.echoed,
	       c.messages, c.wrong, c.again);
	return c.echoed != c.messages || c.wrong;
}
