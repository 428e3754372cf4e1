/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux.h"

#include "hv/arch/lapic.h"
#include "hv/arch/smp.h"
#include "hv/arch/wait.h"
#include "hv/console.h"
#include "hv/lib/msr.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/control.h"
#include "hv/vm/core.h"
#include "hv/vm/domain.h"
#include "hv/vm/icr.h"
#include "hv/vm/lapic_trap.h"
#include "hv/vm/linux_exit.h"
#include "hv/vm/linux_io.h"
#include "hv/vm/linux_load.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/pci.h"
#include "hv/vm/sriov.h"
#include "hv/vm/vf.h"
#include "hv/vm/vm.h"

static struct vm linux_vm = {
    .id = 0,
    .name = "Linux",
    .exit = linux_exit,
    .request = linux_request,
    .stepped = linux_step_ends,
};

noreturn void linux_ap(struct cpu *cpu)
{
	while (!__atomic_load_n(&cpu->linux_vcpu, __ATOMIC_ACQUIRE))
		cpu_wait(cpu);
	core_loop(cpu);
}

void linux_end(const char *why)
{
	log_error("Linux has ended: %s; %u dataplane(s) go on", why, domains_running());
	for (uint32_t i = 0; i < ncpus; i++)
		if (__atomic_load_n(&cpus[i]->owner, __ATOMIC_ACQUIRE) == VM_LINUX)
			cpu_request(cpus[i], REQ_INIT);
}

static void make_vm(void)
{
	linux_vm.msr_bitmap = page_alloc(1);
	linux_vm.io_bitmap = page_alloc(2);
	if (!linux_vm.msr_bitmap || !linux_vm.io_bitmap)
		panic("no memory for Linux's bitmaps");
	msr_bitmap_fill(linux_vm.msr_bitmap, msr_root);
	linux_io_bitmap(linux_vm.io_bitmap);
	linux_mem_init(&linux_vm);
	icr_init();
	for (uint32_t i = 0; i < ncpus; i++) {
		struct vcpu *v = vcpu_new(&linux_vm, cpus[i]);

		if (!v)
			panic("no memory for core %u of Linux", i);
		v->wait_sipi = i != 0;
		cpus[i]->dfr = 0xffffffff; /* after a reset */
		__atomic_store_n(&cpus[i]->linux_vcpu, v, __ATOMIC_RELEASE);
	}
}

noreturn void linux_start(void)
{
	struct vcpu *v;
	struct linux_entry entry;

	linux_load(&entry);
	make_vm();
	pci_init();
	pci_filter_init();
	sriov_init();
	lapic_trap_init();
	domains_init();
	control_init();
	vf_init();
	v = this_cpu()->linux_vcpu;
	vcpu_load(v);
	vcpu_start_long(v, entry.rip, entry.cr3, LINUX_CS, LINUX_DS);
	vmwrite(VMCS_GUEST_GDTR_BASE, entry.gdt);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, entry.gdt_size - 1);
	v->reg[RSI] = entry.zero_page;
	linux_watch(v);
	log_info("Linux starts");
	cpu_take_requests(this_cpu()); /* an NMI that came until now was for nobody */
	vcpu_run(v);
	core_loop(this_cpu());
}
