/* SPDX-License-Identifier: MIT
 *
 * From GRUB to 64-bit C: the Multiboot2 header and the 32-bit entry.
 *
 * GRUB may put the image at any 2 MB boundary below 4 GB (relocatable header tag), so until paging
 * is on every address is taken relative to the place where the code finds itself.
 */
#include "hv/arch/layout.h"

#define MB2_MAGIC	 0xe85250d6
#define MB2_LOADER_MAGIC 0x36d76289
#define MB2_TAG_END	 0
#define MB2_TAG_REQUEST	 1
#define MB2_TAG_FLAGS	 4
#define MB2_TAG_ALIGN	 6
#define MB2_TAG_RELOC	 10

#define CR0_PE 0x1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME 0x100

/* Physical address of a place in the image, given the load address in ebp. */
#define PHYS(place) (place - HV_BASE)(%ebp)

	.section .boot.header, "a"
	.balign 8
mb2_header:
	.long	MB2_MAGIC
	.long	0				/* architecture: i386 */
	.long	mb2_end - mb2_header
	.long	-(MB2_MAGIC + 0 + (mb2_end - mb2_header))

	/* Information request: memory map (6). Module, command line and ACPI tags come anyway. */
	.balign 8
	.short	MB2_TAG_REQUEST, 0
	.long	12, 6

	/* Modules on page boundaries. */
	.balign 8
	.short	MB2_TAG_ALIGN, 0
	.long	8

	/* Relocatable: from 2 MB to below 4 GB, 2 MB aligned, as high as possible (2), so that the
	 * memory under 16 MB, that Linux likes to have, stays free. */
	.balign 8
	.short	MB2_TAG_RELOC, 0
	.long	24, 0x200000, 0xfffff000, 0x200000, 2

	.balign 8
	.short	MB2_TAG_END, 0
	.long	8
mb2_end:

	.section .boot.text, "ax"
	.code32
	.globl	hv_start32
hv_start32:
	cli
	cld
	/* There is no stack yet. The reserved second word of the information structure serves as
	 * one for the call that finds the load address. */
	leal	8(%ebx), %esp
	call	1f
1:	popl	%ebp
	subl	$(1b - HV_BASE), %ebp		/* ebp = load address */
	leal	PHYS(boot_stack_top), %esp

	cmpl	$MB2_LOADER_MAGIC, %eax
	movl	$(msg_magic - HV_BASE), %esi
	jne	refuse
	movl	%ebx, %edi			/* edi = information structure */

	/* 64-bit mode, and pages that may not be executed. */
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	movl	$(msg_long - HV_BASE), %esi
	jb	refuse
	movl	$0x80000001, %eax
	cpuid
	testl	$(1 << 29), %edx
	jz	refuse
	movl	$(msg_nx - HV_BASE), %esi
	testl	$(1 << 20), %edx
	jz	refuse

	/* First page tables: 4 GB one to one in 2 MB pages, and the image at HV_BASE. */
	leal	PHYS(boot_pd), %ecx
	movl	$0x83, %eax			/* present, writable, 2 MB */
	movl	$2048, %edx
1:	movl	%eax, (%ecx)
	movl	$0, 4(%ecx)
	addl	$0x200000, %eax
	addl	$8, %ecx
	decl	%edx
	jnz	1b

	leal	PHYS(boot_pd_image), %ecx
	leal	0x83(%ebp), %eax
	movl	$(HV_IMAGE_MAX >> 21), %edx
1:	movl	%eax, (%ecx)
	movl	$0, 4(%ecx)
	addl	$0x200000, %eax
	addl	$8, %ecx
	decl	%edx
	jnz	1b

	leal	PHYS(boot_pd + 3), %eax
	leal	PHYS(boot_pdpt), %ecx
	movl	%eax, (%ecx)
	addl	$0x1000, %eax
	movl	%eax, 8(%ecx)
	addl	$0x1000, %eax
	movl	%eax, 16(%ecx)
	addl	$0x1000, %eax
	movl	%eax, 24(%ecx)

	leal	PHYS(boot_pd_image + 3), %eax
	leal	PHYS(boot_pdpt_image), %ecx
	movl	%eax, 510 * 8(%ecx)		/* HV_BASE is the 510th GB of the last 512 */

	leal	PHYS(boot_pml4), %ecx
	leal	PHYS(boot_pdpt + 3), %eax
	movl	%eax, (%ecx)
	movl	%eax, 256 * 8(%ecx)		/* HV_DIRECT: the same 4 GB */
	leal	PHYS(boot_pdpt_image + 3), %eax
	movl	%eax, 511 * 8(%ecx)
	movl	%ecx, %cr3

	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$(CR0_PG | CR0_PE), %eax
	movl	%eax, %cr0

	/* A descriptor table with addresses filled in by hand. */
	leal	PHYS(boot_gdt), %eax
	movl	%eax, PHYS(boot_gdt_ptr + 2)
	lgdt	PHYS(boot_gdt_ptr)
	pushl	$8
	leal	PHYS(start64), %eax
	pushl	%eax
	lret

/* esi = offset of a message: says it on COM1, as far as there is one, and stops. */
refuse:
	addl	%ebp, %esi
	leal	(set_com1 - HV_BASE)(%ebp), %ebx
	movl	$4, %ecx
1:	movzbl	(%ebx), %edx			/* 115200 baud, 8N1, whatever the loader left */
	addl	$0x3f8, %edx
	movb	1(%ebx), %al
	outb	%al, %dx
	addl	$2, %ebx
	loop	1b
1:	lodsb
	testb	%al, %al
	jz	3f
	movb	%al, %ah
	movl	$0x10000, %ecx			/* bounded wait for the transmitter */
	movw	$0x3fd, %dx
2:	inb	%dx, %al
	testb	$0x20, %al
	loopz	2b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	1b
3:	cli
	hlt
	jmp	3b

	.code64
start64:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%edi, %edi			/* arguments: information structure, load address */
	movl	%ebp, %esi
	movq	$boot_stack_top, %rsp
	xorl	%ebp, %ebp
	movq	$hv_main, %rax
	call	*%rax
	ud2

	.section .boot.rodata, "a"
msg_magic:
	.asciz	"hv: REFUSED: not started by a Multiboot2 loader; boot through GRUB with 'multiboot2'\r\n"
msg_long:
	.asciz	"hv: REFUSED: this CPU has no 64-bit mode; Ironix needs an Intel 64 processor with VT-x\r\n"

msg_nx:
	.asciz	"hv: REFUSED: this CPU has no execute-disable (NX) pages; turn 'Execute Disable' on in the firmware's setup\r\n"
set_com1: /* register and value: LCR with DLAB, DLL, DLM, LCR */
	.byte	3, 0x83, 0, 1, 1, 0, 3, 0x03

	.section .boot.data, "aw"
	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff		/* 64-bit code */
	.quad	0x00cf93000000ffff		/* data */
boot_gdt_ptr:
	.short	. - boot_gdt - 1
	.long	0

	.section .boot.bss, "aw", @nobits
	.balign 4096
	.globl	boot_pml4
boot_pml4:	.skip	4096
boot_pdpt:	.skip	4096
boot_pd:	.skip	4 * 4096
boot_pdpt_image: .skip	4096
boot_pd_image:	.skip	4096
boot_stack:	.skip	16384
boot_stack_top:
