/* SPDX-License-Identifier: MIT
 *
 * A generator of the ChaCha family (RFC 8439 2.3) with fast key erasure: each request runs one block,
 * whose first half becomes the next key. Fresh entropy goes into the key before each request.
 */
#include <stdint.h>

#include "guest/kernel/cpu.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/random.h"
#include "guest/kernel/string.h"

static uint32_t key[8];
static uint64_t counter;
static struct lock random_lock;

static uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

static void block(uint32_t out[16])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(in + 4, key, sizeof(key));
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	counter++;
	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 4; j++)
			quarter(&out[j], &out[4 + j], &out[8 + j], &out[12 + j]);
		for (int j = 0; j < 4; j++)
			quarter(&out[j], &out[4 + (j + 1) % 4], &out[8 + (j + 2) % 4],
				&out[12 + (j + 3) % 4]);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}

static void stir(void)
{
	uint64_t v = rdtsc();

	key[0] ^= (uint32_t)v;
	key[1] ^= (uint32_t)(v >> 32);
	for (int i = 2; i < 8 && cpu_features.rdrand; i += 2) {
		if (rdrand(&v)) {
			key[i] ^= (uint32_t)v;
			key[i + 1] ^= (uint32_t)(v >> 32);
		}
	}
}

void random_seed(const void *seed, size_t n)
{
	const uint8_t *p = seed;
	uint32_t out[16];

	lock(&random_lock);
	for (size_t i = 0; i < n; i++) {
		((uint8_t *)key)[i % sizeof(key)] ^= p[i];
		if (i % sizeof(key) == sizeof(key) - 1 || i == n - 1) {
			stir();
			block(out);
			memcpy(key, out, sizeof(key));
		}
	}
	unlock(&random_lock);
}

void random_bytes(void *to, size_t n)
{
	uint8_t *p = to;
	uint32_t out[16];

	lock(&random_lock);
	while (n) {
		size_t part = n < sizeof(out) - sizeof(key) ? n : sizeof(out) - sizeof(key);

		stir();
		block(out);
		memcpy(key, out, sizeof(key));
		memcpy(p, out + 8, part);
		p += part;
		n -= part;
	}
	memset(out, 0, sizeof(out));
	unlock(&random_lock);
}
