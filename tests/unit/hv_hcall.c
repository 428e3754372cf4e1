/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/errno.h"
#include "hv/lib/hcall.h"
#include "hv/lib/pool.h"

#define MB (1ull << 20)

static struct hcall_domain domains[3];
static const struct hcall_core cores[] = {
    {.apic_id = 0, .of_linux = true, .boot = true},
    {.apic_id = 2, .of_linux = true},
    {.apic_id = 4},
    {.apic_id = 6},
};
static const struct hcall_env env = {domains, 3, cores, 4};
static struct ix_slot slot;
static const char *why;

/* Place 1 holds a domain "kv" with cores 4 and 6; place 0 and 2 are free. */
static int setup(void **state)
{
	(void)state;
	memset(domains, 0, sizeof(domains));
	memset(&slot, 0, sizeof(slot));
	domains[1] = (struct hcall_domain){
	    .state = DOMAIN_STOPPED,
	    .generation = 7,
	    .name = "kv",
	    .ncores = 2,
	    .apic_id = {4, 6},
	    .nmem = 2,
	    .mem = {{64 * MB, 4 * MB}, {128 * MB, 2 * MB}},
	};
	return 0;
}

static int check(void)
{
	struct hcall call;
	int result;

	hcall_copy(&call, &slot);
	result = hcall_check(&env, &call, &why);
	assert_true((result < 0) == (*why != '\0'));
	return result;
}

static int call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	slot.op = op;
	slot.arg[0] = a0;
	slot.arg[1] = a1;
	slot.arg[2] = a2;
	slot.arg[3] = a3;
	return check();
}

static uint64_t kv(void)
{
	return domain_handle(1, 7);
}

static void states(void **state)
{
	static const struct {
		enum domain_state from;
		enum domain_event event;
		enum domain_state to;
	} allowed[] = {
	    {DOMAIN_FREE, EVENT_CREATE, DOMAIN_STOPPED},
	    {DOMAIN_STOPPED, EVENT_CONFIGURE, DOMAIN_STOPPED},
	    {DOMAIN_STOPPED, EVENT_START, DOMAIN_RUNNING},
	    {DOMAIN_STOPPED, EVENT_DESTROY, DOMAIN_FREE},
	    {DOMAIN_RUNNING, EVENT_STOP, DOMAIN_STOPPED},
	    {DOMAIN_RUNNING, EVENT_EXIT, DOMAIN_STOPPED},
	    {DOMAIN_RUNNING, EVENT_FAIL, DOMAIN_FAILED},
	    {DOMAIN_FAILED, EVENT_CONFIGURE, DOMAIN_STOPPED},
	    {DOMAIN_FAILED, EVENT_STOP, DOMAIN_STOPPED},
	    {DOMAIN_FAILED, EVENT_DESTROY, DOMAIN_FREE},
	};

	(void)state;
	for (int from = 0; from < DOMAIN_STATES; from++) {
		for (int event = 0; event < DOMAIN_EVENTS; event++) {
			int expected = -EBUSY;

			for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
				if ((int)allowed[i].from == from && (int)allowed[i].event == event)
					expected = allowed[i].to;
			assert_int_equal(domain_next(from, event), expected);
		}
	}
	assert_string_equal(domain_state_name(DOMAIN_FAILED), "failed");
}

static void handles(void **state)
{
	(void)state;
	assert_int_equal(domain_find(&env, kv()), 1);
	assert_int_equal(domain_find(&env, domain_handle(1, 6)), -EBADF); /* an old one */
	assert_int_equal(domain_find(&env, domain_handle(0, 0)), -EBADF); /* free */
	assert_int_equal(domain_find(&env, domain_handle(3, 0)), -EBADF);
	assert_int_equal(domain_find(&env, 0), -EBADF);
	assert_int_equal(domain_find(&env, UINT64_MAX), -EBADF);
	assert_int_equal(domain_of_core(&env, 6), 1);
	assert_int_equal(domain_of_core(&env, 2), -ENOENT);
	assert_true(domain_has_memory(&domains[1], 68 * MB - 1, 1));
	assert_false(domain_has_memory(&domains[1], 68 * MB - 1, 2));
	assert_false(domain_has_memory(&domains[1], 64 * MB, UINT64_MAX));
}

static void fill_create(struct ix_create *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->name, "web-1.a");
	c->memory = 6 * MB;
	c->ncores = 1;
	c->apic_id[0] = 2;
}

static int create(const struct ix_create *c)
{
	memcpy(slot.data, c, sizeof(*c));
	return call(IX_CALL_CREATE, 0, 0, 0, 0);
}

static void creates(void **state)
{
	static const char *const names[] = {"",    "linux", "hypervisor", "pool",
					    "a b", "a/b",   "\xe4"};
	struct ix_create c;

	(void)state;
	fill_create(&c);
	assert_int_equal(create(&c), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		strcpy(c.name, names[i]);
		assert_int_equal(create(&c), -EINVAL);
	}
	memset(c.name, 'a', sizeof(c.name)); /* no NUL */
	assert_int_equal(create(&c), -EINVAL);
	strcpy(c.name, "kv");
	assert_int_equal(create(&c), -EEXIST);
	fill_create(&c);
	c.memory = 0;
	assert_int_equal(create(&c), -EINVAL);
	c.memory = MB;
	assert_int_equal(create(&c), -EINVAL);
	fill_create(&c);
	c.ncores = 0;
	assert_int_equal(create(&c), -EINVAL);
	c.ncores = IX_MAX_CORES + 1;
	assert_int_equal(create(&c), -EINVAL);
	c.ncores = 2;
	c.apic_id[1] = 2;
	assert_int_equal(create(&c), -EINVAL);
	assert_string_equal(why, "a core is named twice");
	c.apic_id[1] = 3;
	assert_int_equal(create(&c), -ENODEV);
	c.apic_id[1] = 6;
	assert_int_equal(create(&c), -EBUSY);
	c.apic_id[1] = 0;
	assert_int_equal(create(&c), -EPERM);
	domains[0].state = DOMAIN_FAILED;
	fill_create(&c);
	assert_int_equal(create(&c), 2);
	domains[2].state = DOMAIN_RUNNING;
	assert_int_equal(create(&c), -ENOSPC);
}

static void moves_cores(void **state)
{
	(void)state;
	assert_int_equal(call(IX_CALL_CORE_GIVE, 2, 0, 0, 0), 0);
	assert_int_equal(call(IX_CALL_CORE_GIVE, 4, 0, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_CORE_GIVE, 0, 0, 0, 0), -EPERM);
	assert_int_equal(call(IX_CALL_CORE_GIVE, 1, 0, 0, 0), -ENODEV);
	assert_int_equal(call(IX_CALL_CORE_GIVE, 1ull << 32 | 2, 0, 0, 0), -ENODEV);
	assert_int_equal(call(IX_CALL_CORE_TAKE, 2, 0, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_CORE_TAKE, 4, 0, 0, 0), 0);
	domains[1].state = DOMAIN_RUNNING;
	assert_int_equal(call(IX_CALL_CORE_TAKE, 4, 0, 0, 0), -EBUSY);
}

static void writes_and_reads(void **state)
{
	(void)state;
	assert_int_equal(call(IX_CALL_WRITE, kv(), 64 * MB, 0, IX_BULK_SIZE), 1);
	assert_int_equal(call(IX_CALL_WRITE, kv(), 64 * MB, 1, IX_BULK_SIZE), -EINVAL);
	assert_int_equal(call(IX_CALL_WRITE, kv(), 64 * MB, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(call(IX_CALL_WRITE, kv(), 68 * MB - 4, 0, 8), -EFAULT);
	assert_int_equal(call(IX_CALL_WRITE, kv(), 0, 0, 8), -EFAULT);
	assert_int_equal(call(IX_CALL_WRITE, kv() + 1, 64 * MB, 0, 8), -EBADF);
	assert_int_equal(call(IX_CALL_CONSOLE, kv(), 0, IX_SLOT_DATA, 0), 1);
	assert_int_equal(call(IX_CALL_CONSOLE, kv(), 0, IX_SLOT_DATA + 1, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_STATS, kv(), 4000, 96, 0), 1);
	assert_int_equal(call(IX_CALL_STATS, kv(), 4000, 97, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_STATS, kv(), 0, IX_SLOT_DATA + 1, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_STATS, kv(), UINT64_MAX, 2, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_ASSIGN, kv(), IX_ASSIGN_VF, 0, 0), 1);
	assert_int_equal(call(IX_CALL_ASSIGN, kv(), 1ull << 32, 0, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_RELEASE, kv(), IX_ASSIGN_VF, 0, 0), -EINVAL);
	domains[1].ndevices = IX_MAX_DEVICES;
	assert_int_equal(call(IX_CALL_ASSIGN, kv(), 0x10, 0, 0), -ENOSPC);
	assert_int_equal(call(IX_CALL_RELEASE, kv(), 0x10, 0, 0), 1);
	domains[1].state = DOMAIN_RUNNING;
	assert_int_equal(call(IX_CALL_WRITE, kv(), 64 * MB, 0, 8), -EBUSY);
	assert_int_equal(call(IX_CALL_CLEAR, kv(), 0, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_ASSIGN, kv(), 0x10, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_DESTROY, kv(), 0, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_CONSOLE, kv(), 0, 1, 0), 1);
	assert_int_equal(call(IX_CALL_DEVICE, kv(), 0, 0, 0), 1);
}

static void starts_and_stops(void **state)
{
	const uint64_t entry = IX_KERNEL_BASE + 0x1000;

	(void)state;
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB, 128 * MB), 1);
	assert_int_equal(call(IX_CALL_STOP, kv(), 0, 0, 0), -EBUSY);
	assert_string_equal(why, "the domain is not running");
	assert_int_equal(call(IX_CALL_START, kv(), 0x1000, 64 * MB, 128 * MB), -EINVAL);
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB + 8, 128 * MB), -EINVAL);
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB, 128 * MB + 8), -EINVAL);
	assert_int_equal(call(IX_CALL_START, kv(), entry, 0, 128 * MB), -EFAULT);
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB, 130 * MB), -EFAULT);
	domains[1].apic_id[1] = 2; /* Linux's */
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB, 128 * MB), -EBUSY);
	assert_string_equal(why, "a core is still Linux's");
	domains[1].state = DOMAIN_RUNNING;
	assert_int_equal(call(IX_CALL_START, kv(), entry, 64 * MB, 128 * MB), -EBUSY);
	assert_int_equal(call(IX_CALL_STOP, kv(), 0, 0, 0), 1);
	domains[1].state = DOMAIN_FAILED;
	assert_int_equal(call(IX_CALL_DESTROY, kv(), 0, 0, 0), 1);
}

static void unknown_calls(void **state)
{
	(void)state;
	for (uint32_t op = 0; op < 300; op++) {
		bool known = (op >= 1 && op <= 7) || op == 16 || op == 17 || (op >= 32 && op <= 42);
		int result = call(op, kv(), 0, 0, 0);

		assert_int_equal(result == -ENOSYS, !known);
	}
	assert_int_equal(call(UINT32_MAX, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(call(IX_CALL_INFO, 1, 2, 3, 4), 0);
}

static int guest(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t arg[4] = {a0, a1, a2, 0};

	return gcall_check(&domains[1], number, arg);
}

static void guest_calls(void **state)
{
	const uint64_t none[4] = {0};

	(void)state;
	domains[1].ndevices = 1;
	assert_int_equal(guest(IX_GCALL_HELLO, 1, 2, 3), 0);
	assert_int_equal(gcall_check(NULL, IX_GCALL_HELLO, none), 0);
	assert_int_equal(gcall_check(NULL, IX_GCALL_EXIT, none), -ENOSYS);
	assert_int_equal(guest(IX_GCALL_CONSOLE, 64 * MB, 4096, 0), 0);
	assert_int_equal(guest(IX_GCALL_CONSOLE, 64 * MB, 4097, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PANIC, 63 * MB, 1, 0), -EFAULT);
	assert_int_equal(guest(IX_GCALL_PANIC, UINT64_MAX, 4096, 0), -EFAULT);
	assert_int_equal(guest(IX_GCALL_EXIT, 3, 0, 0), 0);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB, 0, 0), 0);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB + 1, 0, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_STATS, 68 * MB, 0, 0), -EFAULT);
	assert_int_equal(guest(IX_GCALL_EVENT, IX_GEVENT_READY, 0, 0), 0);
	assert_int_equal(guest(IX_GCALL_EVENT, 0, 0, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_EVENT, 4, 0, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PCI_READ, 0, 4092, 4), 0);
	assert_int_equal(guest(IX_GCALL_PCI_READ, 1, 0, 4), -ENODEV);
	assert_int_equal(guest(IX_GCALL_PCI_READ, 0, 2, 4), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PCI_WRITE, 0, 0, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PCI_WRITE, 0, 0, 3), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PCI_WRITE, 0, 4096, 1), -EINVAL);
	assert_int_equal(guest(0x1234, 0, 0, 0), -ENOSYS);
}

static void pool_hands_out(void **state)
{
	struct memmap pool = {0};
	struct range r[4], other[4];

	(void)state;
	assert_int_equal(pool_add(&pool, 0x1000, 9 * MB), 0); /* 2 to 8 MB fit whole units */
	assert_int_equal(pool_add(&pool, 16 * MB, 4 * MB), 0);
	assert_int_equal(pool_add(&pool, 32 * MB, 16 * MB), 0);
	assert_int_equal(pool_add(&pool, 64 * MB + 1, 2 * MB), 0);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 26 * MB);
	assert_int_equal(pool_alloc(&pool, 0, r, 4), -EINVAL);
	assert_int_equal(pool_alloc(&pool, MB, r, 4), -EINVAL);
	/* the smallest range that fits */
	assert_int_equal(pool_alloc(&pool, 4 * MB, r, 4), 1);
	assert_true(r[0].base == 16 * MB && r[0].size == 4 * MB);
	/* more than the largest: pieces, ascending */
	assert_int_equal(pool_alloc(&pool, 18 * MB, other, 4), 2);
	assert_true(other[0].base == 2 * MB && other[0].size == 2 * MB);
	assert_true(other[1].base == 32 * MB && other[1].size == 16 * MB);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 4 * MB);
	assert_int_equal(pool_alloc(&pool, 6 * MB, r + 1, 3), -ENOMEM);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 4 * MB);
	assert_int_equal(pool_free(&pool, other, 2), 0);
	assert_int_equal(pool_free(&pool, other, 2), -EINVAL);           /* twice */
	assert_int_equal(pool_alloc(&pool, 22 * MB, other, 1), -ENOMEM); /* too many pieces */
	assert_int_equal(memmap_total(&pool, MEM_RAM), 22 * MB);
	assert_int_equal(pool_free(&pool, r, 1), 0);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 26 * MB);
	assert_int_equal(pool_add(&pool, UINT64_MAX, 2), -EINVAL);
}

static void pool_leaks_nothing(void **state)
{
	struct memmap pool = {0};
	struct range held[8][8];
	int count[8] = {0};

	(void)state;
	srand(6);
	for (int i = 0; i < 6; i++)
		pool_add(&pool, i * 64 * MB, 32 * MB);
	for (int round = 0; round < 5000; round++) {
		int d = rand() % 8;

		if (count[d] > 0) {
			assert_int_equal(pool_free(&pool, held[d], count[d]), 0);
			count[d] = 0;
			continue;
		}
		count[d] = pool_alloc(&pool, (1 + rand() % 40) * 2 * MB, held[d], 8);
		for (int other = 0; other < 8; other++)
			for (int i = 0; other != d && i < count[other]; i++)
				for (int j = 0; j < count[d]; j++)
					assert_false(range_overlaps(
					    held[d][j].base, held[d][j].size, held[other][i].base,
					    held[other][i].size));
	}
	for (int d = 0; d < 8; d++)
		if (count[d] > 0)
			assert_int_equal(pool_free(&pool, held[d], count[d]), 0);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 6 * 32 * MB);
	assert_int_equal(pool.count, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(states, setup),
	    cmocka_unit_test_setup(handles, setup),
	    cmocka_unit_test_setup(creates, setup),
	    cmocka_unit_test_setup(moves_cores, setup),
	    cmocka_unit_test_setup(writes_and_reads, setup),
	    cmocka_unit_test_setup(starts_and_stops, setup),
	    cmocka_unit_test_setup(unknown_calls, setup),
	    cmocka_unit_test_setup(guest_calls, setup),
	    cmocka_unit_test(pool_hands_out),
	    cmocka_unit_test(pool_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
