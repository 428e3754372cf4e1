/* SPDX-License-Identifier: MIT
 * Input: a boot information structure; its total size is set right, to get past that check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/bytes.h"
#include "hv/lib/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mb2 mb;
	const char *why;
	uint8_t *copy = malloc(size + 1);
	size_t strings = 0;

	memcpy(copy, data, size);
	if (size >= 4)
		put_le32(copy, 0, size);
	if (!mb2_parse(copy, size, &mb, &why)) {
		strings += strlen(mb.cmdline) + strlen(mb.loader);
		for (uint32_t i = 0; i < mb.nmodules; i++)
			strings += strlen(mb.module[i].cmdline);
		if (strings > size)
			abort();
		if (mb.rsdp && get_u8(mb.rsdp, mb.rsdp_size - 1) + 1 == 0)
			abort();
		if (mb.elf_sections)
			(void)*((const volatile uint8_t *)mb.elf_sections +
				(uint64_t)mb.elf_count * mb.elf_entry_size - 1);
		if (mb.efi_memmap_size)
			(void)*((const volatile uint8_t *)mb.efi_memmap + mb.efi_memmap_size - 1);
	}
	free(copy);
	return 0;
}
