/* SPDX-License-Identifier: MIT
 *
 * A hostile client of httpd. No file is opened that is not below the root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#include "tests/fuzz/app_request.h"

static int checked_open(const char *path, int flags)
{
	(void)flags;
	if (strncmp(path, "/root/", 6) != 0 || strstr(path, "/../") ||
	    (strlen(path) > 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
		abort();
	return -1;
}

#define open checked_open
#define main httpd_main
int httpd_main(int argc, char **argv);
#include "userlib/examples/httpd.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!root && ix_cache_init(&files, 16, 1 << 16) < 0)
		abort();
	root = "/root";
	if (size)
		feed(request, data + 1, size - 1, data[0] & 0x80 ? size : 1 + data[0] % 32);
	return 0;
}
