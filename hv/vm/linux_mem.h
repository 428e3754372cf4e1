/* SPDX-License-Identifier: MIT
 *
 * Linux's view of physical memory: all of it, one to one, but for what is the hypervisor's or a
 * dataplane's, and for pages that the hypervisor answers for.
 *
 * Memory that is not Linux's reads as all ones and takes no writes. Each such access is let through
 * to a page of ones for a single step, whatever instruction it is.
 */
#ifndef HV_VM_LINUX_MEM_H
#define HV_VM_LINUX_MEM_H

#include "hv/lib/range.h"
#include "hv/vm/vm.h"

/* A range of 4 KB pages whose accesses, of 1, 2, 4 or 8 bytes, are handled by functions. */
struct mmio_region {
	struct range range;
	/* NULL: reads go to the memory that is mapped there */
	uint64_t (*read)(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size);
	void (*write)(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size, uint64_t value);
	void *ctx;
};

/* Reads the MTRRs of the boot core. Once, before linux_mem_init(). */
void linux_mem_read_mtrr(void);

/* Builds the EPT. Panics when memory does not suffice. */
void linux_mem_init(struct vm *vm);

/* For any VM's EPT: pages of mem.h, and what this machine can do. */
extern const struct ept_pool ept_pages;
struct ept_caps ept_capabilities(void);
enum memory_type memory_type_of(uint64_t pa);

/*
 * All take multiples of 4 KB. Taking away has effect on all of Linux's cores before they return: 0,
 * -ENOMEM, -ENOSPC, or -EPERM: the range touches RAM, or what is not Linux's already. The owner, any
 * pointer but NULL, is who can show the range again, as a whole (else -ENOENT).
 */
int linux_mem_hide(uint64_t base, uint64_t size, const void *owner); /* becomes absent */
int linux_mem_show(uint64_t base, uint64_t size, const void *owner); /* is Linux's again */
/* Of a range that is hidden. */
int linux_mem_map(uint64_t gpa, uint64_t size, uint64_t hpa, uint32_t perms);
int linux_mem_trap(const struct mmio_region *region); /* its range is unmapped */
void linux_mem_untrap(uint64_t base, uint64_t size);

/* For a core that waits for another in root mode: does what that one may be waiting for. */
void linux_mem_serve(void);

/* Accesses of Linux to absent memory so far. */
uint64_t linux_absent_accesses(void);

bool linux_ept_violation(struct vcpu *v);

/* An exception that ends the single step over an absent access. False: it is Linux's own. */
bool linux_step_ends(struct vcpu *v, uint8_t vector);

/* The core is reset or given away: a single step that was under way will not end. */
void linux_step_drop(struct vcpu *v);

#endif
