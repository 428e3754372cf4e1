/* SPDX-License-Identifier: MIT
 *
 * Included before all else in applications (and libix) that are to run out of memory: see hostile.c.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <stdlib.h>

void *hostile_malloc(size_t n);
void *hostile_calloc(size_t n, size_t size);
void *hostile_realloc(void *p, size_t n);
void *hostile_aligned_alloc(size_t align, size_t n);

#define malloc        hostile_malloc
#define calloc        hostile_calloc
#define realloc       hostile_realloc
#define aligned_alloc hostile_aligned_alloc

#endif
