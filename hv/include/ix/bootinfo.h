/* SPDX-License-Identifier: MIT
 *
 * How a dataplane guest starts: the state of its cores and the boot-information page.
 *
 * ixcpd (linux-control/) fills the domain's memory: the guest kernel's segments, first page tables,
 * the application, its files, its configuration and this page. The hypervisor copies the bytes and
 * starts the cores; it reads none of it.
 *
 * Memory. Guest-physical equals host-physical. All addresses in this page are physical unless they
 * say otherwise, and lie inside the ranges of `mem`. Everything not described here is zero.
 *
 * Entry. Every core of the domain starts at the ELF entry point of the guest kernel in 64-bit mode:
 *   CR0 = PE|MP|ET|NE|WP|AM|PG, CR4 = PAE|PGE|OSFXSR|OSXMMEXCPT, EFER = LME|LMA|NXE|SCE,
 *   CR3 = physical address of the first page tables, RFLAGS = 2 (interrupts off),
 *   CS = 0x08 (flat, 64-bit, DPL 0), SS = DS = ES = 0x10 (flat, writable), FS = GS = 0, base 0,
 *   GDTR, IDTR with limit 0, TR a busy TSS with base 0; local APIC in x2APIC mode where the machine
 *   has one, software-enabled by nobody, and all LVT entries masked.
 *   RDI = IX_DIRECT_BASE + physical address of this page, RSI = index of this core (0..ncores-1),
 *   RSP = 0: the guest brings its own stacks. All other general registers are 0.
 * First page tables: the kernel's segments at their link addresses, in 2 MB pages, writable and
 * executable; and all of `mem` at IX_DIRECT_BASE + physical, writable, not executable. The guest is
 * expected to replace them at once.
 *
 * The kernel is an ELF64 executable linked at IX_KERNEL_BASE or above, physically contiguous at
 * `kernel_base`, which is 2 MB aligned; a segment's physical address is
 * kernel_base + (p_vaddr - IX_KERNEL_BASE).
 */
#ifndef IX_BOOTINFO_H
#define IX_BOOTINFO_H

#include <stdint.h>

#define IX_BOOTINFO_MAGIC   0x30424958u /* "XIB0", little-endian */
#define IX_BOOTINFO_VERSION 1

#define IX_DIRECT_BASE 0xffff800000000000ull /* physical memory of the domain, as first mapped */
#define IX_KERNEL_BASE 0xffffffff80000000ull /* link address of the guest kernel */

#define IX_MAX_MEM     8
#define IX_MAX_CORES   64
#define IX_MAX_DEVICES 8
#define IX_MAX_BARS    6
#define IX_NAME_LEN    32

/* bootinfo.flags */
/* No hypervisor below (guest test boot): VMCALL would be #UD; the console is port 0x3f8, exit is
 * port 0xf4 (QEMU isa-debug-exit). */
#define IX_BOOT_BARE (1u << 0)
/* The local APIC is in x2APIC mode, else it is the page at 0xfee00000. */
#define IX_BOOT_X2APIC (1u << 1)

/* bar.flags */
#define IX_BAR_PRESENT  (1u << 0)
#define IX_BAR_PREFETCH (1u << 1)
#define IX_BAR_MSIX     (1u << 2) /* holds the MSI-X table: writes to that page are checked by hv */

struct ix_range {
	uint64_t base; /* physical, multiple of 2 MB */
	uint64_t size; /* bytes, multiple of 2 MB */
};

struct ix_blob {
	uint64_t base; /* physical */
	uint64_t size; /* bytes; 0: not there */
};

struct ix_bar {
	uint64_t base; /* physical; memory BARs only */
	uint64_t size;
	uint32_t flags; /* IX_BAR_ */
	uint32_t reserved;
};

struct ix_device {
	uint16_t vendor, device; /* PCI IDs */
	uint16_t bdf;            /* bus << 8 | device << 3 | function */
	uint16_t reserved;
	uint32_t index; /* names the device in IX_GCALL_PCI_READ and _WRITE */
	uint32_t reserved2;
	struct ix_bar bar[IX_MAX_BARS]; /* a 64-bit BAR uses one entry, the next is absent */
};

struct ix_bootinfo {
	uint32_t magic;         /* IX_BOOTINFO_MAGIC */
	uint32_t version;       /* IX_BOOTINFO_VERSION */
	uint32_t size;          /* sizeof(struct ix_bootinfo) as the loader knew it */
	uint32_t flags;         /* IX_BOOT_ */
	char name[IX_NAME_LEN]; /* of the dataplane, NUL-terminated */

	uint64_t tsc_khz;       /* time-stamp counter frequency */
	uint64_t apic_timer_hz; /* local APIC timer input clock, before the divider; 0: calibrate */

	uint32_t ncores;
	uint32_t nmem;
	uint32_t ndevices;
	uint32_t reserved;
	uint32_t apic_id[IX_MAX_CORES];
	struct ix_range mem[IX_MAX_MEM]; /* all memory of the domain, ascending */

	uint64_t kernel_base; /* physical address of IX_KERNEL_BASE */
	uint64_t kernel_size; /* bytes from there to the end of the last segment, bss included */
	uint64_t page_tables; /* first page tables: base; they may be reused once replaced */
	uint64_t page_tables_size;
	uint64_t free_base; /* first byte of mem[0] that holds nothing the loader put there */

	struct ix_blob app;    /* static ELF64 executable */
	struct ix_blob args;   /* argv: NUL-terminated strings one after the other */
	struct ix_blob env;    /* environment, same form */
	struct ix_blob files;  /* read-only files for the application: cpio archive, "newc" */
	struct ix_blob config; /* text, lines `key = value`: docs/dataplane-config.md */

	struct ix_device device[IX_MAX_DEVICES];
};

/*
 * Calls from a dataplane guest to the hypervisor: VMCALL at CPL 0 with RAX = number and arguments in
 * RDI, RSI, RDX, RCX; result in RAX (0 or a positive value, or a negative errno); other registers
 * are preserved. From CPL > 0 VMCALL is #UD. None is on the data path.
 */
#define IX_GCALL_CONSOLE 0x100 /* RDI = physical address, RSI = length <= 4096: write to console */
#define IX_GCALL_EXIT    0x101 /* RDI = status: stops the domain, cores return; no return */
#define IX_GCALL_PANIC   0x102 /* RDI = physical address, RSI = length of a reason; no return */
/* RDI = physical address, page-aligned, RSI = bytes, at most 2 MB: an area that Linux may then read */
#define IX_GCALL_STATS     0x103
#define IX_GCALL_EVENT     0x104 /* RDI = IX_GEVENT_, RSI = argument: told to ixcpd */
#define IX_GCALL_PCI_READ  0x105 /* RDI = device index, RSI = offset, RDX = size 1, 2 or 4 */
#define IX_GCALL_PCI_WRITE 0x106 /* as above, RCX = value */
#define IX_GCALL_HELLO     0x107 /* RDI = any value, returned plus one: is a hypervisor there? */

#define IX_GEVENT_UNRESPONSIVE 1 /* argument: core index; application over its user-time limit */
#define IX_GEVENT_APP_EXIT     2 /* argument: exit status or 256 + signal */
#define IX_GEVENT_READY        3 /* the application has made its first run_io */

#endif
