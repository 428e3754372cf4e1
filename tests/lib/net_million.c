/* SPDX-License-Identifier: MIT */
/*
 * Many connections between two stacks in memory: set up, an echo on each, tear down.
 * usage: net_million CONNECTIONS. Prints TAP; run by tests/hosted/net_million.
 */
#include "tests/lib/netsim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PORTS 32

static uint32_t conns, connected, knocked, echoed, server_eof, client_dead, server_dead, failed;
static uint32_t started;
static ixn_conn *handle;
static uint8_t request[64], (*reply)[64];
static bool closing;

static void fail(const char *what, int64_t v)
{
	if (!failed++)
		printf("# %s: %ld\n", what, (long)v);
}

static void server(struct sim_host *h, const struct ixn_event *ev)
{
	uint32_t id = (uint32_t)ev->handle - 1;
	struct ixn_seg seg = {.ptr = reply[id], .len = 64};

	switch (ev->type) {
	case IXN_EV_KNOCK:
		knocked++;
		if (ixn_accept(h->n, ev->handle, id))
			fail("accept", id);
		break;
	case IXN_EV_RECV:
		if (ev->len != 64 || memcmp(ev->ptr, request, 60))
			fail("request", ev->len);
		memcpy(reply[id], ev->ptr, 64);
		ixn_recv_done(h->n, ev->handle, ev->len);
		if (ixn_sendv(h->n, ev->handle, &seg, 1) != 64)
			fail("reply", id);
		break;
	case IXN_EV_EOF:
		server_eof++;
		ixn_close(h->n, ev->handle);
		break;
	case IXN_EV_DEAD:
		server_dead++;
		if (ev->result)
			fail("server", ev->result);
		break;
	default:
		break;
	}
}

static void client(struct sim_host *h, const struct ixn_event *ev)
{
	switch (ev->type) {
	case IXN_EV_CONNECTED:
		if (ev->result)
			fail("connect", ev->result);
		connected++;
		break;
	case IXN_EV_RECV:
		if (ev->len != 64 || memcmp(ev->ptr, request, 60))
			fail("echo", ev->len);
		ixn_recv_done(h->n, ev->handle, ev->len);
		echoed++;
		break;
	case IXN_EV_DEAD:
		client_dead++;
		if (ev->result)
			fail("client", ev->result);
		break;
	default:
		break;
	}
}

/* The phases start things at the client's cycle, some at a time. */
static void client_cycle(struct sim_host *h)
{
	struct ixn_tuple t = {.raddr = sim_ip(1)};
	struct ixn_seg seg = {.ptr = request, .len = 64};
	uint32_t done = closing ? client_dead : handle[conns] ? echoed : connected;

	while (started < conns && started - done < 4096) {
		uint32_t i = started++;
		if (closing) {
			ixn_close(h->n, handle[i]);
		} else if (handle[conns]) {
			if (ixn_sendv(h->n, handle[i], &seg, 1) != 64)
				fail("send", i);
		} else {
			t.rport = (uint16_t)(8000 + i % PORTS);
			int err = ixn_connect(h->n, &t, i, h->sim->now, &handle[i]);
			if (err)
				fail("connect call", err);
		}
	}
}

static bool all_connected(void *arg)
{
	(void)arg;
	return failed || (connected == conns && knocked == conns);
}

static bool all_echoed(void *arg)
{
	(void)arg;
	return failed || echoed == conns;
}

static bool all_dead(void *arg)
{
	(void)arg;
	return failed || (client_dead == conns && server_dead == conns);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t phase(struct sim *s, const char *name, bool (*done)(void *), uint32_t n)
{
	static uint32_t number;
	double t = seconds();

	if (number == 1)
		number = 3; /* after the checks of the memory */

	started = 0;
	sim_cycle(s->host[0]);
	bool ok = sim_run(s, s->now + 600000000, done, NULL) && !failed;
	printf("%s %u - %s %u connections\n", ok ? "ok" : "not ok", ++number, name, n);
	printf("# %.1f s\n", seconds() - t);
	return ok;
}

int main(int argc, char **argv)
{
	conns = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	handle = calloc(conns + 1, sizeof(*handle));
	reply = calloc(conns, sizeof(*reply));
	memset(request, 0x5a, sizeof(request));
	struct sim *s = sim_new(1);
	for (int i = 0; i < 2; i++) {
		struct ixn_config c;
		ixn_config_default(&c);
		c.max_conns = conns;
		c.max_timewait = 65536;
		c.tx_recs = conns + 4096;
		c.tx_pkts = 16384;
		c.port_lo = 1024;
		c.port_hi = 65535;
		struct sim_host *h = sim_add(s, &c);
		h->batch = 256;
		h->wire.delay_us = 50;
	}
	s->host[0]->on_event = client;
	s->host[0]->on_cycle = client_cycle;
	s->host[1]->on_event = server;
	struct ixn *srv = s->host[1]->n;
	for (uint16_t i = 0; i < PORTS; i++) {
		ixn_listener l;
		ixn_listen(srv, IXN_ANY, (uint16_t)(8000 + i), conns, 0, &l);
	}
	uint32_t ok = phase(s, "set up", all_connected, conns);
	struct ixn_usage u;
	ixn_usage(srv, &u);
	printf("%s 2 - the server holds them\n", u.conns == conns ? "ok" : "not ok");
	printf("# %zu bytes per connection, %.0f MB for the whole instance\n", u.bytes_per_conn,
	       (double)u.bytes / 1048576);
	printf("%s 3 - at most 512 bytes per connection, less than 1 GB in all\n",
	       u.bytes_per_conn <= 512 && u.bytes < 1u << 30 ? "ok" : "not ok");
	ok &= u.conns == conns && u.bytes_per_conn <= 512;
	handle[conns] = 1;
	if (ok)
		ok &= phase(s, "echo on", all_echoed, conns);
	closing = true;
	if (ok)
		ok &= phase(s, "tear down", all_dead, conns);
	sim_run(s, s->now + 100000000, NULL, NULL);
	ixn_usage(srv, &u);
	bool clean = !u.conns && !u.tx_recs && !u.tx_pkts && !s->host[0]->held && !s->host[1]->held;
	printf("%s 6 - nothing is left\n", clean ? "ok" : "not ok");
	sim_free(s);
	free(handle);
	free(reply);
	return ok && clean ? 0 : 1;
}
