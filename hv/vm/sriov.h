/* SPDX-License-Identifier: MIT
 *
 * Virtual functions of real devices. Linux makes them, through the physical function, which stays its
 * own; the hypervisor must know which there are and where their registers lie.
 */
#ifndef HV_VM_SRIOV_H
#define HV_VM_SRIOV_H

#include "hv/lib/pci.h"

struct sriov_vf {
	uint16_t vendor, device;
	struct pci_bar bar[PCI_BARS];
};

/* Finds the physical functions. Once, after pci_init() and before Linux starts: the sizes of their
 * virtual functions' BARs can be asked for only while there are none. */
void sriov_init(void);

/* A virtual function that is there now; false: it is none. */
bool sriov_find(uint16_t segment, uint16_t bdf, struct sriov_vf *vf);

/* Calls f for each virtual function that is there; false when f did, and ended it. */
bool sriov_each(bool (*f)(void *ctx, uint16_t segment, uint16_t bdf), void *ctx);

#endif
