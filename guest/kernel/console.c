/* SPDX-License-Identifier: MIT
 *
 * Console, events and exit: calls to the hypervisor, or ports without one.
 */
#include <errno.h>

#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/lock.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/string.h"
#include "guest/kernel/symbols.h"

#define PORT_COM1    0x3f8
#define PORT_DEBUG   0xe9
#define PORT_EXIT    0xf4 /* QEMU isa-debug-exit: status = value << 1 | 1 */
#define EXIT_PANIC   126
#define EXIT_REFUSED 125
#define CALL_MAX     4096 /* bytes per IX_GCALL_CONSOLE */

static bool bare __ro_after_init;
static char name[IX_NAME_LEN] __ro_after_init;
static struct lock console_lock;
static char line[512]; /* under console_lock */

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	int64_t ret;

	__asm__ volatile("vmcall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "c"(d)
			 : "memory");
	return ret;
}

void console_init(const struct ix_bootinfo *bi)
{
	bare = bi->flags & IX_BOOT_BARE;
	memcpy(name, bi->name, sizeof(name) - 1);
}

bool is_bare(void)
{
	return bare;
}

/* `s` lies in memory that is contiguous: kernel image, direct map or a core's area. */
static void write_raw(const char *s, size_t n)
{
	if (bare) {
		for (size_t i = 0; i < n; i++) {
			while (!(in8(PORT_COM1 + 5) & 0x20))
				cpu_pause();
			out8(PORT_COM1, (uint8_t)s[i]);
		}
		return;
	}
	for (size_t part; n; s += part, n -= part) {
		part = n < CALL_MAX ? n : CALL_MAX;
		hypercall(IX_GCALL_CONSOLE, virt_to_phys(s), part, 0, 0);
	}
}

/* Whoever holds the lock may be the one that failed: it is not waited for. */
void console_break_lock(void)
{
	unlock(&console_lock);
}

void console_write(const char *s, size_t n)
{
	lock(&console_lock);
	write_raw(s, n);
	unlock(&console_lock);
}

/* The hypervisor puts the name before each line; without it, that is done here. */
static size_t format_line(const char *fmt, va_list ap)
{
	size_t n = bare ? (size_t)format_to(line, sizeof(line), "ix[%s]: ", name) : 0;

	n += (size_t)format(line + n, sizeof(line) - 1 - n, fmt, ap);
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	return n;
}

void say(const char *fmt, ...)
{
	va_list ap;

	lock(&console_lock);
	va_start(ap, fmt);
	write_raw(line, format_line(fmt, ap));
	va_end(ap);
	unlock(&console_lock);
}

void tell(uint64_t event, uint64_t argument)
{
	if (!bare)
		hypercall(IX_GCALL_EVENT, event, argument, 0, 0);
}

void tell_stats(uint64_t pa, uint64_t size)
{
	if (!bare)
		hypercall(IX_GCALL_STATS, pa, size, 0, 0);
}

static _Noreturn void stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void domain_exit(int status)
{
	if (bare)
		out32(PORT_EXIT, (uint32_t)status);
	else
		hypercall(IX_GCALL_EXIT, (uint32_t)status, 0, 0, 0);
	stop();
}

static _Noreturn void die(const char *prefix, bool trace, const char *fmt, va_list ap)
{
	static int dying;
	static char reason[sizeof(line)];

	if (__atomic_exchange_n(&dying, 1, __ATOMIC_ACQ_REL))
		stop();
	size_t n = (size_t)format(reason, sizeof(reason), fmt, ap);

	if (n >= sizeof(reason))
		n = sizeof(reason) - 1;
	console_break_lock();
	say("%s%s", prefix, reason);
	if (trace)
		backtrace((uint64_t)__builtin_frame_address(0));
	if (bare)
		out32(PORT_EXIT, trace ? EXIT_PANIC : EXIT_REFUSED);
	else
		hypercall(IX_GCALL_PANIC, virt_to_phys(reason), n, 0, 0);
	stop();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	die("kernel panic: ", true, fmt, ap);
	/* cppcheck-suppress va_end_missing ; not reached */
}

void refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	die("", false, fmt, ap);
	/* cppcheck-suppress va_end_missing ; not reached */
}

uint32_t pci_read(const struct ix_device *d, uint32_t off, uint32_t size)
{
	if (!bare)
		return (uint32_t)hypercall(IX_GCALL_PCI_READ, d->index, off, size, 0);
	out32(0xcf8, 0x80000000u | (uint32_t)d->bdf << 8 | (off & 0xfc));
	if (size == 1)
		return in8((uint16_t)(0xcfc + (off & 3)));
	if (size == 2)
		return in16((uint16_t)(0xcfc + (off & 2)));
	return in32(0xcfc);
}

void pci_write(const struct ix_device *d, uint32_t off, uint32_t size, uint32_t value)
{
	if (!bare) {
		hypercall(IX_GCALL_PCI_WRITE, d->index, off, size, value);
		return;
	}
	out32(0xcf8, 0x80000000u | (uint32_t)d->bdf << 8 | (off & 0xfc));
	if (size == 1)
		out8((uint16_t)(0xcfc + (off & 3)), (uint8_t)value);
	else if (size == 2)
		out16((uint16_t)(0xcfc + (off & 2)), (uint16_t)value);
	else
		out32(0xcfc, value);
}
