/* SPDX-License-Identifier: MIT
 *
 * Exception entry: one stub a vector, 16 bytes apart, all ending in trap_handler(frame).
 */
	.text
	.code64

	/* Vectors that push an error code: 8, 10-14, 17, 21, 29, 30 (SDM 3A 6.15). */
#define HAS_ERROR (1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 3 << 29)

	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	.set	has_error, 0
	.if	vec < 32
	.set	has_error, (HAS_ERROR >> vec) & 1
	.endif
	.if	!has_error
	pushq	$0
	.endif
	pushq	$vec
	jmp	trap_common
	.set	vec, vec + 1
	.endr

	/* A vector of an exception, taken as the interrupt that it is: there is no error code. */
	.globl	trap_interrupt
trap_interrupt:
	pushq	$0
	pushq	$255
	jmp	trap_common

trap_common:
	cld
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	trap_handler
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq
