/* SPDX-License-Identifier: MIT
 *
 * What ixcpd changes in Linux through /sys: processors taken offline and brought back, PCI functions
 * taken from their drivers and given back. `root` is "" or, for tests, a folder with a /sys and
 * /proc. All return 0 (or what is said) or -errno.
 */
#ifndef LINUX_CONTROL_SYSFS_H
#define LINUX_CONTROL_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a small file into text[size], NUL-terminated, without its newline. Returns the length. */
int sysfs_read(const char *root, const char *path, char *text, size_t size);
int sysfs_write(const char *root, const char *path, const char *text);

/* A processor that cannot be taken offline (usually 0) counts as online. 1: online, 0: offline. */
int cpu_is_online(const char *root, unsigned int cpu);
int cpu_set_online(const char *root, unsigned int cpu, bool online);

/*
 * APIC IDs by Linux CPU number, from /proc/cpuinfo; UINT32_MAX where the CPU is offline. Returns how
 * many CPUs Linux could have (the length filled in).
 */
int cpu_apic_ids(const char *root, uint32_t *apic_id, unsigned int size);

#define PCI_ADDRESS_SIZE 16 /* "0000:00:03.0" and NUL */
#define PCI_DRIVER_SIZE  64

void pci_format(char address[PCI_ADDRESS_SIZE], uint16_t segment, uint16_t bdf);

/* Name of the driver, "" where none is bound; -ENODEV: no such function. */
int pci_driver(const char *root, const char *address, char driver[PCI_DRIVER_SIZE]);

/* Takes the function from its driver and keeps all drivers away. */
int pci_take(const char *root, const char *address);

/* Lets drivers have it again, and binds `driver` where it is not "". */
int pci_give_back(const char *root, const char *address, const char *driver);

/* Address of the first function with these IDs; -ENODEV. */
int pci_find(const char *root, uint16_t vendor, uint16_t device, char address[PCI_ADDRESS_SIZE]);

#endif
