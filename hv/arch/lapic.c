/* SPDX-License-Identifier: MIT */
#include "hv/arch/lapic.h"

#include "hv/arch/cpu.h"
#include "hv/arch/layout.h"
#include "hv/arch/paging.h"
#include "hv/arch/x86.h"

#define SVR_ENABLE         0x100
#define CPUID_1_ECX_X2APIC BIT(21)

/* Until lapic_map() they are reached through the first page tables. */
static volatile uint8_t *mmio = (volatile uint8_t *)(HV_DIRECT + APIC_DEFAULT_BASE);

void lapic_map(void)
{
	mmio = map_mmio(APIC_DEFAULT_BASE, 0x1000);
}

bool lapic_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD;
}

bool lapic_can_x2apic(void)
{
	return cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC;
}

void lapic_enable_x2apic(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(base & APIC_BASE_EN)) {
		base |= APIC_BASE_EN;
		wrmsr(MSR_APIC_BASE, base);
	}
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
}

/* The one way back is through the disabled state (SDM 3A figure 11-27). An NMI that is lost in it is
 * no loss: the core looks at its mailbox before it sleeps. */
void lapic_leave_x2apic(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_EXTD | APIC_BASE_EN);

	wrmsr(MSR_APIC_BASE, base);
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_EN);
}

uint32_t lapic_read(uint32_t reg)
{
	if (lapic_x2apic())
		return (uint32_t)rdmsr(MSR_X2APIC_BASE + reg / 16);
	return *(volatile uint32_t *)(mmio + reg);
}

void lapic_write(uint32_t reg, uint32_t value)
{
	if (lapic_x2apic())
		wrmsr(MSR_X2APIC_BASE + reg / 16, value);
	else
		*(volatile uint32_t *)(mmio + reg) = value;
}

uint32_t lapic_id(void)
{
	uint32_t id = lapic_read(APIC_ID);

	return lapic_x2apic() ? id : id >> 24;
}

void lapic_ipi(uint32_t apic_id, uint32_t icr_low)
{
	if (lapic_x2apic()) {
		/* x2APIC writes are not ordered behind earlier stores (SDM 11.12.3). */
		asm volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | icr_low);
		return;
	}
	while (lapic_read(APIC_ICR) & APIC_ICR_BUSY)
		pause();
	lapic_write(APIC_ICR_HI, apic_id << 24);
	lapic_write(APIC_ICR, icr_low);
	while (lapic_read(APIC_ICR) & APIC_ICR_BUSY)
		pause();
}

/* Interrupts that are pending, accepted one by one and acknowledged (trap.c). */
static void drain(void)
{
	idt_expect_interrupts(true);
	for (unsigned int n = 0; n < 256; n++) {
		uint32_t pending = 0;

		for (unsigned int i = 0; i < 8; i++)
			pending |= lapic_read(APIC_IRR + 16 * i);
		if (!pending)
			break;
		asm volatile("sti; nop; nop; cli" : : : "memory");
	}
	idt_expect_interrupts(false);
}

void lapic_quiet(void)
{
	static const uint32_t lvt[] = {APIC_TIMER, APIC_PERF,  APIC_LINT0,
				       APIC_LINT1, APIC_ERROR, APIC_THERMAL};

	/* The seventh entry is that of corrected machine checks (SDM 3A 11.4.8, 11.5.1). */
	if ((lapic_read(APIC_VERSION) >> 16 & 0xff) >= 6)
		lapic_write(APIC_CMCI, APIC_LVT_MASKED);
	/* Software-disabled, an APIC keeps what is pending (SDM 3A 11.4.7.2): it is enabled first. */
	lapic_write(APIC_SVR, SVR_ENABLE | 0xff);
	for (unsigned int i = 0; i < sizeof(lvt) / sizeof(lvt[0]); i++)
		lapic_write(lvt[i], APIC_LVT_MASKED);
	lapic_write(APIC_TMICT, 0);
	/* One EOI per vector that can be in service. */
	for (unsigned int i = 0; i < 8; i++) {
		for (unsigned int n = 0; n < 32 && lapic_read(APIC_ISR + 16 * i); n++)
			lapic_write(APIC_EOI, 0);
	}
	lapic_write(APIC_TPR, 0);
	drain();
	lapic_write(APIC_SVR, 0xff);
}
