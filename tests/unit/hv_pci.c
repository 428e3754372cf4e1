/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/pci.h"
#include "hv/lib/pci_filter.h"

static uint8_t space[4096];

static uint32_t space_read(void *ctx, uint16_t offset, uint8_t size)
{
	(void)ctx;
	assert_true(offset % size == 0 && offset + size <= 4096);
	return size == 1   ? space[offset]
	       : size == 2 ? get_le16(space, offset)
			   : get_le32(space, offset);
}

static const struct pci_config config = {space_read, NULL, 4096};

static int setup(void **state)
{
	(void)state;
	memset(space, 0, sizeof(space));
	return 0;
}

static void decodes_ports(void **state)
{
	struct pci_access a;

	(void)state;
	assert_true(pci_decode_port(0x80123456, 0xcfc, 4, &a));
	assert_int_equal(a.bdf, PCI_BDF(0x12, 6, 4));
	assert_int_equal(a.offset, 0x54); /* the two lowest bits come from the port */
	assert_true(pci_decode_port(0x80000010, 0xcff, 1, &a));
	assert_int_equal(a.offset, 0x13);
	assert_true(pci_decode_port(0x80000010, 0xcfe, 2, &a));
	assert_true(pci_decode_port(0x80000010, 0xcfd, 2, &a));
	assert_int_equal(a.offset, 0x11);
	assert_false(pci_decode_port(0x00000010, 0xcfc, 4, &a));
	assert_false(pci_decode_port(0x80000010, 0xcfd, 4, &a));
	assert_false(pci_decode_port(0x80000010, 0xcff, 2, &a));
	assert_false(pci_decode_port(0x80000010, 0xcfb, 1, &a));
	assert_false(pci_decode_port(0x80000010, 0xd00, 1, &a));
	assert_false(pci_decode_port(0x80000010, 0xcfc, 3, &a));
	assert_false(pci_decode_port(0x80000010, 0xcfc, 0, &a));

	assert_true(pci_decode_ecam(2, 0x0123456c, 4, &a));
	assert_true(a.segment == 2 && a.bdf == 0x1234 && a.offset == 0x56c);
	assert_false(pci_decode_ecam(0, 1ull << 28, 4, &a));
	assert_false(pci_decode_ecam(0, 2, 4, &a));
	assert_false(pci_decode_ecam(0, 0, 8, &a));
	assert_int_equal(pci_all_ones(1), 0xff);
	assert_int_equal(pci_all_ones(4), 0xffffffff);
}

static void parses_bars(void **state)
{
	/* An 82599 VF-like and a plain device in one: 64-bit, I/O, 32-bit, none */
	uint32_t original[6] = {0xfe000004, 0x1, 0xc001, 0xfebc0000, 0, 0};
	uint32_t probed[6] = {0xffffc00c, 0xffffffff, 0x0000ffc1, 0xfffe0000, 0, 0};
	struct pci_bar bars[6];

	(void)state;
	assert_int_equal(pci_parse_bars(original, probed, bars), 0);
	assert_true(bars[0].is_64 && bars[0].prefetch && bars[0].base == 0x1fe000000);
	assert_int_equal(bars[0].size, 16384);
	assert_int_equal(bars[1].size, 0);
	assert_true(bars[2].io && bars[2].base == 0xc000 && bars[2].size == 64);
	assert_true(!bars[3].io && !bars[3].is_64 && bars[3].size == 0x20000);
	assert_int_equal(bars[4].size, 0);

	probed[1] = 0xfffffffc; /* 16 GB */
	probed[0] = 0x4;
	original[0] = 4;
	original[1] = 4;
	assert_int_equal(pci_parse_bars(original, probed, bars), 0);
	assert_int_equal(bars[0].size, 16ull << 30);
	assert_int_equal(bars[0].base, 16ull << 30);
	original[1] = 5; /* not aligned to its size */
	assert_int_equal(pci_parse_bars(original, probed, bars), -EBADMSG);
	original[1] = 4;
	probed[3] = 0xf0fe0000; /* a hole in the writable bits */
	assert_int_equal(pci_parse_bars(original, probed, bars), -EBADMSG);
	probed[3] = 0xfffe0000;
	probed[5] = 0xfffff004; /* 64 bits, and no room for the upper half */
	assert_int_equal(pci_parse_bars(original, probed, bars), -EBADMSG);
}

static void finds_capabilities(void **state)
{
	(void)state;
	space[0x34] = 0x40;
	space[0x40] = PCI_CAP_PM;
	space[0x41] = 0x53; /* the low bits are reserved */
	space[0x50] = PCI_CAP_MSIX;
	space[0x51] = 0x40;                                     /* a loop */
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PM), 0); /* no list */
	space[6] = 0x10;
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PM), 0x40);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_MSIX), 0x50);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PCIE), 0);
	space[0x51] = 0x3c; /* into the header */
	space[0x3c] = PCI_CAP_PCIE;
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PCIE), 0);

	put_le32(space, 0x100, 0x14010001);
	put_le32(space, 0x140, 0x10000000 | PCI_EXT_CAP_SRIOV); /* a loop again */
	assert_int_equal(pci_find_ext_cap(&config, PCI_EXT_CAP_SRIOV), 0x140);
	assert_int_equal(pci_find_ext_cap(&config, PCI_EXT_CAP_ACS), 0);
	space[0x41] = 0x60; /* a capability that reads as all ones */
	space[0x60] = 0xff;
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PCIE), 0);
	memset(space, 0xff, sizeof(space)); /* unplugged */
	assert_int_equal(pci_find_cap(&config, PCI_CAP_PCIE), 0);
	assert_int_equal(pci_find_ext_cap(&config, PCI_EXT_CAP_SRIOV), 0);
}

static void parses_msix_and_reset(void **state)
{
	struct pci_bar bars[6] = {[0] = {.size = 16384}, [3] = {.size = 16384}};
	struct pci_msix m;
	uint8_t cap;

	(void)state;
	assert_int_equal(pci_parse_msix(&config, bars, &m), 0);
	assert_int_equal(m.cap, 0);
	space[6] = 0x10;
	space[0x34] = 0x70;
	space[0x70] = PCI_CAP_MSIX;
	put_le16(space, 0x72, 2);          /* 3 vectors, as an 82599 VF has */
	put_le32(space, 0x74, 3);          /* table: BAR 3, offset 0 */
	put_le32(space, 0x78, 0x2000 | 3); /* pending bits */
	assert_int_equal(pci_parse_msix(&config, bars, &m), 0);
	assert_true(m.cap == 0x70 && m.count == 3 && m.table_bar == 3 && m.pba_offset == 0x2000);
	put_le32(space, 0x74, 0x3fd8 | 3);
	assert_int_equal(pci_parse_msix(&config, bars, &m), -EBADMSG); /* 0x3fd8 + 48 is too far */
	put_le32(space, 0x74, 1);
	assert_int_equal(pci_parse_msix(&config, bars, &m), -EBADMSG);
	put_le32(space, 0x74, 7);
	assert_int_equal(pci_parse_msix(&config, bars, &m), -EBADMSG);
	put_le32(space, 0x74, 3);
	put_le32(space, 0x78, 0x4000 | 3);
	assert_int_equal(pci_parse_msix(&config, bars, &m), -EBADMSG);

	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_NONE);
	space[0x71] = 0x80;
	space[0x80] = PCI_CAP_PM;
	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_PM);
	assert_int_equal(cap, 0x80);
	space[0x84] = 8; /* No_Soft_Reset */
	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_NONE);
	space[0x81] = 0x90;
	space[0x90] = PCI_CAP_AF;
	space[0x93] = 3;
	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_AF_FLR);
	space[0x91] = 0xa0;
	space[0xa0] = PCI_CAP_PCIE;
	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_AF_FLR);
	put_le32(space, 0xa4, 1 << 28);
	assert_int_equal(pci_parse_reset(&config, &cap), PCI_RESET_FLR);
	assert_int_equal(cap, 0xa0);
	/* a capability that its fields push over the edge */
	space[0x34] = 0xfc;
	space[0xfc] = PCI_CAP_MSIX;
	assert_int_equal(pci_parse_msix(&config, bars, &m), -EBADMSG);
}

static struct pci_access last;
static uint32_t last_value;

static uint32_t hw_read(void *ctx, const struct pci_access *access)
{
	(void)ctx;
	last = *access;
	return 0x12345678;
}

static void hw_write(void *ctx, const struct pci_access *access, uint32_t value)
{
	(void)ctx;
	last = *access;
	last_value = value;
}

/* The capability of an 82599 physical function, 03:00.0, with 63 virtual functions, two of them on (82599
 * datasheet 9.4.4.8: offset 128, stride 2, VFs' device ID 10edh; two BARs of 16 KB). */
static void parses_sriov(void **state)
{
	const uint32_t probed[6] = {0xffffc004, 0xffffffff, 0, 0xffffc004, 0xffffffff, 0};
	const uint32_t original[6] = {0xfb000004, 1, 0, 0xfb100004, 1, 0};
	struct pci_bar all[6], bars[6];
	struct pci_sriov s;
	uint16_t index;

	(void)state;
	assert_int_equal(pci_parse_sriov(&config, &s), 0);
	assert_int_equal(s.cap, 0);
	put_le32(space, 0x100, 0x16010001);
	put_le32(space, 0x160, 1 << 16 | PCI_EXT_CAP_SRIOV);
	put_le16(space, 0x168, 9); /* enabled, with memory */
	put_le16(space, 0x170, 2);
	put_le16(space, 0x174, 128);
	put_le16(space, 0x176, 2);
	put_le16(space, 0x17a, 0x10ed);
	assert_int_equal(pci_parse_sriov(&config, &s), 0);
	assert_true(s.cap == 0x160 && s.count == 2 && s.device == 0x10ed);
	assert_false(pci_sriov_has(&s, 0x300, 0x300, &index));
	assert_true(pci_sriov_has(&s, 0x300, PCI_BDF(3, 16, 0), &index) && index == 0);
	assert_false(pci_sriov_has(&s, 0x300, PCI_BDF(3, 16, 1), &index)); /* of 03:00.1 */
	assert_true(pci_sriov_has(&s, 0x300, PCI_BDF(3, 16, 2), &index) && index == 1);
	assert_false(pci_sriov_has(&s, 0x300, PCI_BDF(3, 16, 4), &index)); /* not on */
	assert_int_equal(pci_parse_bars(original, probed, all), 0);
	pci_sriov_bars(1, all, bars);
	assert_true(bars[0].base == 0x1fb004000 && bars[0].size == 0x4000 && bars[0].is_64);
	assert_true(bars[3].base == 0x1fb104000 && bars[3].size == 0x4000);
	assert_true(!bars[1].size && !bars[5].size);

	/* Without memory decoding, or without being enabled, they do not answer. */
	for (uint16_t control = 0; control < 9; control++) {
		put_le16(space, 0x168, control);
		assert_int_equal(pci_parse_sriov(&config, &s), 0);
		assert_int_equal(s.count, 0);
	}
	put_le16(space, 0x168, 9);
	put_le16(space, 0x176, 0); /* two at one place */
	assert_int_equal(pci_parse_sriov(&config, &s), -EBADMSG);
	put_le16(space, 0x170, 1);
	assert_int_equal(pci_parse_sriov(&config, &s), 0);
	put_le16(space, 0x174, 0); /* where the physical function is */
	assert_int_equal(pci_parse_sriov(&config, &s), -EBADMSG);
	put_le16(space, 0x174, 0xffff); /* beyond the last bus */
	put_le16(space, 0x176, 1);
	put_le16(space, 0x170, 0xffff);
	assert_int_equal(pci_parse_sriov(&config, &s), 0);
	assert_false(pci_sriov_has(&s, 0x300, 0x2ff, &index));
	put_le32(space, 0x100, 0xff010001);
	put_le32(space, 0xff0, 1 << 16 | PCI_EXT_CAP_SRIOV); /* does not fit */
	assert_int_equal(pci_parse_sriov(&config, &s), -EBADMSG);
}

static void filters(void **state)
{
	struct pci_virtual v;
	struct pci_rule rules[] = {
	    {.bdf = PCI_BDF(0, 3, 0), .policy = PCI_HIDDEN},
	    {.bdf = PCI_BDF(0, 4, 0),
	     .policy = PCI_VIRTUAL,
	     .read = pci_virtual_read,
	     .write = pci_virtual_write,
	     .ctx = &v},
	    {.bdf = PCI_BDF(0, 5, 0), .policy = PCI_PASS},
	};
	struct pci_filter f = {rules, 3, hw_read, hw_write, NULL};
	struct pci_access a = {.bdf = PCI_BDF(0, 2, 0), .offset = 4, .size = 2};
	struct pci_ids ids = {.vendor = 0x1af4, .device = 0x1110};

	(void)state;
	pci_virtual_init(&v, &ids);
	assert_int_equal(pci_filter_read(&f, &a), 0x5678);
	assert_int_equal(last.bdf, a.bdf);
	pci_filter_write(&f, &a, 0xabcd1234);
	assert_int_equal(last_value, 0x1234);
	a.bdf = PCI_BDF(0, 5, 0);
	assert_int_equal(pci_filter_read(&f, &a), 0x5678);

	memset(&last, 0xff, sizeof(last));
	a.bdf = PCI_BDF(0, 3, 0);
	assert_int_equal(pci_filter_read(&f, &a), 0xffff);
	pci_filter_write(&f, &a, 7);
	a.bdf = PCI_BDF(0, 4, 0);
	pci_filter_write(&f, &a, 6);
	assert_int_equal(pci_filter_read(&f, &a), 6);
	assert_int_equal(last.bdf, 0xffff); /* the hardware saw none of it */
	assert_int_equal(pci_policy(&f, 0, PCI_BDF(0, 3, 0)), PCI_HIDDEN);
	assert_int_equal(pci_policy(&f, 1, PCI_BDF(0, 3, 0)), PCI_PASS);
}

static unsigned int changes;

static void on_change(void *ctx, uint16_t offset, uint8_t size)
{
	(void)ctx;
	(void)offset;
	(void)size;
	changes++;
}

static void virtual_function(void **state)
{
	static const uint8_t msi[12] = {0x80, 0}; /* 64-bit, one vector */
	static const uint8_t msi_mask[12] = {1,    0,    0xfc, 0xff, 0xff, 0xff,
					     0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct pci_ids ids = {.vendor = 0x1b36,
			      .device = 0xabcd,
			      .class_code = 0x088000,
			      .revision = 2,
			      .interrupt_pin = 1,
			      .subsystem = 7};
	struct pci_virtual v;
	uint64_t base;

	(void)state;
	pci_virtual_init(&v, &ids);
	v.changed = on_change;
	assert_int_equal(pci_virtual_add_bar(&v, 0, 1 << 20, true, true), 0);
	assert_int_equal(pci_virtual_add_bar(&v, 1, 4096, false, false), -EINVAL); /* taken */
	assert_int_equal(pci_virtual_add_bar(&v, 2, 4096, false, false), 0);
	assert_int_equal(pci_virtual_add_bar(&v, 5, 4096, true, false), -EINVAL);
	assert_int_equal(pci_virtual_add_bar(&v, 4, 4096, false, false), 0);
	assert_int_equal(pci_virtual_add_bar(&v, 3, 4096, true, false), -EINVAL);
	assert_int_equal(pci_virtual_add_bar(&v, 3, 3 << 12, false, false), -EINVAL);
	assert_int_equal(pci_virtual_add_bar(&v, 3, 8, false, false), -EINVAL);
	assert_int_equal(pci_virtual_add_bar(&v, 6, 4096, false, false), -EINVAL);
	assert_int_equal(pci_virtual_add_cap(&v, PCI_CAP_MSI, msi, msi_mask, 14), 0x40);
	assert_int_equal(pci_virtual_add_cap(&v, PCI_CAP_VENDOR, msi, msi, 3), 0x50);
	assert_int_equal(pci_virtual_add_cap(&v, PCI_CAP_VENDOR, msi, msi, 1), -EINVAL);

	assert_int_equal(pci_virtual_read(&v, 0, 4), 0xabcd1b36);
	assert_int_equal(pci_virtual_read(&v, 8, 4), 0x08800002);
	pci_virtual_write(&v, 0, 4, 0);
	assert_int_equal(pci_virtual_read(&v, 0, 4), 0xabcd1b36);
	assert_int_equal(pci_virtual_read(&v, 0x100, 4), 0xffffffff);
	pci_virtual_write(&v, 0x100, 4, 0);

	/* the guest sizes BAR 0 */
	pci_virtual_write(&v, 0x10, 4, 0xffffffff);
	pci_virtual_write(&v, 0x14, 4, 0xffffffff);
	assert_int_equal(pci_virtual_read(&v, 0x10, 4), 0xfff0000c);
	assert_int_equal(pci_virtual_read(&v, 0x14, 4), 0xffffffff);
	assert_int_equal(pci_virtual_read(&v, 0x18, 4), 0);
	pci_virtual_write(&v, 0x18, 4, 0xffffffff);
	assert_int_equal(pci_virtual_read(&v, 0x18, 4), 0xfffff000);
	pci_virtual_write(&v, 0x1c, 4, 0xffffffff); /* absent */
	assert_int_equal(pci_virtual_read(&v, 0x1c, 4), 0);
	/* and places it */
	pci_virtual_write(&v, 0x10, 4, 0xc0123450);
	pci_virtual_write(&v, 0x14, 4, 8);
	assert_false(pci_virtual_bar(&v, 0, &base));
	pci_virtual_write(&v, 4, 2, 0xffff);
	assert_int_equal(pci_virtual_read(&v, 4, 2), 0x406);
	assert_true(pci_virtual_bar(&v, 0, &base));
	assert_int_equal(base, 0x8c0100000);
	assert_false(pci_virtual_bar(&v, 1, &base));
	assert_false(pci_virtual_bar(&v, 6, &base));
	assert_int_equal(changes, 8);

	/* the capability list is found by the same code that reads real functions */
	for (int i = 0; i < 256; i++)
		space[i] = pci_virtual_read(&v, i, 1);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_MSI), 0x40);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_VENDOR), 0x50);
	pci_virtual_write(&v, 0x42, 2, 0xffff);
	assert_int_equal(pci_virtual_read(&v, 0x42, 2), 0x81);
	for (int i = 0; i < 60; i++)
		if (pci_virtual_add_cap(&v, PCI_CAP_VENDOR, msi, msi, 14) < 0)
			return;
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_ports),
	    cmocka_unit_test(parses_bars),
	    cmocka_unit_test_setup(finds_capabilities, setup),
	    cmocka_unit_test_setup(parses_msix_and_reset, setup),
	    cmocka_unit_test_setup(parses_sriov, setup),
	    cmocka_unit_test(filters),
	    cmocka_unit_test_setup(virtual_function, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
