/* SPDX-License-Identifier: MIT */
#include "hv/vm/common_exit.h"

#include "hv/arch/trap.h"
#include "hv/hv.h"
#include "hv/lib/string.h"
#include "hv/vm/guest_mem.h"

#define CR_ACCESS_MOV_TO 0
#define CR_ACCESS_LMSW   3
#define AR_L             BIT(13) /* of a segment's access rights: 64-bit code */

void exit_cpuid(struct vcpu *v,
		struct cpuid (*policy)(uint32_t leaf, uint32_t subleaf, uint64_t cr4))
{
	struct cpuid r =
	    policy((uint32_t)v->reg[RAX], (uint32_t)v->reg[RCX], vmread(VMCS_GUEST_CR4));

	v->reg[RAX] = r.eax;
	v->reg[RBX] = r.ebx;
	v->reg[RCX] = r.ecx;
	v->reg[RDX] = r.edx;
	vcpu_skip(v);
}

/* VM entry takes the four entries of PAE paging from the VMCS. False: #GP. */
static bool load_pdptes(struct vcpu *v, const struct creg_state *state, uint64_t cr0)
{
	static const enum vmcs_field field[4] = {VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
						 VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3};
	uint64_t entry[4];
	const void *from;

	if (!creg_loads_pdptes(state, cr0))
		return true;
	/* Memory that is not there reads as ones, which is reserved bits. */
	from = guest_pointer(v->vm, state->cr3 & 0xffffffe0, sizeof(entry));
	if (!from)
		return false;
	memcpy(entry, from, sizeof(entry));
	for (unsigned int i = 0; i < 4; i++)
		if (!creg_pdpte_ok(entry[i], hv.phys_bits))
			return false;
	for (unsigned int i = 0; i < 4; i++)
		vmwrite(field[i], entry[i]);
	return true;
}

/* Only accesses that touch the owned bits of CR0 and CR4 come here. SDM 3C table 28-3. */
void exit_cr_access(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned int cr = q & 15, type = q >> 4 & 3, reg = q >> 8 & 15;
	uint64_t value = reg == RSP ? vmread(VMCS_GUEST_RSP) : v->reg[reg];
	uint64_t shadow = vmread(VMCS_CR0_SHADOW), owned = vmread(VMCS_CR0_MASK);
	struct creg_state state = {
	    .cr0 = (vmread(VMCS_GUEST_CR0) & ~owned) | (shadow & owned),
	    .cr3 = vmread(VMCS_GUEST_CR3),
	    .cr4 = vmread(VMCS_GUEST_CR4) & ~vmread(VMCS_CR4_MASK), /* never on, for the guest */
	    .efer = vmread(VMCS_GUEST_EFER),
	    .cs_l = vmread(VMCS_GUEST_CS_AR) & AR_L,
	};

	/* Outside 64-bit mode the operand has 32 bits. */
	if (!(state.efer & EFER_LMA && state.cs_l))
		value = (uint32_t)value;
	if (cr == 0 && type == CR_ACCESS_LMSW) {
		/* LMSW sets the low four bits, and cannot clear PE. */
		value = (vmread(VMCS_GUEST_CR0) & ~0xeul) | (q >> 16 & 15) |
			(shadow & (CR0_CD | CR0_NW));
	} else if (type != CR_ACCESS_MOV_TO) {
		vcpu_inject_gp(v);
		return;
	}
	if (cr == 0) {
		if (!creg_cr0_ok(&state, value) || !load_pdptes(v, &state, value)) {
			vcpu_inject_gp(v);
			return;
		}
		vcpu_set_cr0(v, value);
	} else if (cr == 4 && creg_cr4_ok(&hv.vmx.creg, &state, value)) {
		vcpu_set_cr4(v, value);
	} else {
		vcpu_inject_gp(v);
		return;
	}
	vcpu_skip(v);
}

/* The processor itself knows best which values are good; the exit comes before its check. */
void exit_xsetbv(struct vcpu *v)
{
	uint64_t value = exit_wrmsr_value(v);

	if (vcpu_cpl() || !(vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE)) {
		vcpu_inject_gp(v);
		return;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	if (xsetbv_safe((uint32_t)v->reg[RCX], value))
		vcpu_skip(v);
	else
		vcpu_inject_gp(v);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

/* INVD too: writing back is what an operating system means (SDM 2A INVD). */
void exit_wbinvd(struct vcpu *v)
{
	asm volatile("wbinvd" : : : "memory");
	vcpu_skip(v);
}

uint64_t exit_wrmsr_value(const struct vcpu *v)
{
	return (v->reg[RDX] << 32) | (uint32_t)v->reg[RAX];
}

void exit_rdmsr_done(struct vcpu *v, uint64_t value)
{
	v->reg[RAX] = (uint32_t)value;
	v->reg[RDX] = value >> 32;
	vcpu_skip(v);
}
