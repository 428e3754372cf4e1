/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/acpi.h"
#include "hv/lib/acpi_rewrite.h"
#include "hv/lib/bytes.h"
#include "hv/lib/dmar.h"
#include "hv/lib/errno.h"

/* Physical memory from 0 on. Tables are laid out by hand and then sealed with a checksum. */
#define MEMORY 0x110000
static uint8_t memory[MEMORY];
static struct acpi acpi;
static const char *why;

/* Tables are handed out as blocks of their own, so that a read past their end is seen. */
static void *block[1024];
static unsigned int blocks;

static const void *map(void *ctx, uint64_t pa, uint64_t len)
{
	(void)ctx;
	if (pa > MEMORY || len > MEMORY - pa)
		return NULL;
	if (len >= 1024) /* not a table but the area of the RSDP */
		return memory + pa;
	assert_true(blocks < sizeof(block) / sizeof(block[0]));
	block[blocks] = malloc(len);
	memcpy(block[blocks], memory + pa, len);
	return block[blocks++];
}

static int teardown(void **state)
{
	(void)state;
	while (blocks)
		free(block[--blocks]);
	return 0;
}

static const struct physmem mem = {.map = map};

static uint8_t *begin(uint32_t pa, const char *signature, uint32_t length)
{
	memset(memory + pa, 0, length);
	memcpy(memory + pa, signature, 4);
	put_le32(memory, pa + 4, length);
	return memory + pa;
}

static void seal(uint32_t pa)
{
	memory[pa + 9] = 0;
	memory[pa + 9] = acpi_checksum(memory + pa, get_le32(memory, pa + 4));
}

static void make_rsdp(uint32_t pa, unsigned int revision, uint32_t rsdt, uint64_t xsdt)
{
	memset(memory + pa, 0, 36);
	memcpy(memory + pa, "RSD PTR \0BOCHS ", 15);
	memory[pa + 15] = revision;
	put_le32(memory, pa + 16, rsdt);
	if (revision >= 2) {
		put_le32(memory, pa + 20, 36);
		put_le64(memory, pa + 24, xsdt);
	}
	memory[pa + 8] = acpi_checksum(memory + pa, 20);
	memory[pa + 32] = revision >= 2 ? acpi_checksum(memory + pa, 36) : 0;
}

enum {
	RSDP = 0xf0000,
	RSDT = 0x20000,
	XSDT = 0x20100,
	FADT = 0x21000,
	DSDT = 0x22000,
	MADT = 0x23000,
	MCFG = 0x24000,
	DMAR = 0x25000,
	HPET = 0x26000,
	SSDT = 0x27000,
};

static void make_root(uint32_t pa, unsigned int entry_size, const uint32_t *tables, unsigned int n)
{
	begin(pa, entry_size == 8 ? "XSDT" : "RSDT", 36 + n * entry_size);
	for (unsigned int i = 0; i < n; i++)
		put_le32(memory, pa + 36 + i * entry_size, tables[i]);
	seal(pa);
}

static void make_madt(void)
{
	/* clang-format off */
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0, /* CPU 0 */
		0, 8, 1, 2, 1, 0, 0, 0, /* CPU 2 */
		0, 8, 2, 4, 0, 0, 0, 0, /* disabled */
		0, 8, 3, 6, 2, 0, 0, 0, /* online capable */
		0, 8, 4, 0xff, 1, 0, 0, 0, /* nobody */
		1, 12, 9, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,
		2, 10, 0, 0, 2, 0, 0, 0, 13, 0,
		3, 8, 5, 0, 7, 0, 0, 0,
		4, 6, 0xff, 5, 0, 1,
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, /* x2APIC 256 */
		9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, /* CPU 2 again */
		0x7f, 5, 1, 2, 3, /* unknown */
		10, 12, 5, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0,
		5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0,
	};
	/* clang-format on */
	uint8_t *t = begin(MADT, "APIC", 44 + sizeof(entries));

	put_le32(t, 36, 0xfee00000);
	put_le32(t, 40, 1);
	memcpy(t + 44, entries, sizeof(entries));
	seal(MADT);
}

static void make_dmar(void)
{
	/* clang-format off */
	static const uint8_t entries[] = {
		0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, /* DRHD with a scope */
		1, 8, 0, 0, 0, 0, 2, 0,
		0, 0, 16, 0, 1, 1, 0, 0, 0, 0, 0xda, 0xfe, 0, 0, 0, 0, /* DRHD for the rest, 8K */
		1, 0, 34, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, /* RMRR, 64K from 1M */
		0xff, 0xff, 0x10, 0, 0, 0, 0, 0,
		2, 10, 0, 0, 7, 1, 0x1c, 3, 31, 7, /* behind a bridge */
		2, 0, 8, 0, 1, 0, 0, 0, /* ATSR for all */
		3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* RHSA: skipped */
	};
	/* clang-format on */
	uint8_t *t = begin(DMAR, "DMAR", 48 + sizeof(entries));

	t[36] = 38;
	t[37] = 1;
	memcpy(t + 48, entries, sizeof(entries));
	seal(DMAR);
}

static void make_fadt(uint32_t length)
{
	uint8_t *t = begin(FADT, "FACP", length);

	put_le32(t, 40, DSDT);
	put_le16(t, 46, 9);
	put_le32(t, 48, 0xb2);
	t[52] = 0xf1;
	t[53] = 0xf0;
	put_le32(t, 56, 0xb000);
	put_le32(t, 64, 0xb004);
	put_le32(t, 76, 0xb008);
	t[88] = 4;
	t[89] = 2;
	t[91] = 4;
	put_le32(t, 112, 1 << 10);
	if (length >= 268) {
		t[116] = 1;
		t[117] = 8;
		put_le64(t, 120, 0xcf9);
		t[128] = 6;
		t[172] = 1;
		t[173] = 16;
		put_le64(t, 176, 0x404);
	}
	seal(FADT);
}

static void make_dsdt(uint32_t pa, const char *signature, const char *aml, uint32_t length)
{
	memcpy(begin(pa, signature, 36 + length) + 36, aml, length);
	seal(pa);
}

/* What QEMU's firmware compiles Name(_S5_, Package(4){0,0,0,0}) to, with 5 in front. */
static const char s5[] = "\x10\x04_S5_\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00";

static int setup(void **state)
{
	static const uint32_t tables[] = {FADT, MADT, MCFG, DMAR, HPET, SSDT};

	(void)state;
	memset(memory, 0, sizeof(memory));
	make_rsdp(RSDP, 2, RSDT, XSDT);
	make_root(RSDT, 4, tables, 6);
	make_root(XSDT, 8, tables, 6);
	make_fadt(268);
	make_dsdt(DSDT, "DSDT", "abcdefgh", 8);
	make_dsdt(SSDT, "SSDT", s5, sizeof(s5) - 1);
	make_madt();
	make_dmar();
	begin(MCFG, "MCFG", 44 + 32);
	put_le64(memory, MCFG + 44, 0xb0000000);
	memory[MCFG + 55] = 0xff;
	put_le16(memory, MCFG + 60 + 8, 1);
	seal(MCFG);
	begin(HPET, "HPET", 56);
	put_le64(memory, HPET + 44, 0xfed00000);
	seal(HPET);
	return 0;
}

static int open_it(void)
{
	const void *rsdp = NULL;
	uint32_t size = 0;
	int error;

	assert_int_equal(acpi_find_rsdp(&mem, &rsdp, &size), 0);
	error = acpi_open(&acpi, &mem, rsdp, size, &why);
	assert_true(!error == !why);
	return error;
}

static void finds_the_rsdp(void **state)
{
	const void *rsdp;
	uint32_t size;

	(void)state;
	assert_int_equal(acpi_find_rsdp(&mem, &rsdp, &size), 0);
	assert_ptr_equal(rsdp, memory + RSDP);
	make_rsdp(0x9ffd0, 0, RSDT, 0);
	assert_int_equal(acpi_find_rsdp(&mem, &rsdp, &size), 0);
	assert_ptr_equal(rsdp, memory + RSDP);
	put_le16(memory, 0x40e, 0x9fc0);
	assert_int_equal(acpi_find_rsdp(&mem, &rsdp, &size), 0);
	assert_ptr_equal(rsdp, memory + 0x9ffd0);
	assert_int_equal(size, 48);
	memory[0x9ffd8]++;
	memory[RSDP + 8]++;
	assert_int_equal(acpi_find_rsdp(&mem, &rsdp, &size), -ENOENT);
}

static void opens_both_revisions(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	assert_true(acpi.xsdt);
	assert_int_equal(acpi.count, 7);
	assert_int_equal(acpi.problems, 0);
	assert_string_equal(acpi.oem_id, "BOCHS ");
	assert_non_null(acpi_find(&acpi, "DSDT", 0));
	assert_null(acpi_find(&acpi, "APIC", 1));
	assert_int_equal(acpi_find(&acpi, "APIC", 0)->pa, MADT);

	make_rsdp(RSDP, 0, RSDT, 0);
	assert_int_equal(open_it(), 0);
	assert_false(acpi.xsdt);
	assert_int_equal(acpi.count, 7);
	/* revision 2, of which only the old part was handed over */
	make_rsdp(RSDP, 2, RSDT, XSDT);
	assert_int_equal(acpi_open(&acpi, &mem, memory + RSDP, 20, &why), 0);
	assert_false(acpi.xsdt);
}

static void refuses_a_bad_root(void **state)
{
	(void)state;
	assert_int_equal(acpi_open(&acpi, &mem, memory + RSDP, 19, &why), -EBADMSG);
	memory[RSDP + 33]++;
	assert_int_equal(open_it(), -EBADMSG);
	assert_string_equal(why, "RSDP: wrong extended checksum");
	make_rsdp(RSDP, 2, RSDT, XSDT);
	put_le32(memory, RSDP + 20, 0x20000);
	assert_int_equal(open_it(), -EBADMSG);
	assert_string_equal(why, "RSDP: wrong length");
	make_rsdp(RSDP, 2, RSDT, XSDT);
	memory[RSDP + 8]++;
	assert_int_equal(acpi_open(&acpi, &mem, memory + RSDP, 36, &why), -EBADMSG);
	assert_string_equal(why, "RSDP: wrong checksum");

	make_rsdp(RSDP, 2, RSDT, XSDT);
	memory[XSDT + 40]++;
	assert_int_equal(open_it(), -EBADMSG);
	assert_string_equal(why, "XSDT: wrong checksum");
	make_rsdp(RSDP, 2, RSDT, RSDT);
	assert_int_equal(open_it(), -EBADMSG);
	assert_string_equal(why, "XSDT: wrong signature");
	make_rsdp(RSDP, 2, RSDT, 1ull << 40);
	assert_int_equal(open_it(), -EFAULT);
	make_rsdp(RSDP, 0, MEMORY - 35, 0);
	assert_int_equal(open_it(), -EFAULT);
	assert_string_equal(why, "RSDT: not readable");
}

static void reports_bad_tables_and_goes_on(void **state)
{
	(void)state;
	memory[MADT + 50]++;
	put_le32(memory, HPET + 4, 35);
	put_le64(memory, XSDT + 36 + 16, 1ull << 50);
	seal(XSDT);
	memory[DMAR + 48 + 2] = 23; /* scope cut short */
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi.problems, 4);
	assert_string_equal(acpi.table[1].signature, "APIC");
	assert_string_equal(acpi.table[1].problem, "wrong checksum");
	assert_string_equal(acpi.table[2].signature, "????");
	assert_string_equal(acpi.table[2].problem, "not readable");
	assert_string_equal(acpi.table[3].problem, "malformed device scope");
	assert_string_equal(acpi.table[4].problem, "length too small");
	assert_null(acpi_find(&acpi, "APIC", 0));
	assert_non_null(acpi_find(&acpi, "FACP", 0));

	make_madt();
	memory[MADT + 45] = 0;
	seal(MADT);
	assert_int_equal(open_it(), 0);
	assert_string_equal(acpi.table[1].problem, "malformed entry");
	make_madt();
	memory[MADT + 181 - 11] = 13; /* the last entry exceeds the table */
	seal(MADT);
	assert_int_equal(open_it(), 0);
	assert_string_equal(acpi.table[1].problem, "malformed entry");
	put_le32(memory, MADT + 4, MEMORY);
	assert_int_equal(open_it(), 0);
	assert_string_equal(acpi.table[1].problem, "not readable to its end");
	begin(FADT, "FACP", 115);
	seal(FADT);
	assert_int_equal(open_it(), 0);
	assert_string_equal(acpi.table[0].problem, "too short");
}

static void too_many_tables(void **state)
{
	static uint32_t tables[ACPI_TABLES_MAX];

	(void)state;
	for (int i = 0; i < ACPI_TABLES_MAX; i++)
		tables[i] = HPET;
	make_root(0x30000, 8, tables, ACPI_TABLES_MAX - 1);
	make_rsdp(RSDP, 2, 0, 0x30000);
	assert_int_equal(open_it(), 0);
	make_root(0x30000, 8, tables, ACPI_TABLES_MAX);
	assert_int_equal(open_it(), -ENOSPC);
}

static void reads_the_madt(void **state)
{
	const struct acpi_table *t;
	struct acpi_madt_entry e;
	uint32_t n = 0, at = 0, seen = 0;

	(void)state;
	assert_int_equal(open_it(), 0);
	t = acpi_find(&acpi, "APIC", 0);
	assert_int_equal(acpi_lapic_address(t), 0xfee00000);

	while (acpi_madt_next(t, &at, &e) > 0) {
		seen |= 1u << e.type;
		if (e.type == ACPI_MADT_LAPIC) {
			assert_false(e.cpu.x2apic);
			assert_true(!e.cpu.enabled || e.cpu.apic_id == 2 * n); /* 0 and 2 */
			n += e.cpu.enabled;
			assert_int_equal(e.cpu.online_capable, e.cpu.apic_id == 6);
		}
		if (e.type == ACPI_MADT_X2APIC && e.cpu.enabled && e.cpu.apic_id == 256)
			assert_true(e.cpu.x2apic && e.cpu.uid == 5);
		if (e.type == ACPI_MADT_IOAPIC)
			assert_true(e.ioapic.address == 0xfec00000 && e.ioapic.gsi_base == 24);
		if (e.type == ACPI_MADT_OVERRIDE)
			assert_true(e.override.gsi == 2 && e.override.flags == 13);
		if (e.type == ACPI_MADT_NMI_SOURCE)
			assert_true(e.nmi_source.gsi == 7 && e.nmi_source.flags == 5);
		if (e.type == ACPI_MADT_LAPIC_NMI || e.type == ACPI_MADT_X2APIC_NMI)
			assert_true(e.lapic_nmi.uid == UINT32_MAX && e.lapic_nmi.lint == 1 &&
				    e.lapic_nmi.flags == 5);
	}
	assert_int_equal(seen, 0x63f);
	assert_int_equal(n, 2);
}

static void reads_the_apic_address(void **state)
{
	(void)state;
	begin(MADT, "APIC", 44);
	put_le32(memory, MADT + 36, 0xfed00000);
	seal(MADT);
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_lapic_address(acpi_find(&acpi, "APIC", 0)), 0xfed00000);
	begin(MADT, "APIC", 43);
	seal(MADT);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "APIC", 0));
}

static void reads_the_fadt(void **state)
{
	struct acpi_fadt f;

	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_fadt(acpi_find(&acpi, "FACP", 0), &f), 0);
	assert_int_equal(f.smi_cmd, 0xb2);
	assert_int_equal(f.sci_irq, 9);
	assert_int_equal(f.pm1a_event.address, 0xb000);
	assert_int_equal(f.pm1a_event.space, ACPI_SPACE_IO);
	assert_int_equal(f.pm1a_event.width, 32);
	assert_int_equal(f.pm1a_control.address, 0x404); /* the new field wins */
	assert_int_equal(f.pm1b_control.address, 0);
	assert_int_equal(f.pm_timer.address, 0xb008);
	assert_true(f.flags & ACPI_FADT_RESET_REG_SUP);
	assert_int_equal(f.reset.address, 0xcf9);
	assert_int_equal(f.reset_value, 6);

	put_le64(memory, FADT + 132, 0x123456789000); /* X_FIRMWARE_CTRL, X_DSDT win */
	put_le64(memory, FADT + 140, SSDT);
	seal(FADT);
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_fadt(acpi_find(&acpi, "FACP", 0), &f), 0);
	assert_int_equal(f.facs, 0x123456789000);
	assert_int_equal(f.dsdt, SSDT);

	make_fadt(116); /* ACPI 1.0, as on Bochs */
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_fadt(acpi_find(&acpi, "FACP", 0), &f), 0);
	assert_int_equal(f.pm1a_control.address, 0xb004);
	assert_int_equal(f.pm1a_control.width, 16);
	assert_false(f.flags & ACPI_FADT_RESET_REG_SUP);
	assert_int_equal(f.reset.address, 0);
	assert_int_equal(f.dsdt, DSDT);
}

static void finds_sleep_types(void **state)
{
	static const struct {
		const char *aml;
		uint32_t length;
		bool good;
	} cases[] = {
	    {"\x08\\_S5_\x12\x06\x02\x0b\x05\x00\x06", 13, false}, /* word, then no value */
	    {"\x08\\_S5_\x12\x07\x02\x0b\x05\x00\x0a\x06", 14, true},
	    {"\x08_S5_\x12\x40\x06\x02\x0c\x05\x00\x00\x00\x0a\x06", 16, true},
	    {"\x08_S5_\x12\x06\x02\x0a\x08\x0a\x06", 12, false},     /* 8 has no place in 3 bits */
	    {"\x08_S5_\x12\x06\x01\x0a\x05\x0a\x06", 12, false},     /* one element */
	    {"\x09_S5_\x12\x06\x02\x0a\x05\x0a\x06", 12, false},     /* no name */
	    {"\x08_S5_\x12\x06\x02\x0b\x05\x01\x0a\x06", 13, false}, /* 0x105 */
	    {"\x08_S5_\x12\x06\x02\x0a\x05\x0a", 11, false},         /* cut off */
	    {"\x08_S5_\x12\x06", 7, false},
	    {"\x08_S5_", 5, false},
	    {"\x08_S5", 4, false},
	};
	uint8_t a, b;

	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_sleep_type(&acpi, '5', &a, &b), 0);
	assert_int_equal(a, 5);
	assert_int_equal(b, 6);
	assert_int_equal(acpi_sleep_type(&acpi, '3', &a, &b), -ENOENT);
	/* as in the firmware of Bochs and QEMU */
	make_dsdt(SSDT, "SSDT", "..\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 14);
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_sleep_type(&acpi, '5', &a, &b), 0);
	assert_true(a == 0 && b == 0);
	begin(SSDT, "SSDT", 36);
	seal(SSDT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* The first two bytes cannot hold a name with its prefix. */
		char aml[32] = "..";

		memcpy(aml + 2, cases[i].aml, cases[i].length);
		make_dsdt(DSDT, "DSDT", aml, cases[i].length + 2);
		assert_int_equal(open_it(), 0);
		assert_int_equal(acpi_sleep_type(&acpi, '5', &a, &b), cases[i].good ? 0 : -ENOENT);
		if (cases[i].good)
			assert_true(a == 5 && b == 6);
	}
}

static void reads_mcfg(void **state)
{
	struct acpi_mcfg m;

	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(acpi_mcfg(acpi_find(&acpi, "MCFG", 0), 0, &m), 0);
	assert_int_equal(m.base, 0xb0000000);
	assert_int_equal(m.last_bus, 255);
	assert_int_equal(acpi_mcfg(acpi_find(&acpi, "MCFG", 0), 1, &m), 0);
	assert_int_equal(m.segment, 1);
	assert_int_equal(acpi_mcfg(acpi_find(&acpi, "MCFG", 0), 2, &m), -ENOENT);

	/* A window whose buses go down, or whose end cannot be written, is no window. */
	memory[MCFG + 60 + 10] = 1;
	seal(MCFG);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "MCFG", 0));
	memory[MCFG + 60 + 11] = 2;
	put_le64(memory, MCFG + 60, 0xffffffffffe00000);
	seal(MCFG);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "MCFG", 0));
	put_le64(memory, MCFG + 60, 0xffffffffffc00000);
	seal(MCFG);
	assert_int_equal(open_it(), 0);
	assert_non_null(acpi_find(&acpi, "MCFG", 0));
}

static void reads_the_dmar(void **state)
{
	const struct acpi_table *t;
	struct dmar_entry e;
	struct dmar_scope s;
	uint32_t at = 0, scope_at = 0;

	(void)state;
	assert_int_equal(open_it(), 0);
	t = acpi_find(&acpi, "DMAR", 0);
	assert_int_equal(dmar_address_width(t), 39);
	assert_int_equal(dmar_flags(t), DMAR_INTR_REMAP);
	assert_int_equal(dmar_next(t, &at, &e), 1);
	assert_true(e.type == DMAR_DRHD && e.base == 0xfed90000 && e.size == 4096 && !e.all);
	assert_int_equal(dmar_scope_next(&e, &scope_at, &s), 1);
	assert_true(s.type == DMAR_SCOPE_ENDPOINT && s.start_bus == 0 && s.path_length == 1);
	assert_int_equal(s.path[0], 2 << 3);
	assert_int_equal(dmar_scope_next(&e, &scope_at, &s), 0);
	assert_int_equal(dmar_next(t, &at, &e), 1);
	assert_true(e.all && e.size == 8192);
	assert_int_equal(dmar_next(t, &at, &e), 1);
	assert_true(e.type == DMAR_RMRR && e.base == 0x100000 && e.size == 0x10000);
	scope_at = 0;
	assert_int_equal(dmar_scope_next(&e, &scope_at, &s), 1);
	assert_true(s.path_length == 2 && s.start_bus == 1 && s.path[1] == 0xff && s.id == 7);
	assert_int_equal(dmar_next(t, &at, &e), 1);
	assert_true(e.type == DMAR_ATSR && e.all);
	assert_int_equal(dmar_next(t, &at, &e), 0);

	memory[DMAR + 48 + 24 + 16 + 25] = 12; /* the scope exceeds its entry */
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "DMAR", 0));
	memory[DMAR + 48 + 24 + 16 + 25] = 10;
	make_dmar();
	memory[DMAR + 48 + 8] = 1; /* registers not page aligned */
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "DMAR", 0));
	make_dmar();
	memory[DMAR + 48 + 22] = 32; /* device 32 */
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "DMAR", 0));
	begin(DMAR, "DMAR", 47);
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "DMAR", 0));
	make_dmar();
	memory[DMAR + 48 + 24 + 16 + 18] = 0; /* the RMRR ends before it begins */
	seal(DMAR);
	assert_int_equal(open_it(), 0);
	assert_null(acpi_find(&acpi, "DMAR", 0));
}

static void rewrites(void **state)
{
	enum {
		NEW = 0x80000,
		SIZE = 4096
	};
	static uint8_t madt[512];
	struct acpi_edit edits[] = {{"DMAR", NULL}, {"APIC", madt}};
	int64_t used;

	(void)state;
	memory[DMAR + 60]++; /* a broken DMAR is dropped as well */
	memory[SSDT + 40]++; /* a broken SSDT stays Linux's business */
	assert_int_equal(open_it(), 0);
	memcpy(madt, memory + MADT, 44); /* without its entries */
	put_le32(madt, 4, 44);
	used = acpi_rewrite(&acpi, edits, 2, memory + NEW, SIZE, NEW);
	assert_in_range(used, 200, SIZE);
	for (uint32_t size = 0; size < used; size += 7)
		assert_int_equal(acpi_rewrite(&acpi, edits, 2, memory + NEW, size, NEW), -ENOSPC);
	assert_int_equal(acpi_rewrite(&acpi, edits, 2, memory + NEW, SIZE, NEW + 8), -EINVAL);
	assert_int_equal(acpi_rewrite(&acpi, edits, 2, memory + NEW, used, NEW), used);

	for (int old = 0; old < 2; old++) {
		assert_int_equal(acpi_open(&acpi, &mem, memory + NEW, old ? 20 : 36, &why), 0);
		assert_int_equal(acpi.xsdt, !old);
		assert_int_equal(acpi.problems, 1);
		assert_int_equal(acpi.count, 6);
		for (uint32_t i = 0; i < acpi.count; i++)
			assert_string_not_equal(acpi.table[i].signature, "DMAR");
		assert_int_equal(acpi_find(&acpi, "FACP", 0)->pa, FADT);
		assert_in_range(acpi_find(&acpi, "APIC", 0)->pa, NEW, NEW + SIZE);
		assert_int_equal(acpi_find(&acpi, "APIC", 0)->length, 44);
	}
	put_le32(madt, 4, 35);
	assert_int_equal(acpi_rewrite(&acpi, edits, 2, memory + NEW, SIZE, NEW), -EINVAL);
	/* no RSDT when an address has more than 32 bits */
	assert_true(acpi_rewrite(&acpi, edits, 1, memory + NEW, SIZE, 1ull << 33) > 0);
	assert_int_equal(get_le32(memory, NEW + 16), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(finds_the_rsdp, setup, teardown),
	    cmocka_unit_test_setup_teardown(opens_both_revisions, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_a_bad_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_bad_tables_and_goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_tables, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_the_madt, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_the_apic_address, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_the_fadt, setup, teardown),
	    cmocka_unit_test_setup_teardown(finds_sleep_types, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_mcfg, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_the_dmar, setup, teardown),
	    cmocka_unit_test_setup_teardown(rewrites, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
