/* SPDX-License-Identifier: MIT
 * Input: physical memory from 0 on, with the RSDP at 0 and its root table at 64. Checksums are made
 * right on the way, and every range handed out is a block of its own, to catch reads past its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/acpi.h"
#include "hv/lib/acpi_rewrite.h"
#include "hv/lib/bytes.h"
#include "hv/lib/dmar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t size;
	void *block[4 * ACPI_TABLES_MAX];
	unsigned int blocks;
};

static const void *map(void *ctx, uint64_t pa, uint64_t len)
{
	struct memory *m = ctx;
	uint8_t *copy;

	if (pa > m->size || len > m->size - pa || m->blocks == 4 * ACPI_TABLES_MAX)
		return NULL;
	copy = malloc(len + !len);
	memcpy(copy, m->data + pa, len);
	if (len > ACPI_HEADER_SIZE) {
		copy[9] = 0;
		copy[9] = acpi_checksum(copy, len);
	}
	m->block[m->blocks++] = copy;
	return copy;
}

static void read_all(const struct acpi *acpi)
{
	const struct acpi_table *t;
	struct acpi_fadt fadt;
	struct acpi_mcfg mcfg;
	static uint8_t out[65536];
	struct acpi_edit edits[] = {{"DMAR", NULL}, {"MCFG", NULL}};
	uint32_t n, edit_count = 1;
	uint8_t a, b;

	if ((t = acpi_find(acpi, "FACP", 0)))
		acpi_fadt(t, &fadt);
	if ((t = acpi_find(acpi, "MCFG", 0)))
		for (n = 0; !acpi_mcfg(t, n, &mcfg); n++)
			;
	if ((t = acpi_find(acpi, "DMAR", 0))) {
		struct dmar_entry e;

		for (uint32_t at = 0; dmar_next(t, &at, &e) > 0;) {
			struct dmar_scope s;

			for (uint32_t scope_at = 0; dmar_scope_next(&e, &scope_at, &s) > 0;)
				;
		}
	}
	if ((t = acpi_find(acpi, "APIC", 0)) && acpi_lapic_address(t) & 1)
		edit_count = 2;
	acpi_sleep_type(acpi, '5', &a, &b);
	if (acpi_rewrite(acpi, edits, edit_count, out, sizeof(out), 0x1000) > 0 &&
	    acpi_checksum(out, ACPI_RSDP_SIZE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory m;
	static struct acpi acpi;
	struct physmem mem = {map, &m};
	uint8_t rsdp[ACPI_RSDP_SIZE];
	const char *why;

	if (size < ACPI_RSDP_SIZE || size > 65536)
		return 0;
	m = (struct memory){.data = data, .size = size};
	memcpy(rsdp, data, sizeof(rsdp));
	rsdp[8] = 0;
	rsdp[8] = acpi_checksum(rsdp, ACPI_RSDP_OLD_SIZE);
	rsdp[32] = 0;
	rsdp[32] = acpi_checksum(rsdp, ACPI_RSDP_SIZE);
	if (!acpi_open(&acpi, &mem, rsdp, sizeof(rsdp), &why))
		read_all(&acpi);
	while (m.blocks)
		free(m.block[--m.blocks]);
	return 0;
}
