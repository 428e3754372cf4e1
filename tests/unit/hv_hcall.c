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

static const struct ix_range kv_mem[] = {{64 * MB, 4 * MB}, {128 * MB, 2 * MB}};
static struct hcall_domain domains[2];
static struct ix_slot slot;
static const char *why;

#define KV  0x701ull /* handles */
#define WEB 0x102ull

static bool core_exists(void *ctx, uint32_t apic_id)
{
	(void)ctx;
	return apic_id < 8 && apic_id % 2 == 0;
}

static const struct hcall_env env = {domains, 2, core_exists, NULL};

static int setup(void **state)
{
	(void)state;
	memset(&slot, 0, sizeof(slot));
	domains[0] = (struct hcall_domain){KV, DOMAIN_STOPPED, "kv", kv_mem, 2, true};
	domains[1] = (struct hcall_domain){WEB, DOMAIN_RUNNING, "web", kv_mem, 0, true};
	return 0;
}

static int call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	int result;

	slot.op = op;
	slot.arg[0] = a0;
	slot.arg[1] = a1;
	slot.arg[2] = a2;
	slot.arg[3] = a3;
	result = hcall_check(&env, &slot, &why);
	assert_true(result <= 0 && (result < 0) == (*why != '\0'));
	return result;
}

static void life_cycle(void **state)
{
	static const struct {
		uint32_t op;
		int after[DOMAIN_STATES]; /* none, stopped, running, failed; -1: refused */
	} table[] = {
	    {IX_CALL_CREATE, {1, -1, -1, -1}},     {IX_CALL_ASSIGN, {-1, 1, -1, 3}},
	    {IX_CALL_RELEASE, {-1, 1, -1, 3}},     {IX_CALL_DEVICE, {-1, 1, 2, 3}},
	    {IX_CALL_CLEAR, {-1, 1, -1, 3}},       {IX_CALL_WRITE, {-1, 1, -1, 3}},
	    {IX_CALL_START, {-1, 2, -1, 2}},       {IX_CALL_STOP, {-1, -1, 1, -1}},
	    {IX_CALL_DESTROY, {-1, 0, -1, 0}},     {IX_CALL_CONSOLE, {-1, 1, 2, 3}},
	    {IX_CALL_STATS, {-1, 1, 2, 3}},        {IX_CALL_INFO, {-1, -1, -1, -1}},
	    {IX_CALL_STATS + 1, {-1, -1, -1, -1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (int from = 0; from < DOMAIN_STATES; from++)
			assert_int_equal(domain_state_after(from, table[i].op),
					 table[i].after[from] < 0 ? -EBUSY : table[i].after[from]);
	assert_true(domain_memory_has(kv_mem, 2, 68 * MB - 1, 1));
	assert_false(domain_memory_has(kv_mem, 2, 68 * MB - 1, 2));
	assert_false(domain_memory_has(kv_mem, 2, 64 * MB, UINT64_MAX));
	assert_true(domain_memory_has(kv_mem, 2, 128 * MB, 2 * MB));
}

static int create(const struct ix_create *c)
{
	memcpy(slot.data, c, sizeof(*c));
	return call(IX_CALL_CREATE, 0, 0, 0, 0);
}

static struct ix_create good(void)
{
	return (struct ix_create){
	    .name = "web-1.a", .memory = 6 * MB, .ncores = 2, .apic_id = {2, 4}};
}

static void creates(void **state)
{
	static const char *const names[] = {"",    "linux", "hypervisor", "pool",
					    "a b", "a/b",   "\xe4"};
	struct ix_create c = good();

	(void)state;
	assert_int_equal(create(&c), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		strcpy(c.name, names[i]);
		assert_int_equal(create(&c), -EINVAL);
	}
	memset(c.name, 'a', sizeof(c.name)); /* no NUL */
	assert_int_equal(create(&c), -EINVAL);
	strcpy(c.name, "web");
	assert_int_equal(create(&c), -EEXIST);
	c = good();
	c.memory = 0;
	assert_int_equal(create(&c), -EINVAL);
	c.memory = MB;
	assert_int_equal(create(&c), -EINVAL);
	c = good();
	c.ncores = 0;
	assert_int_equal(create(&c), -EINVAL);
	c.ncores = IX_MAX_CORES + 1;
	assert_int_equal(create(&c), -EINVAL);
	c = good();
	c.apic_id[1] = 2;
	assert_int_equal(create(&c), -EINVAL);
	assert_string_equal(why, "a core is named twice");
	c.apic_id[1] = 3;
	assert_int_equal(create(&c), -ENODEV);
}

static void domain_calls(void **state)
{
	(void)state;
	assert_int_equal(call(IX_CALL_WRITE, KV, 64 * MB, 0, IX_BULK_SIZE), 0);
	assert_int_equal(call(IX_CALL_WRITE, KV, 64 * MB, 1, IX_BULK_SIZE), -EINVAL);
	assert_int_equal(call(IX_CALL_WRITE, KV, 64 * MB, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(call(IX_CALL_WRITE, KV, 68 * MB - 4, 0, 8), -EFAULT);
	assert_int_equal(call(IX_CALL_WRITE, KV, 0, 0, 8), -EFAULT);
	assert_int_equal(call(IX_CALL_WRITE, KV + 0x100, 64 * MB, 0, 8), -EBADF); /* old handle */
	assert_int_equal(call(IX_CALL_WRITE, 0, 64 * MB, 0, 8), -EBADF);
	assert_int_equal(call(IX_CALL_ASSIGN, KV, IX_ASSIGN_VF, 0, 0), 0);
	assert_int_equal(call(IX_CALL_ASSIGN, KV, 1ull << 32, 0, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_RELEASE, KV, 1ull << 32, 0, 0), -EINVAL);
	assert_int_equal(call(IX_CALL_WRITE, WEB, 0, 0, 0), -EBUSY);
	assert_string_equal(why, "the dataplane runs; stop it first");
	assert_int_equal(call(IX_CALL_DESTROY, WEB, 0, 0, 0), -EBUSY);
	assert_int_equal(call(IX_CALL_STOP, WEB, 0, 0, 0), 0);
	assert_int_equal(call(IX_CALL_CONSOLE, WEB, 0, 1, 0), 0);
	assert_int_equal(call(IX_CALL_STOP, KV, 0, 0, 0), -EBUSY);
	assert_string_equal(why, "the dataplane does not run");
	assert_int_equal(call(IX_CALL_CORE_GIVE, 2, 0, 0, 0), 0);
	assert_int_equal(call(IX_CALL_CORE_GIVE, 1, 0, 0, 0), -ENODEV);
	assert_int_equal(call(IX_CALL_CORE_TAKE, 1ull << 32 | 2, 0, 0, 0), -ENODEV);
}

static void starts(void **state)
{
	const uint64_t entry = IX_KERNEL_BASE + 0x1000;

	(void)state;
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB, 128 * MB), 0);
	assert_int_equal(call(IX_CALL_START, KV, 1ull << 47, 64 * MB, 128 * MB), -EINVAL);
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB + 8, 128 * MB), -EINVAL);
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB, 128 * MB + 8), -EINVAL);
	assert_int_equal(call(IX_CALL_START, KV, entry, 0, 128 * MB), -EFAULT);
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB, 130 * MB), -EFAULT);
	domains[0].has_cores = false;
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB, 128 * MB), -EPERM);
	domains[0].has_cores = true;
	domains[0].state = DOMAIN_FAILED;
	assert_int_equal(call(IX_CALL_START, KV, entry, 64 * MB, 128 * MB), 0);
	assert_int_equal(call(IX_CALL_DESTROY, KV, 0, 0, 0), 0);
	assert_int_equal(call(IX_CALL_START, WEB, entry, 64 * MB, 128 * MB), -EBUSY);
}

static void unknown_calls(void **state)
{
	(void)state;
	for (uint32_t op = 0; op < 300; op++) {
		bool known = (op >= 1 && op <= 7) || op == 16 || op == 17 || (op >= 32 && op <= 42);

		assert_int_equal(call(op, KV, 0, 0, 0) == -ENOSYS, !known);
	}
	assert_int_equal(call(UINT32_MAX, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(call(IX_CALL_INFO, 1, 2, 3, 4), 0);
}

static int guest(uint64_t number, uint64_t a0, uint64_t a1)
{
	const uint64_t arg[4] = {a0, a1, 0, 0};

	return gcall_check(kv_mem, 2, number, arg);
}

static void guest_calls(void **state)
{
	(void)state;
	assert_int_equal(guest(IX_GCALL_HELLO, 1, 2), 0);
	assert_int_equal(guest(IX_GCALL_CONSOLE, 64 * MB, 4096), 0);
	assert_int_equal(guest(IX_GCALL_CONSOLE, 64 * MB, 4097), -EINVAL);
	assert_int_equal(guest(IX_GCALL_CONSOLE, 63 * MB, 1), -EFAULT);
	assert_int_equal(guest(IX_GCALL_CONSOLE, UINT64_MAX, 4096), -EFAULT);
	assert_int_equal(guest(IX_GCALL_PANIC, 0, UINT64_MAX), 0);
	assert_int_equal(guest(IX_GCALL_EXIT, 3, 0), 0);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB, 2 * MB), 0);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB, 2 * MB + 1), -EINVAL);
	assert_int_equal(guest(IX_GCALL_STATS, 64 * MB + 1, 4096), -EINVAL);
	assert_int_equal(guest(IX_GCALL_STATS, 68 * MB, 4096), -EFAULT);
	assert_int_equal(guest(IX_GCALL_EVENT, IX_GEVENT_READY, 0), 0);
	assert_int_equal(guest(IX_GCALL_EVENT, 0, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_EVENT, 4, 0), -EINVAL);
	assert_int_equal(guest(IX_GCALL_PCI_READ, 0, 0), 0);
	assert_int_equal(guest(0x1234, 0, 0), -ENOSYS);
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
	assert_int_equal(pool_take(&pool, 0, r, 4), -EINVAL);
	assert_int_equal(pool_take(&pool, MB, r, 4), -EINVAL);
	/* the smallest range that fits */
	assert_int_equal(pool_take(&pool, 4 * MB, r, 4), 1);
	assert_true(r[0].base == 16 * MB && r[0].size == 4 * MB);
	/* more than the largest: pieces, ascending */
	assert_int_equal(pool_take(&pool, 18 * MB, other, 4), 2);
	assert_true(other[0].base == 2 * MB && other[0].size == 2 * MB);
	assert_true(other[1].base == 32 * MB && other[1].size == 16 * MB);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 4 * MB);
	assert_int_equal(pool_take(&pool, 6 * MB, r + 1, 3), -ENOMEM);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 4 * MB);
	assert_int_equal(pool_give(&pool, other, 2), 0);
	assert_int_equal(pool_give(&pool, other, 2), -EINVAL);          /* twice */
	assert_int_equal(pool_take(&pool, 22 * MB, other, 1), -ENOMEM); /* too many pieces */
	assert_int_equal(memmap_total(&pool, MEM_RAM), 22 * MB);
	assert_int_equal(pool_give(&pool, r, 1), 0);
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
			assert_int_equal(pool_give(&pool, held[d], count[d]), 0);
			count[d] = 0;
			continue;
		}
		count[d] = pool_take(&pool, (1 + rand() % 40) * 2 * MB, held[d], 8);
		for (int other = 0; other < 8; other++)
			for (int i = 0; other != d && i < count[other]; i++)
				for (int j = 0; j < count[d]; j++)
					assert_false(range_overlaps(
					    held[d][j].base, held[d][j].size, held[other][i].base,
					    held[other][i].size));
	}
	for (int d = 0; d < 8; d++)
		if (count[d] > 0)
			assert_int_equal(pool_give(&pool, held[d], count[d]), 0);
	assert_int_equal(memmap_total(&pool, MEM_RAM), 6 * 32 * MB);
	assert_int_equal(pool.count, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(life_cycle, setup),
	    cmocka_unit_test_setup(creates, setup),
	    cmocka_unit_test_setup(domain_calls, setup),
	    cmocka_unit_test_setup(starts, setup),
	    cmocka_unit_test_setup(unknown_calls, setup),
	    cmocka_unit_test_setup(guest_calls, setup),
	    cmocka_unit_test(pool_hands_out),
	    cmocka_unit_test(pool_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
