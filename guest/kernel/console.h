/* SPDX-License-Identifier: MIT
 *
 * Console, last words, and the other calls to the hypervisor, or to QEMU's ports without one.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/bootinfo.h>

/* Formats %s %c %d %i %u %x %p %%, with l, ll, z, width and 0. Returns the length it would need. */
int format(char *buf, size_t size, const char *fmt, va_list ap);
int format_to(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void console_init(const struct ix_bootinfo *bi);
/* Whether this is a test boot, without the hypervisor. */
bool is_bare(void);
/* Kernel memory, any length, written as it is. */
void console_write(const char *s, size_t n);
/* A report follows that must not wait for the console's lock: this core may hold it. */
void console_break_lock(void);
/* One line of the kernel; the newline is added. In a test boot "ix[NAME]: " goes before it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tells ixcpd; IX_GEVENT_. */
void tell(uint64_t event, uint64_t argument);
/* Where the statistics lie, and how many bytes they are: for Linux. */
void tell_stats(uint64_t pa, uint64_t size);
/* Ends the domain. */
_Noreturn void domain_exit(int status);
/* Ends the domain because the kernel found itself broken. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the domain because it cannot be run as it was described: application, configuration, sizes. */
_Noreturn void refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(x)                                                             \
	do {                                                                  \
		if (__builtin_expect(!(x), 0))                                \
			panic("%s:%d: not true: %s", __FILE__, __LINE__, #x); \
	} while (0)

/* PCI configuration space of one of the domain's functions. */
uint32_t pci_read(const struct ix_device *d, uint32_t off, uint32_t size);
void pci_write(const struct ix_device *d, uint32_t off, uint32_t size, uint32_t value);

#endif
