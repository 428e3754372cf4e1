/* SPDX-License-Identifier: MIT
 *
 * Calls to the hypervisor, checked: from Linux over the control channel (<ix/hypercall.h>) and from
 * dataplane guests by VMCALL (<ix/bootinfo.h>).
 *
 * A call is copied once, then checked as a whole against a table: what states of a domain allow it,
 * and what its arguments may be. What passes can be carried out without looking at an argument again.
 */
#ifndef HV_LIB_HCALL_H
#define HV_LIB_HCALL_H

#include <stdbool.h>
#include <stdint.h>

#include <ix/hypercall.h>

enum domain_state {
	DOMAIN_FREE, /* no domain in this place */
	DOMAIN_STOPPED,
	DOMAIN_RUNNING,
	DOMAIN_FAILED, /* stopped by its own fault; the report is kept */
	DOMAIN_STATES
};

/* What happens to a domain. */
enum domain_event {
	EVENT_CREATE,
	EVENT_CONFIGURE, /* devices, memory contents */
	EVENT_START,
	EVENT_STOP,
	EVENT_DESTROY,
	EVENT_EXIT, /* its guest asked for it */
	EVENT_FAIL,
	DOMAIN_EVENTS
};

/* The state that follows, or -EBUSY when the event is not allowed in this one. */
int domain_next(enum domain_state state, enum domain_event event);
const char *domain_state_name(enum domain_state state);

/* What the checks need to know; the hypervisor's own structures embed or build these. */
struct hcall_domain {
	enum domain_state state;
	uint32_t generation; /* goes up by one whenever the place is used again */
	char name[IX_NAME_LEN];
	uint32_t ncores, nmem, ndevices;
	uint32_t apic_id[IX_MAX_CORES];
	struct ix_range mem[IX_MAX_MEM];
};

struct hcall_core {
	uint32_t apic_id;
	bool of_linux; /* else the hypervisor's */
	bool boot;     /* Linux cannot give it away */
};

struct hcall_env {
	const struct hcall_domain *domains; /* free places included */
	uint32_t ndomains;
	const struct hcall_core *cores;
	uint32_t ncores;
};

/* A handle names a domain for as long as it exists: the next one in its place has another. */
uint64_t domain_handle(uint32_t place, uint32_t generation);

/* The place of a domain, or -EBADF. */
int domain_find(const struct hcall_env *env, uint64_t handle);

/* The place of the domain that the core was promised to, or -ENOENT. */
int domain_of_core(const struct hcall_env *env, uint32_t apic_id);

/* True when the range lies within the memory of the domain, in one piece. */
bool domain_has_memory(const struct hcall_domain *domain, uint64_t pa, uint64_t size);

/* A call, in memory that Linux cannot write. */
struct hcall {
	uint32_t op;
	uint64_t arg[8];
	struct ix_create create; /* IX_CALL_CREATE alone */
};

/* Reads the slot, once. */
void hcall_copy(struct hcall *call, const struct ix_slot *slot);

/*
 * Returns the place of the domain that the call is about (a free one for IX_CALL_CREATE), 0 for a
 * call about no domain, or the error of <ix/hypercall.h>; then *why says what is wrong. Pool memory,
 * PCI functions and the ends of lists are left to those who know them.
 */
int hcall_check(const struct hcall_env *env, const struct hcall *call, const char **why);

/*
 * A call of a running guest with RAX = number and RDI, RSI, RDX, RCX in arg[]. Returns 0 or a
 * negative errno. Linux's control VM may make IX_GCALL_HELLO only: pass NULL as its domain.
 */
int gcall_check(const struct hcall_domain *domain, uint64_t number, const uint64_t arg[4]);

#endif
