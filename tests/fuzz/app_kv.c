/* SPDX-License-Identifier: MIT
 *
 * A hostile client of kv: both protocols.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "tests/fuzz/app_request.h"

#define main kv_main
int kv_main(int argc, char **argv);
#include "userlib/examples/kv.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct request flush = {.op = FLUSH};
	struct item *it;

	for (int i = 0; !ready && i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		if (ix_cache_init(&shards[i].cache, 16, 1 << 16) < 0)
			abort();
	}
	ready = true;
	if (!size)
		return 0;
	feed(request, data + 1, size - 1, data[0] & 0x80 ? size : 1 + data[0] % 32);
	execute(&flush, &it);
	for (int i = 0; i < SHARDS; i++)
		if (shards[i].cache.size || shards[i].cache.oldest)
			abort();
	return 0;
}
