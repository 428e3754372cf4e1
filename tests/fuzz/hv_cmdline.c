/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmdline_options o;
	struct cmdline_errors e;
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	cmdline_parse(line, &o, &e);
	for (uint32_t i = 0; i < e.count && i < CMDLINE_ERRORS_MAX; i++)
		if (!e.error[i].why || e.error[i].at + e.error[i].length > strlen(line))
			abort();
	if (o.loglevel > 7 || o.ixmem % (2 << 20) || !o.console_baud)
		abort();
	free(line);
	return 0;
}
