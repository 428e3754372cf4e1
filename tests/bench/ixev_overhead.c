/* SPDX-License-Identifier: MIT
 *
 * What ixev costs over the raw interface: cycles and instructions of the server's rounds per 64-byte
 * echo, everything from frame in to frame out, with a server on raw calls and one on ixev, in the same
 * run. Two embedded dataplanes on a virtual wire. Cycles are the best of several runs; instructions are
 * counted by callgrind (the program runs itself under it: `ixev_overhead raw|ixev MESSAGES`), and do not
 * depend on the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ix/ixev.h>

#include "tests/lib/pair.h"

#define CONNS    64
#define SIZE     64
#define MESSAGES 200000
#define RUNS     5
#define COUNTED  10000 /* messages whose instructions are counted */

static uint64_t cycles, answered;

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* ---- client: one message under way on each connection ---- */

static char message[SIZE];

static void client_event(struct ixev_ctx *x, unsigned int events)
{
	char buf[SIZE];

	(void)events;
	if (ixev_recv(x, buf, SIZE) == SIZE) {
		answered++;
		ixev_send(x, message, SIZE);
	}
}

static void client_dialed(struct ixev_ctx *x, int err)
{
	if (err)
		exit(1);
	ixev_send(x, message, SIZE);
}

static const struct ixev_ops client_ops = {.event = client_event, .dialed = client_dialed};
static struct ixev_ctx client[CONNS];

/* ---- server on ixev ---- */

static void server_event(struct ixev_ctx *x, unsigned int events)
{
	char buf[SIZE];
	ssize_t n;

	(void)events;
	while ((n = ixev_recv(x, buf, SIZE)) > 0)
		ixev_send(x, buf, (size_t)n);
}

static const struct ixev_ops server_ops = {.event = server_event};

static struct ixev_ctx *server_accept(struct ixev_listener *l, const struct ix_tuple *tuple)
{
	struct ixev_ctx *x = malloc(sizeof(*x));

	(void)tuple;
	ixev_init(l->base, x, &server_ops);
	return x;
}

static struct ixev_listener listener = {.accept = server_accept};

/* ---- server on raw calls: sends what it received from where it lies ---- */

static struct ix_thread thread;
static struct ix_iov iov[4096];

static void raw_round(void)
{
	static uint32_t owed[4 * CONNS]; /* bytes to give back once they are acknowledged */
	long n = ix_run(&thread, 0);
	uint32_t k = 0;

	for (long i = 0; i < n; i++) {
		const struct ix_event *e = &thread.events[i];

		switch (e->type) {
		case IX_EV_KNOCK:
			ix_call_accept(ix_next(&thread), e->handle, e->tuple.remote_port % CONNS);
			break;
		case IX_EV_RECV:
			iov[k] = (struct ix_iov){e->addr, e->n};
			ix_call_sendv(ix_next(&thread), e->handle, e->cookie, &iov[k++], 1);
			owed[e->cookie] += e->n;
			break;
		case IX_EV_SENT:
			if (!owed[e->cookie])
				break;
			ix_call_recv_done(ix_next(&thread), e->handle, e->cookie, e->n);
			owed[e->cookie] -= e->n;
			break;
		default:
			break;
		}
	}
}

static bool raw;

/* A function of its own: what callgrind looks at. */
static __attribute__((noinline)) void server_round(struct pair *p)
{
	if (raw)
		raw_round();
	else
		ixev_wait(p->base[0], 0);
}

static void turn(struct pair *p, int side)
{
	uint64_t begin;

	if (side == 1) {
		ixev_wait(p->base[1], 0);
		return;
	}
	begin = tsc();
	server_round(p);
	cycles += tsc() - begin;
}

/* Cycles per message, after `warm` microseconds of the wire's time: 100 are a round trip. */
static double measure(bool use_raw, uint64_t warm, uint64_t messages)
{
	struct pair *p = pair_new("rx-buffers = 4096", false, NULL);
	uint64_t before;
	double result;

	raw = use_raw;
	p->turn = turn;
	pair_bind(p, 0);
	if (raw) {
		ix_attach(&thread);
		ix_call_listen(ix_next(&thread), 0, &ix_ip_any, 80, 0);
	} else {
		ixev_open(&p->base[0], NULL);
		ixev_listen(p->base[0], &listener, &ix_ip_any, 80, 0);
	}
	pair_bind(p, 1);
	ixev_open(&p->base[1], NULL);
	for (int i = 0; i < CONNS; i++) {
		ixev_init(p->base[1], &client[i], &client_ops);
		ixev_connect(&client[i], &pair_ip[0], 80);
	}
	pair_run(p, warm);
	before = answered;
	cycles = 0;
	while (answered - before < messages)
		pair_run(p, 1000);
	result = (double)cycles / (double)(answered - before);
	if (raw)
		ix_detach(&thread);
	pair_free(p);
	return result;
}

/* Instructions of all server rounds of a run, and how many messages were answered in it. */
static bool count(const char *kind, uint64_t messages, double *instructions, double *done)
{
	char self[4096], command[8192], line[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	FILE *f;

	if (n < 0)
		return false;
	self[n] = '\0';
	snprintf(command, sizeof(command),
		 "valgrind --tool=callgrind --callgrind-out-file=/dev/null"
		 " --toggle-collect=server_round '%s' %s %lu 2>&1",
		 self, kind, messages);
	f = popen(command, "r");
	*instructions = *done = 0;
	while (f && fgets(line, sizeof(line), f)) {
		const char *collected = strstr(line, "Collected : ");

		if (collected)
			*instructions = strtod(collected + 12, NULL);
		else if (strncmp(line, "answered ", 9) == 0)
			*done = strtod(line + 9, NULL);
	}
	return f && pclose(f) == 0 && *instructions > 0 && *done > 0;
}

/* Per message: of a long run less a short one, so that connecting does not count. */
static double instructions_per_message(const char *kind)
{
	double i[2], n[2];

	if (!count(kind, COUNTED / 10, &i[0], &n[0]) || !count(kind, COUNTED, &i[1], &n[1])) {
		fprintf(stderr, "ixev_overhead: valgrind cannot count\n");
		exit(1);
	}
	return (i[1] - i[0]) / (n[1] - n[0]);
}

int main(int argc, char **argv)
{
	double best[2] = {1e9, 1e9}, ixev, direct;

	if (argc == 3) {
		measure(strcmp(argv[1], "raw") == 0, 1000, strtoull(argv[2], NULL, 10));
		printf("answered %lu\n", answered);
		return 0;
	}
	for (int i = 0; i < RUNS * 2; i++) {
		double c = measure(i & 1, 200000, MESSAGES);

		best[i & 1] = c < best[i & 1] ? c : best[i & 1];
	}
	printf("bench ixev_echo %.0f cycles\n", best[0]);
	printf("bench raw_echo %.0f cycles\n", best[1]);
	printf("bench ixev_over_raw %.3f ratio\n", best[0] / best[1]);
	ixev = instructions_per_message("ixev");
	direct = instructions_per_message("raw");
	printf("bench ixev_echo_instructions %.0f instructions\n", ixev);
	printf("bench raw_echo_instructions %.0f instructions\n", direct);
	printf("bench ixev_over_raw_instructions %.0f instructions\n", ixev - direct);
	return 0;
}
