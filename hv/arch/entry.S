/* SPDX-License-Identifier: MIT
 *
 * The two pieces of code that look at a core's mailbox and then commit the core: to sleep, or to a
 * guest. An NMI between look and commit is noticed by nmi_handler(), which moves the instruction
 * pointer out of [begin, end) to the `out` label.
 */
#include "hv/arch/offsets.h"

	.text
	.code64

/* void cpu_wait(struct cpu *cpu) */
	.globl	cpu_wait, cpu_wait_begin, cpu_wait_end, cpu_wait_out
cpu_wait:
cpu_wait_begin:
	cmpl	$0, CPU_REQUESTS(%rdi)
	jne	cpu_wait_out
	hlt					/* interrupts are off: only an NMI wakes the core */
cpu_wait_end:
cpu_wait_out:
	ret

/*
 * int vmx_enter(struct vcpu *vcpu, bool launched)
 * Returns 0 after a VM exit, 1 when the entry itself failed, 2 when a request kept the core out.
 */
	.globl	vmx_enter, vmx_enter_begin, vmx_enter_end, vmx_enter_out, vmx_exit
vmx_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movl	$0x6c14, %eax			/* HOST_RSP */
	vmwrite	%rsp, %rax
	movq	VCPU_CR2(%rdi), %rax
	movq	%rax, %cr2
	movq	%gs:0, %rax
	testb	%sil, %sil
vmx_enter_begin:
	/* From here to the entry nothing may change the flags that testb left, nor any memory. */
	movl	CPU_REQUESTS(%rax), %ecx
	jrcxz	1f
	jmp	vmx_enter_out
1:	movq	VCPU_RAX(%rdi), %rax
	movq	VCPU_RBX(%rdi), %rbx
	movq	VCPU_RCX(%rdi), %rcx
	movq	VCPU_RDX(%rdi), %rdx
	movq	VCPU_RSI(%rdi), %rsi
	movq	VCPU_RBP(%rdi), %rbp
	movq	VCPU_R8(%rdi), %r8
	movq	VCPU_R9(%rdi), %r9
	movq	VCPU_R10(%rdi), %r10
	movq	VCPU_R11(%rdi), %r11
	movq	VCPU_R12(%rdi), %r12
	movq	VCPU_R13(%rdi), %r13
	movq	VCPU_R14(%rdi), %r14
	movq	VCPU_R15(%rdi), %r15
	movq	VCPU_RDI(%rdi), %rdi
	jnz	2f
	vmlaunch
	jmp	3f
2:	vmresume
vmx_enter_end:
3:	movl	$1, %eax
	jmp	vmx_enter_done
vmx_enter_out:
	movl	$2, %eax
vmx_enter_done:
	popq	%rdi
	jmp	vmx_enter_return

vmx_exit:
	xchgq	%rdi, (%rsp)			/* rdi = vcpu; on the stack the guest's rdi */
	movq	%rax, VCPU_RAX(%rdi)
	movq	%rbx, VCPU_RBX(%rdi)
	movq	%rcx, VCPU_RCX(%rdi)
	movq	%rdx, VCPU_RDX(%rdi)
	movq	%rsi, VCPU_RSI(%rdi)
	movq	%rbp, VCPU_RBP(%rdi)
	movq	%r8, VCPU_R8(%rdi)
	movq	%r9, VCPU_R9(%rdi)
	movq	%r10, VCPU_R10(%rdi)
	movq	%r11, VCPU_R11(%rdi)
	movq	%r12, VCPU_R12(%rdi)
	movq	%r13, VCPU_R13(%rdi)
	movq	%r14, VCPU_R14(%rdi)
	movq	%r15, VCPU_R15(%rdi)
	popq	VCPU_RDI(%rdi)
	movq	%cr2, %rax
	movq	%rax, VCPU_CR2(%rdi)
	xorl	%eax, %eax
vmx_enter_return:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
