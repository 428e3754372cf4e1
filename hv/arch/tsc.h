/* SPDX-License-Identifier: MIT
 *
 * Time: the time-stamp counter, measured once against the ACPI PM timer or the 8254.
 */
#ifndef HV_ARCH_TSC_H
#define HV_ARCH_TSC_H

#include <stdbool.h>
#include <stdint.h>

/* Measures for about 10 ms. pm_timer: I/O port of the PM timer, 0 where there is none. */
void tsc_calibrate(uint16_t pm_timer);

/* 0 before tsc_calibrate(). */
uint64_t tsc_khz(void);

void delay_us(uint64_t us);

#endif
