/* SPDX-License-Identifier: MIT
 *
 * The configuration parser, and the application's timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/core/priv.h"

static struct core_config cfg;
static struct core_config_error err;

static int parse(const char *text)
{
	core_config_default(&cfg);
	return core_config_parse(&cfg, text, strlen(text), NULL, NULL, &err);
}

static void reads_all_forms(void **state)
{
	const struct ixn_acl *a = cfg.acl;

	(void)state;
	assert_int_equal(parse("# a comment\n\n"
			       "address = 10.1.2.3/24 # and another\r\n"
			       "\taddress=192.168.0.1/16\n"
			       "gateway = 10.1.2.254\n"
			       "route = 10.9.0.0/16 via 10.1.2.9\nroute = 10.8.0.0/16\n"
			       "arp = 10.1.2.9 02:aB:00:00:00:ff\n"
			       "mac = 02:00:00:00:00:01\n"
			       "acl = deny in tcp 10.0.0.0/8 22\n"
			       "acl = allow both udp any 1000-2000\n"
			       "acl = deny out any any\n"
			       "batch = 16\nconnections = 64K\nidle = poll\n"
			       "tcp.rto-min = 5ms\ntcp.delayed-ack = 16us\ntcp.congestion = dctcp\n"
			       "tcp.sack = off\ntcp.receive-window = 1M"),
			 0);
	assert_int_equal(cfg.naddrs, 2);
	assert_int_equal(ixn_to_u32(&cfg.addr[0].addr), 0x0a010203);
	assert_int_equal(cfg.addr[1].len, 16);
	assert_int_equal(ixn_to_u32(&cfg.gateway), 0x0a0102fe);
	assert_int_equal(cfg.nroutes, 2);
	assert_int_equal(ixn_to_u32(&cfg.route[0].gw), 0x0a010209);
	assert_int_equal(cfg.arp[0].mac[1], 0xab);
	assert_int_equal(cfg.net.mac[5], 1);
	assert_int_equal(cfg.nacls, 3);
	assert_true(!a[0].allow && a[0].in && !a[0].out && a[0].proto == 6 && a[0].prefix == 8 &&
		    a[0].port_lo == 22 && a[0].port_hi == 22);
	assert_true(a[1].allow && a[1].in && a[1].out && a[1].proto == 17 && a[1].prefix == 0 &&
		    a[1].port_lo == 1000 && a[1].port_hi == 2000);
	assert_true(!a[2].allow && a[2].out && !a[2].proto && a[2].port_hi == 65535);
	assert_int_equal(cfg.batch, 16);
	assert_int_equal(cfg.net.max_conns, 65536);
	assert_false(cfg.idle_sleep);
	assert_int_equal(cfg.net.tcp.rto_min_us, 5000);
	assert_int_equal(cfg.net.tcp.delack_us, 16);
	assert_int_equal(cfg.net.tcp.cc, IXN_CC_DCTCP);
	assert_false(cfg.net.tcp.sack);
	assert_int_equal(cfg.net.tcp.rcv_wnd, 1 << 20);
}

static void refuses_with_the_line(void **state)
{
	static const char *const bad[] = {
	    "nonsense",
	    "unknown = 1",
	    "batch = 0",
	    "batch = 257",
	    "batch = 1x",
	    "batch =",
	    "batch = -1",
	    "batch = 99999999999999999999",
	    "connections = 18446744073709551616",
	    "address = 10.0.0",
	    "address = 10.0.0.256",
	    "address = 10.0.0.1/33",
	    "address = 10.0.0.1/",
	    "address = 1.2.3.4/24x",
	    "gateway = 1.2.3.4/24",
	    "route = 10.0.0.0/8 via",
	    "route = 10.0.0.0/8 by 1.2.3.4",
	    "route = 10.0.0.0/8 via 1.2.3.4 5",
	    "arp = 1.2.3.4",
	    "arp = 1.2.3.4 02:00:00:00:00",
	    "mac = 02:00:00:00:00:0g",
	    "acl = maybe in tcp any",
	    "acl = deny up tcp any",
	    "acl = deny in sctp any",
	    "acl = deny in tcp any 70000",
	    "acl = deny in tcp any 9-8",
	    "acl = deny in tcp any 1 2",
	    "idle = doze",
	    "tcp.congestion = bbr",
	    "tcp.profile = x",
	    "tcp.sack = yes",
	    "tcp.rto-min = 15us",
	    "tcp.rto-min = 1d",
	    "port-low = 60000\nport-high = 50000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "batch = 8\n\n%s\n", bad[i]);
		if (parse(text) != -22 || !err.what)
			fail_msg("accepted: %s", bad[i]);
		if (!strchr(bad[i], '\n'))
			assert_int_equal(err.line, 3);
	}
}

static void lines_have_a_length(void **state)
{
	char text[400];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text + 380, "batch = 8", 10);
	assert_int_equal(parse(text), 0); /* spaces in front do not count */
	memset(text, 'x', sizeof(text));
	text[399] = '\0';
	assert_int_equal(parse(text), -22);
	text[0] = '#';
	assert_int_equal(parse(text), 0);
	core_config_default(&cfg);
	assert_int_equal(core_config_parse(&cfg, "batch\0= 8", 9, NULL, NULL, &err), -22);
	assert_int_equal(core_config_parse(&cfg, "", 0, NULL, NULL, &err), 0);
}

static void lists_have_an_end(void **state)
{
	char text[16384] = "";

	(void)state;
	for (int i = 0; i < CORE_MAX_ADDRS; i++)
		strcat(text, "address = 1.2.3.4\n");
	assert_int_equal(parse(text), 0);
	strcat(text, "address = 1.2.3.4\n");
	assert_int_equal(parse(text), -22);
	assert_int_equal(err.line, CORE_MAX_ADDRS + 1);
	text[0] = '\0';
	for (int i = 0; i < CORE_MAX_ACLS; i++)
		strcat(text, "acl = deny in tcp any 1\n");
	assert_int_equal(parse(text), 0);
	strcat(text, "acl = deny in tcp any 1\n");
	assert_int_equal(parse(text), -22);
}

static int extra(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (strcmp(key, "mine") != 0)
		return -1;
	return strcmp(value, "good") != 0 ? -22 : 0;
}

static void others_may_add_keys(void **state)
{
	(void)state;
	core_config_default(&cfg);
	assert_int_equal(core_config_parse(&cfg, "mine = good", 11, extra, NULL, &err), 0);
	assert_int_equal(core_config_parse(&cfg, "mine = bad", 10, extra, NULL, &err), -22);
	assert_int_equal(core_config_parse(&cfg, "yours = good", 12, extra, NULL, &err), -22);
	assert_string_equal(err.what, "unknown key");
}

/* ---- timers ---- */

#define N 1000

static void timers_come_in_order(void **state)
{
	void *mem = malloc(timers_size(N));
	uint64_t expiry[N], handle[N], h, cookie, last = 0, x = 1;
	struct user_timers t;
	unsigned int left = 0;

	(void)state;
	timers_init(&t, mem, N);
	assert_true(timers_next(&t) == UINT64_MAX);
	for (int i = 0; i < N; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		expiry[i] = x >> 50;
		handle[i] = (uint64_t)timers_arm(&t, 0, (uint64_t)i, expiry[i]);
		assert_true((int64_t)handle[i] > 0);
	}
	assert_int_equal(timers_arm(&t, 0, 0, 0), -E_NOBUFS);
	for (int i = 0; i < N; i += 3) { /* a third cancelled, a third set anew */
		assert_int_equal(timers_cancel(&t, handle[i]), 0);
		assert_int_equal(timers_cancel(&t, handle[i]), -E_BADF);
		if (i + 1 < N) {
			expiry[i + 1] += 5000;
			assert_true(timers_arm(&t, handle[i + 1], (uint64_t)(i + 1),
					       expiry[i + 1]) == (int64_t)handle[i + 1]);
		}
	}
	while (timers_pop(&t, UINT64_MAX - 1, &h, &cookie)) {
		assert_true(cookie % 3 != 0);
		assert_true(h == handle[cookie]);
		assert_true(expiry[cookie] >= last);
		last = expiry[cookie];
		left++;
	}
	assert_int_equal(left, N - (N + 2) / 3);
	free(mem);
}

static void timer_handles_age(void **state)
{
	void *mem = malloc(timers_size(2));
	struct user_timers t;
	uint64_t h, h2, got, cookie;

	(void)state;
	timers_init(&t, mem, 2);
	h = (uint64_t)timers_arm(&t, 0, 7, 100);
	assert_false(timers_pop(&t, 99, &got, &cookie));
	assert_true(timers_pop(&t, 100, &got, &cookie));
	assert_int_equal(cookie, 7);
	/* Fired, not released: it can be set again and cancelled. */
	assert_true(timers_arm(&t, h, 8, 200) == (int64_t)h);
	assert_int_equal(timers_cancel(&t, h), 0);
	h2 = (uint64_t)timers_arm(&t, 0, 9, 50);
	assert_true(h2 != h);
	assert_int_equal((uint32_t)h2, (uint32_t)h);
	assert_int_equal(timers_arm(&t, h, 1, 1), -E_BADF);
	assert_int_equal(timers_cancel(&t, h), -E_BADF);
	assert_int_equal(timers_cancel(&t, 0), -E_BADF);
	assert_int_equal(timers_cancel(&t, h2 + 1000), -E_BADF);
	free(mem);
}

/* Defaults shrink to what is there; what was asked for does not. */
static void fits_small_memory(void **state)
{
	const uint64_t mb = 1 << 20;

	(void)state;
	assert_int_equal(parse("batch = 8"), 0);
	assert_false(core_config_fit(&cfg, 256 * mb));
	assert_int_equal(cfg.net.max_conns, 65536);
	for (uint64_t size = 48 * mb; size >= 8 * mb; size /= 2) {
		core_config_default(&cfg);
		assert_true(core_config_fit(&cfg, size));
		assert_true(core_mem_size(&cfg) + core_shared_size(&cfg) <= size);
		assert_true(cfg.net.tcp.max_rx_bufs <= cfg.rx_buffers / 2);
		assert_true(cfg.rx_buffers >= 2 * cfg.rx_ring);
	}
	assert_int_equal(parse("connections = 30000\nrx-buffers = 4K"), 0);
	core_config_fit(&cfg, mb);
	assert_int_equal(cfg.net.max_conns, 30000);
	assert_int_equal(cfg.rx_buffers, 4096);
	assert_int_equal(cfg.net.tx_recs, 4096);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_all_forms),      cmocka_unit_test(refuses_with_the_line),
	    cmocka_unit_test(lines_have_a_length),  cmocka_unit_test(lists_have_an_end),
	    cmocka_unit_test(others_may_add_keys),  cmocka_unit_test(fits_small_memory),
	    cmocka_unit_test(timers_come_in_order), cmocka_unit_test(timer_handles_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
