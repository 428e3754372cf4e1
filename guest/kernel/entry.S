/* SPDX-License-Identifier: MIT
 *
 * Ways into the kernel: start, system calls, traps and interrupts; and the way out to ring 3.
 */

#include "guest/kernel/layout.h"

#define BOOT_STACK_BITS 13

	.text
	.globl	start
start:
	/* RDI = boot page, RSI = index of this core; no stack yet. */
	lea	1(%rsi), %rax
	shl	$BOOT_STACK_BITS, %rax
	lea	boot_stacks(%rax), %rsp
	xor	%ebp, %ebp
	call	boot_core
	ud2

	.bss
	.balign	4096
boot_stacks:
	.skip	MAX_CPUS << BOOT_STACK_BITS
	.text

	/* switch_stack(RDI = new top, RSI = function that never returns, RDX = its argument) */
	.globl	switch_stack
switch_stack:
	mov	%rdi, %rsp
	xor	%ebp, %ebp
	mov	%rdx, %rdi
	call	*%rsi
	ud2

.macro PUSH_GENERAL
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

.macro POP_GENERAL
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
.endm

	/*
	 * SYSCALL: RCX = return address, R11 = flags, interrupts off, AC clear (SFMASK). Builds struct
	 * regs, so that a thread can be started from a copy of it. All of ring 3's registers but RAX,
	 * RCX and R11 survive.
	 */
	.globl	syscall_entry
	.balign	16
syscall_entry:
	swapgs
	mov	%rsp, %gs:CPU_USER_RSP
	mov	%gs:CPU_KERNEL_RSP, %rsp
	pushq	$SEL_UDATA
	pushq	%gs:CPU_USER_RSP
	push	%r11
	pushq	$SEL_UCODE
	push	%rcx
	push	%rax
	pushq	$VEC_SYSCALL
	PUSH_GENERAL
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	call	syscall_handle		/* leaves the result in regs->ax */
	POP_GENERAL
	add	$16, %rsp
	mov	(%rsp), %rcx		/* ip: below USER_TOP, see docs/guest.md */
	mov	16(%rsp), %r11		/* flags */
	mov	24(%rsp), %rsp
	swapgs
	sysretq

	.globl	enter_user
enter_user:
	mov	%rdi, %rsp
	jmp	return_user

	/*
	 * One stub for each vector: pushes an error code where the processor does not, and the vector. A
	 * device can send vectors 16 to 31 too, and then those that have an error code come without one.
	 */
	.globl	trap_stubs
	.balign	16
trap_stubs:
vector = 0
	.rept	256
	.balign	16
	.if	vector == 8 || (vector >= 10 && vector <= 14)
	pushq	$vector
	.elseif	vector == 17 || vector == 21 || vector == 29 || vector == 30
	pushq	$vector
	jmp	trap_doubtful
	.else
	pushq	$0
	pushq	$vector
	.endif
	.if	vector == 2 || vector == 8 || vector == 18
	jmp	trap_ist
	.else
	jmp	trap_common
	.endif
vector = vector + 1
	.endr

	/* The processor aligns the frame to 16 before it pushes (SDM 3A 6.14.2), so the sum tells. */
trap_doubtful:
	testb	$8, %spl
	jnz	trap_common
	pushq	(%rsp)
	movq	$0, 8(%rsp)

trap_common:
	cld
	testb	$3, 24(%rsp)		/* cs */
	jz	1f
	swapgs
1:	PUSH_GENERAL
	/* Traps keep AC, so ring 3 could have it set: close user memory (SMAP). */
	cmpb	$0, smap_on
	je	2f
	clac
2:	testb	$3, 18 * 8(%rsp)
	jz	3f
	xor	%ebp, %ebp		/* ring 3's is no frame of ours */
3:	mov	%rsp, %rdi
	call	trap_handle
	testb	$3, 18 * 8(%rsp)
	jz	return_kernel
return_user:
	POP_GENERAL
	add	$16, %rsp
	swapgs
	iretq
return_kernel:
	POP_GENERAL
	add	$16, %rsp
	iretq

	/*
	 * #DF, NMI, #MC arrive on stacks of their own, possibly between ring 3's GS and ours; ring 3 may hold any
	 * value in GS (FSGSBASE), so the base is not looked at but replaced: this stack tells the core.
	 */
trap_ist:
	cld
	PUSH_GENERAL
	cmpb	$0, smap_on
	je	1f
	clac
1:	mov	$0xc0000101, %ecx	/* MSR_GS_BASE */
	rdmsr
	mov	%eax, %r12d
	mov	%edx, %r13d
	mov	%rsp, %rdx
	and	$-PAGE_SIZE, %rdx
	add	$CPU_STRUCT, %rdx
	mov	%edx, %eax
	shr	$32, %rdx
	wrmsr
	mov	%rsp, %rdi
	call	trap_ist_handle
	mov	$0xc0000101, %ecx
	mov	%r12d, %eax
	mov	%r13d, %edx
	wrmsr
	jmp	return_kernel

	.globl	fpu_reset
fpu_reset:
	fninit
	pushq	$0x1f80
	ldmxcsr	(%rsp)
	add	$8, %rsp
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pxor	%xmm\n, %xmm\n
	.endr
	ret
