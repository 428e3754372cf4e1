/* SPDX-License-Identifier: MIT */
#ifndef HV_ARCH_FPU_H
#define HV_ARCH_FPU_H

/* The hypervisor uses general registers only, so whatever a guest left in the others is still there.
 * Puts x87, SSE, AVX and all further state, the debug registers, and the MSRs that no VMCS field
 * holds, into their initial state: nothing of one domain is seen by the next. */
void fpu_reset(void);

#endif
