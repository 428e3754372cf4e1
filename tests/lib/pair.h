/* SPDX-License-Identifier: MIT
 *
 * Two embedded dataplanes (<ix/ixhost.h>) on one virtual wire, for tests of what is above the stack.
 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include <ix/ixev.h>
#include <ix/ixhost.h>

#define PAIR_IP_A "10.0.0.1"
#define PAIR_IP_B "10.0.0.2"

struct pair {
	struct ixhost *host[2];
	struct ixev *base[2];                   /* NULL: not opened, or driven by the test itself */
	void (*turn)(struct pair *p, int side); /* instead of ixev_wait(); NULL */
	uint32_t lose;                          /* one of so many packets is lost; 0: none */
	bool cut;                               /* nothing goes through */
	uint64_t delay;                         /* microseconds, one way */
	uint64_t dice;
	struct {
		uint64_t when;
		size_t len;
		int to;
		uint8_t data[IXHOST_PACKET_MAX];
	} flight[4096];
	uint32_t nflight;
};

/* `extra`: configuration lines for both sides. Opens both bases if asked to. */
struct pair *pair_new(const char *extra, bool bases, const struct ixev_config *conf);
void pair_free(struct pair *p);

/* Makes `side` the one that libix calls of this thread go to. */
void pair_bind(struct pair *p, int side);

/* Lets time pass: both sides run whenever there is something for them. */
void pair_run(struct pair *p, uint64_t usec);

extern const struct ix_ip pair_ip[2];

#endif
