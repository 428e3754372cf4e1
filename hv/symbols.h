/* SPDX-License-Identifier: MIT
 *
 * Names for addresses in the hypervisor's text, for backtraces. The table is made from the linked
 * image by scripts/mksyms and linked in a second time.
 */
#ifndef HV_SYMBOLS_H
#define HV_SYMBOLS_H

#include <stdint.h>

/* The function that holds the address and the offset in it; "?" where there is none. */
const char *symbol_name(uint64_t address, uint64_t *offset);

#endif
