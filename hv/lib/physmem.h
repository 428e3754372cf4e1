/* SPDX-License-Identifier: MIT
 *
 * How a parser reads physical memory: it asks for a range and gets a pointer to all of it, or NULL
 * where that range may not be read. The pointer must stay good for as long as the parser's results,
which may point into it, are used.
 */
#ifndef HV_LIB_PHYSMEM_H
#define HV_LIB_PHYSMEM_H

#include <stdint.h>

struct physmem {
	const void *(*map)(void *ctx, uint64_t pa, uint64_t len);
	void *ctx;
};

static inline const void *physmem_map(const struct physmem *mem, uint64_t pa, uint64_t len)
{
	return mem->map(mem->ctx, pa, len);
}

#endif
