// SPDX-License-Identifier: MIT
/*
 * Configuration space of a virtual function, as a guest sees it: a type 0 header with both BARs,
 * the identification and memory enable that a bare VF lacks, MSI-X and PCI Express with FLR.
 */
#include "nic/veb/veb.h"

#define CFG_LEN 256

#define PCI_COMMAND    0x04
#define PCI_BAR0       0x10
#define PCI_CAP_PTR    0x34
#define COMMAND_MASK   0x0406u /* memory, bus master, INTx disable */
#define STATUS_CAPLIST (1u << 20)
#define CLASS_REVISION 0x02000001u /* Ethernet, revision 1 */
#define BAR_64BIT      4u
#define CAP_MSIX       0x70
#define CAP_PCIE       0xa0
#define MSIX_TABLE_BAR 3u
#define MSIX_CTRL_MASK 0xc000u
#define DEVCTL_FLR     0x8000u
#define DEVCAP_FLR     (1u << 28)
#define DEVCAP_RBER    (1u << 15)

void veb_cfg_reset(struct veb_vf *f)
{
	f->command = f->msix_ctrl = f->devctl = 0;
	memset(f->bar, 0, sizeof(f->bar));
	memset(f->msix, 0, sizeof(f->msix));
	for (unsigned n = 0; n < VEB_NUM_VECTORS; n++)
		f->msix[n].ctrl = 1;
	f->pba = 0;
}

/* The aligned 32-bit word at `off`. */
static uint32_t word(const struct veb *v, const struct veb_vf *f, uint32_t off)
{
	switch (off) {
	case 0x00:
		return (uint32_t)VEB_DEVICE << 16 | VEB_VENDOR;
	case PCI_COMMAND:
		return STATUS_CAPLIST | f->command;
	case 0x08:
		return CLASS_REVISION;
	case PCI_BAR0 + 0:
	case PCI_BAR0 + 12:
		return f->bar[(off - PCI_BAR0) / 4] | BAR_64BIT;
	case PCI_BAR0 + 4:
	case PCI_BAR0 + 16:
		return f->bar[(off - PCI_BAR0) / 4];
	case 0x2c:
		return (uint32_t)v->subsystem_device << 16 | v->subsystem_vendor;
	case PCI_CAP_PTR:
		return CAP_MSIX;
	case CAP_MSIX:
		return 0x11 | CAP_PCIE << 8 | (VEB_NUM_VECTORS - 1) << 16 |
		       (uint32_t)f->msix_ctrl << 16;
	case CAP_MSIX + 4:
		return MSIX_TABLE_BAR;
	case CAP_MSIX + 8:
		return 0x2000 | MSIX_TABLE_BAR;
	case CAP_PCIE:
		return 0x10 | 2 << 16; /* last capability; version 2, endpoint */
	case CAP_PCIE + 4:
		return DEVCAP_FLR | DEVCAP_RBER;
	case CAP_PCIE + 8:
		return f->devctl;
	default:
		return 0;
	}
}

uint32_t veb_cfg_word(const struct veb *v, const struct veb_vf *f, uint32_t off, uint32_t size)
{
	uint32_t val;

	if (off >= CFG_LEN)
		return 0; /* no extended capabilities */
	val = word(v, f, off & ~3u) >> 8 * (off & 3);
	return size == 4 ? val : val & ((1u << 8 * size) - 1);
}

/* Writes the word at `off`; returns whether a function-level reset was asked for. */
static bool write_word(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val)
{
	switch (off) {
	case PCI_COMMAND:
		f->command = val & COMMAND_MASK;
		veb_msix_unmasked(v, f);
		break;
	case PCI_BAR0 + 0:
	case PCI_BAR0 + 12:
		f->bar[(off - PCI_BAR0) / 4] = val & ~(VEB_BAR_LEN - 1u);
		break;
	case PCI_BAR0 + 4:
	case PCI_BAR0 + 16:
		f->bar[(off - PCI_BAR0) / 4] = val;
		break;
	case CAP_MSIX:
		f->msix_ctrl = val >> 16 & MSIX_CTRL_MASK;
		veb_msix_unmasked(v, f);
		break;
	case CAP_PCIE + 8:
		f->devctl = val & (0xffff & ~DEVCTL_FLR);
		return val & DEVCTL_FLR;
	default:
		break;
	}
	return false;
}

bool veb_cfg_store(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t size, uint32_t val)
{
	uint32_t shift = 8 * (off & 3), mask = size == 4 ? ~0u : ((1u << 8 * size) - 1) << shift;
	uint32_t old;

	if (off >= CFG_LEN)
		return false;
	old = word(v, f, off & ~3u);
	return write_word(v, f, off & ~3u, (old & ~mask) | (val << shift & mask));
}
