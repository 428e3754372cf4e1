/* SPDX-License-Identifier: MIT
 *
 * The end: something that cannot be has happened in the hypervisor. Says what, where and why on the
 * console, stops every core, and halts.
 */
#ifndef HV_PANIC_H
#define HV_PANIC_H

#include <stdnoreturn.h>

#include "hv/arch/trap.h"

noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As above, with the registers of an exception. */
noreturn void panic_trap(const struct trap_frame *frame, const char *what);

/* A machine that cannot run Ironix: one plain line "REFUSED: ...", and a halt with all cores quiet.
 */
noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Halts this core for ever, interrupts off. */
noreturn void halt_forever(void);

#endif
