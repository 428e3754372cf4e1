/* SPDX-License-Identifier: MIT
 *
 * The guest kernel's ELF file, as damaged as it can be: what the parser accepts must lie in the file.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <ix/loader.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size)
{
	struct ix_kernel_elf elf;
	const char *why = NULL;

	if (ix_kernel_elf_parse(data, size, &elf, &why)) {
		if (!why)
			abort();
		return;
	}
	uint64_t end = IX_KERNEL_BASE;

	for (unsigned i = 0; i < elf.nsegments; i++) {
		const struct ix_kernel_segment *s = &elf.segment[i];

		if (s->offset > size || s->filesize > size - s->offset ||
		    s->filesize > s->memsize || s->vaddr < end)
			abort();
		end = s->vaddr + s->memsize;
	}
	if (elf.nsegments == 0 || end - IX_KERNEL_BASE != elf.size || elf.size > IX_LOAD_MAX_KERNEL)
		abort();
}

/* As it is, and with the fields repaired that would otherwise end the reading at once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Elf64_Ehdr eh;

	check(data, size);
	if (size < sizeof(eh))
		return 0;
	uint8_t *copy = malloc(size);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	memcpy(&eh, data, sizeof(eh));
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_ident[EI_VERSION] = EV_CURRENT;
	eh.e_version = EV_CURRENT;
	eh.e_machine = EM_X86_64;
	eh.e_type = eh.e_type & 1 ? ET_DYN : ET_EXEC;
	eh.e_phentsize = sizeof(Elf64_Phdr);
	eh.e_phnum &= 7;
	eh.e_phoff = sizeof(eh) + (eh.e_phoff & 7);
	memcpy(copy, &eh, sizeof(eh));
	check(copy, size);
	free(copy);
	return 0;
}
