/* SPDX-License-Identifier: MIT
 *
 * Receive-side scaling in software, equal to the hardware's: Toeplitz hash and redirection table.
 *
 * The hash is linear over GF(2): it is the XOR of one 32-bit window of the key for each set bit of
 * the input. ix_toeplitz_init() sums those windows up for each value of each input nibble, 4.5 KiB
 * in all, so a TCP/IPv4 hash costs 24 loads.
 */
#ifndef IX_RSS_H
#define IX_RSS_H

#include <stddef.h>
#include <stdint.h>

#define IX_RSS_KEY_LEN   40
#define IX_RSS_RETA_LEN  128
#define IX_RSS_INPUT_MAX 36 /* bytes: IPv6 addresses and ports */

struct ix_toeplitz {
	uint32_t nibble[2 * IX_RSS_INPUT_MAX][16];
};

struct ix_rss {
	uint8_t key[IX_RSS_KEY_LEN];
	uint8_t reta[IX_RSS_RETA_LEN]; /* queue of hash % 128, before queue_mask */
	uint32_t queue_mask;           /* number of queues - 1 */
	struct ix_toeplitz toeplitz;   /* of key */
};

/* The key of the published verification suite (Microsoft, "Verifying the RSS Hash Calculation"). */
extern const uint8_t ix_rss_default_key[IX_RSS_KEY_LEN];

void ix_toeplitz_init(struct ix_toeplitz *t, const uint8_t key[IX_RSS_KEY_LEN]);

/* Hash of `len` <= IX_RSS_INPUT_MAX bytes, network order: addresses (source first), then ports. */
uint32_t ix_toeplitz(const struct ix_toeplitz *t, const void *input, size_t len);

/* The same, of one TCP or UDP flow over IPv4; addresses and ports in host order. */
uint32_t ix_toeplitz_flow4(const struct ix_toeplitz *t, uint32_t saddr, uint32_t daddr,
			   uint16_t sport, uint16_t dport);

static inline uint32_t ix_rss_queue(const struct ix_rss *rss, uint32_t hash)
{
	return rss->reta[hash % IX_RSS_RETA_LEN] & rss->queue_mask;
}

/*
 * A local port in [first, first + count) from which a connection to raddr:rport comes back to
 * `queue`, or 0 if there is none. The search begins at first + start % count and wraps. Host order.
 */
uint16_t ix_rss_local_port(const struct ix_rss *rss, uint32_t laddr, uint32_t raddr, uint16_t rport,
			   uint32_t queue, uint16_t first, uint32_t count, uint32_t start);

#endif
