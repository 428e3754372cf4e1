/* SPDX-License-Identifier: MIT
 *
 * The machine and what the hypervisor made of it: filled in at start, read-only afterwards.
 */
#ifndef HV_HV_H
#define HV_HV_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/arch/vmx.h"
#include "hv/lib/acpi.h"
#include "hv/lib/cmdline.h"
#include "hv/lib/memmap.h"
#include "hv/lib/multiboot2.h"
#include "hv/lib/range.h"

#define POOL_RANGES 16

struct hv {
	struct cmdline_options options;
	struct mb2 boot; /* what GRUB said; pointers into its memory, valid until Linux starts */
	struct range boot_info;     /* the loader's information structure, in whole pages */
	struct memmap firmware_map; /* as firmware gave it */
	struct memmap linux_map;    /* without the hypervisor's and the pool's memory */
	struct acpi acpi;           /* its tables lie in memory that Linux may write once it runs */
	struct acpi_fadt fadt;
	int s5; /* SLP_TYP of power-off in PM1a_CNT; -1: unknown */

	struct range image;             /* hypervisor image */
	struct range own;               /* memory of mem.h */
	struct range pool[POOL_RANGES]; /* dataplane memory, 2 MB units, ascending */
	uint32_t npool;

	bool x2apic;         /* the mode of the local APICs of Linux's cores */
	uint32_t phys_bits;  /* MAXPHYADDR */
	struct vmx_caps vmx; /* what all cores have */
};

extern struct hv hv;

#endif
