/* SPDX-License-Identifier: MIT
 * Input: calls of 40 bytes (number, which arguments are handles, four arguments), carried out on a
 * model of the hypervisor: whatever passes the checks must keep its domains apart.
 */
#include <stdint.h>
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

struct machine {
	struct hcall_domain domain[PLACES];
	struct hcall_core core[CORES];
	struct memmap pool;
};

static void check_invariants(const struct machine *m)
{
	uint64_t used = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		const struct hcall_domain *a = &m->domain[i];

		if (a->state == DOMAIN_FREE)
			continue;
		for (uint32_t k = 0; k < a->nmem; k++)
			used += a->mem[k].size;
		for (uint32_t k = 0; k < a->ncores; k++)
			for (unsigned int c = 0; c < CORES; c++)
				if (m->core[c].apic_id == a->apic_id[k] &&
				    (m->core[c].boot ||
				     (a->state == DOMAIN_RUNNING && m->core[c].of_linux)))
					abort();
		for (unsigned int j = 0; j < i; j++) {
			const struct hcall_domain *b = &m->domain[j];

			if (b->state == DOMAIN_FREE)
				continue;
			for (uint32_t k = 0; k < a->ncores; k++)
				for (uint32_t l = 0; l < b->ncores; l++)
					if (a->apic_id[k] == b->apic_id[l])
						abort();
			if (!strcmp(a->name, b->name))
				abort();
		}
	}
	if (used != memmap_total(&m->pool, MEM_RESERVED))
		abort();
}

static void create(struct machine *m, struct hcall_domain *d, const struct ix_create *c)
{
	struct range ranges[IX_MAX_MEM];
	int n = pool_alloc(&m->pool, c->memory, ranges, IX_MAX_MEM);

	if (n < 0)
		return;
	d->generation++;
	d->state = DOMAIN_STOPPED;
	memcpy(d->name, c->name, sizeof(d->name));
	d->ncores = c->ncores;
	memcpy(d->apic_id, c->apic_id, sizeof(d->apic_id));
	d->nmem = n;
	d->ndevices = 0;
	for (int i = 0; i < n; i++)
		d->mem[i] = (struct ix_range){ranges[i].base, ranges[i].size};
}

static void destroy(struct machine *m, struct hcall_domain *d)
{
	struct range ranges[IX_MAX_MEM];

	for (uint32_t i = 0; i < d->nmem; i++)
		ranges[i] = (struct range){d->mem[i].base, d->mem[i].size};
	if (pool_free(&m->pool, ranges, d->nmem))
		abort();
	d->state = DOMAIN_FREE;
}

static void carry_out(struct machine *m, const struct hcall *call, int place)
{
	struct hcall_domain *d = &m->domain[place];

	switch (call->op) {
	case IX_CALL_CORE_GIVE:
	case IX_CALL_CORE_TAKE:
		for (unsigned int i = 0; i < CORES; i++)
			if (m->core[i].apic_id == call->arg[0])
				m->core[i].of_linux = call->op == IX_CALL_CORE_TAKE;
		break;
	case IX_CALL_CREATE:
		if (d->state != DOMAIN_FREE)
			abort();
		create(m, d, &call->create);
		break;
	case IX_CALL_ASSIGN:
		d->ndevices++;
		break;
	case IX_CALL_WRITE:
		if (!domain_has_memory(d, call->arg[1], call->arg[3]) ||
		    call->arg[3] > IX_BULK_SIZE)
			abort();
		break;
	case IX_CALL_START:
		d->state = domain_next(d->state, EVENT_START);
		break;
	case IX_CALL_STOP:
		d->state = domain_next(d->state, call->arg[7] & 1 ? EVENT_STOP : EVENT_EXIT);
		break;
	case IX_CALL_DESTROY:
		destroy(m, d);
		break;
	}
}

static void fill_slot(struct ix_slot *slot, const uint8_t *data, const struct machine *m)
{
	struct ix_create create = {.memory = (1 + data[8] % 8) * 2 * MB, .ncores = data[9] % 4};

	memset(slot, 0, sizeof(*slot));
	slot->op = get_le32(data, 0);
	if (slot->op > 64)
		slot->op &= 63;
	for (int i = 0; i < 4; i++)
		slot->arg[i] = get_le64(data, 8 + 8 * i);
	if (data[4] & 1)
		slot->arg[0] =
		    domain_handle(data[5] % PLACES, m->domain[data[5] % PLACES].generation);
	if (data[4] & 2)
		slot->arg[1] = IX_KERNEL_BASE;
	if (data[4] & 4)
		slot->arg[2] = slot->arg[3] = m->domain[data[5] % PLACES].mem[0].base;
	if (data[4] & 8)
		slot->arg[0] %= CORES;
	create.name[0] = 'a' + data[10] % 4;
	for (int i = 0; i < 4; i++)
		create.apic_id[i] = data[11 + i] % (CORES + 1);
	memcpy(slot->data, data[4] & 16 ? (const void *)(data + 8) : (const void *)&create,
	       data[4] & 16 ? CALL - 8 : sizeof(create));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine m;
	static struct ix_slot slot;
	const struct hcall_env env = {m.domain, PLACES, m.core, CORES};

	memset(&m, 0, sizeof(m));
	for (unsigned int i = 0; i < CORES; i++)
		m.core[i] = (struct hcall_core){i, i < 3, i == 0};
	pool_add(&m.pool, 64 * MB, 16 * MB);
	pool_add(&m.pool, 128 * MB, 8 * MB);

	for (; size >= CALL; data += CALL, size -= CALL) {
		struct hcall call;
		const char *why;
		int place;

		fill_slot(&slot, data, &m);
		hcall_copy(&call, &slot);
		memset(&slot, data[6], sizeof(slot)); /* too late to matter */
		place = hcall_check(&env, &call, &why);
		if (place >= PLACES || (place < 0) != (*why != '\0'))
			abort();
		if (place >= 0)
			carry_out(&m, &call, place);
		gcall_check(&m.domain[data[5] % PLACES], 0x100 + data[7] % 9, call.arg);
		check_invariants(&m);
	}
	return 0;
}
