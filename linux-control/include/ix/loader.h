/* SPDX-License-Identifier: MIT
 *
 * Builds the memory image with which a dataplane domain starts, as <ix/bootinfo.h> describes it.
 *
 * Pure: takes the files and the description of the domain as bytes and numbers, and returns what
 * must lie where in physical memory. ixcpd hands the pieces to the hypervisor; the test tool
 * mkguestimg writes them into a file that QEMU boots.
 */
#ifndef IX_LOADER_H
#define IX_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include <ix/bootinfo.h>

#define IX_LOAD_MAX_KERNEL   (64ull << 20) /* bytes of memory a guest kernel's image may take */
#define IX_LOAD_MAX_SEGMENTS 16
#define IX_LOAD_MAX_PIECES   (IX_LOAD_MAX_SEGMENTS + 7)

struct ix_load_bytes {
	const void *data;
	uint64_t size;
};

/* What to load. The bytes stay with the caller, and must outlive the image. */
struct ix_load_spec {
	const char *name; /* of the dataplane; shorter than IX_NAME_LEN */
	uint32_t flags;   /* IX_BOOT_ */
	uint64_t tsc_khz;
	uint64_t apic_timer_hz;         /* 0: the guest calibrates */
	const struct ix_range *mem;     /* ascending, 2 MB units; everything goes into mem[0] */
	unsigned nmem;                  /* 1..IX_MAX_MEM */
	const uint32_t *apic_id;        /* one for each core */
	unsigned ncores;                /* 1..IX_MAX_CORES */
	const struct ix_device *device; /* with BARs as the machine has them */
	unsigned ndevices;              /* 0..IX_MAX_DEVICES */
	struct ix_load_bytes kernel;    /* ELF64 file */
	struct ix_load_bytes app;       /* ELF64 file; the guest checks it */
	struct ix_load_bytes args;      /* NUL-terminated strings, one after the other */
	struct ix_load_bytes env;
	struct ix_load_bytes files;  /* cpio archive, "newc"; size 0: none */
	struct ix_load_bytes config; /* text */
};

struct ix_load_piece {
	uint64_t pa;
	const void *data;
	uint64_t size;
};

/* Memory of the domain that no piece covers must be zero. */
struct ix_load_image {
	unsigned npieces;
	struct ix_load_piece piece[IX_LOAD_MAX_PIECES]; /* ascending, not overlapping */
	uint64_t entry;    /* virtual address at which every core starts */
	uint64_t cr3;      /* first page tables */
	uint64_t bootinfo; /* physical address of the boot-information page */
	void *own;         /* what the image itself allocated */
};

/*
 * Builds the image. Returns 0, or -EINVAL (a bad description or file), -ENOSPC (mem[0] is too
 * small) or -ENOMEM, with *why set to a sentence for people. On success the caller frees the image.
 */
int ix_load_build(const struct ix_load_spec *spec, struct ix_load_image *image, const char **why);
void ix_load_free(struct ix_load_image *image);

/* A guest kernel's ELF file, checked: every byte named here lies inside the file. */
struct ix_kernel_elf {
	uint64_t entry; /* virtual */
	uint64_t size;  /* bytes of memory from IX_KERNEL_BASE */
	unsigned nsegments;
	struct ix_kernel_segment {
		uint64_t vaddr;
		uint64_t offset;         /* in the file */
		uint64_t filesize;       /* bytes from the file; */
		uint64_t memsize;        /* the rest of the memory is zero */
	} segment[IX_LOAD_MAX_SEGMENTS]; /* ascending, not overlapping */
};

/* Returns 0, or -EINVAL with *why set. */
int ix_kernel_elf_parse(const void *file, uint64_t size, struct ix_kernel_elf *elf,
			const char **why);

/*
 * Appends a file to a cpio archive ("newc") under construction, in `buf` of `room` bytes at *used;
 * a regular file with mode 0444 or a directory ("data" NULL, mode 0555). Call with name NULL to
 * write the end record. Returns 0, -ENOSPC, or -EINVAL for a name over 4095 bytes or data over 4 GB.
 */
int ix_cpio_add(void *buf, size_t room, size_t *used, const char *name, const void *data,
		uint64_t size);

#endif
