/* SPDX-License-Identifier: MIT
 * Input: pairs of 8 bytes, port or memory accesses to a filtered configuration space that has a
 * virtual function; what is left over is the configuration space of a real function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/bytes.h"
#include "hv/lib/pci_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct space {
	const uint8_t *data;
	size_t size;
};

static uint32_t space_read(void *ctx, uint16_t offset, uint8_t size)
{
	const struct space *s = ctx;
	uint32_t value = 0;

	if (offset % size || offset + size > PCIE_CONFIG_SIZE)
		abort();
	for (unsigned int i = 0; i < size; i++)
		if (offset + i < s->size)
			value |= (uint32_t)s->data[offset + i] << 8 * i;
	return value;
}

static uint32_t hw_read(void *ctx, const struct pci_access *a)
{
	(void)ctx;
	if (a->bdf == PCI_BDF(0, 3, 0) || a->bdf == PCI_BDF(0, 4, 0))
		abort(); /* hidden or virtual */
	return a->offset;
}

static void hw_write(void *ctx, const struct pci_access *a, uint32_t value)
{
	(void)value;
	hw_read(ctx, a);
}

static void drive_filter(const uint8_t *data, unsigned int n)
{
	static struct pci_virtual v;
	const struct pci_rule rules[] = {
	    {.bdf = PCI_BDF(0, 3, 0), .policy = PCI_HIDDEN},
	    {0, PCI_BDF(0, 4, 0), PCI_VIRTUAL, pci_virtual_read, pci_virtual_write, &v},
	};
	const struct pci_filter filter = {rules, 2, hw_read, hw_write, NULL};
	const struct pci_ids ids = {.vendor = 0x1b36, .device = 1};
	uint64_t base;

	pci_virtual_init(&v, &ids);
	pci_virtual_add_bar(&v, 0, 1 << 20, true, false);
	pci_virtual_add_cap(&v, PCI_CAP_MSI, data, data, 8);
	for (; n--; data += 8) {
		uint32_t address = get_le32(data, 0);
		struct pci_access a;
		bool ok = data[4] & 1
			      ? pci_decode_port(address, 0xcf0 + data[5] % 32, data[6] % 9, &a)
			      : pci_decode_ecam(0, address, data[6] % 9, &a);

		if (!ok)
			continue;
		if (data[4] & 2)
			pci_filter_write(&filter, &a, address * 0x9e3779b9u);
		else if (pci_filter_read(&filter, &a) > pci_all_ones(a.size))
			abort();
	}
	if (pci_virtual_read(&v, 0, 4) != 0x00011b36 ||
	    (pci_virtual_bar(&v, 0, &base) && base % (1 << 20)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct space space;
	struct pci_config config = {space_read, &space, PCIE_CONFIG_SIZE};
	uint32_t original[PCI_BARS], probed[PCI_BARS];
	struct pci_bar bars[PCI_BARS];
	struct pci_sriov sriov;
	struct pci_msix msix;
	uint16_t index;
	uint8_t cap;

	if (size < 64)
		return 0;
	drive_filter(data, 8);
	space = (struct space){data + 64, size - 64};
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		original[i] = space_read(&space, 0x10 + 4 * i, 4);
		probed[i] = space_read(&space, 0xe0 + 4 * i, 4);
	}
	if (!pci_parse_bars(original, probed, bars)) {
		for (unsigned int i = 0; i < PCI_BARS; i++)
			if (bars[i].size && bars[i].base % bars[i].size)
				abort();
		if (!pci_parse_msix(&config, bars, &msix) && msix.cap &&
		    msix.table_offset + msix.count * 16ull > bars[msix.table_bar].size)
			abort();
	}
	pci_parse_reset(&config, &cap);
	if (!pci_parse_sriov(&config, &sriov) && pci_sriov_has(&sriov, 0x300, 0x300, &index))
		abort();
	return 0;
}
