/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_mem.h"

#include "hv/arch/smp.h"
#include "hv/arch/trap.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/guest_mem.h"

#define HIDDEN_MAX  512
#define REGIONS_MAX 96
#define STEP_LIMIT  2 /* pages that one instruction touches at a time */

static struct vm *control_vm;
static struct mtrr mtrr;
static struct range hidden[HIDDEN_MAX];    /* not Linux's, regions included */
static const void *hidden_for[HIDDEN_MAX]; /* who may show it again; NULL: nobody */
static uint32_t nhidden;
static struct mmio_region region[REGIONS_MAX];
static uint32_t nregions;
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

enum memory_type memory_type_of(uint64_t pa)
{
	uint64_t end;

	return mtrr_type(&mtrr, pa, &end);
}

static struct ept_identity identity(void)
{
	return (struct ept_identity){&hv.firmware_map, &mtrr, hidden, nhidden};
}

void linux_mem_init(struct vm *vm)
{
	struct ept_caps caps = ept_capabilities();
	struct ept_identity id;
	uint64_t top = memmap_top(&hv.firmware_map, MEM_RAM);

	control_vm = vm;
	if (top < 0x100000000ul)
		top = 0x100000000ul;
	hidden[nhidden++] = hv.image;
	hidden[nhidden++] = hv.own;
	for (uint32_t i = 0; i < hv.npool; i++)
		hidden[nhidden++] = hv.pool[i];
	id = identity();
	if (ept_init(&vm->ept, &ept_pages, &caps) || ept_map_identity(&vm->ept, &id, 0, top))
		panic("no memory for Linux's extended page tables");
	vm->eptp = ept_pointer(&vm->ept);
	log_info("Linux: extended page tables of %u pages", vm->ept.pages);
}

void linux_mem_serve(void)
{
	struct cpu *self = this_cpu();

	if (__atomic_fetch_and(&self->requests, ~REQ_FLUSH, __ATOMIC_ACQ_REL) & REQ_FLUSH)
		invept_all(&hv.vmx, control_vm->eptp);
	pause();
}

/* Makes every core of Linux drop the translations that it may have cached. A core that has taken the
 * request out of its mailbox is in root mode, and drops them before it runs Linux again; so does one
 * that does not run Linux now (vcpu_load). Waiting, this core answers others that do the same. */
static void flush_all(void)
{
	struct cpu *self = this_cpu();

	invept_all(&hv.vmx, control_vm->eptp);
	for (uint32_t i = 0; i < ncpus; i++) {
		struct cpu *c = cpus[i];

		if (c == self || __atomic_load_n(&c->owner, __ATOMIC_ACQUIRE) != VM_LINUX)
			continue;
		cpu_request(c, REQ_FLUSH);
		while (__atomic_load_n(&c->requests, __ATOMIC_ACQUIRE) & REQ_FLUSH &&
		       __atomic_load_n(&c->owner, __ATOMIC_ACQUIRE) == VM_LINUX)
			linux_mem_serve();
	}
}

/* Addresses come from BARs, which Linux writes: only what is neither memory nor anybody's already
 * may become somebody's. Showing it again then gives Linux nothing that it did not have. */
static bool may_take(uint64_t base, uint64_t size)
{
	const struct memmap *map = &hv.firmware_map;

	if (!size || (base | size) & (PAGE_SIZE - 1) || !range_ok(base, size))
		return false;
	for (uint32_t i = 0; i < map->count; i++) {
		const struct memmap_entry *e = &map->entry[i];

		if ((e->type == MEM_RAM || e->type == MEM_ACPI || e->type == MEM_NVS) &&
		    range_overlaps(e->base, e->size, base, size))
			return false;
	}
	for (uint32_t i = 0; i < nhidden; i++)
		if (range_overlaps(hidden[i].base, hidden[i].size, base, size))
			return false;
	return true;
}

static int take_away(uint64_t base, uint64_t size, const void *owner)
{
	uint64_t retired = 0;
	int status;

	spin_lock(&control_vm->lock);
	if (!may_take(base, size))
		status = -EPERM;
	else if (nhidden == HIDDEN_MAX)
		status = -ENOSPC;
	else
		status = ept_unmap(&control_vm->ept, base, size);
	if (!status) {
		hidden_for[nhidden] = owner;
		hidden[nhidden++] = (struct range){base, size};
		/* Another core may drop more tables while this one flushes: not those. */
		retired = ept_detach(&control_vm->ept);
	}
	spin_unlock(&control_vm->lock);
	if (status)
		return status;
	flush_all();
	ept_reclaim(&control_vm->ept, retired);
	return 0;
}

int linux_mem_hide(uint64_t base, uint64_t size, const void *owner)
{
	return take_away(base, size, owner);
}

static uint32_t find_hidden(uint64_t base, uint64_t size, const void *owner)
{
	uint32_t i = 0;

	while (i < nhidden &&
	       (hidden[i].base != base || hidden[i].size != size || hidden_for[i] != owner))
		i++;
	return i;
}

int linux_mem_show(uint64_t base, uint64_t size, const void *owner)
{
	uint64_t retired = 0;
	struct ept_identity id;
	int status = -ENOENT;
	uint32_t i;

	spin_lock(&control_vm->lock);
	i = owner ? find_hidden(base, size, owner) : nhidden;
	if (i < nhidden) {
		hidden[i] = hidden[--nhidden];
		hidden_for[i] = hidden_for[nhidden];
		id = identity();
		status = ept_map_identity(&control_vm->ept, &id, base, base + size);
	}
	if (!status)
		retired = ept_detach(&control_vm->ept);
	spin_unlock(&control_vm->lock);
	if (status)
		return status;
	/* A core may have cached what was mapped here, be it the page of ones of another core's step. */
	flush_all();
	ept_reclaim(&control_vm->ept, retired);
	return 0;
}

int linux_mem_map(uint64_t gpa, uint64_t size, uint64_t hpa, uint32_t perms)
{
	int status;

	spin_lock(&control_vm->lock);
	status = ept_map(&control_vm->ept, gpa, size, hpa, perms, memory_type_of(hpa));
	spin_unlock(&control_vm->lock);
	flush_all();
	return status;
}

int linux_mem_trap(const struct mmio_region *r)
{
	int status = take_away(r->range.base, r->range.size, region);

	if (status)
		return status;
	spin_lock(&control_vm->lock);
	if (nregions < REGIONS_MAX)
		region[nregions++] = *r;
	else
		status = -ENOSPC;
	spin_unlock(&control_vm->lock);
	if (status)
		linux_mem_show(r->range.base, r->range.size, region);
	return status;
}

void linux_mem_untrap(uint64_t base, uint64_t size)
{
	spin_lock(&control_vm->lock);
	for (uint32_t i = 0; i < nregions; i++)
		if (region[i].range.base == base) {
			region[i] = region[--nregions];
			break;
		}
	spin_unlock(&control_vm->lock);
	if (linux_mem_show(base, size, region))
		log_error("Linux: %#lx cannot be mapped again", base);
}

uint64_t linux_absent_accesses(void)
{
	return __atomic_load_n(&absent_accesses, __ATOMIC_RELAXED);
}

static bool find_region(uint64_t gpa, struct mmio_region *found)
{
	bool hit = false;

	spin_lock(&control_vm->lock);
	for (uint32_t i = 0; i < nregions && !hit; i++)
		if (range_contains(region[i].range.base, region[i].range.size, gpa, 1)) {
			*found = region[i];
			hit = true;
		}
	spin_unlock(&control_vm->lock);
	return hit;
}

static bool access_region(struct vcpu *v, const struct mmio_region *r, uint64_t gpa, bool write)
{
	struct mmio_insn insn;
	uint64_t offset = gpa - r->range.base;

	if (guest_decode_mmio(v, &insn) || insn.write != write || (!write && !r->read)) {
		log_guest(
		    "Linux: instruction at %#lx accesses device memory %#lx in a way that is not "
		    "supported: #GP",
		    vmread(VMCS_GUEST_RIP), gpa);
		vcpu_inject_gp(v);
		return true;
	}
	if (write)
		r->write(v, r->ctx, offset, insn.size, guest_mmio_stores(v, &insn));
	else
		guest_mmio_loads(v, &insn, r->read(v, r->ctx, offset, insn.size));
	vcpu_skip_bytes(v, insn.length);
	return true;
}

void linux_step_drop(struct vcpu *v)
{
	spin_lock(&control_vm->lock);
	for (uint32_t i = 0; i < v->step.pages; i++)
		ept_unmap(&control_vm->ept, v->step.page[i], PAGE_SIZE);
	spin_unlock(&control_vm->lock);
	v->step.pages = 0;
	/* Only this core's translations matter: another core that still has one reaches the page of
	 * ones. Table pages that fell out of use wait for the next flush of all cores. */
	invept_all(&hv.vmx, control_vm->eptp);
}

static void end_step(struct vcpu *v)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS) & ~(RFLAGS_TF | RFLAGS_IF);

	linux_step_drop(v);
	vcpu_catch_exceptions(v, false);
	vmwrite(VMCS_GUEST_RFLAGS, rflags | v->step.rflags);
	vmwrite(VMCS_GUEST_DEBUGCTL, v->step.debugctl);
}

/* The instruction cannot be let through: it is fetched from there, or touches too many pages. */
static bool refuse_step(struct vcpu *v)
{
	if (v->step.pages)
		end_step(v);
	vcpu_inject_gp(v);
	return true;
}

static bool is_hidden(uint64_t pa)
{
	bool hit = false;

	spin_lock(&control_vm->lock);
	for (uint32_t i = 0; i < nhidden && !hit; i++)
		hit = range_contains(hidden[i].base, hidden[i].size, pa, 1);
	spin_unlock(&control_vm->lock);
	return hit;
}

/* Lets the access go to a page of ones: that page is mapped there until the instruction is over,
 * which the trap flag tells. */
static bool step_over(struct vcpu *v, uint64_t gpa)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS), page = gpa & ~(PAGE_SIZE - 1);
	bool again = false; /* another core's step has ended, at the same page */
	int status;

	if (!__atomic_fetch_add(&absent_accesses, 1, __ATOMIC_RELAXED))
		log_warn("Linux: access to absent memory at %#lx, reads as ones; more are counted",
			 gpa);
	if (!v->ones)
		v->ones = page_alloc(1);
	for (uint32_t i = 0; i < v->step.pages; i++)
		again |= v->step.page[i] == page;
	if (!v->ones || (!again && v->step.pages == STEP_LIMIT) ||
	    vmread(VMCS_EXIT_QUALIFICATION) & EPT_EXEC)
		return refuse_step(v);
	memset(v->ones, 0xff, PAGE_SIZE);
	spin_lock(&control_vm->lock);
	status = ept_map(&control_vm->ept, page, PAGE_SIZE, direct_pa(v->ones),
			 EPT_READ | EPT_WRITE, MEMORY_WB);
	spin_unlock(&control_vm->lock);
	if (status)
		return refuse_step(v);
	if (!v->step.pages) {
		v->step.rflags = rflags & (RFLAGS_TF | RFLAGS_IF);
		v->step.debugctl = vmread(VMCS_GUEST_DEBUGCTL);
		vcpu_catch_exceptions(v, true);
		/* With BTF the trap flag would stop at the next branch only. */
		vmwrite(VMCS_GUEST_DEBUGCTL, v->step.debugctl & ~DEBUGCTL_BTF);
	}
	if (!again)
		v->step.page[v->step.pages++] = page;
	vmwrite(VMCS_GUEST_RFLAGS, (rflags | RFLAGS_TF) & ~(uint64_t)RFLAGS_IF);
	/* An interrupt shadow ends with this instruction, and does not go with the trap flag. */
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~3ul);
	/* At the second page of an instruction Bochs says that the step is done. */
	vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) & ~PENDING_BS);
	return true;
}

/* The trap at its end; or a fault of the same instruction, by another of its operands: Linux handles it
 * with the flags that it had, and the instruction then comes here again. */
bool linux_step_ends(struct vcpu *v, uint8_t vector)
{
	end_step(v);
	return vector == VEC_DB && !(v->step.rflags & RFLAGS_TF);
}

bool linux_ept_violation(struct vcpu *v)
{
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL);
	bool write = vmread(VMCS_EXIT_QUALIFICATION) & EPT_WRITE;
	struct ept_identity id;
	struct mmio_region r;
	uint64_t base = gpa & ~(PAGE_2M - 1);
	int status;

	if (find_region(gpa, &r))
		return access_region(v, &r, gpa, write);
	if (is_hidden(gpa))
		return step_over(v, gpa);
	/* Device memory above RAM is mapped when it is first touched. */
	spin_lock(&control_vm->lock);
	id = identity();
	status = ept_map_identity(&control_vm->ept, &id, base, base + PAGE_2M);
	spin_unlock(&control_vm->lock);
	if (status) {
		log_guest("Linux: %#lx cannot be mapped (%d)", gpa, status);
		vcpu_inject_gp(v);
	}
	return true;
}
