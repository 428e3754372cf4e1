/* SPDX-License-Identifier: MIT
 *
 * What follows an instruction of a guest that the hypervisor has carried out, so that VM entry takes it.
 */
#ifndef HV_LIB_INSN_H
#define HV_LIB_INSN_H

#include <stdbool.h>
#include <stdint.h>

/* Where it goes on. Outside 64-bit code the pointer wraps at 4 GB, as the processor's own does: VM entry
 * refuses a longer one (SDM 3C 27.3.1.4), and any program can get there. */
static inline uint64_t insn_next(uint64_t rip, uint64_t length, bool code_64)
{
	return code_64 ? rip + length : (uint32_t)(rip + length);
}

/* Whether it ends with a single-step trap: TF, and not BTF, by which only branches do (SDM 3B 18.4.4).
 * Pending debug exceptions must say the same where VM entry looks (SDM 3C 27.3.1.5). */
static inline bool insn_steps(uint64_t rflags, uint64_t debugctl)
{
	return rflags & 1 << 8 && !(debugctl & 1 << 1);
}

#endif
