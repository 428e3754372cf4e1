/* SPDX-License-Identifier: MIT */
#include "hv/lib/multiboot2.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

/* Tag types, Multiboot2 2.0, 3.6.2 to 3.6.20 */
enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_MEMINFO = 4,
	TAG_MEMMAP = 6,
	TAG_ELF_SECTIONS = 9,
	TAG_EFI32 = 11,
	TAG_EFI64 = 12,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_EFI_MEMMAP = 17,
	TAG_EFI_BOOT_SERVICES = 18,
	TAG_LOAD_BASE = 21,
};

#define TAG_HEADER 8 /* type and size */

struct tag {
	uint32_t type;
	uint32_t size; /* with its header */
	const uint8_t *p;
};

static int fail(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

/* The string that begins at `offset` and ends within the tag, or NULL. */
static const char *tag_string(const struct tag *t, uint32_t offset)
{
	const char *s = (const char *)t->p + offset;

	if (offset >= t->size || strnlen(s, t->size - offset) == t->size - offset)
		return NULL;
	return s;
}

static int parse_module(const struct tag *t, struct mb2 *out, const char **why)
{
	struct mb2_module *m = &out->module[out->nmodules];
	uint32_t start, end;

	if (t->size < 17)
		return fail(why, -EBADMSG, "module tag too short");
	if (out->nmodules == MB2_MODULES_MAX)
		return fail(why, -ENOSPC, "more modules than supported");
	start = get_le32(t->p, 8);
	end = get_le32(t->p, 12);
	if (end < start)
		return fail(why, -EBADMSG, "module ends before it begins");
	m->base = start;
	m->size = end - start;
	m->cmdline = tag_string(t, 16);
	if (!m->cmdline)
		return fail(why, -EBADMSG, "module command line not terminated");
	out->nmodules++;
	return 0;
}

static int parse_memmap(const struct tag *t, struct mb2 *out, const char **why)
{
	uint32_t entry_size;

	if (t->size < 16)
		return fail(why, -EBADMSG, "memory map tag too short");
	entry_size = get_le32(t->p, 8);
	if (entry_size < 24 || entry_size % 8)
		return fail(why, -EBADMSG, "memory map entry size invalid");
	for (uint32_t at = 16; t->size - at >= entry_size; at += entry_size) {
		uint64_t base = get_le64(t->p, at), size = get_le64(t->p, at + 8);
		uint32_t type = get_le32(t->p, at + 16);
		int error;

		/* Some firmware lists a window that ends at 2^64: the last byte is no loss. */
		if (!range_ok(base, size))
			size = UINT64_MAX - base;
		error = memmap_add(&out->memmap, base, size, type);
		if (error)
			return fail(why, error, "memory map has too many ranges");
	}
	return 0;
}

static int parse_elf_sections(const struct tag *t, struct mb2 *out, const char **why)
{
	uint64_t count, entry_size;

	if (t->size < 20)
		return fail(why, -EBADMSG, "ELF sections tag too short");
	count = get_le32(t->p, 8);
	entry_size = get_le32(t->p, 12);
	if (count && (entry_size < 64 || count * entry_size > t->size - 20))
		return fail(why, -EBADMSG, "ELF section headers exceed their tag");
	if (count && get_le32(t->p, 16) >= count)
		return fail(why, -EBADMSG, "ELF section name index out of range");
	out->elf_sections = count ? t->p + 20 : NULL;
	out->elf_count = count;
	out->elf_entry_size = entry_size;
	out->elf_strings = get_le32(t->p, 16);
	return 0;
}

static int parse_rsdp(const struct tag *t, struct mb2 *out, const char **why)
{
	/* ACPI 6.5 table 5.3: 20 bytes in revision 0, 36 or more later */
	if (t->size - TAG_HEADER < (t->type == TAG_ACPI_OLD ? 20 : 36))
		return fail(why, -EBADMSG, "ACPI RSDP tag too short");
	if (t->type == TAG_ACPI_OLD && out->rsdp)
		return 0;
	out->rsdp = t->p + TAG_HEADER;
	out->rsdp_size = t->size - TAG_HEADER;
	return 0;
}

static int parse_efi_memmap(const struct tag *t, struct mb2 *out, const char **why)
{
	if (t->size < 16)
		return fail(why, -EBADMSG, "EFI memory map tag too short");
	out->efi_descriptor_size = get_le32(t->p, 8);
	out->efi_descriptor_version = get_le32(t->p, 12);
	if (out->efi_descriptor_size < 40) /* UEFI 2.10, 7.2.3 EFI_MEMORY_DESCRIPTOR */
		return fail(why, -EBADMSG, "EFI memory descriptor size invalid");
	out->efi_memmap = t->p + 16;
	out->efi_memmap_size = t->size - 16;
	return 0;
}

static int parse_tag(const struct tag *t, struct mb2 *out, const char **why)
{
	switch (t->type) {
	case TAG_CMDLINE:
		out->cmdline = tag_string(t, TAG_HEADER);
		return out->cmdline ? 0 : fail(why, -EBADMSG, "command line not terminated");
	case TAG_LOADER:
		out->loader = tag_string(t, TAG_HEADER);
		return out->loader ? 0 : fail(why, -EBADMSG, "boot loader name not terminated");
	case TAG_MODULE:
		return parse_module(t, out, why);
	case TAG_MEMINFO:
		if (t->size < 16)
			return fail(why, -EBADMSG, "memory size tag too short");
		out->mem_lower_kb = get_le32(t->p, 8);
		out->mem_upper_kb = get_le32(t->p, 12);
		return 0;
	case TAG_MEMMAP:
		return parse_memmap(t, out, why);
	case TAG_ELF_SECTIONS:
		return parse_elf_sections(t, out, why);
	case TAG_ACPI_OLD:
	case TAG_ACPI_NEW:
		return parse_rsdp(t, out, why);
	case TAG_EFI32:
		if (t->size < 12)
			return fail(why, -EBADMSG, "EFI system table tag too short");
		out->efi_system_table = get_le32(t->p, 8);
		return 0;
	case TAG_EFI64:
		if (t->size < 16)
			return fail(why, -EBADMSG, "EFI system table tag too short");
		out->efi_system_table = get_le64(t->p, 8);
		return 0;
	case TAG_EFI_MEMMAP:
		return parse_efi_memmap(t, out, why);
	case TAG_EFI_BOOT_SERVICES:
		out->efi_boot_services = true;
		return 0;
	case TAG_LOAD_BASE:
		if (t->size < 12)
			return fail(why, -EBADMSG, "load base tag too short");
		out->has_load_base = true;
		out->load_base = get_le32(t->p, 8);
		return 0;
	default:
		return 0;
	}
}

int mb2_parse(const void *info, uint64_t size, struct mb2 *out, const char **why)
{
	uint64_t at = 8, total;

	memset(out, 0, sizeof(*out));
	out->cmdline = "";
	out->loader = "";
	*why = NULL;

	if (size < 8)
		return fail(why, -EBADMSG, "boot information too short");
	total = get_le32(info, 0);
	if (total < 8 || total > size)
		return fail(why, -EBADMSG, "boot information has a bad total size");

	for (;;) {
		struct tag t = {.p = (const uint8_t *)info + at};
		int error;

		if (total - at < TAG_HEADER)
			return fail(why, -EBADMSG, "boot information has no end tag");
		t.type = get_le32(t.p, 0);
		t.size = get_le32(t.p, 4);
		if (t.size < TAG_HEADER || t.size > total - at)
			return fail(why, -EBADMSG, "tag exceeds the boot information");
		if (t.type == TAG_END)
			break;
		error = parse_tag(&t, out, why);
		if (error)
			return error;
		/* Tags are padded to 8 bytes; the last one may lack its padding. */
		at = align_down(at + t.size + 7, 8);
		if (at > total)
			return fail(why, -EBADMSG, "boot information has no end tag");
	}
	if (!out->memmap.count)
		return fail(why, -ENODATA, "boot loader gave no memory map");
	return 0;
}
