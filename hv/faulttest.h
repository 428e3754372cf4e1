/* SPDX-License-Identifier: MIT
 *
 * Faults on purpose, so that tests can see what the hypervisor does with its own mistakes: the
 * command line's test= option (docs/boot.md). Without it nothing here does anything.
 */
#ifndef HV_FAULTTEST_H
#define HV_FAULTTEST_H

#include "hv/arch/cpu.h"

/* On the boot core, with the final page tables and stacks, before other cores are started. */
void fault_test_boot(void);

/* On each core once all are in VMX root mode. */
void fault_test_core(const struct cpu *cpu);

#endif
