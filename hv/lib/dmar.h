/* SPDX-License-Identifier: MIT
 *
 * The DMA remapping table, "DMAR" (VT-d specification 4.1, chapter 8).
 */
#ifndef HV_LIB_DMAR_H
#define HV_LIB_DMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/acpi.h"

#define DMAR_INTR_REMAP      (1u << 0) /* dmar_flags() */
#define DMAR_X2APIC_OPT_OUT  (1u << 1)
#define DMAR_PLATFORM_OPT_IN (1u << 2)
#define DMAR_SCOPE_PATH_MAX  8

enum dmar_type {       /* other structure types are skipped */
	DMAR_DRHD = 0, /* a remapping unit */
	DMAR_RMRR = 1, /* memory that firmware's devices go on using */
	DMAR_ATSR = 2, /* root ports that support ATS */
};

struct dmar_entry {
	uint16_t type;
	uint16_t segment;
	bool all;      /* DRHD: all devices of the segment not listed elsewhere; ATSR: all ports */
	uint64_t base; /* DRHD: registers; RMRR: memory */
	uint64_t size; /* DRHD: of the registers; RMRR: of the memory */
	const uint8_t *scopes;
	uint32_t scopes_size;
};

enum dmar_scope_type {
	DMAR_SCOPE_ENDPOINT = 1,
	DMAR_SCOPE_BRIDGE = 2, /* and everything below */
	DMAR_SCOPE_IOAPIC = 3,
	DMAR_SCOPE_HPET = 4,
	DMAR_SCOPE_NAMESPACE = 5,
};

/* The device is reached from bus start_bus by path[0], through path[1], ... each dev << 3 | fn. */
struct dmar_scope {
	uint8_t type;
	uint8_t id; /* of the I/O APIC, HPET block or ACPI name */
	uint8_t start_bus;
	uint8_t path_length;
	uint8_t path[DMAR_SCOPE_PATH_MAX];
};

/* What is wrong with the table, or NULL. acpi_open() calls it. */
const char *dmar_check(const struct acpi_table *dmar);

uint8_t dmar_flags(const struct acpi_table *dmar);
uint8_t dmar_address_width(const struct acpi_table *dmar); /* bits */

/* Both step through a list: start with *at = 0; 1 and an entry, 0 at the end, -EBADMSG. */
int dmar_next(const struct acpi_table *dmar, uint32_t *at, struct dmar_entry *entry);
int dmar_scope_next(const struct dmar_entry *entry, uint32_t *at, struct dmar_scope *scope);

#endif
