/* SPDX-License-Identifier: MIT
 *
 * Puts the kernel, its initrd and its boot data into Linux's memory.
 */
#ifndef HV_VM_LINUX_LOAD_H
#define HV_VM_LINUX_LOAD_H

#include <stdint.h>

/* How the boot core of Linux starts: 64-bit boot protocol. */
struct linux_entry {
	uint64_t rip;
	uint64_t cr3;
	uint64_t gdt; /* with LINUX_CS and LINUX_DS */
	uint32_t gdt_size;
	uint64_t zero_page;
};

#define LINUX_CS 0x10
#define LINUX_DS 0x18

/* Loads from the boot modules; refuses the machine, with what is wrong, where that is impossible. */
void linux_load(struct linux_entry *entry);

#endif
