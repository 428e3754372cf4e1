/* SPDX-License-Identifier: MIT
 *
 * Reading of an application's ELF file: static, ET_EXEC or static PIE. Pure.
 */
#ifndef GUEST_ELF_H
#define GUEST_ELF_H

#include <stdbool.h>
#include <stdint.h>

#define APP_MAX_SEGMENTS 16
#define APP_MAX_SPAN     (64ull << 30) /* bytes from the first to the last address */

struct app_segment {
	uint64_t vaddr;
	uint64_t offset; /* in the file */
	uint64_t filesize;
	uint64_t memsize; /* >= filesize, > 0; the rest is zero */
	bool write, execute;
};

/* Every byte named here lies inside the file; sums do not overflow. */
struct app_elf {
	bool pie; /* addresses are relative to a base of the loader's choice */
	uint64_t entry;
	uint64_t low, high; /* of all segments */
	uint64_t phdr;      /* address of the program headers in memory, or 0 */
	unsigned phnum;
	unsigned nsegments;
	struct app_segment segment[APP_MAX_SEGMENTS]; /* ascending, not overlapping */
};

/*
 * Addresses of an ET_EXEC file must lie in lowest..highest-1. Returns 0, or -ENOEXEC with *why set to a
 * sentence.
 */
int app_elf_parse(const void *file, uint64_t size, uint64_t lowest, uint64_t highest,
		  struct app_elf *elf, const char **why);

#endif
