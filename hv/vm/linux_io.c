/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_io.h"

#include "hv/arch/serial.h"
#include "hv/arch/trap.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/pci.h"
#include "hv/vm/pci.h"
#include "hv/vm/power.h"

#define PORT_RESET    0xcf9
#define PORT_KEYBOARD 0x64
#define PORT_SYSTEM   0x92
#define SLP_EN        BIT(13)
#define SLP_TYP(pm1)  ((pm1) >> 10 & 7)
#define RESET_CPU     BIT(2) /* of port 0xcf9 */
/* Commands 0xf0 to 0xff of the keyboard controller pulse the outputs whose bit is 0; output 0 is the
 * reset. In the system control port it is bit 0, going from 0 to 1. */
#define PULSES_RESET(command) (((command)&0xf1) == 0xf0)
#define FAST_RESET            BIT(0)

static void trap_port(uint8_t *bitmap, uint64_t port, unsigned int count)
{
	for (; count && port < 0x10000; count--, port++)
		bitmap[port / 8] |= (uint8_t)(1u << (port & 7));
}

void linux_io_bitmap(uint8_t *bitmap)
{
	trap_port(bitmap, PCI_PORT_ADDRESS, 8);
	trap_port(bitmap, PORT_KEYBOARD, 1);
	trap_port(bitmap, PORT_SYSTEM, 1);
	if (console_port())
		trap_port(bitmap, console_port(), 1);
	if (hv.fadt.pm1a_control.space == ACPI_SPACE_IO)
		trap_port(bitmap, hv.fadt.pm1a_control.address, 2);
	if (hv.fadt.flags & ACPI_FADT_RESET_REG_SUP && hv.fadt.reset.space == ACPI_SPACE_IO)
		trap_port(bitmap, hv.fadt.reset.address, 1);
}

static uint32_t port_in(uint16_t port, uint8_t size)
{
	if (port >= PCI_PORT_ADDRESS && port < PCI_PORT_ADDRESS + 8)
		return pci_port_in(port, size);
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

/* False: the write ends Linux. */
static bool port_out(uint16_t port, uint8_t size, uint32_t value)
{
	if (port == PORT_RESET && size == 1 && value & RESET_CPU)
		return power_reset(port, (uint8_t)value);
	if ((port == PORT_KEYBOARD && PULSES_RESET(value)) ||
	    (port == PORT_SYSTEM && value & ~inb(port) & FAST_RESET))
		return power_reset(port, (uint8_t)value);
	/* Of port 0xcf9 the other bits choose the kind of reset. */
	if (hv.fadt.flags & ACPI_FADT_RESET_REG_SUP && hv.fadt.reset.space == ACPI_SPACE_IO &&
	    port == hv.fadt.reset.address && port != PORT_RESET)
		return power_reset(port, (uint8_t)value);
	if (port == hv.fadt.pm1a_control.address && size == 2 && value & SLP_EN) {
		if ((int)SLP_TYP(value) == hv.s5)
			return power_off(port, (uint16_t)value);
		log_guest("Linux: sleep state %u is not supported; ignored", SLP_TYP(value));
		return true;
	}
	if (port == hv.fadt.pm1a_control.address + 1 && value & SLP_EN >> 8) {
		log_guest("Linux: sleep by a byte's write is not supported; ignored");
		return true;
	}
	/* The transmitter of the console's 16550; with LCR.DLAB it is the divisor. */
	if (port == console_port() && port && size == 1 && !(inb(port + UART_LCR) & LCR_DLAB)) {
		console_guest_byte((uint8_t)value);
		return true;
	}
	if (port >= PCI_PORT_ADDRESS && port < PCI_PORT_ADDRESS + 8) {
		pci_port_out(port, size, value);
		return true;
	}
	if (size == 1)
		outb(port, (uint8_t)value);
	else if (size == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
	return true;
}

static bool is_pci(uint32_t port)
{
	return port >= PCI_PORT_ADDRESS && port < PCI_PORT_ADDRESS + 8;
}

/* A word or more that touches a guarded port, but for the registers that are that wide. */
static bool reaches_guarded(const uint8_t *bitmap, uint16_t port, uint8_t size)
{
	if (size == 1 || (is_pci(port) && is_pci(port + size - 1u)) ||
	    (size == 2 && port == hv.fadt.pm1a_control.address))
		return false;
	for (uint32_t p = port; p < (uint32_t)port + size && p < 0x10000; p++)
		if (bitmap[p / 8] >> (p & 7) & 1)
			return true;
	return false;
}

/* Exit qualification for I/O instructions, SDM 3C table 28-5. */
bool linux_io(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	uint8_t size = (uint8_t)((q & 7) + 1);
	uint16_t port = (uint16_t)(q >> 16);
	uint64_t mask = size == 4 ? 0xffffffff : (1ul << (size * 8)) - 1;
	bool in = q & BIT(3), string = q & BIT(4);
	uint32_t value;

	if (string) {
		log_guest("Linux: string I/O to port %#x is not supported: #GP", port);
		vcpu_inject_gp(v);
		return true;
	}
	/* What reaches over a guarded port, from below or being too wide, no driver does. */
	if (reaches_guarded(v->vm->io_bitmap, port, size)) {
		log_guest("Linux: access of %u bytes to port %#x refused: #GP", size, port);
		vcpu_inject_gp(v);
		return true;
	}
	if (in) {
		value = port_in(port, size);
		v->reg[RAX] = size == 4 ? value : (v->reg[RAX] & ~mask) | (value & mask);
	} else if (!port_out(port, size, (uint32_t)(v->reg[RAX] & mask))) {
		return false;
	}
	vcpu_skip(v);
	return true;
}
