/* SPDX-License-Identifier: MIT
 *
 * The memory that domains are made of, handed out in units of 2 MB.
 *
 * The pool is a memory map in which free memory is MEM_RAM and memory in use MEM_RESERVED.
 */
#ifndef HV_LIB_POOL_H
#define HV_LIB_POOL_H

#include <stdint.h>

#include "hv/lib/memmap.h"
#include "hv/lib/range.h"

#define POOL_UNIT (2ull << 20)

/* Adds memory to the pool; what does not fill whole units stays out. Returns 0, -EINVAL, -ENOSPC. */
int pool_add(struct memmap *pool, uint64_t base, uint64_t size);

/*
 * Takes `size` bytes, a multiple of the unit, in as few ranges as possible, at most `max`, ascending.
 * Returns their number; or -EINVAL, -ENOMEM (nothing is then taken), -ENOSPC.
 */
int pool_take(struct memmap *pool, uint64_t size, struct range *ranges, uint32_t max);

/* Gives ranges back. Returns 0, or -EINVAL when a part of them is not in use: nothing is changed. */
int pool_give(struct memmap *pool, const struct range *ranges, uint32_t count);

#endif
