/* SPDX-License-Identifier: MIT */
#include "hv/vm/pci.h"

#include "hv/arch/paging.h"
#include "hv/arch/spinlock.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/panic.h"
#include "hv/vm/linux_mem.h"

#define PCI_PORT_RESET 0xcf9 /* reset control, between the bytes of 0xcf8 */

#define RULES_MAX   64
#define WINDOWS_MAX 8
#define BUS_SIZE    0x100000ul /* of memory-mapped configuration space */

static struct spinlock port_lock;   /* 0xcf8 and 0xcfc together */
static struct spinlock filter_lock; /* the rules */
static uint32_t moving;             /* a core writes to a function of the hypervisor */
static uint32_t linux_address;      /* what Linux wrote to 0xcf8 */
static struct pci_rule rules[RULES_MAX];
static struct acpi_mcfg window[WINDOWS_MAX];
static volatile uint8_t *window_va[WINDOWS_MAX];
static uint32_t nwindows;

static uint32_t raw_in(uint16_t port, uint8_t size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void raw_out(uint16_t port, uint8_t size, uint32_t value)
{
	if (size == 1)
		outb(port, (uint8_t)value);
	else if (size == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
}

static volatile uint8_t *memory_mapped(uint16_t segment, uint16_t bdf, uint16_t offset)
{
	for (uint32_t i = 0; i < nwindows; i++)
		if (window[i].segment == segment && bdf >> 8 >= window[i].first_bus &&
		    bdf >> 8 <= window[i].last_bus)
			return window_va[i] +
			       (((uint64_t)bdf << 12) - window[i].first_bus * BUS_SIZE) + offset;
	return NULL;
}

static uint32_t port_address(uint16_t bdf, uint16_t offset)
{
	return 0x80000000u | (uint32_t)bdf << 8 | (offset & 0xfc);
}

uint32_t pci_read(uint16_t segment, uint16_t bdf, uint16_t offset, uint8_t size)
{
	volatile uint8_t *at = memory_mapped(segment, bdf, offset);
	uint32_t value;

	if (at)
		return size == 1   ? *at
		       : size == 2 ? *(volatile uint16_t *)at
				   : *(volatile uint32_t *)at;
	if (segment || offset >= PCI_CONFIG_SIZE)
		return pci_all_ones(size);
	spin_lock(&port_lock);
	outl(PCI_PORT_ADDRESS, port_address(bdf, offset));
	value = raw_in(PCI_PORT_DATA + (offset & 3), size);
	spin_unlock(&port_lock);
	return value;
}

void pci_write(uint16_t segment, uint16_t bdf, uint16_t offset, uint8_t size, uint32_t value)
{
	volatile uint8_t *at = memory_mapped(segment, bdf, offset);

	if (at) {
		if (size == 1)
			*at = (uint8_t)value;
		else if (size == 2)
			*(volatile uint16_t *)at = (uint16_t)value;
		else
			*(volatile uint32_t *)at = value;
		return;
	}
	if (segment || offset >= PCI_CONFIG_SIZE)
		return;
	spin_lock(&port_lock);
	outl(PCI_PORT_ADDRESS, port_address(bdf, offset));
	raw_out(PCI_PORT_DATA + (offset & 3), size, value);
	spin_unlock(&port_lock);
}

static uint32_t filter_read(void *ctx, const struct pci_access *a)
{
	(void)ctx;
	return pci_read(a->segment, a->bdf, a->offset, a->size);
}

static void filter_write(void *ctx, const struct pci_access *a, uint32_t value)
{
	(void)ctx;
	pci_write(a->segment, a->bdf, a->offset, a->size, value);
}

static struct pci_filter filter = {rules, 0, filter_read, filter_write, NULL};

void pci_init(void)
{
	const struct acpi_table *mcfg = acpi_find(&hv.acpi, "MCFG", 0);

	for (uint32_t i = 0; mcfg && nwindows < WINDOWS_MAX; i++) {
		struct acpi_mcfg *w = &window[nwindows];
		uint64_t buses;

		if (acpi_mcfg(mcfg, i, w))
			break;
		buses = (uint64_t)w->last_bus - w->first_bus + 1;
		window_va[nwindows++] =
		    map_mmio(w->base + w->first_bus * BUS_SIZE, buses * BUS_SIZE);
	}
}

bool pci_has_windows(void)
{
	return nwindows;
}

/* Accesses of Linux that pass the filter: one at a time, rules may run a whole call. */
static uint32_t linux_read(const struct pci_access *access)
{
	struct pci_rule rule = {.policy = PCI_PASS};

	spin_lock(&filter_lock);
	for (uint32_t i = 0; i < filter.count; i++)
		if (rules[i].segment == access->segment && rules[i].bdf == access->bdf)
			rule = rules[i];
	spin_unlock(&filter_lock);
	return pci_filter_read(
	    &(struct pci_filter){&rule, rule.policy != PCI_PASS, filter_read, filter_write, NULL},
	    access);
}

static void linux_write(const struct pci_access *access, uint32_t value)
{
	struct pci_rule rule = {.policy = PCI_PASS};

	spin_lock(&filter_lock);
	for (uint32_t i = 0; i < filter.count; i++)
		if (rules[i].segment == access->segment && rules[i].bdf == access->bdf)
			rule = rules[i];
	spin_unlock(&filter_lock);
	/* A function of the hypervisor may move in Linux's memory: one at a time, and who waits
	 * answers the one that has the turn. */
	while (rule.policy == PCI_VIRTUAL && __atomic_exchange_n(&moving, 1, __ATOMIC_ACQUIRE))
		linux_mem_serve();
	pci_filter_write(
	    &(struct pci_filter){&rule, rule.policy != PCI_PASS, filter_read, filter_write, NULL},
	    access, value);
	if (rule.policy == PCI_VIRTUAL)
		__atomic_store_n(&moving, 0, __ATOMIC_RELEASE);
}

static uint64_t window_read(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size)
{
	const struct acpi_mcfg *w = ctx;
	struct pci_access a;

	(void)v;
	if (!pci_decode_ecam(w->segment, offset + w->first_bus * BUS_SIZE, size, &a))
		return ~0ul;
	return linux_read(&a);
}

static void window_write(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size, uint64_t value)
{
	const struct acpi_mcfg *w = ctx;
	struct pci_access a;

	(void)v;
	if (pci_decode_ecam(w->segment, offset + w->first_bus * BUS_SIZE, size, &a))
		linux_write(&a, (uint32_t)value);
}

void pci_filter_init(void)
{
	for (uint32_t i = 0; i < nwindows; i++) {
		uint64_t first = window[i].first_bus, last = window[i].last_bus;
		struct mmio_region r = {
		    .range = {window[i].base + first * BUS_SIZE, (last - first + 1) * BUS_SIZE},
		    .read = window_read,
		    .write = window_write,
		    .ctx = &window[i],
		};

		if (linux_mem_trap(&r))
			panic("PCI configuration space cannot be filtered");
	}
}

int pci_free_slot(uint16_t *bdf)
{
	for (int device = 31; device > 0; device--) {
		*bdf = PCI_BDF(0, device, 0);
		if (pci_policy(&filter, 0, *bdf) == PCI_PASS &&
		    pci_read(0, *bdf, 0, 4) == 0xffffffff)
			return 0;
	}
	return -ENOSPC;
}

int pci_add_rule(const struct pci_rule *rule)
{
	int status = -ENOSPC;

	spin_lock(&filter_lock);
	if (filter.count < RULES_MAX) {
		rules[filter.count++] = *rule;
		status = 0;
	}
	spin_unlock(&filter_lock);
	return status;
}

void pci_remove_rule(uint16_t segment, uint16_t bdf)
{
	spin_lock(&filter_lock);
	for (uint32_t i = 0; i < filter.count; i++)
		if (rules[i].segment == segment && rules[i].bdf == bdf) {
			rules[i] = rules[--filter.count];
			break;
		}
	spin_unlock(&filter_lock);
}

uint32_t pci_port_in(uint16_t port, uint8_t size)
{
	struct pci_access a;

	if (port == PCI_PORT_ADDRESS && size == 4)
		return linux_address;
	if (port == PCI_PORT_RESET && size == 1)
		return inb(port);
	if (!pci_decode_port(linux_address, port, size, &a))
		return pci_all_ones(size);
	return linux_read(&a);
}

void pci_port_out(uint16_t port, uint8_t size, uint32_t value)
{
	struct pci_access a;

	if (port == PCI_PORT_ADDRESS && size == 4)
		linux_address = value;
	else if (port == PCI_PORT_RESET && size == 1)
		outb(port, (uint8_t)value);
	else if (pci_decode_port(linux_address, port, size, &a))
		linux_write(&a, value);
}

bool pci_each(bool (*f)(void *ctx, uint16_t segment, uint16_t bdf), void *ctx)
{
	for (uint32_t bdf = 0; bdf < 0x10000; bdf++) {
		if (bdf & 7 && (pci_read(0, bdf & 0xfff8, 0xe, 1) & 0x80) == 0)
			continue; /* not a multi-function device */
		if (pci_read(0, (uint16_t)bdf, 0, 4) == 0xffffffff)
			continue;
		if (!f(ctx, 0, (uint16_t)bdf))
			return false;
	}
	return true;
}

void pci_each_virtual(bool (*f)(void *ctx, const struct pci_rule *rule), void *ctx)
{
	for (uint32_t i = 0;; i++) {
		struct pci_rule rule;
		bool more;

		spin_lock(&filter_lock);
		more = i < filter.count;
		if (more)
			rule = rules[i];
		spin_unlock(&filter_lock);
		if (!more || (rule.policy == PCI_VIRTUAL && !f(ctx, &rule)))
			return;
	}
}
