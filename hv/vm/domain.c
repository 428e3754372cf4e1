/* SPDX-License-Identifier: MIT */
#include "hv/vm/domain.h"

#include "hv/arch/fpu.h"
#include "hv/arch/lapic.h"
#include "hv/arch/paging.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/msr.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/control.h"
#include "hv/vm/domain_exit.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/passthrough.h"

#define STOP_LIMIT_US 1000000
#define HANDLE(d)     ((uint64_t)(d)->generation << 8 | (d)->vm.id)

static struct domain *domains[DOMAINS_MAX]; /* made when first used, kept for ever */
static struct spinlock lock;
static uint8_t *unit_used; /* a byte for each 2 MB of the pool, in the order of hv.pool */

void domains_init(void)
{
	uint64_t units = 0;

	for (uint32_t i = 0; i < hv.npool; i++) {
		units += hv.pool[i].size / PAGE_2M;
		paging_direct(hv.pool[i].base, hv.pool[i].size, MAP_RW);
	}
	unit_used = page_alloc((units + PAGE_SIZE) / PAGE_SIZE);
	if (!unit_used)
		panic("no memory for the pool's map");
}

void domains_lock(void)
{
	spin_lock(&lock);
}

void domains_unlock(void)
{
	spin_unlock(&lock);
}

static bool exists(const struct domain *d)
{
	return d && d->state != DOMAIN_NONE;
}

static enum domain_state state_of(const struct domain *d)
{
	return __atomic_load_n(&d->state, __ATOMIC_ACQUIRE);
}

uint32_t domains_running(void)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < DOMAINS_MAX; i++)
		n += exists(domains[i]) && state_of(domains[i]) == DOMAIN_RUNNING;
	return n;
}

struct domain *domain_by_handle(uint64_t handle)
{
	uint64_t i = (handle & 0xff) - 1;

	if (i >= DOMAINS_MAX || !exists(domains[i]) || HANDLE(domains[i]) != handle)
		return NULL;
	return domains[i];
}

struct domain *domain_at(uint64_t index)
{
	for (unsigned int i = 0; i < DOMAINS_MAX; i++)
		if (exists(domains[i]) && !index--)
			return domains[i];
	return NULL;
}

struct domain *domain_by_vm(uint32_t vm_id)
{
	return vm_id - 1 < DOMAINS_MAX ? domains[vm_id - 1] : NULL;
}

uint64_t domain_handle(const struct domain *d)
{
	return HANDLE(d);
}

/* The pool. Units are numbered through all its ranges; a run of them never crosses a range. */

uint64_t pool_size(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < hv.npool; i++)
		n += hv.pool[i].size;
	return n;
}

uint64_t pool_free(void)
{
	uint64_t n = 0, units = pool_size() / PAGE_2M;

	for (uint64_t u = 0; u < units; u++)
		n += !unit_used[u];
	return n * PAGE_2M;
}

/* The longest free run of at most `want` units; its length, 0: none. */
static uint64_t find_run(uint64_t want, uint64_t *first, uint64_t *base)
{
	uint64_t best = 0, u = 0;

	for (uint32_t i = 0; i < hv.npool; i++) {
		uint64_t end = u + hv.pool[i].size / PAGE_2M, start = u, run = 0;

		for (uint64_t n = u; n < end && best < want; n++) {
			run = unit_used[n] ? 0 : run + 1;
			if (run > best) {
				best = run;
				*first = n + 1 - run;
				*base = hv.pool[i].base + (*first - start) * PAGE_2M;
			}
		}
		u = end;
	}
	return best;
}

static void free_memory(struct domain *d)
{
	for (uint32_t m = 0; m < d->nmem; m++) {
		uint64_t u = 0;

		memset(direct(d->mem[m].base), 0, d->mem[m].size);
		for (uint32_t i = 0; i < hv.npool; u += hv.pool[i].size / PAGE_2M, i++)
			if (range_contains(hv.pool[i].base, hv.pool[i].size, d->mem[m].base,
					   d->mem[m].size))
				memset(unit_used + u + (d->mem[m].base - hv.pool[i].base) / PAGE_2M,
				       0, d->mem[m].size / PAGE_2M);
	}
	d->nmem = 0;
}

static int take_memory(struct domain *d, uint64_t size, const char **why)
{
	uint64_t left = size / PAGE_2M;

	*why = "the pool has not that much free memory; see 'ixctl memory', and ixmem= on the "
	       "hypervisor's command line";
	if (pool_free() < size)
		return -ENOMEM;
	while (left) {
		uint64_t first, base, n = find_run(left, &first, &base);

		if (!n || d->nmem == IX_MAX_MEM) {
			*why = "the pool's free memory is in too many pieces";
			free_memory(d);
			return -ENOMEM;
		}
		memset(unit_used + first, 1, n);
		memset(direct(base), 0, n * PAGE_2M);
		d->mem[d->nmem++] = (struct ix_range){base, n * PAGE_2M};
		left -= n;
	}
	/* The boot page wants them ascending. */
	for (uint32_t i = 1; i < d->nmem; i++)
		for (uint32_t j = i; j && d->mem[j].base < d->mem[j - 1].base; j--) {
			struct ix_range r = d->mem[j];

			d->mem[j] = d->mem[j - 1];
			d->mem[j - 1] = r;
		}
	return 0;
}

static bool name_ok(const char *name)
{
	size_t n = strnlen(name, IX_NAME_LEN);

	if (!n || n == IX_NAME_LEN || !strcmp(name, "linux") || !strcmp(name, "hypervisor") ||
	    !strcmp(name, "pool"))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_' || c == '.'))
			return false;
	}
	return true;
}

static int check_spec(const struct ix_create *s, const char **why)
{
	*why = "bad name: letters, digits, '-', '_' and '.', at most 31";
	if (!name_ok(s->name))
		return -EINVAL;
	for (unsigned int i = 0; i < DOMAINS_MAX; i++) {
		*why = "a dataplane of this name exists";
		if (exists(domains[i]) && !strcmp(domains[i]->vm.name, s->name))
			return -EEXIST;
	}
	*why = "memory must be a multiple of 2 MB, and more than 0";
	if (!s->memory || s->memory & (PAGE_2M - 1))
		return -EINVAL;
	*why = "a dataplane has 1 to 64 cores";
	if (!s->ncores || s->ncores > IX_MAX_CORES)
		return -EINVAL;
	for (uint32_t i = 0; i < s->ncores; i++) {
		*why = "no core has one of these APIC IDs";
		if (!cpu_by_apic_id(s->apic_id[i]))
			return -ENODEV;
		*why = "a core is named twice";
		for (uint32_t j = 0; j < i; j++)
			if (s->apic_id[i] == s->apic_id[j])
				return -EINVAL;
	}
	return 0;
}

/* A struct domain that is not in use; its pages are never given back. */
static struct domain *free_domain(void)
{
	for (unsigned int i = 0; i < DOMAINS_MAX; i++) {
		struct domain *d = domains[i];

		if (!d) {
			d = page_alloc((sizeof(*d) + PAGE_SIZE - 1) / PAGE_SIZE);
			if (!d)
				return NULL;
			d->vm.id = i + 1;
			d->vm.msr_bitmap = page_alloc(1);
			d->vm.io_bitmap = page_alloc(2);
			if (!d->vm.msr_bitmap || !d->vm.io_bitmap)
				return NULL;
			domains[i] = d;
		}
		if (d->state == DOMAIN_NONE)
			return d;
	}
	return NULL;
}

/* Everything but memory, EPT and vCPUs, which have been given back. */
static void clean(struct domain *d)
{
	uint32_t id = d->vm.id, generation = d->generation;
	void *msr = d->vm.msr_bitmap, *io = d->vm.io_bitmap;

	memset(d, 0, sizeof(*d));
	d->vm.id = id;
	d->generation = generation + 1;
	d->vm.msr_bitmap = msr;
	d->vm.io_bitmap = io;
}

static void give_back(struct domain *d)
{
	for (uint32_t i = 0; i < d->ncores; i++)
		if (d->vcpu[i])
			vcpu_free(d->vcpu[i]);
	if (d->vm.ept.root)
		ept_free(&d->vm.ept);
	free_memory(d);
	clean(d);
}

static int build(struct domain *d, const struct ix_create *s, const char **why)
{
	struct ept_caps caps = ept_capabilities();
	int status = take_memory(d, s->memory, why);

	if (status)
		return status;
	*why = "the hypervisor is out of memory";
	if (ept_init(&d->vm.ept, &ept_pages, &caps))
		return -ENOMEM;
	for (uint32_t i = 0; i < d->nmem; i++)
		if (ept_map(&d->vm.ept, d->mem[i].base, d->mem[i].size, d->mem[i].base, EPT_RWX,
			    MEMORY_WB))
			return -ENOMEM;
	d->vm.eptp = ept_pointer(&d->vm.ept);
	for (uint32_t i = 0; i < s->ncores; i++) {
		d->core[i] = cpu_by_apic_id(s->apic_id[i]);
		d->vcpu[i] = vcpu_new(&d->vm, d->core[i]);
		d->ncores = i + 1;
		if (!d->vcpu[i])
			return -ENOMEM;
	}
	return 0;
}

int domain_create(const struct ix_create *s, struct domain **made, const char **why)
{
	int status = check_spec(s, why);
	struct domain *d;

	if (status)
		return status;
	*why = "too many dataplanes";
	d = free_domain();
	if (!d)
		return -ENOSPC;
	clean(d);
	memcpy(d->vm.name, s->name, sizeof(d->vm.name));
	d->vm.exit = domain_exit;
	d->vm.request = domain_request;
	msr_bitmap_fill(d->vm.msr_bitmap, msr_dataplane);
	memset(d->vm.io_bitmap, 0xff, 2 * PAGE_SIZE);
	status = build(d, s, why);
	if (status) {
		give_back(d);
		return status;
	}
	d->state = DOMAIN_STOPPED;
	*made = d;
	*why = "";
	log_info("dataplane %s: created, %lu MB, %u cores", d->vm.name, s->memory >> 20, d->ncores);
	control_event(HANDLE(d), d->vm.name, "created", "");
	return 0;
}

static int must_be_still(const struct domain *d, const char **why)
{
	*why = "the dataplane runs; stop it first";
	return state_of(d) == DOMAIN_RUNNING ? -EBUSY : 0;
}

int domain_assign(struct domain *d, uint32_t address, struct ix_device *device, const char **why)
{
	int status = must_be_still(d, why);

	if (status)
		return status;
	if (address == IX_ASSIGN_VF)
		return passthrough_assign_vf(d, device, why);
	return passthrough_assign(d, (uint16_t)(address >> 16), (uint16_t)address, device, why);
}

int domain_release(struct domain *d, uint32_t address, const char **why)
{
	int status = must_be_still(d, why);

	if (status)
		return status;
	return passthrough_release(d, (uint16_t)(address >> 16), (uint16_t)address, why);
}

int domain_clear(struct domain *d, const char **why)
{
	int status = must_be_still(d, why);

	if (status)
		return status;
	for (uint32_t i = 0; i < d->nmem; i++)
		memset(direct(d->mem[i].base), 0, d->mem[i].size);
	return 0;
}

static bool owns(const struct domain *d, uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < d->nmem; i++)
		if (range_contains(d->mem[i].base, d->mem[i].size, pa, size))
			return true;
	return false;
}

int domain_write(struct domain *d, uint64_t pa, const void *data, uint64_t size, const char **why)
{
	int status = must_be_still(d, why);

	if (status)
		return status;
	*why = "the destination is not within one range of the dataplane's memory";
	if (!owns(d, pa, size))
		return -EFAULT;
	memcpy(direct(pa), data, size);
	return 0;
}

static bool canonical(uint64_t va)
{
	return (int64_t)(va << 16) >> 16 == (int64_t)va;
}

int domain_start(struct domain *d, uint64_t entry, uint64_t cr3, uint64_t bootinfo,
		 const char **why)
{
	*why = "the dataplane runs already";
	if (state_of(d) == DOMAIN_RUNNING)
		return -EBUSY;
	*why = "the entry point is not a canonical address";
	if (!canonical(entry))
		return -EINVAL;
	*why = "page tables and boot page must be 4 KB aligned, within the dataplane's memory";
	if (cr3 & (PAGE_SIZE - 1) || bootinfo & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!owns(d, cr3, PAGE_SIZE) || !owns(d, bootinfo, sizeof(struct ix_bootinfo)))
		return -EFAULT;
	*why = "not all its cores are the hypervisor's: take them offline in Linux and give them";
	for (uint32_t i = 0; i < d->ncores; i++)
		if (__atomic_load_n(&d->core[i]->owner, __ATOMIC_ACQUIRE) != VM_NONE)
			return -EPERM;
	*why = "";
	d->entry = entry;
	d->cr3 = cr3;
	d->bootinfo = bootinfo;
	d->starts++;
	d->failing = 0;
	d->stats_page = 0;
	memset(d->why, 0, sizeof(d->why));
	d->line_length = 0;
	d->running = d->ncores;
	for (uint32_t i = 0; i < d->ncores; i++)
		memset(&d->vcpu[i]->exits, 0, sizeof(d->vcpu[i]->exits));
	__atomic_store_n(&d->state, DOMAIN_RUNNING, __ATOMIC_RELEASE);
	log_info("dataplane %s: started", d->vm.name);
	control_event(HANDLE(d), d->vm.name, "started", "");
	for (uint32_t i = 0; i < d->ncores; i++) {
		__atomic_store_n(&d->core[i]->owner, d->vm.id, __ATOMIC_RELEASE);
		cpu_request(d->core[i], REQ_RUN);
	}
	return 0;
}

int domain_stop(struct domain *d, const char **why)
{
	*why = "the dataplane does not run";
	if (state_of(d) != DOMAIN_RUNNING)
		return -EBUSY;
	for (uint32_t i = 0; i < d->ncores; i++)
		cpu_request(d->core[i], REQ_HALT);
	for (uint64_t us = 0; us < STOP_LIMIT_US && state_of(d) == DOMAIN_RUNNING; us += 10)
		delay_us(10);
	*why = "a core of the dataplane did not react";
	if (state_of(d) == DOMAIN_RUNNING)
		return -ETIMEDOUT;
	*why = "";
	return 0;
}

int domain_destroy(struct domain *d, const char **why)
{
	int status = must_be_still(d, why);
	char name[IX_NAME_LEN];

	if (status)
		return status;
	passthrough_release_all(d);
	memcpy(name, d->vm.name, sizeof(name));
	give_back(d);
	*why = "";
	log_info("dataplane %s: destroyed", name);
	control_event(0, name, "destroyed", "");
	return 0;
}

/* The last core to stop says that the domain has. */
static void core_stopped(struct cpu *cpu, struct domain *d)
{
	bool failed = __atomic_load_n(&d->failing, __ATOMIC_ACQUIRE) == DOMAIN_FAILED;

	lapic_quiet();
	fpu_reset();
	__atomic_store_n(&cpu->owner, VM_NONE, __ATOMIC_RELEASE);
	if (__atomic_sub_fetch(&d->running, 1, __ATOMIC_ACQ_REL))
		return;
	passthrough_quiet(d);
	log_info("dataplane %s: stopped%s%s", d->vm.name, d->why[0] ? ": " : "", d->why);
	control_event(HANDLE(d), d->vm.name, failed ? "failed" : "stopped", d->why);
	__atomic_store_n(&d->state, failed ? DOMAIN_FAILED : DOMAIN_STOPPED, __ATOMIC_RELEASE);
}

void domain_run_core(struct cpu *cpu, struct domain *d)
{
	struct vcpu *v = NULL;
	uint64_t index = 0;

	for (uint32_t i = 0; i < d->ncores; i++)
		if (d->core[i] == cpu) {
			v = d->vcpu[i];
			index = i;
		}
	if (!v)
		panic("core %u is not one of dataplane %s", cpu->index, d->vm.name);
	if (!lapic_x2apic() && cpuid(1, 0).ecx & BIT(21))
		lapic_enable_x2apic();
	lapic_quiet();
	fpu_reset();
	vcpu_load(v);
	vcpu_start_long(v, d->entry, d->cr3, SEL_CODE, SEL_DATA);
	v->reg[RDI] = IX_DIRECT_BASE + d->bootinfo;
	v->reg[RSI] = index;
	vcpu_run(v);
	core_stopped(cpu, d);
}
