/* SPDX-License-Identifier: MIT
 *
 * Physical PCI functions given to dataplanes.
 *
 * A function that is given away is absent for Linux: its configuration space reads as ones, its BARs
 * are absent memory. Its domain sees the BARs at their physical addresses, uncached, and the
 * configuration space through two hypercalls that permit little. Legacy interrupts stay off.
 */
#ifndef HV_VM_PASSTHROUGH_H
#define HV_VM_PASSTHROUGH_H

#include "hv/vm/domain.h"

int passthrough_assign(struct domain *d, uint16_t segment, uint16_t bdf, struct ix_device *device,
		       const char **why);
/* A software VF instead of a physical function. */
int passthrough_assign_vf(struct domain *d, struct ix_device *device, const char **why);
int passthrough_release(struct domain *d, uint16_t segment, uint16_t bdf, const char **why);
void passthrough_release_all(struct domain *d);

/* The domain has stopped: its functions stop DMA, and are reset where they can be. */
void passthrough_quiet(struct domain *d);

/* For the domain: a value, or a negative errno. */
int64_t passthrough_config_read(const struct domain *d, uint64_t index, uint64_t offset,
				uint64_t size);
int64_t passthrough_config_write(const struct domain *d, uint64_t index, uint64_t offset,
				 uint64_t size, uint64_t value);

#endif
