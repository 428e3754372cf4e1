/* SPDX-License-Identifier: MIT
 *
 * The hostile control VM: a kernel image as the boot protocol wants it (Linux, Documentation/x86/boot.rst),
 * its start, its interrupt stubs, the way to ring 3 and back, and the code of the dataplane that
 * must not notice anything.
 */
	.set SETUP_SECTORS, 1
	.set INIT_SIZE, 0x400000

	.section .head, "a"
head:
	.org 0x1f1
	.byte SETUP_SECTORS
	.word 0
	.long image_paragraphs
	.org 0x1fe
	.word 0xaa55
	.byte 0xeb, header_end - magic /* a jump over the header, whose length it tells */
magic:
	.ascii "HdrS"
	.word 0x20f
	.org 0x211
	.byte 1 /* loaded high */
	.org 0x22c
	.long 0x7fffffff /* highest address of an initrd */
	.long 0x200000   /* alignment */
	.byte 0          /* not relocatable */
	.org 0x236
	.word 1   /* has the 64-bit entry point */
	.long 255 /* longest command line */
	.org 0x258
	.quad 0x1000000 /* preferred, here only, address */
	.long INIT_SIZE
	.org 0x268
header_end:
	.org 0x400

	.section .start, "ax"
	.org 0x200
	.globl start
start:
	/* RSI = zero page; paging is one to one (the 64-bit boot protocol) */
	cld
	lea bss(%rip), %rdi
	lea bss_end(%rip), %rcx
	sub %rdi, %rcx
	xor %eax, %eax
	rep stosb
	lea stack_top(%rip), %rsp
	mov %rsi, %rdi
	xor %ebp, %ebp
	call hostile_main
1:	cli
	hlt
	jmp 1b

	/* One stub for each vector, 16 bytes apart: error code (or 0) and vector on the stack. */
	.text
	.balign 16
	.globl stubs
stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	push $0
	.endif
	push $vector
	jmp common
	.set vector, vector + 1
	.endr

common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call on_trap
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	/* void in_ring_3(void (*f)(void)): f ends with INT 0x80, which on_trap() sends to
	 * from_ring_3. */
	.globl in_ring_3, from_ring_3
in_ring_3:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, kernel_rsp(%rip)
	push $0x1b /* user data */
	lea user_stack_top(%rip), %rax
	push %rax
	push $2
	push $0x23 /* user code */
	lea 1f(%rip), %rax
	push %rax
	iretq
1:	call *%rdi
	int $0x80
from_ring_3:
	mov kernel_rsp(%rip), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	/*
	 * The dataplane: interrupts on, and no handler for any, so that the first that reached it would
	 * be a triple fault. It counts, and keeps looking at a register of its device (e1000 STATUS, 82540EM
	 * manual 13.4.2); RDI = its boot page, on which the device's address is. The page after the
	 * code is what its statistics show.
	 */
	.balign 4096
	.globl beat, beat_end
beat:
	mov 8(%rdi), %rbx      /* device, 0: none */
	lea beat_stats(%rip), %rsi
	mov 16(%rdi), %rdi     /* physical address of the statistics */
	mov %rsi, %r12
	mov $4096, %esi
	mov $0x103, %eax       /* IX_GCALL_STATS */
	vmcall
	sti
1:	incq (%r12)
	test %rbx, %rbx
	jz 1b
	mov 8(%rbx), %eax
	mov %rax, 8(%r12)
	jmp 1b
	.balign 4096
beat_stats:
	.skip 16
beat_end:

	.bss
	.balign 16
	.globl kernel_rsp, trap_stack_top
kernel_rsp:
	.skip 16
	.skip 16384
stack_top:
	.skip 16384
trap_stack_top:
	.skip 16384
user_stack_top:
	.section .note.GNU-stack, "", @progbits
