/* SPDX-License-Identifier: MIT
 *
 * Calls to the hypervisor, checked: from Linux over the control channel (<ix/hypercall.h>) and from
 * dataplane guests by VMCALL (<ix/bootinfo.h>).
 *
 * A call, copied where its sender cannot change it any more, is judged as a whole before any of it is
 * carried out: does the state of the domain allow it, and are its arguments in range? What depends on
 * hardware or on free memory is found out by who carries it out.
 */
#ifndef HV_LIB_HCALL_H
#define HV_LIB_HCALL_H

#include <stdbool.h>
#include <stdint.h>

#include <ix/hypercall.h>

enum domain_state {
	DOMAIN_NONE, /* there is no such domain */
	DOMAIN_STOPPED,
	DOMAIN_RUNNING,
	DOMAIN_FAILED, /* stopped by a fault of its own; the report is kept */
	DOMAIN_STATES
};

/*
 * The state of a domain after a call about it (IX_CALL_CREATE to IX_CALL_STATS) was carried out, or
 * -EBUSY when it is not allowed in this state: the life cycle is the table behind this function.
 */
int domain_state_after(enum domain_state state, uint32_t op);

/* What the checks need to know of a domain that exists. */
struct hcall_domain {
	uint64_t handle;
	enum domain_state state;
	const char *name;
	const struct ix_range *mem;
	uint32_t nmem;
	bool has_cores; /* all of its cores are the hypervisor's to use */
};

struct hcall_env {
	const struct hcall_domain *domains;
	uint32_t ndomains;
	bool (*core_exists)(void *ctx, uint32_t apic_id);
	void *ctx;
};

/* Returns 0, or an error of <ix/hypercall.h> with a sentence in *why. */
int hcall_check(const struct hcall_env *env, const struct ix_slot *call, const char **why);

/*
 * A call of a guest, VMCALL with RAX = number and RDI, RSI, RDX, RCX in arg[]; `mem` is its domain's
 * memory. Returns 0 or a negative errno. IX_GCALL_PANIC always passes, as nothing may keep a guest
 * from it; and the PCI calls do, which the function's owner checks.
 */
int gcall_check(const struct ix_range *mem, uint32_t nmem, uint64_t number, const uint64_t arg[4]);

/* True when the range lies within one of the ranges of `mem`. */
bool domain_memory_has(const struct ix_range *mem, uint32_t nmem, uint64_t pa, uint64_t size);

#endif
