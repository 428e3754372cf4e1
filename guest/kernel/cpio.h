/* SPDX-License-Identifier: MIT
 *
 * Reading of the file image: a cpio archive in the "newc" format. Pure.
 */
#ifndef GUEST_CPIO_H
#define GUEST_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio_file {
	const char *name; /* NUL-terminated, in the archive; no leading "/" or "./" */
	const uint8_t *data;
	uint32_t size;
	uint32_t mode; /* as in struct stat */
	uint32_t ino;
	uint32_t mtime;
};

/*
 * The file at *at (0 to begin with), and moves *at behind it. Returns 1; 0 at the end of the archive;
 * -EINVAL if it is damaged.
 */
int cpio_next(const void *archive, size_t size, size_t *at, struct cpio_file *file);

#endif
