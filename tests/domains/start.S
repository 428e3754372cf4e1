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

	/* enter_pae: RDI = physical address of a PDPT, RSI = that of pae_code, mapped one to one,
	 * RDX = where the PDPT maps PAE_WORD. Ends the domain. */
	.set PAE_WORD, 0x5afe5afe
	.set EFER, 0xc0000080
	.set EFER_LME, 0x100
	.set CR0_PG, 0x80000000
	.set CR0_CD, 0x40000000
	.set GCALL_EXIT, 0x101
	.globl enter_pae, pae_code, pae_word
enter_pae:
	pushq $0x18
	push %rsi
	lretq
	.code32
pae_code:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %ss
	mov %edx, %ebx
	mov %cr0, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	mov $EFER, %ecx
	rdmsr
	and $~EFER_LME, %eax
	wrmsr
	mov %edi, %cr3
	mov %cr0, %eax
	or $(CR0_PG | CR0_CD), %eax	/* CD makes it the hypervisor's to carry out */
	mov %eax, %cr0
	mov $7, %edi
	cmpl $PAE_WORD, (%ebx)
	je 1f
	mov $8, %edi
1:	mov $GCALL_EXIT, %eax
	vmcall
	hlt
	.balign 4
pae_word:
	.long PAE_WORD
	.code64

	.bss
	.balign 4096
stacks:
	.skip STACK * CORES
	.section .note.GNU-stack, "", @progbits
