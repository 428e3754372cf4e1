/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's virtual address space, the same on every core.
 *
 *   HV_BASE     the image, at its link address: text r-x, rodata r--, data rw-
 *   HV_DIRECT   physical memory one to one: RAM r--, the hypervisor's own and the dataplane pool's
 *               memory rw-; nothing executable
 *   HV_STACKS   per-core stacks, each with an unmapped page below and above
 *   HV_MMIO     device registers, rw-, uncached
 *   HV_WINDOW   per-core windows through which other memory is written, one page table a core
 */
#ifndef HV_ARCH_LAYOUT_H
#define HV_ARCH_LAYOUT_H

#define HV_BASE      0xffffffff80000000
#define HV_IMAGE_MAX 0x1000000 /* bytes mapped at HV_BASE by the first page tables */

#define HV_DIRECT 0xffff800000000000
#define HV_STACKS 0xffffc00000000000
#define HV_MMIO   0xffffd00000000000
#define HV_WINDOW 0xffffe00000000000

/* Segment selectors of the hypervisor's GDT. */
#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS  0x18 /* two entries */

#endif
