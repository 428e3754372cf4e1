/* SPDX-License-Identifier: MIT
 *
 * Linux' futex, for the threads of the one application: a thread waits on its own core.
 */
#ifndef GUEST_FUTEX_H
#define GUEST_FUTEX_H

#include <stdint.h>

int64_t sys_futex(uint64_t addr, uint64_t op, uint64_t val, uint64_t timeout, uint64_t addr2);
int futex_wake(uint64_t addr, unsigned n);

#endif
