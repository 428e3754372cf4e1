// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <ix/rss.h>

/* Microsoft, "Verifying the RSS Hash Calculation"; 0 where the suite gives no value. */
static const struct vector {
	int family;
	const char *src, *dst;
	uint16_t sport, dport;
	uint32_t hash2, hash4;
	uint32_t index; /* hash4 % 128 */
} vectors[] = {
    {AF_INET, "66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178, 120},
    {AF_INET, "199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea, 106},
    {AF_INET, "24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a, 74},
    {AF_INET, "38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f, 127},
    {AF_INET, "153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2, 34},
    {AF_INET6, "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d,
     61},
    {AF_INET6, "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf,
     63},
    {AF_INET6, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024,
     0x4b61e985, 0x02d1feef, 111},
};

static void toeplitz_matches_the_published_vectors(void **state)
{
	struct ix_toeplitz t;

	(void)state;
	ix_toeplitz_init(&t, ix_rss_default_key);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		size_t alen = v->family == AF_INET ? 4 : 16;
		uint16_t ports[2] = {htons(v->sport), htons(v->dport)};
		uint8_t in[IX_RSS_INPUT_MAX];

		assert_int_equal(inet_pton(v->family, v->src, in), 1);
		assert_int_equal(inet_pton(v->family, v->dst, in + alen), 1);
		memcpy(in + 2 * alen, ports, 4);
		assert_int_equal(ix_toeplitz(&t, in, 2 * alen), v->hash2);
		assert_int_equal(ix_toeplitz(&t, in, 2 * alen + 4), v->hash4);
		assert_int_equal(ix_toeplitz(&t, in, 2 * alen + 4) % IX_RSS_RETA_LEN, v->index);
		if (v->family == AF_INET) {
			uint32_t a, b;

			memcpy(&a, in, 4);
			memcpy(&b, in + 4, 4);
			assert_int_equal(
			    ix_toeplitz_flow4(&t, ntohl(a), ntohl(b), v->sport, v->dport),
			    v->hash4);
		}
	}
}

static void symmetric_key_hashes_both_directions_alike(void **state)
{
	uint8_t key[IX_RSS_KEY_LEN];
	struct ix_toeplitz t;
	uint32_t a = 0x420995bb, b = 0xa18e6450;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i % 2 ? 0x5a : 0x6d;
	ix_toeplitz_init(&t, key);
	assert_int_equal(ix_toeplitz_flow4(&t, a, b, 2794, 1766), 0x9fcc9fcc);
	assert_int_equal(ix_toeplitz_flow4(&t, b, a, 1766, 2794), 0x9fcc9fcc);
}

static void local_port_comes_back_to_the_queue(void **state)
{
	static struct ix_rss rss;
	uint32_t me = 0x0a000001, peer = 0x0a000002;

	(void)state;
	memcpy(rss.key, ix_rss_default_key, sizeof(rss.key));
	ix_toeplitz_init(&rss.toeplitz, rss.key);
	rss.queue_mask = 3;
	for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
		rss.reta[i] = i % 4;
	for (uint32_t queue = 0; queue < 4; queue++) {
		for (uint32_t start = 0; start < 1000; start += 37) {
			uint16_t port =
			    ix_rss_local_port(&rss, me, peer, 80, queue, 49152, 1000, start);
			uint32_t hash = ix_toeplitz_flow4(&rss.toeplitz, peer, me, 80, port);

			assert_in_range(port, 49152, 49152 + 999);
			assert_int_equal(ix_rss_queue(&rss, hash), queue);
		}
	}
	/* Nothing leads to a queue that the table does not name; the range ends at 65535. */
	assert_int_equal(ix_rss_local_port(&rss, me, peer, 80, 4, 49152, 1000, 0), 0);
	assert_int_equal(ix_rss_local_port(&rss, me, peer, 80, 4, 65000, 100000, 5), 0);
	assert_int_equal(ix_rss_local_port(&rss, me, peer, 80, 0, 65000, 0, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(toeplitz_matches_the_published_vectors),
	    cmocka_unit_test(symmetric_key_hashes_both_directions_alike),
	    cmocka_unit_test(local_port_comes_back_to_the_queue),
	};

	return cmocka_run_group_tests_name("nic_rss", tests, NULL, NULL);
}
