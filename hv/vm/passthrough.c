/* SPDX-License-Identifier: MIT */
#include "hv/vm/passthrough.h"

#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/vm/dma.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/pci.h"
#include "hv/vm/sriov.h"
#include "hv/vm/vf.h"

/* Header, PCI 3.0 figure 6-1. */
#define PCI_ID        0x00
#define PCI_COMMAND   0x04
#define PCI_CLASS     0x0b /* base class */
#define PCI_HEADER    0x0e
#define PCI_BAR0      0x10
#define CMD_IO        BIT(0)
#define CMD_MEMORY    BIT(1)
#define CMD_MASTER    BIT(2)
#define CMD_INTX_OFF  BIT(10)
#define CLASS_BRIDGE  6
#define MSI_CONTROL   2 /* in its capability, as in MSI-X's */
#define MSI_ENABLE    BIT(0)
#define MSIX_ENABLE   BIT(15)
#define EXP_DEVCTL    8 /* in the PCI Express capability */
#define EXP_FLR       BIT(15)
#define AF_CONTROL    4 /* in the Advanced Features capability */
#define AF_FLR        BIT(0)
#define PM_CONTROL    4 /* in the power management capability */
#define PM_D3         3
#define RESET_WAIT_US 100000 /* PCIe 6.0 6.6.2 */

static uint32_t config_read(void *ctx, uint16_t offset, uint8_t size)
{
	const struct domain_device *dev = ctx;

	return pci_read(dev->segment, dev->bdf, offset, size);
}

static struct pci_config config_of(struct domain_device *dev)
{
	return (struct pci_config){config_read, dev, PCI_CONFIG_SIZE};
}

static uint16_t command(const struct domain_device *dev)
{
	return (uint16_t)pci_read(dev->segment, dev->bdf, PCI_COMMAND, 2);
}

static void set_command(const struct domain_device *dev, uint64_t value)
{
	pci_write(dev->segment, dev->bdf, PCI_COMMAND, 2, (uint32_t)value);
}

/* Sizes are found by writing ones, with decoding off meanwhile. A virtual function has no BARs to write. */
static int probe_bars(struct domain_device *dev)
{
	uint32_t original[PCI_BARS], probed[PCI_BARS];
	uint16_t cmd = command(dev);
	struct sriov_vf vf;

	if (sriov_find(dev->segment, dev->bdf, &vf)) {
		dev->sriov = true;
		memcpy(dev->bar, vf.bar, sizeof(dev->bar));
		return 0;
	}
	set_command(dev, cmd & ~(CMD_IO | CMD_MEMORY | CMD_MASTER));
	for (uint16_t i = 0; i < PCI_BARS; i++) {
		uint16_t at = PCI_BAR0 + 4 * i;

		original[i] = pci_read(dev->segment, dev->bdf, at, 4);
		pci_write(dev->segment, dev->bdf, at, 4, 0xffffffff);
		probed[i] = pci_read(dev->segment, dev->bdf, at, 4);
		pci_write(dev->segment, dev->bdf, at, 4, original[i]);
	}
	set_command(dev, cmd);
	return pci_parse_bars(original, probed, dev->bar);
}

/* No messages to where whoever had the function before wanted them. */
static void messages_off(struct domain_device *dev)
{
	struct pci_config config = config_of(dev);
	uint16_t msi = pci_find_cap(&config, PCI_CAP_MSI), msix;

	if (msi)
		pci_write(dev->segment, dev->bdf, msi + MSI_CONTROL, 2,
			  pci_read(dev->segment, dev->bdf, msi + MSI_CONTROL, 2) & ~MSI_ENABLE);
	msix = pci_find_cap(&config, PCI_CAP_MSIX);
	if (msix)
		pci_write(dev->segment, dev->bdf, msix + MSI_CONTROL, 2,
			  pci_read(dev->segment, dev->bdf, msix + MSI_CONTROL, 2) & ~MSIX_ENABLE);
}

/* DMA and messages off, and a reset if the function has one; the BARs are put back. */
static void reset(struct domain_device *dev)
{
	uint32_t bar[PCI_BARS];
	uint16_t cap = dev->reset_cap;

	set_command(dev, (command(dev) & ~(CMD_MASTER | CMD_IO)) | CMD_INTX_OFF);
	messages_off(dev);
	for (uint16_t i = 0; i < PCI_BARS; i++)
		bar[i] = pci_read(dev->segment, dev->bdf, PCI_BAR0 + 4 * i, 4);
	switch (dev->reset) {
	case PCI_RESET_NONE:
		return;
	case PCI_RESET_FLR:
		pci_write(dev->segment, dev->bdf, cap + EXP_DEVCTL, 2,
			  pci_read(dev->segment, dev->bdf, cap + EXP_DEVCTL, 2) | EXP_FLR);
		break;
	case PCI_RESET_AF_FLR:
		pci_write(dev->segment, dev->bdf, cap + AF_CONTROL, 1, AF_FLR);
		break;
	case PCI_RESET_PM:
		pci_write(dev->segment, dev->bdf, cap + PM_CONTROL, 2, PM_D3);
		delay_us(RESET_WAIT_US);
		pci_write(dev->segment, dev->bdf, cap + PM_CONTROL, 2, 0);
		break;
	}
	delay_us(RESET_WAIT_US);
	for (uint16_t i = 0; i < PCI_BARS; i++)
		pci_write(dev->segment, dev->bdf, PCI_BAR0 + 4 * i, 4, bar[i]);
	set_command(dev, CMD_MEMORY | CMD_INTX_OFF);
}

static struct domain_device *find(struct domain *d, uint16_t segment, uint16_t bdf)
{
	for (unsigned int i = 0; i < DOMAIN_DEVICES; i++) {
		struct domain_device *dev = &d->device[i];

		if (dev->used && dev->vf < 0 && dev->segment == segment && dev->bdf == bdf)
			return dev;
	}
	return NULL;
}

static int check_function(uint16_t segment, uint16_t bdf, const char **why)
{
	struct sriov_vf vf;
	struct domain *d;

	*why = "no such PCI function";
	if (pci_read(segment, bdf, PCI_ID, 4) == 0xffffffff && !sriov_find(segment, bdf, &vf))
		return -ENODEV;
	*why = "a bridge cannot be given to a dataplane";
	if (pci_read(segment, bdf, PCI_HEADER, 1) & 0x7f ||
	    pci_read(segment, bdf, PCI_CLASS, 1) == CLASS_BRIDGE)
		return -EPERM;
	*why = "the function is a dataplane's already";
	for (uint64_t i = 0; (d = domain_at(i)); i++)
		if (find(d, segment, bdf))
			return -EBUSY;
	return 0;
}

static bool usable(const struct pci_bar *b)
{
	return b->size && !b->io;
}

static int check_bars(const struct domain_device *dev, const char **why)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &dev->bar[i];

		if (!usable(b))
			continue;
		*why = "a memory BAR shares a 4 KB page with something else";
		if (b->size < PAGE_SIZE || b->base & (PAGE_SIZE - 1))
			return -EPERM;
		*why = "a memory BAR has no address; let Linux enable the device once";
		if (!b->base)
			return -EPERM;
	}
	return 0;
}

static void describe(struct domain_device *dev, unsigned int index, const struct pci_msix *msix)
{
	uint32_t id = pci_read(dev->segment, dev->bdf, PCI_ID, 4);
	struct sriov_vf vf = {.vendor = (uint16_t)id, .device = (uint16_t)(id >> 16)};

	if (dev->sriov)
		sriov_find(dev->segment, dev->bdf, &vf);
	dev->device = (struct ix_device){
	    .vendor = vf.vendor,
	    .device = vf.device,
	    .bdf = dev->bdf,
	    .index = index,
	};
	for (unsigned int i = 0; i < PCI_BARS; i++)
		if (usable(&dev->bar[i]))
			dev->device.bar[i] = (struct ix_bar){
			    .base = dev->bar[i].base,
			    .size = dev->bar[i].size,
			    .flags = IX_BAR_PRESENT | (dev->bar[i].prefetch ? IX_BAR_PREFETCH : 0) |
				     (msix->cap && msix->table_bar == i ? IX_BAR_MSIX : 0),
			};
}

/* BARs out of Linux and into the domain; the pages of the MSI-X table are not writable there: a
 * message is a store to any core's APIC, so the domain does without (it polls). */
static int move_bars(struct domain *d, const struct domain_device *dev, const struct pci_msix *msix,
		     const char **why)
{
	/* Up to 2048 entries of 16 bytes: more than one page. */
	uint64_t first = msix->table_offset & ~(PAGE_SIZE - 1);
	uint64_t end = (msix->table_offset + 16ul * msix->count + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &dev->bar[i];

		if (!usable(b))
			continue;
		*why = "a memory BAR lies where RAM is, or something that is not Linux's";
		if (linux_mem_hide(b->base, b->size, dev))
			return -EPERM;
		*why = "the hypervisor is out of memory";
		if (ept_map(&d->vm.ept, b->base, b->size, b->base, EPT_READ | EPT_WRITE, MEMORY_UC))
			return -ENOMEM;
		if (msix->cap && msix->table_bar == i &&
		    ept_map(&d->vm.ept, b->base + first, end - first, b->base + first, EPT_READ,
			    MEMORY_UC))
			return -ENOMEM;
	}
	return 0;
}

static struct domain_device *free_device(struct domain *d, unsigned int *slot, const char **why)
{
	*why = "the dataplane has too many devices";
	for (*slot = 0; *slot < DOMAIN_DEVICES; (*slot)++)
		if (!d->device[*slot].used)
			return &d->device[*slot];
	return NULL;
}

int passthrough_assign_vf(struct domain *d, struct ix_device *device, const char **why)
{
	unsigned int slot;
	struct domain_device *dev = free_device(d, &slot, why);
	int status;

	if (!dev)
		return -ENOSPC;
	memset(dev, 0, sizeof(*dev));
	dev->device.index = slot;
	status = vf_assign(d, dev, why);
	if (!status)
		*device = dev->device;
	return status;
}

int passthrough_assign(struct domain *d, uint16_t segment, uint16_t bdf, struct ix_device *device,
		       const char **why)
{
	struct pci_rule rule = {.segment = segment, .bdf = bdf, .policy = PCI_HIDDEN};
	int status = check_function(segment, bdf, why);
	struct domain_device *dev = NULL;
	struct pci_msix msix = {0};
	struct pci_config config;
	unsigned int slot;

	if (status)
		return status;
	dev = free_device(d, &slot, why);
	if (!dev)
		return -ENOSPC;
	memset(dev, 0, sizeof(*dev));
	dev->vf = -1;
	dev->segment = segment;
	dev->bdf = bdf;
	config = config_of(dev);
	*why = "the function's BARs or capabilities make no sense";
	if (probe_bars(dev) || pci_parse_msix(&config, dev->bar, &msix))
		return -EPERM;
	status = check_bars(dev, why);
	if (status)
		return status;
	dev->reset = pci_parse_reset(&config, &dev->reset_cap);
	status = dma_join(d->vm.id, segment, bdf, &dev->dma_open);
	if (status)
		return status;
	*why = "too many functions are given away";
	if (pci_add_rule(&rule))
		return -ENOSPC;
	dev->used = true;
	set_command(dev, CMD_MEMORY | CMD_INTX_OFF);
	reset(dev);
	describe(dev, slot, &msix);
	status = move_bars(d, dev, &msix, why);
	if (status) {
		const char *ignored;

		passthrough_release(d, segment, bdf, &ignored);
		return status;
	}
	*device = dev->device;
	*why = "";
	log_info("dataplane %s: has PCI %02x:%02x.%u%s", d->vm.name, bdf >> 8, bdf >> 3 & 31,
		 bdf & 7, dev->dma_open ? " (its DMA is not confined)" : "");
	return 0;
}

int passthrough_release(struct domain *d, uint16_t segment, uint16_t bdf, const char **why)
{
	struct domain_device *dev = find(d, segment, bdf);
	int status;

	*why = "the dataplane does not have this function";
	if (!dev)
		return -ENODEV;
	reset(dev);
	dma_leave(d->vm.id, segment, bdf);
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		if (!usable(&dev->bar[i]))
			continue;
		status = linux_mem_show(dev->bar[i].base, dev->bar[i].size, dev);
		if (status == -ENOENT)
			continue; /* it was refused */
		ept_unmap(&d->vm.ept, dev->bar[i].base, dev->bar[i].size);
		if (status)
			log_error("PCI %02x:%02x.%u: BAR %u cannot be given back", bdf >> 8,
				  bdf >> 3 & 31, bdf & 7, i);
	}
	/* The domain does not run, and its cores flush when it does again. */
	ept_reclaim(&d->vm.ept, ept_detach(&d->vm.ept));
	pci_remove_rule(segment, bdf);
	memset(dev, 0, sizeof(*dev));
	*why = "";
	return 0;
}

void passthrough_release_all(struct domain *d)
{
	const char *why;

	for (unsigned int i = 0; i < DOMAIN_DEVICES; i++) {
		if (d->device[i].used && d->device[i].vf >= 0)
			vf_release(d, &d->device[i]);
		else if (d->device[i].used)
			passthrough_release(d, d->device[i].segment, d->device[i].bdf, &why);
	}
}

void passthrough_quiet(struct domain *d)
{
	for (unsigned int i = 0; i < DOMAIN_DEVICES; i++) {
		if (d->device[i].used && d->device[i].vf >= 0)
			vf_quiet(&d->device[i]);
		else if (d->device[i].used)
			reset(&d->device[i]);
	}
}

static bool access_ok(const struct domain *d, uint64_t index, uint64_t offset, uint64_t size)
{
	return index < DOMAIN_DEVICES && d->device[index].used &&
	       (size == 1 || size == 2 || size == 4) && offset < PCIE_CONFIG_SIZE &&
	       !(offset & (size - 1));
}

int64_t passthrough_config_read(const struct domain *d, uint64_t index, uint64_t offset,
				uint64_t size)
{
	if (!access_ok(d, index, offset, size))
		return -EINVAL;
	if (d->device[index].vf >= 0)
		return vf_config_read(&d->device[index], (uint16_t)offset, (uint8_t)size);
	return pci_read(d->device[index].segment, d->device[index].bdf, (uint16_t)offset,
			(uint8_t)size);
}

/* Memory decoding and bus mastering are the domain's to switch; the rest of the header and all
 * capabilities are not. */
int64_t passthrough_config_write(const struct domain *d, uint64_t index, uint64_t offset,
				 uint64_t size, uint64_t value)
{
	if (!access_ok(d, index, offset, size))
		return -EINVAL;
	if (offset != PCI_COMMAND || size < 2)
		return -EPERM;
	if (d->device[index].vf >= 0)
		vf_config_write(&d->device[index], PCI_COMMAND, 2,
				(uint32_t)((value & CMD_MASTER) | CMD_MEMORY));
	else
		set_command(&d->device[index], (value & CMD_MASTER) | CMD_MEMORY | CMD_INTX_OFF);
	return 0;
}
