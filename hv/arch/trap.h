/* SPDX-License-Identifier: MIT
 *
 * Exceptions in the hypervisor itself. None is expected but NMI: the rest panic, unless the
 * faulting instruction is in the exception table (rdmsr_safe and the like). Interrupts are off but
 * where lapic_quiet() takes pending ones off a core.
 */
#ifndef HV_ARCH_TRAP_H
#define HV_ARCH_TRAP_H

#include <stdint.h>

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss; /* pushed by the processor */
};

#define VEC_DB  1
#define VEC_NMI 2
#define VEC_UD  6
#define VEC_DF  8
#define VEC_GP  13
#define VEC_PF  14
#define VEC_AC  17
#define VEC_MC  18

void trap_handler(struct trap_frame *frame);

#endif
