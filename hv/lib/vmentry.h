/* SPDX-License-Identifier: MIT
 *
 * The checks that the processor makes at VM entry (SDM 3C 27.2, 27.3), as a function of the fields.
 *
 * The processor says no more than "invalid control field" or "invalid guest state", and Bochs 2.7
 * accepts states that it would refuse. This names the first rule that a VMCS violates. Fields of
 * features that the hypervisor does not use (posted interrupts, SMM, enclaves, PML) are refused.
 */
#ifndef HV_LIB_VMENTRY_H
#define HV_LIB_VMENTRY_H

#include <stdbool.h>
#include <stdint.h>

enum vmentry_segment {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_COUNT
};

struct vmentry_seg {
	uint16_t selector;
	uint32_t limit;
	uint32_t ar; /* access rights as in the VMCS */
	uint64_t base;
};

/* Allowed settings of a control: bits that must be 1, bits that may be 1 (the halves of its
 * capability MSR, the TRUE one where there is one). */
struct vmentry_allowed {
	uint32_t must, may;
};

struct vmentry_caps {
	struct vmentry_allowed pin, proc, proc2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t misc;     /* IA32_VMX_MISC */
	uint64_t ept_vpid; /* IA32_VMX_EPT_VPID_CAP */
	uint8_t phys_width;
	uint8_t linear_width; /* 48 or 57 */
};

struct vmentry_fields {
	/* controls */
	uint32_t pin, proc, proc2, exit, entry;
	uint32_t cr3_targets;
	uint16_t vpid;
	uint64_t io_bitmap_a, io_bitmap_b, msr_bitmap, apic_access, virtual_apic, eptp;
	uint32_t exit_store_count, exit_load_count, entry_load_count;
	uint64_t exit_store, exit_load, entry_load;
	uint32_t entry_info, entry_error, entry_length;

	/* host */
	uint64_t host_cr0, host_cr3, host_cr4, host_efer, host_pat, host_rip;
	uint64_t host_fs_base, host_gs_base, host_tr_base, host_gdtr_base, host_idtr_base;
	uint64_t host_sysenter_esp, host_sysenter_eip;
	uint16_t host_es, host_cs, host_ss, host_ds, host_fs, host_gs, host_tr;

	/* guest */
	uint64_t cr0, cr3, cr4, dr7, efer, pat, debugctl;
	uint64_t rip, rsp, rflags;
	struct vmentry_seg seg[SEG_COUNT];
	uint64_t gdtr_base, idtr_base;
	uint32_t gdtr_limit, idtr_limit;
	uint64_t sysenter_esp, sysenter_eip;
	uint32_t activity, interruptibility;
	uint64_t pending_debug;
	uint64_t link;
	uint64_t pdpte[4];
};

/* The first rule that is violated, in words, or NULL. */
const char *vmentry_check(const struct vmentry_caps *caps, const struct vmentry_fields *fields);

#endif
