/* SPDX-License-Identifier: MIT */
#include "hv/console.h"

#include <stdarg.h>

#include "hv/arch/cpu.h"
#include "hv/arch/serial.h"
#include "hv/arch/spinlock.h"
#include "hv/arch/tsc.h"
#include "hv/lib/fmt.h"
#include "hv/lib/limit.h"

struct log_ring log_ring;
static struct serial serial;
static struct spinlock lock;
static uint32_t max_level = LOG_INFO;
static bool ready;

/* Linux writes to the same port, a character at a time. Its line is open from the first character
 * to the newline, and is not broken unless it stays open for long. */
static bool line_open;
#define LINE_PATIENCE_MS 20

#define GUEST_WARNINGS 10 /* a second */

static void lock_between_lines(void)
{
	uint64_t begin = rdtsc(), ticks = LINE_PATIENCE_MS * tsc_khz();

	spin_lock(&lock);
	while (line_open && rdtsc() - begin < ticks) {
		spin_unlock(&lock);
		pause();
		spin_lock(&lock);
	}
	if (line_open) {
		serial_write(&serial, "\r\n", 2);
		line_open = false;
	}
}

void console_guest_byte(uint8_t c)
{
	spin_lock(&lock);
	serial_write(&serial, (const char *)&c, 1);
	line_open = c != '\n' && (line_open || c != '\r');
	spin_unlock(&lock);
}

uint16_t console_port(void)
{
	return serial.port;
}

static void emit(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		log_ring.text[(log_ring.head + i) % LOG_RING] = text[i];
	__atomic_store_n(&log_ring.head, log_ring.head + len, __ATOMIC_RELEASE);
	for (; len && text[len - 1] == '\n'; len--)
		;
	serial_write(&serial, text, len);
	serial_write(&serial, "\r\n", 2);
}

void console_init(uint16_t port, uint32_t baud)
{
	spin_lock(&lock);
	serial_init(&serial, port, baud);
	ready = true;
	for (uint64_t i = 0; i < log_ring.head && log_ring.head < LOG_RING; i++) {
		if (log_ring.text[i] == '\n')
			serial_write(&serial, "\r", 1);
		serial_write(&serial, &log_ring.text[i], 1);
	}
	spin_unlock(&lock);
}

bool console_ready(void)
{
	return ready;
}

void console_level(uint32_t level)
{
	max_level = level;
}

void console_break_lock(void)
{
	__atomic_store_n(&lock.owner, __atomic_load_n(&lock.next, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
	line_open = false;
	serial_write(&serial, "\r\n", 2);
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const prefix[] = {
	    [LOG_ERROR] = "error: ",
	    [LOG_WARN] = "warning: ",
	    [LOG_INFO] = "",
	    [LOG_DEBUG] = "debug: ",
	};
	char line[LOG_LINE];
	va_list args;
	size_t len;

	if (level > max_level && level != LOG_ERROR)
		return;
	len = fmt(line, sizeof(line), "hv: [%u] %s", this_cpu()->index, prefix[level]);
	va_start(args, format);
	len += vfmt(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	line[len++] = '\n';

	lock_between_lines();
	emit(line, len);
	spin_unlock(&lock);
}

bool log_guest_allowed(void)
{
	static struct limit limit;
	uint32_t dropped;
	bool pass;

	spin_lock(&lock);
	pass = limit_pass(&limit, rdtsc(), tsc_khz() * 1000, GUEST_WARNINGS, &dropped);
	spin_unlock(&lock);
	if (dropped)
		log_warn("%u more warnings of this kind are not shown", dropped);
	return pass;
}

void console_line(const char *prefix, const char *text, size_t len)
{
	char line[LOG_LINE];
	size_t n = fmt(line, sizeof(line) - 1, "%s%.*s", prefix, (int)len, text);

	line[n++] = '\n';
	lock_between_lines();
	emit(line, n);
	spin_unlock(&lock);
}
