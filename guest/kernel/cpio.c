/* SPDX-License-Identifier: MIT
 *
 * Reading of cpio archives in the "newc" format (cpio(5)).
 */
#include <errno.h>
#include <string.h>

#include "guest/kernel/cpio.h"

#define HEADER   110
#define FIELD(n) (6 + 8 * (n))

static int hex8(const uint8_t *p, uint32_t *value)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		uint8_t c = p[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10u;
		else
			return -EINVAL;
		v = v << 4 | digit;
	}
	*value = v;
	return 0;
}

int cpio_next(const void *archive, size_t size, size_t *at, struct cpio_file *file)
{
	const uint8_t *p = (const uint8_t *)archive + *at;
	size_t left = size - *at;
	uint32_t namesize;

	if (*at > size || left < HEADER || memcmp(p, "070701", 6))
		return -EINVAL;
	if (hex8(p + FIELD(0), &file->ino) || hex8(p + FIELD(1), &file->mode) ||
	    hex8(p + FIELD(5), &file->mtime) || hex8(p + FIELD(6), &file->size) ||
	    hex8(p + FIELD(11), &namesize))
		return -EINVAL;
	/* 32-bit sizes in 64-bit sums: none overflows. */
	size_t data = (HEADER + (size_t)namesize + 3) & ~(size_t)3;
	size_t end = (data + file->size + 3) & ~(size_t)3;

	if (namesize == 0 || data > left || file->size > left - data || p[HEADER + namesize - 1])
		return -EINVAL;
	file->name = (const char *)p + HEADER;
	if (strlen(file->name) + 1 != namesize)
		return -EINVAL;
	if (strcmp(file->name, "TRAILER!!!") == 0)
		return 0;
	if (file->name[0] == '.' && file->name[1] == '/')
		file->name += 2;
	while (file->name[0] == '/')
		file->name++;
	file->data = p + data;
	*at += end < left ? end : left;
	return 1;
}
