/* SPDX-License-Identifier: MIT */
#include "hv/lib/pci_filter.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

/* Header of type 0, PCI 3.0 6.1 */
#define PCI_VENDOR           0x00
#define PCI_DEVICE           0x02
#define PCI_COMMAND          0x04
#define PCI_STATUS           0x06
#define PCI_REVISION         0x08
#define PCI_CACHE_LINE       0x0c
#define PCI_BAR0             0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM        0x2e
#define PCI_CAP_POINTER      0x34
#define PCI_INTERRUPT_LINE   0x3c
#define PCI_INTERRUPT_PIN    0x3d
#define PCI_FIRST_CAP        0x40

#define COMMAND_MEMORY       (1u << 1)
#define COMMAND_MASTER       (1u << 2)
#define COMMAND_INTX_DISABLE (1u << 10)
#define STATUS_CAPS          (1u << 4)

#define BAR_TYPE_64  4u
#define BAR_PREFETCH 8u

static const struct pci_rule *find_rule(const struct pci_filter *filter, uint16_t segment,
					uint16_t bdf)
{
	for (uint32_t i = 0; i < filter->count; i++)
		if (filter->rules[i].bdf == bdf && filter->rules[i].segment == segment)
			return &filter->rules[i];
	return NULL;
}

enum pci_policy pci_policy(const struct pci_filter *filter, uint16_t segment, uint16_t bdf)
{
	const struct pci_rule *rule = find_rule(filter, segment, bdf);

	return rule ? rule->policy : PCI_PASS;
}

uint32_t pci_filter_read(const struct pci_filter *filter, const struct pci_access *a)
{
	const struct pci_rule *rule = find_rule(filter, a->segment, a->bdf);

	if (!rule || rule->policy == PCI_PASS)
		return filter->read(filter->ctx, a) & pci_all_ones(a->size);
	if (rule->policy == PCI_VIRTUAL)
		return rule->read(rule->ctx, a->offset, a->size) & pci_all_ones(a->size);
	return pci_all_ones(a->size);
}

void pci_filter_write(const struct pci_filter *filter, const struct pci_access *a, uint32_t value)
{
	const struct pci_rule *rule = find_rule(filter, a->segment, a->bdf);

	value &= pci_all_ones(a->size);
	if (!rule || rule->policy == PCI_PASS)
		filter->write(filter->ctx, a, value);
	else if (rule->policy == PCI_VIRTUAL)
		rule->write(rule->ctx, a->offset, a->size, value);
}

void pci_virtual_init(struct pci_virtual *v, const struct pci_ids *ids)
{
	memset(v, 0, sizeof(*v));
	put_le16(v->config, PCI_VENDOR, ids->vendor);
	put_le16(v->config, PCI_DEVICE, ids->device);
	put_le32(v->config, PCI_REVISION, ids->class_code << 8 | ids->revision);
	put_le16(v->config, PCI_SUBSYSTEM_VENDOR, ids->subsystem_vendor);
	put_le16(v->config, PCI_SUBSYSTEM, ids->subsystem);
	v->config[PCI_INTERRUPT_PIN] = ids->interrupt_pin;
	put_le16(v->writable, PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_DISABLE);
	v->writable[PCI_CACHE_LINE] = 0xff;
	v->writable[PCI_INTERRUPT_LINE] = 0xff;
	v->end = PCI_FIRST_CAP;
}

int pci_virtual_add_bar(struct pci_virtual *v, unsigned int n, uint64_t size, bool is_64,
			bool prefetch)
{
	unsigned int at = PCI_BAR0 + 4 * n;

	if (n + is_64 >= PCI_BARS || !is_power_of_2(size) || size < 16 ||
	    (!is_64 && size > 1u << 31) || get_le32(v->writable, at) ||
	    (is_64 && get_le32(v->writable, at + 4)))
		return -EINVAL;
	v->bar_size[n] = size;
	put_le32(v->config, at, (is_64 ? BAR_TYPE_64 : 0) | (prefetch ? BAR_PREFETCH : 0));
	put_le32(v->writable, at, -size);
	if (is_64)
		put_le32(v->writable, at + 4, -size >> 32);
	return 0;
}

int pci_virtual_add_cap(struct pci_virtual *v, uint8_t id, const uint8_t *body,
			const uint8_t *writable, uint8_t length)
{
	unsigned int at = v->end, end = at + ((length + 3u) & ~3u);

	if (length < 2)
		return -EINVAL;
	if (end >= PCI_CONFIG_SIZE) /* the last 4 bytes are kept free: `end` is a byte */
		return -ENOSPC;
	v->config[at] = id;
	memcpy(v->config + at + 2, body, length - 2);
	memcpy(v->writable + at + 2, writable, length - 2);
	v->config[v->last_cap ? v->last_cap + 1 : PCI_CAP_POINTER] = at;
	v->config[PCI_STATUS] |= STATUS_CAPS;
	v->last_cap = at;
	v->end = end;
	return at;
}

uint32_t pci_virtual_read(void *ctx, uint16_t offset, uint8_t size)
{
	const struct pci_virtual *v = ctx;
	uint32_t value = 0;

	if (!range_contains(0, PCI_CONFIG_SIZE, offset, size))
		return pci_all_ones(size);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint32_t)v->config[offset + i] << 8 * i;
	return value;
}

void pci_virtual_write(void *ctx, uint16_t offset, uint8_t size, uint32_t value)
{
	struct pci_virtual *v = ctx;

	if (!range_contains(0, PCI_CONFIG_SIZE, offset, size))
		return;
	for (unsigned int i = 0; i < size; i++) {
		uint8_t mask = v->writable[offset + i];

		v->config[offset + i] = (v->config[offset + i] & ~mask) | (value >> 8 * i & mask);
	}
	if (v->changed)
		v->changed(v->ctx, offset, size);
}

bool pci_virtual_bar(const struct pci_virtual *v, unsigned int n, uint64_t *base)
{
	unsigned int at = PCI_BAR0 + 4 * n;

	if (n >= PCI_BARS || !v->bar_size[n] ||
	    !(get_le16(v->config, PCI_COMMAND) & COMMAND_MEMORY))
		return false;
	*base = get_le32(v->config, at) & ~15u;
	if (get_le32(v->config, at) & BAR_TYPE_64)
		*base |= (uint64_t)get_le32(v->config, at + 4) << 32;
	return true;
}
