/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_DOMAIN_EXIT_H
#define HV_VM_DOMAIN_EXIT_H

#include "hv/vm/vm.h"

/* vm->exit and vm->request of a dataplane. What it may not do is #GP or #UD where the processor has
 * such an answer, else the end of the domain. */
bool domain_exit(struct vcpu *v, uint32_t reason);
bool domain_request(struct vcpu *v, uint32_t requests);

#endif
