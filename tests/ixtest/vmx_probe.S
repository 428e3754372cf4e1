/* SPDX-License-Identifier: MIT
 *
 * A multiboot program that finds out whether VT-x really works: enables it, executes VMXON,
 * VMCLEAR, VMPTRLD and a VMLAUNCH that must be refused for its empty VMCS. One line on the serial
 * port says the result; then the run ends through QEMU's isa-debug-exit (0: works, 1: does not)
 * or Bochs' iodebug port.
 */
	.set CR4_PSE_VMXE, (1 << 4) | (1 << 13)
	.set CR0_PG_NE, (1 << 31) | (1 << 5)
	.set IA32_FEATURE_CONTROL, 0x3a
	.set IA32_VMX_BASIC, 0x480

	.section .text
	.code32
	.align 4
	.long 0x1badb002, 0, -0x1badb002 /* Multiboot 1 header */

	.globl _start
_start:
	mov $stack_top, %esp
	mov $1, %eax
	cpuid
	mov $no_vmx, %esi
	test $(1 << 5), %ecx /* CPUID.1:ECX.VMX, SDM 3C 24.6 */
	jz fail

	/* VMXON outside SMX operation must be allowed: bits 0 (lock) and 2. SDM 3C 24.7 */
	mov $IA32_FEATURE_CONTROL, %ecx
	rdmsr
	mov $locked_off, %esi
	test $1, %al
	jz 1f
	test $4, %al
	jz fail
	jmp 2f
1:	or $5, %eax
	wrmsr
2:
	/* VMX operation needs paging: identity map in 4 MB pages. */
	mov $page_directory, %edi
	mov $0x83, %eax
3:	mov %eax, (%edi)
	add $4, %edi
	add $0x400000, %eax
	jnc 3b
	mov $page_directory, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $CR4_PSE_VMXE, %eax
	mov %eax, %cr4
	mov %cr0, %eax
	or $CR0_PG_NE, %eax
	and $~0x60000000, %eax /* CD and NW clear */
	mov %eax, %cr0

	mov $IA32_VMX_BASIC, %ecx
	rdmsr
	mov %eax, vmxon_region
	mov %eax, vmcs_region
	mov $vmxon_failed, %esi
	vmxon vmxon_pointer
	jbe fail
	mov $vmcs_failed, %esi
	vmclear vmcs_pointer
	jbe fail
	vmptrld vmcs_pointer
	jbe fail
	mov $launch_odd, %esi
	vmlaunch /* an empty VMCS: VMfailValid sets ZF. SDM 3C 31.2 */
	jnz fail
	jc fail
	vmxoff
	mov $works, %esi
	xor %ebx, %ebx
	jmp end

fail:	mov $1, %ebx
end:	mov $0x3fd, %edx /* line status */
4:	in %dx, %al
	test $0x40, %al /* transmitter empty */
	jz 4b
	lodsb
	test %al, %al
	jz 5f
	mov $0x3f8, %edx
	out %al, %dx
	jmp end
5:	mov %ebx, %eax
	mov $0xf4, %edx
	out %eax, %dx
	mov $0x44, %al /* 'D', the debugger of Bochs */
	mov $0x8900, %edx
	out %al, %dx
7:	hlt
	jmp 7b

	.section .rodata
works:	      .asciz "vmx-probe: VT-x works\r\n"
no_vmx:	      .asciz "vmx-probe: CPUID shows no VT-x\r\n"
locked_off:   .asciz "vmx-probe: IA32_FEATURE_CONTROL forbids VMXON\r\n"
vmxon_failed: .asciz "vmx-probe: VMXON failed\r\n"
vmcs_failed:  .asciz "vmx-probe: VMCLEAR or VMPTRLD failed\r\n"
launch_odd:   .asciz "vmx-probe: VMLAUNCH of an empty VMCS was not refused as it should be\r\n"
	.align 8
vmxon_pointer: .long vmxon_region, 0
vmcs_pointer:  .long vmcs_region, 0

	.section .bss
	.align 4096
page_directory: .space 4096
vmxon_region:	.space 4096
vmcs_region:	.space 4096
	.space 4096
stack_top:
