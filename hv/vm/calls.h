/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_CALLS_H
#define HV_VM_CALLS_H

#include <ix/hypercall.h>

/* Executes a call of Linux; `bulk` is shared with Linux and may change at any time. Returns the
 * status, with a sentence in *why when it is negative. */
int control_call(struct ix_slot *call, const uint8_t *bulk, const char **why);

#endif
