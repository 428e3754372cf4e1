/* SPDX-License-Identifier: MIT
 *
 * What mkguestimg tells the test shim, in a block at SHIM_PARAMS in the shim's image.
 */
#ifndef GUEST_BOOT_SHIM_H
#define GUEST_BOOT_SHIM_H

#define SHIM_BASE   0x100000 /* physical address of the shim */
#define SHIM_PARAMS 0x20     /* offset of the block, behind the multiboot header */
#define SHIM_MAGIC  0x4d494853
#define SHIM_AP     0x8000 /* where APs start in real mode */

#ifndef __ASSEMBLY__
#include <stdint.h>

struct shim_params {
	uint32_t magic;
	uint32_t ncores;
	uint64_t entry;    /* of the guest kernel */
	uint64_t cr3;      /* its first page tables */
	uint64_t bootinfo; /* physical */
	uint64_t storm;    /* vector of interrupts that nobody wants, 1000 a second; 0: none */
};
#endif
#endif
