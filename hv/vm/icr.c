/* SPDX-License-Identifier: MIT */
#include "hv/vm/icr.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/hv.h"
#include "hv/lib/icr.h"
#include "hv/mem.h"
#include "hv/panic.h"

static void deliver(struct cpu *to, const struct icr *icr, enum icr_action action)
{
	switch (action) {
	case ICR_DO_SEND:
		lapic_ipi(to->apic_id, icr->vector | APIC_ICR_ASSERT);
		break;
	case ICR_DO_NMI:
		cpu_request(to, REQ_NMI);
		break;
	case ICR_DO_INIT:
		cpu_request(to, REQ_INIT);
		break;
	case ICR_DO_SIPI:
		__atomic_store_n(&to->linux_vcpu->sipi_vector, icr->vector, __ATOMIC_RELEASE);
		cpu_request(to, REQ_SIPI);
		break;
	case ICR_DO_NOTHING:
	case ICR_DO_REFUSE:
		break;
	}
}

void icr_init(void)
{
	size_t words = (ncpus + 63) / 64;
	size_t bytes = words * sizeof(uint64_t) + ncpus * sizeof(struct icr_cpu);

	for (uint32_t i = 0; i < ncpus; i++) {
		cpus[i]->icr_set = page_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
		if (!cpus[i]->icr_set)
			panic("no memory for interrupts between %u cores", ncpus);
		cpus[i]->icr_cpus = (struct icr_cpu *)(cpus[i]->icr_set + words);
	}
}

/* Which cores are meant, of those that the VM owns. */
static void expand(struct cpu *self, const struct icr *icr)
{
	for (uint32_t i = 0; i < ncpus; i++)
		self->icr_cpus[i] = (struct icr_cpu){
		    .apic_id = cpus[i]->apic_id,
		    .ldr = cpus[i]->ldr,
		    .dfr = cpus[i]->dfr,
		    .x2apic = icr->x2apic,
		    .domain = __atomic_load_n(&cpus[i]->owner, __ATOMIC_ACQUIRE),
		};
	icr_expand(icr, self->icr_cpus, ncpus, self->index, self->icr_set);
}

static void write_icr(struct vcpu *v, const struct icr *icr)
{
	enum icr_action action = icr_action(icr);
	bool plain = action == ICR_DO_SEND || v->vm->id == VM_LINUX;

	/* A dataplane interrupts its own cores, and nothing else. */
	if (action == ICR_DO_REFUSE || !plain) {
		v->refused_ipis++;
		return;
	}
	expand(v->cpu, icr);
	for (uint32_t i = 0; i < ncpus; i++)
		if (v->cpu->icr_set[i / 64] >> (i % 64) & 1)
			deliver(cpus[i], icr, action);
}

bool icr_write_x2apic(struct vcpu *v, uint64_t value)
{
	struct icr icr;

	if (!icr_decode_x2apic(value, &icr))
		return false;
	write_icr(v, &icr);
	return true;
}

void icr_write_xapic(struct vcpu *v, uint32_t high, uint32_t low)
{
	struct icr icr = icr_decode_xapic(high, low);

	write_icr(v, &icr);
}

void icr_message(const struct icr *icr)
{
	if (icr_action(icr) != ICR_DO_SEND)
		return;
	for (uint32_t i = 0; i < ncpus; i++) {
		struct cpu *c = cpus[i];
		const struct icr_cpu described = {
		    .apic_id = c->apic_id,
		    .ldr = c->ldr,
		    .dfr = c->dfr,
		    .x2apic = hv.x2apic,
		};

		if (!icr_matches(icr, &described, false) ||
		    __atomic_load_n(&c->owner, __ATOMIC_ACQUIRE) != VM_LINUX)
			continue;
		lapic_ipi(c->apic_id, icr->vector | APIC_ICR_ASSERT);
		if (icr->mode == ICR_LOWEST)
			return;
	}
}
