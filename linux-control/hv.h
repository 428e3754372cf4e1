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

#include <ix/bootinfo.h>

#define HV_TEXT 96

struct hv_info {
	char version[64];
	uint32_t abi;
	uint64_t tsc_khz;
	uint64_t apic_timer_hz; /* 0: unknown */
	bool x2apic, iommu;
	uint32_t ncores;
	uint64_t pool_size, pool_free; /* memory for dataplanes, bytes */
	uint64_t own_size;             /* memory of the hypervisor */
};

struct hv_preflight {
	char feature[48], found[16], needed[16], consequence[HV_TEXT];
};

struct hv_core {
	uint32_t index, apic_id;
	char owner[IX_NAME_LEN]; /* "linux", "hypervisor" or a dataplane */
	char state[16];
	uint64_t exits;
	uint64_t root_cycles; /* TSC cycles spent in the hypervisor */
};

struct hv_range {
	uint64_t base, size;
	char owner[IX_NAME_LEN];
};

struct hv_pci {
	uint16_t segment, bdf, vendor, device;
	char owner[IX_NAME_LEN];
	char kind[24];
	bool dma_open; /* it can reach all memory: no IOMMU confines it */
};

struct hv_exit {
	uint32_t core;
	char reason[32];
	uint64_t count;
};

struct hv_event {
	uint64_t sequence;
	char kind[24], domain[IX_NAME_LEN], text[HV_TEXT];
};

struct hv_domain {
	uint64_t handle;
	char name[IX_NAME_LEN], state[16];
	char why[HV_TEXT]; /* it stopped; "" while it is well */
	uint32_t ncores, apic_id[IX_MAX_CORES];
	uint32_t nmem;
	struct ix_range mem[IX_MAX_MEM];
	uint32_t ndevices;
	bool dma_open;
	uint64_t exits;
};

struct hv_counter {
	uint32_t core;
	char name[32];
	uint64_t value;
};

struct hv;

struct hv_ops {
	int (*info)(struct hv *hv, struct hv_info *info);
	/* Item `i` of a list; -ENOENT behind the last. */
	int (*preflight)(struct hv *hv, unsigned int i, struct hv_preflight *row);
	int (*core)(struct hv *hv, unsigned int i, struct hv_core *core);
	int (*memory)(struct hv *hv, unsigned int i, struct hv_range *range);
	int (*pci)(struct hv *hv, unsigned int i, struct hv_pci *function);
	int (*exit)(struct hv *hv, unsigned int i, struct hv_exit *count);
	int (*domain)(struct hv *hv, unsigned int i, struct hv_domain *domain);
	int (*counter)(struct hv *hv, uint64_t handle, unsigned int i, struct hv_counter *counter);

	/*
	 * Bytes from position *at of the log, or of a domain's console; *at moves behind them (and
	 * over what was overwritten meanwhile). Returns their number, 0: no more yet.
	 */
	int (*log)(struct hv *hv, uint64_t *at, char *text, size_t size);
	int (*console)(struct hv *hv, uint64_t handle, uint64_t *at, char *text, size_t size);
	/* The event at *at or, if it is gone, the oldest; *at moves on. -ENOENT: none yet. */
	int (*event)(struct hv *hv, uint64_t *at, struct hv_event *event);

	/* A core that Linux has taken offline becomes the hypervisor's, or is Linux's again. */
	int (*core_give)(struct hv *hv, uint32_t apic_id);
	int (*core_take)(struct hv *hv, uint32_t apic_id);

	int (*create)(struct hv *hv, const char *name, uint64_t memory, uint32_t ncores,
		      const uint32_t *apic_id, uint64_t *handle);
	/* Joins a PCI function to a stopped domain; segment and bdf of `function` say which, or
	 * a new software VF where it is NULL. */
	int (*assign)(struct hv *hv, uint64_t handle, const struct hv_pci *function,
		      struct ix_device *device);
	/* The devices of a domain, as its guest is to be told. */
	int (*devices)(struct hv *hv, uint64_t handle, struct ix_device device[IX_MAX_DEVICES]);
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
