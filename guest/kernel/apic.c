/* SPDX-License-Identifier: MIT
 *
 * Local APIC (SDM 3A chapter 11), in x2APIC mode or through its page.
 */
#include <ix/bootinfo.h>

#include "guest/kernel/apic.h"
#include "guest/kernel/console.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"

#define APIC_PA 0xfee00000

#define APIC_EOI        0xb0
#define APIC_SVR        0xf0
#define APIC_ISR        0x100
#define APIC_ICR        0x300
#define APIC_ICR2       0x310
#define APIC_LVT_TIMER  0x320
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_CUR  0x390
#define APIC_TIMER_DIV  0x3e0

#define SVR_ENABLE   0x100
#define LVT_MASKED   0x10000
#define LVT_DEADLINE 0x40000
#define DIVIDE_BY_1  0xb
#define ICR_BUSY     0x1000
#define ICR_ASSERT   0x4000
#define CALIBRATE_MS 10

uint64_t tsc_khz __ro_after_init;
uint64_t tsc_ns_scale __ro_after_init, ns_tsc_scale __ro_after_init;
static uint64_t timer_khz __ro_after_init;
static bool x2apic __ro_after_init;
static bool deadline __ro_after_init;
static volatile uint8_t *regs __ro_after_init;

static uint32_t apic_read(unsigned reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4))
		      : *(volatile uint32_t *)(regs + reg);
}

static void apic_write(unsigned reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), v);
	else
		*(volatile uint32_t *)(regs + reg) = v;
}

/* Input clock of the timer, against the TSC. */
static uint64_t calibrate(void)
{
	apic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
	apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	apic_write(APIC_TIMER_INIT, UINT32_MAX);
	uint64_t end = rdtsc() + tsc_khz * CALIBRATE_MS;

	while (rdtsc() < end)
		cpu_pause();
	uint64_t n = UINT32_MAX - apic_read(APIC_TIMER_CUR);

	apic_write(APIC_TIMER_INIT, 0);
	return n / CALIBRATE_MS;
}

void apic_setup(const struct ix_bootinfo *bi)
{
	tsc_khz = bi->tsc_khz;
	if (tsc_khz < 1000 || tsc_khz > UINT32_MAX)
		panic("the boot page does not tell the TSC's frequency");
	tsc_ns_scale = (1000000ull << 32) / tsc_khz;
	ns_tsc_scale = (tsc_khz << 32) / 1000000;
	x2apic = bi->flags & IX_BOOT_X2APIC;
	if (!x2apic) {
		regs = map_mmio(APIC_PA, SMALL_PAGE);
		if (!regs)
			panic("not enough memory");
	}
	deadline = cpu_features.tsc_deadline;
	if (!deadline) {
		timer_khz = bi->apic_timer_hz ? bi->apic_timer_hz / 1000 : calibrate();
		if (timer_khz == 0)
			panic("the local APIC's timer does not run");
	}
}

void apic_init(void)
{
	apic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
	apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, (deadline ? LVT_DEADLINE : 0) | VEC_TIMER);
	/* In xAPIC mode nothing else orders the write above and the first of the deadline (SDM 3A
	 * 11.5.4.1). */
	__asm__ volatile("mfence" ::: "memory");
	timer_at(0);
}

void timer_at(uint64_t tsc)
{
	if (deadline) {
		wrmsr(MSR_TSC_DEADLINE, tsc);
		return;
	}
	uint64_t now = rdtsc(), ticks = 0;

	if (tsc) {
		/* Far-off times are cut short: the handler finds it early and sets it again. */
		uint64_t ahead = tsc > now ? tsc - now : 0, most = tsc_khz * 1000;

		ticks = (ahead < most ? ahead : most) * timer_khz / tsc_khz + 1;
		if (ticks > UINT32_MAX)
			ticks = UINT32_MAX;
	}
	apic_write(APIC_TIMER_INIT, (uint32_t)ticks);
}

void apic_kick(const struct cpu *c)
{
	if (x2apic) {
		__asm__ volatile("mfence; lfence" ::: "memory"); /* SDM 3A 11.12.3 */
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4),
		      (uint64_t)c->apic_id << 32 | ICR_ASSERT | VEC_KICK);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_BUSY)
		cpu_pause();
	apic_write(APIC_ICR2, c->apic_id << 24);
	apic_write(APIC_ICR, ICR_ASSERT | VEC_KICK);
}

static bool in_service(unsigned vector)
{
	return apic_read(APIC_ISR + (vector >> 5 << 4)) >> (vector & 31) & 1;
}

bool interrupt_in_disguise(uint64_t vector)
{
	return vector >= 16 && in_service((unsigned)vector);
}

void interrupt(struct regs *r)
{
	struct cpu *c = this_cpu();

	switch (r->vector) {
	case VEC_TIMER:
		c->irq_timer++;
		apic_write(APIC_EOI, 0);
		process_tick(c, r);
		return;
	case VEC_KICK:
		c->irq_kick++;
		break;
	case VEC_NIC:
		c->irq_nic++;
		break;
	case VEC_SPURIOUS:
		c->irq_spurious++;
		break;
	default:
		c->irq_unexpected++;
	}
	/*
	 * What nobody expects is somebody else's, aimed at our core by mistake: acknowledged, counted,
	 * ignored. The APIC's own spurious interrupt takes no EOI (SDM 3A 11.9), a device's with the same
	 * vector does.
	 */
	if (!in_service((unsigned)r->vector))
		return;
	apic_write(APIC_EOI, 0);
}
