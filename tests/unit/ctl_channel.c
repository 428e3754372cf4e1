/* SPDX-License-Identifier: MIT
 *
 * The control channel against shared memory and a doorbell that this test answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linux-control/channel.h"

static uint8_t *shared;
static struct channel channel;
static struct hv hv;

/* What the doorbell saw, and what it answers. */
static struct ix_slot asked, reply;
static uint64_t written, where;

static struct ix_shared_header *header(void)
{
	return (void *)shared;
}

static void ring(struct channel *ch)
{
	struct ix_slot *slot = (void *)(shared + IX_SLOTS_OFFSET);

	assert_ptr_equal(ch, &channel);
	asked = *slot;
	if (slot->op == IX_CALL_WRITE) {
		assert_int_equal(slot->arg[1], where + written);
		assert_true(slot->arg[2] + slot->arg[3] <= IX_BULK_SIZE);
		for (uint64_t i = 0; i < slot->arg[3]; i++)
			assert_int_equal(shared[IX_BULK_OFFSET + slot->arg[2] + i],
					 (uint8_t)((written + i) * 7));
		written += slot->arg[3];
	}
	slot->status = reply.status;
	slot->arg[1] = reply.arg[1];
	memcpy(slot->why, reply.why, sizeof(slot->why));
	memcpy(slot->data, reply.data, sizeof(slot->data));
}

static int setup(void **state)
{
	(void)state;
	shared = calloc(1, IX_BAR0_SIZE);
	memset(&reply, 0, sizeof(reply));
	header()->magic = IX_SHARED_MAGIC;
	header()->abi = IX_ABI_VERSION;
	channel = (struct channel){.shared = shared, .ring = ring};
	return channel_attach(&hv, &channel);
}

static int teardown(void **state)
{
	(void)state;
	free(shared);
	return 0;
}

static void test_version(void **state)
{
	(void)state;
	header()->abi++;
	assert_int_equal(channel_attach(&hv, &channel), -EPROTO);
	assert_non_null(strstr(hv.problem, "interface is version"));
	header()->magic++;
	assert_int_equal(channel_attach(&hv, &channel), -EPROTO);
}

static void test_calls(void **state)
{
	static const uint32_t cores[] = {2, 4};
	struct ix_hv_core core;
	struct ix_create create;
	uint64_t handle;

	(void)state;
	memset(reply.data, 'x', sizeof(reply.data));
	assert_int_equal(hv.ops->core(&hv, 3, &core), 0);
	assert_int_equal(asked.op, IX_CALL_CORE);
	assert_int_equal(asked.arg[0], 3);
	assert_int_equal(strlen(core.owner), IX_NAME_LEN - 1); /* an end was put */
	reply.status = -EEXIST;
	strcpy(reply.why, "the name is taken");
	assert_int_equal(hv.ops->create(&hv, "kv", 4 << 20, 2, cores, &handle), -EEXIST);
	assert_string_equal(hv.problem, "the name is taken");
	memcpy(&create, asked.data, sizeof(create));
	assert_string_equal(create.name, "kv");
	assert_int_equal(create.memory, 4 << 20);
	assert_int_equal(create.apic_id[1], 4);
	memset(reply.why, 'y', sizeof(reply.why));
	assert_int_equal(hv.ops->start(&hv, 9, 1, 2, 3), -EEXIST);
	assert_int_equal(strlen(hv.problem), sizeof(reply.why) - 1);
	assert_true(asked.arg[0] == 9 && asked.arg[1] == 1 && asked.arg[2] == 2 &&
		    asked.arg[3] == 3 && asked.arg[4] == 0);
	assert_int_equal(
	    hv.ops->create(&hv, "a-name-that-is-too-long-for-a-domain", 4 << 20, 2, cores, &handle),
	    -EINVAL);
}

static void test_domain_is_checked(void **state)
{
	struct ix_hv_domain d = {.ncores = IX_MAX_CORES + 1};

	(void)state;
	memcpy(reply.data, &d, sizeof(d));
	assert_int_equal(hv.ops->domain(&hv, 0, &d), -EPROTO);
}

static void test_write(void **state)
{
	size_t size = 2 * IX_BULK_SIZE + 5;
	uint8_t *data = malloc(size);

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7);
	written = 0;
	where = 0x4000123;
	assert_int_equal(hv.ops->write(&hv, 1, where, data, size), 0);
	assert_int_equal(written, size);
	reply.status = -EFAULT;
	written = 0;
	assert_int_equal(hv.ops->write(&hv, 1, where, data, size), -EFAULT);
	assert_int_equal(written, IX_BULK_SIZE);
	free(data);
}

static void test_log(void **state)
{
	char text[IX_LOG_SIZE + 10];
	uint64_t at = 0;

	(void)state;
	assert_int_equal(hv.ops->log(&hv, &at, text, sizeof(text)), 0);
	memcpy(shared + IX_LOG_OFFSET, "hello", 5);
	header()->log_head = 5;
	assert_int_equal(hv.ops->log(&hv, &at, text, 3), 3);
	assert_int_equal(hv.ops->log(&hv, &at, text, sizeof(text)), 2);
	assert_memory_equal(text, "lo", 2);
	assert_int_equal(at, 5);
	/* The ring has gone round: only the last IX_LOG_SIZE bytes are there. */
	for (int i = 0; i < IX_LOG_SIZE; i++)
		shared[IX_LOG_OFFSET + i] = (uint8_t)i;
	header()->log_head = 3 * IX_LOG_SIZE + 7;
	assert_int_equal(hv.ops->log(&hv, &at, text, sizeof(text)), IX_LOG_SIZE);
	assert_int_equal((uint8_t)text[0], 7);
	assert_int_equal(at, header()->log_head);
	at = UINT64_MAX;
	assert_int_equal(hv.ops->log(&hv, &at, text, sizeof(text)), 0);
}

static void test_console(void **state)
{
	char text[16];
	uint64_t at = 0;

	(void)state;
	reply.status = 5;
	reply.arg[1] = 100; /* what was asked for is gone */
	memcpy(reply.data, "hello", 5);
	assert_int_equal(hv.ops->console(&hv, 1, &at, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(at, 105);
	assert_int_equal(asked.arg[2], sizeof(text));
	reply.status = 17;
	assert_int_equal(hv.ops->console(&hv, 1, &at, text, sizeof(text)), -EPROTO);
}

static void put_event(uint64_t sequence)
{
	struct ix_event e = {.sequence = sequence, .kind = "started"};

	memcpy(shared + IX_EVENTS_OFFSET + sequence % IX_EVENTS * sizeof(e), &e, sizeof(e));
	header()->event_head = sequence + 1;
}

static void test_events(void **state)
{
	struct ix_event e;
	uint64_t at = 0;

	(void)state;
	assert_int_equal(hv.ops->event(&hv, &at, &e), -ENOENT);
	put_event(0);
	assert_int_equal(hv.ops->event(&hv, &at, &e), 0);
	assert_string_equal(e.kind, "started");
	assert_int_equal(hv.ops->event(&hv, &at, &e), -ENOENT);
	for (uint64_t i = 1; i < 2 * IX_EVENTS; i++)
		put_event(i);
	assert_int_equal(hv.ops->event(&hv, &at, &e), 0);
	assert_int_equal(e.sequence, IX_EVENTS); /* the oldest that is left */
	header()->event_head += 3;               /* entries that do not hold what they should */
	at = header()->event_head - 1;
	assert_int_equal(hv.ops->event(&hv, &at, &e), -EPROTO);
}

static void test_no_function(void **state)
{
	(void)state;
	assert_int_equal(channel_open(&hv, &channel, "/nowhere"), -ENODEV);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_version), TEST(test_calls),       TEST(test_domain_is_checked),
	    TEST(test_write),   TEST(test_log),         TEST(test_console),
	    TEST(test_events),  TEST(test_no_function),
	};

	return cmocka_run_group_tests_name("ctl_channel", tests, NULL, NULL);
}
