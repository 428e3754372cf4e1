/* SPDX-License-Identifier: MIT
 *
 * Reading of an application's ELF file (System V gABI, chapters 4 and 5).
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "guest/kernel/elf.h"

static int bad(const char **why, const char *what)
{
	*why = what;
	return -ENOEXEC;
}

static int take_segment(const Elf64_Phdr *ph, uint64_t size, uint64_t lowest, uint64_t highest,
			struct app_elf *elf, const char **why)
{
	if (elf->nsegments == APP_MAX_SEGMENTS)
		return bad(why, "too many segments");
	if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset)
		return bad(why, "a segment lies outside the file");
	if (ph->p_filesz > ph->p_memsz)
		return bad(why, "a segment has more bytes in the file than in memory");
	if (ph->p_vaddr < lowest || ph->p_vaddr > highest || ph->p_memsz > highest - ph->p_vaddr)
		return bad(why, "a segment lies outside the application's addresses");
	if (elf->nsegments && ph->p_vaddr < elf->high)
		return bad(why, "segments overlap or are not in ascending order");
	if (elf->nsegments == 0)
		elf->low = ph->p_vaddr;
	elf->high = ph->p_vaddr + ph->p_memsz;
	elf->segment[elf->nsegments++] = (struct app_segment){
	    .vaddr = ph->p_vaddr,
	    .offset = ph->p_offset,
	    .filesize = ph->p_filesz,
	    .memsize = ph->p_memsz,
	    .write = ph->p_flags & PF_W,
	    .execute = ph->p_flags & PF_X,
	};
	return 0;
}

int app_elf_parse(const void *file, uint64_t size, uint64_t lowest, uint64_t highest,
		  struct app_elf *elf, const char **why)
{
	const uint8_t *bytes = file;
	Elf64_Ehdr eh;

	memset(elf, 0, sizeof(*elf));
	if (size < sizeof(eh))
		return bad(why, "shorter than an ELF header");
	memcpy(&eh, bytes, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_ident[EI_VERSION] != EV_CURRENT ||
	    eh.e_version != EV_CURRENT || eh.e_machine != EM_X86_64)
		return bad(why, "not an x86-64 ELF file");
	if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
		return bad(why, "not an executable");
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum == PN_XNUM)
		return bad(why, "program headers of a wrong size");
	if (eh.e_phoff > size || (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr) > size - eh.e_phoff)
		return bad(why, "program headers lie outside the file");
	elf->pie = eh.e_type == ET_DYN;
	if (elf->pie) {
		lowest = 0;
		highest = APP_MAX_SPAN;
	}

	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		int err = 0;

		memcpy(&ph, bytes + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_INTERP)
			return bad(why, "needs a dynamic loader: link it with -static");
		if (ph.p_type == PT_LOAD && ph.p_memsz)
			err = take_segment(&ph, size, lowest, highest, elf, why);
		if (err)
			return err;
	}
	if (elf->nsegments == 0 || elf->high - elf->low > APP_MAX_SPAN)
		return bad(why, "no segments, or too far apart");

	bool entry_ok = false;

	elf->entry = eh.e_entry;
	elf->phnum = eh.e_phnum;
	for (unsigned i = 0; i < elf->nsegments; i++) {
		const struct app_segment *s = &elf->segment[i];

		if (s->execute && eh.e_entry >= s->vaddr && eh.e_entry - s->vaddr < s->filesize)
			entry_ok = true;
		if (eh.e_phoff >= s->offset &&
		    eh.e_phoff + (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr) <=
			s->offset + s->filesize)
			elf->phdr = s->vaddr + (eh.e_phoff - s->offset);
	}
	return entry_ok ? 0 : bad(why, "entry point outside the code");
}
