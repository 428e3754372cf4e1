/* SPDX-License-Identifier: MIT
 *
 * Control registers of a guest: what it may write (else #GP), what the processor then gets, and which
 * bits it writes without an exit.
 */
#ifndef HV_LIB_CREG_H
#define HV_LIB_CREG_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_PAE   (1ull << 5)
#define CR4_LA57  (1ull << 12)
#define CR4_VMXE  (1ull << 13)
#define CR4_SMXE  (1ull << 14)
#define CR4_PCIDE (1ull << 17)
#define CR4_CET   (1ull << 23)
#define CR4_UINTR (1ull << 25)
#define CR4_FRED  (1ull << 32)

/* Hidden from every guest by cpuid.c: VMX, SMX, user interrupts (SENDUIPI would pass the ICR filter),
 * and FRED, whose event delivery the hypervisor does not know. */
#define CR4_REFUSED (CR4_VMXE | CR4_SMXE | CR4_UINTR | CR4_FRED)

#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

/* IA32_VMX_CR0_FIXED0 and so on (SDM 3D A.7, A.8); unrestricted guest. */
struct creg_limits {
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	bool unrestricted;
};

/* State of the guest that decides what it may write; cr0 and cr4 as the guest sees them. */
struct creg_state {
	uint64_t cr0, cr3, cr4, efer;
	bool cs_l; /* runs 64-bit code */
};

/* Guest/host masks: a write that would change one of these bits exits. */
uint64_t creg_cr0_mask(const struct creg_limits *limits);
uint64_t creg_cr4_mask(const struct creg_limits *limits);

/* False: #GP. Writes that change no masked bit are checked by the processor. */
bool creg_cr0_ok(const struct creg_state *state, uint64_t value);
bool creg_cr4_ok(const struct creg_limits *limits, const struct creg_state *state, uint64_t value);

/* What the guest sees afterwards (read shadow), and what the VMCS field must hold. Caching is the
 * processor's whatever the guest does: CD and NW live in the shadow alone. */
uint64_t creg_cr0_shadow(uint64_t value);
uint64_t creg_cr0_real(const struct creg_limits *limits, uint64_t value);
uint64_t creg_cr4_real(const struct creg_limits *limits, uint64_t value);

/*
 * With PAE paging outside IA-32e mode the processor holds the four entries that CR3 points to. A
 * write to CR0 that the hypervisor carries out must load them: whether this one would; whether an
 * entry may be loaded, else #GP (SDM 3A 4.4.1).
 */
bool creg_loads_pdptes(const struct creg_state *state, uint64_t cr0);
bool creg_pdpte_ok(uint64_t entry, unsigned int phys_bits);

#endif
