/* SPDX-License-Identifier: MIT
 *
 * Spin locks, for what is off the data path. Interrupts are off in the kernel, so none can interrupt a
 * holder.
 */
#ifndef GUEST_LOCK_H
#define GUEST_LOCK_H

#include "guest/kernel/x86.h"

struct lock {
	int held;
};

static inline void lock(struct lock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			cpu_pause();
}

static inline void unlock(struct lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif
