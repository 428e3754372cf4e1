/* SPDX-License-Identifier: MIT
 *
 * Where a core wakes after SIPI: real mode, on a page below 1 MB that this code is copied to. It
 * goes to 64-bit mode through the boot page tables (which map low memory one to one) and from there
 * to the hypervisor's own.
 *
 * The boot core writes trampoline_cpu before each SIPI; cores start one at a time.
 */
#include "hv/arch/layout.h"

	.section .rodata
	.globl	trampoline_start, trampoline_end, trampoline_cpu, trampoline_cr3
	.balign	16
	.code16
trampoline_start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%ebx, %ebx
	movw	%ax, %bx
	shll	$4, %ebx			/* ebx = physical address of this page */

	/* Far pointers and table addresses, relative to where the code was put. */
	leal	(tramp32 - trampoline_start)(%ebx), %eax
	movl	%eax, tramp_far32 - trampoline_start
	leal	(tramp64 - trampoline_start)(%ebx), %eax
	movl	%eax, tramp_far64 - trampoline_start
	leal	(tramp_gdt - trampoline_start)(%ebx), %eax
	movl	%eax, tramp_gdt_ptr - trampoline_start + 2
	lgdtl	tramp_gdt_ptr - trampoline_start

	movl	%cr0, %eax
	andl	$0x9fffffff, %eax		/* CD and NW are set after INIT (SDM 3A table 9-1) */
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	*(tramp_far32 - trampoline_start)

	.code32
tramp32:
	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	(trampoline_cr3 - trampoline_start)(%ebx), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER.LME, EFER.NXE */
	rdmsr
	orl	$0x900, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	*(tramp_far64 - trampoline_start)(%ebx)

	.code64
tramp64:
	movq	(trampoline_cpu - trampoline_start)(%rbx), %rdi
	movq	$ap_entry, %rax
	jmp	*%rax

	.balign	8
tramp_gdt:
	.quad	0
	.quad	0x00af9b000000ffff		/* 0x08 64-bit code */
	.quad	0x00cf93000000ffff		/* 0x10 data */
	.quad	0x00cf9b000000ffff		/* 0x18 32-bit code */
tramp_gdt_ptr:
	.short	. - tramp_gdt - 1
	.long	0
tramp_far32:
	.long	0
	.short	0x18
	.balign	4
tramp_far64:
	.long	0
	.short	0x08
	.balign	8
trampoline_cpu:
	.quad	0
trampoline_cr3:
	.quad	0
trampoline_end:

	.text
	.code64
	/* In the image now: own page tables, own stack. rdi = struct cpu, in the direct map, that the
	 * boot tables have too. */
ap_entry:
	movq	ap_cr3(%rip), %rax
	movq	%rax, %cr3
	movq	8(%rdi), %rsp			/* cpu->main_stack */
	xorl	%ebp, %ebp
	call	ap_main
	ud2

	.section .data
	.globl	ap_cr3
ap_cr3:	.quad	0
