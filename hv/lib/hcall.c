/* SPDX-License-Identifier: MIT */
#include "hv/lib/hcall.h"
#include "hv/lib/errno.h"
#include "hv/lib/range.h"
#include "hv/lib/string.h"

#define PAGE    4096ull
#define UNIT_2M (2ull << 20)

/* Rows: state; columns: event. 0 (DOMAIN_FREE follows) is told apart from "not allowed" by OK. */
#define OK(state) ((state) + 1)
static const uint8_t transitions[DOMAIN_STATES][DOMAIN_EVENTS] = {
    [DOMAIN_FREE] = {[EVENT_CREATE] = OK(DOMAIN_STOPPED)},
    [DOMAIN_STOPPED] = {[EVENT_CONFIGURE] = OK(DOMAIN_STOPPED),
			[EVENT_START] = OK(DOMAIN_RUNNING),
			[EVENT_DESTROY] = OK(DOMAIN_FREE)},
    [DOMAIN_RUNNING] = {[EVENT_STOP] = OK(DOMAIN_STOPPED),
			[EVENT_EXIT] = OK(DOMAIN_STOPPED),
			[EVENT_FAIL] = OK(DOMAIN_FAILED)},
    [DOMAIN_FAILED] = {[EVENT_CONFIGURE] = OK(DOMAIN_STOPPED),
		       [EVENT_STOP] = OK(DOMAIN_STOPPED),
		       [EVENT_DESTROY] = OK(DOMAIN_FREE)},
};

int domain_next(enum domain_state state, enum domain_event event)
{
	uint8_t next = transitions[state][event];

	return next ? next - 1 : -EBUSY;
}

const char *domain_state_name(enum domain_state state)
{
	static const char *const names[] = {"free", "stopped", "running", "failed"};

	return names[state];
}

uint64_t domain_handle(uint32_t place, uint32_t generation)
{
	return (uint64_t)generation << 32 | (place + 1);
}

int domain_find(const struct hcall_env *env, uint64_t handle)
{
	uint32_t place = (uint32_t)handle - 1;

	if (place >= env->ndomains || env->domains[place].state == DOMAIN_FREE ||
	    env->domains[place].generation != handle >> 32)
		return -EBADF;
	return place;
}

static bool has_core(const struct hcall_domain *domain, uint32_t apic_id)
{
	for (uint32_t i = 0; i < domain->ncores; i++)
		if (domain->apic_id[i] == apic_id)
			return true;
	return false;
}

int domain_of_core(const struct hcall_env *env, uint32_t apic_id)
{
	for (uint32_t i = 0; i < env->ndomains; i++)
		if (env->domains[i].state != DOMAIN_FREE && has_core(&env->domains[i], apic_id))
			return i;
	return -ENOENT;
}

bool domain_has_memory(const struct hcall_domain *domain, uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < domain->nmem; i++)
		if (range_contains(domain->mem[i].base, domain->mem[i].size, pa, size))
			return true;
	return false;
}

void hcall_copy(struct hcall *call, const struct ix_slot *slot)
{
	memset(call, 0, sizeof(*call));
	call->op = slot->op;
	memcpy(call->arg, slot->arg, sizeof(call->arg));
	if (call->op == IX_CALL_CREATE)
		memcpy(&call->create, slot->data, sizeof(call->create));
	/* Linux may change the slot meanwhile: nothing behind this line may be read from it again. */
	__asm__ volatile("" ::: "memory");
}

static int fail(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

static const struct hcall_core *find_core(const struct hcall_env *env, uint64_t apic_id)
{
	for (uint32_t i = 0; i < env->ncores; i++)
		if (env->cores[i].apic_id == apic_id)
			return &env->cores[i];
	return NULL;
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

static int check_create(const struct hcall_env *env, const struct hcall *call, const char **why)
{
	const struct ix_create *c = &call->create;
	int place = -ENOSPC;

	if (!name_ok(c->name))
		return fail(why, -EINVAL, "bad name");
	if (!c->memory || !is_aligned(c->memory, UNIT_2M))
		return fail(why, -EINVAL, "memory is not a multiple of 2 MB");
	if (!c->ncores || c->ncores > IX_MAX_CORES)
		return fail(why, -EINVAL, "bad number of cores");
	for (uint32_t i = env->ndomains; i-- > 0;) {
		if (env->domains[i].state == DOMAIN_FREE)
			place = i;
		else if (!strcmp(env->domains[i].name, c->name))
			return fail(why, -EEXIST, "a domain has this name");
	}
	for (uint32_t i = 0; i < c->ncores; i++) {
		const struct hcall_core *core = find_core(env, c->apic_id[i]);

		for (uint32_t j = 0; j < i; j++)
			if (c->apic_id[j] == c->apic_id[i])
				return fail(why, -EINVAL, "a core is named twice");
		if (!core)
			return fail(why, -ENODEV, "no core has this APIC ID");
		if (core->boot)
			return fail(why, -EPERM, "the boot core stays with Linux");
		if (domain_of_core(env, c->apic_id[i]) >= 0)
			return fail(why, -EBUSY, "a core belongs to another domain");
	}
	return place < 0 ? fail(why, place, "too many domains") : place;
}

static int check_core(const struct hcall_env *env, const struct hcall *call, const char **why)
{
	const struct hcall_core *core = find_core(env, call->arg[0]);
	int place;

	if (!core)
		return fail(why, -ENODEV, "no core has this APIC ID");
	if (core->boot)
		return fail(why, -EPERM, "the boot core stays with Linux");
	if (call->op == IX_CALL_CORE_GIVE)
		return core->of_linux ? 0 : fail(why, -EBUSY, "the core is not Linux's");
	if (core->of_linux)
		return fail(why, -EBUSY, "the core is Linux's already");
	place = domain_of_core(env, core->apic_id);
	if (place >= 0 && env->domains[place].state == DOMAIN_RUNNING)
		return fail(why, -EBUSY, "a running domain has the core");
	return 0;
}

static int check_start(const struct hcall_env *env, const struct hcall_domain *domain,
		       const struct hcall *call, const char **why)
{
	uint64_t entry = call->arg[1], cr3 = call->arg[2], boot = call->arg[3];

	if (entry < IX_KERNEL_BASE)
		return fail(why, -EINVAL, "entry point below the kernel");
	if (!is_aligned(cr3, PAGE) || !is_aligned(boot, PAGE))
		return fail(why, -EINVAL, "page tables or boot page not page aligned");
	if (!domain_has_memory(domain, cr3, PAGE) ||
	    !domain_has_memory(domain, boot, sizeof(struct ix_bootinfo)))
		return fail(why, -EFAULT, "page tables or boot page outside the domain");
	for (uint32_t i = 0; i < domain->ncores; i++) {
		const struct hcall_core *core = find_core(env, domain->apic_id[i]);

		if (!core || core->of_linux)
			return fail(why, -EBUSY, "a core is still Linux's");
	}
	return 0;
}

/* Arguments of a call about a domain; its state has been checked. */
static int check_domain_call(const struct hcall_env *env, const struct hcall_domain *domain,
			     const struct hcall *call, const char **why)
{
	const uint64_t *arg = call->arg;

	switch (call->op) {
	case IX_CALL_ASSIGN:
	case IX_CALL_RELEASE:
		if (arg[1] > UINT32_MAX || (call->op == IX_CALL_RELEASE && arg[1] == IX_ASSIGN_VF))
			return fail(why, -EINVAL, "not a PCI function");
		if (call->op == IX_CALL_ASSIGN && domain->ndevices >= IX_MAX_DEVICES)
			return fail(why, -ENOSPC, "too many devices");
		return 0;
	case IX_CALL_WRITE:
		if (!range_contains(0, IX_BULK_SIZE, arg[2], arg[3]))
			return fail(why, -EINVAL, "not within the bulk area");
		if (!domain_has_memory(domain, arg[1], arg[3]))
			return fail(why, -EFAULT, "not within the domain's memory");
		return 0;
	case IX_CALL_START:
		return check_start(env, domain, call, why);
	case IX_CALL_CONSOLE:
		if (arg[2] > IX_SLOT_DATA)
			return fail(why, -EINVAL, "more than a slot holds");
		return 0;
	case IX_CALL_STATS:
		if (arg[2] > IX_SLOT_DATA || !range_contains(0, PAGE, arg[1], arg[2]))
			return fail(why, -EINVAL, "not within the statistics page");
		return 0;
	default:
		return 0;
	}
}

/* Calls about a domain, and the event that they are to it. */
static const struct {
	uint8_t op;
	int8_t event; /* -1: allowed in every state */
} domain_calls[] = {
    {IX_CALL_ASSIGN, EVENT_CONFIGURE},
    {IX_CALL_RELEASE, EVENT_CONFIGURE},
    {IX_CALL_DEVICE, -1},
    {IX_CALL_CLEAR, EVENT_CONFIGURE},
    {IX_CALL_WRITE, EVENT_CONFIGURE},
    {IX_CALL_START, EVENT_START},
    {IX_CALL_STOP, EVENT_STOP},
    {IX_CALL_DESTROY, EVENT_DESTROY},
    {IX_CALL_CONSOLE, -1},
    {IX_CALL_STATS, -1},
};

static int check_domain(const struct hcall_env *env, const struct hcall *call, int event,
			const char **why)
{
	int place = domain_find(env, call->arg[0]), error;

	if (place < 0)
		return fail(why, place, "no such domain");
	if (event >= 0 && domain_next(env->domains[place].state, event) < 0)
		return fail(why, -EBUSY,
			    env->domains[place].state == DOMAIN_RUNNING
				? "the domain is running"
				: "the domain is not running");
	error = check_domain_call(env, &env->domains[place], call, why);
	return error ? error : place;
}

int hcall_check(const struct hcall_env *env, const struct hcall *call, const char **why)
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
		return check_core(env, call, why);
	case IX_CALL_CREATE:
		return check_create(env, call, why);
	}
	for (uint32_t i = 0; i < sizeof(domain_calls) / sizeof(domain_calls[0]); i++)
		if (domain_calls[i].op == call->op)
			return check_domain(env, call, domain_calls[i].event, why);
	return fail(why, -ENOSYS, "no such call");
}

int gcall_check(const struct hcall_domain *domain, uint64_t number, const uint64_t arg[4])
{
	if (number == IX_GCALL_HELLO)
		return 0;
	if (!domain)
		return -ENOSYS;
	switch (number) {
	case IX_GCALL_CONSOLE:
	case IX_GCALL_PANIC:
		if (arg[1] > PAGE)
			return -EINVAL;
		return domain_has_memory(domain, arg[0], arg[1]) ? 0 : -EFAULT;
	case IX_GCALL_EXIT:
		return 0;
	case IX_GCALL_STATS:
		if (!is_aligned(arg[0], PAGE))
			return -EINVAL;
		return domain_has_memory(domain, arg[0], PAGE) ? 0 : -EFAULT;
	case IX_GCALL_EVENT:
		return arg[0] >= IX_GEVENT_UNRESPONSIVE && arg[0] <= IX_GEVENT_READY ? 0 : -EINVAL;
	case IX_GCALL_PCI_READ:
	case IX_GCALL_PCI_WRITE:
		if (arg[0] >= domain->ndevices)
			return -ENODEV;
		if ((arg[2] != 1 && arg[2] != 2 && arg[2] != 4) || arg[1] % arg[2] ||
		    !range_contains(0, PAGE, arg[1], arg[2]))
			return -EINVAL;
		return 0;
	default:
		return -ENOSYS;
	}
}
