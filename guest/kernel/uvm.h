/* SPDX-License-Identifier: MIT
 *
 * The application's address space: 2 MB pages, handed out in units of 4 KB.
 *
 * All memory is there from the call that maps it: no page fault is ever served. Permissions are those
 * of a 2 MB page; a call that would change a part of a page only widens them or does nothing
 * (docs/guest.md). No page is both writable and executable, but where the application's own ELF
 * segments share one.
 *
 * Cores learn of removed pages when they next return to ring 3 (uvm_sync); until all have, neither
 * the page nor its address is used again. So nobody is interrupted, and nobody waits.
 */
#ifndef GUEST_UVM_H
#define GUEST_UVM_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/kernel/cpu.h"

void uvm_init(unsigned ncores);

/* Maps n fresh pages of zeroes at va (not in the mmap window). 0 or -ENOMEM. */
int uvm_map(uint64_t va, unsigned n, bool write, bool execute);
/* The kernel's pages, read-only to ring 3. */
int uvm_map_shared(uint64_t va, uint64_t pa, unsigned n);

/*
 * The kernel's address of user memory at va, if it is mapped (and writable, if `write`), else NULL;
 * valid to the end of its 2 MB page.
 */
void *uvm_kernel_address(uint64_t va, bool write);

/*
 * Grows when pages are removed or their rights narrowed. What uvm_kernel_address() gave is good for as long
 * as this is what it was before; a page removed since is not used anew while this core is in the kernel.
 */
extern uint64_t uvm_tlb_gen;
static inline uint64_t uvm_generation(void)
{
	return __atomic_load_n(&uvm_tlb_gen, __ATOMIC_ACQUIRE);
}

/* Called by each core before it goes to ring 3, and by idle ones now and then. */
void uvm_sync(struct cpu *c);
/*
 * A core that sleeps uses no address of the application, so it is not waited for: uvm_pause() before,
 * uvm_resume() with its result after.
 */
uint64_t uvm_pause(struct cpu *c);
void uvm_resume(struct cpu *c, uint64_t seen);

/* Linux calls; results as Linux has them. */
int64_t sys_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, uint64_t fd,
		 uint64_t off);
int64_t sys_munmap(uint64_t addr, uint64_t len);
int64_t sys_mprotect(uint64_t addr, uint64_t len, uint64_t prot);
int64_t sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
		   uint64_t new_addr);
int64_t sys_brk(uint64_t addr);
int64_t sys_madvise(uint64_t addr, uint64_t len, uint64_t advice);

#endif
