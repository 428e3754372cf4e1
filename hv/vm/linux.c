/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/wait.h"
#include "hv/console.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/linux_exit.h"
#include "hv/vm/linux_io.h"
#include "hv/vm/linux_load.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/linux_policy.h"
#include "hv/vm/vm.h"

static struct vm linux_vm = {
    .id = 0,
    .name = "Linux",
    .exit = linux_exit,
    .request = linux_request,
};

/* A core between guests: sleeps until Linux starts it. */
static noreturn void core_loop(struct cpu *cpu)
{
	struct vcpu *v = cpu->linux_vcpu;

	for (;;) {
		uint32_t requests = __atomic_exchange_n(&cpu->requests, 0, __ATOMIC_ACQ_REL);

		linux_request(v, requests);
		if (v->wait_sipi && v->sipi_pending) {
			v->wait_sipi = false;
			v->sipi_pending = false;
			lapic_quiet();
			vcpu_load(v);
			vcpu_start_real(v, (uint8_t)v->sipi_vector);
			log_debug("Linux starts core %u at %#x", cpu->index, v->sipi_vector << 12);
			vcpu_run(v);
			continue;
		}
		cpu_wait(cpu);
	}
}

noreturn void linux_ap(struct cpu *cpu)
{
	while (!__atomic_load_n(&cpu->linux_vcpu, __ATOMIC_ACQUIRE))
		cpu_wait(cpu);
	core_loop(cpu);
}

static void make_vm(void)
{
	linux_vm.msr_bitmap = page_alloc(1);
	linux_vm.io_bitmap = page_alloc(2);
	if (!linux_vm.msr_bitmap || !linux_vm.io_bitmap)
		panic("no memory for Linux's bitmaps");
	linux_msr_bitmap(linux_vm.msr_bitmap);
	linux_io_bitmap(linux_vm.io_bitmap);
	linux_mem_init(&linux_vm);
	for (uint32_t i = 0; i < ncpus; i++) {
		struct vcpu *v = page_alloc((sizeof(*v) + PAGE_SIZE - 1) / PAGE_SIZE);

		if (!v || vcpu_init(v, &linux_vm, cpus[i]))
			panic("no memory for core %u of Linux", i);
		v->wait_sipi = i != 0;
		__atomic_store_n(&cpus[i]->linux_vcpu, v, __ATOMIC_RELEASE);
	}
}

noreturn void linux_start(void)
{
	struct vcpu *v;
	struct linux_entry entry;

	linux_load(&entry);
	make_vm();
	v = this_cpu()->linux_vcpu;
	vcpu_load(v);
	vcpu_start_long(v, entry.rip, entry.cr3, LINUX_CS, LINUX_DS);
	vmwrite(VMCS_GUEST_GDTR_BASE, entry.gdt);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, entry.gdt_size - 1);
	v->reg[RSI] = entry.zero_page;
	log_info("Linux starts");
	vcpu_run(v);
	core_loop(this_cpu());
}
