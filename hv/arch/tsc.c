/* SPDX-License-Identifier: MIT */
#include "hv/arch/tsc.h"

#include "hv/arch/x86.h"

/* ACPI 6.5 4.8.3.3: 3.579545 MHz, at least 24 bits. 8254: 1.193182 MHz. */
#define PM_TIMER_HZ 3579545u
#define PIT_HZ      1193182u
#define PIT_CH2     0x42
#define PIT_MODE    0x43
#define PORT_B      0x61

#define MEASURE_MS 10
#define MAX_POLLS  100000000u

static uint64_t khz;

/* TSC ticks in MEASURE_MS by the PM timer, or 0 when it stands still. */
static uint64_t by_pm_timer(uint16_t port)
{
	uint32_t ticks = PM_TIMER_HZ / 1000 * MEASURE_MS;
	uint32_t start = inl(port) & 0xffffff, now = start;
	uint64_t t0 = rdtsc();

	for (unsigned int i = 0; i < MAX_POLLS; i++) {
		now = inl(port) & 0xffffff;
		if (((now - start) & 0xffffff) >= ticks)
			return (rdtsc() - t0) * ticks / ((now - start) & 0xffffff);
		if (i == 100000 && now == start)
			break;
	}
	return 0;
}

/* The same by channel 2 of the 8254 in mode 0, whose output is bit 5 of port B. */
static uint64_t by_pit(void)
{
	uint16_t count = PIT_HZ / 1000 * MEASURE_MS;
	uint8_t port_b = inb(PORT_B);
	uint64_t t0;

	outb(PORT_B, (port_b & ~0x02) | 0x01); /* gate on, speaker off */
	outb(PIT_MODE, 0xb0);
	outb(PIT_CH2, count & 0xff);
	outb(PIT_CH2, count >> 8);
	t0 = rdtsc();
	for (unsigned int i = 0; i < MAX_POLLS; i++)
		if (inb(PORT_B) & 0x20)
			break;
	outb(PORT_B, port_b);
	return rdtsc() - t0;
}

void tsc_calibrate(uint16_t pm_timer)
{
	uint64_t ticks = pm_timer ? by_pm_timer(pm_timer) : 0;

	if (!ticks)
		ticks = by_pit();
	khz = ticks / MEASURE_MS;
}

uint64_t tsc_khz(void)
{
	return khz;
}

void delay_us(uint64_t us)
{
	uint64_t ticks = us * khz / 1000, begin = rdtsc();

	while (rdtsc() - begin < ticks) /* right over a wrap, too: Linux may write the counter */
		pause();
}
