/* SPDX-License-Identifier: MIT
 *
 * Dataplane domains: VMs that own cores, memory and devices.
 *
 * Calls have passed hcall_check() when they come here: the life cycle and the rules for arguments are
 * there. These functions carry them out, and fail where hardware or memory decide.
 *
 * All functions are called with the domain lock held (domains_lock), by Linux's calls. They return 0
 * or a negative errno of <ix/hypercall.h>, with a sentence in *why.
 */
#ifndef HV_VM_DOMAIN_H
#define HV_VM_DOMAIN_H

#include <ix/hypercall.h>

#include "hv/lib/hcall.h"
#include "hv/lib/pci.h"
#include "hv/vm/vm.h"

#define DOMAINS_MAX    16
#define DOMAIN_DEVICES 4
#define CONSOLE_RING   0x4000

struct domain_device {
	bool used;
	uint16_t segment, bdf;
	struct ix_device device; /* as told to the guest */
	struct pci_bar bar[PCI_BARS];
	enum pci_reset reset;
	uint8_t reset_cap;
	bool dma_open;
	bool sriov; /* a virtual function of a real device */
	int vf;     /* a software VF's number, or -1 */
};

struct domain {
	struct vm vm; /* vm.id is the index + 1 */
	enum domain_state state;
	uint32_t generation;
	uint32_t ncores;
	struct cpu *core[IX_MAX_CORES];
	struct vcpu *vcpu[IX_MAX_CORES];
	uint32_t nmem;
	struct ix_range mem[IX_MAX_MEM];
	struct domain_device device[DOMAIN_DEVICES];

	uint64_t entry, cr3, bootinfo; /* of the run under way */
	uint32_t running;              /* cores that have not stopped yet */
	uint32_t stopping;             /* Linux wants it to */
	uint64_t starts;

	/* Written by the core that failed first, read after it has stopped. */
	uint32_t failing;
	char why[IX_TEXT];
	uint64_t reg[NREGS], rip, rflags, cr2, fail_cr3, exit_reason, exit_qualification;

	uint64_t stats, stats_size; /* physical, bytes; 0: none */
	uint64_t console_head;
	char line[160]; /* console line under construction */
	uint32_t line_length;
	struct spinlock console_lock;
	char console[CONSOLE_RING];
};

void domains_init(void);
void domains_lock(void);
void domains_unlock(void);

uint32_t domains_running(void);
uint64_t pool_size(void);
uint64_t pool_free(void);

/* By handle: NULL for a stale or bad one. By position in the list: NULL behind its end. */
struct domain *domain_by_handle(uint64_t handle);
struct domain *domain_at(uint64_t index);
struct domain *domain_by_vm(uint32_t vm_id);
uint64_t domain_handle(const struct domain *d);

/* All domains as hcall_check() wants to know them; returns their number. */
uint32_t domains_describe(struct hcall_domain out[DOMAINS_MAX]);

int domain_create(const struct ix_create *spec, struct domain **made, const char **why);
int domain_assign(struct domain *d, uint32_t address, struct ix_device *device, const char **why);
int domain_release(struct domain *d, uint32_t address, const char **why);
void domain_clear(struct domain *d);
void domain_start(struct domain *d, uint64_t entry, uint64_t cr3, uint64_t bootinfo);
int domain_stop(struct domain *d, const char **why);
void domain_destroy(struct domain *d);

/* The run under way is to end, by a call or by itself: its cores shall stop. */
bool domain_ends(const struct domain *d);

/* On a core of the domain: runs it until it stops. Called from the core's loop. */
void domain_run_core(struct cpu *cpu, struct domain *d);

#endif
