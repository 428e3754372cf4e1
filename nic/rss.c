// SPDX-License-Identifier: MIT
#include <ix/rss.h>

const uint8_t ix_rss_default_key[IX_RSS_KEY_LEN] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

/* The 32 key bits that belong to input bit `bit`, counted from the most significant. */
static uint32_t key_window(const uint8_t key[IX_RSS_KEY_LEN], unsigned bit)
{
	const uint8_t *k = key + bit / 8;
	uint64_t five = (uint64_t)k[0] << 32 | (uint64_t)k[1] << 24 | k[2] << 16 | k[3] << 8 | k[4];

	return five >> (8 - bit % 8);
}

void ix_toeplitz_init(struct ix_toeplitz *t, const uint8_t key[IX_RSS_KEY_LEN])
{
	for (unsigned n = 0; n < 2 * IX_RSS_INPUT_MAX; n++) {
		for (unsigned value = 0; value < 16; value++) {
			uint32_t sum = 0;

			for (unsigned bit = 0; bit < 4; bit++)
				if (value & (8 >> bit))
					sum ^= key_window(key, 4 * n + bit);
			t->nibble[n][value] = sum;
		}
	}
}

uint32_t ix_toeplitz(const struct ix_toeplitz *t, const void *input, size_t len)
{
	const uint32_t(*row)[16] = t->nibble;
	const uint8_t *p = input, *end = p + (len < IX_RSS_INPUT_MAX ? len : IX_RSS_INPUT_MAX);
	uint32_t hash = 0;

	for (; p < end; p++, row += 2)
		hash ^= row[0][*p >> 4] ^ row[1][*p & 15];
	return hash;
}

/* Hash of `value`, `bits` wide, at nibble `first` of the input. */
static uint32_t part(const struct ix_toeplitz *t, unsigned first, uint32_t value, unsigned bits)
{
	uint32_t hash = 0;

	for (unsigned n = 0; n < bits / 4; n++)
		hash ^= t->nibble[first + n][value >> (bits - 4 - 4 * n) & 15];
	return hash;
}

uint32_t ix_toeplitz_flow4(const struct ix_toeplitz *t, uint32_t saddr, uint32_t daddr,
			   uint16_t sport, uint16_t dport)
{
	return part(t, 0, saddr, 32) ^ part(t, 8, daddr, 32) ^ part(t, 16, sport, 16) ^
	       part(t, 20, dport, 16);
}

uint16_t ix_rss_local_port(const struct ix_rss *rss, uint32_t laddr, uint32_t raddr, uint16_t rport,
			   uint32_t queue, uint16_t first, uint32_t count, uint32_t start)
{
	/* Packets come in from raddr:rport to laddr:port; only the last part changes. */
	uint32_t fixed = ix_toeplitz_flow4(&rss->toeplitz, raddr, laddr, rport, 0);

	if (count > 0x10000u - first)
		count = 0x10000u - first;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t port = first + (start % count + i) % count;

		if (port && ix_rss_queue(rss, fixed ^ part(&rss->toeplitz, 20, port, 16)) == queue)
			return port;
	}
	return 0;
}
