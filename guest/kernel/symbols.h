/* SPDX-License-Identifier: MIT
 *
 * Names of the kernel's functions, and backtraces with them.
 */
#ifndef GUEST_SYMBOLS_H
#define GUEST_SYMBOLS_H

#include <stdint.h>

/* The function that holds `address`, and the offset in it; NULL: none. */
const char *symbol_of(uint64_t address, uint64_t *offset);
/* Writes the chain of callers that starts at this frame pointer, one line each. */
void backtrace(uint64_t frame);

#endif
