/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_load.h"

#include "hv/arch/paging.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/acpi_rewrite.h"
#include "hv/lib/bzimage.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define LOW_LIMIT   0x100000000ul
#define ACPI_SPACE  (64 * 1024)
#define TABLE_PAGES 6 /* PML4, PDPT, four page directories: 4 GB one to one */

/* Segment descriptors for the boot protocol's selectors. */
static const uint64_t boot_gdt[] = {0, 0, 0x00af9b000000fffful, 0x00cf93000000fffful};

static void copy_out(uint64_t to, const void *from, uint64_t len)
{
	const uint8_t *src = from;

	while (len) {
		uint64_t n = len < WINDOW_MAX ? len : WINDOW_MAX;

		memcpy(map_window(to, n), src, n);
		to += n;
		src += n;
		len -= n;
	}
}

static uint64_t take(struct memmap *map, uint64_t size, const char *what)
{
	uint64_t base;

	size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (memmap_find_highest(map, MEM_RAM, size, PAGE_SIZE, 0x1000, LOW_LIMIT, &base) ||
	    memmap_set(map, base, size, MEM_RESERVED))
		refuse("no memory left below 4 GB for Linux's %s", what);
	return base;
}

/* One to one in 2 MB pages, for the kernel's first instructions. */
static uint64_t make_page_tables(struct memmap *map)
{
	uint64_t base = take(map, TABLE_PAGES * PAGE_SIZE, "first page tables");
	uint64_t *table = map_window(base, TABLE_PAGES * PAGE_SIZE);
	uint64_t pa = 0;

	memset(table, 0, TABLE_PAGES * PAGE_SIZE);
	table[0] = (base + PAGE_SIZE) | PTE_P | PTE_W;
	for (unsigned int i = 0; i < 4; i++)
		table[512 + i] = (base + (2 + i) * PAGE_SIZE) | PTE_P | PTE_W;
	for (unsigned int i = 0; i < 4 * 512; i++, pa += PAGE_2M)
		table[2 * 512 + i] = pa | PTE_P | PTE_W | PTE_PS;
	return base;
}

/* RSDP and root table as Linux shall see them: no DMAR, since the IOMMU is not Linux's. */
static uint64_t make_acpi(struct memmap *map)
{
	static const struct acpi_edit edits[] = {{"DMAR", NULL}};
	uint64_t base = take(map, ACPI_SPACE, "ACPI tables");
	void *buffer = map_window(base, ACPI_SPACE);
	int64_t used;

	memset(buffer, 0, ACPI_SPACE);
	used = acpi_rewrite(&hv.acpi, edits, sizeof(edits) / sizeof(edits[0]), buffer, ACPI_SPACE,
			    base);
	if (used < 0)
		panic("ACPI tables do not fit in %u KB (%ld)", ACPI_SPACE / 1024, used);
	memmap_set(&hv.linux_map, base, ACPI_SPACE, MEM_ACPI);
	return base;
}

/* What may be overwritten now: Linux's RAM without the loader's data and modules. */
static void free_memory(struct memmap *map)
{
	*map = hv.linux_map;
	for (uint32_t i = 0; i < hv.boot.nmodules; i++)
		memmap_set(map, hv.boot.module[i].base & ~(PAGE_SIZE - 1),
			   (hv.boot.module[i].size + 2 * PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
			   MEM_RESERVED);
	memmap_set(map, hv.boot_info.base, hv.boot_info.size, MEM_RESERVED);
}

void linux_load(struct linux_entry *entry)
{
	static struct memmap free;
	/* Module 0 is the kernel, with its command line; module 1, where there is one, the initrd. */
	const struct mb2_module *kernel = hv.boot.nmodules > 0 ? &hv.boot.module[0] : NULL;
	const struct mb2_module *initrd = hv.boot.nmodules > 1 ? &hv.boot.module[1] : NULL;
	struct bzimage image;
	struct linux_plan plan;
	const char *why, *args;
	const uint8_t *file;
	uint64_t rsdp;
	void *zero_page, *ext;

	if (!kernel)
		refuse("no Linux: the loader gave no module; add 'module2 /boot/vmlinuz linux ...' "
		       "and "
		       "'module2 /boot/initrd.img initrd' to the boot entry");
	file = direct(kernel->base);
	args = kernel->cmdline;
	if (bzimage_parse(file, kernel->size, &image, &why))
		refuse("the first module is not a Linux kernel that can be started: %s", why);
	free_memory(&free);
	rsdp = make_acpi(&free);
	if (linux_plan(&image, &free, initrd ? initrd->size : 0, strlen(args),
		       hv.linux_map.count + 2, &plan, &why))
		refuse("Linux does not fit: %s", why);

	copy_out(plan.kernel, file + image.kernel_offset, image.kernel_size);
	if (initrd)
		copy_out(plan.initrd, direct(initrd->base), initrd->size);
	copy_out(plan.cmdline, args, strlen(args) + 1);
	zero_page = page_alloc(1);
	ext = page_alloc((plan.e820_ext_size + PAGE_SIZE) / PAGE_SIZE);
	if (!zero_page || !ext)
		panic("no memory for Linux's boot data");
	linux_zero_page(file, &plan, &hv.linux_map, rsdp, !hv.boot.efi_system_table, zero_page,
			ext);
	copy_out(plan.zero_page, zero_page, ZERO_PAGE_SIZE);
	copy_out(plan.e820_ext, ext, plan.e820_ext_size);
	page_free(zero_page);

	entry->rip = plan.entry;
	entry->zero_page = plan.zero_page;
	entry->cr3 = make_page_tables(&free);
	entry->gdt = take(&free, sizeof(boot_gdt), "first descriptor table");
	entry->gdt_size = sizeof(boot_gdt);
	copy_out(entry->gdt, boot_gdt, sizeof(boot_gdt));
	log_info("Linux: boot protocol %u.%02u, kernel at %#lx, initrd at %#lx + %lu KB",
		 image.version >> 8, image.version & 0xff, plan.kernel, plan.initrd,
		 plan.initrd_size / 1024);
	log_info("Linux: command line: %s", args);
}
