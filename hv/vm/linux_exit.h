/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_LINUX_EXIT_H
#define HV_VM_LINUX_EXIT_H

#include "hv/vm/vm.h"

/* vm->exit and vm->request of the control VM. */
bool linux_exit(struct vcpu *v, uint32_t reason);
bool linux_request(struct vcpu *v, uint32_t requests);

/* Looks now and then whether this core hangs: the log is told. Once, when the vCPU is loaded. */
void linux_watch(struct vcpu *v);

#endif
