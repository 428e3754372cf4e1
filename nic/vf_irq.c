// SPDX-License-Identifier: MIT
/* MSI-X of the 82599 VF: vectors 0 and 1 for queues. The mailbox has none, it is polled. */
#include "nic/nic_priv.h"
#include "nic/vf_regs.h"

#define PCI_CAP_POINTER  0x34
#define PCI_CAP_MSIX     0x11
#define PCI_MSIX_CONTROL 2
#define PCI_MSIX_ENABLE  0x8000u
#define PCI_MSIX_MASKALL 0x4000u
#define MAX_CAPS         48 /* 192 bytes of 4: a list that is longer loops */

static uint32_t pci_read(const struct ix_nic_dev *d, uint32_t off, uint32_t size)
{
	return d->platform->pci_read(d->platform->ctx, off, size);
}

static uint32_t find_msix(const struct ix_nic_dev *d)
{
	uint32_t off = pci_read(d, PCI_CAP_POINTER, 1) & 0xfc;

	for (unsigned i = 0; off >= 0x40 && i < MAX_CAPS; i++) {
		if (pci_read(d, off, 1) == PCI_CAP_MSIX)
			return off;
		off = pci_read(d, off + 1, 1) & 0xfc;
	}
	return 0;
}

int vf_irq_setup(struct ix_nic_queue *q, uint64_t addr, uint32_t data)
{
	const struct ix_nic_dev *d = q->dev;
	uint32_t cap = find_msix(d), vector = q->index & 1, shift, ivar;

	if (!cap)
		return -EOPNOTSUPP;
	nic_bar_write32(d, 3, 16 * vector + 12, 1); /* masked while it changes */
	nic_bar_write32(d, 3, 16 * vector + 0, (uint32_t)addr);
	nic_bar_write32(d, 3, 16 * vector + 4, addr >> 32);
	nic_bar_write32(d, 3, 16 * vector + 8, data);
	nic_bar_write32(d, 3, 16 * vector + 12, 0);
	d->platform->pci_write(d->platform->ctx, cap + PCI_MSIX_CONTROL, 2,
			       (pci_read(d, cap + PCI_MSIX_CONTROL, 2) | PCI_MSIX_ENABLE) &
				   ~PCI_MSIX_MASKALL);

	shift = 16 * (q->index & 1);
	ivar = nic_read32(d, VF_IVAR(q->index / 2)) & ~(0xffu << shift);
	nic_write32(d, VF_IVAR(q->index / 2), ivar | (VF_IVAR_VALID | vector) << shift);
	q->irq_vector = vector;
	q->irq_on = true;
	return 0;
}
