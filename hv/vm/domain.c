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
#include "hv/lib/pool.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/control.h"
#include "hv/vm/domain_exit.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/passthrough.h"

#define STOP_LIMIT_US 2000000 /* resets of its functions included */
#define HANDLE(d)     ((uint64_t)(d)->generation << 8 | (d)->vm.id)

static struct domain *domains[DOMAINS_MAX]; /* made when first used, kept for ever */
static struct spinlock lock;
static struct memmap pool;

void domains_init(void)
{
	for (uint32_t i = 0; i < hv.npool; i++) {
		paging_direct(hv.pool[i].base, hv.pool[i].size, MAP_RW);
		if (pool_add(&pool, hv.pool[i].base, hv.pool[i].size))
			panic("the pool is in too many pieces");
	}
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

static bool has_cores(const struct domain *d)
{
	for (uint32_t i = 0; i < d->ncores; i++)
		if (__atomic_load_n(&d->core[i]->owner, __ATOMIC_ACQUIRE) != VM_NONE)
			return false;
	return true;
}

uint32_t domains_describe(struct hcall_domain out[DOMAINS_MAX])
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < DOMAINS_MAX; i++) {
		const struct domain *d = domains[i];

		if (exists(d))
			out[n++] = (struct hcall_domain){
			    .handle = HANDLE(d),
			    .state = state_of(d),
			    .name = d->vm.name,
			    .mem = d->mem,
			    .nmem = d->nmem,
			    .has_cores = has_cores(d),
			};
	}
	return n;
}

uint64_t pool_size(void)
{
	return memmap_total(&pool, MEM_RAM) + memmap_total(&pool, MEM_RESERVED);
}

uint64_t pool_free(void)
{
	return memmap_total(&pool, MEM_RAM);
}

static void free_memory(struct domain *d)
{
	struct range ranges[IX_MAX_MEM];

	for (uint32_t m = 0; m < d->nmem; m++) {
		memset(direct(d->mem[m].base), 0, d->mem[m].size);
		ranges[m] = (struct range){d->mem[m].base, d->mem[m].size};
	}
	if (pool_give(&pool, ranges, d->nmem))
		panic("dataplane %s: memory given back twice", d->vm.name);
	d->nmem = 0;
}

static int take_memory(struct domain *d, uint64_t size, const char **why)
{
	struct range ranges[IX_MAX_MEM];
	int n;

	*why = "the pool has not that much free memory; see 'ixctl memory', and ixmem= on the "
	       "hypervisor's command line";
	if (pool_free() < size)
		return -ENOMEM;
	*why = "the pool's free memory is in too many pieces";
	n = pool_take(&pool, size, ranges, IX_MAX_MEM);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		memset(direct(ranges[i].base), 0, ranges[i].size);
		d->mem[i] = (struct ix_range){ranges[i].base, ranges[i].size};
	}
	d->nmem = (uint32_t)n;
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
	struct domain *d;
	int status;

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

int domain_assign(struct domain *d, uint32_t address, struct ix_device *device, const char **why)
{
	if (address == IX_ASSIGN_VF)
		return passthrough_assign_vf(d, device, why);
	return passthrough_assign(d, (uint16_t)(address >> 16), (uint16_t)address, device, why);
}

int domain_release(struct domain *d, uint32_t address, const char **why)
{
	return passthrough_release(d, (uint16_t)(address >> 16), (uint16_t)address, why);
}

void domain_clear(struct domain *d)
{
	for (uint32_t i = 0; i < d->nmem; i++)
		memset(direct(d->mem[i].base), 0, d->mem[i].size);
}

void domain_start(struct domain *d, uint64_t entry, uint64_t cr3, uint64_t bootinfo)
{
	d->entry = entry;
	d->cr3 = cr3;
	d->bootinfo = bootinfo;
	d->starts++;
	d->failing = 0;
	d->stopping = 0;
	d->stats = 0;
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
}

int domain_stop(struct domain *d, const char **why)
{
	__atomic_store_n(&d->stopping, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < d->ncores; i++)
		cpu_request(d->core[i], REQ_HALT);
	for (uint64_t us = 0; us < STOP_LIMIT_US && state_of(d) == DOMAIN_RUNNING; us += 10) {
		linux_mem_serve();
		delay_us(10);
	}
	*why = "a core of the dataplane did not react";
	if (state_of(d) == DOMAIN_RUNNING)
		return -ETIMEDOUT;
	*why = "";
	return 0;
}

bool domain_ends(const struct domain *d)
{
	return __atomic_load_n(&d->stopping, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&d->failing, __ATOMIC_ACQUIRE);
}

void domain_destroy(struct domain *d)
{
	char name[IX_NAME_LEN];

	passthrough_release_all(d);
	memcpy(name, d->vm.name, sizeof(name));
	give_back(d);
	log_info("dataplane %s: destroyed", name);
	control_event(0, name, "destroyed", "");
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
	/* A dataplane's interrupts need no exit in x2APIC mode, whatever Linux uses. */
	if (!lapic_x2apic() && lapic_can_x2apic())
		lapic_enable_x2apic();
	lapic_quiet();
	fpu_reset();
	vcpu_load(v);
	vcpu_start_long(v, d->entry, d->cr3, SEL_CODE, SEL_DATA);
	v->reg[RDI] = IX_DIRECT_BASE + d->bootinfo;
	v->reg[RSI] = index;
	/* A request to halt that came before this core looked at its owner is gone from the
	 * mailbox; what it was for is not. One from here on is seen by vcpu_run(). */
	if (domain_ends(d))
		vcpu_unload(v);
	else
		vcpu_run(v);
	core_stopped(cpu, d);
}
