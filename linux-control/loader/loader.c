/* SPDX-License-Identifier: MIT
 *
 * Layout of a domain's first memory, all in mem[0]:
 *
 *   kernel image | page tables | boot page | application | args | env | files | config | free
 *
 * The kernel starts at mem[0].base, the others at the next 4 KB boundary, and the free memory at
 * the next 2 MB boundary, because the guest allocates 2 MB pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ix/loader.h>

#define PAGE      4096ull
#define BIG_PAGE  (2ull << 20)
#define MAX_PA    (1ull << 46) /* what fits above IX_DIRECT_BASE and below the kernel */
#define MAX_TABLE 65536        /* page tables: 64 TB of memory, far over what MAX_MEM ranges hold */

#define PTE_P   1ull
#define PTE_W   2ull
#define PTE_BIG (1ull << 7)
#define PTE_NX  (1ull << 63)
#define PTE_PA  0x000ffffffffff000ull

/* Page tables under construction: table i lies at `base` + i * PAGE; table 0 is the root. */
struct tables {
	uint64_t (*t)[512];
	unsigned n, room;
	uint64_t base;
};

static int new_table(struct tables *pt)
{
	if (pt->n == pt->room) {
		unsigned room = pt->room ? pt->room * 2 : 16;
		void *more = room <= MAX_TABLE ? realloc(pt->t, room * PAGE) : NULL;

		if (!more)
			return -ENOMEM;
		pt->t = more;
		pt->room = room;
	}
	memset(pt->t[pt->n], 0, PAGE);
	return (int)pt->n++;
}

/* Maps one 2 MB page (SDM 3A 4.5.4, tables 4-15 to 4-18). */
static int map_big(struct tables *pt, uint64_t va, uint64_t pa, uint64_t flags)
{
	int at = 0;

	for (int shift = 39; shift > 21; shift -= 9) {
		unsigned i = (va >> shift) & 511;

		if (!pt->t[at][i]) {
			int next = new_table(pt);

			if (next < 0)
				return next;
			pt->t[at][i] = (pt->base + (uint64_t)next * PAGE) | PTE_P | PTE_W;
		}
		at = (int)(((pt->t[at][i] & PTE_PA) - pt->base) / PAGE);
	}
	pt->t[at][(va >> 21) & 511] = pa | flags | PTE_P | PTE_BIG;
	return 0;
}

static int map_range(struct tables *pt, uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
	for (uint64_t done = 0; done < size; done += BIG_PAGE) {
		int err = map_big(pt, va + done, pa + done, flags);

		if (err)
			return err;
	}
	return 0;
}

static int bad(const char **why, const char *what)
{
	*why = what;
	return -EINVAL;
}

static int check_strings(const struct ix_load_bytes *b)
{
	return b->size == 0 || ((const char *)b->data)[b->size - 1] == '\0';
}

static int check_spec(const struct ix_load_spec *s, const char **why)
{
	if (strlen(s->name) >= IX_NAME_LEN)
		return bad(why, "name too long");
	if (s->nmem < 1 || s->nmem > IX_MAX_MEM)
		return bad(why, "number of memory ranges");
	if (s->ncores < 1 || s->ncores > IX_MAX_CORES)
		return bad(why, "number of cores");
	if (s->ndevices > IX_MAX_DEVICES)
		return bad(why, "number of devices");
	uint64_t end = 0;

	for (unsigned i = 0; i < s->nmem; i++) {
		const struct ix_range *r = &s->mem[i];

		if (r->base % BIG_PAGE || r->size % BIG_PAGE || r->size == 0)
			return bad(why, "a memory range is not in units of 2 MB");
		if (r->base < end || r->base > MAX_PA || r->size > MAX_PA - r->base)
			return bad(why, "memory ranges overlap, descend or lie too high");
		end = r->base + r->size;
	}
	if (!check_strings(&s->args) || !check_strings(&s->env))
		return bad(why, "arguments or environment do not end in NUL");
	return 0;
}

/* Takes room for `size` bytes at *at; returns its address. Sums stay small: sizes are of real buffers. */
static uint64_t place(uint64_t *at, uint64_t size)
{
	uint64_t pa = *at;

	*at += (size + PAGE - 1) & ~(PAGE - 1);
	return pa;
}

static void add_piece(struct ix_load_image *image, uint64_t pa, const void *data, uint64_t size)
{
	if (size)
		image->piece[image->npieces++] = (struct ix_load_piece){pa, data, size};
}

static struct ix_blob add_blob(struct ix_load_image *image, uint64_t *at,
			       const struct ix_load_bytes *b)
{
	struct ix_blob blob = {0, b->size};

	if (b->size) {
		blob.base = place(at, b->size);
		add_piece(image, blob.base, b->data, b->size);
	}
	return blob;
}

static void fill_bootinfo(struct ix_bootinfo *bi, const struct ix_load_spec *s)
{
	memset(bi, 0, PAGE);
	bi->magic = IX_BOOTINFO_MAGIC;
	bi->version = IX_BOOTINFO_VERSION;
	bi->size = sizeof(*bi);
	bi->flags = s->flags;
	memcpy(bi->name, s->name, strlen(s->name));
	bi->tsc_khz = s->tsc_khz;
	bi->apic_timer_hz = s->apic_timer_hz;
	bi->ncores = s->ncores;
	bi->nmem = s->nmem;
	bi->ndevices = s->ndevices;
	memcpy(bi->apic_id, s->apic_id, s->ncores * sizeof(*s->apic_id));
	memcpy(bi->mem, s->mem, s->nmem * sizeof(*s->mem));
	if (s->ndevices)
		memcpy(bi->device, s->device, s->ndevices * sizeof(*s->device));
}

_Static_assert(sizeof(struct ix_bootinfo) <= 4096, "the boot information is one page");

int ix_load_build(const struct ix_load_spec *s, struct ix_load_image *image, const char **why)
{
	struct ix_kernel_elf elf;
	struct tables pt = {0};

	memset(image, 0, sizeof(*image));
	int err = check_spec(s, why);

	if (!err)
		err = ix_kernel_elf_parse(s->kernel.data, s->kernel.size, &elf, why);
	if (err)
		return err;

	uint64_t at = s->mem[0].base, kernel_base = place(&at, elf.size);

	for (unsigned i = 0; i < elf.nsegments; i++)
		add_piece(image, kernel_base + (elf.segment[i].vaddr - IX_KERNEL_BASE),
			  (const uint8_t *)s->kernel.data + elf.segment[i].offset,
			  elf.segment[i].filesize);

	pt.base = at;
	if (new_table(&pt) < 0)
		goto nomem;
	if (map_range(&pt, IX_KERNEL_BASE, kernel_base, elf.size, PTE_W))
		goto nomem;
	for (unsigned i = 0; i < s->nmem; i++)
		if (map_range(&pt, IX_DIRECT_BASE + s->mem[i].base, s->mem[i].base, s->mem[i].size,
			      PTE_W | PTE_NX))
			goto nomem;

	/* The boot page follows the tables, in one allocation with them. */
	void *own = realloc(pt.t, (pt.n + 1) * PAGE);

	if (!own)
		goto nomem;
	image->own = pt.t = own;
	struct ix_bootinfo *bi = (void *)pt.t[pt.n];

	fill_bootinfo(bi, s);
	bi->kernel_base = kernel_base;
	bi->kernel_size = elf.size;
	bi->page_tables = place(&at, pt.n * PAGE);
	bi->page_tables_size = pt.n * PAGE;
	add_piece(image, bi->page_tables, pt.t, pt.n * PAGE);
	image->bootinfo = place(&at, PAGE);
	add_piece(image, image->bootinfo, bi, PAGE);
	bi->app = add_blob(image, &at, &s->app);
	bi->args = add_blob(image, &at, &s->args);
	bi->env = add_blob(image, &at, &s->env);
	bi->files = add_blob(image, &at, &s->files);
	bi->config = add_blob(image, &at, &s->config);
	bi->free_base = (at + BIG_PAGE - 1) & ~(BIG_PAGE - 1);

	image->entry = elf.entry;
	image->cr3 = bi->page_tables;
	if (bi->free_base > s->mem[0].base + s->mem[0].size) {
		ix_load_free(image);
		*why = "the first memory range is too small for kernel, application and files";
		return -ENOSPC;
	}
	return 0;
nomem:
	free(pt.t);
	*why = "out of memory";
	return -ENOMEM;
}

void ix_load_free(struct ix_load_image *image)
{
	free(image->own);
	memset(image, 0, sizeof(*image));
}
