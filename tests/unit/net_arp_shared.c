/* SPDX-License-Identifier: MIT */
/* One ARP table for the cores of an interface: what one learns all know, and nobody reads half of it. */
#include "tests/lib/peer.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOST 0x0a000005

static struct peer a, b;
static void *table;
static ixn_udp udp;

static void start(void)
{
	struct ixn_config c;

	peer_default(&c);
	table = aligned_alloc(64, (ixn_arp_size(32) + 63) & ~(size_t)63);
	c.arp = ixn_arp_init(table, 32);
	peer_start(&a, &c);
	peer_start(&b, &c);
	assert_int_equal(ixn_udp_bind(b.n, IXN_ANY, 53, 0, &udp), 0);
}

static void stop(void)
{
	peer_stop(&a);
	peer_stop(&b);
	free(table);
}

/* HOST tells its address, whose last five bytes are `mac`. op 1: asks for ours; 2: an answer. */
static void tell(struct peer *p, uint8_t mac, uint16_t op)
{
	uint8_t f[42] = {2, 0, 0, 0, 0, 1, 2, mac, mac, mac, mac, mac, 8, 6, 0, 1, 8, 0, 6, 4, 0};

	f[21] = (uint8_t)op;
	memcpy(f + 22, f + 6, 6);
	put_be32(f + 28, HOST);
	put_be32(f + 38, op == 1 ? 0x0a000001 : HOST);
	peer_frame_only(p, f, sizeof(f));
}

static int send_one(void)
{
	struct ixn_seg seg = {.ptr = "x", .len = 1};

	return ixn_udp_send(b.n, udp, ixn_from_u32(HOST), 9, &seg, 1, 0, b.now);
}

/* a is asked, so b knows; b asks, a hears the answer, and b's packet leaves. */
static void test_shared(void **state)
{
	(void)state;
	start();
	tell(&a, 7, 1);
	peer_cycle(&a);
	assert_int_equal(send_one(), 0);
	peer_cycle(&b);
	struct frame *f = peer_must(&b);
	assert_memory_equal(f->d, "\2\7\7\7\7\7", 6);
	stop();

	start();
	assert_int_equal(send_one(), 0);
	peer_cycle(&b);
	f = peer_must(&b);
	assert_int_equal(f->d[13], 6); /* who has? */
	peer_expect_none(&b);
	tell(&a, 9, 1); /* another core hears of it */
	peer_cycle(&a);
	peer_clear(&b);
	peer_wait(&b, 1100000);
	f = peer_must(&b);
	assert_memory_equal(f->d, "\2\t\t\t\t\t", 6);
	assert_int_equal(f->d[13], 0);
	stop();
}

static atomic_bool done;

static void *writer(void *arg)
{
	uint8_t mac = 0;

	(void)arg;
	while (!atomic_load_explicit(&done, memory_order_relaxed))
		tell(&a, mac++, 2);
	return NULL;
}

/* While one core writes an entry over and over, another always reads a whole address. */
static void test_race(void **state)
{
	pthread_t thread;
	uint32_t whole = 0, changes = 0;
	uint8_t last = 0;

	(void)state;
	start();
	tell(&a, 1, 1);
	peer_cycle(&a);
	atomic_store(&done, false);
	assert_int_equal(pthread_create(&thread, NULL, writer, NULL), 0);
	for (int i = 0; i < 20000 || (changes < 10 && i < 5000000); i++) {
		struct frame *f;

		if (i % 1000 == 0)
			sched_yield();
		if (send_one())
			break;
		ixn_flush(b.n, b.now);
		b.q.n = 0;
		while ((f = peer_next(&b))) {
			if (f->d[13] == 6) /* a reader that met the writer asks */
				continue;
			whole += f->d[0] == 2 && f->d[1] == f->d[2] && f->d[1] == f->d[3] &&
				 f->d[1] == f->d[4] && f->d[1] == f->d[5];
			changes += f->d[1] != last;
			last = f->d[1];
			b.ngot++; /* packets seen */
		}
		ixn_timers(b.n, b.now);
		b.q.n = 0;
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	print_message("%u packets, %u changes of the address\n", b.ngot, changes);
	assert_int_equal(whole, b.ngot);
	assert_true(b.ngot > 1000 && changes > 1);
	b.ngot = 0;
	peer_wait(&b, 5000000);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
