/* SPDX-License-Identifier: MIT
 *
 * Test shim: boots a guest kernel under QEMU without the hypervisor. QEMU enters it as a multiboot 1
 * kernel; it fills in what only the running machine knows (shim.c) and starts every core in the
 * state that <ix/bootinfo.h> defines.
 */
#include "tests/guest-boot/shim.h"

#define CR0_GUEST  0x80050033	/* PG AM WP NE ET MP PE */
#define CR4_GUEST  0x6a0	/* OSXMMEXCPT OSFXSR PGE PAE */
#define EFER	   0xc0000080
#define EFER_GUEST 0x901	/* NXE LME SCE; LMA comes with PG */

	.section .header, "a"
	.long	0x1badb002, 0, -0x1badb002
	.org	SHIM_PARAMS
	.globl	shim_params
shim_params:
	.fill	40, 1, 0

	.text
	.code32
	.globl	shim_start
shim_start:
	cli
	mov	$boot_stack_top, %esp
	/* Identity map of 4 GB: one PML4, one PDPT, four directories of 2 MB pages. */
	movl	$pdpt + 3, pml4
	mov	$pd + 3, %eax
	mov	$pdpt, %edi
1:	mov	%eax, (%edi)
	add	$4096, %eax
	add	$8, %edi
	cmp	$pd + 4 * 4096 + 3, %eax
	jne	1b
	mov	$0x83, %eax
	mov	$pd, %edi
2:	mov	%eax, (%edi)
	add	$8, %edi
	add	$0x200000, %eax
	jnc	2b
	mov	$bsp64, %esi
	jmp	to_long_mode

	/* An AP arrives in protected mode with flat segments. */
	.globl	ap32
ap32:
	mov	$1, %eax
	lock xadd %eax, ap_count
	inc	%eax
	shl	$12, %eax
	lea	ap_stacks(%eax), %esp
	mov	$ap64, %esi

to_long_mode:
	mov	$CR4_GUEST, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	xor	%edx, %edx
	mov	$EFER_GUEST, %eax
	wrmsr
	mov	$CR0_GUEST, %eax
	mov	%eax, %cr0
	lgdt	gdt_ptr
	ljmp	$8, $long_mode

	.code64
long_mode:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%esp, %esp
	mov	%esi, %esi
	jmp	*%rsi

bsp64:
	call	shim_main
	xor	%edi, %edi
	jmp	enter_guest
ap64:
	call	shim_ap
	mov	%eax, %edi

	/*
	 * enter_guest(RDI = index of this core). The guest's tables do not map the shim, so shim_main has
	 * added this identity map to them; the guest replaces the tables anyway.
	 */
enter_guest:
	mov	%edi, %esi
	xor	%eax, %eax
	lldt	%ax
	mov	%eax, %fs
	mov	%eax, %gs
	/* Every core loads the TSS descriptor; LTR wants it not busy, so each has its own copy. */
	mov	%esi, %eax
	shl	$4, %eax
	add	$0x18, %eax
	ltr	%ax
	lgdt	null_ptr
	lidt	null_ptr
	mov	shim_params + 16, %rax
	mov	%rax, %cr3
	mov	$0xffff800000000000, %rdi
	add	shim_params + 24, %rdi
	pushq	$2
	popfq
	mov	shim_params + 8, %rax
	mov	%rax, entry(, %rsi, 8)
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%esp, %esp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	jmp	*entry(, %rsi, 8)

	/* Copied to SHIM_AP: real mode to ap32. */
	.code16
	.globl	ap_start, ap_size
ap_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	SHIM_AP + (ap_gdt_ptr - ap_start)
	mov	$1, %eax
	mov	%eax, %cr0
	ljmpl	$0x18, $SHIM_AP + (1f - ap_start)
	.code32
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ap32, %eax
	jmp	*%eax
	.balign	8
ap_gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
ap_gdt_ptr:
	.word	31
	.long	SHIM_AP + (ap_gdt - ap_start)
ap_end:
	.balign	4
ap_size:
	.long	ap_end - ap_start

	.data
	.balign	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.rept	64
	.quad	0x0000890000000067, 0
	.endr
gdt_ptr:
	.word	gdt_ptr - gdt - 1
	.quad	gdt
null_ptr:
	.word	0
	.quad	0
	.globl	ap_count
ap_count:
	.long	0

	.bss
	.balign	4096
	.globl	pml4
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4 * 4096
	.skip	8192
boot_stack_top:
ap_stacks:
	.skip	64 * 4096
entry:	.skip	64 * 8
