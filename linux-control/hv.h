/* SPDX-License-Identifier: MIT
 *
 * What ixcpd asks of the hypervisor. channel.c implements it over the control function's BARs; unit
 * tests bring their own. All functions return 0 (or what is said) or -errno.
 */
#ifndef LINUX_CONTROL_HV_H
#define LINUX_CONTROL_HV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/hypercall.h>

struct hv;

struct hv_ops {
	int (*info)(struct hv *hv, struct ix_hv_info *info);
	/* Item `i` of a list; -ENOENT behind the last. */
	int (*preflight)(struct hv *hv, unsigned int i, struct ix_hv_preflight *row);
	int (*core)(struct hv *hv, unsigned int i, struct ix_hv_core *core);
	int (*memory)(struct hv *hv, unsigned int i, struct ix_hv_range *range);
	int (*pci)(struct hv *hv, unsigned int i, struct ix_hv_pci *function);
	int (*exit)(struct hv *hv, unsigned int i, struct ix_hv_exit *count);
	int (*domain)(struct hv *hv, unsigned int i, struct ix_hv_domain *domain);
	/* Bytes of a domain's statistics area (<ix/stats.h>) from `offset`; returns their number. */
	int (*stats)(struct hv *hv, uint64_t handle, uint64_t offset, void *bytes, size_t size);

	/*
	 * Bytes from position *at of the log, or of a domain's console; *at moves behind them (and
	 * over what was overwritten meanwhile). Returns their number, 0: no more yet.
	 */
	int (*log)(struct hv *hv, uint64_t *at, char *text, size_t size);
	int (*console)(struct hv *hv, uint64_t handle, uint64_t *at, char *text, size_t size);
	/* The event at *at or, if it is gone, the oldest; *at moves on. -ENOENT: none yet. */
	int (*event)(struct hv *hv, uint64_t *at, struct ix_event *event);

	/* A core that Linux has taken offline becomes the hypervisor's, or is Linux's again. */
	int (*core_give)(struct hv *hv, uint32_t apic_id);
	int (*core_take)(struct hv *hv, uint32_t apic_id);

	int (*create)(struct hv *hv, const char *name, uint64_t memory, uint32_t ncores,
		      const uint32_t *apic_id, uint64_t *handle);
	/* Joins a PCI function (segment << 16 | bdf) or IX_ASSIGN_VF to a stopped domain. */
	int (*assign)(struct hv *hv, uint64_t handle, uint64_t function);
	/* The devices of a domain, as its guest is to be told. */
	int (*device)(struct hv *hv, uint64_t handle, unsigned int i, struct ix_device *device);
	/* Into the memory of a domain that does not run; `clear` makes all of it zero. */
	int (*clear)(struct hv *hv, uint64_t handle);
	int (*write)(struct hv *hv, uint64_t handle, uint64_t pa, const void *data, size_t size);
	/* Its cores must be the hypervisor's. */
	int (*start)(struct hv *hv, uint64_t handle, uint64_t entry, uint64_t cr3,
		     uint64_t bootinfo);
	int (*stop)(struct hv *hv, uint64_t handle);
	int (*destroy)(struct hv *hv, uint64_t handle);
};

struct hv {
	const struct hv_ops *ops;
	void *data;
	char problem[256]; /* after a failure: what the hypervisor said, or "" */
};

#endif
