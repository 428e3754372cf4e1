/* SPDX-License-Identifier: MIT */
#include "hv/lib/hcall.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define PAGE        4096ull
#define UNIT_2M     (2ull << 20)
#define STATS_MAX   (2ull << 20)
#define CONSOLE_MAX 4096 /* bytes of one IX_GCALL_CONSOLE */

/*
 * The life cycle. Besides calls, two things change a state: a running domain is stopped when its
 * guest exits, and failed when it does what it must not.
 */
#define FIRST_CALL IX_CALL_CREATE
#define BUSY       0xff
/* clang-format off */
static const uint8_t life_cycle[][DOMAIN_STATES] = {
#define CALL(op) [(op) - FIRST_CALL]
	/*			  none		  stopped	  running	  failed */
	CALL(IX_CALL_CREATE) =	{ DOMAIN_STOPPED, BUSY,		  BUSY,		  BUSY },
	CALL(IX_CALL_ASSIGN) =	{ BUSY,		  DOMAIN_STOPPED, BUSY,		  DOMAIN_FAILED },
	CALL(IX_CALL_RELEASE) = { BUSY,		  DOMAIN_STOPPED, BUSY,		  DOMAIN_FAILED },
	CALL(IX_CALL_DEVICE) =	{ BUSY,		  DOMAIN_STOPPED, DOMAIN_RUNNING, DOMAIN_FAILED },
	CALL(IX_CALL_CLEAR) =	{ BUSY,		  DOMAIN_STOPPED, BUSY,		  DOMAIN_FAILED },
	CALL(IX_CALL_WRITE) =	{ BUSY,		  DOMAIN_STOPPED, BUSY,		  DOMAIN_FAILED },
	CALL(IX_CALL_START) =	{ BUSY,		  DOMAIN_RUNNING, BUSY,		  DOMAIN_RUNNING },
	CALL(IX_CALL_STOP) =	{ BUSY,		  BUSY,		  DOMAIN_STOPPED, BUSY },
	CALL(IX_CALL_DESTROY) = { BUSY,		  DOMAIN_NONE,	  BUSY,		  DOMAIN_NONE },
	CALL(IX_CALL_CONSOLE) = { BUSY,		  DOMAIN_STOPPED, DOMAIN_RUNNING, DOMAIN_FAILED },
	CALL(IX_CALL_STATS) =	{ BUSY,		  DOMAIN_STOPPED, DOMAIN_RUNNING, DOMAIN_FAILED },
#undef CALL
};
/* clang-format on */

static bool is_domain_call(uint32_t op)
{
	return op >= FIRST_CALL && op - FIRST_CALL < sizeof(life_cycle) / sizeof(life_cycle[0]);
}

int domain_state_after(enum domain_state state, uint32_t op)
{
	uint8_t next = is_domain_call(op) ? life_cycle[op - FIRST_CALL][state] : BUSY;

	return next == BUSY ? -EBUSY : next;
}

bool domain_memory_has(const struct ix_range *mem, uint32_t nmem, uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < nmem; i++)
		if (range_contains(mem[i].base, mem[i].size, pa, size))
			return true;
	return false;
}

static int fail(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

static const struct hcall_domain *find(const struct hcall_env *env, uint64_t handle)
{
	for (uint32_t i = 0; i < env->ndomains; i++)
		if (env->domains[i].handle == handle)
			return &env->domains[i];
	return NULL;
}

static bool core_exists(const struct hcall_env *env, uint64_t apic_id)
{
	return apic_id <= UINT32_MAX && env->core_exists(env->ctx, apic_id);
}

static bool name_ok(const char *name)
{
	size_t n = strnlen(name, IX_NAME_LEN);

	if (n == 0 || n == IX_NAME_LEN || !strcmp(name, "linux") || !strcmp(name, "hypervisor") ||
	    !strcmp(name, "pool"))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_' || c == '.'))
			return false;
	}
	return true;
}

static int check_create(const struct hcall_env *env, const struct ix_slot *call, const char **why)
{
	struct ix_create c;

	memcpy(&c, call->data, sizeof(c));
	if (!name_ok(c.name))
		return fail(why, -EINVAL,
			    "bad name: letters, digits, '-', '_' and '.', at most 31");
	for (uint32_t i = 0; i < env->ndomains; i++)
		if (!strcmp(env->domains[i].name, c.name))
			return fail(why, -EEXIST, "a dataplane of this name exists");
	if (!c.memory || !is_aligned(c.memory, UNIT_2M))
		return fail(why, -EINVAL, "memory must be a multiple of 2 MB, and more than 0");
	if (!c.ncores || c.ncores > IX_MAX_CORES)
		return fail(why, -EINVAL, "a dataplane has 1 to 64 cores");
	for (uint32_t i = 0; i < c.ncores; i++) {
		if (!core_exists(env, c.apic_id[i]))
			return fail(why, -ENODEV, "no core has one of these APIC IDs");
		for (uint32_t j = 0; j < i; j++)
			if (c.apic_id[j] == c.apic_id[i])
				return fail(why, -EINVAL, "a core is named twice");
	}
	return 0;
}

static bool canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static int check_start(const struct hcall_domain *d, const uint64_t *arg, const char **why)
{
	if (!canonical(arg[1]))
		return fail(why, -EINVAL, "the entry point is not a canonical address");
	if (!is_aligned(arg[2], PAGE) || !is_aligned(arg[3], PAGE))
		return fail(why, -EINVAL, "page tables and boot page must be 4 KB aligned");
	if (!domain_memory_has(d->mem, d->nmem, arg[2], PAGE) ||
	    !domain_memory_has(d->mem, d->nmem, arg[3], sizeof(struct ix_bootinfo)))
		return fail(why, -EFAULT,
			    "page tables and boot page must be within the dataplane's memory");
	if (!d->has_cores)
		return fail(
		    why, -EPERM,
		    "not all its cores are the hypervisor's: take them offline in Linux and "
		    "give them");
	return 0;
}

static int check_arguments(const struct hcall_domain *d, const struct ix_slot *call,
			   const char **why)
{
	const uint64_t *arg = call->arg;

	switch (call->op) {
	case IX_CALL_ASSIGN:
	case IX_CALL_RELEASE:
		return arg[1] > UINT32_MAX ? fail(why, -EINVAL, "not a PCI function") : 0;
	case IX_CALL_WRITE:
		if (!range_contains(0, IX_BULK_SIZE, arg[2], arg[3]))
			return fail(why, -EINVAL, "the source is not within the bulk area");
		if (!domain_memory_has(d->mem, d->nmem, arg[1], arg[3]))
			return fail(why, -EFAULT,
				    "the destination is not within one range of the dataplane's "
				    "memory");
		return 0;
	case IX_CALL_START:
		return check_start(d, arg, why);
	default:
		return 0;
	}
}

static int check_domain_call(const struct hcall_env *env, const struct ix_slot *call,
			     const char **why)
{
	const struct hcall_domain *d = find(env, call->arg[0]);

	if (!d)
		return fail(why, -EBADF, "no such dataplane, or an old handle");
	if (domain_state_after(d->state, call->op) < 0)
		return fail(why, -EBUSY,
			    d->state == DOMAIN_RUNNING ? "the dataplane runs; stop it first"
						       : "the dataplane does not run");
	return check_arguments(d, call, why);
}

int hcall_check(const struct hcall_env *env, const struct ix_slot *call, const char **why)
{
	*why = "";
	switch (call->op) {
	case IX_CALL_INFO:
	case IX_CALL_PREFLIGHT:
	case IX_CALL_CORE:
	case IX_CALL_MEMORY:
	case IX_CALL_PCI:
	case IX_CALL_EXIT:
	case IX_CALL_DOMAIN:
		return 0;
	case IX_CALL_CORE_GIVE:
	case IX_CALL_CORE_TAKE:
		if (!core_exists(env, call->arg[0]))
			return fail(why, -ENODEV, "no core has this APIC ID");
		return 0;
	case IX_CALL_CREATE:
		return check_create(env, call, why);
	}
	return is_domain_call(call->op) ? check_domain_call(env, call, why)
					: fail(why, -ENOSYS, "no such call");
}

int gcall_check(const struct ix_range *mem, uint32_t nmem, uint64_t number, const uint64_t arg[4])
{
	switch (number) {
	case IX_GCALL_HELLO:
	case IX_GCALL_EXIT:
	case IX_GCALL_PANIC:
	case IX_GCALL_PCI_READ:
	case IX_GCALL_PCI_WRITE:
		return 0;
	case IX_GCALL_CONSOLE:
		if (arg[1] > CONSOLE_MAX)
			return -EINVAL;
		return domain_memory_has(mem, nmem, arg[0], arg[1]) ? 0 : -EFAULT;
	case IX_GCALL_STATS:
		if (!is_aligned(arg[0], PAGE) || !arg[1] || arg[1] > STATS_MAX)
			return -EINVAL;
		return domain_memory_has(mem, nmem, arg[0], arg[1]) ? 0 : -EFAULT;
	case IX_GCALL_EVENT:
		return arg[0] >= IX_GEVENT_UNRESPONSIVE && arg[0] <= IX_GEVENT_READY ? 0 : -EINVAL;
	default:
		return -ENOSYS;
	}
}
