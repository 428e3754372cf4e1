/* SPDX-License-Identifier: MIT */
#include "hv/lib/bzimage.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

/* Setup header, as offsets in the file and in the zero page alike (boot.rst, "The Real-Mode Kernel
 * Header") */
#define HDR_SETUP_SECTS      0x1f1
#define HDR_SYSSIZE          0x1f4
#define HDR_VID_MODE         0x1fa
#define HDR_BOOT_FLAG        0x1fe
#define HDR_JUMP             0x200
#define HDR_MAGIC            0x202
#define HDR_VERSION          0x206
#define HDR_TYPE_OF_LOADER   0x210
#define HDR_LOADFLAGS        0x211
#define HDR_CODE32_START     0x214
#define HDR_RAMDISK_IMAGE    0x218
#define HDR_RAMDISK_SIZE     0x21c
#define HDR_CMD_LINE_PTR     0x228
#define HDR_INITRD_ADDR_MAX  0x22c
#define HDR_KERNEL_ALIGNMENT 0x230
#define HDR_RELOCATABLE      0x234
#define HDR_MIN_ALIGNMENT    0x235
#define HDR_XLOADFLAGS       0x236
#define HDR_CMDLINE_SIZE     0x238
#define HDR_PAYLOAD_OFFSET   0x248
#define HDR_PAYLOAD_LENGTH   0x24c
#define HDR_SETUP_DATA       0x250
#define HDR_PREF_ADDRESS     0x258
#define HDR_INIT_SIZE        0x260
#define HDR_END_2_12         0x268 /* of protocol 2.12 */
#define HDR_END_MAX          0x290 /* where the zero page has something else */

#define BOOT_FLAG        0xaa55
#define MAGIC            0x53726448 /* "HdrS" */
#define JUMP_SHORT       0xeb
#define LOADED_HIGH      (1u << 0)
#define XLF_KERNEL_64    (1u << 0)
#define XLF_ABOVE_4G     (1u << 1)
#define ENTRY_64         0x200
#define LOADER_UNDEFINED 0xff
#define VID_MODE_NORMAL  0xffff

/* Zero page (boot.rst, zero-page.rst) */
#define ZP_SCREEN_VIDEO_MODE 0x006
#define ZP_SCREEN_COLS       0x007
#define ZP_SCREEN_LINES      0x00e
#define ZP_SCREEN_IS_VGA     0x00f
#define ZP_SCREEN_POINTS     0x010
#define ZP_ACPI_RSDP         0x070
#define ZP_EXT_RAMDISK_IMAGE 0x0c0
#define ZP_EXT_RAMDISK_SIZE  0x0c4
#define ZP_EXT_CMD_LINE_PTR  0x0c8
#define ZP_E820_ENTRIES      0x1e8
#define ZP_E820_TABLE        0x2d0
#define E820_TABLE_MAX       128
#define E820_ENTRY_SIZE      20
#define SETUP_DATA_HEADER    16
#define SETUP_E820_EXT       1

#define PAGE      4096ull
#define LOW_BEGIN 0x10000ull
#define LOW_END   0xa0000ull
#define MB_16     (16ull << 20)
#define GB_4      (4ull << 30)

static int fail(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

int bzimage_parse(const void *file, uint64_t size, struct bzimage *image, const char **why)
{
	uint32_t sectors, header_end, flags;

	*why = NULL;
	memset(image, 0, sizeof(*image));
	if (size < BZIMAGE_HEADER_SIZE)
		return fail(why, -EBADMSG, "kernel file too short");
	if (get_le16(file, HDR_BOOT_FLAG) != BOOT_FLAG || get_le32(file, HDR_MAGIC) != MAGIC)
		return fail(why, -EBADMSG, "not a Linux bzImage");
	image->version = get_le16(file, HDR_VERSION);
	if (image->version < 0x20c)
		return fail(why, -EOPNOTSUPP, "boot protocol older than 2.12");
	header_end = HDR_MAGIC + get_u8(file, HDR_JUMP + 1);
	if (get_u8(file, HDR_JUMP) != JUMP_SHORT || header_end < HDR_END_2_12)
		return fail(why, -EBADMSG, "setup header too short");

	sectors = get_u8(file, HDR_SETUP_SECTS);
	image->kernel_offset = ((sectors ? sectors : 4) + 1) * 512;
	if (header_end > image->kernel_offset || image->kernel_offset >= size)
		return fail(why, -EBADMSG, "setup code exceeds the file");
	image->kernel_size = size - image->kernel_offset;
	/* In units of 16 bytes; a signature may follow. */
	if (get_le32(file, HDR_SYSSIZE) > (image->kernel_size + 15) / 16)
		return fail(why, -EBADMSG, "kernel file is cut off");
	if (!range_contains(0, image->kernel_size, get_le32(file, HDR_PAYLOAD_OFFSET),
			    get_le32(file, HDR_PAYLOAD_LENGTH)))
		return fail(why, -EBADMSG, "payload exceeds the file");

	if (!(get_u8(file, HDR_LOADFLAGS) & LOADED_HIGH))
		return fail(why, -EOPNOTSUPP, "kernel does not load high");
	flags = get_le16(file, HDR_XLOADFLAGS);
	if (!(flags & XLF_KERNEL_64))
		return fail(why, -EOPNOTSUPP, "no 64-bit entry point");
	image->above_4g = flags & XLF_ABOVE_4G;

	image->init_size = get_le32(file, HDR_INIT_SIZE);
	if (image->init_size < get_le32(file, HDR_SYSSIZE) * 16ull ||
	    image->init_size < ENTRY_64 + 1)
		return fail(why, -EBADMSG, "init_size smaller than the kernel");
	/* The signature is not part of the kernel, and may be more than it has room for. */
	if (image->kernel_size > image->init_size)
		image->kernel_size = image->init_size;
	image->relocatable = get_u8(file, HDR_RELOCATABLE);
	image->alignment = get_le32(file, HDR_KERNEL_ALIGNMENT);
	if (!is_power_of_2(image->alignment) || image->alignment < PAGE)
		return fail(why, -EBADMSG, "kernel_alignment invalid");
	image->pref_address = get_le64(file, HDR_PREF_ADDRESS);
	if (!is_aligned(image->pref_address, PAGE))
		return fail(why, -EBADMSG, "pref_address not page aligned");
	image->cmdline_max = get_le32(file, HDR_CMDLINE_SIZE);
	image->initrd_max = get_le32(file, HDR_INITRD_ADDR_MAX);
	return 0;
}

/* Finds a place and takes it out of the map. */
static bool take(struct memmap *map, uint64_t base, uint64_t size)
{
	return !memmap_carve(map, base, size, MEM_RAM, MEM_RESERVED);
}

static bool take_lowest(struct memmap *map, uint64_t size, uint64_t align, uint64_t min,
			uint64_t max, uint64_t *base)
{
	return !memmap_find_lowest(map, MEM_RAM, size, align, min, max, base) &&
	       take(map, *base, size);
}

static bool place_kernel(const struct bzimage *image, struct memmap *map, struct linux_plan *plan)
{
	uint64_t max = image->above_4g ? UINT64_MAX : GB_4, size;

	if (!align_up(image->init_size, PAGE, &size))
		return false;
	plan->kernel = image->pref_address;
	if (range_contains(0, max, plan->kernel, size) && take(map, plan->kernel, size))
		return true;
	if (!image->relocatable)
		return false;
	/* Above 16 MB a kernel leaves the old DMA zone free. */
	return take_lowest(map, size, image->alignment, MB_16, max, &plan->kernel) ||
	       take_lowest(map, size, image->alignment, 1 << 20, max, &plan->kernel);
}

/* Small things go below 640 KB, where neither the kernel nor the decompressor puts itself. */
static bool place_low(const struct bzimage *image, struct memmap *map, uint64_t size,
		      uint64_t *base)
{
	return take_lowest(map, size, PAGE, LOW_BEGIN, LOW_END, base) ||
	       take_lowest(map, size, PAGE, 1 << 20, image->above_4g ? UINT64_MAX : GB_4, base);
}

int linux_plan(const struct bzimage *image, struct memmap *map, uint64_t initrd_size,
	       uint64_t cmdline_length, uint32_t e820_count, struct linux_plan *plan,
	       const char **why)
{
	uint64_t initrd_pages;

	*why = NULL;
	memset(plan, 0, sizeof(*plan));
	if (cmdline_length > image->cmdline_max)
		return fail(why, -E2BIG, "command line longer than the kernel takes");
	if (!place_kernel(image, map, plan))
		return fail(why, -ENOMEM, "no memory for the kernel");
	plan->entry = plan->kernel + ENTRY_64;

	if (initrd_size) {
		plan->initrd_size = initrd_size;
		if (!align_up(initrd_size, PAGE, &initrd_pages))
			return fail(why, -ENOMEM, "no memory for the initrd");
		if (memmap_find_highest(map, MEM_RAM, initrd_pages, PAGE, 1 << 20,
					image->initrd_max + 1, &plan->initrd) &&
		    (!image->above_4g || memmap_find_lowest(map, MEM_RAM, initrd_pages, PAGE, GB_4,
							    UINT64_MAX, &plan->initrd)))
			return fail(why, -ENOMEM, "no memory for the initrd");
		if (!take(map, plan->initrd, initrd_pages))
			return fail(why, -ENOMEM, "memory map full");
	}

	plan->cmdline_size = cmdline_length + 1;
	if (e820_count > E820_TABLE_MAX)
		plan->e820_ext_size =
		    SETUP_DATA_HEADER + (e820_count - E820_TABLE_MAX) * E820_ENTRY_SIZE;
	if (!place_low(image, map, ZERO_PAGE_SIZE, &plan->zero_page) ||
	    !place_low(image, map, plan->cmdline_size, &plan->cmdline) ||
	    (plan->e820_ext_size && !place_low(image, map, plan->e820_ext_size, &plan->e820_ext)))
		return fail(why, -ENOMEM, "no memory for the boot parameters");
	return 0;
}

static void put_e820(uint8_t *p, const struct memmap_entry *e)
{
	put_le64(p, 0, e->base);
	put_le64(p, 8, e->size);
	put_le32(p, 16, e->type);
}

static void fill_e820(const struct memmap *e820, const struct linux_plan *plan, uint8_t *zp,
		      uint8_t *ext)
{
	uint32_t in_page = e820->count < E820_TABLE_MAX ? e820->count : E820_TABLE_MAX;
	uint32_t room =
	    plan->e820_ext_size ? (plan->e820_ext_size - SETUP_DATA_HEADER) / E820_ENTRY_SIZE : 0;
	uint32_t more = e820->count - in_page;

	zp[ZP_E820_ENTRIES] = in_page;
	for (uint32_t i = 0; i < in_page; i++)
		put_e820(zp + ZP_E820_TABLE + i * E820_ENTRY_SIZE, &e820->entry[i]);
	if (more > room)
		more = room;
	if (!more)
		return;
	put_le64(ext, 0, 0); /* the last of the list */
	put_le32(ext, 8, SETUP_E820_EXT);
	put_le32(ext, 12, more * E820_ENTRY_SIZE);
	for (uint32_t i = 0; i < more; i++)
		put_e820(ext + SETUP_DATA_HEADER + i * E820_ENTRY_SIZE, &e820->entry[in_page + i]);
	put_le64(zp, HDR_SETUP_DATA, plan->e820_ext);
}

void linux_zero_page(const void *file, const struct linux_plan *plan, const struct memmap *e820,
		     uint64_t rsdp, bool vga_text, void *zero_page, void *e820_ext)
{
	uint32_t end = HDR_MAGIC + get_u8(file, HDR_JUMP + 1);
	uint8_t *zp = zero_page;

	if (end > HDR_END_MAX)
		end = HDR_END_MAX;
	memset(zp, 0, ZERO_PAGE_SIZE);
	memcpy(zp + HDR_SETUP_SECTS, (const uint8_t *)file + HDR_SETUP_SECTS,
	       end - HDR_SETUP_SECTS);
	put_le16(zp, HDR_VID_MODE, VID_MODE_NORMAL);
	zp[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	put_le32(zp, HDR_CODE32_START, plan->kernel);
	put_le32(zp, HDR_CMD_LINE_PTR, plan->cmdline);
	put_le32(zp, ZP_EXT_CMD_LINE_PTR, plan->cmdline >> 32);
	put_le32(zp, HDR_RAMDISK_IMAGE, plan->initrd);
	put_le32(zp, ZP_EXT_RAMDISK_IMAGE, plan->initrd >> 32);
	put_le32(zp, HDR_RAMDISK_SIZE, plan->initrd_size);
	put_le32(zp, ZP_EXT_RAMDISK_SIZE, plan->initrd_size >> 32);
	put_le64(zp, HDR_SETUP_DATA, 0);
	put_le64(zp, ZP_ACPI_RSDP, rsdp);
	if (vga_text) {
		zp[ZP_SCREEN_VIDEO_MODE] = 3;
		zp[ZP_SCREEN_COLS] = 80;
		zp[ZP_SCREEN_LINES] = 25;
		zp[ZP_SCREEN_IS_VGA] = 1;
		put_le16(zp, ZP_SCREEN_POINTS, 16);
	}
	fill_e820(e820, plan, zp, e820_ext);
}
