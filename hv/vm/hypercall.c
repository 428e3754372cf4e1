/* SPDX-License-Identifier: MIT */
#include "hv/vm/hypercall.h"

#include "hv/arch/trap.h"

bool linux_vmcall(struct vcpu *v)
{
	vcpu_inject_ud(v);
	return true;
}
