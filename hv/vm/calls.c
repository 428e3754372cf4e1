/* SPDX-License-Identifier: MIT */
#include "hv/vm/calls.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/preflight.h"
#include "hv/vm/core.h"
#include "hv/vm/domain.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/pci.h"
#include "hv/vm/sriov.h"

#define HV_VERSION "Ironix 0.1"

static uint64_t total_exits(const struct vcpu *v)
{
	uint64_t n = 0;

	for (unsigned int r = 0; r < EXIT_REASONS; r++)
		n += v->exits.count[r];
	return n;
}

static const char *owner_name(uint32_t vm)
{
	struct domain *d;

	if (vm == VM_LINUX)
		return "linux";
	d = vm == VM_NONE ? NULL : domain_by_vm(vm);
	return d ? d->vm.name : "hypervisor";
}

/* The vCPU that stands for a core: the dataplane's that runs there, else Linux's. */
static const struct vcpu *core_vcpu(const struct cpu *cpu)
{
	const struct vcpu *now = __atomic_load_n(&cpu->vcpu, __ATOMIC_ACQUIRE);

	return now ? now : cpu->linux_vcpu;
}

static int call_info(struct ix_hv_info *info)
{
	uint64_t base;

	fmt(info->version, sizeof(info->version), "%s", HV_VERSION);
	info->abi = IX_ABI_VERSION;
	info->ncores = ncpus;
	info->tsc_khz = tsc_khz();
	info->pool_size = pool_size();
	info->pool_free = pool_free();
	mem_range(&base, &info->own_size);
	info->own_free = pages_free() * PAGE_SIZE;
	info->absent_accesses = linux_absent_accesses();
	info->x2apic = lapic_can_x2apic();
	return 0;
}

static int call_preflight(uint64_t i, struct ix_hv_preflight *out)
{
	const struct preflight_row *r = &preflight.row[i];

	if (i >= preflight.rows)
		return -ENOENT;
	fmt(out->feature, sizeof(out->feature), "%s", r->feature);
	fmt(out->found, sizeof(out->found), "%s", r->found ? "yes" : "no");
	fmt(out->needed, sizeof(out->needed), "%s", r->need == NEED_MUST ? "must" : "wanted");
	fmt(out->consequence, sizeof(out->consequence), "%s", r->consequence);
	return 0;
}

static int call_core(uint64_t i, struct ix_hv_core *out)
{
	const struct vcpu *v;

	if (i >= ncpus)
		return -ENOENT;
	v = core_vcpu(cpus[i]);
	out->index = (uint32_t)i;
	out->apic_id = cpus[i]->apic_id;
	fmt(out->owner, sizeof(out->owner), "%s",
	    owner_name(__atomic_load_n(&cpus[i]->owner, __ATOMIC_ACQUIRE)));
	fmt(out->state, sizeof(out->state), "%s",
	    __atomic_load_n(&cpus[i]->vcpu, __ATOMIC_ACQUIRE) ? "running" : "waiting");
	out->exits = total_exits(v);
	out->root_cycles = v->exits.root_cycles;
	return 0;
}

static int call_memory(uint64_t i, struct ix_hv_range *out)
{
	struct domain *d;

	if (i == 0 || i == 1) {
		const struct range *r = i ? &hv.own : &hv.image;

		*out = (struct ix_hv_range){r->base, r->size, "hypervisor"};
		return 0;
	}
	i -= 2;
	if (i < hv.npool) {
		*out = (struct ix_hv_range){hv.pool[i].base, hv.pool[i].size, "pool"};
		return 0;
	}
	i -= hv.npool;
	for (uint64_t n = 0; (d = domain_at(n)); n++) {
		if (i < d->nmem) {
			out->base = d->mem[i].base;
			out->size = d->mem[i].size;
			fmt(out->owner, sizeof(out->owner), "%s", d->vm.name);
			return 0;
		}
		i -= d->nmem;
	}
	return -ENOENT;
}

struct pci_search {
	uint64_t skip;
	struct ix_hv_pci *out;
	bool found;
};

static void describe_pci(uint16_t segment, uint16_t bdf, struct ix_hv_pci *out)
{
	uint32_t id = pci_read(segment, bdf, 0, 4);
	struct sriov_vf vf;
	struct domain *d;

	out->segment = segment;
	out->bdf = bdf;
	out->vendor = (uint16_t)id;
	out->device = (uint16_t)(id >> 16);
	if (id == 0xffffffff && sriov_find(segment, bdf, &vf)) {
		out->vendor = vf.vendor;
		out->device = vf.device;
	}
	fmt(out->owner, sizeof(out->owner), "linux");
	fmt(out->kind, sizeof(out->kind), "physical");
	out->dma_open = 1; /* nothing confines Linux's functions */
	for (uint64_t n = 0; (d = domain_at(n)); n++)
		for (unsigned int i = 0; i < DOMAIN_DEVICES; i++)
			if (d->device[i].used && d->device[i].vf < 0 &&
			    d->device[i].segment == segment && d->device[i].bdf == bdf) {
				fmt(out->owner, sizeof(out->owner), "%s", d->vm.name);
				out->dma_open = d->device[i].dma_open;
			}
}

static bool next_function(void *ctx, uint16_t segment, uint16_t bdf)
{
	struct pci_search *s = ctx;

	if (s->skip--)
		return true;
	describe_pci(segment, bdf, s->out);
	s->found = true;
	return false;
}

/* A function of the hypervisor's, that only Linux sees: the model reaches Linux's memory alone. */
static bool next_virtual(void *ctx, const struct pci_rule *rule)
{
	struct pci_search *s = ctx;
	uint32_t id;

	if (s->skip--)
		return true;
	id = rule->read(rule->ctx, 0, 4);
	s->out->segment = rule->segment;
	s->out->bdf = rule->bdf;
	s->out->vendor = (uint16_t)id;
	s->out->device = (uint16_t)(id >> 16);
	fmt(s->out->owner, sizeof(s->out->owner), "linux");
	fmt(s->out->kind, sizeof(s->out->kind), s->out->vendor == IX_PCI_VENDOR ? "control" : "vf");
	s->found = true;
	return false;
}

static int call_pci(uint64_t i, struct ix_hv_pci *out)
{
	struct pci_search s = {i, out, false};

	if (pci_each(next_function, &s) && sriov_each(next_function, &s))
		pci_each_virtual(next_virtual, &s);
	return s.found ? 0 : -ENOENT;
}

static int call_exit(uint64_t i, struct ix_hv_exit *out)
{
	for (uint32_t c = 0; c < ncpus; c++) {
		const struct vcpu *v = core_vcpu(cpus[c]);

		for (uint32_t r = 0; r < EXIT_REASONS; r++) {
			if (!v->exits.count[r] || i--)
				continue;
			out->core = c;
			out->reason = r;
			out->count = v->exits.count[r];
			fmt(out->name, sizeof(out->name), "%s", exit_reason_name(r));
			return 0;
		}
	}
	return -ENOENT;
}

static int call_domain(uint64_t i, struct ix_hv_domain *out)
{
	static const char *const state[] = {"none", "stopped", "running", "failed"};
	struct domain *d = domain_at(i);

	if (!d)
		return -ENOENT;
	out->handle = domain_handle(d);
	memcpy(out->name, d->vm.name, sizeof(out->name));
	fmt(out->state, sizeof(out->state), "%s", state[d->state]);
	memcpy(out->why, d->why, sizeof(out->why));
	out->ncores = d->ncores;
	out->nmem = d->nmem;
	for (uint32_t c = 0; c < d->ncores; c++) {
		out->apic_id[c] = d->core[c]->apic_id;
		out->exits += total_exits(d->vcpu[c]);
		out->root_cycles += d->vcpu[c]->exits.root_cycles;
	}
	memcpy(out->mem, d->mem, sizeof(out->mem));
	for (unsigned int n = 0; n < DOMAIN_DEVICES; n++) {
		out->ndevices += d->device[n].used;
		out->dma_open |= d->device[n].used && d->device[n].dma_open;
	}
	out->starts = d->starts;
	memcpy(out->reg, d->reg, sizeof(out->reg));
	out->rip = d->rip;
	out->rflags = d->rflags;
	out->cr2 = d->cr2;
	out->cr3 = d->fail_cr3;
	out->exit_reason = d->exit_reason;
	out->exit_qualification = d->exit_qualification;
	return 0;
}

static int call_create(struct ix_slot *call, const char **why)
{
	struct ix_create spec;
	struct domain *d;
	uint64_t handle;
	int status;

	memcpy(&spec, call->data, sizeof(spec));
	memset(call->data, 0, sizeof(call->data));
	status = domain_create(&spec, &d, why);
	if (status)
		return status;
	handle = domain_handle(d);
	memcpy(call->data, &handle, sizeof(handle));
	return 0;
}

static int call_device(const struct domain *d, uint64_t i, struct ix_device *out)
{
	for (unsigned int n = 0; n < DOMAIN_DEVICES; n++)
		if (d->device[n].used && !i--) {
			*out = d->device[n].device;
			return 0;
		}
	return -ENOENT;
}

static int call_console(struct domain *d, struct ix_slot *call)
{
	uint64_t from = call->arg[1], want = call->arg[2], n;

	spin_lock(&d->console_lock);
	if (d->console_head > CONSOLE_RING && from < d->console_head - CONSOLE_RING)
		from = d->console_head - CONSOLE_RING;
	if (from > d->console_head)
		from = d->console_head;
	n = d->console_head - from;
	if (n > want)
		n = want;
	if (n > IX_SLOT_DATA)
		n = IX_SLOT_DATA;
	for (uint64_t i = 0; i < n; i++)
		call->data[i] = (uint8_t)d->console[(from + i) % CONSOLE_RING];
	spin_unlock(&d->console_lock);
	call->arg[1] = from;
	return (int)n;
}

static int call_stats(const struct domain *d, struct ix_slot *call, const char **why)
{
	uint64_t area = __atomic_load_n(&d->stats, __ATOMIC_ACQUIRE), size = d->stats_size;
	uint64_t from = call->arg[1], n = call->arg[2];

	*why = "the dataplane has no statistics yet";
	if (!area)
		return -ENOENT;
	/* The guest may have named another area meanwhile: what is read must still be its own. */
	if (from >= size || !domain_memory_has(d->mem, d->nmem, area, size))
		return 0;
	if (n > size - from)
		n = size - from;
	if (n > IX_SLOT_DATA)
		n = IX_SLOT_DATA;
	memcpy(call->data, (const uint8_t *)direct(area) + from, n);
	return (int)n;
}

/* Calls on one domain, which exists. */
static int domain_call(struct ix_slot *call, const uint8_t *bulk, const char **why)
{
	struct domain *d = domain_by_handle(call->arg[0]);
	uint64_t *arg = call->arg;

	memset(call->data, 0, sizeof(call->data));
	switch (call->op) {
	case IX_CALL_ASSIGN:
		return domain_assign(d, (uint32_t)arg[1], (struct ix_device *)call->data, why);
	case IX_CALL_RELEASE:
		return domain_release(d, (uint32_t)arg[1], why);
	case IX_CALL_DEVICE:
		return call_device(d, arg[1], (struct ix_device *)call->data);
	case IX_CALL_CLEAR:
		domain_clear(d);
		return 0;
	case IX_CALL_WRITE:
		memcpy(direct(arg[1]), bulk + arg[2], arg[3]);
		return 0;
	case IX_CALL_START:
		domain_start(d, arg[1], arg[2], arg[3]);
		return 0;
	case IX_CALL_STOP:
		return domain_stop(d, why);
	case IX_CALL_DESTROY:
		domain_destroy(d);
		return 0;
	case IX_CALL_CONSOLE:
		return call_console(d, call);
	default:
		return call_stats(d, call, why);
	}
}

static int dispatch(struct ix_slot *call, const uint8_t *bulk, const char **why)
{
	if (call->op >= IX_CALL_ASSIGN && call->op <= IX_CALL_STATS)
		return domain_call(call, bulk, why);
	if (call->op == IX_CALL_CREATE)
		return call_create(call, why);
	memset(call->data, 0, sizeof(call->data));
	*why = "behind the end of the list";
	switch (call->op) {
	case IX_CALL_INFO:
		return call_info((struct ix_hv_info *)call->data);
	case IX_CALL_PREFLIGHT:
		return call_preflight(call->arg[0], (struct ix_hv_preflight *)call->data);
	case IX_CALL_CORE:
		return call_core(call->arg[0], (struct ix_hv_core *)call->data);
	case IX_CALL_MEMORY:
		return call_memory(call->arg[0], (struct ix_hv_range *)call->data);
	case IX_CALL_PCI:
		return call_pci(call->arg[0], (struct ix_hv_pci *)call->data);
	case IX_CALL_EXIT:
		return call_exit(call->arg[0], (struct ix_hv_exit *)call->data);
	case IX_CALL_DOMAIN:
		return call_domain(call->arg[0], (struct ix_hv_domain *)call->data);
	case IX_CALL_CORE_GIVE:
		return core_give((uint32_t)call->arg[0], why);
	default:
		return core_take((uint32_t)call->arg[0], why);
	}
}

static bool core_exists(void *ctx, uint32_t apic_id)
{
	(void)ctx;
	return cpu_by_apic_id(apic_id);
}

int control_call(struct ix_slot *call, const uint8_t *bulk, const char **why)
{
	static struct hcall_domain described[DOMAINS_MAX];
	struct hcall_env env = {.domains = described, .core_exists = core_exists};
	int status;

	domains_lock();
	env.ndomains = domains_describe(described);
	status = hcall_check(&env, call, why);
	if (!status)
		status = dispatch(call, bulk, why);
	domains_unlock();
	return status;
}
