/* SPDX-License-Identifier: MIT
 *
 * Places in structures that assembly knows; checked against C in hv/vm/vcpu.c.
 */
#ifndef HV_ARCH_OFFSETS_H
#define HV_ARCH_OFFSETS_H

#define CPU_REQUESTS 16

#define VCPU_RAX 0
#define VCPU_RCX 8
#define VCPU_RDX 16
#define VCPU_RBX 24
#define VCPU_RSP 32 /* not used by the entry code: the VMCS has it */
#define VCPU_RBP 40
#define VCPU_RSI 48
#define VCPU_RDI 56
#define VCPU_R8  64
#define VCPU_R9  72
#define VCPU_R10 80
#define VCPU_R11 88
#define VCPU_R12 96
#define VCPU_R13 104
#define VCPU_R14 112
#define VCPU_R15 120
#define VCPU_CR2 128

#endif
