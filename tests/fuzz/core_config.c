/* SPDX-License-Identifier: MIT
 *
 * The configuration parser: whatever it accepts must be something a core can be sized for, or refuse.
 */
#include <stdlib.h>

#include "guest/core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct core_config *cfg = malloc(sizeof(*cfg));
	struct core_config_error err;

	core_config_default(cfg);
	if (core_config_parse(cfg, (const char *)data, size, NULL, NULL, &err) == 0) {
		if (core_mem_size(cfg) == 0 && core_shared_size(cfg) != 0)
			abort();
	} else if (!err.what) {
		abort();
	}
	free(cfg);
	return 0;
}
