/* SPDX-License-Identifier: MIT */
#include "hv/lib/acpi.h"
#include "hv/lib/bytes.h"
#include "hv/lib/dmar.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

/* Lengths of the fixed parts, ACPI 6.5 chapter 5 */
#define FADT_V1_SIZE  116
#define MADT_FIXED    44
#define MCFG_FIXED    44
#define MCFG_ENTRY    16
#define MCFG_BUS_SIZE (1ull << 20) /* PCIe 6.0 7.2.2 */

static int fail(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

uint8_t acpi_checksum(const void *data, uint32_t length)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum += p[i];
	return -sum;
}

static bool is_rsdp(const uint8_t *p)
{
	return !memcmp(p, "RSD PTR ", 8) && !acpi_checksum(p, ACPI_RSDP_OLD_SIZE);
}

/* The RSDP lies on a 16-byte boundary. */
static int scan_rsdp(const struct physmem *mem, uint64_t base, uint32_t length, const void **rsdp,
		     uint32_t *size)
{
	const uint8_t *p = physmem_map(mem, base, length);

	if (!p)
		return -ENOENT;
	for (uint32_t at = 0; at + ACPI_RSDP_OLD_SIZE <= length; at += 16) {
		if (!is_rsdp(p + at))
			continue;
		*rsdp = p + at;
		*size = length - at;
		return 0;
	}
	return -ENOENT;
}

int acpi_find_rsdp(const struct physmem *mem, const void **rsdp, uint32_t *size)
{
	const void *bda = physmem_map(mem, 0x40e, 2); /* segment of the EBDA */
	uint32_t ebda = bda ? get_le16(bda, 0) << 4 : 0;

	if (ebda >= 0x400 && ebda < 0xa0000 && !scan_rsdp(mem, ebda, 1024, rsdp, size))
		return 0;
	return scan_rsdp(mem, 0xe0000, 0x20000, rsdp, size);
}

static const char *check_madt(const struct acpi_table *t)
{
	struct acpi_madt_entry entry;
	uint32_t at = 0;
	int more;

	while ((more = acpi_madt_next(t, &at, &entry)) > 0)
		;
	return more < 0 ? "malformed entry" : NULL;
}

static const char *check_mcfg(const struct acpi_table *t)
{
	struct acpi_mcfg window;

	if (t->length < MCFG_FIXED)
		return "too short";
	for (uint32_t n = 0; !acpi_mcfg(t, n, &window); n++)
		if (window.last_bus < window.first_bus || !is_aligned(window.base, 4096) ||
		    !range_ok(window.base, MCFG_BUS_SIZE * (window.last_bus + 1ull)))
			return "malformed entry";
	return NULL;
}

/* What is wrong inside a table whose length and checksum are right; NULL: nothing. */
static const char *check_structure(const struct acpi_table *t)
{
	if (!strcmp(t->signature, "FACP"))
		return t->length < FADT_V1_SIZE ? "too short" : NULL;
	if (!strcmp(t->signature, "APIC"))
		return check_madt(t);
	if (!strcmp(t->signature, "MCFG"))
		return check_mcfg(t);
	if (!strcmp(t->signature, "DMAR"))
		return dmar_check(t);
	return NULL;
}

/* Fills *t for the table at `pa`; t->problem says whether it is usable. */
static void read_table(const struct physmem *mem, uint64_t pa, struct acpi_table *t)
{
	const uint8_t *header = physmem_map(mem, pa, ACPI_HEADER_SIZE);

	*t = (struct acpi_table){.pa = pa, .signature = "????"};
	if (!header) {
		t->problem = "not readable";
		return;
	}
	memcpy(t->signature, header, 4);
	t->length = get_le32(header, 4);
	if (t->length < ACPI_HEADER_SIZE) {
		t->problem = "length too small";
		return;
	}
	t->data = physmem_map(mem, pa, t->length);
	if (!t->data)
		t->problem = "not readable to its end";
	else if (acpi_checksum(t->data, t->length))
		t->problem = "wrong checksum";
	else
		t->problem = check_structure(t);
}

static void add_table(struct acpi *acpi, const struct physmem *mem, uint64_t pa)
{
	struct acpi_table *t = &acpi->table[acpi->count++];

	read_table(mem, pa, t);
	acpi->problems += t->problem != NULL;
}

int acpi_open(struct acpi *acpi, const struct physmem *mem, const void *rsdp, uint32_t size,
	      const char **why)
{
	const struct acpi_table *fadt;
	struct acpi_fadt fields;
	struct acpi_table root;
	uint64_t root_pa = 0;
	uint32_t entry_size, entries;

	memset(acpi, 0, sizeof(*acpi));
	*why = NULL;
	if (size < ACPI_RSDP_OLD_SIZE || memcmp(rsdp, "RSD PTR ", 8))
		return fail(why, -EBADMSG, "RSDP not found");
	if (acpi_checksum(rsdp, ACPI_RSDP_OLD_SIZE))
		return fail(why, -EBADMSG, "RSDP: wrong checksum");
	memcpy(acpi->oem_id, (const char *)rsdp + 9, 6);
	acpi->revision = get_u8(rsdp, 15);
	/* GRUB hands over the first 20 bytes alone when the extended checksum is wrong. */
	if (acpi->revision >= 2 && size >= ACPI_RSDP_SIZE) {
		uint32_t length = get_le32(rsdp, 20);

		if (length < ACPI_RSDP_SIZE || length > size)
			return fail(why, -EBADMSG, "RSDP: wrong length");
		if (acpi_checksum(rsdp, length))
			return fail(why, -EBADMSG, "RSDP: wrong extended checksum");
		root_pa = get_le64(rsdp, 24);
	}
	acpi->xsdt = root_pa != 0;
	if (!acpi->xsdt)
		root_pa = get_le32(rsdp, 16);

	read_table(mem, root_pa, &root);
	if (!root.data)
		return fail(why, -EFAULT, acpi->xsdt ? "XSDT: not readable" : "RSDT: not readable");
	if (root.problem)
		return fail(why, -EBADMSG,
			    acpi->xsdt ? "XSDT: wrong checksum" : "RSDT: wrong checksum");
	if (strcmp(root.signature, acpi->xsdt ? "XSDT" : "RSDT") != 0)
		return fail(why, -EBADMSG,
			    acpi->xsdt ? "XSDT: wrong signature" : "RSDT: wrong signature");

	entry_size = acpi->xsdt ? 8 : 4;
	entries = (root.length - ACPI_HEADER_SIZE) / entry_size;
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t at = ACPI_HEADER_SIZE + i * entry_size;
		uint64_t pa = acpi->xsdt ? get_le64(root.data, at) : get_le32(root.data, at);

		if (!pa)
			continue;
		if (acpi->count == ACPI_TABLES_MAX - 1) /* one is for the DSDT */
			return fail(why, -ENOSPC, "more tables than supported");
		add_table(acpi, mem, pa);
	}
	fadt = acpi_find(acpi, "FACP", 0);
	if (fadt && !acpi_fadt(fadt, &fields) && fields.dsdt)
		add_table(acpi, mem, fields.dsdt);
	return 0;
}

const struct acpi_table *acpi_find(const struct acpi *acpi, const char *signature, uint32_t n)
{
	for (uint32_t i = 0; i < acpi->count; i++) {
		const struct acpi_table *t = &acpi->table[i];

		if (!t->problem && !strcmp(t->signature, signature) && !n--)
			return t;
	}
	return NULL;
}

static struct acpi_gas get_gas(const struct acpi_table *t, uint32_t at)
{
	struct acpi_gas gas = {0};

	/* ACPI 6.5 table 5.1; a table of an older version ends before later fields. */
	if (t->length >= at + 12) {
		gas.space = t->data[at];
		gas.width = t->data[at + 1];
		gas.address = get_le64(t->data, at + 4);
	}
	return gas;
}

/* A register block that has a 32-bit port since ACPI 1.0 and a generic address since 2.0. */
static struct acpi_gas get_block(const struct acpi_table *t, uint32_t old, uint32_t at,
				 uint8_t length)
{
	struct acpi_gas gas = get_gas(t, at);

	if (!gas.address)
		gas = (struct acpi_gas){ACPI_SPACE_IO, length * 8, get_le32(t->data, old)};
	return gas;
}

int acpi_fadt(const struct acpi_table *fadt, struct acpi_fadt *out)
{
	const uint8_t *p = fadt->data;

	/* Offsets: ACPI 6.5 table 5.9 */
	memset(out, 0, sizeof(*out));
	if (fadt->length < FADT_V1_SIZE)
		return -EBADMSG;
	out->facs = get_le32(p, 36);
	out->dsdt = get_le32(p, 40);
	out->sci_irq = get_le16(p, 46);
	out->smi_cmd = get_le32(p, 48);
	out->acpi_enable = p[52];
	out->acpi_disable = p[53];
	out->pm1_event_length = p[88];
	out->flags = get_le32(p, 112);
	out->pm1a_event = get_block(fadt, 56, 148, p[88]);
	out->pm1b_event = get_block(fadt, 60, 160, p[88]);
	out->pm1a_control = get_block(fadt, 64, 172, p[89]);
	out->pm1b_control = get_block(fadt, 68, 184, p[89]);
	out->pm_timer = get_block(fadt, 76, 208, p[91]);
	if (fadt->length >= 129) {
		out->reset = get_gas(fadt, 116);
		out->reset_value = p[128];
	} else {
		out->flags &= ~ACPI_FADT_RESET_REG_SUP;
	}
	if (fadt->length >= 148) {
		if (get_le64(p, 132))
			out->facs = get_le64(p, 132);
		if (get_le64(p, 140))
			out->dsdt = get_le64(p, 140);
	}
	out->sleep_control = get_gas(fadt, 244);
	out->sleep_status = get_gas(fadt, 256);
	return 0;
}

/* Reads an AML integer constant (ACPI 6.5, 20.2.3) that fits in a byte, and moves *at behind it. */
static bool get_aml_byte(const uint8_t *p, uint32_t length, uint32_t *at, uint8_t *value)
{
	uint32_t size;

	if (*at >= length)
		return false;
	switch (p[*at]) {
	case 0x00: /* ZeroOp */
	case 0x01: /* OneOp */
		*value = p[(*at)++];
		return true;
	case 0x0a: /* BytePrefix */
		size = 1;
		break;
	case 0x0b: /* WordPrefix */
		size = 2;
		break;
	case 0x0c: /* DWordPrefix */
		size = 4;
		break;
	default:
		return false;
	}
	if (length - *at <= size)
		return false;
	for (uint32_t i = 2; i <= size; i++)
		if (p[*at + i])
			return false;
	*value = p[*at + 1];
	*at += 1 + size;
	return true;
}

/* Reads Name(_Sx_, Package(){a, b, ...}), `at` being the offset of the name. */
static bool get_sleep_package(const struct acpi_table *t, uint32_t at, uint8_t *a, uint8_t *b)
{
	const uint8_t *p = t->data;

	/* NameOp before the name, with or without a root prefix: ACPI 6.5, 20.2.5.1 */
	if (p[at - 1] != 0x08 && !(p[at - 1] == '\\' && p[at - 2] == 0x08))
		return false;
	at += 4;
	if (t->length - at < 4 || p[at++] != 0x12) /* PackageOp */
		return false;
	at += 1 + (p[at] >> 6);             /* PkgLength, 20.2.4 */
	if (at >= t->length || p[at++] < 2) /* NumElements */
		return false;
	return get_aml_byte(p, t->length, &at, a) && get_aml_byte(p, t->length, &at, b) && *a < 8 &&
	       *b < 8;
}

static int find_sleep_type(const struct acpi_table *t, char state, uint8_t *a, uint8_t *b)
{
	const char name[4] = {'_', 'S', state, '_'};

	for (uint32_t at = ACPI_HEADER_SIZE + 2; t->length - at >= 4 && at < t->length; at++)
		if (!memcmp(t->data + at, name, 4) && get_sleep_package(t, at, a, b))
			return 0;
	return -ENOENT;
}

int acpi_sleep_type(const struct acpi *acpi, char state, uint8_t *pm1a, uint8_t *pm1b)
{
	static const char tables[][5] = {"DSDT", "SSDT"};

	for (uint32_t i = 0; i < 2; i++) {
		const struct acpi_table *t;

		for (uint32_t n = 0; (t = acpi_find(acpi, tables[i], n)); n++)
			if (!find_sleep_type(t, state, pm1a, pm1b))
				return 0;
	}
	return -ENOENT;
}

int acpi_madt_next(const struct acpi_table *madt, uint32_t *at, struct acpi_madt_entry *e)
{
	/* Smallest length of each type, 0: not known (ACPI 6.5, 5.2.12.2 to 5.2.12.13) */
	static const uint8_t minimum[] = {8, 12, 10, 8, 6, 12, 0, 0, 0, 16, 12};

	if (!*at)
		*at = MADT_FIXED;
	if (madt->length < MADT_FIXED)
		return -EBADMSG;
	while (*at < madt->length) {
		const uint8_t *p = madt->data + *at;
		uint32_t left = madt->length - *at, flags;

		if (left < 2 || p[1] < 2 || p[1] > left)
			return -EBADMSG;
		*at += p[1];
		if (p[0] >= sizeof(minimum) || !minimum[p[0]])
			continue;
		if (p[1] < minimum[p[0]])
			return -EBADMSG;
		memset(e, 0, sizeof(*e));
		e->type = p[0];
		switch (e->type) {
		case ACPI_MADT_LAPIC:
		case ACPI_MADT_X2APIC:
			e->cpu.x2apic = e->type == ACPI_MADT_X2APIC;
			e->cpu.uid = e->cpu.x2apic ? get_le32(p, 12) : p[2];
			e->cpu.apic_id = e->cpu.x2apic ? get_le32(p, 4) : p[3];
			flags = e->cpu.x2apic ? get_le32(p, 8) : get_le32(p, 4);
			/* Firmware fills unused slots with the ID that means nobody. */
			e->cpu.enabled =
			    flags & 1 && e->cpu.apic_id != (e->cpu.x2apic ? UINT32_MAX : 0xff);
			e->cpu.online_capable = !e->cpu.enabled && flags & 2;
			break;
		case ACPI_MADT_IOAPIC:
			e->ioapic.id = p[2];
			e->ioapic.address = get_le32(p, 4);
			e->ioapic.gsi_base = get_le32(p, 8);
			break;
		case ACPI_MADT_OVERRIDE:
			e->override.irq = p[3];
			e->override.gsi = get_le32(p, 4);
			e->override.flags = get_le16(p, 8);
			break;
		case ACPI_MADT_NMI_SOURCE:
			e->nmi_source.flags = get_le16(p, 2);
			e->nmi_source.gsi = get_le32(p, 4);
			break;
		case ACPI_MADT_LAPIC_NMI:
			e->lapic_nmi.uid = p[2] == 0xff ? UINT32_MAX : p[2];
			e->lapic_nmi.flags = get_le16(p, 3);
			e->lapic_nmi.lint = p[5];
			break;
		case ACPI_MADT_X2APIC_NMI:
			e->lapic_nmi.flags = get_le16(p, 2);
			e->lapic_nmi.uid = get_le32(p, 4);
			e->lapic_nmi.lint = p[8];
			break;
		case ACPI_MADT_LAPIC_ADDRESS:
			e->lapic_address = get_le64(p, 4);
			break;
		}
		return 1;
	}
	return 0;
}

uint64_t acpi_lapic_address(const struct acpi_table *madt)
{
	struct acpi_madt_entry e;
	uint32_t at = 0;

	while (acpi_madt_next(madt, &at, &e) > 0)
		if (e.type == ACPI_MADT_LAPIC_ADDRESS)
			return e.lapic_address;
	return get_le32(madt->data, 36);
}

int acpi_mcfg(const struct acpi_table *mcfg, uint32_t n, struct acpi_mcfg *out)
{
	const uint8_t *p = mcfg->data + MCFG_FIXED;

	if (n >= (mcfg->length - MCFG_FIXED) / MCFG_ENTRY)
		return -ENOENT;
	p += n * MCFG_ENTRY;
	out->base = get_le64(p, 0);
	out->segment = get_le16(p, 8);
	out->first_bus = p[10];
	out->last_bus = p[11];
	return 0;
}
