/* SPDX-License-Identifier: MIT
 *
 * The file image: names and data must lie in the archive, and reading it must end.
 */
#include <stdlib.h>
#include <string.h>

#include "guest/kernel/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpio_file file;
	size_t at = 0, before = 0;
	unsigned sum = 0;

	while (cpio_next(data, size, &at, &file) > 0) {
		if (at <= before || at > size)
			abort();
		before = at;
		sum += (unsigned)strlen(file.name);
		for (uint32_t i = 0; i < file.size; i++)
			sum += file.data[i];
	}
	return sum == 0x12345678;
}
