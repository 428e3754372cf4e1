/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "linux-control/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf;
	struct conf_error error;
	int err = conf_parse(&conf, (const char *)data, size, &error);

	if (!err) {
		if (!conf_name_ok(conf.name) || conf.memory % CONF_UNIT || !conf.memory ||
		    !conf.ncores || conf.ncores > CONF_CORES_MAX || conf.config_size != size)
			abort();
		conf_free(&conf);
	} else if (!error.text[0]) {
		abort();
	}
	return 0;
}
