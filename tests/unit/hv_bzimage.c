/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/bytes.h"
#include "hv/lib/bzimage.h"
#include "hv/lib/errno.h"

#define MB (1ull << 20)
#define GB (1ull << 30)

/* A kernel file with the header of Debian's 6.1 and nothing behind it. */
#define FILE_SIZE (20 * 512 + 65536)
static uint8_t file[FILE_SIZE];
static struct bzimage image;
static const char *why;

static int setup(void **state)
{
	(void)state;
	memset(file, 0, sizeof(file));
	file[0x1f1] = 19;
	put_le32(file, 0x1f4, 65536 / 16);
	put_le16(file, 0x1fe, 0xaa55);
	file[0x200] = 0xeb;
	file[0x201] = 0x6a;
	memcpy(file + 0x202, "HdrS", 4);
	put_le16(file, 0x206, 0x20f);
	file[0x211] = 1;
	put_le32(file, 0x22c, 0x7fffffff);
	put_le32(file, 0x230, 0x200000);
	file[0x234] = 1;
	file[0x235] = 21;
	put_le16(file, 0x236, 0x7f);
	put_le32(file, 0x238, 2047);
	put_le32(file, 0x248, 716);
	put_le32(file, 0x24c, 60000);
	put_le64(file, 0x258, 16 * MB);
	put_le32(file, 0x260, 0x3378000);
	return 0;
}

static int parse(uint64_t size)
{
	int error = bzimage_parse(file, size, &image, &why);

	assert_true(!error == !why);
	return error;
}

static void reads_the_header(void **state)
{
	(void)state;
	assert_int_equal(parse(FILE_SIZE), 0);
	assert_int_equal(image.version, 0x20f);
	assert_int_equal(image.kernel_offset, 20 * 512);
	assert_int_equal(image.kernel_size, 65536);
	assert_int_equal(image.init_size, 0x3378000);
	assert_int_equal(image.pref_address, 16 * MB);
	assert_int_equal(image.alignment, 0x200000);
	assert_true(image.relocatable && image.above_4g);
	assert_int_equal(image.cmdline_max, 2047);
	assert_int_equal(image.initrd_max, 0x7fffffff);
	file[0x1f1] = 0; /* means 4 */
	assert_int_equal(parse(FILE_SIZE), 0);
	assert_int_equal(image.kernel_offset, 2560);
	file[0x1f1] = 19;
	put_le32(file, 0x260, 65536); /* a signature behind the kernel stays out */
	assert_int_equal(parse(FILE_SIZE + 1000), 0);
	assert_int_equal(image.kernel_size, 65536);
}

static void refuses_bad_headers(void **state)
{
	static const struct {
		uint32_t at, size;
		uint64_t value;
		int error;
		const char *why;
	} bad[] = {
	    {0x1fe, 2, 0xaa54, -EBADMSG, "not a Linux bzImage"},
	    {0x202, 4, 0x53726447, -EBADMSG, "not a Linux bzImage"},
	    {0x206, 2, 0x20b, -EOPNOTSUPP, "boot protocol older than 2.12"},
	    {0x200, 1, 0xe9, -EBADMSG, "setup header too short"},
	    {0x201, 1, 0x65, -EBADMSG, "setup header too short"},
	    {0x1f1, 1, 200, -EBADMSG, "setup code exceeds the file"},
	    {0x1f4, 4, 65536 / 16 + 1, -EBADMSG, "kernel file is cut off"},
	    {0x1f4, 4, 0xffffffff, -EBADMSG, "kernel file is cut off"},
	    {0x248, 4, 0xfffffff0, -EBADMSG, "payload exceeds the file"},
	    {0x24c, 4, 65536, -EBADMSG, "payload exceeds the file"},
	    {0x211, 1, 0, -EOPNOTSUPP, "kernel does not load high"},
	    {0x236, 2, 2, -EOPNOTSUPP, "no 64-bit entry point"},
	    {0x260, 4, 65535, -EBADMSG, "init_size smaller than the kernel"},
	    {0x230, 4, 0x300000, -EBADMSG, "kernel_alignment invalid"},
	    {0x230, 4, 0, -EBADMSG, "kernel_alignment invalid"},
	    {0x230, 4, 16, -EBADMSG, "kernel_alignment invalid"},
	    {0x258, 8, 16 * MB + 1, -EBADMSG, "pref_address not page aligned"},
	};

	(void)state;
	assert_int_equal(parse(1023), -EBADMSG);
	assert_string_equal(why, "kernel file too short");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(NULL);
		memcpy(file + bad[i].at, &bad[i].value, bad[i].size);
		assert_int_equal(parse(FILE_SIZE), bad[i].error);
		assert_string_equal(why, bad[i].why);
	}
}

static struct memmap machine(uint64_t top)
{
	struct memmap m = {0};

	memmap_add(&m, 0, 0x9fc00, MEM_RAM);
	memmap_add(&m, MB, (top < 3 * GB ? top : 3 * GB) - MB, MEM_RAM);
	if (top > 3 * GB)
		memmap_add(&m, 4 * GB, top - 3 * GB, MEM_RAM);
	return m;
}

static void plans_the_usual_machine(void **state)
{
	struct memmap m = machine(512 * MB), before = m;
	struct linux_plan p;

	(void)state;
	assert_int_equal(parse(FILE_SIZE), 0);
	assert_int_equal(linux_plan(&image, &m, 10 * MB + 1, 100, 4, &p, &why), 0);
	assert_int_equal(p.kernel, 16 * MB);
	assert_int_equal(p.entry, 16 * MB + 0x200);
	assert_int_equal(p.initrd, 512 * MB - 10 * MB - 4096);
	assert_int_equal(p.initrd_size, 10 * MB + 1);
	assert_int_equal(p.zero_page, 0x10000);
	assert_int_equal(p.cmdline, 0x11000);
	assert_int_equal(p.cmdline_size, 101);
	assert_int_equal(p.e820_ext, 0);
	assert_true(memmap_contains(&m, 16 * MB, 0x3378000, MEM_RESERVED));

	/* the preferred place is taken: the lowest aligned one above 16 MB */
	m = before;
	memmap_carve(&m, 20 * MB, 5 * MB, MEM_RAM, MEM_RESERVED);
	assert_int_equal(linux_plan(&image, &m, 0, 100, 4, &p, &why), 0);
	assert_int_equal(p.kernel, 26 * MB);
	assert_int_equal(p.initrd, 0);
	m = before;
	memmap_carve(&m, 20 * MB, 5 * MB, MEM_RAM, MEM_RESERVED);
	image.relocatable = false;
	assert_int_equal(linux_plan(&image, &m, 0, 100, 4, &p, &why), -ENOMEM);
	assert_string_equal(why, "no memory for the kernel");
}

static void plans_odd_machines(void **state)
{
	struct memmap m = machine(8 * GB);
	struct linux_plan p;

	(void)state;
	assert_int_equal(parse(FILE_SIZE), 0);
	/* initrd_addr_max is a limit on the last byte */
	assert_int_equal(linux_plan(&image, &m, 4096, 0, 4, &p, &why), 0);
	assert_int_equal(p.initrd, 2 * GB - 4096);

	/* an initrd larger than low memory goes above 4 GB where the kernel can */
	m = machine(8 * GB);
	assert_int_equal(linux_plan(&image, &m, 3 * GB, 0, 4, &p, &why), 0);
	assert_int_equal(p.initrd, 4 * GB);
	m = machine(8 * GB);
	image.above_4g = false;
	assert_int_equal(linux_plan(&image, &m, 3 * GB, 0, 4, &p, &why), -ENOMEM);
	assert_string_equal(why, "no memory for the initrd");
	m = machine(8 * GB);
	assert_int_equal(linux_plan(&image, &m, UINT64_MAX, 0, 4, &p, &why), -ENOMEM);

	/* little memory: below 16 MB, if it fits there at all */
	image.init_size = 8 * MB;
	m = machine(12 * MB);
	assert_int_equal(linux_plan(&image, &m, 0, 0, 4, &p, &why), 0);
	assert_int_equal(p.kernel, 2 * MB);
	/* no low memory */
	m = machine(64 * MB);
	memmap_set(&m, 0, MB, MEM_RESERVED);
	assert_int_equal(linux_plan(&image, &m, 0, 0, 4, &p, &why), 0);
	assert_in_range(p.zero_page, MB, 64 * MB);
	m = machine(64 * MB);
	assert_int_equal(linux_plan(&image, &m, 0, 2047, 4, &p, &why), 0);
	m = machine(64 * MB);
	assert_int_equal(linux_plan(&image, &m, 0, 2048, 4, &p, &why), -E2BIG);
}

static void fills_the_zero_page(void **state)
{
	static uint8_t zp[4096], ext[4096];
	struct memmap m = machine(512 * MB), e820 = {0};
	struct linux_plan p;

	(void)state;
	memset(zp, 0xff, sizeof(zp));
	put_le64(file, 0x250, 0x1234); /* whatever was there */
	assert_int_equal(parse(FILE_SIZE), 0);
	for (int i = 0; i < 130; i++)
		memmap_add(&e820, i * 0x2000, 0x1000, MEM_RAM);
	assert_int_equal(linux_plan(&image, &m, 5000, 10, e820.count, &p, &why), 0);
	assert_int_equal(p.e820_ext_size, 16 + 40);
	p.initrd = 0x123456000;
	p.cmdline = 0x234567000;
	linux_zero_page(file, &p, &e820, 0xf1234, true, zp, ext);

	assert_int_equal(zp[0x1ef], 0); /* sentinel */
	assert_int_equal(get_le32(zp, 0x202), 0x53726448);
	assert_int_equal(get_le32(zp, 0x260), 0x3378000);
	assert_int_equal(zp[0x26c], file[0x26c]);
	assert_int_equal(zp[0x210], 0xff);
	assert_int_equal(get_le16(zp, 0x1fa), 0xffff);
	assert_int_equal(get_le32(zp, 0x214), 16 * MB);
	assert_int_equal(get_le32(zp, 0x218), 0x23456000);
	assert_int_equal(get_le32(zp, 0x0c0), 1);
	assert_int_equal(get_le32(zp, 0x21c), 5000);
	assert_int_equal(get_le32(zp, 0x0c4), 0);
	assert_int_equal(get_le32(zp, 0x228), 0x34567000);
	assert_int_equal(get_le32(zp, 0x0c8), 2);
	assert_int_equal(get_le64(zp, 0x070), 0xf1234);
	assert_int_equal(zp[0x1e8], 128);
	assert_int_equal(get_le64(zp, 0x2d0 + 127 * 20), 127 * 0x2000);
	assert_int_equal(get_le64(zp, 0x2d0 + 127 * 20 + 8), 0x1000);
	assert_int_equal(get_le32(zp, 0x2d0 + 127 * 20 + 16), 1);
	assert_int_equal(zp[0x2d0 + 128 * 20], 0);
	assert_int_equal(zp[7], 80);
	assert_int_equal(get_le64(zp, 0x250), p.e820_ext);
	assert_int_equal(get_le64(ext, 0), 0);
	assert_int_equal(get_le32(ext, 8), 1);
	assert_int_equal(get_le32(ext, 12), 40);
	assert_int_equal(get_le64(ext, 16 + 20), 129 * 0x2000);

	/* a long header stops where the zero page has other things; no display */
	file[0x201] = 0xff;
	memset(file + 0x268, 0xee, 100);
	e820.count = 3;
	linux_zero_page(file, &p, &e820, 0, false, zp, ext);
	assert_int_equal(zp[0x28f], 0xee);
	assert_int_equal(zp[0x290], 0);
	assert_int_equal(zp[0x1e8], 3);
	assert_int_equal(get_le64(zp, 0x250), 0);
	assert_int_equal(zp[15], 0);
}

/* The kernels that the system tests boot, where the build has fetched them. */
static void accepts_debians_kernels(void **state)
{
	static const char *const kinds[] = {"cloud", "full"};
	const char *build = getenv("BUILD");
	int found = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		char name[256];
		FILE *f;
		long size;

		snprintf(name, sizeof(name), "%s/linux/%s/vmlinuz", build ? build : "build",
			 kinds[i]);
		f = fopen(name, "rb");
		if (!f)
			continue;
		found++;
		assert_int_equal(fseek(f, 0, SEEK_END), 0);
		size = ftell(f);
		rewind(f);
		assert_int_equal(fread(file, 1, BZIMAGE_HEADER_SIZE, f), BZIMAGE_HEADER_SIZE);
		fclose(f);
		assert_int_equal(parse(size), 0);
		assert_int_equal(parse(size / 2), -EBADMSG);
	}
	if (!found)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(reads_the_header, setup),
	    cmocka_unit_test_setup(refuses_bad_headers, setup),
	    cmocka_unit_test_setup(plans_the_usual_machine, setup),
	    cmocka_unit_test_setup(plans_odd_machines, setup),
	    cmocka_unit_test_setup(fills_the_zero_page, setup),
	    cmocka_unit_test(accepts_debians_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
