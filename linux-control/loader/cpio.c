/* SPDX-License-Identifier: MIT
 *
 * Writing of cpio archives in the "newc" format: per file a header of 6 + 13 * 8 hexadecimal
 * characters, the name with its NUL, and the data, the last two padded to 4 bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ix/loader.h>

#define HEADER   110
#define MAX_NAME 4096

static size_t pad4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int ix_cpio_add(void *buf, size_t room, size_t *used, const char *name, const void *data,
		uint64_t size)
{
	int end = !name;
	char header[HEADER + 1];

	if (end)
		name = "TRAILER!!!";
	if (!data)
		size = 0;
	size_t namesize = strlen(name) + 1;

	if (namesize > MAX_NAME || size > UINT32_MAX)
		return -EINVAL;
	size_t before = pad4(HEADER + namesize), need = before + pad4(size);

	if (*used > room || need > room - *used)
		return -ENOSPC;

	unsigned mode = end ? 0 : data ? 0100444 : 040555;
	uint8_t *p = (uint8_t *)buf + *used;

	memset(p, 0, need);
	/* ino, mode, uid, gid, nlink, mtime, filesize, dev (2), rdev (2), namesize, check */
	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 end ? 0 : (unsigned)*used + 1, mode, 0, 0, 1, 0, (unsigned)size, 0, 0, 0, 0,
		 (unsigned)namesize, 0);
	memcpy(p, header, HEADER);
	memcpy(p + HEADER, name, namesize);
	if (size)
		memcpy(p + before, data, size);
	*used += need;
	return 0;
}
