/* SPDX-License-Identifier: MIT
 *
 * Makes a file that `qemu-system-x86_64 -kernel` boots: test shim + the memory image of one dataplane,
 * as a multiboot 1 ELF32 with one segment for each piece.
 */
#include <elf.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ix/loader.h>

#include "tests/guest-boot/shim.h"

#define MAX_ARGS  65536
#define MAX_FILES (16u << 20)
#define MAX_LOAD  (IX_LOAD_MAX_PIECES + 1)

static const char usage[] = "usage: mkguestimg -o OUT -s SHIM -k KERNEL [options] [-- APP ARG...]\n"
			    "  -n NAME   name of the dataplane (test)\n"
			    "  -c FILE   configuration text\n"
			    "  -f NAME=FILE  file for the application; NAME/ alone: a directory\n"
			    "  -e VAR=VALUE  environment\n"
			    "  -m BASE,SIZE  memory range in bytes (0x1000000,0x4000000)\n"
			    "  -j N      cores (1)\n"
			    "  -d VENDOR:DEVICE  PCI function, hexadecimal\n"
			    "  -S VECTOR  unwanted interrupts, 1000 a second\n";

static struct ix_load_bytes slurp(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || fseek(f, 0, SEEK_END))
		err(1, "%s", path);
	long size = ftell(f);
	char *data = malloc((size_t)size + 1);

	rewind(f);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		err(1, "%s", path);
	fclose(f);
	return (struct ix_load_bytes){data, (uint64_t)size};
}

static void add_string(struct ix_load_bytes *b, const char *s)
{
	size_t n = strlen(s) + 1;

	if (!b->data && !(b->data = malloc(MAX_ARGS)))
		err(1, "memory");
	if (n > MAX_ARGS - b->size)
		errx(1, "arguments too long");
	memcpy((char *)b->data + b->size, s, n);
	b->size += n;
}

static void add_file(struct ix_load_bytes *b, char *what)
{
	size_t used = b->size, room = MAX_FILES;
	char *path = strchr(what, '=');
	struct ix_load_bytes file = {0};

	if (!b->data && !(b->data = malloc(room)))
		err(1, "memory");
	if (path) {
		*path++ = '\0';
		file = slurp(path);
	}
	if (ix_cpio_add((void *)b->data, room, &used, what, file.data, file.size))
		errx(1, "%s: does not fit", what);
	b->size = used;
}

static void write_image(const char *path, struct ix_load_bytes shim,
			const struct ix_load_image *image, uint32_t entry)
{
	FILE *f = fopen(path, "wb");
	unsigned n = image->npieces + 1;
	uint32_t off = 4096;
	Elf32_Ehdr eh = {
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
	    .e_type = ET_EXEC,
	    .e_machine = EM_386,
	    .e_version = EV_CURRENT,
	    .e_entry = entry,
	    .e_phoff = sizeof(eh),
	    .e_ehsize = sizeof(eh),
	    .e_phentsize = sizeof(Elf32_Phdr),
	    .e_phnum = (Elf32_Half)n,
	};

	if (!f || fwrite(&eh, sizeof(eh), 1, f) != 1)
		err(1, "%s", path);
	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = i ? image->piece[i - 1].pa : SHIM_BASE;
		uint64_t size = i ? image->piece[i - 1].size : shim.size;

		if (pa + size > UINT32_MAX || off + size > INT32_MAX)
			errx(1, "a piece lies above 4 GB");
		Elf32_Phdr ph = {
		    .p_type = PT_LOAD,
		    .p_offset = off,
		    .p_vaddr = (uint32_t)pa,
		    .p_paddr = (uint32_t)pa,
		    .p_filesz = (uint32_t)size,
		    .p_memsz = (uint32_t)size,
		    .p_flags = PF_R | PF_W | PF_X,
		    .p_align = 1,
		};
		if (fwrite(&ph, sizeof(ph), 1, f) != 1)
			err(1, "%s", path);
		off += (uint32_t)size;
	}
	fseek(f, 4096, SEEK_SET);
	fwrite(shim.data, 1, shim.size, f);
	for (unsigned i = 0; i < image->npieces; i++)
		fwrite(image->piece[i].data, 1, image->piece[i].size, f);
	if (fclose(f))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	const char *out = NULL, *shim_path = NULL, *kernel = NULL, *why = "";
	struct ix_range mem[IX_MAX_MEM];
	struct ix_device dev[IX_MAX_DEVICES] = {0};
	uint32_t apic_id[IX_MAX_CORES];
	unsigned nfiles = 0;
	uint64_t storm = 0;
	struct ix_load_spec spec = {
	    .name = "test", .flags = IX_BOOT_BARE, .mem = mem, .apic_id = apic_id, .device = dev};
	int c;

	spec.ncores = 1;
	while ((c = getopt(argc, argv, "o:s:k:n:c:f:e:m:j:d:S:")) != -1) {
		switch (c) {
		case 'o':
			out = optarg;
			break;
		case 's':
			shim_path = optarg;
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'n':
			spec.name = optarg;
			break;
		case 'c':
			spec.config = slurp(optarg);
			break;
		case 'f':
			add_file(&spec.files, optarg);
			nfiles++;
			break;
		case 'e':
			add_string(&spec.env, optarg);
			break;
		case 'm': {
			char *end;

			if (spec.nmem == IX_MAX_MEM)
				errx(1, "too many memory ranges");
			mem[spec.nmem].base = strtoull(optarg, &end, 0);
			if (*end != ',')
				errx(1, "%s", usage);
			mem[spec.nmem++].size = strtoull(end + 1, NULL, 0);
			break;
		}
		case 'S':
			storm = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			spec.ncores = (unsigned)atoi(optarg);
			break;
		case 'd':
			if (spec.ndevices == IX_MAX_DEVICES ||
			    sscanf(optarg, "%hx:%hx", &dev[spec.ndevices].vendor,
				   &dev[spec.ndevices].device) != 2)
				errx(1, "%s", usage);
			dev[spec.ndevices].index = spec.ndevices;
			spec.ndevices++;
			break;
		default:
			errx(1, "%s", usage);
		}
	}
	if (!out || !shim_path || !kernel)
		errx(1, "%s", usage);
	if (spec.nmem == 0)
		mem[spec.nmem++] = (struct ix_range){16u << 20, 64u << 20};
	for (uint32_t i = 0; i < IX_MAX_CORES; i++)
		apic_id[i] = i;
	if (nfiles) {
		size_t used = spec.files.size;

		if (ix_cpio_add((void *)spec.files.data, MAX_FILES, &used, NULL, NULL, 0))
			errx(1, "files do not fit");
		spec.files.size = used;
	}
	spec.kernel = slurp(kernel);
	if (optind < argc)
		spec.app = slurp(argv[optind]);
	for (int i = optind; i < argc; i++)
		add_string(&spec.args, argv[i]);

	struct ix_load_image image;
	struct ix_load_bytes shim = slurp(shim_path);

	if (ix_load_build(&spec, &image, &why))
		errx(1, "%s", why);
	struct shim_params params = {
	    .magic = SHIM_MAGIC,
	    .ncores = spec.ncores,
	    .entry = image.entry,
	    .cr3 = image.cr3,
	    .bootinfo = image.bootinfo,
	    .storm = storm,
	};

	/* The shim is an ELF64 executable with one segment, whose bytes we take. */
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (shim.size < sizeof(eh))
		errx(1, "%s: not a shim", shim_path);
	memcpy(&eh, shim.data, sizeof(eh));
	if (eh.e_phoff + sizeof(ph) > shim.size)
		errx(1, "%s: not a shim", shim_path);
	memcpy(&ph, (const char *)shim.data + eh.e_phoff, sizeof(ph));
	if (ph.p_vaddr != SHIM_BASE || ph.p_filesz < SHIM_PARAMS + sizeof(params) ||
	    ph.p_filesz != ph.p_memsz || ph.p_offset + ph.p_filesz > shim.size)
		errx(1, "%s: not a shim", shim_path);
	shim = (struct ix_load_bytes){(const char *)shim.data + ph.p_offset, ph.p_filesz};
	memcpy((char *)shim.data + SHIM_PARAMS, &params, sizeof(params));
	write_image(out, shim, &image, (uint32_t)eh.e_entry);
	ix_load_free(&image);
	return 0;
}
