/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "linux-control/json.h"
#include "linux-control/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	struct json_value *v = json_parse((const char *)data, size);

	if (!null)
		null = fopen("/dev/null", "w");
	if (v)
		show(null, v);
	json_free(v);
	return 0;
}
