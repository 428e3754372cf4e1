/* SPDX-License-Identifier: MIT
 *
 * Which functions a guest sees in PCI configuration space, and the hypervisor's own functions.
 */
#ifndef HV_LIB_PCI_FILTER_H
#define HV_LIB_PCI_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/pci.h"

enum pci_policy {
	PCI_PASS,
	PCI_HIDDEN,  /* reads as absent, writes are dropped */
	PCI_VIRTUAL, /* the hypervisor's */
};

struct pci_rule {
	uint16_t segment;
	uint16_t bdf;
	enum pci_policy policy;
	/* For PCI_VIRTUAL; the access never crosses a multiple of 4. */
	uint32_t (*read)(void *ctx, uint16_t offset, uint8_t size);
	void (*write)(void *ctx, uint16_t offset, uint8_t size, uint32_t value);
	void *ctx;
};

struct pci_filter {
	const struct pci_rule *rules; /* functions without a rule pass */
	uint32_t count;
	/* The real configuration space. */
	uint32_t (*read)(void *ctx, const struct pci_access *access);
	void (*write)(void *ctx, const struct pci_access *access, uint32_t value);
	void *ctx;
};

enum pci_policy pci_policy(const struct pci_filter *filter, uint16_t segment, uint16_t bdf);
uint32_t pci_filter_read(const struct pci_filter *filter, const struct pci_access *access);
void pci_filter_write(const struct pci_filter *filter, const struct pci_access *access,
		      uint32_t value);

/*
 * Configuration space of a virtual function: its content, and which bits can be written. A BAR is
 * sized by the guest in the usual way, since the bits below its size do not take writes.
 */
struct pci_virtual {
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];
	uint64_t bar_size[PCI_BARS];
	uint8_t last_cap; /* offset of the last capability, 0: none yet */
	uint8_t end;      /* of the last capability */
	/* Called after a write that may have moved or switched a BAR or capability; or NULL. */
	void (*changed)(void *ctx, uint16_t offset, uint8_t size);
	void *ctx;
};

struct pci_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	uint8_t interrupt_pin; /* 1 to 4 are INTA to INTD, 0: none */
};

void pci_virtual_init(struct pci_virtual *v, const struct pci_ids *ids);

/* A memory BAR of `size` bytes, a power of two from 16; a 64-bit one takes two. Returns 0, -EINVAL. */
int pci_virtual_add_bar(struct pci_virtual *v, unsigned int n, uint64_t size, bool is_64,
			bool prefetch);

/*
 * Appends a capability of `length` bytes: `body` and `writable` describe those after ID and next
 * pointer. Returns its offset, or -ENOSPC, -EINVAL (length).
 */
int pci_virtual_add_cap(struct pci_virtual *v, uint8_t id, const uint8_t *body,
			const uint8_t *writable, uint8_t length);

/* The callbacks of a rule; ctx is the pci_virtual. Beyond 256 bytes there is nothing. */
uint32_t pci_virtual_read(void *ctx, uint16_t offset, uint8_t size);
void pci_virtual_write(void *ctx, uint16_t offset, uint8_t size, uint32_t value);

/* Where the guest put a BAR; false while memory decoding is off or for an absent BAR. */
bool pci_virtual_bar(const struct pci_virtual *v, unsigned int n, uint64_t *base);

#endif
