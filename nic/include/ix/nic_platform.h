/* SPDX-License-Identifier: MIT
 *
 * What a NIC driver needs from the place it runs in: registers, time, PCI configuration.
 *
 * Registers are on the data path. In the guest and the hypervisor nic_read32() and nic_write32()
 * are one MOV each. With IX_HOST a device may be given functions instead (the device model, a
 * hostile one, a recorder); without them the registers are plain memory there too. Time and PCI
 * configuration are used by the control path only.
 */
#ifndef IX_NIC_PLATFORM_H
#define IX_NIC_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IX_NIC_MAX_BARS 6

struct ix_nic_platform {
	void *ctx;
	uint64_t (*now_us)(void *ctx);                                /* monotonic */
	void (*udelay)(void *ctx, uint32_t us);                       /* waits at least that long */
	uint32_t (*pci_read)(void *ctx, uint32_t off, uint32_t size); /* size 1, 2 or 4 */
	void (*pci_write)(void *ctx, uint32_t off, uint32_t size, uint32_t val);
};

#ifdef IX_HOST
struct ix_nic_mmio {
	uint32_t (*read32)(void *ctx, unsigned bar, uint32_t off);
	void (*write32)(void *ctx, unsigned bar, uint32_t off, uint32_t val);
};
#endif

/* One PCI function, as found by the caller. */
struct ix_nic_dev {
	uint16_t vendor, device;                /* PCI IDs */
	volatile uint8_t *bar[IX_NIC_MAX_BARS]; /* mapped uncached; NULL: absent */
	uint32_t bar_len[IX_NIC_MAX_BARS];      /* bytes */
	const struct ix_nic_platform *platform;
#ifdef IX_HOST
	const struct ix_nic_mmio *mmio; /* NULL: bar[] is memory */
	void *mmio_ctx;
#endif
};

static inline uint32_t nic_bar_read32(const struct ix_nic_dev *d, unsigned bar, uint32_t off)
{
#ifdef IX_HOST
	if (d->mmio)
		return d->mmio->read32(d->mmio_ctx, bar, off);
#endif
	uint32_t val;

	__asm__ volatile("movl %1, %0"
			 : "=r"(val)
			 : "m"(*(volatile uint32_t *)(d->bar[bar] + off)));
	return val;
}

static inline void nic_bar_write32(const struct ix_nic_dev *d, unsigned bar, uint32_t off,
				   uint32_t val)
{
#ifdef IX_HOST
	if (d->mmio) {
		d->mmio->write32(d->mmio_ctx, bar, off, val);
		return;
	}
#endif
	__asm__ volatile("movl %1, %0"
			 : "=m"(*(volatile uint32_t *)(d->bar[bar] + off))
			 : "r"(val)
			 : "memory");
}

/* Registers of BAR0. */
static inline uint32_t nic_read32(const struct ix_nic_dev *d, uint32_t off)
{
	return nic_bar_read32(d, 0, off);
}

static inline void nic_write32(const struct ix_nic_dev *d, uint32_t off, uint32_t val)
{
	nic_bar_write32(d, 0, off, val);
}

/*
 * Stores to write-back memory before, a store to uncached memory after: x86 keeps that order
 * (SDM 3A 9.2.2, 12.3.1), so only the compiler has to be held back.
 */
static inline void nic_wmb(void)
{
	__asm__ volatile("" ::: "memory");
}

#endif
