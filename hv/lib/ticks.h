/* SPDX-License-Identifier: MIT */
#ifndef HV_LIB_TICKS_H
#define HV_LIB_TICKS_H

#include <stdint.h>

/* Ticks of a counter of so many kHz in nanoseconds, for all that the counter can reach in its life. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t khz)
{
	return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

#endif
