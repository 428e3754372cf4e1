/* SPDX-License-Identifier: MIT */
#include "hv/arch/cache.h"

#include "hv/arch/x86.h"
#include "hv/lib/mtrr.h"

#define MTRR_CAP_FIXED BIT(8)
#define MTRR_ENABLE    BIT(11)
#define MTRR_BASE(i)   (0x200 + 2 * (i))
#define MTRR_MASK(i)   (0x201 + 2 * (i))

static struct {
	struct mtrr mtrr;
	uint64_t pat;
	uint64_t misc_enable;
	bool has_misc_enable;
} boot;

static void read_mtrr(struct mtrr *m)
{
	m->cap = rdmsr(MSR_MTRR_CAP);
	m->def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	for (uint32_t i = 0; i < mtrr_variable_count(m->cap); i++) {
		m->base[i] = rdmsr(MTRR_BASE(i));
		m->mask[i] = rdmsr(MTRR_MASK(i));
	}
	if (m->cap & MTRR_CAP_FIXED)
		for (unsigned int i = 0; i < MTRR_FIXED_COUNT; i++)
			m->fixed[i] = rdmsr(mtrr_fixed_msr[i]);
}

void cache_save(void)
{
	read_mtrr(&boot.mtrr);
	boot.pat = rdmsr(MSR_PAT);
	boot.has_misc_enable = rdmsr_safe(MSR_MISC_ENABLE, &boot.misc_enable);
}

static bool same_mtrr(const struct mtrr *a, const struct mtrr *b)
{
	bool same = a->def_type == b->def_type;

	for (uint32_t i = 0; i < mtrr_variable_count(a->cap); i++)
		same = same && a->base[i] == b->base[i] && a->mask[i] == b->mask[i];
	for (unsigned int i = 0; a->cap & MTRR_CAP_FIXED && i < MTRR_FIXED_COUNT; i++)
		same = same && a->fixed[i] == b->fixed[i];
	return same;
}

static void flush(void)
{
	uint64_t cr4 = read_cr4();

	asm volatile("wbinvd" : : : "memory");
	write_cr4(cr4 & ~CR4_PGE); /* global translations go, too */
	write_cr4(cr4);
	write_cr3(read_cr3());
}

/* SDM 3A 12.11.8, the steps for each processor; nothing else runs here and interrupts are off. */
static void write_settings(const struct mtrr *m)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 | CR0_CD);
	flush();
	wrmsr(MSR_MTRR_DEF_TYPE, m->def_type & ~MTRR_ENABLE);
	for (uint32_t i = 0; i < mtrr_variable_count(m->cap); i++) {
		wrmsr(MTRR_BASE(i), m->base[i]);
		wrmsr(MTRR_MASK(i), m->mask[i]);
	}
	if (m->cap & MTRR_CAP_FIXED)
		for (unsigned int i = 0; i < MTRR_FIXED_COUNT; i++)
			wrmsr(mtrr_fixed_msr[i], m->fixed[i]);
	wrmsr(MSR_PAT, boot.pat);
	wrmsr(MSR_MTRR_DEF_TYPE, m->def_type);
	flush();
	write_cr0(cr0);
}

bool cache_load(void)
{
	static struct mtrr mine; /* cores start one at a time */
	uint64_t misc_enable;
	bool differs;

	read_mtrr(&mine);
	differs = rdmsr(MSR_PAT) != boot.pat || !same_mtrr(&boot.mtrr, &mine);
	if (differs)
		write_settings(&boot.mtrr);
	if (boot.has_misc_enable && rdmsr_safe(MSR_MISC_ENABLE, &misc_enable) &&
	    misc_enable != boot.misc_enable) {
		differs = true;
		wrmsr_safe(MSR_MISC_ENABLE, boot.misc_enable);
	}
	return differs;
}
