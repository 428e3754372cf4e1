/* SPDX-License-Identifier: MIT
 * Input: calls of 40 bytes (number, which arguments are made meaningful, four arguments), carried out
 * on a model of the hypervisor: whatever passes the checks must keep its domains apart.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/bytes.h"
#include "hv/lib/hcall.h"
#include "hv/lib/pool.h"
#include "hv/lib/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLACES 3
#define CORES  6
#define MB     (1ull << 20)
#define CALL   40

struct domain {
	enum domain_state state;
	uint32_t generation;
	char name[IX_NAME_LEN];
	uint32_t ncores, nmem;
	uint32_t apic_id[IX_MAX_CORES];
	struct ix_range mem[IX_MAX_MEM];
};

static struct {
	struct domain domain[PLACES];
	int owner[CORES]; /* place of the domain that runs there, or LINUX or NOBODY */
	struct memmap pool;
} m;

enum {
	LINUX = -1,
	NOBODY = -2
};

static uint64_t handle_of(unsigned int place)
{
	return (uint64_t)m.domain[place].generation << 8 | (place + 1);
}

static bool core_exists(void *ctx, uint32_t apic_id)
{
	(void)ctx;
	return apic_id < CORES;
}

static bool has_cores(const struct domain *d)
{
	for (uint32_t i = 0; i < d->ncores; i++)
		if (m.owner[d->apic_id[i]] != NOBODY)
			return false;
	return true;
}

static uint32_t describe(struct hcall_domain out[PLACES])
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		const struct domain *d = &m.domain[i];

		if (d->state != DOMAIN_NONE)
			out[n++] = (struct hcall_domain){handle_of(i), d->state, d->name,
							 d->mem,       d->nmem,  has_cores(d)};
	}
	return n;
}

static void check_invariants(void)
{
	uint64_t used = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		const struct domain *d = &m.domain[i];

		if (d->state == DOMAIN_NONE)
			continue;
		if (d->state >= DOMAIN_STATES || !d->ncores || !d->nmem ||
		    strnlen(d->name, IX_NAME_LEN) == IX_NAME_LEN)
			abort();
		for (uint32_t k = 0; k < d->nmem; k++)
			used += d->mem[k].size;
		for (uint32_t k = 0; k < d->ncores; k++)
			if ((m.owner[d->apic_id[k]] == (int)i) != (d->state == DOMAIN_RUNNING))
				abort();
		for (unsigned int j = 0; j < i; j++)
			if (m.domain[j].state != DOMAIN_NONE && !strcmp(d->name, m.domain[j].name))
				abort();
	}
	if (used != memmap_total(&m.pool, MEM_RESERVED))
		abort();
}

static void create(const struct ix_create *c)
{
	struct range ranges[IX_MAX_MEM];
	struct domain *d = NULL;
	int n;

	for (unsigned int i = 0; i < PLACES && !d; i++)
		if (m.domain[i].state == DOMAIN_NONE)
			d = &m.domain[i];
	n = d ? pool_take(&m.pool, c->memory, ranges, IX_MAX_MEM) : 0;
	if (n <= 0)
		return;
	d->generation++;
	d->state = DOMAIN_STOPPED;
	memcpy(d->name, c->name, sizeof(d->name));
	d->ncores = c->ncores;
	memcpy(d->apic_id, c->apic_id, sizeof(d->apic_id));
	d->nmem = n;
	for (int i = 0; i < n; i++)
		d->mem[i] = (struct ix_range){ranges[i].base, ranges[i].size};
}

static void set_owner(const struct domain *d, int owner)
{
	for (uint32_t i = 0; i < d->ncores; i++)
		m.owner[d->apic_id[i]] = owner;
}

static void carry_out(const struct ix_slot *call)
{
	/* The place is in the handle; calls about no domain do not use it. */
	struct domain *d = &m.domain[((call->arg[0] & 0xff) - 1) % PLACES];
	struct range ranges[IX_MAX_MEM];
	struct ix_create c;

	switch (call->op) {
	case IX_CALL_CORE_GIVE:
		if (m.owner[call->arg[0]] == LINUX && call->arg[0])
			m.owner[call->arg[0]] = NOBODY;
		return;
	case IX_CALL_CORE_TAKE:
		if (m.owner[call->arg[0]] == NOBODY)
			m.owner[call->arg[0]] = LINUX;
		return;
	case IX_CALL_CREATE:
		memcpy(&c, call->data, sizeof(c));
		create(&c);
		return;
	case IX_CALL_WRITE:
		if (!domain_memory_has(d->mem, d->nmem, call->arg[1], call->arg[3]) ||
		    call->arg[3] > IX_BULK_SIZE)
			abort();
		return;
	case IX_CALL_START:
		if (!has_cores(d))
			abort();
		set_owner(d, d - m.domain);
		break;
	case IX_CALL_STOP:
		set_owner(d, NOBODY);
		break;
	case IX_CALL_DESTROY:
		for (uint32_t i = 0; i < d->nmem; i++)
			ranges[i] = (struct range){d->mem[i].base, d->mem[i].size};
		if (pool_give(&m.pool, ranges, d->nmem))
			abort();
		break;
	default:
		return;
	}
	d->state = domain_state_after(d->state, call->op);
}

static void fill_slot(struct ix_slot *slot, const uint8_t *data)
{
	const struct domain *d = &m.domain[data[5] % PLACES];
	struct ix_create create = {.memory = (1 + data[8] % 8) * 2 * MB, .ncores = data[9] % 4};

	memset(slot, 0, sizeof(*slot));
	slot->op = get_le32(data, 0);
	if (slot->op > 64)
		slot->op &= 63;
	for (int i = 0; i < 4; i++)
		slot->arg[i] = get_le64(data, 8 + 8 * i);
	if (data[4] & 1)
		slot->arg[0] = handle_of(data[5] % PLACES);
	if (data[4] & 2)
		slot->arg[1] = IX_KERNEL_BASE;
	if (data[4] & 4)
		slot->arg[2] = slot->arg[3] = d->mem[0].base;
	if (data[4] & 8)
		slot->arg[0] %= CORES;
	create.name[0] = 'a' + data[10] % 4;
	for (int i = 0; i < 4; i++)
		create.apic_id[i] = data[11 + i] % (CORES + 1);
	memcpy(slot->data, data[4] & 16 ? (const void *)(data + 8) : (const void *)&create,
	       data[4] & 16 ? CALL - 8 : sizeof(create));
}

static uint64_t calls;

__attribute__((destructor)) static void tell(void)
{
	fprintf(stderr, "hv_hcall: %llu calls checked\n", (unsigned long long)calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ix_slot slot;

	memset(&m, 0, sizeof(m));
	for (unsigned int i = 0; i < CORES; i++)
		m.owner[i] = i < 3 ? LINUX : NOBODY;
	pool_add(&m.pool, 64 * MB, 16 * MB);
	pool_add(&m.pool, 128 * MB, 8 * MB);

	for (; size >= CALL; data += CALL, size -= CALL) {
		const struct domain *d = &m.domain[data[5] % PLACES];
		struct hcall_domain domains[PLACES];
		const struct hcall_env env = {domains, describe(domains), core_exists, NULL};
		const char *why;
		int error;

		calls++;
		fill_slot(&slot, data);
		error = hcall_check(&env, &slot, &why);
		if (error > 0 || !error != !*why)
			abort();
		if (!error)
			carry_out(&slot);
		gcall_check(d->mem, d->nmem, 0x100 + data[7] % 9, slot.arg);
		check_invariants();
	}
	return 0;
}
