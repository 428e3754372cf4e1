/* SPDX-License-Identifier: MIT
 *
 * Checks of the kernel by itself.
 */
#ifndef GUEST_INVARIANTS_H
#define GUEST_INVARIANTS_H

/* Panics if one is broken; says so if all hold. No other core may be running. */
void invariants_check(void);

#endif
