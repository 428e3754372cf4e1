/* SPDX-License-Identifier: MIT
 *
 * Memory types as the MTRRs give them (SDM 3A 12.11).
 *
 * With EPT the MTRRs no longer apply to a guest, so the hypervisor computes from them the types that
 * it writes into its EPT entries.
 */
#ifndef HV_LIB_MTRR_H
#define HV_LIB_MTRR_H

#include <stdint.h>

#define MTRR_VARIABLE_MAX 32 /* IA32_MTRRCAP.VCNT is 10 on today's processors */
#define MTRR_FIXED_COUNT  11

/* SDM 3A table 12-2; the same numbers are used in EPT entries and the PAT. */
enum memory_type {
	MEMORY_UC = 0,
	MEMORY_WC = 1,
	MEMORY_WT = 4,
	MEMORY_WP = 5,
	MEMORY_WB = 6,
};

/* Register values as read by RDMSR. */
struct mtrr {
	uint64_t cap;                     /* IA32_MTRRCAP, 0xfe */
	uint64_t def_type;                /* IA32_MTRR_DEF_TYPE, 0x2ff */
	uint64_t fixed[MTRR_FIXED_COUNT]; /* in the order of mtrr_fixed_msr[] */
	uint64_t base[MTRR_VARIABLE_MAX]; /* IA32_MTRR_PHYSBASEn, 0x200 + 2n */
	uint64_t mask[MTRR_VARIABLE_MAX]; /* IA32_MTRR_PHYSMASKn, 0x201 + 2n */
};

extern const uint16_t mtrr_fixed_msr[MTRR_FIXED_COUNT];

/* How many pairs of variable-range registers there are, at most MTRR_VARIABLE_MAX. */
uint32_t mtrr_variable_count(uint64_t cap);

/*
 * Memory type of the byte at `pa`. All bytes up to *end (not included, UINT64_MAX at most) have it
 * too, although more may.
 */
enum memory_type mtrr_type(const struct mtrr *mtrr, uint64_t pa, uint64_t *end);

#endif
