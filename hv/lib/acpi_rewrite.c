/* SPDX-License-Identifier: MIT */
#include "hv/lib/acpi_rewrite.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define CHECKSUM_AT 9 /* in every table but the RSDP */

/* Memory handed out from the front of the caller's buffer. */
struct arena {
	uint8_t *base;
	uint64_t size, used;
};

static uint8_t *take(struct arena *a, uint64_t size)
{
	uint64_t at = (a->used + 15) & ~15ull;

	if (!range_contains(0, a->size, at, size))
		return NULL;
	a->used = at + size;
	memset(a->base + at, 0, size);
	return a->base + at;
}

static void finish_table(uint8_t *table, uint32_t length)
{
	put_le32(table, 4, length);
	table[CHECKSUM_AT] = 0;
	table[CHECKSUM_AT] = acpi_checksum(table, length);
}

static const struct acpi_edit *find_edit(const struct acpi_edit *edits, uint32_t count,
					 const struct acpi_table *t)
{
	for (uint32_t i = 0; i < count; i++)
		if (!strcmp(edits[i].signature, t->signature))
			return &edits[i];
	return NULL;
}

/* Header of a root table: ACPI 6.5 tables 5.4, 5.7 and 5.8 */
static void begin_root(uint8_t *table, const char *signature, const struct acpi *acpi)
{
	memcpy(table, signature, 4);
	table[8] = 1; /* revision */
	memcpy(table + 10, acpi->oem_id, 6);
	memcpy(table + 16, "IRONIX  ", 8);
	put_le32(table, 24, 1);
	memcpy(table + 28, "IX  ", 4);
	put_le32(table, 32, 1);
}

int64_t acpi_rewrite(const struct acpi *acpi, const struct acpi_edit *edits, uint32_t count,
		     void *buffer, uint32_t size, uint64_t pa)
{
	struct arena arena = {buffer, size, 0};
	bool low = pa + size <= UINT32_MAX;
	uint8_t *rsdp, *xsdt, *rsdt;
	uint32_t n = 0;

	if (!is_aligned(pa, 16) || !range_ok(pa, size))
		return -EINVAL;
	rsdp = take(&arena, ACPI_RSDP_SIZE);
	xsdt = take(&arena, ACPI_HEADER_SIZE + 8 * acpi->count);
	rsdt = take(&arena, ACPI_HEADER_SIZE + 4 * acpi->count);
	if (!rsdp || !xsdt || !rsdt)
		return -ENOSPC;
	begin_root(xsdt, "XSDT", acpi);
	begin_root(rsdt, "RSDT", acpi);

	for (uint32_t i = 0; i < acpi->count; i++) {
		const struct acpi_table *t = &acpi->table[i];
		const struct acpi_edit *edit = find_edit(edits, count, t);
		uint64_t table_pa = t->pa;

		/* The DSDT belongs to the FADT, not to the root table. */
		if (!t->data || !strcmp(t->signature, "DSDT") || (edit && !edit->replacement))
			continue;
		if (edit) {
			uint32_t length = get_le32(edit->replacement, 4);
			uint8_t *copy;

			if (length < ACPI_HEADER_SIZE)
				return -EINVAL;
			copy = take(&arena, length);
			if (!copy)
				return -ENOSPC;
			memcpy(copy, edit->replacement, length);
			finish_table(copy, length);
			table_pa = pa + (copy - arena.base);
		}
		low = low && table_pa <= UINT32_MAX;
		put_le64(xsdt, ACPI_HEADER_SIZE + 8 * n, table_pa);
		put_le32(rsdt, ACPI_HEADER_SIZE + 4 * n, table_pa);
		n++;
	}
	finish_table(xsdt, ACPI_HEADER_SIZE + 8 * n);
	finish_table(rsdt, ACPI_HEADER_SIZE + 4 * n);

	/* ACPI 6.5 table 5.3 */
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, acpi->oem_id, 6);
	rsdp[15] = 2;
	put_le32(rsdp, 16, low ? pa + (rsdt - arena.base) : 0);
	put_le32(rsdp, 20, ACPI_RSDP_SIZE);
	put_le64(rsdp, 24, pa + (xsdt - arena.base));
	rsdp[8] = acpi_checksum(rsdp, ACPI_RSDP_OLD_SIZE);
	rsdp[32] = acpi_checksum(rsdp, ACPI_RSDP_SIZE);
	return arena.used;
}
