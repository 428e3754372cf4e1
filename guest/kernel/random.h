/* SPDX-License-Identifier: MIT
 *
 * Random numbers for secrets: RDRAND where there is one, mixed with the TSC.
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stddef.h>

/* Call once for each core's sake: mixes in what `seed` points at. */
void random_seed(const void *seed, size_t n);
void random_bytes(void *to, size_t n);

#endif
