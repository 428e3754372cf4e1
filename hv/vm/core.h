/* SPDX-License-Identifier: MIT
 *
 * A core between guests, and who owns it.
 *
 *   VM_LINUX  waits for Linux's SIPI, or runs Linux
 *   VM_NONE   the hypervisor's: waits for a dataplane, or to be Linux's again
 *   id        a dataplane's, while that runs
 */
#ifndef HV_VM_CORE_H
#define HV_VM_CORE_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "hv/arch/cpu.h"

/* The loop of every core: never returns. */
noreturn void core_loop(struct cpu *cpu);

/* Linux gives up a core that it has taken offline / gets one back. 0, or -ENODEV, -EBUSY, -EPERM,
 * -ETIMEDOUT with *why. */
int core_give(uint32_t apic_id, const char **why);
int core_take(uint32_t apic_id, const char **why);

#endif
