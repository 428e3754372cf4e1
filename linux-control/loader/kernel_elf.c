/* SPDX-License-Identifier: MIT
 *
 * Reading of the guest kernel's ELF file (System V gABI, chapters 4 and 5).
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include <ix/loader.h>

static int bad(const char **why, const char *what)
{
	*why = what;
	return -EINVAL;
}

static int take_segment(const Elf64_Phdr *ph, uint64_t size, struct ix_kernel_elf *elf,
			const char **why)
{
	if (elf->nsegments == IX_LOAD_MAX_SEGMENTS)
		return bad(why, "kernel: too many segments");
	if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset)
		return bad(why, "kernel: a segment lies outside the file");
	if (ph->p_filesz > ph->p_memsz)
		return bad(why, "kernel: a segment has more bytes in the file than in memory");
	/* The limits keep every later sum below 2^64. */
	if (ph->p_vaddr < IX_KERNEL_BASE || ph->p_vaddr - IX_KERNEL_BASE > IX_LOAD_MAX_KERNEL ||
	    ph->p_memsz > IX_LOAD_MAX_KERNEL - (ph->p_vaddr - IX_KERNEL_BASE))
		return bad(why, "kernel: a segment lies outside the kernel's address range");
	if (elf->nsegments) {
		const struct ix_kernel_segment *last = &elf->segment[elf->nsegments - 1];

		if (ph->p_vaddr < last->vaddr + last->memsize)
			return bad(why, "kernel: segments overlap or are not in ascending order");
	}
	elf->segment[elf->nsegments++] = (struct ix_kernel_segment){
	    .vaddr = ph->p_vaddr,
	    .offset = ph->p_offset,
	    .filesize = ph->p_filesz,
	    .memsize = ph->p_memsz,
	};
	elf->size = ph->p_vaddr + ph->p_memsz - IX_KERNEL_BASE;
	return 0;
}

int ix_kernel_elf_parse(const void *file, uint64_t size, struct ix_kernel_elf *elf,
			const char **why)
{
	const uint8_t *bytes = file;
	Elf64_Ehdr eh;

	memset(elf, 0, sizeof(*elf));
	if (size < sizeof(eh))
		return bad(why, "kernel: shorter than an ELF header");
	memcpy(&eh, bytes, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_ident[EI_VERSION] != EV_CURRENT ||
	    eh.e_version != EV_CURRENT)
		return bad(why, "kernel: not an ELF64 file");
	if (eh.e_type != ET_EXEC || eh.e_machine != EM_X86_64)
		return bad(why, "kernel: not an x86-64 executable");
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum == PN_XNUM)
		return bad(why, "kernel: program headers of a wrong size");
	if (eh.e_phoff > size || (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr) > size - eh.e_phoff)
		return bad(why, "kernel: program headers lie outside the file");

	int entry_ok = 0;

	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, bytes + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
			continue;
		int err = take_segment(&ph, size, elf, why);

		if (err)
			return err;
		if ((ph.p_flags & PF_X) && eh.e_entry >= ph.p_vaddr &&
		    eh.e_entry - ph.p_vaddr < ph.p_filesz)
			entry_ok = 1;
	}
	if (!entry_ok)
		return bad(why, "kernel: entry point outside the code");
	elf->entry = eh.e_entry;
	return 0;
}
