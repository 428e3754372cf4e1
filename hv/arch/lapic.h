/* SPDX-License-Identifier: MIT
 *
 * This core's local APIC, in whichever mode it is: xAPIC (registers in memory) or x2APIC (MSRs).
 * SDM 3A chapter 11.
 */
#ifndef HV_ARCH_LAPIC_H
#define HV_ARCH_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_ID      0x020
#define APIC_VERSION 0x030
#define APIC_TPR     0x080
#define APIC_EOI     0x0b0
#define APIC_LDR     0x0d0
#define APIC_DFR     0x0e0
#define APIC_SVR     0x0f0
#define APIC_ISR     0x100
#define APIC_IRR     0x200
#define APIC_ESR     0x280
#define APIC_ICR     0x300
#define APIC_ICR_HI  0x310
#define APIC_CMCI    0x2f0
#define APIC_TIMER   0x320
#define APIC_THERMAL 0x330
#define APIC_PERF    0x340
#define APIC_LINT0   0x350
#define APIC_LINT1   0x360
#define APIC_ERROR   0x370
#define APIC_TMICT   0x380
#define APIC_TMCCT   0x390
#define APIC_TDCR    0x3e0

#define APIC_LVT_MASKED   0x10000
#define APIC_DEFAULT_BASE 0xfee00000ul

/* ICR, low half. */
#define APIC_ICR_FIXED   0x00000
#define APIC_ICR_NMI     0x00400
#define APIC_ICR_INIT    0x00500
#define APIC_ICR_STARTUP 0x00600
#define APIC_ICR_BUSY    0x01000
#define APIC_ICR_ASSERT  0x04000
#define APIC_ICR_LEVEL   0x08000

/* Maps the xAPIC registers. Once, on the boot core, after paging_activate. */
void lapic_map(void);

bool lapic_x2apic(void); /* this core, now */

/* Turns x2APIC mode on for this core. There is no way back but through a reset (SDM 11.12.5). */
bool lapic_can_x2apic(void); /* the processor has that mode */
void lapic_enable_x2apic(void);
void lapic_leave_x2apic(void); /* to xAPIC mode; all registers are as after a reset */

uint32_t lapic_id(void);
uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);

/* Sends one interprocessor interrupt to one core by its APIC ID. */
void lapic_ipi(uint32_t apic_id, uint32_t icr_low);

/* Local interrupt sources masked, timer stopped, and everything in service or pending for it
 * acknowledged: the state in which a core is handed to another domain. */
void lapic_quiet(void);

#endif
