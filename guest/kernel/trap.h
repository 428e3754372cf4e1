/* SPDX-License-Identifier: MIT
 *
 * Handlers that entry.S calls with interrupts off.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "guest/kernel/cpu.h"

void trap_handle(struct regs *r);
void trap_ist_handle(struct regs *r);
void syscall_handle(struct regs *r);
void regs_print(const struct regs *r);

#endif
