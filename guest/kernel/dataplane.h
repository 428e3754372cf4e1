/* SPDX-License-Identifier: MIT
 *
 * The dataplane of this domain: its configuration, its NIC, and a dataplane core (guest/core/) on each
 * CPU core.
 */
#ifndef GUEST_DATAPLANE_H
#define GUEST_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include <ix/bootinfo.h>

#include "guest/kernel/cpu.h"

/* Reads the configuration; brings up the NIC and all cores. Core 0, once. */
void dataplane_init(const struct ix_bootinfo *bi);

/* Native calls of <ix/abi.h>. */
int64_t dataplane_call(struct cpu *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t d);

/* One cycle of the network without the application; does nothing where there is no network. */
void dataplane_background(struct cpu *c);

/* Whether the core has a network that wants to be run now and then. */
bool dataplane_active(const struct cpu *c);

/* Counters of all cores that are not zero, on the console; for test boots. */
void dataplane_say_stats(void);

/*
 * The thread on this core has ended. What it had sent goes out, then the connections that it has not closed are
 * reset; all that takes a while at most. last: so has the application, and this core comes to rest.
 */
void dataplane_end(struct cpu *c, bool last);

#endif
