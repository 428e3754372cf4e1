/* SPDX-License-Identifier: MIT
 *
 * PCI configuration space without the hardware: decoding accesses to it, reading headers.
 */
#ifndef HV_LIB_PCI_H
#define HV_LIB_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_CONFIG_SIZE  256
#define PCIE_CONFIG_SIZE 4096
#define PCI_BARS         6

#define PCI_PORT_ADDRESS 0xcf8
#define PCI_PORT_DATA    0xcfc

#define PCI_BDF(bus, device, function) ((uint16_t)((bus) << 8 | (device) << 3 | (function)))

/* One access to the configuration space of one function. */
struct pci_access {
	uint16_t segment;
	uint16_t bdf;    /* bus << 8 | device << 3 | function */
	uint16_t offset; /* 0 to 4095 */
	uint8_t size;    /* 1, 2 or 4; never crosses a multiple of 4 */
};

/*
 * An access of `size` bytes to ports 0xcfc to 0xcff with `address` in 0xcf8 (PCI 3.0, 3.2.2.3.2).
 * False when it reaches no configuration space: not enabled, or it goes beyond 0xcff.
 */
bool pci_decode_port(uint32_t address, uint16_t port, uint8_t size, struct pci_access *access);

/*
 * An access of `size` bytes at `offset` from the base of a memory-mapped window, which is that of bus
 * 0 (PCIe 6.0, 7.2.2). False when it is not 1, 2 or 4 bytes within an aligned 4.
 */
bool pci_decode_ecam(uint16_t segment, uint64_t offset, uint8_t size, struct pci_access *access);

/* What a read returns where there is nothing. */
uint32_t pci_all_ones(uint8_t size);

/* How headers and capabilities are read: offset + size <= config_size, naturally aligned. */
struct pci_config {
	uint32_t (*read)(void *ctx, uint16_t offset, uint8_t size);
	void *ctx;
	uint16_t config_size; /* PCI_CONFIG_SIZE or PCIE_CONFIG_SIZE */
};

struct pci_bar {
	uint64_t base;
	uint64_t size; /* power of two; 0: absent, or the upper half of the BAR before */
	bool io;
	bool is_64;
	bool prefetch;
};

/*
 * Makes sense of the BARs of a header of type 0: what they held, and what they read after all ones
 * were written. Returns 0, or -EBADMSG when the device answers nonsense.
 */
int pci_parse_bars(const uint32_t original[PCI_BARS], const uint32_t probed[PCI_BARS],
		   struct pci_bar bars[PCI_BARS]);

enum pci_cap {
	PCI_CAP_PM = 0x01,
	PCI_CAP_MSI = 0x05,
	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_PCIE = 0x10,
	PCI_CAP_MSIX = 0x11,
	PCI_CAP_AF = 0x13,
};

enum pci_ext_cap {
	PCI_EXT_CAP_ACS = 0x0d,
	PCI_EXT_CAP_ARI = 0x0e,
	PCI_EXT_CAP_ATS = 0x0f,
	PCI_EXT_CAP_SRIOV = 0x10,
};

/* Offset of a capability, or 0. A list that loops or leaves its area ends there. */
uint8_t pci_find_cap(const struct pci_config *config, enum pci_cap id);
uint16_t pci_find_ext_cap(const struct pci_config *config, enum pci_ext_cap id);

struct pci_msix {
	uint8_t cap; /* offset; 0: the function has none, the rest is void */
	uint16_t count;
	uint8_t table_bar, pba_bar;
	uint32_t table_offset, pba_offset;
};

/* Returns 0 or -EBADMSG: table or pending bits are not within their BARs. */
int pci_parse_msix(const struct pci_config *config, const struct pci_bar bars[PCI_BARS],
		   struct pci_msix *msix);

/*
 * Virtual functions (PCIe 6.0 chapter 9). They have no IDs and no BARs of their own: both are in a
 * capability of the physical function.
 */
struct pci_sriov {
	uint16_t cap;           /* offset; 0: the function has none, the rest is void */
	uint16_t count;         /* virtual functions that are there and answer now */
	uint16_t first, stride; /* of their routing IDs, from that of the physical function on */
	uint16_t device;        /* their device ID; the vendor is the physical function's */
};

#define PCI_SRIOV_BAR0 0x24 /* of all virtual functions, in the capability */

/* Returns 0 or -EBADMSG. */
int pci_parse_sriov(const struct pci_config *config, struct pci_sriov *sriov);

/* Whether `bdf` is a virtual function of the physical function `pf`, and which. */
bool pci_sriov_has(const struct pci_sriov *sriov, uint16_t pf, uint16_t bdf, uint16_t *index);

/* The BARs of one virtual function, from those in the capability, which lie one after the other. */
void pci_sriov_bars(uint16_t index, const struct pci_bar all[PCI_BARS],
		    struct pci_bar bars[PCI_BARS]);

/* How a function can be reset on its own. */
enum pci_reset {
	PCI_RESET_NONE,
	PCI_RESET_FLR,    /* bit 15 of Device Control at cap + 8 */
	PCI_RESET_AF_FLR, /* bit 0 of AF Control at cap + 4 */
	PCI_RESET_PM,     /* D3hot and back: cap + 4 */
};

enum pci_reset pci_parse_reset(const struct pci_config *config, uint8_t *cap);

#endif
