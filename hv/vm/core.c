/* SPDX-License-Identifier: MIT */
#include "hv/vm/core.h"

#include "hv/arch/fpu.h"
#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/wait.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/vm/domain.h"
#include "hv/vm/linux.h"
#include "hv/vm/linux_exit.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/vm.h"

#define REACT_LIMIT_US 1000000

static uint32_t owner(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->owner, __ATOMIC_ACQUIRE);
}

static void set_owner(struct cpu *cpu, uint32_t vm)
{
	__atomic_store_n(&cpu->owner, vm, __ATOMIC_RELEASE);
}

static void run_linux(struct cpu *cpu)
{
	struct vcpu *v = cpu->linux_vcpu;

	v->wait_sipi = false;
	v->sipi_pending = false;
	linux_step_drop(v);
	/* A dataplane has used this core, and Linux may not use that mode. */
	if (hv.options.nox2apic && lapic_x2apic())
		lapic_leave_x2apic();
	lapic_quiet();
	/* As INIT leaves them (SDM 3A 11.4.7.3); the hypervisor itself sends by physical ID. */
	cpu->ldr = 0;
	cpu->dfr = 0xffffffff;
	fpu_reset();
	vcpu_load(v);
	vcpu_start_real(v, (uint8_t)__atomic_load_n(&v->sipi_vector, __ATOMIC_ACQUIRE));
	linux_watch(v);
	log_debug("Linux starts core %u at %#x", cpu->index, v->sipi_vector << 12);
	vcpu_run(v);
}

noreturn void core_loop(struct cpu *cpu)
{
	struct vcpu *v = cpu->linux_vcpu;

	for (;;) {
		uint32_t requests = cpu_take_requests(cpu);
		uint32_t vm = owner(cpu);

		linux_request(v, requests);
		if (vm == VM_LINUX && v->wait_sipi && v->sipi_pending)
			run_linux(cpu);
		else if (vm != VM_LINUX && vm != VM_NONE)
			domain_run_core(cpu, domain_by_vm(vm));
		else
			cpu_wait(cpu);
	}
}

int core_give(uint32_t apic_id, const char **why)
{
	struct cpu *cpu = cpu_by_apic_id(apic_id);
	uint32_t of_linux = 0;

	for (uint32_t i = 0; i < ncpus; i++)
		of_linux += owner(cpus[i]) == VM_LINUX;
	*why = "no core has this APIC ID";
	if (!cpu)
		return -ENODEV;
	*why = "the core is not Linux's";
	if (owner(cpu) != VM_LINUX)
		return -EBUSY;
	*why = "Linux cannot give away the core that asks, nor its last one";
	if (cpu == this_cpu() || of_linux < 2)
		return -EPERM;
	cpu_request(cpu, REQ_GIVE);
	for (uint64_t us = 0; us < REACT_LIMIT_US && owner(cpu) == VM_LINUX; us += 10) {
		linux_mem_serve();
		delay_us(10);
	}
	/* Withdrawn, or the core would leave Linux some other time. If it has the request in hand
	 * already, it is about to. */
	*why = "the core did not react";
	if (__atomic_fetch_and(&cpu->requests, ~REQ_GIVE, __ATOMIC_ACQ_REL) & REQ_GIVE)
		return -ETIMEDOUT;
	while (owner(cpu) == VM_LINUX)
		linux_mem_serve();
	*why = "";
	return 0;
}

int core_take(uint32_t apic_id, const char **why)
{
	struct cpu *cpu = cpu_by_apic_id(apic_id);

	*why = "no core has this APIC ID";
	if (!cpu)
		return -ENODEV;
	*why = "the core is Linux's already, or a dataplane's";
	if (owner(cpu) != VM_NONE)
		return -EBUSY;
	set_owner(cpu, VM_LINUX);
	*why = "";
	return 0;
}
