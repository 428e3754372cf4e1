/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/multiboot2.h"

/* A boot information structure under construction; parsed from a block of exactly its size. */
static uint8_t image[65536];
static uint32_t used;
static struct mb2 mb;
static const char *why;

static void begin(void)
{
	memset(image, 0, sizeof(image));
	used = 8;
}

static void add_tag(uint32_t type, const void *payload, uint32_t size)
{
	put_le32(image, used, type);
	put_le32(image, used + 4, size + 8);
	memcpy(image + used + 8, payload, size);
	used = (used + 8 + size + 7) & ~7u;
}

static int parse_bytes(uint32_t size)
{
	uint8_t *exact = malloc(size);
	int error;

	memcpy(exact, image, size);
	error = mb2_parse(exact, size, &mb, &why);
	free(exact);
	assert_true(!error == !why);
	return error;
}

static int finish(void)
{
	add_tag(0, "", 0);
	put_le32(image, 0, used);
	return parse_bytes(used);
}

static void add_memmap(uint32_t entry_size, unsigned int n)
{
	static uint8_t body[16384];

	memset(body, 0, sizeof(body));
	put_le32(body, 0, entry_size);
	for (unsigned int i = 0; i < n; i++) {
		put_le64(body, 8 + i * entry_size, i * 0x200000);
		put_le64(body, 8 + i * entry_size + 8, 0x100000);
		put_le32(body, 8 + i * entry_size + 16, 1);
	}
	add_tag(6, body, 8 + n * entry_size);
}

static void add_module(uint32_t start, uint32_t end, const char *line, uint32_t line_size)
{
	uint8_t body[256];

	put_le32(body, 0, start);
	put_le32(body, 4, end);
	memcpy(body + 8, line, line_size);
	add_tag(3, body, 8 + line_size);
}

static void everything(void **state)
{
	uint8_t rsdp[36] = {'n'}, old[20] = {'o'}, elf[12 + 128] = {0}, efi[8 + 48] = {0};
	uint32_t words[2] = {640, 1 << 20}, load = 0x200000;
	uint64_t systab = 0x123456789a;

	(void)state;
	begin();
	add_tag(1, "ixmem=64M", 10);
	add_tag(2, "GRUB", 5);
	add_module(0x1000000, 0x1800000, "linux quiet", 12);
	add_module(0x2000000, 0x2000000, "", 1);
	add_tag(4, words, 8);
	add_memmap(24, 3);
	add_tag(8, "framebuffer", 11);
	put_le32(elf, 0, 2);
	put_le32(elf, 4, 64);
	put_le32(elf, 8, 1);
	add_tag(9, elf, sizeof(elf));
	add_tag(15, rsdp, sizeof(rsdp));
	add_tag(14, old, sizeof(old));
	add_tag(12, &systab, 8);
	put_le32(efi, 0, 48);
	put_le32(efi, 4, 1);
	add_tag(17, efi, sizeof(efi));
	add_tag(18, "", 0);
	add_tag(21, &load, 4);
	add_tag(0, "", 0);
	put_le32(image, 0, used);

	assert_int_equal(mb2_parse(image, sizeof(image), &mb, &why), 0);
	assert_string_equal(mb.cmdline, "ixmem=64M");
	assert_string_equal(mb.loader, "GRUB");
	assert_int_equal(mb.nmodules, 2);
	assert_int_equal(mb.module[0].base, 0x1000000);
	assert_int_equal(mb.module[0].size, 0x800000);
	assert_string_equal(mb.module[0].cmdline, "linux quiet");
	assert_int_equal(mb.module[1].size, 0);
	assert_int_equal(mb.mem_lower_kb, 640);
	assert_int_equal(mb.memmap.count, 3);
	assert_int_equal(mb.memmap.entry[2].base, 0x400000);
	assert_int_equal(mb.rsdp_size, 36);
	assert_int_equal(*(const char *)mb.rsdp, 'n');
	assert_int_equal(mb.elf_count, 2);
	assert_int_equal(mb.elf_strings, 1);
	assert_int_equal(mb.efi_system_table, systab);
	assert_int_equal(mb.efi_memmap_size, 48);
	assert_true(mb.efi_boot_services);
	assert_true(mb.has_load_base);
	assert_int_equal(mb.load_base, 0x200000);
}

static void frame_is_checked(void **state)
{
	(void)state;
	begin();
	add_memmap(24, 1);
	put_le32(image, 0, used);
	assert_int_equal(parse_bytes(used), -EBADMSG);
	assert_string_equal(why, "boot information has no end tag");
	assert_int_equal(parse_bytes(7), -EBADMSG);
	put_le32(image, 0, used + 1);
	assert_int_equal(parse_bytes(used), -EBADMSG);
	assert_string_equal(why, "boot information has a bad total size");
	put_le32(image, 0, 8);
	assert_int_equal(parse_bytes(used), -EBADMSG);

	begin();
	add_tag(99, "", 0);
	put_le32(image, 12, 7);
	assert_int_equal(finish(), -EBADMSG);
	put_le32(image, 12, used);
	assert_int_equal(parse_bytes(used), -EBADMSG);
	assert_string_equal(why, "tag exceeds the boot information");
	begin();
	assert_int_equal(finish(), -ENODATA);
	/* A last tag whose padding is cut off, and no end tag behind it. */
	begin();
	add_tag(1, "abc", 4);
	put_le32(image, 0, 8 + 12);
	assert_int_equal(parse_bytes(8 + 12), -EBADMSG);
}

static void tags_are_checked(void **state)
{
	static const struct {
		uint32_t type, size;
		const char *why;
	} shorts[] = {
	    {3, 8, "module tag too short"},
	    {4, 7, "memory size tag too short"},
	    {6, 7, "memory map tag too short"},
	    {9, 11, "ELF sections tag too short"},
	    {11, 3, "EFI system table tag too short"},
	    {12, 7, "EFI system table tag too short"},
	    {14, 19, "ACPI RSDP tag too short"},
	    {15, 35, "ACPI RSDP tag too short"},
	    {17, 7, "EFI memory map tag too short"},
	    {21, 3, "load base tag too short"},
	    {1, 0, "command line not terminated"},
	    {2, 0, "boot loader name not terminated"},
	};
	uint8_t body[64] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
		begin();
		add_memmap(24, 1);
		add_tag(shorts[i].type, body, shorts[i].size);
		assert_int_equal(finish(), -EBADMSG);
		assert_string_equal(why, shorts[i].why);
	}
	begin();
	add_tag(1, "abcdefgh", 8);
	assert_int_equal(finish(), -EBADMSG);
	begin();
	add_module(0, 0, "abcdefgh", 8);
	assert_int_equal(finish(), -EBADMSG);
	assert_string_equal(why, "module command line not terminated");
	begin();
	add_module(1, 0, "", 1);
	assert_int_equal(finish(), -EBADMSG);

	begin();
	put_le32(body, 0, 2);
	put_le32(body, 4, 0x80000020);
	add_tag(9, body, 60);
	assert_int_equal(finish(), -EBADMSG);
	assert_string_equal(why, "ELF section headers exceed their tag");
}

static void memory_map_is_checked(void **state)
{
	uint8_t body[40] = {24};

	(void)state;
	begin();
	add_memmap(16, 1);
	assert_int_equal(finish(), -EBADMSG);
	begin();
	add_memmap(0, 0);
	assert_int_equal(finish(), -EBADMSG);
	begin();
	add_memmap(32, 4); /* larger entries of a later version */
	assert_int_equal(finish(), 0);
	assert_int_equal(mb.memmap.count, 4);
	begin();
	add_memmap(24, 400);
	assert_int_equal(finish(), -ENOSPC);

	/* a range that ends at 2^64 */
	put_le64(body, 8, 0xfffffffffffff000);
	put_le64(body, 16, 0x1000);
	put_le32(body, 24, 2);
	begin();
	add_tag(6, body, 32);
	assert_int_equal(finish(), 0);
	assert_int_equal(mb.memmap.entry[0].size, 0xfff);
}

static void too_many_modules(void **state)
{
	(void)state;
	begin();
	add_memmap(24, 1);
	for (int i = 0; i < MB2_MODULES_MAX; i++)
		add_module(i, i + 1, "", 1);
	assert_int_equal(finish(), 0);
	used -= 8;
	add_module(0, 1, "", 1);
	assert_int_equal(finish(), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything),       cmocka_unit_test(frame_is_checked),
	    cmocka_unit_test(tags_are_checked), cmocka_unit_test(memory_map_is_checked),
	    cmocka_unit_test(too_many_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
