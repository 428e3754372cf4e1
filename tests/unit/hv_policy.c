/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/cpuid.h"
#include "hv/lib/creg.h"
#include "hv/lib/msr.h"

static struct cpuid_regs filter(const struct cpuid_policy *p, uint32_t leaf, uint32_t subleaf,
				uint64_t cr4)
{
	struct cpuid_regs r = {~0u, ~0u, ~0u, ~0u};

	cpuid_filter(p, leaf, subleaf, cr4, &r);
	return r;
}

static void cpuid_bits(void **state)
{
	struct cpuid_policy p = {.secondary = ~0u, .signature = CPUID_SIGNATURE_KVM};
	struct cpuid_regs r;

	(void)state;
	r = filter(&p, 1, 0, 1 << 18);
	assert_int_equal(~r.ecx, 1u << 5 | 1u << 6 | 1u << 2 | 1u << 4 | 1u << 15);
	assert_int_equal(~r.edx, 1u << 21);
	assert_int_equal(filter(&p, 1, 0, 0).ecx & 1u << 27, 0); /* OSXSAVE mirrors CR4 */
	p.hide_monitor = p.hide_x2apic = true;
	p.signature = NULL;
	r = filter(&p, 1, 0, 1 << 18);
	assert_int_equal(r.ecx & (1u << 3 | 1u << 21 | 1u << 31), 0);
	assert_int_equal(filter(&p, 5, 0, 0).ecx, 0);
	p.hide_monitor = false;
	assert_int_equal(filter(&p, 5, 0, 0).ecx, ~0u);

	/* each gated instruction follows its control */
	assert_int_equal(~filter(&p, 7, 0, 1 << 22).ebx, 1u << 2 | 1u << 25);
	assert_int_equal(~filter(&p, 7, 0, 1 << 22).ecx, 1u << 24 | 1u << 29 | 1u << 30);
	assert_int_equal(~filter(&p, 0xd, 1, 0).eax, 0);
	/* XRSTORS may not load what the MSR bitmap keeps: Processor Trace, user interrupts */
	assert_int_equal(~filter(&p, 0xd, 1, 0).ecx, 1u << 8 | 1u << 14);
	assert_int_equal(~filter(&p, 6, 0, 0).eax, 1u << 19 | 1u << 23);
	assert_int_equal(filter(&p, 0x20, 0, 0).ebx, 0);
	assert_int_equal(filter(&p, 0x80000001, 0, 0).edx, ~0u);
	p.secondary = 0;
	assert_int_equal(~filter(&p, 7, 0, 0).ebx, 1u << 2 | 1u << 25 | 1u << 10);
	assert_int_equal(~filter(&p, 7, 0, 0).ecx,
			 1u << 24 | 1u << 29 | 1u << 30 | 1u << 5 | 1u << 22 | 1u << 4);
	assert_int_equal(~filter(&p, 7, 0, 0).edx, 1u << 18 | 1u << 5);
	assert_int_equal(filter(&p, 7, 2, 0).edx, ~0u);
	assert_int_equal(~filter(&p, 7, 1, 0).eax, 1u << 17 | 1u << 22);
	assert_int_equal(~filter(&p, 0x80000001, 0, 0).edx, 1u << 27);
	r = filter(&p, 0xd, 1, 0);
	assert_true(~r.eax == 1u << 3 && !r.ebx && !r.ecx && !r.edx);
	assert_int_equal(filter(&p, 0xd, 0, 0).ecx, ~0u);
	assert_int_equal(filter(&p, 0x14, 0, 0).eax, 0);
	assert_int_equal(filter(&p, 0x12, 0, 0).eax, 0);
	assert_int_equal(filter(&p, 0x1b, 0, 0).eax, 0);
	p.secondary = CPUID_GATED_CONTROLS;
	assert_int_equal(~filter(&p, 7, 0, 0).ebx, 1u << 2 | 1u << 25);
	assert_int_equal(filter(&p, 0x1b, 0, 0).eax, ~0u);
	assert_int_equal(~filter(&p, 0xd, 1, 0).eax, 0);
}

static void cpuid_signature(void **state)
{
	struct cpuid_policy p = {.signature = CPUID_SIGNATURE_KVM};
	struct cpuid_regs r;

	(void)state;
	r = filter(&p, 0x40000000, 0, 0);
	assert_int_equal(r.eax, 0x40000001);
	assert_memory_equal(&r.ebx, "KVMKVMKVM\0\0\0", 12);
	r = filter(&p, 0x40000001, 0, 0);
	assert_true(!r.eax && !r.ebx && !r.ecx && !r.edx);
	p.signature = NULL;
	r = filter(&p, 0x40000000, 0, 0);
	assert_true(!r.eax && !r.ebx && !r.ecx && !r.edx);
	assert_int_equal(filter(&p, 0x4000ffff, 0, 0).eax, 0);
}

static void msr_policy(void **state)
{
	(void)state;
	assert_int_equal(msr_root(0x10, true), MSR_PASS);
	assert_int_equal(msr_root(0x830, true), MSR_EMULATE);
	assert_int_equal(msr_root(0x830, false), MSR_PASS);
	assert_int_equal(msr_root(0x480, false), MSR_DENY);
	assert_int_equal(msr_root(0x20f, true), MSR_EMULATE);
	assert_int_equal(msr_root(0x277, true), MSR_PASS);
	/* of a hypervisor below, who would write to our memory: KVM's, old and new, and Hyper-V's */
	assert_int_equal(msr_root(0x12, true), MSR_DENY);
	assert_int_equal(msr_root(0x4b564d01, true), MSR_DENY);
	assert_int_equal(msr_root(0x40000001, true), MSR_DENY);
	assert_int_equal(msr_root(0xc0010015, false), MSR_DENY);
	/* what the processor would do past the EPT or past the ICR filter */
	for (uint32_t msr = 0x985; msr <= 0x98a; msr++)
		assert_int_equal(msr_root(msr, true), MSR_DENY);
	for (uint32_t msr = 0x17d0; msr <= 0x17d4; msr++)
		assert_int_equal(msr_root(msr, true), MSR_DENY);
	for (uint32_t msr = 0xed; msr <= 0xef; msr++)
		assert_int_equal(msr_root(msr, true), MSR_DENY);
	assert_int_equal(msr_root(0xcf, false), MSR_EMULATE);
	assert_int_equal(msr_dataplane(0x4b564d01, true), MSR_DENY);
	assert_int_equal(msr_dataplane(0x6e0, true), MSR_PASS);
	assert_int_equal(msr_dataplane(0x80b, false), MSR_DENY);
	assert_int_equal(msr_dataplane(0x80b, true), MSR_PASS);
	assert_int_equal(msr_dataplane(0x835, true), MSR_DENY);
	assert_int_equal(msr_dataplane(0x835, false), MSR_PASS);
	assert_int_equal(msr_dataplane(0x10, true), MSR_DENY);
	assert_int_equal(msr_dataplane(0xc0000102, true), MSR_PASS);
	assert_int_equal(msr_dataplane(0xc0000104, true), MSR_DENY);
}

static uint8_t bitmap[MSR_BITMAP_SIZE];

static void check_bitmap(enum msr_action (*policy)(uint32_t msr, bool write))
{
	memset(bitmap, 0xa5, sizeof(bitmap));
	msr_bitmap_fill(bitmap, policy);
	for (uint32_t i = 0; i < 0x4000; i++) {
		uint32_t msr = i < 0x2000 ? i : 0xc0000000 + i - 0x2000;

		for (int write = 0; write < 2; write++)
			assert_int_equal(msr_bitmap_exits(bitmap, msr, write),
					 policy(msr, write) != MSR_PASS);
	}
	assert_true(msr_bitmap_exits(bitmap, 0x2000, false));
	assert_true(msr_bitmap_exits(bitmap, 0xbfffffff, false));
	assert_true(msr_bitmap_exits(bitmap, 0xc0002000, true));
}

static void msr_bitmap(void **state)
{
	(void)state;
	check_bitmap(msr_root);
	check_bitmap(msr_dataplane);
	/* the layout of the manual: writes of high MSRs in the last quarter */
	assert_int_equal(bitmap[3072 + 0x80 / 8] & 1, 0);
	assert_int_equal(bitmap[2048 + 0x10 / 8] & 1, 1);
	assert_int_equal(bitmap[0x10 / 8] & 1, 0);
}

/* Bochs' Haswell: CR0_FIXED0 80000021, CR4_FIXED0 2000, CR4_FIXED1 1727ff */
static const struct creg_limits haswell = {0x80000021, 0xffffffff, 0x2000, 0x1727ff, true};

static const struct creg_limits all = {0x80000021, 0xffffffff, 0x2000, ~0ull, true};

static void control_registers(void **state)
{
	struct creg_state s = {.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET,
			       .cr4 = CR4_PAE,
			       .efer = EFER_LME | EFER_LMA,
			       .cs_l = true};

	(void)state;
	assert_int_equal(creg_cr0_mask(&haswell), CR0_CD | CR0_NW | CR0_NE);
	assert_int_equal(creg_cr4_mask(&haswell) & 0x1727ff, CR4_VMXE);
	assert_true(creg_cr4_mask(&haswell) & CR4_SMXE && creg_cr4_mask(&haswell) & 1ull << 63);
	assert_int_equal(creg_cr0_real(&haswell, 0x60000010), CR0_NE | CR0_ET);
	assert_int_equal(creg_cr0_shadow(0x60000000), 0x60000010);
	assert_int_equal(creg_cr4_real(&haswell, CR4_PAE), CR4_PAE | CR4_VMXE);

	assert_true(creg_cr0_ok(&s, s.cr0 | CR0_CD | CR0_NW)); /* as Linux sets its MTRRs */
	assert_true(creg_cr0_ok(&s, s.cr0 | CR0_CD));
	assert_false(creg_cr0_ok(&s, s.cr0 | CR0_NW));
	assert_false(creg_cr0_ok(&s, s.cr0 | 1ull << 32));
	assert_false(creg_cr0_ok(&s, s.cr0 & ~CR0_PE));
	assert_false(creg_cr0_ok(&s, s.cr0 & ~CR0_PG)); /* in 64-bit code */
	s.cs_l = false;
	assert_true(creg_cr0_ok(&s, s.cr0 & ~CR0_PG));
	s.cr4 |= CR4_PCIDE;
	assert_false(creg_cr0_ok(&s, s.cr0 & ~CR0_PG));
	s.cr4 = CR4_PAE | CR4_CET;
	assert_false(creg_cr0_ok(&s, s.cr0 & ~CR0_WP));
	s.cr4 = 0;
	s.cr0 = CR0_PE;
	assert_false(creg_cr0_ok(&s, CR0_PE | CR0_PG)); /* LME without PAE */
	s.cr4 = CR4_PAE;
	assert_true(creg_cr0_ok(&s, CR0_PE | CR0_PG));

	s = (struct creg_state){
	    .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA};
	assert_true(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_PCIDE));
	s.cr3 = 1;
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_PCIDE));
	s.cr4 |= CR4_PCIDE;
	assert_true(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_PCIDE));
	assert_false(creg_cr4_ok(&haswell, &s, 0));
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_VMXE));
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_SMXE));
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PAE | CR4_LA57));
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PAE | 1ull << 40));
	/* a processor that has all of them */
	assert_false(creg_cr4_ok(&all, &s, CR4_PAE | CR4_UINTR));
	assert_false(creg_cr4_ok(&all, &s, CR4_PAE | CR4_FRED));
	assert_true(creg_cr4_ok(&all, &s, CR4_PAE | CR4_CET | 1ull << 24)); /* PKS */
	assert_int_equal(creg_cr4_mask(&all), CR4_VMXE | CR4_SMXE | CR4_UINTR | CR4_FRED);
	s.efer = 0;
	assert_true(creg_cr4_ok(&haswell, &s, 0));
	assert_false(creg_cr4_ok(&haswell, &s, CR4_PCIDE));
}

static void pdptes(void **state)
{
	struct creg_state s = {.cr0 = CR0_PE, .cr4 = CR4_PAE};

	(void)state;
	assert_true(creg_loads_pdptes(&s, CR0_PE | CR0_PG));
	assert_false(creg_loads_pdptes(&s, CR0_PE));
	s.efer = EFER_LME; /* IA-32e mode: four levels, in memory */
	assert_false(creg_loads_pdptes(&s, CR0_PE | CR0_PG));
	s.efer = 0;
	s.cr4 = 0; /* 32-bit paging */
	assert_false(creg_loads_pdptes(&s, CR0_PE | CR0_PG));

	assert_true(creg_pdpte_ok(0, 40));
	assert_true(creg_pdpte_ok(-1ull << 1, 40)); /* not present: anything */
	assert_true(creg_pdpte_ok(0xfffffff019, 40));
	assert_true(creg_pdpte_ok(0xe01, 40)); /* ignored: 9 to 11 */
	for (int bit = 1; bit < 64; bit++) {
		bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;

		assert_int_equal(creg_pdpte_ok(1 | 1ull << bit, 40), !reserved);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cpuid_bits),        cmocka_unit_test(cpuid_signature),
	    cmocka_unit_test(msr_policy),        cmocka_unit_test(msr_bitmap),
	    cmocka_unit_test(control_registers), cmocka_unit_test(pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
