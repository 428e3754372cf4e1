/* SPDX-License-Identifier: MIT
 *
 * ACPI tables (ACPI 6.5, chapter 5): found, checked, read. There is no AML interpreter.
 *
 * acpi_open() walks the root table once. A table whose length, checksum or structure is wrong is
 * listed as a problem and is not found by acpi_find(); the others are used. The readers below take
 * tables that acpi_find() returned.
 */
#ifndef HV_LIB_ACPI_H
#define HV_LIB_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/physmem.h"

#define ACPI_TABLES_MAX    128
#define ACPI_HEADER_SIZE   36
#define ACPI_RSDP_SIZE     36 /* revision 2 and later; 20 in revision 0 */
#define ACPI_RSDP_OLD_SIZE 20

struct acpi_table {
	uint64_t pa;
	const uint8_t *data; /* whole table with its header; NULL when it may not be read */
	uint32_t length;
	char signature[5];   /* NUL-terminated, "????" when it may not be read */
	const char *problem; /* NULL: usable */
};

struct acpi {
	uint8_t revision; /* of the RSDP: 0 is ACPI 1.0 */
	char oem_id[7];
	bool xsdt;
	uint32_t count;
	uint32_t problems; /* how many of the tables have one */
	struct acpi_table
	    table[ACPI_TABLES_MAX]; /* in the order of the root table, then the DSDT */
};

/*
 * Looks for the RSDP where a BIOS keeps it (ACPI 6.5, 5.2.5.1): first kilobyte of the EBDA, then
 * 0xe0000 to 0xfffff. Returns 0 and a pointer to *size bytes, or -ENOENT.
 */
int acpi_find_rsdp(const struct physmem *mem, const void **rsdp, uint32_t *size);

/*
 * Checks the RSDP (`size` readable bytes) and lists all tables. Returns 0, or -EBADMSG, -EFAULT
 * (root table not readable); then *why says what is wrong.
 */
int acpi_open(struct acpi *acpi, const struct physmem *mem, const void *rsdp, uint32_t size,
	      const char **why);

/* The n-th usable table of that signature, or NULL. */
const struct acpi_table *acpi_find(const struct acpi *acpi, const char *signature, uint32_t n);

/* Byte that makes the sum of `length` bytes zero modulo 256, added to what is there. */
uint8_t acpi_checksum(const void *data, uint32_t length);

/* FADT, "FACP" */
struct acpi_gas {      /* generic address; absent when address is 0 */
	uint8_t space; /* ACPI_SPACE_ */
	uint8_t width; /* bits */
	uint64_t address;
};

#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2

#define ACPI_FADT_RESET_REG_SUP (1u << 10)
#define ACPI_FADT_HW_REDUCED    (1u << 20)

struct acpi_fadt {
	uint16_t sci_irq;
	uint16_t smi_cmd;                  /* port, 0: none */
	uint8_t acpi_enable, acpi_disable; /* values to write there */
	struct acpi_gas pm1a_event, pm1b_event, pm1a_control, pm1b_control;
	uint8_t pm1_event_length; /* bytes: status, then enable */
	struct acpi_gas pm_timer;
	uint32_t flags;        /* ACPI_FADT_ */
	struct acpi_gas reset; /* only when ACPI_FADT_RESET_REG_SUP */
	uint8_t reset_value;
	struct acpi_gas sleep_control, sleep_status; /* hardware-reduced machines */
	uint64_t facs, dsdt;                         /* physical */
};

/* Returns 0 or -EBADMSG; also reads the short table of ACPI 1.0. */
int acpi_fadt(const struct acpi_table *fadt, struct acpi_fadt *out);

/*
 * The values that PM1a_CNT.SLP_TYP and PM1b_CNT.SLP_TYP take to enter a sleep state ('3', '5'), from
 * the package \_Sx_ in the DSDT or an SSDT. Returns 0 or -ENOENT.
 */
int acpi_sleep_type(const struct acpi *acpi, char state, uint8_t *pm1a, uint8_t *pm1b);

/* MADT, "APIC" */
struct acpi_cpu {
	uint32_t apic_id;
	uint32_t uid;
	bool enabled;
	bool online_capable; /* not there yet, may be plugged in */
	bool x2apic;         /* listed as x2APIC */
};

enum acpi_madt_type { /* ACPI 6.5 table 5.21; other types are skipped */
	ACPI_MADT_LAPIC = 0,
	ACPI_MADT_IOAPIC = 1,
	ACPI_MADT_OVERRIDE = 2,
	ACPI_MADT_NMI_SOURCE = 3,
	ACPI_MADT_LAPIC_NMI = 4,
	ACPI_MADT_LAPIC_ADDRESS = 5,
	ACPI_MADT_X2APIC = 9,
	ACPI_MADT_X2APIC_NMI = 10,
};

struct acpi_madt_entry {
	uint8_t type;
	union {
		struct acpi_cpu cpu;
		struct {
			uint8_t id;
			uint32_t address;
			uint32_t gsi_base;
		} ioapic;
		struct {
			uint8_t irq; /* ISA */
			uint32_t gsi;
			uint16_t flags; /* MPS INTI: polarity, trigger mode */
		} override;
		struct {
			uint32_t gsi;
			uint16_t flags;
		} nmi_source;
		struct {
			uint32_t uid; /* UINT32_MAX: all */
			uint16_t flags;
			uint8_t lint;
		} lapic_nmi;
		uint64_t lapic_address;
	};
};

/*
 * Steps through the entries of a known type: start with *at = 0. Returns 1 and an entry, 0 at the
 * end, -EBADMSG when the table is malformed.
 */
int acpi_madt_next(const struct acpi_table *madt, uint32_t *at, struct acpi_madt_entry *entry);

/* Physical address of the local APICs. */
uint64_t acpi_lapic_address(const struct acpi_table *madt);

/* MCFG: memory-mapped configuration space (PCI Firmware 3.3, 4.1.2) */
struct acpi_mcfg {
	uint64_t base; /* of bus 0, even where first_bus is not 0 */
	uint16_t segment;
	uint8_t first_bus, last_bus;
};

/* The n-th window; -ENOENT behind the last one. */
int acpi_mcfg(const struct acpi_table *mcfg, uint32_t n, struct acpi_mcfg *out);

#endif
