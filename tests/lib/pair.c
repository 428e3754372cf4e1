/* SPDX-License-Identifier: MIT
 *
 * Two dataplanes on a virtual wire.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/pair.h"

const struct ix_ip pair_ip[2] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}},
};

struct pair *pair_new(const char *extra, bool bases, const struct ixev_config *conf)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert(p);
	p->delay = 50;
	for (int i = 0; i < 2; i++) {
		char config[1024], error[128];
		struct ixhost_options o = {.config = config, .start = 1000000, .seed = (uint64_t)i};

		snprintf(config, sizeof(config),
			 "address = %s/24\nmac = 02:00:00:00:00:0%d\nconnections = 1024\n"
			 "timewait = 256\nrx-buffers = 1024\nevents = 256\ntx-packets = 1024\n"
			 "tx-references = 4096\nreassembly = 4\ntimers = 64\n%s\n",
			 i ? PAIR_IP_B : PAIR_IP_A, i + 1, extra ? extra : "");
		p->host[i] = ixhost_new(&o, error);
		if (!p->host[i]) {
			fprintf(stderr, "%s\n", error);
			abort();
		}
		pair_bind(p, i);
		if (bases && ixev_open(&p->base[i], conf) != 0)
			abort();
	}
	return p;
}

void pair_free(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		pair_bind(p, i);
		if (p->base[i])
			ixev_shut(p->base[i]);
		ixhost_free(p->host[i]);
	}
	free(p);
}

void pair_bind(struct pair *p, int side)
{
	ixhost_bind(p->host[side]);
}

static void take_off(struct pair *p, int side)
{
	uint8_t frame[IXHOST_PACKET_MAX];
	uint64_t when;
	int64_t n;

	while ((n = ixhost_pull(p->host[side], frame, sizeof(frame), &when)) > 0) {
		p->dice = p->dice * 6364136223846793005ull + 1442695040888963407ull;
		if (p->cut || (p->lose && (p->dice >> 33) % p->lose == 0) ||
		    p->nflight == sizeof(p->flight) / sizeof(p->flight[0]))
			continue;
		p->flight[p->nflight].when = when + p->delay;
		p->flight[p->nflight].len = (size_t)n;
		p->flight[p->nflight].to = !side;
		memcpy(p->flight[p->nflight++].data, frame, (size_t)n);
	}
}

/* Delivers what has arrived, in order. True: something has. */
static bool land(struct pair *p, uint64_t now)
{
	uint32_t kept = 0;
	bool any = false;

	for (uint32_t i = 0; i < p->nflight; i++) {
		if (p->flight[i].when > now) {
			p->flight[kept++] = p->flight[i];
		} else {
			ixhost_push(p->host[p->flight[i].to], p->flight[i].data, p->flight[i].len);
			any = true;
		}
	}
	p->nflight = kept;
	return any;
}

static void turn(struct pair *p, int side)
{
	pair_bind(p, side);
	if (p->turn)
		p->turn(p, side);
	else if (p->base[side])
		ixev_wait(p->base[side], 0);
	else
		ixhost_run(p->host[side]);
	take_off(p, side);
}

void pair_run(struct pair *p, uint64_t usec)
{
	uint64_t now = ixhost_now(p->host[0]);
	uint64_t end = now + usec;

	for (;;) {
		uint64_t next = end;

		/* Twice: events are answered in the round after the one that brings them. */
		for (int k = 0; k < 2; k++) {
			turn(p, 0);
			turn(p, 1);
		}
		if (now >= end)
			return;
		for (int i = 0; i < 2; i++)
			if (ixhost_next(p->host[i]) < next)
				next = ixhost_next(p->host[i]);
		for (uint32_t i = 0; i < p->nflight; i++)
			if (p->flight[i].when < next)
				next = p->flight[i].when;
		now = next > now ? next : now + 1;
		for (int i = 0; i < 2; i++)
			ixhost_advance(p->host[i], now);
		land(p, now);
	}
}
