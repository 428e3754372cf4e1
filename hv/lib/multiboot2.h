/* SPDX-License-Identifier: MIT
 *
 * The Multiboot2 boot information structure (Multiboot2 specification 2.0, section 3.6).
 */
#ifndef HV_LIB_MULTIBOOT2_H
#define HV_LIB_MULTIBOOT2_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/memmap.h"

#define MB2_BOOTLOADER_MAGIC 0x36d76289u /* in EAX at entry */
#define MB2_MODULES_MAX      16

struct mb2_module {
	uint64_t base; /* physical */
	uint64_t size;
	const char *cmdline;
};

/* All pointers point into the parsed bytes; strings are NUL-terminated there. */
struct mb2 {
	struct memmap memmap;
	const char *cmdline; /* never NULL */
	const char *loader;  /* never NULL */

	uint32_t nmodules;
	struct mb2_module module[MB2_MODULES_MAX];

	const void *rsdp; /* copy of the RSDP, the ACPI 2.0 one where both are there; or NULL */
	uint32_t rsdp_size;

	/* Section headers of our own ELF file; sh_addr is physical. */
	const void *elf_sections;                        /* or NULL */
	uint32_t elf_count, elf_entry_size, elf_strings; /* elf_strings: index of the names */

	uint32_t mem_lower_kb, mem_upper_kb; /* 0, 0 where absent */
	bool has_load_base;
	uint32_t load_base; /* physical address that the lowest segment was loaded at */

	/* UEFI: 0 or NULL on a BIOS machine */
	uint64_t efi_system_table;
	bool efi_boot_services; /* still running: GRUB was asked not to leave them */
	const void *efi_memmap;
	uint32_t efi_memmap_size, efi_descriptor_size, efi_descriptor_version;
};

/*
 * Parses `size` readable bytes at `info`. Unknown tags are skipped. Returns 0, or -EBADMSG (a length
 * or string is wrong), -ENOSPC (more modules or memory ranges than fit), -ENODATA (no memory map);
 * then *why says in words what is wrong.
 */
int mb2_parse(const void *info, uint64_t size, struct mb2 *out, const char **why);

#endif
