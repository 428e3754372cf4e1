/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "hv/lib/vmentry.h"
#include "hv/lib/range.h"

#define BIT(n) (1ull << (n))

/* Pin-based controls, SDM 3C table 25-5 */
#define PIN_EXT_INT          BIT(0)
#define PIN_NMI              BIT(3)
#define PIN_VIRTUAL_NMI      BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)
#define PIN_POSTED           BIT(7)

/* Primary and secondary processor-based controls, tables 25-6 and 25-7 */
#define PROC_TPR_SHADOW      BIT(21)
#define PROC_NMI_WINDOW      BIT(22)
#define PROC_IO_BITMAPS      BIT(25)
#define PROC_MSR_BITMAPS     BIT(28)
#define PROC_SECONDARY       BIT(31)
#define PROC2_APIC_ACCESS    BIT(0)
#define PROC2_EPT            BIT(1)
#define PROC2_X2APIC         BIT(4)
#define PROC2_VPID           BIT(5)
#define PROC2_UNRESTRICTED   BIT(7)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_VIRTUAL_INTR   BIT(9)
#define PROC2_NOT_USED       (BIT(13) | BIT(14) | BIT(15) | BIT(17) | BIT(18) | BIT(22) | BIT(23))

/* VM-exit and VM-entry controls, tables 25-13 and 25-15 */
#define EXIT_HOST_64     BIT(9)
#define EXIT_LOAD_PAT    BIT(19)
#define EXIT_LOAD_EFER   BIT(21)
#define EXIT_SAVE_TIMER  BIT(22)
#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E      BIT(9)
#define ENTRY_SMM        (BIT(10) | BIT(11))
#define ENTRY_LOAD_PAT   BIT(14)
#define ENTRY_LOAD_EFER  BIT(15)

#define CR0_PE    BIT(0)
#define CR0_WP    BIT(16)
#define CR0_NW    BIT(29)
#define CR0_CD    BIT(30)
#define CR0_PG    BIT(31)
#define CR4_PAE   BIT(5)
#define CR4_PCIDE BIT(17)
#define CR4_CET   BIT(23)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_ALL  (BIT(0) | EFER_LME | EFER_LMA | BIT(11))

#define RFLAGS_TF       BIT(8)
#define RFLAGS_IF       BIT(9)
#define RFLAGS_VM       BIT(17)
#define RFLAGS_FIXED1   BIT(1)
#define RFLAGS_RESERVED (~0x3fffffull | BIT(3) | BIT(5) | BIT(15))

#define DEBUGCTL_BTF BIT(1)
#define DEBUGCTL_ALL 0xffc3ull

/* Segment access rights, table 25-2 */
#define AR_TYPE(ar)   ((ar)&15)
#define AR_S          BIT(4)
#define AR_DPL(ar)    ((ar) >> 5 & 3)
#define AR_P          BIT(7)
#define AR_L          BIT(13)
#define AR_DB         BIT(14)
#define AR_G          BIT(15)
#define AR_UNUSABLE   BIT(16)
#define AR_RESERVED   0xfffe0f00u
#define AR_V8086      0xf3u
#define TYPE_ACCESSED 1u
#define TYPE_READABLE 2u
#define TYPE_CODE     8u

/* Interruption information, table 25-17 */
#define INFO_VALID     BIT(31)
#define INFO_ERROR     BIT(11)
#define INFO_RESERVED  0x7ffff000u
#define INFO_VECTOR(i) ((i)&0xff)
#define INFO_TYPE(i)   ((i) >> 8 & 7)

enum {
	EXT_INT = 0,
	NMI = 2,
	HW_EXCEPTION = 3,
	SW_INT = 4,
	PRIV_SW = 5,
	SW_EXCEPTION = 6,
	OTHER = 7
};

#define BLOCK_STI   BIT(0)
#define BLOCK_MOVSS BIT(1)
#define BLOCK_SMI   BIT(2)
#define BLOCK_NMI   BIT(3)

enum {
	ACTIVE,
	HLT,
	SHUTDOWN,
	WAIT_SIPI
};

#define PENDING_BS       BIT(14)
#define PENDING_RESERVED (~0x1ffffull | 0xff0 | BIT(13) | BIT(15))

#define RULE(condition, name)        \
	do {                         \
		if (!(condition))    \
			return name; \
	} while (0)

struct check {
	const struct vmentry_caps *c;
	const struct vmentry_fields *f;
	uint32_t proc2; /* 0 when the secondary controls are off */
	bool unrestricted, ia32e, v8086;
};

static bool allowed(struct vmentry_allowed a, uint32_t value)
{
	return (value & a.must) == a.must && !(value & ~a.may);
}

static bool phys_ok(const struct check *k, uint64_t pa, uint64_t align)
{
	return is_aligned(pa, align) && !(pa >> k->c->phys_width);
}

static bool canonical(const struct check *k, uint64_t va)
{
	int shift = 64 - k->c->linear_width;

	return (uint64_t)((int64_t)(va << shift) >> shift) == va;
}

static bool pat_ok(uint64_t pat)
{
	for (int i = 0; i < 8; i++, pat >>= 8) {
		uint8_t type = pat;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* An MSR area: 16 bytes each */
static bool area_ok(const struct check *k, uint32_t count, uint64_t pa)
{
	if (!count)
		return true;
	return phys_ok(k, pa, 16) && range_contains(0, 1ull << k->c->phys_width, pa, count * 16ull);
}

/* SDM 3C 27.2.1.1 */
static const char *check_execution(const struct check *k)
{
	const struct vmentry_fields *f = k->f;

	RULE(allowed(k->c->pin, f->pin), "pin-based controls: reserved bits");
	RULE(allowed(k->c->proc, f->proc), "primary controls: reserved bits");
	RULE(!(f->proc & PROC_SECONDARY) || allowed(k->c->proc2, f->proc2),
	     "secondary controls: reserved bits");
	RULE(!(f->pin & PIN_POSTED) && !(k->proc2 & PROC2_NOT_USED),
	     "controls: feature not used by this hypervisor");
	RULE(f->cr3_targets <= (k->c->misc >> 16 & 0x1ff), "CR3-target count");
	RULE(!(f->proc & PROC_IO_BITMAPS) ||
		 (phys_ok(k, f->io_bitmap_a, 4096) && phys_ok(k, f->io_bitmap_b, 4096)),
	     "I/O bitmap address");
	RULE(!(f->proc & PROC_MSR_BITMAPS) || phys_ok(k, f->msr_bitmap, 4096),
	     "MSR bitmap address");
	if (f->proc & PROC_TPR_SHADOW)
		RULE(phys_ok(k, f->virtual_apic, 4096), "virtual-APIC address");
	else
		RULE(!(k->proc2 & (PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR)),
		     "APIC virtualization without TPR shadow");
	RULE(f->pin & PIN_NMI || !(f->pin & PIN_VIRTUAL_NMI), "virtual NMIs without NMI exiting");
	RULE(f->pin & PIN_VIRTUAL_NMI || !(f->proc & PROC_NMI_WINDOW),
	     "NMI-window exiting without virtual NMIs");
	RULE(!(k->proc2 & PROC2_APIC_ACCESS) || phys_ok(k, f->apic_access, 4096),
	     "APIC-access address");
	RULE(!(k->proc2 & PROC2_X2APIC) || !(k->proc2 & PROC2_APIC_ACCESS),
	     "virtualize x2APIC mode with virtualize APIC accesses");
	RULE(!(k->proc2 & PROC2_VIRTUAL_INTR) || f->pin & PIN_EXT_INT,
	     "virtual-interrupt delivery without external-interrupt exiting");
	RULE(!(k->proc2 & PROC2_VPID) || f->vpid, "VPID is 0");
	RULE(!k->unrestricted || k->proc2 & PROC2_EPT, "unrestricted guest without EPT");
	if (k->proc2 & PROC2_EPT) {
		uint64_t type = f->eptp & 7, cap = k->c->ept_vpid;

		RULE((type == 0 && cap & BIT(8)) || (type == 6 && cap & BIT(14)),
		     "EPTP: memory type");
		RULE((f->eptp >> 3 & 7) == 3, "EPTP: page-walk length");
		RULE(!(f->eptp & BIT(6)) || cap & BIT(21), "EPTP: accessed and dirty flags");
		RULE(!(f->eptp & 0xf80) && phys_ok(k, f->eptp & ~0xfffull, 4096),
		     "EPTP: reserved bits");
	}
	return NULL;
}

/* Vectors that push an error code: SDM 3A table 6-1 */
static bool has_error_code(uint8_t vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

/* SDM 3C 27.2.1.2 and 27.2.1.3 */
static const char *check_exit_entry(const struct check *k)
{
	const struct vmentry_fields *f = k->f;
	uint32_t info = f->entry_info, type = INFO_TYPE(info);
	uint8_t vector = INFO_VECTOR(info);

	RULE(allowed(k->c->exit, f->exit), "VM-exit controls: reserved bits");
	RULE(f->pin & PIN_PREEMPTION_TIMER || !(f->exit & EXIT_SAVE_TIMER),
	     "save preemption timer without preemption timer");
	RULE(area_ok(k, f->exit_store_count, f->exit_store), "VM-exit MSR-store area");
	RULE(area_ok(k, f->exit_load_count, f->exit_load), "VM-exit MSR-load area");
	RULE(allowed(k->c->entry, f->entry), "VM-entry controls: reserved bits");
	RULE(!(f->entry & ENTRY_SMM), "VM-entry controls: SMM");
	RULE(area_ok(k, f->entry_load_count, f->entry_load), "VM-entry MSR-load area");
	if (!(info & INFO_VALID))
		return NULL;

	RULE(type != 1, "event injection: type");
	RULE(!(info & INFO_RESERVED), "event injection: reserved bits");
	RULE(type != NMI || vector == 2, "event injection: NMI vector");
	RULE(type != HW_EXCEPTION || vector < 32, "event injection: exception vector");
	RULE(type != OTHER || vector == 0, "event injection: vector of other event");
	if (info & INFO_ERROR) {
		RULE(type == HW_EXCEPTION && has_error_code(vector) &&
			 (f->cr0 & CR0_PE || !k->unrestricted),
		     "event injection: error code not expected");
		RULE(!(f->entry_error >> 16), "event injection: error code reserved bits");
	} else {
		RULE(type != HW_EXCEPTION || !has_error_code(vector) || !(f->cr0 & CR0_PE),
		     "event injection: error code missing");
	}
	if (type == SW_INT || type == PRIV_SW || type == SW_EXCEPTION)
		RULE(f->entry_length <= 15 && (f->entry_length || k->c->misc & BIT(30)),
		     "event injection: instruction length");
	return NULL;
}

static bool host_selector_ok(uint16_t selector)
{
	return !(selector & 7);
}

/* SDM 3C 27.2.2 to 27.2.4 */
static const char *check_host(const struct check *k)
{
	const struct vmentry_caps *c = k->c;
	const struct vmentry_fields *f = k->f;

	RULE((f->host_cr0 & c->cr0_fixed0) == c->cr0_fixed0 && !(f->host_cr0 & ~c->cr0_fixed1),
	     "host CR0");
	RULE((f->host_cr4 & c->cr4_fixed0) == c->cr4_fixed0 && !(f->host_cr4 & ~c->cr4_fixed1),
	     "host CR4");
	RULE(!(f->host_cr4 & CR4_CET) || f->host_cr0 & CR0_WP, "host CR4.CET without CR0.WP");
	RULE(!(f->host_cr3 >> c->phys_width), "host CR3");
	RULE(canonical(k, f->host_sysenter_esp) && canonical(k, f->host_sysenter_eip),
	     "host SYSENTER address");
	RULE(!(f->exit & EXIT_LOAD_PAT) || pat_ok(f->host_pat), "host PAT");
	RULE(f->exit & EXIT_HOST_64, "host address-space size");
	if (f->exit & EXIT_LOAD_EFER)
		RULE((f->host_efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA) &&
			 !(f->host_efer & ~EFER_ALL),
		     "host EFER");
	RULE(host_selector_ok(f->host_es) && host_selector_ok(f->host_cs) &&
		 host_selector_ok(f->host_ss) && host_selector_ok(f->host_ds) &&
		 host_selector_ok(f->host_fs) && host_selector_ok(f->host_gs) &&
		 host_selector_ok(f->host_tr),
	     "host selector: RPL or TI");
	RULE(f->host_cs, "host CS is null");
	RULE(f->host_tr, "host TR is null");
	RULE(canonical(k, f->host_fs_base) && canonical(k, f->host_gs_base) &&
		 canonical(k, f->host_tr_base) && canonical(k, f->host_gdtr_base) &&
		 canonical(k, f->host_idtr_base),
	     "host base address");
	RULE(f->host_cr4 & CR4_PAE, "host CR4.PAE");
	RULE(canonical(k, f->host_rip), "host RIP");
	return NULL;
}

/* SDM 3C 27.3.1.1 */
static const char *check_control_registers(const struct check *k)
{
	const struct vmentry_caps *c = k->c;
	const struct vmentry_fields *f = k->f;
	uint64_t must = c->cr0_fixed0 & ~(k->unrestricted ? CR0_PE | CR0_PG : 0);

	must &= ~(CR0_NW | CR0_CD); /* never checked */
	RULE((f->cr0 & must) == must, "guest CR0: bit that must be 1");
	RULE(!(f->cr0 & ~(c->cr0_fixed1 | CR0_NW | CR0_CD)), "guest CR0: bit that must be 0");
	RULE(!(f->cr0 & CR0_PG) || f->cr0 & CR0_PE, "guest CR0: PG without PE");
	RULE((f->cr4 & c->cr4_fixed0) == c->cr4_fixed0, "guest CR4: bit that must be 1");
	RULE(!(f->cr4 & ~c->cr4_fixed1), "guest CR4: bit that must be 0");
	RULE(!(f->cr4 & CR4_CET) || f->cr0 & CR0_WP, "guest CR4: CET without CR0.WP");
	if (f->entry & ENTRY_LOAD_DEBUG) {
		RULE(!(f->debugctl & ~DEBUGCTL_ALL), "guest DEBUGCTL");
		RULE(!(f->dr7 >> 32), "guest DR7");
	}
	if (k->ia32e)
		RULE(f->cr0 & CR0_PG && f->cr4 & CR4_PAE,
		     "IA-32e mode guest without paging or PAE");
	else
		RULE(!(f->cr4 & CR4_PCIDE), "guest CR4: PCIDE outside IA-32e mode");
	RULE(!(f->cr3 >> c->phys_width), "guest CR3");
	RULE(canonical(k, f->sysenter_esp) && canonical(k, f->sysenter_eip),
	     "guest SYSENTER address");
	RULE(!(f->entry & ENTRY_LOAD_PAT) || pat_ok(f->pat), "guest PAT");
	if (f->entry & ENTRY_LOAD_EFER) {
		RULE(!(f->efer & ~EFER_ALL), "guest EFER: reserved bits");
		RULE(!(f->efer & EFER_LMA) == !k->ia32e, "guest EFER: LMA against entry control");
		RULE(!(f->cr0 & CR0_PG) || !(f->efer & EFER_LMA) == !(f->efer & EFER_LME),
		     "guest EFER: LMA against LME");
	}
	return NULL;
}

static bool usable(const struct vmentry_seg *s)
{
	return !(s->ar & AR_UNUSABLE);
}

/* G counts the limit in pages: the low bits are then ones, and without it the high bits zeros. */
static bool granularity_ok(const struct vmentry_seg *s)
{
	if ((s->limit & 0xfff) != 0xfff && s->ar & AR_G)
		return false;
	return !(s->limit >> 20) || s->ar & AR_G;
}

static bool attributes_ok(const struct vmentry_seg *s, bool system)
{
	return !(s->ar & AR_S) == system && s->ar & AR_P && !(s->ar & AR_RESERVED) &&
	       granularity_ok(s);
}

static const char *check_v8086(const struct check *k)
{
	for (int i = SEG_ES; i <= SEG_GS; i++) {
		const struct vmentry_seg *s = &k->f->seg[i];

		RULE(s->base == (uint64_t)s->selector << 4, "virtual-8086 segment: base");
		RULE(s->limit == 0xffff, "virtual-8086 segment: limit");
		RULE(s->ar == AR_V8086, "virtual-8086 segment: access rights");
	}
	return NULL;
}

static const char *check_cs(const struct check *k)
{
	const struct vmentry_seg *cs = &k->f->seg[SEG_CS], *ss = &k->f->seg[SEG_SS];
	uint32_t type = AR_TYPE(cs->ar);

	RULE(usable(cs), "guest CS: unusable");
	RULE(!(cs->base >> 32), "guest CS: base");
	switch (type) {
	case 3:
		RULE(k->unrestricted, "guest CS: type");
		RULE(AR_DPL(cs->ar) == 0, "guest CS: DPL of data type");
		break;
	case 9:
	case 11:
		RULE(AR_DPL(cs->ar) == AR_DPL(ss->ar), "guest CS: DPL differs from SS");
		break;
	case 13:
	case 15:
		RULE(AR_DPL(cs->ar) <= AR_DPL(ss->ar), "guest CS: DPL above SS");
		break;
	default:
		return "guest CS: type";
	}
	RULE(attributes_ok(cs, false), "guest CS: S, P, reserved bits or granularity");
	RULE(!k->ia32e || !(cs->ar & AR_L) || !(cs->ar & AR_DB), "guest CS: L with D");
	return NULL;
}

static const char *check_ss(const struct check *k)
{
	const struct vmentry_seg *cs = &k->f->seg[SEG_CS], *ss = &k->f->seg[SEG_SS];
	uint32_t dpl = AR_DPL(ss->ar), type = AR_TYPE(ss->ar);

	RULE(k->unrestricted || (ss->selector & 3) == (cs->selector & 3),
	     "guest SS: RPL differs from CS");
	RULE(k->unrestricted || dpl == (ss->selector & 3u), "guest SS: DPL differs from RPL");
	RULE((AR_TYPE(cs->ar) != 3 && k->f->cr0 & CR0_PE) || dpl == 0,
	     "guest SS: DPL in real mode");
	if (!usable(ss))
		return NULL;
	RULE(type == 3 || type == 7, "guest SS: type");
	RULE(!(ss->base >> 32), "guest SS: base");
	RULE(attributes_ok(ss, false), "guest SS: S, P, reserved bits or granularity");
	return NULL;
}

static const char *check_data(const struct check *k, const struct vmentry_seg *s, bool wide)
{
	uint32_t type = AR_TYPE(s->ar);

	if (wide) /* FS, GS: whether usable or not */
		RULE(canonical(k, s->base), "guest FS or GS: base");
	if (!usable(s))
		return NULL;
	RULE(wide || !(s->base >> 32), "guest data segment: base");
	RULE(type & TYPE_ACCESSED && (!(type & TYPE_CODE) || type & TYPE_READABLE),
	     "guest data segment: type");
	RULE(attributes_ok(s, false), "guest data segment: S, P, reserved bits or granularity");
	RULE(k->unrestricted || type > 11 || AR_DPL(s->ar) >= (s->selector & 3u),
	     "guest data segment: DPL below RPL");
	return NULL;
}

/* SDM 3C 27.3.1.2 and 27.3.1.3 */
static const char *check_segments(const struct check *k)
{
	static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
	const struct vmentry_fields *f = k->f;
	const struct vmentry_seg *tr = &f->seg[SEG_TR], *ldtr = &f->seg[SEG_LDTR];
	const char *why = NULL;

	RULE(!(tr->selector & 4), "guest TR: TI");
	RULE(!usable(ldtr) || !(ldtr->selector & 4), "guest LDTR: TI");
	if (k->v8086) {
		why = check_v8086(k);
	} else {
		why = check_cs(k);
		if (!why)
			why = check_ss(k);
		for (int i = 0; !why && i < 4; i++)
			why = check_data(k, &f->seg[data[i]], data[i] >= SEG_FS);
	}
	if (why)
		return why;

	RULE(canonical(k, tr->base), "guest TR: base");
	RULE(usable(tr), "guest TR: unusable");
	RULE(AR_TYPE(tr->ar) == 11 || (AR_TYPE(tr->ar) == 3 && !k->ia32e), "guest TR: type");
	RULE(attributes_ok(tr, true), "guest TR: S, P, reserved bits or granularity");
	if (usable(ldtr)) {
		RULE(canonical(k, ldtr->base), "guest LDTR: base");
		RULE(AR_TYPE(ldtr->ar) == 2, "guest LDTR: type");
		RULE(attributes_ok(ldtr, true), "guest LDTR: S, P, reserved bits or granularity");
	}
	RULE(canonical(k, f->gdtr_base) && canonical(k, f->idtr_base), "guest GDTR or IDTR: base");
	RULE(!(f->gdtr_limit >> 16) && !(f->idtr_limit >> 16), "guest GDTR or IDTR: limit");
	return NULL;
}

/* SDM 3C 27.3.1.4 */
static const char *check_rip_rflags(const struct check *k)
{
	const struct vmentry_fields *f = k->f;
	uint32_t info = f->entry_info;

	/* It need not be canonical: the bit below may differ. */
	if (k->ia32e && f->seg[SEG_CS].ar & AR_L)
		RULE(!(f->rip >> k->c->linear_width) ||
			 f->rip >> k->c->linear_width == UINT64_MAX >> k->c->linear_width,
		     "guest RIP: bits above the linear address");
	else
		RULE(!(f->rip >> 32), "guest RIP: upper half");
	RULE(f->rflags & RFLAGS_FIXED1 && !(f->rflags & RFLAGS_RESERVED),
	     "guest RFLAGS: reserved bits");
	RULE(!k->v8086 || (!k->ia32e && f->cr0 & CR0_PE), "guest RFLAGS: VM");
	RULE(!(info & INFO_VALID) || INFO_TYPE(info) != EXT_INT || f->rflags & RFLAGS_IF,
	     "guest RFLAGS: interrupt injected with IF clear");
	return NULL;
}

/* Whether an event can be injected in an activity state (SDM 3C 27.3.1.5). */
static bool activity_takes(uint32_t activity, uint32_t info)
{
	uint32_t type = INFO_TYPE(info), vector = INFO_VECTOR(info);

	if (!(info & INFO_VALID) || activity == ACTIVE)
		return true;
	switch (activity) {
	case HLT:
		return type == EXT_INT || type == NMI || type == OTHER ||
		       (type == HW_EXCEPTION && (vector == 1 || vector == 18));
	case SHUTDOWN:
		return type == NMI || (type == HW_EXCEPTION && vector == 18);
	default:
		return false;
	}
}

/* SDM 3C 27.3.1.5 */
static const char *check_non_register(const struct check *k)
{
	const struct vmentry_fields *f = k->f;
	uint32_t block = f->interruptibility, info = f->entry_info;
	bool injects = info & INFO_VALID, shadow = block & (BLOCK_STI | BLOCK_MOVSS);

	RULE(f->activity <= WAIT_SIPI &&
		 (f->activity == ACTIVE || k->c->misc >> (5 + f->activity) & 1),
	     "activity state: not supported");
	RULE(f->activity != HLT || AR_DPL(f->seg[SEG_SS].ar) == 0,
	     "activity state: HLT with SS.DPL above 0");
	RULE(f->activity == ACTIVE || !shadow,
	     "activity state: not active with blocking by STI or MOV SS");
	RULE(activity_takes(f->activity, info), "activity state: event injected");

	RULE(!(block & ~0xfull), "interruptibility: reserved bits");
	RULE(!(block & BLOCK_STI) || !(block & BLOCK_MOVSS), "interruptibility: STI and MOV SS");
	RULE(!(block & BLOCK_STI) || f->rflags & RFLAGS_IF, "interruptibility: STI with IF clear");
	RULE(!(block & BLOCK_SMI), "interruptibility: blocking by SMI outside SMM");
	if (injects && INFO_TYPE(info) == EXT_INT)
		RULE(!shadow, "interruptibility: interrupt injected while blocked");
	if (injects && INFO_TYPE(info) == NMI) {
		RULE(!shadow, "interruptibility: NMI injected while blocked");
		RULE(!(f->pin & PIN_VIRTUAL_NMI) || !(block & BLOCK_NMI),
		     "interruptibility: NMI injected with blocking by NMI");
	}

	RULE(!(f->pending_debug & PENDING_RESERVED), "pending debug exceptions: reserved bits");
	if (shadow || f->activity == HLT) {
		bool step = f->rflags & RFLAGS_TF && !(f->debugctl & DEBUGCTL_BTF);

		RULE(!(f->pending_debug & PENDING_BS) == !step, "pending debug exceptions: BS");
	}
	RULE(f->link == UINT64_MAX, "VMCS link pointer");
	return NULL;
}

/* SDM 3C 27.3.1.6 */
static const char *check_pdptes(const struct check *k)
{
	const struct vmentry_fields *f = k->f;

	if (!(f->cr0 & CR0_PG) || !(f->cr4 & CR4_PAE) || k->ia32e || !(k->proc2 & PROC2_EPT))
		return NULL;
	for (int i = 0; i < 4; i++)
		RULE(!(f->pdpte[i] & 1) ||
			 (!(f->pdpte[i] & 0x1e6) && !(f->pdpte[i] >> k->c->phys_width)),
		     "PDPTE: reserved bits");
	return NULL;
}

const char *vmentry_check(const struct vmentry_caps *caps, const struct vmentry_fields *fields)
{
	static const char *(*const checks[])(const struct check *) = {
	    check_execution, check_exit_entry, check_host,         check_control_registers,
	    check_segments,  check_rip_rflags, check_non_register, check_pdptes,
	};
	struct check k = {
	    .c = caps,
	    .f = fields,
	    .proc2 = fields->proc & PROC_SECONDARY ? fields->proc2 : 0,
	    .ia32e = fields->entry & ENTRY_IA32E,
	    .v8086 = fields->rflags & RFLAGS_VM,
	};

	k.unrestricted = k.proc2 & PROC2_UNRESTRICTED;
	for (unsigned int i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *why = checks[i](&k);

		if (why)
			return why;
	}
	return NULL;
}
