/* SPDX-License-Identifier: MIT
 *
 * ACPI tables as Linux shall see them: a new RSDP and root table, the other tables where they were.
 */
#ifndef HV_LIB_ACPI_REWRITE_H
#define HV_LIB_ACPI_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/acpi.h"

struct acpi_edit {
	const char *signature;
	const void *replacement; /* a whole table, copied and given its checksum; NULL: drop */
};

/*
 * Builds RSDP (revision 2), XSDT, RSDT (when all addresses fit in 32 bits) and the replacements in
 * `buffer`, which lies at the physical address `pa`, 16-byte aligned; the RSDP is its first byte. An
 * edit applies to every table of its signature, sound or not, and a table that could not be read is
 * dropped. Returns the bytes used, or -ENOSPC, -EINVAL (alignment, replacement too short).
 */
int64_t acpi_rewrite(const struct acpi *acpi, const struct acpi_edit *edits, uint32_t count,
		     void *buffer, uint32_t size, uint64_t pa);

#endif
