/* SPDX-License-Identifier: MIT
 *
 * PCI configuration space: the real one, and what Linux sees of it.
 */
#ifndef HV_VM_PCI_H
#define HV_VM_PCI_H

#include "hv/lib/pci.h"
#include "hv/lib/pci_filter.h"
#include "hv/vm/vm.h"

/* Finds the functions, and the windows of memory-mapped configuration space. Once. */
void pci_init(void);

/* Puts the filter into Linux's memory map (the windows). */
void pci_filter_init(void);

/* The real space; safe on any core. */
uint32_t pci_read(uint16_t segment, uint16_t bdf, uint16_t offset, uint8_t size);
void pci_write(uint16_t segment, uint16_t bdf, uint16_t offset, uint8_t size, uint32_t value);

/* A function that nobody has, for a virtual one: device 31 downwards on bus 0. 0, or -ENOSPC. */
int pci_free_slot(uint16_t *bdf);

/* Rules of the filter. 0, or -ENOSPC. */
int pci_add_rule(const struct pci_rule *rule);
void pci_remove_rule(uint16_t segment, uint16_t bdf);

/* Port accesses of Linux to 0xcf8-0xcff; size 1, 2, 4. */
uint32_t pci_port_in(uint16_t port, uint8_t size);
void pci_port_out(uint16_t port, uint8_t size, uint32_t value);

/* Whether there is memory-mapped configuration space: the rest has 256 bytes a function. */
bool pci_has_windows(void);

/* Calls f for each function of segment 0 that answers, virtual functions of real devices excepted, until
 * it returns false; so does this then. */
bool pci_each(bool (*f)(void *ctx, uint16_t segment, uint16_t bdf), void *ctx);

/* The same for the hypervisor's functions, which Linux alone sees. */
void pci_each_virtual(bool (*f)(void *ctx, const struct pci_rule *rule), void *ctx);

#endif
