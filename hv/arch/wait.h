/* SPDX-License-Identifier: MIT */
#ifndef HV_ARCH_WAIT_H
#define HV_ARCH_WAIT_H

#include "hv/arch/cpu.h"

/* Sleeps until somebody puts a request into this core's mailbox; returns at once if one is there.
 * May return early. */
void cpu_wait(struct cpu *cpu);

#endif
