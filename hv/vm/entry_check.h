/* SPDX-License-Identifier: MIT
 *
 * Why a VM entry fails: the processor does not say.
 */
#ifndef HV_VM_ENTRY_CHECK_H
#define HV_VM_ENTRY_CHECK_H

/* The first rule of VM entry that the current VMCS violates, in words, or NULL. */
const char *entry_check(void);

#endif
