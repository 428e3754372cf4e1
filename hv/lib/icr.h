/* SPDX-License-Identifier: MIT
 *
 * The interrupt command register (SDM 3A 11.6.1, 11.12.9): what a write to it asks for, and of whom.
 *
 * A guest's write never reaches the hardware as it is. It is decoded, expanded into the set of the
 * guest's own processors that it addresses, and sent again to each of them by physical ID.
 */
#ifndef HV_LIB_ICR_H
#define HV_LIB_ICR_H

#include <stdbool.h>
#include <stdint.h>

enum icr_mode { /* delivery mode */
	ICR_FIXED = 0,
	ICR_LOWEST = 1,
	ICR_SMI = 2,
	ICR_NMI = 4,
	ICR_INIT = 5,
	ICR_SIPI = 6,
};

enum icr_shorthand {
	ICR_DEST = 0,
	ICR_SELF = 1,
	ICR_ALL = 2,
	ICR_OTHERS = 3,
};

struct icr {
	uint8_t vector;
	uint8_t mode;      /* enum icr_mode, or reserved */
	uint8_t shorthand; /* enum icr_shorthand */
	bool logical;      /* destination mode */
	bool assert;
	bool level; /* trigger mode */
	bool x2apic;
	uint32_t dest; /* 8 bits in xAPIC mode */
};

/* What is to be done for each processor addressed. */
enum icr_action {
	ICR_DO_NOTHING, /* INIT level de-assert: no effect since the Pentium 4 */
	ICR_DO_SEND,    /* interrupt with icr.vector */
	ICR_DO_NMI,
	ICR_DO_INIT,
	ICR_DO_SIPI,   /* start at icr.vector << 12 */
	ICR_DO_REFUSE, /* SMI, reserved or invalid combination, vector below 16 */
};

struct icr_cpu {
	uint32_t apic_id; /* as in the register of the mode that the processor is in */
	uint32_t ldr;     /* logical destination register, xAPIC mode only */
	uint32_t dfr;     /* destination format register, xAPIC mode only */
	bool x2apic;
	uint32_t domain; /* who owns it */
};

/* From the two registers in xAPIC mode. */
struct icr icr_decode_xapic(uint32_t high, uint32_t low);

/* From MSR 0x830 in x2APIC mode; false when a reserved bit is set (#GP). */
bool icr_decode_x2apic(uint64_t value, struct icr *icr);

enum icr_action icr_action(const struct icr *icr);

/* Is this processor, the sender itself or not, addressed? Whoever owns it. */
bool icr_matches(const struct icr *icr, const struct icr_cpu *cpu, bool self);

/*
 * Sets the bit of every processor that is addressed and belongs to the sender's domain, in a bitmap
 * of (count + 63) / 64 words that is cleared first. Of the candidates for lowest priority the first
 * is chosen. Returns how many.
 */
uint32_t icr_expand(const struct icr *icr, const struct icr_cpu *cpus, uint32_t count,
		    uint32_t sender, uint64_t *set);

#endif
