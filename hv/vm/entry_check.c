/* SPDX-License-Identifier: MIT */
#include "hv/vm/entry_check.h"

#include "hv/arch/vmx.h"
#include "hv/arch/x86.h"
#include "hv/hv.h"
#include "hv/lib/vmentry.h"

#define CPUID_7_ECX_LA57 BIT(16)

static void get_caps(struct vmentry_caps *c)
{
	const struct vmx_caps *v = &hv.vmx;

	*c = (struct vmentry_caps){
	    .pin = {v->pin1, v->pin},
	    .proc = {v->proc1, v->proc},
	    .proc2 = {v->proc21, v->proc2},
	    .exit = {v->exit1, v->exit},
	    .entry = {v->entry1, v->entry},
	    .cr0_fixed0 = v->creg.cr0_fixed0,
	    .cr0_fixed1 = v->creg.cr0_fixed1,
	    .cr4_fixed0 = v->creg.cr4_fixed0,
	    .cr4_fixed1 = v->creg.cr4_fixed1,
	    .misc = rdmsr(MSR_VMX_MISC),
	    .ept_vpid = v->ept_vpid,
	    .phys_width = (uint8_t)hv.phys_bits,
	    .linear_width = cpuid(7, 0).ecx & CPUID_7_ECX_LA57 ? 57 : 48,
	};
}

/* Those that the hypervisor uses: of the others the features are off. */
static void get_controls(struct vmentry_fields *f)
{
	f->pin = (uint32_t)vmread(VMCS_PIN_CTLS);
	f->proc = (uint32_t)vmread(VMCS_PROC_CTLS);
	f->proc2 = (uint32_t)vmread(VMCS_PROC2_CTLS);
	f->exit = (uint32_t)vmread(VMCS_EXIT_CTLS);
	f->entry = (uint32_t)vmread(VMCS_ENTRY_CTLS);
	f->cr3_targets = (uint32_t)vmread(VMCS_CR3_TARGETS);
	if (f->proc2 & PROC2_VPID)
		f->vpid = (uint16_t)vmread(VMCS_VPID);
	f->io_bitmap_a = vmread(VMCS_IO_BITMAP_A);
	f->io_bitmap_b = vmread(VMCS_IO_BITMAP_B);
	f->msr_bitmap = vmread(VMCS_MSR_BITMAP);
	f->eptp = vmread(VMCS_EPTP);
	f->exit_store_count = (uint32_t)vmread(VMCS_EXIT_MSR_STORE_COUNT);
	f->exit_load_count = (uint32_t)vmread(VMCS_EXIT_MSR_LOAD_COUNT);
	f->entry_load_count = (uint32_t)vmread(VMCS_ENTRY_MSR_LOAD_COUNT);
	f->entry_info = (uint32_t)vmread(VMCS_ENTRY_INTR_INFO);
	f->entry_error = (uint32_t)vmread(VMCS_ENTRY_ERROR_CODE);
	f->entry_length = (uint32_t)vmread(VMCS_ENTRY_INSN_LEN);
}

static void get_host(struct vmentry_fields *f)
{
	f->host_cr0 = vmread(VMCS_HOST_CR0);
	f->host_cr3 = vmread(VMCS_HOST_CR3);
	f->host_cr4 = vmread(VMCS_HOST_CR4);
	f->host_efer = vmread(VMCS_HOST_EFER);
	f->host_pat = vmread(VMCS_HOST_PAT);
	f->host_rip = vmread(VMCS_HOST_RIP);
	f->host_fs_base = vmread(VMCS_HOST_FS_BASE);
	f->host_gs_base = vmread(VMCS_HOST_GS_BASE);
	f->host_tr_base = vmread(VMCS_HOST_TR_BASE);
	f->host_gdtr_base = vmread(VMCS_HOST_GDTR_BASE);
	f->host_idtr_base = vmread(VMCS_HOST_IDTR_BASE);
	f->host_sysenter_esp = vmread(VMCS_HOST_SYSENTER_ESP);
	f->host_sysenter_eip = vmread(VMCS_HOST_SYSENTER_EIP);
	f->host_es = (uint16_t)vmread(VMCS_HOST_ES_SEL);
	f->host_cs = (uint16_t)vmread(VMCS_HOST_CS_SEL);
	f->host_ss = (uint16_t)vmread(VMCS_HOST_SS_SEL);
	f->host_ds = (uint16_t)vmread(VMCS_HOST_DS_SEL);
	f->host_fs = (uint16_t)vmread(VMCS_HOST_FS_SEL);
	f->host_gs = (uint16_t)vmread(VMCS_HOST_GS_SEL);
	f->host_tr = (uint16_t)vmread(VMCS_HOST_TR_SEL);
}

static void get_guest(struct vmentry_fields *f)
{
	f->cr0 = vmread(VMCS_GUEST_CR0);
	f->cr3 = vmread(VMCS_GUEST_CR3);
	f->cr4 = vmread(VMCS_GUEST_CR4);
	f->dr7 = vmread(VMCS_GUEST_DR7);
	f->efer = vmread(VMCS_GUEST_EFER);
	f->pat = vmread(VMCS_GUEST_PAT);
	f->debugctl = vmread(VMCS_GUEST_DEBUGCTL);
	f->rip = vmread(VMCS_GUEST_RIP);
	f->rsp = vmread(VMCS_GUEST_RSP);
	f->rflags = vmread(VMCS_GUEST_RFLAGS);
	/* The fields of a segment come in the order of its number, each 2 after the one before. */
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		f->seg[i] = (struct vmentry_seg){
		    .selector = (uint16_t)vmread(VMCS_GUEST_ES_SEL + 2 * i),
		    .limit = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * i),
		    .ar = (uint32_t)vmread(VMCS_GUEST_ES_AR + 2 * i),
		    .base = vmread(VMCS_GUEST_ES_BASE + 2 * i),
		};
	f->gdtr_base = vmread(VMCS_GUEST_GDTR_BASE);
	f->idtr_base = vmread(VMCS_GUEST_IDTR_BASE);
	f->gdtr_limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT);
	f->idtr_limit = (uint32_t)vmread(VMCS_GUEST_IDTR_LIMIT);
	f->sysenter_esp = vmread(VMCS_GUEST_SYSENTER_ESP);
	f->sysenter_eip = vmread(VMCS_GUEST_SYSENTER_EIP);
	f->activity = (uint32_t)vmread(VMCS_GUEST_ACTIVITY);
	f->interruptibility = (uint32_t)vmread(VMCS_GUEST_INTERRUPTIBILITY);
	f->pending_debug = vmread(VMCS_GUEST_PENDING_DEBUG);
	f->link = vmread(VMCS_LINK_POINTER);
	f->pdpte[0] = vmread(VMCS_GUEST_PDPTE0);
	f->pdpte[1] = vmread(VMCS_GUEST_PDPTE1);
	f->pdpte[2] = vmread(VMCS_GUEST_PDPTE2);
	f->pdpte[3] = vmread(VMCS_GUEST_PDPTE3);
}

const char *entry_check(void)
{
	struct vmentry_fields fields = {0};
	struct vmentry_caps caps;

	get_caps(&caps);
	get_controls(&fields);
	get_host(&fields);
	get_guest(&fields);
	return vmentry_check(&caps, &fields);
}
