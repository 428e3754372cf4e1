/* SPDX-License-Identifier: MIT
 *
 * The xAPIC of Linux: reads go to the hardware, writes are looked at. In x2APIC mode nothing ever
 * comes here, and the MSR bitmap catches the ICR alone.
 */
#ifndef HV_VM_LAPIC_TRAP_H
#define HV_VM_LAPIC_TRAP_H

void lapic_trap_init(void);

#endif
