/* SPDX-License-Identifier: MIT */
#include "hv/lib/pci.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define ADDRESS_ENABLE (1u << 31)

/* Header, PCI 3.0 chapter 6 */
#define PCI_STATUS         0x06
#define PCI_STATUS_CAPS    (1u << 4)
#define PCI_CAP_POINTER    0x34
#define PCI_FIRST_CAP      0x40
#define PCIE_FIRST_EXT_CAP 0x100

#define SRIOV_SIZE 0x40
#define SRIOV_ON   9u /* VF Enable, VF MSE */

#define BAR_IO       1u
#define BAR_TYPE     6u
#define BAR_TYPE_64  4u
#define BAR_PREFETCH 8u

static bool is_one_register(uint32_t offset, uint8_t size)
{
	return (size == 1 || size == 2 || size == 4) && offset % 4 + size <= 4;
}

bool pci_decode_port(uint32_t address, uint16_t port, uint8_t size, struct pci_access *access)
{
	uint32_t byte = port - PCI_PORT_DATA;

	if (!(address & ADDRESS_ENABLE) || byte > 3 || !is_one_register(byte, size))
		return false;
	*access = (struct pci_access){
	    .bdf = address >> 8,
	    .offset = (address & 0xfc) | byte,
	    .size = size,
	};
	return true;
}

bool pci_decode_ecam(uint16_t segment, uint64_t offset, uint8_t size, struct pci_access *access)
{
	if (offset >> 28 || !is_one_register(offset & 3, size))
		return false;
	*access = (struct pci_access){
	    .segment = segment,
	    .bdf = offset >> 12,
	    .offset = offset & 0xfff,
	    .size = size,
	};
	return true;
}

uint32_t pci_all_ones(uint8_t size)
{
	return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
}

/* The size of a BAR is its lowest writable address bit. */
static int parse_bar(uint64_t original, uint64_t probed, uint64_t flags, struct pci_bar *bar)
{
	uint64_t mask = probed & ~flags;

	bar->base = original & ~flags;
	bar->size = mask & -mask;
	/* All bits above must be writable, and the base a multiple of the size. */
	if (mask + bar->size || !is_aligned(bar->base, bar->size))
		return -EBADMSG;
	return 0;
}

int pci_parse_bars(const uint32_t original[PCI_BARS], const uint32_t probed[PCI_BARS],
		   struct pci_bar bars[PCI_BARS])
{
	memset(bars, 0, PCI_BARS * sizeof(*bars));
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const uint64_t high = 0xffffffff00000000;
		uint64_t o = original[i], p = probed[i];
		struct pci_bar *bar = &bars[i];
		int error;

		if (!p) /* not implemented */
			continue;
		bar->io = p & BAR_IO;
		if (bar->io) {
			/* A device may have 16 address bits only: PCI 3.0, 6.2.5.1 */
			if (!(p >> 16))
				p |= 0xffff0000;
			error = parse_bar(o, p | high, 3, bar);
		} else {
			bar->prefetch = p & BAR_PREFETCH;
			bar->is_64 = (p & BAR_TYPE) == BAR_TYPE_64;
			if (bar->is_64 && i == PCI_BARS - 1)
				return -EBADMSG;
			if (bar->is_64) {
				o |= (uint64_t)original[i + 1] << 32;
				p |= (uint64_t)probed[i + 1] << 32;
				i++;
			} else {
				p |= high;
			}
			error = parse_bar(o, p, 15, bar);
		}
		if (error)
			return error;
	}
	return 0;
}

uint8_t pci_find_cap(const struct pci_config *config, enum pci_cap id)
{
	uint8_t at;

	if (!(config->read(config->ctx, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	at = config->read(config->ctx, PCI_CAP_POINTER, 1) & ~3u;
	/* Capabilities do not overlap: a longer list has a loop in it. */
	for (int steps = 0; at >= PCI_FIRST_CAP && steps < (PCI_CONFIG_SIZE - PCI_FIRST_CAP) / 4;
	     steps++) {
		uint32_t header = config->read(config->ctx, at, 2);

		if ((header & 0xff) == 0xff) /* the device is gone */
			return 0;
		if ((header & 0xff) == id)
			return at;
		at = header >> 8 & ~3u;
	}
	return 0;
}

uint16_t pci_find_ext_cap(const struct pci_config *config, enum pci_ext_cap id)
{
	uint16_t at = PCIE_FIRST_EXT_CAP;

	if (config->config_size < PCIE_CONFIG_SIZE)
		return 0;
	for (int steps = 0;
	     at >= PCIE_FIRST_EXT_CAP && steps < (PCIE_CONFIG_SIZE - PCIE_FIRST_EXT_CAP) / 4;
	     steps++) {
		uint32_t header = config->read(config->ctx, at, 4);

		if (!header || header == UINT32_MAX)
			return 0;
		if ((header & 0xffff) == id)
			return at;
		at = header >> 20 & ~3u; /* PCIe 6.0, 7.6.3 */
	}
	return 0;
}

/* A capability's field, if it lies within the first 256 bytes. */
static bool cap_fits(uint8_t cap, uint32_t size)
{
	return cap && cap + size <= PCI_CONFIG_SIZE;
}

static bool in_bar(const struct pci_bar bars[PCI_BARS], uint8_t bar, uint32_t offset, uint64_t size)
{
	return bar < PCI_BARS && !bars[bar].io && range_contains(0, bars[bar].size, offset, size);
}

int pci_parse_msix(const struct pci_config *config, const struct pci_bar bars[PCI_BARS],
		   struct pci_msix *msix)
{
	uint32_t table, pba;

	memset(msix, 0, sizeof(*msix));
	msix->cap = pci_find_cap(config, PCI_CAP_MSIX);
	if (!msix->cap)
		return 0;
	if (!cap_fits(msix->cap, 12))
		return -EBADMSG;
	/* PCIe 6.0, 7.7.2 */
	msix->count = (config->read(config->ctx, msix->cap + 2, 2) & 0x7ff) + 1;
	table = config->read(config->ctx, msix->cap + 4, 4);
	pba = config->read(config->ctx, msix->cap + 8, 4);
	msix->table_bar = table & 7;
	msix->table_offset = table & ~7u;
	msix->pba_bar = pba & 7;
	msix->pba_offset = pba & ~7u;
	if (!in_bar(bars, msix->table_bar, msix->table_offset, msix->count * 16ull) ||
	    !in_bar(bars, msix->pba_bar, msix->pba_offset, (msix->count + 63) / 64 * 8ull))
		return -EBADMSG;
	return 0;
}

int pci_parse_sriov(const struct pci_config *config, struct pci_sriov *s)
{
	memset(s, 0, sizeof(*s));
	s->cap = pci_find_ext_cap(config, PCI_EXT_CAP_SRIOV);
	if (!s->cap)
		return 0;
	if (s->cap + SRIOV_SIZE > PCIE_CONFIG_SIZE)
		return -EBADMSG;
	/* PCIe 6.0 9.3.3 */
	if ((config->read(config->ctx, s->cap + 8, 2) & SRIOV_ON) == SRIOV_ON)
		s->count = config->read(config->ctx, s->cap + 0x10, 2);
	s->first = config->read(config->ctx, s->cap + 0x14, 2);
	s->stride = config->read(config->ctx, s->cap + 0x16, 2);
	s->device = config->read(config->ctx, s->cap + 0x1a, 2);
	return (s->count && !s->first) || (s->count > 1 && !s->stride) ? -EBADMSG : 0;
}

bool pci_sriov_has(const struct pci_sriov *s, uint16_t pf, uint16_t bdf, uint16_t *index)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (pf + s->first + i * s->stride == bdf) {
			*index = i;
			return true;
		}
	return false;
}

void pci_sriov_bars(uint16_t index, const struct pci_bar all[PCI_BARS],
		    struct pci_bar bars[PCI_BARS])
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		bars[i] = all[i];
		bars[i].base += index * all[i].size;
	}
}

enum pci_reset pci_parse_reset(const struct pci_config *config, uint8_t *cap)
{
	*cap = pci_find_cap(config, PCI_CAP_PCIE);
	if (cap_fits(*cap, 12) && config->read(config->ctx, *cap + 4, 4) & 1u << 28)
		return PCI_RESET_FLR;
	/* Advanced Features: transactions pending and FLR must both be there */
	*cap = pci_find_cap(config, PCI_CAP_AF);
	if (cap_fits(*cap, 6) && (config->read(config->ctx, *cap + 3, 1) & 3) == 3)
		return PCI_RESET_AF_FLR;
	/* D3hot to D0 resets unless No_Soft_Reset is set */
	*cap = pci_find_cap(config, PCI_CAP_PM);
	if (cap_fits(*cap, 6) && !(config->read(config->ctx, *cap + 4, 2) & 1u << 3))
		return PCI_RESET_PM;
	*cap = 0;
	return PCI_RESET_NONE;
}
