/* SPDX-License-Identifier: MIT
 *
 * What decides how memory is cached: the MTRRs and the PAT. They must be the same on all cores (SDM
 * 3A 12.11.8), and firmware does not always leave them so on the cores that it did not boot on.
 */
#ifndef HV_ARCH_CACHE_H
#define HV_ARCH_CACHE_H

#include <stdbool.h>

/* On the boot core: remembers its settings, and IA32_MISC_ENABLE. */
void cache_save(void);

/* On any other core: takes them over. True when something was different. */
bool cache_load(void);

#endif
