/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "linux-control/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: bytes over a sound area, from an offset that the first two bytes say. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole = sizeof(struct ix_stats) + 2 * sizeof(struct ix_stats_core);
	struct ix_stats *s = calloc(1, whole);
	struct json j = {0};

	s->magic = IX_STATS_MAGIC;
	s->version = IX_STATS_VERSION;
	s->ncores = 2;
	s->ncounters = 3;
	s->core_size = sizeof(struct ix_stats_core);
	if (size > 2) {
		size_t at = (data[0] | data[1] << 8) % whole;

		size -= 2;
		memcpy((char *)s + at, data + 2, size < whole - at ? size : whole - at);
	}
	json_object(&j, NULL);
	stats_changing(s, whole);
	stats_show(&j, s, whole, NULL, 0);
	json_end(&j);
	if (!j.text)
		abort();
	free(j.text);
	free(s);
	return 0;
}
