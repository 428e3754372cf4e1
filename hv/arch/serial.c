/* SPDX-License-Identifier: MIT */
#include "hv/arch/serial.h"

#include "hv/arch/x86.h"

/* PC16550D registers, at offsets from the base. */
#define UART_THR     0
#define UART_DLL     0 /* while LCR.DLAB */
#define UART_IER     1
#define UART_DLM     1 /* while LCR.DLAB */
#define UART_FCR     2
#define UART_MCR     4
#define UART_LSR     5
#define LCR_8N1      0x03
#define FCR_ENABLE   0x07 /* enable and clear both FIFOs */
#define MCR_DTR_RTS  0x03
#define LSR_THR_FREE 0x20

#define UART_CLOCK    115200
#define TRANSMIT_SPIN 100000 /* polls; a byte takes under 1 ms even at 9600 baud */

void serial_init(struct serial *s, uint16_t port, uint32_t baud)
{
	uint32_t divisor = baud ? UART_CLOCK / baud : 1;

	s->port = 0;
	if (inb(port + UART_LSR) == 0xff)
		return;
	s->port = port;
	outb(port + UART_IER, 0);
	outb(port + UART_LCR, LCR_DLAB);
	outb(port + UART_DLL, (uint8_t)divisor);
	outb(port + UART_DLM, (uint8_t)(divisor >> 8));
	outb(port + UART_LCR, LCR_8N1);
	outb(port + UART_FCR, FCR_ENABLE);
	outb(port + UART_MCR, MCR_DTR_RTS);
}

void serial_write(struct serial *s, const char *text, size_t len)
{
	if (!s->port)
		return;
	for (; len; len--, text++) {
		for (unsigned int i = 0; i < TRANSMIT_SPIN; i++) {
			if (inb(s->port + UART_LSR) & LSR_THR_FREE)
				break;
			pause();
		}
		outb(s->port + UART_THR, (uint8_t)*text);
	}
}
