/* SPDX-License-Identifier: MIT
 *
 * Text formatting without a C library.
 *
 * A subset of printf: %c %s %.*s %d %i %u %x %X %p %% with the flags '0', '-' and '#', a field width
 * (number or *), a precision for %s, and the length modifiers l, ll and z. Anything else in the
 * format is copied as it stands, so that a mistake shows in the output and hurts nothing.
 */
#ifndef HV_LIB_FMT_H
#define HV_LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size bytes with the NUL, always NUL-terminates if size > 0. Returns the length
 * that was written, without the NUL: never more than size - 1. */
size_t fmt(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t vfmt(char *buf, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
