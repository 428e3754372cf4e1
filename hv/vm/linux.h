/* SPDX-License-Identifier: MIT
 *
 * The control VM: an unmodified Linux.
 */
#ifndef HV_VM_LINUX_H
#define HV_VM_LINUX_H

#include <stdnoreturn.h>

#include "hv/arch/cpu.h"

/* On the boot core, once all others wait in linux_ap: loads the kernel and runs it. */
noreturn void linux_start(void);

/* Any other core: waits for Linux to start it, or for a dataplane. */
noreturn void linux_ap(struct cpu *cpu);

/* Linux has ended, as `why` says: all its cores stop, the rest of the system goes on. */
void linux_end(const char *why);

#endif
