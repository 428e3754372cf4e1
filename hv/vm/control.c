/* SPDX-License-Identifier: MIT */
#include "hv/vm/control.h"

#include <ix/hypercall.h>

#include "hv/arch/spinlock.h"
#include "hv/console.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/calls.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/pci.h"

_Static_assert(sizeof(struct ix_slot) == IX_SLOT_SIZE, "slot");
_Static_assert(IX_SLOTS_OFFSET + IX_SLOTS * IX_SLOT_SIZE <= IX_EVENTS_OFFSET, "layout");
_Static_assert(IX_EVENTS_OFFSET + IX_EVENTS * sizeof(struct ix_event) <= IX_LOG_OFFSET, "layout");
_Static_assert(IX_LOG_SIZE == LOG_RING, "the log ring is copied as it is");

static uint8_t *shared; /* what BAR0 shows */
static uint64_t events; /* the hypervisor's own count: the header's is for Linux */
static struct spinlock event_lock;
static uint32_t calling; /* a core executes a call */
static struct pci_virtual function;
static uint64_t bar0, bar1; /* where Linux has put them; 0: nowhere */

static struct ix_shared_header *header(void)
{
	return (struct ix_shared_header *)(shared + IX_HEADER_OFFSET);
}

void control_event(uint64_t handle, const char *domain, const char *kind, const char *text)
{
	struct ix_event *e;

	spin_lock(&event_lock);
	e = (struct ix_event *)(shared + IX_EVENTS_OFFSET) + events % IX_EVENTS;
	memset(e, 0, sizeof(*e));
	e->sequence = events;
	e->handle = handle;
	fmt(e->kind, sizeof(e->kind), "%s", kind);
	fmt(e->domain, sizeof(e->domain), "%s", domain);
	fmt(e->text, sizeof(e->text), "%s", text);
	__atomic_store_n(&header()->event_head, ++events, __ATOMIC_RELEASE);
	spin_unlock(&event_lock);
}

/* The log as it is now, for Linux to read: brought up to date at every doorbell. */
static void publish_log(void)
{
	static uint64_t published;
	uint64_t head = __atomic_load_n(&log_ring.head, __ATOMIC_ACQUIRE);
	uint8_t *to = shared + IX_LOG_OFFSET;

	if (head - published > LOG_RING)
		published = head - LOG_RING;
	for (; published < head; published++)
		to[published % LOG_RING] = (uint8_t)log_ring.text[published % LOG_RING];
	__atomic_store_n(&header()->log_head, head, __ATOMIC_RELEASE);
}

/*
 * The doorbell. The slot is copied before anything is looked at, and only the answer goes back, so
 * what Linux writes meanwhile changes nothing. One call at a time: calls are rare.
 */
static void doorbell(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size, uint64_t value)
{
	static struct ix_slot call;
	struct ix_slot *slot;
	const char *why = "";

	(void)v;
	(void)ctx;
	if (offset || size != 4 || value >= IX_SLOTS)
		return;
	slot = (struct ix_slot *)(shared + IX_SLOTS_OFFSET) + value;
	/* Who waits must answer the one that has the turn, when that changes Linux's memory map. */
	while (__atomic_exchange_n(&calling, 1, __ATOMIC_ACQUIRE))
		linux_mem_serve();
	memcpy(&call, slot, sizeof(call));
	call.status = control_call(&call, shared + IX_BULK_OFFSET, &why);
	fmt(call.why, sizeof(call.why), "%s", call.status < 0 ? why : "");
	memcpy(slot->data, call.data, sizeof(slot->data));
	memcpy(slot->why, call.why, sizeof(slot->why));
	memcpy(slot->arg, call.arg, sizeof(slot->arg));
	__atomic_store_n(&slot->status, call.status, __ATOMIC_RELEASE);
	publish_log();
	__atomic_store_n(&calling, 0, __ATOMIC_RELEASE);
}

static bool place_bar0(uint64_t base)
{
	int status = linux_mem_hide(base, IX_BAR0_SIZE, &function);

	if (!status) {
		status = linux_mem_map(base, IX_BAR0_SIZE, direct_pa(shared), EPT_READ | EPT_WRITE);
		if (status)
			linux_mem_show(base, IX_BAR0_SIZE, &function);
	}
	if (status)
		log_guest("control function: BAR0 cannot be mapped at %#lx", base);
	return !status;
}

/* Linux has written to a BAR or the command register: the BARs move with it. */
static void moved(void *ctx, uint16_t offset, uint8_t size)
{
	uint64_t now0 = 0, now1 = 0;
	struct mmio_region r = {.range.size = IX_BAR1_SIZE, .write = doorbell};

	(void)ctx;
	(void)offset;
	(void)size;
	if (!pci_virtual_bar(&function, 0, &now0))
		now0 = 0;
	if (!pci_virtual_bar(&function, 1, &now1))
		now1 = 0;
	if (now0 != bar0) {
		if (bar0)
			linux_mem_show(bar0, IX_BAR0_SIZE, &function);
		bar0 = now0 && place_bar0(now0) ? now0 : 0;
	}
	if (now1 != bar1) {
		if (bar1)
			linux_mem_untrap(bar1, IX_BAR1_SIZE);
		r.range.base = now1;
		bar1 = now1;
		if (now1 && linux_mem_trap(&r)) {
			log_guest("control function: BAR1 cannot be mapped at %#lx", now1);
			bar1 = 0;
		}
	}
}

void control_init(void)
{
	static const struct pci_ids ids = {
	    .vendor = IX_PCI_VENDOR,
	    .device = IX_PCI_CONTROL,
	    .subsystem_vendor = IX_PCI_VENDOR,
	    .subsystem = IX_PCI_CONTROL,
	    .class_code = IX_PCI_CLASS,
	};
	struct pci_rule rule = {
	    .policy = PCI_VIRTUAL,
	    .read = pci_virtual_read,
	    .write = pci_virtual_write,
	    .ctx = &function,
	};

	shared = page_alloc(IX_BAR0_SIZE / PAGE_SIZE);
	if (!shared)
		panic("no memory for the control function");
	*header() = (struct ix_shared_header){
	    .magic = IX_SHARED_MAGIC,
	    .abi = IX_ABI_VERSION,
	    .slots = IX_SLOTS,
	};
	pci_virtual_init(&function, &ids);
	function.changed = moved;
	if (pci_virtual_add_bar(&function, 0, IX_BAR0_SIZE, false, false) ||
	    pci_virtual_add_bar(&function, 1, IX_BAR1_SIZE, false, false) ||
	    pci_free_slot(&rule.bdf) || pci_add_rule(&rule))
		panic("no place for the control function on PCI bus 0");
	log_info("control function at PCI 00:%02x.0", rule.bdf >> 3);
}
