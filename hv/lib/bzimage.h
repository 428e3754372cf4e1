/* SPDX-License-Identifier: MIT
 *
 * Starting a Linux kernel by the 64-bit boot protocol (Documentation/arch/x86/boot.rst): checking
 * the bzImage, choosing places in memory, filling the zero page.
 *
 * The kernel is entered at plan.entry in 64-bit mode with identity paging, RSI = plan.zero_page,
 * interrupts off, CS = 0x10 and DS = ES = SS = 0x18 (flat).
 */
#ifndef HV_LIB_BZIMAGE_H
#define HV_LIB_BZIMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/memmap.h"

#define ZERO_PAGE_SIZE      4096
#define BZIMAGE_HEADER_SIZE 1024 /* the part of the file that these functions read */

struct bzimage {
	uint16_t version;       /* of the boot protocol: 0x20f is 2.15 */
	uint32_t kernel_offset; /* in the file: what is copied to plan.kernel */
	uint64_t kernel_size;
	uint32_t init_size; /* memory that the kernel needs from its load address on */
	uint64_t pref_address;
	uint32_t alignment;
	bool relocatable;
	bool above_4g;        /* kernel, initrd and zero page may lie above 4 GB */
	uint32_t cmdline_max; /* characters, without the NUL */
	uint64_t initrd_max;  /* highest address of the initrd's last byte */
};

/* Where everything goes, physical addresses. */
struct linux_plan {
	uint64_t kernel;
	uint64_t entry;
	uint64_t initrd; /* 0 where there is none */
	uint64_t initrd_size;
	uint64_t zero_page; /* one page */
	uint64_t cmdline;
	uint64_t cmdline_size; /* with the NUL */
	uint64_t e820_ext; /* for memory ranges that the zero page has no room for; 0: not needed */
	uint64_t e820_ext_size;
};

/*
 * Checks a kernel file of `size` bytes, of which the first BZIMAGE_HEADER_SIZE are read. Returns 0, -EBADMSG (not a kernel, or damaged) or
 * -EOPNOTSUPP (too old, not 64-bit); then *why says what is wrong.
 */
int bzimage_parse(const void *file, uint64_t size, struct bzimage *image, const char **why);

/*
 * Chooses the places in RAM. `map` holds as RAM what may be used now (neither the files themselves
 * nor the hypervisor) and is used up: ranges taken become reserved in it. `e820_count` is the number
 * of ranges that Linux will be told. Returns 0, -ENOMEM or -E2BIG (command line); then *why says
 * what did not fit.
 */
int linux_plan(const struct bzimage *image, struct memmap *map, uint64_t initrd_size,
	       uint64_t cmdline_length, uint32_t e820_count, struct linux_plan *plan,
	       const char **why);

/*
 * Fills the zero page and, where the plan has one, the extension of plan.e820_ext_size bytes, from
 * the same file and the memory map that Linux shall see. `rsdp` is a physical address; `vga_text`
 * says that the display is in 80x25 text mode.
 */
void linux_zero_page(const void *file, const struct linux_plan *plan, const struct memmap *e820,
		     uint64_t rsdp, bool vga_text, void *zero_page, void *e820_ext);

#endif
