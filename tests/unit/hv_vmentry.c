/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/insn.h"
#include "hv/lib/vmentry.h"

/* Capabilities of Bochs' Haswell, with all that hardware has of what it lacks left out. */
static const struct vmentry_caps caps = {
    .pin = {0x16, 0x7f},
    .proc = {0x04006172, 0xf7f9fffe},
    .proc2 = {0, 0x47fff},
    .exit = {0x36dfb, 0x7fffff},
    .entry = {0x11fb, 0xffff},
    .cr0_fixed0 = 0x80000021,
    .cr0_fixed1 = 0xffffffff,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x1727ff,
    .misc = 0x200401e0,
    .ept_vpid = 0xf0106334141,
    .phys_width = 40,
    .linear_width = 48,
};

static struct vmentry_fields f;

static void set_seg(int i, uint16_t selector, uint32_t limit, uint32_t ar)
{
	f.seg[i] = (struct vmentry_seg){.selector = selector, .limit = limit, .ar = ar};
}

/* A 64-bit kernel, as Linux is entered. */
static void long_mode(void)
{
	memset(&f, 0, sizeof(f));
	f.pin = 0x16 | 1 << 3 | 1 << 5;
	f.proc = 0x04006172 | 1u << 31 | 1 << 28 | 1 << 25;
	f.proc2 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7;
	f.exit = 0x36dfb | 1 << 9 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21;
	f.entry = 0x11fb | 1 << 2 | 1 << 9 | 1 << 14 | 1 << 15;
	f.vpid = 1;
	f.io_bitmap_a = 0x1000;
	f.io_bitmap_b = 0x2000;
	f.msr_bitmap = 0x3000;
	f.eptp = 0x4000 | 6 | 3 << 3 | 1 << 6;
	f.host_cr0 = 0x80010033;
	f.host_cr3 = 0x5000;
	f.host_cr4 = 0x2020;
	f.host_efer = 0xd00;
	f.host_pat = 0x0007040600070406;
	f.host_rip = f.host_gdtr_base = f.host_gs_base = 0xffffffff80001000;
	f.host_cs = 8;
	f.host_tr = 0x18;
	f.cr0 = 0x80010031;
	f.cr3 = 0x100000;
	f.cr4 = 0x2020;
	f.dr7 = 0x400;
	f.efer = 0xd00;
	f.pat = f.host_pat;
	f.rip = 0x1000200;
	f.rflags = 2;
	for (int i = SEG_ES; i <= SEG_GS; i++)
		set_seg(i, 0x18, 0xffffffff, 0xc093);
	set_seg(SEG_CS, 0x10, 0xffffffff, 0xa09b);
	set_seg(SEG_LDTR, 0, 0, 1 << 16);
	set_seg(SEG_TR, 0x20, 0x67, 0x8b);
	f.link = UINT64_MAX;
}

/* A processor after SIPI: real mode at vector << 12. */
static void real_mode(void)
{
	long_mode();
	f.entry &= ~(1u << 9);
	f.cr0 = 0x30;
	f.cr4 = 0x2000;
	f.efer = 0;
	f.rip = 0;
	for (int i = SEG_ES; i <= SEG_GS; i++)
		set_seg(i, 0, 0xffff, 0x93);
	f.seg[SEG_CS] = (struct vmentry_seg){0x9a00, 0xffff, 0x9b, 0x9a000};
	set_seg(SEG_LDTR, 0, 0xffff, 0x82);
	set_seg(SEG_TR, 0, 0xffff, 0x8b);
}

/* A protected-mode guest of a processor without unrestricted guest. */
static void protected_mode(void)
{
	long_mode();
	f.entry &= ~(1u << 9);
	f.proc2 &= ~(1u << 7);
	f.cr4 = 0x2000;
	f.efer = 0;
	set_seg(SEG_CS, 0x10, 0xffffffff, 0xc09b);
}

static void v8086_mode(void)
{
	protected_mode();
	f.rflags |= 1 << 17;
	for (int i = SEG_ES; i <= SEG_GS; i++)
		f.seg[i] = (struct vmentry_seg){0x1234, 0xffff, 0xf3, 0x12340};
}

#define GOOD(base, change)                                         \
	do {                                                       \
		const char *why;                                   \
		base();                                            \
		change;                                            \
		why = vmentry_check(&caps, &f);                    \
		if (why)                                           \
			fail_msg("%s: refused: %s", #change, why); \
	} while (0)

#define BAD(base, change, rule)                                                                  \
	do {                                                                                     \
		const char *why;                                                                 \
		base();                                                                          \
		change;                                                                          \
		why = vmentry_check(&caps, &f);                                                  \
		if (!why || strcmp(why, rule) != 0)                                              \
			fail_msg("%s: %s instead of %s", #change, why ? why : "accepted", rule); \
	} while (0)

static void good_states(void **state)
{
	(void)state;
	GOOD(long_mode, (void)0);
	GOOD(real_mode, (void)0);
	GOOD(protected_mode, (void)0);
	GOOD(v8086_mode, (void)0);
	GOOD(long_mode, f.cr0 |= 0x60000000); /* CD and NW are not checked */
	GOOD(long_mode, f.activity = 1);
	GOOD(long_mode, f.activity = 3);
	GOOD(real_mode, f.proc &= ~(1u << 25); f.io_bitmap_a = 1);
}

static void controls(void **state)
{
	(void)state;
	BAD(long_mode, f.pin = 0, "pin-based controls: reserved bits");
	BAD(long_mode, f.pin |= 1 << 8, "pin-based controls: reserved bits");
	BAD(long_mode, f.proc |= 1, "primary controls: reserved bits");
	BAD(long_mode, f.proc2 |= 1 << 20, "secondary controls: reserved bits");
	BAD(long_mode, f.proc2 |= 1 << 14, "controls: feature not used by this hypervisor");
	BAD(long_mode, f.cr3_targets = 5, "CR3-target count");
	BAD(long_mode, f.io_bitmap_a |= 1, "I/O bitmap address");
	BAD(long_mode, f.io_bitmap_b = 1ull << 40, "I/O bitmap address");
	BAD(long_mode, f.msr_bitmap |= 0x800, "MSR bitmap address");
	BAD(long_mode, f.proc2 |= 1 << 8, "APIC virtualization without TPR shadow");
	BAD(long_mode, f.proc |= 1 << 21; f.virtual_apic = 1, "virtual-APIC address");
	BAD(long_mode, f.pin &= ~(1u << 3), "virtual NMIs without NMI exiting");
	BAD(long_mode, f.pin &= ~(1u << 5);
	    f.proc |= 1 << 22, "NMI-window exiting without virtual NMIs");
	BAD(long_mode, f.proc2 |= 1; f.apic_access = 0xfee00001, "APIC-access address");
	BAD(long_mode, f.proc |= 1 << 21;
	    f.proc2 |= 0x11, "virtualize x2APIC mode with virtualize APIC accesses");
	BAD(long_mode, f.proc |= 1 << 21;
	    f.proc2 |= 0x200, "virtual-interrupt delivery without external-interrupt exiting");
	BAD(long_mode, f.vpid = 0, "VPID is 0");
	BAD(long_mode, f.proc2 &= ~2u, "unrestricted guest without EPT");
	BAD(long_mode, f.eptp ^= 1, "EPTP: memory type");
	BAD(long_mode, f.eptp ^= 8, "EPTP: page-walk length");
	BAD(long_mode, f.eptp |= 1 << 7, "EPTP: reserved bits");
	BAD(long_mode, f.eptp |= 1ull << 40, "EPTP: reserved bits");
	BAD(long_mode, f.exit &= ~2u, "VM-exit controls: reserved bits");
	BAD(long_mode, f.exit |= 1 << 22, "save preemption timer without preemption timer");
	BAD(long_mode, f.exit_load_count = 1; f.exit_load = 8, "VM-exit MSR-load area");
	BAD(long_mode, f.exit_store_count = 2;
	    f.exit_store = (1ull << 40) - 16, "VM-exit MSR-store area");
	BAD(long_mode, f.entry &= ~1u, "VM-entry controls: reserved bits");
	BAD(long_mode, f.entry |= 1 << 10, "VM-entry controls: SMM");
	BAD(long_mode, f.entry_load_count = 1; f.entry_load = 1ull << 45, "VM-entry MSR-load area");
}

#define INJECT(type, vector, error) \
	(f.entry_info = 1u << 31 | (type) << 8 | (vector) | (error) << 11)

static void injection(void **state)
{
	(void)state;
	GOOD(long_mode, INJECT(2, 2, 0));
	GOOD(long_mode, INJECT(3, 13, 1));
	GOOD(long_mode, INJECT(3, 6, 0));
	GOOD(real_mode, INJECT(3, 13, 0)); /* no error code in real mode */
	GOOD(long_mode, INJECT(4, 0x80, 0); f.entry_length = 2);
	GOOD(long_mode, INJECT(0, 0x20, 0); f.rflags |= 1 << 9);
	BAD(long_mode, INJECT(1, 3, 0), "event injection: type");
	BAD(long_mode, INJECT(2, 2, 0); f.entry_info |= 1 << 20, "event injection: reserved bits");
	BAD(long_mode, INJECT(2, 3, 0), "event injection: NMI vector");
	BAD(long_mode, INJECT(3, 32, 0), "event injection: exception vector");
	BAD(long_mode, INJECT(7, 1, 0), "event injection: vector of other event");
	BAD(long_mode, INJECT(3, 6, 1), "event injection: error code not expected");
	BAD(real_mode, INJECT(3, 13, 1), "event injection: error code not expected");
	BAD(long_mode, INJECT(3, 13, 0), "event injection: error code missing");
	BAD(long_mode, INJECT(3, 14, 1);
	    f.entry_error = 1 << 16, "event injection: error code reserved bits");
	BAD(long_mode, INJECT(6, 3, 0); f.entry_length = 16, "event injection: instruction length");
	BAD(long_mode, INJECT(6, 3, 0), "event injection: instruction length");
	BAD(long_mode, INJECT(0, 0x20, 0), "guest RFLAGS: interrupt injected with IF clear");
	BAD(long_mode, INJECT(0, 0x20, 0); f.rflags |= 1 << 9;
	    f.interruptibility = 1, "interruptibility: interrupt injected while blocked");
	BAD(long_mode, INJECT(2, 2, 0);
	    f.interruptibility = 2, "interruptibility: NMI injected while blocked");
	BAD(long_mode, INJECT(2, 2, 0);
	    f.interruptibility = 8, "interruptibility: NMI injected with blocking by NMI");
	GOOD(long_mode, INJECT(2, 2, 0); f.activity = 1);
	GOOD(long_mode, INJECT(3, 18, 0); f.activity = 2);
	BAD(long_mode, INJECT(3, 13, 1); f.activity = 1, "activity state: event injected");
	BAD(long_mode, INJECT(3, 1, 0); f.activity = 2, "activity state: event injected");
	BAD(long_mode, INJECT(2, 2, 0); f.activity = 3, "activity state: event injected");
}

static void host_state(void **state)
{
	(void)state;
	BAD(long_mode, f.host_cr0 &= ~1ull, "host CR0");
	BAD(long_mode, f.host_cr4 &= ~0x2000ull, "host CR4");
	BAD(long_mode, f.host_cr4 |= 1 << 21, "host CR4");
	BAD(long_mode, f.host_cr4 &= ~0x20ull, "host CR4.PAE");
	BAD(long_mode, f.host_cr3 |= 1ull << 40, "host CR3");
	BAD(long_mode, f.host_sysenter_eip = 1ull << 47, "host SYSENTER address");
	BAD(long_mode, f.host_pat = 2, "host PAT");
	BAD(long_mode, f.exit &= ~(1u << 9), "host address-space size");
	BAD(long_mode, f.host_efer = 0x100, "host EFER");
	BAD(long_mode, f.host_efer |= 2, "host EFER");
	BAD(long_mode, f.host_ds = 3, "host selector: RPL or TI");
	BAD(long_mode, f.host_cs = 0, "host CS is null");
	BAD(long_mode, f.host_tr = 0, "host TR is null");
	BAD(long_mode, f.host_idtr_base = 1ull << 63, "host base address");
	BAD(long_mode, f.host_rip = 1ull << 47, "host RIP");
}

static void guest_registers(void **state)
{
	(void)state;
	BAD(long_mode, f.cr0 &= ~0x20ull, "guest CR0: bit that must be 1");
	BAD(protected_mode, f.cr0 &= ~0x80000000ull, "guest CR0: bit that must be 1");
	BAD(long_mode, f.cr0 |= 1ull << 32, "guest CR0: bit that must be 0");
	BAD(real_mode, f.cr0 |= 1ull << 31, "guest CR0: PG without PE");
	BAD(long_mode, f.cr4 &= ~0x2000ull, "guest CR4: bit that must be 1");
	BAD(long_mode, f.cr4 |= 1 << 22, "guest CR4: bit that must be 0");
	BAD(long_mode, f.debugctl = 4, "guest DEBUGCTL");
	BAD(long_mode, f.dr7 |= 1ull << 32, "guest DR7");
	BAD(long_mode, f.cr4 &= ~0x20ull, "IA-32e mode guest without paging or PAE");
	BAD(long_mode, f.cr0 &= ~0x80000000ull, "IA-32e mode guest without paging or PAE");
	BAD(protected_mode, f.cr4 |= 1 << 17, "guest CR4: PCIDE outside IA-32e mode");
	BAD(long_mode, f.cr3 |= 1ull << 40, "guest CR3");
	BAD(long_mode, f.sysenter_esp = 1ull << 50, "guest SYSENTER address");
	BAD(long_mode, f.pat = 8, "guest PAT");
	BAD(long_mode, f.efer |= 1 << 12, "guest EFER: reserved bits");
	BAD(long_mode, f.efer = 0x100, "guest EFER: LMA against entry control");
	BAD(real_mode, f.efer = 0x400, "guest EFER: LMA against entry control");
	BAD(long_mode, f.efer = 0x400, "guest EFER: LMA against LME");
	GOOD(real_mode, f.efer = 0x100); /* on the way to long mode */
	BAD(long_mode, f.rip = 1ull << 48, "guest RIP: bits above the linear address");
	BAD(long_mode, f.rip = ~(1ull << 60), "guest RIP: bits above the linear address");
	BAD(real_mode, f.rip = 1ull << 32, "guest RIP: upper half");
	BAD(long_mode, f.rflags = 0, "guest RFLAGS: reserved bits");
	BAD(long_mode, f.rflags |= 8, "guest RFLAGS: reserved bits");
	BAD(long_mode, f.link = 0, "VMCS link pointer");
	BAD(protected_mode, f.cr4 |= 0x20; f.pdpte[2] = 3, "PDPTE: reserved bits");
	GOOD(protected_mode, f.cr4 |= 0x20; f.pdpte[2] = 0x5001; f.pdpte[3] = 2);
}

/* What the hypervisor makes of the instructions that it carries out. */
static void after_instructions(void **state)
{
	(void)state;
	GOOD(long_mode, f.rip = insn_next(0x7ffffffffffe, 2, true));
	assert_int_equal(f.rip, 1ull << 47); /* not canonical: the fault is the guest's */
	/* A program outside 64-bit code, with CPUID at the end of 4 GB. */
	GOOD(protected_mode, f.rip = insn_next(0xfffffffe, 2, false));
	assert_int_equal(f.rip, 0);
	BAD(protected_mode, f.rip = insn_next(0xfffffffe, 2, true), "guest RIP: upper half");
	assert_int_equal(insn_next(0xfffffffe, 2, true), 1ull << 32);
	/* A #DB in the shadow of MOV SS, with and without single steps, of instructions or branches */
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t flags = i & 1 ? 0x102 : 2, debugctl = i & 2;

		GOOD(long_mode, f.interruptibility = 2; f.rflags = flags; f.debugctl = debugctl;
		     f.pending_debug = insn_steps(flags, debugctl) ? 1 << 14 : 0);
		BAD(long_mode, f.interruptibility = 2; f.rflags = flags; f.debugctl = debugctl;
		    f.pending_debug = insn_steps(flags, debugctl) ? 0 : 1 << 14,
		    "pending debug exceptions: BS");
	}
}

static void guest_segments(void **state)
{
	(void)state;
	BAD(long_mode, f.seg[SEG_TR].selector |= 4, "guest TR: TI");
	BAD(real_mode, f.seg[SEG_LDTR].selector |= 4, "guest LDTR: TI");
	BAD(v8086_mode, f.seg[SEG_DS].base++, "virtual-8086 segment: base");
	BAD(v8086_mode, f.seg[SEG_SS].limit--, "virtual-8086 segment: limit");
	BAD(v8086_mode, f.seg[SEG_CS].ar = 0x93, "virtual-8086 segment: access rights");
	BAD(v8086_mode, f.entry |= 1 << 9; f.cr4 |= 0x20; f.efer = 0xd00, "guest RFLAGS: VM");
	BAD(long_mode, f.seg[SEG_CS].ar |= 1 << 16, "guest CS: unusable");
	BAD(long_mode, f.seg[SEG_CS].base = 1ull << 32, "guest CS: base");
	BAD(long_mode, f.seg[SEG_CS].ar ^= 1, "guest CS: type");
	BAD(protected_mode, f.seg[SEG_CS].ar = 0xc093, "guest CS: type");
	BAD(long_mode, f.seg[SEG_CS].ar = 0xa0f3, "guest CS: DPL of data type");
	BAD(long_mode, f.seg[SEG_CS].ar |= 0x60, "guest CS: DPL differs from SS");
	BAD(long_mode, f.seg[SEG_CS].ar = 0xa0fd, "guest CS: DPL above SS");
	BAD(long_mode, f.seg[SEG_CS].ar &= ~0x80u, "guest CS: S, P, reserved bits or granularity");
	BAD(long_mode, f.seg[SEG_CS].ar |= 0x100, "guest CS: S, P, reserved bits or granularity");
	BAD(long_mode, f.seg[SEG_CS].limit = 0xfffff000,
	    "guest CS: S, P, reserved bits or granularity");
	BAD(real_mode, f.seg[SEG_CS].limit = 0x1fffff,
	    "guest CS: S, P, reserved bits or granularity");
	BAD(long_mode, f.seg[SEG_CS].ar |= 1 << 14, "guest CS: L with D");
	BAD(protected_mode, f.seg[SEG_SS].selector |= 3, "guest SS: RPL differs from CS");
	BAD(protected_mode, f.seg[SEG_SS].selector |= 3;
	    f.seg[SEG_CS].selector |= 3, "guest SS: DPL differs from RPL");
	BAD(real_mode, f.seg[SEG_SS].ar |= 0x60;
	    f.seg[SEG_CS].ar |= 0x60, "guest SS: DPL in real mode");
	BAD(long_mode, f.seg[SEG_SS].ar = 0xc091, "guest SS: type");
	BAD(long_mode, f.seg[SEG_SS].base = 1ull << 40, "guest SS: base");
	BAD(long_mode, f.seg[SEG_SS].ar &= ~0x10u, "guest SS: S, P, reserved bits or granularity");
	GOOD(long_mode, f.seg[SEG_SS].ar |= 1 << 16; f.seg[SEG_SS].base = 1ull << 40);
	BAD(long_mode, f.seg[SEG_GS].base = 1ull << 47, "guest FS or GS: base");
	GOOD(long_mode, f.seg[SEG_GS].base = 0xffff888000000000);
	BAD(long_mode, f.seg[SEG_DS].base = 1ull << 32, "guest data segment: base");
	BAD(long_mode, f.seg[SEG_ES].ar = 0xc092, "guest data segment: type");
	BAD(long_mode, f.seg[SEG_ES].ar = 0xc099, "guest data segment: type");
	BAD(long_mode, f.seg[SEG_DS].ar |= 1 << 17,
	    "guest data segment: S, P, reserved bits or granularity");
	BAD(protected_mode, f.seg[SEG_DS].selector |= 3, "guest data segment: DPL below RPL");
	GOOD(protected_mode, f.seg[SEG_DS].selector |= 3; f.seg[SEG_DS].ar = 0xc09f);
	BAD(long_mode, f.seg[SEG_TR].base = 1ull << 47, "guest TR: base");
	BAD(long_mode, f.seg[SEG_TR].ar |= 1 << 16, "guest TR: unusable");
	BAD(long_mode, f.seg[SEG_TR].ar = 0x83, "guest TR: type");
	GOOD(protected_mode, f.seg[SEG_TR].ar = 0x83);
	BAD(long_mode, f.seg[SEG_TR].ar |= 0x10, "guest TR: S, P, reserved bits or granularity");
	BAD(real_mode, f.seg[SEG_LDTR].base = 1ull << 47, "guest LDTR: base");
	BAD(real_mode, f.seg[SEG_LDTR].ar = 0x83, "guest LDTR: type");
	BAD(real_mode, f.seg[SEG_LDTR].ar = 0x02, "guest LDTR: S, P, reserved bits or granularity");
	BAD(long_mode, f.gdtr_base = 1ull << 47, "guest GDTR or IDTR: base");
	BAD(long_mode, f.idtr_limit = 0x10000, "guest GDTR or IDTR: limit");
}

static void guest_other(void **state)
{
	(void)state;
	BAD(long_mode, f.activity = 4, "activity state: not supported");
	BAD(protected_mode, f.activity = 1; f.seg[SEG_SS].ar |= 0x60; f.seg[SEG_CS].ar |= 0x60;
	    f.seg[SEG_SS].selector |= 3;
	    f.seg[SEG_CS].selector |= 3, "activity state: HLT with SS.DPL above 0");
	BAD(long_mode, f.activity = 1;
	    f.interruptibility = 2, "activity state: not active with blocking by STI or MOV SS");
	BAD(long_mode, f.interruptibility = 0x20, "interruptibility: reserved bits");
	BAD(long_mode, f.interruptibility = 3, "interruptibility: STI and MOV SS");
	BAD(long_mode, f.interruptibility = 1, "interruptibility: STI with IF clear");
	/* what Bochs leaves behind after a SIPI exit */
	BAD(long_mode, f.interruptibility = 0xc, "interruptibility: blocking by SMI outside SMM");
	BAD(long_mode, f.pending_debug = 1 << 13, "pending debug exceptions: reserved bits");
	BAD(long_mode, f.interruptibility = 2;
	    f.pending_debug = 1 << 14, "pending debug exceptions: BS");
	BAD(long_mode, f.interruptibility = 2; f.rflags |= 1 << 8, "pending debug exceptions: BS");
	GOOD(long_mode, f.interruptibility = 2; f.rflags |= 1 << 8; f.pending_debug = 1 << 14);
	GOOD(long_mode, f.interruptibility = 2; f.rflags |= 1 << 8; f.debugctl = 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_states),        cmocka_unit_test(controls),
	    cmocka_unit_test(injection),          cmocka_unit_test(host_state),
	    cmocka_unit_test(guest_registers),    cmocka_unit_test(guest_segments),
	    cmocka_unit_test(after_instructions), cmocka_unit_test(guest_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
