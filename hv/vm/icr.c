/* SPDX-License-Identifier: MIT */
#include "hv/vm/icr.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/console.h"

static void send(struct cpu *to, uint32_t icr)
{
	struct vcpu *v = to->linux_vcpu;

	switch (icr & 0x700) {
	case ICR_INIT:
		if (!(icr & ICR_ASSERT))
			return;
		cpu_request(to, REQ_INIT);
		break;
	case ICR_STARTUP:
		v->sipi_vector = icr & 0xff;
		cpu_request(to, REQ_SIPI);
		break;
	case ICR_NMI:
		cpu_request(to, REQ_NMI);
		break;
	default:
		lapic_ipi(to->apic_id, icr & 0xffff & ~ICR_BUSY);
	}
}

void icr_write(struct vcpu *v, uint64_t value)
{
	uint32_t icr = (uint32_t)value, shorthand = icr >> 18 & 3, dest = (uint32_t)(value >> 32);

	for (uint32_t i = 0; i < ncpus; i++) {
		bool self = cpus[i] == v->cpu;

		if (shorthand == 1   ? self
		    : shorthand == 2 ? true
		    : shorthand == 3 ? !self
				     : cpus[i]->apic_id == dest || dest == 0xffffffff)
			send(cpus[i], icr);
	}
}
