/* SPDX-License-Identifier: MIT
 *
 * Access to user memory (uaccess.h). The callers have checked that the addresses are in the user half;
 * pages may be missing or read-only, which ends in the fix-ups named in .extable.
 */
#include "guest/kernel/layout.h"

/* Nothing but the marked instructions runs with user memory open (SMAP). */
.macro USER_OPEN
	cmpb	$0, smap_on
	je	.Lopen\@
	stac
.Lopen\@:
.endm
.macro USER_CLOSE
	cmpb	$0, smap_on
	je	.Lclose\@
	clac
.Lclose\@:
.endm
.macro MAY_FAULT at, fixup
	.pushsection .extable, "a"
	.quad	\at, \fixup
	.popsection
.endm

	.text
	/* copy_user_raw(RDI = to, RSI = from, RDX = bytes): bytes not copied */
	.globl	copy_user_raw
copy_user_raw:
	mov	%rdx, %rcx
	USER_OPEN
.Lcopy:	rep movsb
.Lrest:	USER_CLOSE
	mov	%rcx, %rax
	ret
	MAY_FAULT .Lcopy, .Lrest

	/* zero_user_raw(RDI = to, RSI = bytes): bytes not written */
	.globl	zero_user_raw
zero_user_raw:
	mov	%rsi, %rcx
	xor	%eax, %eax
	USER_OPEN
.Lzero:	rep stosb
	jmp	.Lrest
	MAY_FAULT .Lzero, .Lrest

	/* load_user32_raw(RDI = address, RSI = where to): 0 or -EFAULT */
	.globl	load_user32_raw
load_user32_raw:
	USER_OPEN
.Lload:	mov	(%rdi), %eax
	USER_CLOSE
	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret
.Lfault:
	USER_CLOSE
	mov	$-14, %eax
	ret
	MAY_FAULT .Lload, .Lfault
