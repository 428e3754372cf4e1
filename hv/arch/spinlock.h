/* SPDX-License-Identifier: MIT
 *
 * A ticket lock. Root mode never takes interrupts, so nothing else is needed; an NMI handler takes
 * no lock.
 */
#ifndef HV_ARCH_SPINLOCK_H
#define HV_ARCH_SPINLOCK_H

#include <stdint.h>

#include "hv/arch/x86.h"

struct spinlock {
	uint32_t next, owner;
};

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
		pause();
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}

#endif
