/* SPDX-License-Identifier: MIT
 *
 * Start, and the interrupt handlers of the probe guest.
 */
	.set STACK, 8192
	.set CORES, 64
	.set X2APIC_EOI, 0x80b

	.text
	.globl start
start:
	/* RDI = boot page, RSI = index of this core (<ix/bootinfo.h>) */
	lea 1(%rsi), %rax
	imul $STACK, %rax
	lea stacks(%rax), %rsp
	xor %ebp, %ebp
	call probe_main
1:	hlt
	jmp 1b

	/* A fault that was provoked: counted, and execution goes on at `resume`. */
	.globl fault_with_code, fault
fault_with_code:
	add $8, %rsp
fault:
	push %rax
	mov resume(%rip), %rax
	mov %rax, 8(%rsp)
	incq faults(%rip)
	pop %rax
	iretq

	.globl timer
timer:
	push %rax
	push %rcx
	push %rdx
	incq ticks(%rip)
	mov $X2APIC_EOI, %ecx
	xor %eax, %eax
	xor %edx, %edx
	wrmsr
	pop %rdx
	pop %rcx
	pop %rax
	iretq

	.bss
	.balign 4096
stacks:
	.skip STACK * CORES
	.section .note.GNU-stack, "", @progbits
