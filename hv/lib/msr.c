/* SPDX-License-Identifier: MIT */
#include "hv/lib/msr.h"
#include "hv/lib/string.h"

struct rule {
	uint32_t first, last;
	enum msr_action read, write;
};

/* Both tables: the first rule that holds the MSR decides. Names: SDM 4. */

static const struct rule root_rules[] = {
    /* What a hypervisor below this one offers by MSRs it writes to this one's memory: KVM's clock. */
    {0x011, 0x012, MSR_DENY, MSR_DENY},
    {0x01b, 0x01b, MSR_PASS, MSR_EMULATE}, /* APIC_BASE: mode may change, address not */
    {0x03a, 0x03a, MSR_EMULATE, MSR_DENY}, /* FEATURE_CONTROL: locked, without VMX */
    {0x079, 0x079, MSR_DENY, MSR_EMULATE}, /* BIOS_UPDT_TRIG: dropped */
    {0x08c, 0x08f, MSR_DENY, MSR_DENY},    /* SGXLEPUBKEYHASH */
    {0x09b, 0x09b, MSR_DENY, MSR_DENY},    /* SMM_MONITOR_CTL */
    {0x0cf, 0x0cf, MSR_EMULATE, MSR_DENY}, /* CORE_CAPABILITIES: no RAR */
    {0x0ed, 0x0ef, MSR_DENY, MSR_DENY},    /* RAR: tables in physical memory */
    {0x1a0, 0x1a0, MSR_PASS, MSR_EMULATE}, /* MISC_ENABLE: CPUID must not change */
    {0x1d9, 0x1d9, MSR_PASS, MSR_EMULATE}, /* DEBUGCTL: LBR and BTF alone */
    {0x1f2, 0x1f3, MSR_PASS, MSR_DENY},    /* SMRR */
    {0x200, 0x23f, MSR_PASS, MSR_EMULATE}, /* variable MTRRs: the EPT has the types */
    {0x250, 0x250, MSR_PASS, MSR_EMULATE}, /* fixed MTRRs */
    {0x258, 0x259, MSR_PASS, MSR_EMULATE},
    {0x268, 0x26f, MSR_PASS, MSR_EMULATE},
    {0x2ff, 0x2ff, MSR_PASS, MSR_EMULATE}, /* MTRR_DEF_TYPE */
    {0x345, 0x345, MSR_EMULATE, MSR_DENY}, /* PERF_CAPABILITIES: no PEBS */
    {0x3f1, 0x3f2, MSR_DENY, MSR_DENY},    /* PEBS_ENABLE, PEBS_DATA_CFG */
    {0x480, 0x493, MSR_DENY, MSR_DENY},    /* VMX capabilities */
    {0x560, 0x561, MSR_DENY, MSR_DENY},    /* Processor Trace: writes memory by physical */
    {0x570, 0x572, MSR_DENY, MSR_DENY},    /* address, past the EPT */
    {0x580, 0x587, MSR_DENY, MSR_DENY},
    {0x600, 0x600, MSR_DENY, MSR_DENY},    /* DS_AREA */
    {0x830, 0x830, MSR_PASS, MSR_EMULATE}, /* x2APIC ICR */
    {0x985, 0x98a, MSR_DENY, MSR_DENY},    /* UINTR: SENDUIPI sends any vector to any core */
    {0x17d0, 0x17d4, MSR_DENY, MSR_DENY},  /* HW_FEEDBACK: writes physical memory, past the EPT */
    {0x17da, 0x17da, MSR_DENY, MSR_DENY},  /* HRESET_ENABLE */
    /* Processors have none here; hypervisors have, as above: Hyper-V, KVM, Xen. */
    {0x2000, 0xbfffffff, MSR_DENY, MSR_DENY},
    {0xc0002000, UINT32_MAX, MSR_DENY, MSR_DENY},
    {0x000, UINT32_MAX, MSR_PASS, MSR_PASS},
};

static const struct rule dataplane_rules[] = {
    {0x010, 0x010, MSR_PASS, MSR_DENY},           /* TIME_STAMP_COUNTER */
    {0x01b, 0x01b, MSR_PASS, MSR_DENY},           /* APIC_BASE */
    {0x03b, 0x03b, MSR_PASS, MSR_DENY},           /* TSC_ADJUST */
    {0x0fe, 0x0fe, MSR_PASS, MSR_DENY},           /* MTRRCAP */
    {0x10a, 0x10a, MSR_PASS, MSR_DENY},           /* ARCH_CAPABILITIES */
    {0x174, 0x176, MSR_PASS, MSR_PASS},           /* SYSENTER */
    {0x277, 0x277, MSR_PASS, MSR_PASS},           /* PAT: loaded and saved with the VMCS */
    {0x6e0, 0x6e0, MSR_PASS, MSR_PASS},           /* TSC_DEADLINE */
    {0x802, 0x803, MSR_PASS, MSR_DENY},           /* x2APIC: ID, version */
    {0x808, 0x808, MSR_PASS, MSR_PASS},           /* TPR */
    {0x80a, 0x80a, MSR_PASS, MSR_DENY},           /* PPR */
    {0x80b, 0x80b, MSR_DENY, MSR_PASS},           /* EOI */
    {0x80d, 0x80d, MSR_PASS, MSR_DENY},           /* LDR */
    {0x80f, 0x80f, MSR_PASS, MSR_PASS},           /* SVR */
    {0x810, 0x827, MSR_PASS, MSR_DENY},           /* ISR, TMR, IRR */
    {0x828, 0x828, MSR_PASS, MSR_PASS},           /* ESR */
    {0x830, 0x830, MSR_PASS, MSR_EMULATE},        /* ICR: own cores, fixed vectors */
    {0x832, 0x832, MSR_PASS, MSR_PASS},           /* LVT timer */
    {0x833, 0x836, MSR_PASS, MSR_DENY},           /* LVT with a delivery mode: SMI, NMI, INIT */
    {0x837, 0x838, MSR_PASS, MSR_PASS},           /* LVT error, initial count */
    {0x839, 0x839, MSR_PASS, MSR_DENY},           /* current count */
    {0x83e, 0x83e, MSR_PASS, MSR_PASS},           /* divide configuration */
    {0x83f, 0x83f, MSR_DENY, MSR_PASS},           /* self IPI */
    {0xc0000080, 0xc0000080, MSR_PASS, MSR_PASS}, /* EFER: loaded and saved with the VMCS */
    {0xc0000081, 0xc0000084, MSR_PASS, MSR_PASS}, /* STAR, LSTAR, CSTAR, FMASK */
    {0xc0000100, 0xc0000103, MSR_PASS, MSR_PASS}, /* FS, GS, kernel GS base, TSC_AUX */
    {0x000, UINT32_MAX, MSR_DENY, MSR_DENY},
};

static enum msr_action find(const struct rule *rule, uint32_t msr, bool write)
{
	while (msr < rule->first || msr > rule->last)
		rule++;
	return write ? rule->write : rule->read;
}

enum msr_action msr_root(uint32_t msr, bool write)
{
	return find(root_rules, msr, write);
}

enum msr_action msr_dataplane(uint32_t msr, bool write)
{
	return find(dataplane_rules, msr, write);
}

/* SDM 3C 25.6.9: read low, read high, write low, write high, 1 KB each; false: outside. */
static bool bitmap_position(uint32_t msr, bool write, uint32_t *byte, uint8_t *bit)
{
	uint32_t quarter = write ? 2 : 0;

	if (msr >= 0xc0000000 && msr <= 0xc0001fff)
		quarter++;
	else if (msr > 0x1fff)
		return false;
	*byte = quarter * 1024 + (msr & 0x1fff) / 8;
	*bit = 1u << msr % 8;
	return true;
}

void msr_bitmap_fill(uint8_t bitmap[MSR_BITMAP_SIZE],
		     enum msr_action (*policy)(uint32_t msr, bool write))
{
	memset(bitmap, 0, MSR_BITMAP_SIZE);
	for (uint32_t i = 0; i < 4 * 0x2000; i++) {
		uint32_t msr = (i & 0x2000 ? 0xc0000000 : 0) + (i & 0x1fff), byte;
		bool write = i & 0x4000;
		uint8_t bit;

		if (policy(msr, write) != MSR_PASS && bitmap_position(msr, write, &byte, &bit))
			bitmap[byte] |= bit;
	}
}

bool msr_bitmap_exits(const uint8_t bitmap[MSR_BITMAP_SIZE], uint32_t msr, bool write)
{
	uint32_t byte;
	uint8_t bit;

	return !bitmap_position(msr, write, &byte, &bit) || bitmap[byte] & bit;
}
