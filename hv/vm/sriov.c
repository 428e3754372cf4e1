/* SPDX-License-Identifier: MIT */
#include "hv/vm/sriov.h"

#include "hv/console.h"
#include "hv/vm/pci.h"

#define PF_MAX    32
#define PCI_ID    0
#define CONTROL   8 /* in the capability, PCIe 6.0 9.3.3.3 */
#define VF_ENABLE 1u
#define VF_MEMORY 8u

struct pf {
	uint16_t segment, bdf;
	uint32_t
	    probed[PCI_BARS]; /* what the BARs in its capability read after ones were written */
};

static struct pf pfs[PF_MAX];
static uint32_t npfs;

static uint32_t config_read(void *ctx, uint16_t offset, uint8_t size)
{
	const struct pf *pf = ctx;

	return pci_read(pf->segment, pf->bdf, offset, size);
}

static bool capability(struct pf *pf, struct pci_sriov *s)
{
	const struct pci_config config = {config_read, pf, PCIE_CONFIG_SIZE};

	return !pci_parse_sriov(&config, s) && s->cap;
}

static bool add_pf(void *ctx, uint16_t segment, uint16_t bdf)
{
	struct pf *pf = &pfs[npfs];
	struct pci_sriov s;
	uint16_t control;

	(void)ctx;
	*pf = (struct pf){.segment = segment, .bdf = bdf};
	if (!capability(pf, &s))
		return true;
	control = (uint16_t)pci_read(segment, bdf, s.cap + CONTROL, 2);
	if (control & (VF_ENABLE | VF_MEMORY)) {
		log_warn(
		    "PCI %02x:%02x.%u: firmware has virtual functions on; they cannot be given "
		    "to dataplanes",
		    bdf >> 8, bdf >> 3 & 31, bdf & 7);
		return true;
	}
	for (uint16_t i = 0; i < PCI_BARS; i++) {
		uint16_t at = s.cap + PCI_SRIOV_BAR0 + 4 * i;
		uint32_t original = pci_read(segment, bdf, at, 4);

		pci_write(segment, bdf, at, 4, 0xffffffff);
		pf->probed[i] = pci_read(segment, bdf, at, 4);
		pci_write(segment, bdf, at, 4, original);
	}
	log_debug("PCI %02x:%02x.%u: has virtual functions", bdf >> 8, bdf >> 3 & 31, bdf & 7);
	return ++npfs < PF_MAX;
}

void sriov_init(void)
{
	/* The capability lies where only memory-mapped accesses reach. */
	if (pci_has_windows())
		pci_each(add_pf, NULL);
}

static bool find_bars(const struct pf *pf, const struct pci_sriov *s, uint16_t index,
		      struct pci_bar bar[PCI_BARS])
{
	uint32_t original[PCI_BARS];
	struct pci_bar all[PCI_BARS];

	for (uint16_t i = 0; i < PCI_BARS; i++)
		original[i] = pci_read(pf->segment, pf->bdf, s->cap + PCI_SRIOV_BAR0 + 4 * i, 4);
	if (pci_parse_bars(original, pf->probed, all))
		return false;
	pci_sriov_bars(index, all, bar);
	return true;
}

bool sriov_find(uint16_t segment, uint16_t bdf, struct sriov_vf *vf)
{
	for (uint32_t i = 0; i < npfs; i++) {
		struct pci_sriov s;
		uint16_t index;

		if (pfs[i].segment != segment || !capability(&pfs[i], &s) ||
		    !pci_sriov_has(&s, pfs[i].bdf, bdf, &index))
			continue;
		vf->vendor = (uint16_t)pci_read(segment, pfs[i].bdf, PCI_ID, 2);
		vf->device = s.device;
		return find_bars(&pfs[i], &s, index, vf->bar);
	}
	return false;
}

bool sriov_each(bool (*f)(void *ctx, uint16_t segment, uint16_t bdf), void *ctx)
{
	for (uint32_t i = 0; i < npfs; i++) {
		struct pci_sriov s;

		if (!capability(&pfs[i], &s))
			continue;
		for (uint32_t n = 0; n < s.count; n++) {
			uint32_t bdf = pfs[i].bdf + s.first + n * s.stride;

			if (bdf <= UINT16_MAX && !f(ctx, pfs[i].segment, (uint16_t)bdf))
				return false;
		}
	}
	return true;
}
