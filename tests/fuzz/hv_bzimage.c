/* SPDX-License-Identifier: MIT
 * Input: 8 bytes of sizes (file in KB, initrd in KB, top of memory in MB, number of ranges), then
 * the first BZIMAGE_HEADER_SIZE bytes of a kernel file, to be read and no more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/bytes.h"
#include "hv/lib/bzimage.h"
#include "hv/lib/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_disjoint(const struct linux_plan *p, const struct bzimage *image)
{
	const struct range r[] = {
	    {p->kernel, image->init_size},   {p->initrd, p->initrd_size},
	    {p->zero_page, ZERO_PAGE_SIZE},  {p->cmdline, p->cmdline_size},
	    {p->e820_ext, p->e820_ext_size},
	};

	for (unsigned int i = 0; i < 5; i++)
		for (unsigned int j = 0; j < i; j++)
			if (range_overlaps(r[i].base, r[i].size, r[j].base, r[j].size))
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memmap map, e820;
	struct bzimage image;
	struct linux_plan plan;
	uint64_t file_size, top;
	const char *why;
	uint8_t *file, *zero_page, *ext;

	if (size < 8)
		return 0;
	file_size = get_le16(data, 0) * 1024ull;
	top = get_le16(data, 4) * (1ull << 20);
	if (file_size < BZIMAGE_HEADER_SIZE)
		file_size = size < BZIMAGE_HEADER_SIZE ? size - 8 : BZIMAGE_HEADER_SIZE;
	file = calloc(1, file_size < BZIMAGE_HEADER_SIZE ? file_size + 1 : BZIMAGE_HEADER_SIZE);
	memcpy(file, data + 8, size - 8 < BZIMAGE_HEADER_SIZE ? size - 8 : BZIMAGE_HEADER_SIZE);
	memset(&map, 0, sizeof(map));
	memset(&e820, 0, sizeof(e820));
	memmap_add(&map, 0, 0x9f000, MEM_RAM);
	if (top > 1 << 20)
		memmap_add(&map, 1 << 20, top - (1 << 20), MEM_RAM);
	for (unsigned int i = 0; i < get_le16(data, 6) % 200; i++)
		memmap_add(&e820, i * 2, 1, MEM_RAM);
	if (!bzimage_parse(file, file_size, &image, &why) &&
	    !linux_plan(&image, &map, get_le16(data, 2) * 1024ull, 100, e820.count, &plan, &why)) {
		check_disjoint(&plan, &image);
		if (image.kernel_size > image.init_size || image.kernel_offset >= file_size)
			abort();
		zero_page = malloc(ZERO_PAGE_SIZE);
		ext = malloc(plan.e820_ext_size + 1);
		linux_zero_page(file, &plan, &e820, 0, size & 1, zero_page, ext);
		free(ext);
		free(zero_page);
	}
	free(file);
	return 0;
}
