/* SPDX-License-Identifier: MIT
 *
 * The hypervisor's log: lines on the serial console, and a ring in memory that Linux can read.
 *
 * A line is written whole, under a lock: lines of different cores never mix. Each has the form
 *   hv: [<core>] <level: ><text>
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of syslog (RFC 5424 table 2), as Linux's loglevel= uses them. */
enum log_level {
	LOG_ERROR = 3,
	LOG_WARN = 4,
	LOG_INFO = 6,
	LOG_DEBUG = 7
};

#define LOG_LINE 240 /* longer lines are cut */

/* The ring: `head` counts all bytes ever written; the last LOG_RING of them are in text[head %
 * LOG_RING ...]. */
#define LOG_RING 0x10000
struct log_ring {
	uint64_t head;
	char text[LOG_RING];
};
extern struct log_ring log_ring;

/* Console on the serial port at `port` (0: none), at `baud`. Lines logged before are repeated. */
void console_init(uint16_t port, uint32_t baud);

/* Has console_init() been called? */
bool console_ready(void);

/* Lines above this level are dropped; errors never are. */
void console_level(uint32_t level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* A warning that a guest can cause at will: some pass each second, of the rest the number is told. */
bool log_guest_allowed(void);
#define log_guest(...)                         \
	do {                                   \
		if (log_guest_allowed())       \
			log_warn(__VA_ARGS__); \
	} while (0)

/* Writes a line as it stands, with no prefix: a dataplane's console. `len` bytes, newline added. */
void console_line(const char *prefix, const char *text, size_t len);

/*
 * One serial port serves the hypervisor, the dataplanes and Linux. Linux's driver owns its registers,
 * but for the transmitter: a byte that Linux sends comes here. A line of somebody else waits, for a
 * short time, until Linux's has ended.
 */
void console_guest_byte(uint8_t c);
uint16_t console_port(void); /* 0: none */

/* From now on the console is the caller's alone: a panic writes whoever held the lock. */
void console_break_lock(void);

#endif
