/* SPDX-License-Identifier: MIT
 *
 * A 16550 serial port, polled. Output only; what comes in is left to whoever owns the port.
 */
#ifndef HV_ARCH_SERIAL_H
#define HV_ARCH_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#define UART_LCR 3    /* line control register, from the base */
#define LCR_DLAB 0x80 /* registers 0 and 1 are the divisor */

struct serial {
	uint16_t port; /* I/O base; 0: no serial port, output goes nowhere */
};

/* Programs 8N1 at `baud`. A port that is not there (reads all ones) sets s->port to 0. */
void serial_init(struct serial *s, uint16_t port, uint32_t baud);

/* Writes each byte once the transmitter takes it, waiting for a bounded time. */
void serial_write(struct serial *s, const char *text, size_t len);

#endif
