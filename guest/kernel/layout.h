/* SPDX-License-Identifier: MIT
 *
 * The guest's virtual address space. docs/guest.md has the picture.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define PAGE_BITS  21
#define PAGE_SIZE  (1 << PAGE_BITS) /* the only page size but for a device's registers */
#define SMALL_PAGE 4096             /* unit of Linux' memory calls, and of page tables */

/* Kernel half. IX_DIRECT_BASE and IX_KERNEL_BASE are in <ix/bootinfo.h>. */
#define MMIO_BASE 0xffffe00000000000 /* device registers, uncached */
#define CPU_BASE  0xfffff00000000000 /* per-core areas, each with an unmapped page below it */

/* User half. Its last page stays unmapped: SYSRET to a non-canonical address would fault in ring 0. */
#define USER_BRK    0x0000100000000000
#define USER_MMAP   0x0000200000000000
#define USER_PIE    0x0000550000000000 /* where a static PIE goes, plus a random offset */
#define USER_SHARED 0x0000600000000000 /* event arrays and received payload, read-only: */
#define USER_WINDOW 0x0000000400000000 /* 16 GB for each core */
#define USER_STACK  0x00007fff00000000 /* top of the first thread's stack */
#define USER_TOP    0x00007fffffe00000

/* A core's area, one page: */
#define CPU_STRIDE    (2 * PAGE_SIZE)
#define CPU_STACK_TOP 0x20000 /* kernel stack: 128 KB; below it is the gap */
#define CPU_DF_TOP    0x22000 /* IST stacks: #DF, NMI, #MC */
#define CPU_NMI_TOP   0x24000
#define CPU_MC_TOP    0x26000
#define CPU_STRUCT    0x40000 /* struct cpu */

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA \
	0x23 /* SYSRET takes SS = STAR + 8 and CS = STAR + 16 with STAR = 0x18 (SDM 2B SYSRET) */
#define SEL_UCODE 0x2b
#define SEL_TSS   0x30

/* Vectors of our own. */
#define VEC_TIMER    0x40
#define VEC_KICK     0x41 /* another core wants attention */
#define VEC_NIC      0x42
#define VEC_SPURIOUS 0xff
#define VEC_SYSCALL  0x100 /* in struct regs only */

#define MAX_CPUS 64 /* IX_MAX_CORES */

/* Offsets in struct cpu, for entry.S. */
#define CPU_SELF       0
#define CPU_USER_RSP   8
#define CPU_KERNEL_RSP 16

#endif
