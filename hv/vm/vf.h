/* SPDX-License-Identifier: MIT
 *
 * Software 82599 virtual functions: nic/'s device model as PCI functions of Linux and as devices of
 * dataplanes, joined by its bridge.
 *
 * The first functions are Linux's (option vfs=N), where its own ixgbevf drives them; the rest wait
 * for dataplanes. Every access to their registers is a VM exit; the model works in it.
 */
#ifndef HV_VM_VF_H
#define HV_VM_VF_H

#include "hv/vm/domain.h"

/* Makes the bridge and Linux's functions. Panics when there is no memory for it. */
void vf_init(void);

/* A function for a dataplane: 0 and *device, or -ENODEV (none left) with *why. */
int vf_assign(struct domain *d, struct domain_device *dev, const char **why);
void vf_release(struct domain *d, struct domain_device *dev);

/* Its domain has stopped: no DMA, queues off. */
void vf_quiet(const struct domain_device *dev);

uint32_t vf_config_read(const struct domain_device *dev, uint16_t offset, uint8_t size);
void vf_config_write(const struct domain_device *dev, uint16_t offset, uint8_t size,
		     uint32_t value);

/* An EPT violation of a dataplane on a register of one of its functions: emulated. False: it is not
 * one. */
bool vf_access(struct vcpu *v, uint64_t gpa, bool write);

/* Work that a function has left over: called when the timer that vf.c armed fires. */
void vf_timer(struct vcpu *v);

#endif
