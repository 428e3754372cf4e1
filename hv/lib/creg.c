/* SPDX-License-Identifier: MIT */
#include "hv/lib/creg.h"

/* With unrestricted guest PE and PG are free, whatever CR0_FIXED0 says (SDM 3C 24.8). */
static uint64_t cr0_must_be_1(const struct creg_limits *l)
{
	return l->cr0_fixed0 & ~(l->unrestricted ? CR0_PE | CR0_PG : 0);
}

uint64_t creg_cr0_mask(const struct creg_limits *l)
{
	return CR0_CD | CR0_NW | cr0_must_be_1(l) | (~l->cr0_fixed1 & UINT32_MAX);
}

uint64_t creg_cr4_mask(const struct creg_limits *l)
{
	/* A write that sets a bit which must be 0, or is refused, exits: creg_cr4_ok(). */
	return CR4_REFUSED | l->cr4_fixed0 | ~l->cr4_fixed1;
}

/* SDM 2B, MOV to control registers */
bool creg_cr0_ok(const struct creg_state *s, uint64_t value)
{
	bool paging = s->cr0 & CR0_PG;

	if (value >> 32)
		return false;
	if ((value & CR0_NW && !(value & CR0_CD)) || (value & CR0_PG && !(value & CR0_PE)))
		return false;
	if (!paging && value & CR0_PG && s->efer & EFER_LME && (!(s->cr4 & CR4_PAE) || s->cs_l))
		return false;
	if (paging && !(value & CR0_PG) && (s->cr4 & CR4_PCIDE || s->cs_l))
		return false;
	return value & CR0_WP || !(s->cr4 & CR4_CET);
}

bool creg_cr4_ok(const struct creg_limits *l, const struct creg_state *s, uint64_t value)
{
	uint64_t changed = value ^ s->cr4;
	bool long_mode = s->efer & EFER_LMA;

	if (value & (~l->cr4_fixed1 | CR4_REFUSED))
		return false;
	if (long_mode && (!(value & CR4_PAE) || changed & CR4_LA57))
		return false;
	if (changed & value & CR4_PCIDE && (!long_mode || s->cr3 & 0xfff))
		return false;
	if (value & CR4_PCIDE && !long_mode)
		return false;
	return s->cr0 & CR0_WP || !(value & CR4_CET);
}

uint64_t creg_cr0_shadow(uint64_t value)
{
	return (value & UINT32_MAX) | CR0_ET;
}

uint64_t creg_cr0_real(const struct creg_limits *l, uint64_t value)
{
	return ((value & l->cr0_fixed1) | cr0_must_be_1(l) | CR0_ET) & ~(CR0_CD | CR0_NW);
}

uint64_t creg_cr4_real(const struct creg_limits *l, uint64_t value)
{
	return (value & l->cr4_fixed1) | l->cr4_fixed0;
}

bool creg_loads_pdptes(const struct creg_state *s, uint64_t cr0)
{
	return cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LME);
}

bool creg_pdpte_ok(uint64_t entry, unsigned int phys_bits)
{
	/* Bits 1, 2, 5 to 8 and those above the physical address: SDM 3A table 4-8 */
	return !(entry & 1) || !(entry & (0x1e6 | -(1ull << phys_bits)));
}
