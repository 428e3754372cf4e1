/* SPDX-License-Identifier: MIT
 *
 * The test shim's part in C: what the hypervisor and ixcpd find out about the machine.
 */
#include <ix/bootinfo.h>

#include "tests/guest-boot/shim.h"

extern struct shim_params shim_params;
extern uint64_t pml4[512];
extern uint8_t ap_start[];
extern const uint32_t ap_size;

void shim_main(void);
unsigned shim_ap(void);

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline void cpuid(uint32_t leaf, uint32_t *b, uint32_t *c)
{
	uint32_t a = leaf, d;

	*c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(*b), "+c"(*c), "=d"(d));
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static uint32_t pci_read(uint16_t bdf, unsigned off)
{
	out32(0xcf8, 0x80000000u | (uint32_t)bdf << 8 | (off & 0xfc));
	return in32(0xcfc);
}

static void pci_write(uint16_t bdf, unsigned off, uint32_t v)
{
	out32(0xcf8, 0x80000000u | (uint32_t)bdf << 8 | (off & 0xfc));
	out32(0xcfc, v);
}

/* Fills in address and BARs of a function whose IDs mkguestimg has written; the firmware has set the BARs. */
static int find_device(struct ix_device *d)
{
	for (uint16_t bdf = 0; bdf < 256; bdf++) {
		if (pci_read(bdf, 0) != ((uint32_t)d->device << 16 | d->vendor))
			continue;
		d->bdf = bdf;
		for (unsigned i = 0; i < IX_MAX_BARS; i++) {
			uint32_t bar = pci_read(bdf, 0x10 + 4 * i);

			if (!bar || (bar & 1))
				continue;
			pci_write(bdf, 0x10 + 4 * i, ~0u);
			uint32_t size = ~(pci_read(bdf, 0x10 + 4 * i) & ~15u) + 1;

			pci_write(bdf, 0x10 + 4 * i, bar);
			d->bar[i].base = bar & ~15u;
			d->bar[i].size = size;
			d->bar[i].flags = IX_BAR_PRESENT;
			if ((bar & 6) == 4)
				i++; /* below 4 GB here; the upper half is zero */
		}
		pci_write(bdf, 4, (pci_read(bdf, 4) & 0xffff) | 6); /* memory, bus master */
		return 1;
	}
	return 0;
}

/* TSC frequency, by channel 2 of the 8254 over 20 ms. */
static uint64_t tsc_khz(void)
{
	const unsigned count = 1193182 / 50;

	out8(0x61, (in8(0x61) & ~2u) | 1);
	out8(0x43, 0xb0); /* channel 2, both bytes, mode 0 */
	out8(0x42, count & 0xff);
	out8(0x42, count >> 8);
	uint64_t start = rdtsc();

	while (!(in8(0x61) & 0x20))
		;
	return (rdtsc() - start) / 20;
}

static int x2apic(void)
{
	uint32_t b, c;

	cpuid(1, &b, &c);
	return c >> 21 & 1;
}

static void apic_write(unsigned reg, uint32_t v)
{
	if (x2apic())
		wrmsr(0x800 + (reg >> 4), v);
	else
		*(volatile uint32_t *)(uintptr_t)(0xfee00000 + reg) = v;
}

static void apic_ipi(uint32_t to, uint32_t what)
{
	if (x2apic()) {
		wrmsr(0x830, (uint64_t)to << 32 | what);
		return;
	}
	apic_write(0x310, to << 24);
	apic_write(0x300, what);
}

static uint32_t apic_id(void)
{
	return x2apic() ? (uint32_t)rdmsr(0x802)
			: *(volatile uint32_t *)(uintptr_t)0xfee00020 >> 24;
}

/* The state that bootinfo.h promises: x2APIC where there is one, all local vectors masked. */
static void apic_prepare(void)
{
	if (x2apic())
		wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
	for (unsigned reg = 0x320; reg <= 0x370; reg += 0x10)
		apic_write(reg, 0x10000);
	apic_write(0xf0, 0xff);
}

static void delay_ms(const struct ix_bootinfo *bi, unsigned ms)
{
	uint64_t end = rdtsc() + bi->tsc_khz * ms;

	while (rdtsc() < end)
		__asm__ volatile("pause");
}

static struct ix_bootinfo *bootinfo(void)
{
	return (void *)(uintptr_t)shim_params.bootinfo;
}

/* A device gone wild: the 8254 through the I/O APIC's pin 2, with a vector of the test's choice. */
static void start_storm(uint32_t vector)
{
	volatile uint32_t *ioapic = (volatile uint32_t *)(uintptr_t)0xfec00000;
	const unsigned count = 1193;

	out8(0x43, 0x34); /* channel 0, both bytes, mode 2 */
	out8(0x40, count & 0xff);
	out8(0x40, count >> 8);
	ioapic[0] = 0x10 + 2 * 2 + 1;
	ioapic[4] = bootinfo()->apic_id[0] << 24;
	ioapic[0] = 0x10 + 2 * 2;
	ioapic[4] = vector; /* fixed, edge */
}

static volatile unsigned started;

void shim_main(void)
{
	struct ix_bootinfo *bi = bootinfo();
	unsigned n = 0;

	out8(0x3fb, 3); /* COM1: 8 bits, no parity */
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	for (unsigned i = 0; i < bi->ndevices; i++)
		if (find_device(&bi->device[i]))
			bi->device[n++] = bi->device[i];
	bi->ndevices = n;
	bi->tsc_khz = tsc_khz();
	if (x2apic())
		bi->flags |= IX_BOOT_X2APIC;
	apic_prepare();
	((uint64_t *)(uintptr_t)shim_params.cr3)[0] = pml4[0];

	if (shim_params.storm)
		start_storm((uint32_t)shim_params.storm);

	for (unsigned i = 0; i < ap_size; i++)
		((volatile uint8_t *)(uintptr_t)SHIM_AP)[i] = ap_start[i];
	for (unsigned i = 1; i < bi->ncores; i++) {
		apic_write(0xf0, 0x1ff);
		apic_ipi(bi->apic_id[i], 0xc500); /* INIT */
		delay_ms(bi, 10);
		apic_ipi(bi->apic_id[i], 0x600 | SHIM_AP >> 12);
		while (started < i)
			__asm__ volatile("pause");
		apic_write(0xf0, 0xff);
	}
}

unsigned shim_ap(void)
{
	const struct ix_bootinfo *bi = bootinfo();
	unsigned i = 1;

	apic_prepare();
	while (i < bi->ncores - 1 && bi->apic_id[i] != apic_id())
		i++;
	__sync_fetch_and_add(&started, 1);
	return i;
}
