/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_mem.h"

#include "hv/arch/trap.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define DENY_MAX (POOL_RANGES + 4)

static struct mtrr mtrr;
static struct range deny[DENY_MAX];
static uint32_t ndeny;
static uint64_t absent_accesses;

static void *ept_page_alloc(void *ctx, uint64_t *pa)
{
	void *page = page_alloc(1);

	(void)ctx;
	if (page)
		*pa = direct_pa(page);
	return page;
}

static void ept_page_free(void *ctx, void *page, uint64_t pa)
{
	(void)ctx;
	(void)pa;
	page_free(page);
}

static void *ept_page_ptr(void *ctx, uint64_t pa)
{
	(void)ctx;
	return direct(pa);
}

const struct ept_pool ept_pages = {ept_page_alloc, ept_page_free, ept_page_ptr, NULL};

struct ept_caps ept_capabilities(void)
{
	return (struct ept_caps){
	    .page_2m = hv.vmx.ept_vpid & EPT_CAP_2M,
	    .page_1g = hv.vmx.ept_vpid & EPT_CAP_1G,
	    .phys_width = (uint8_t)hv.phys_bits,
	};
}

void linux_mem_read_mtrr(void)
{
	mtrr.cap = rdmsr(MSR_MTRR_CAP);
	mtrr.def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	for (uint32_t i = 0; i < mtrr_variable_count(mtrr.cap); i++) {
		mtrr.base[i] = rdmsr(0x200 + 2 * i);
		mtrr.mask[i] = rdmsr(0x201 + 2 * i);
	}
	if (mtrr.cap & BIT(8)) /* fixed-range registers */
		for (unsigned int i = 0; i < MTRR_FIXED_COUNT; i++)
			mtrr.fixed[i] = rdmsr(mtrr_fixed_msr[i]);
}

static struct ept_identity identity(void)
{
	return (struct ept_identity){&hv.firmware_map, &mtrr, deny, ndeny};
}

void linux_mem_init(struct vm *vm)
{
	struct ept_caps caps = ept_capabilities();
	struct ept_identity id;
	uint64_t top = memmap_top(&hv.firmware_map, MEM_RAM);

	if (top < 0x100000000ul)
		top = 0x100000000ul;
	deny[ndeny++] = hv.image;
	deny[ndeny++] = hv.own;
	for (uint32_t i = 0; i < hv.npool; i++)
		deny[ndeny++] = hv.pool[i];
	id = identity();
	if (ept_init(&vm->ept, &ept_pages, &caps) || ept_map_identity(&vm->ept, &id, 0, top))
		panic("no memory for Linux's extended page tables");
	vm->eptp = ept_pointer(&vm->ept);
	log_info("Linux: extended page tables of %u pages", vm->ept.pages);
}

static bool is_denied(uint64_t pa)
{
	for (uint32_t i = 0; i < ndeny; i++)
		if (range_contains(deny[i].base, deny[i].size, pa, 1))
			return true;
	return false;
}

bool linux_ept_violation(struct vcpu *v)
{
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL);
	struct ept_identity id = identity();
	uint64_t base = gpa & ~(PAGE_2M - 1);
	int status;

	if (is_denied(gpa)) {
		if (!absent_accesses++)
			log_warn("Linux: access to absent memory at %#lx", gpa);
		vcpu_inject_gp(v);
		return true;
	}
	/* Device memory above RAM is mapped when it is first touched. */
	spin_lock(&v->vm->lock);
	status = ept_map_identity(&v->vm->ept, &id, base, base + PAGE_2M);
	spin_unlock(&v->vm->lock);
	if (status) {
		log_error("Linux: %#lx cannot be mapped (%d)", gpa, status);
		vcpu_inject_gp(v);
	}
	return true;
}
