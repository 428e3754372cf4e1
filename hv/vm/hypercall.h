/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_HYPERCALL_H
#define HV_VM_HYPERCALL_H

#include "hv/vm/vm.h"

bool linux_vmcall(struct vcpu *v);

#endif
