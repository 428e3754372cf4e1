/* SPDX-License-Identifier: MIT */
#include "hv/vm/lapic_trap.h"

#include "hv/arch/lapic.h"
#include "hv/console.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/icr.h"
#include "hv/vm/linux_mem.h"

static void write_register(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size, uint64_t value)
{
	(void)ctx;
	/* In x2APIC mode there is nothing at the page (SDM 3A 11.12.2), and the MSR that the
	 * register would be may refuse the write. */
	if (lapic_x2apic())
		return;
	if (size != 4 || offset & 15) {
		log_guest("Linux: local APIC write of %u bytes at %#lx dropped", size, offset);
		return;
	}
	switch (offset) {
	case APIC_ID: /* writable on some processors; kicks go by it */
		return;
	case APIC_ICR:
		icr_write_xapic(v, v->icr_high, (uint32_t)value);
		return;
	case APIC_ICR_HI:
		v->icr_high = (uint32_t)value;
		return;
	case APIC_LDR:
		v->cpu->ldr = (uint32_t)value;
		break;
	case APIC_DFR:
		v->cpu->dfr = (uint32_t)value;
		break;
	}
	lapic_write((uint32_t)offset, (uint32_t)value);
}

void lapic_trap_init(void)
{
	struct mmio_region r = {
	    .range = {APIC_DEFAULT_BASE, PAGE_SIZE},
	    .write = write_register,
	};

	if (linux_mem_trap(&r) ||
	    linux_mem_map(APIC_DEFAULT_BASE, PAGE_SIZE, APIC_DEFAULT_BASE, EPT_READ))
		panic("the local APIC's page cannot be trapped");
}
