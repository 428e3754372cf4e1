/* SPDX-License-Identifier: MIT
 *
 * The loader of dataplane images: reading of the kernel's ELF file, layout, page tables, cpio.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ix/loader.h>

#include "guest/kernel/cpio.h"

#define MB (1ull << 20)

/* A kernel of two segments: code with 0x2000 bytes of file, data with 0x100 and bss. */
struct file {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	char bytes[0x3000];
};

static struct file *make(void)
{
	struct file *f = test_calloc(1, sizeof(*f));

	memcpy(f->eh.e_ident, ELFMAG, SELFMAG);
	f->eh.e_ident[EI_CLASS] = ELFCLASS64;
	f->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	f->eh.e_ident[EI_VERSION] = f->eh.e_version = EV_CURRENT;
	f->eh.e_type = ET_EXEC;
	f->eh.e_machine = EM_X86_64;
	f->eh.e_phentsize = sizeof(Elf64_Phdr);
	f->eh.e_phoff = offsetof(struct file, ph);
	f->eh.e_phnum = 3;
	f->eh.e_entry = IX_KERNEL_BASE + 0x10;
	f->ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_vaddr = IX_KERNEL_BASE,
				.p_offset = offsetof(struct file, bytes),
				.p_filesz = 0x2000,
				.p_memsz = 0x2000};
	f->ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_W,
				.p_vaddr = IX_KERNEL_BASE + 2 * MB,
				.p_offset = offsetof(struct file, bytes) + 0x2000,
				.p_filesz = 0x100,
				.p_memsz = 0x5000};
	f->ph[2].p_type = PT_NOTE;
	return f;
}

static void refuse(struct file *f)
{
	struct ix_kernel_elf elf;
	const char *why = NULL;

	assert_int_equal(ix_kernel_elf_parse(f, sizeof(*f), &elf, &why), -EINVAL);
	assert_non_null(why);
	test_free(f);
}

#define REFUSE(change)                   \
	do {                             \
		struct file *f = make(); \
                                         \
		change;                  \
		refuse(f);               \
	} while (0)

static void test_elf(void **state)
{
	struct ix_kernel_elf elf;
	const char *why = NULL;
	struct file *f = make();

	(void)state;
	assert_int_equal(ix_kernel_elf_parse(f, sizeof(*f), &elf, &why), 0);
	assert_int_equal(elf.nsegments, 2);
	assert_int_equal(elf.size, 2 * MB + 0x5000);
	assert_int_equal(elf.entry, IX_KERNEL_BASE + 0x10);
	for (unsigned n = 0; n < offsetof(struct file, bytes) + 0x2100; n += 7)
		assert_int_equal(ix_kernel_elf_parse(f, n, &elf, &why), -EINVAL);
	test_free(f);

	REFUSE(f->eh.e_ident[0] = 0);
	REFUSE(f->eh.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSE(f->eh.e_machine = EM_AARCH64);
	REFUSE(f->eh.e_type = ET_DYN);
	REFUSE(f->eh.e_phentsize = 32);
	REFUSE(f->eh.e_phnum = 0xffff);
	REFUSE(f->eh.e_phnum = 0);
	REFUSE(f->eh.e_phoff = UINT64_MAX - 8);
	REFUSE(f->eh.e_entry = IX_KERNEL_BASE + 0x2000);
	REFUSE(f->eh.e_entry = IX_KERNEL_BASE + 2 * MB);
	REFUSE(f->ph[0].p_vaddr = 0x400000);
	REFUSE(f->ph[0].p_offset = UINT64_MAX);
	REFUSE(f->ph[0].p_filesz = UINT64_MAX);
	REFUSE(f->ph[0].p_memsz = 0x1fff);
	REFUSE(f->ph[1].p_memsz = UINT64_MAX);
	REFUSE(f->ph[1].p_memsz = IX_LOAD_MAX_KERNEL);
	REFUSE(f->ph[1].p_vaddr = IX_KERNEL_BASE + 0x1fff);
	REFUSE(f->ph[1].p_vaddr = IX_KERNEL_BASE + IX_LOAD_MAX_KERNEL + 1);
}

/* The byte at a physical address of an image: from its piece, else zero. */
static uint8_t byte_at(const struct ix_load_image *im, uint64_t pa)
{
	for (unsigned i = 0; i < im->npieces; i++)
		if (pa >= im->piece[i].pa && pa - im->piece[i].pa < im->piece[i].size)
			return ((const uint8_t *)im->piece[i].data)[pa - im->piece[i].pa];
	return 0;
}

/* Walks the image's page tables as the processor does. Returns the 2 MB entry, 0: not mapped. */
static uint64_t walk(const struct ix_load_image *im, uint64_t va)
{
	uint64_t table = im->cr3, e = 0;

	for (int shift = 39; shift >= 21; shift -= 9) {
		uint64_t at = table + ((va >> shift) & 511) * 8;

		e = 0;
		for (int i = 7; i >= 0; i--)
			e = e << 8 | byte_at(im, at + (unsigned)i);
		if (!(e & 1))
			return 0;
		table = e & 0x000ffffffffff000ull;
	}
	assert_true(e & 0x80);
	return e;
}

static void test_layout(void **state)
{
	struct file *f = make();
	struct ix_range mem[2] = {{512 * MB, 32 * MB}, {(600ull << 30), 4 * MB}};
	uint32_t ids[2] = {3, 5};
	struct ix_device dev = {.vendor = 0x8086, .device = 0x100e};
	static char app[10000] = "app";
	struct ix_load_spec spec = {
	    .name = "kv",
	    .tsc_khz = 1000000,
	    .mem = mem,
	    .nmem = 2,
	    .apic_id = ids,
	    .ncores = 2,
	    .device = &dev,
	    .ndevices = 1,
	    .kernel = {f, sizeof(*f)},
	    .app = {app, sizeof(app)},
	    .args = {"kv\0-p\0", 6},
	};
	struct ix_load_image im;
	const char *why = NULL;

	(void)state;
	memset(f->bytes, 0xaa, sizeof(f->bytes));
	assert_int_equal(ix_load_build(&spec, &im, &why), 0);

	uint64_t end = mem[0].base;
	struct ix_bootinfo bi = {0};

	for (unsigned i = 0; i < im.npieces; i++) {
		assert_true(im.piece[i].pa >= end);
		end = im.piece[i].pa + im.piece[i].size;
	}
	for (unsigned i = 0; i < sizeof(bi); i++)
		((uint8_t *)&bi)[i] = byte_at(&im, im.bootinfo + i);
	assert_int_equal(bi.magic, IX_BOOTINFO_MAGIC);
	assert_string_equal(bi.name, "kv");
	assert_int_equal(bi.ncores, 2);
	assert_int_equal(bi.apic_id[1], 5);
	assert_int_equal(bi.mem[1].base, 600ull << 30);
	assert_int_equal(bi.device[0].device, 0x100e);
	assert_int_equal(bi.kernel_base % (2 * MB), 0);
	assert_int_equal(bi.free_base % (2 * MB), 0);
	assert_true(bi.free_base >= end);
	assert_int_equal(bi.app.size, sizeof(app));
	assert_int_equal(byte_at(&im, bi.app.base + 1), 'p');
	assert_int_equal(byte_at(&im, bi.args.base + 3), '-');
	assert_int_equal(bi.files.size, 0);
	assert_int_equal(im.entry, IX_KERNEL_BASE + 0x10);
	assert_int_equal(byte_at(&im, bi.kernel_base + 0x1fff), 0xaa);
	assert_int_equal(byte_at(&im, bi.kernel_base + 0x2000), 0);
	assert_int_equal(byte_at(&im, bi.kernel_base + 2 * MB + 0xff), 0xaa);

	assert_int_equal(walk(&im, IX_KERNEL_BASE + 2 * MB), (bi.kernel_base + 2 * MB) | 0x83);
	assert_int_equal(walk(&im, IX_KERNEL_BASE + 4 * MB), 0);
	for (unsigned i = 0; i < 2; i++)
		for (uint64_t pa = mem[i].base; pa < mem[i].base + mem[i].size; pa += 2 * MB)
			assert_int_equal(walk(&im, IX_DIRECT_BASE + pa), pa | 0x83 | 1ull << 63);
	assert_int_equal(walk(&im, IX_DIRECT_BASE + mem[0].base + mem[0].size), 0);
	assert_int_equal(walk(&im, mem[0].base), 0);
	ix_load_free(&im);

	mem[0].size = 2 * MB;
	assert_int_equal(ix_load_build(&spec, &im, &why), -ENOSPC);
	mem[0].size = 32 * MB + 4096;
	assert_int_equal(ix_load_build(&spec, &im, &why), -EINVAL);
	mem[0].size = 32 * MB;
	mem[1].base = 520 * MB;
	assert_int_equal(ix_load_build(&spec, &im, &why), -EINVAL);
	mem[1].base = 1ull << 47;
	assert_int_equal(ix_load_build(&spec, &im, &why), -EINVAL);
	mem[1].base = 600 * MB;
	spec.args.size = 5;
	assert_int_equal(ix_load_build(&spec, &im, &why), -EINVAL);
	spec.args.size = 6;
	spec.ncores = IX_MAX_CORES + 1;
	assert_int_equal(ix_load_build(&spec, &im, &why), -EINVAL);
	test_free(f);
}

/* What the loader writes, the guest reads. */
static void test_cpio(void **state)
{
	char buf[1000];
	size_t used = 0, at = 0;
	struct cpio_file file;

	(void)state;
	assert_int_equal(ix_cpio_add(buf, sizeof(buf), &used, "etc", NULL, 0), 0);
	assert_int_equal(ix_cpio_add(buf, sizeof(buf), &used, "/etc/motd", "hello", 5), 0);
	assert_int_equal(ix_cpio_add(buf, sizeof(buf), &used, "./e", "", 0), 0);
	assert_int_equal(ix_cpio_add(buf, sizeof(buf), &used, "big", buf, 900), -ENOSPC);
	assert_int_equal(ix_cpio_add(buf, sizeof(buf), &used, NULL, NULL, 0), 0);

	assert_int_equal(cpio_next(buf, used, &at, &file), 1);
	assert_string_equal(file.name, "etc");
	assert_int_equal(file.mode, 040555);
	assert_int_equal(cpio_next(buf, used, &at, &file), 1);
	assert_string_equal(file.name, "etc/motd");
	assert_int_equal(file.mode, 0100444);
	assert_int_equal(file.size, 5);
	assert_memory_equal(file.data, "hello", 5);
	assert_int_equal(cpio_next(buf, used, &at, &file), 1);
	assert_string_equal(file.name, "e");
	assert_int_equal(file.size, 0);
	assert_int_equal(cpio_next(buf, used, &at, &file), 0);

	/* Cut anywhere, it is the files before, and then the end of sense. */
	for (size_t n = 0; n < used - 3; n++) {
		char *copy = test_malloc(n + 1);
		int more;

		memcpy(copy, buf, n);
		copy = test_realloc(copy, n ? n : 1);
		at = 0;
		while ((more = cpio_next(copy, n, &at, &file)) > 0)
			;
		assert_int_equal(more, -EINVAL);
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_elf),
	    cmocka_unit_test(test_layout),
	    cmocka_unit_test(test_cpio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
