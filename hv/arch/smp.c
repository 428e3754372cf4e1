/* SPDX-License-Identifier: MIT */
#include "hv/arch/smp.h"

#include "hv/arch/lapic.h"
#include "hv/arch/paging.h"
#include "hv/arch/tsc.h"
#include "hv/arch/vmx.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"

/* SDM 3A 9.4.4.1: INIT, 10 ms, SIPI, 200 us, SIPI. */
#define INIT_DELAY_US  10000
#define SIPI_DELAY_US  200
#define START_LIMIT_US 1000000
#define STOP_LIMIT_US  100000

/* More kicks than can be under way to a core at a time. */
#define KICKS_MAX 16

extern const char trampoline_start[], trampoline_end[], trampoline_cpu[], trampoline_cr3[];
extern uint64_t ap_cr3;
extern uint64_t boot_pml4[];

struct cpu **cpus;
uint32_t ncpus;

struct cpu *cpu_by_apic_id(uint32_t apic_id)
{
	for (uint32_t i = 0; i < ncpus; i++)
		if (cpus[i]->apic_id == apic_id)
			return cpus[i];
	return NULL;
}

static bool is_online(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE);
}

static bool wait_online(const struct cpu *cpu, uint64_t us)
{
	for (uint64_t waited = 0; waited < us && !is_online(cpu); waited += 100)
		delay_us(100);
	return is_online(cpu);
}

static bool start_one(const struct cpu *cpu, uint64_t trampoline_pa)
{
	uint32_t sipi = APIC_ICR_STARTUP | APIC_ICR_ASSERT | (uint32_t)(trampoline_pa >> 12);

	lapic_ipi(cpu->apic_id, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
	delay_us(INIT_DELAY_US);
	lapic_ipi(cpu->apic_id, sipi);
	if (wait_online(cpu, SIPI_DELAY_US))
		return true;
	lapic_ipi(cpu->apic_id, sipi);
	return wait_online(cpu, START_LIMIT_US);
}

uint32_t smp_start(uint64_t trampoline_pa)
{
	uint8_t *page = map_window(trampoline_pa, PAGE_SIZE);
	uint64_t *cpu_slot = (uint64_t *)(page + (trampoline_cpu - trampoline_start));
	uint64_t *cr3_slot = (uint64_t *)(page + (trampoline_cr3 - trampoline_start));
	uint32_t failed = 0;

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*cr3_slot = image_pa(boot_pml4);
	ap_cr3 = paging_root();
	for (uint32_t i = 0; i < ncpus; i++) {
		if (cpus[i] == this_cpu())
			continue;
		*(volatile uint64_t *)cpu_slot = (uint64_t)cpus[i];
		if (!start_one(cpus[i], trampoline_pa)) {
			log_error("core %u (APIC ID %u) does not answer INIT-SIPI-SIPI", i,
				  cpus[i]->apic_id);
			failed++;
		}
	}
	return failed;
}

void cpu_request(struct cpu *cpu, uint32_t requests)
{
	uint32_t kicks = __atomic_load_n(&cpu->kicks, __ATOMIC_ACQUIRE);

	__atomic_or_fetch(&cpu->requests, requests, __ATOMIC_ACQ_REL);
	if (cpu == this_cpu())
		return;
	while (kicks < KICKS_MAX &&
	       !__atomic_compare_exchange_n(&cpu->kicks, &kicks, kicks + 1, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
	lapic_ipi(cpu->apic_id, APIC_ICR_NMI | APIC_ICR_ASSERT);
}

uint32_t cpu_take_requests(struct cpu *cpu)
{
	return __atomic_fetch_and(&cpu->requests, REQ_STOP, __ATOMIC_ACQ_REL) & ~REQ_STOP;
}

uint32_t smp_stop_others(void)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < ncpus; i++)
		if (cpus[i] != this_cpu() && is_online(cpus[i]))
			cpu_request(cpus[i], REQ_STOP);
	for (uint32_t i = 0; i < ncpus; i++) {
		const uint32_t *halted = &cpus[i]->halted;

		if (cpus[i] == this_cpu() || !is_online(cpus[i]))
			continue;
		for (uint64_t us = 0; us < STOP_LIMIT_US; us += 10) {
			if (__atomic_load_n(halted, __ATOMIC_ACQUIRE))
				break;
			delay_us(10);
		}
		left += !__atomic_load_n(halted, __ATOMIC_ACQUIRE);
	}
	return left;
}

/*
 * An NMI in root mode, or one that made a guest exit: the kick. It only has to make sure that the core
 * looks at its mailbox before it sleeps or enters a guest. Two short pieces of code look first and then
 * commit themselves (cpu_wait: HLT; vmx_enter: VMLAUNCH or VMRESUME); an NMI between look and commit
 * moves the instruction pointer out of the piece.
 *
 * An NMI that nobody here has sent comes from outside, and is put into the mailbox. The mailbox cannot
 * tell: a core may have emptied it before the kick arrives. Several kicks at a time may be one NMI (SDM
 * 3A 6.7.1), and some from outside are then taken for the rest; better than one too many, which would
 * meet Linux where it does not expect any.
 */
extern const char cpu_wait_begin[], cpu_wait_end[], cpu_wait_out[];
extern const char vmx_enter_begin[], vmx_enter_end[], vmx_enter_out[];

void nmi_handler(struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu();

	cpu->nmis++;
	if (__atomic_load_n(&cpu->requests, __ATOMIC_ACQUIRE) & REQ_STOP) {
		if (cpu->vmx_on)
			vmx_off();
		halt_forever();
	}
	if (__atomic_load_n(&cpu->kicks, __ATOMIC_ACQUIRE))
		__atomic_sub_fetch(&cpu->kicks, 1, __ATOMIC_ACQ_REL);
	else
		__atomic_or_fetch(&cpu->requests, REQ_NMI, __ATOMIC_ACQ_REL);
	if (frame->rip >= (uint64_t)cpu_wait_begin && frame->rip < (uint64_t)cpu_wait_end)
		frame->rip = (uint64_t)cpu_wait_out;
	if (frame->rip >= (uint64_t)vmx_enter_begin && frame->rip < (uint64_t)vmx_enter_end)
		frame->rip = (uint64_t)vmx_enter_out;
}
