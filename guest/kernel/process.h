/* SPDX-License-Identifier: MIT
 *
 * The application: loading, its threads (one for each core), its end, its time limits.
 */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <ix/bootinfo.h>

#include "guest/kernel/cpu.h"

/* Loads the application and makes its first thread ready to run on core 0. */
void process_load(const struct ix_bootinfo *bi);

/* What a core does from start to end: runs the threads it is given, and the network between them. */
_Noreturn void process_core_loop(void);

/* Linux' clone, as pthread_create calls it: a thread on a core that has none. */
int64_t process_clone(const struct regs *r);
/* The calling thread ends (exit), the application ends (exit_group). */
_Noreturn void process_thread_exit(int status);
_Noreturn void process_exit(int status);
/* The application is ended by a signal: a fault of its own, or raise(). */
_Noreturn void process_kill(int signal);
/* Whether it has ended, so that waiting makes no sense. */
bool process_ended(void);

/* On the way to ring 3 after a trap or a call: news from other cores, the time limit. */
void process_user_return(void);

/*
 * Waits, running the network, until *word is not `value`, or until `until` (TSC; UINT64_MAX: no limit).
 * Returns early now and then. Does not return when the application has ended. Who changes the word
 * calls process_notify() afterwards.
 */
void process_wait(const int *word, int value, uint64_t until);
void process_notify(void);
/* The same, leaving the network alone: its own wait. */
void process_wait_bare(const int *word, int value, uint64_t until);
/* What every wait begins with: does not return when the application has ended. */
void process_check(void);

/* The timer's interrupt. */
void process_tick(struct cpu *c, const struct regs *r);
/* The thread has come back through run_io(): its time starts anew. */
void process_watchdog_reset(struct cpu *c);
/* Limits of user time between two run_io() calls, in microseconds; stop 0: none. */
void process_set_limits(uint64_t report_us, uint64_t stop_us);
/* At the end of the application: counters are printed and invariants.c looks at the page tables. */
void process_set_self_check(bool on);

#endif
