/* SPDX-License-Identifier: MIT
 *
 * ixcpd's commands against a hypervisor and a Linux that are not there: the life cycle, what is
 * given back when something fails half-way, and what survives a restart of ixcpd.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux-control/control.h"
#include "linux-control/stats.h"

#define CORES 4
#define MB    (1ull << 20)

static char root[64];

/* The stand-in hypervisor. */
static struct {
	struct ix_hv_domain domain[4]; /* handle 0: free */
	bool given[CORES];
	uint64_t written, cleared, next;
	unsigned int assigned;
	const char *fail; /* name of the call that fails */
	uint64_t entry, bootinfo;
} fake;

static int failing(struct hv *hv, const char *call)
{
	if (!fake.fail || strcmp(fake.fail, call))
		return 0;
	snprintf(hv->problem, sizeof(hv->problem), "%s was refused", call);
	return -EIO;
}

static struct ix_hv_domain *by_handle(uint64_t handle)
{
	for (int i = 0; i < 4; i++)
		if (fake.domain[i].handle == handle && handle)
			return &fake.domain[i];
	fail_msg("no domain has handle %lu", handle);
	return NULL;
}

static int f_info(struct hv *hv, struct ix_hv_info *info)
{
	*info = (struct ix_hv_info){.version = "1.0", .abi = 7, .ncores = CORES, .tsc_khz = 50000};
	return failing(hv, "info");
}

static int f_preflight(struct hv *hv, unsigned int i, struct ix_hv_preflight *row)
{
	(void)hv;
	*row = (struct ix_hv_preflight){"VT-x", "yes", "must", "none"};
	return i < 1 ? 0 : -ENOENT;
}

static int f_core(struct hv *hv, unsigned int i, struct ix_hv_core *core)
{
	(void)hv;
	*core =
	    (struct ix_hv_core){.index = i, .apic_id = 2 * i, .owner = "linux", .state = "runs"};
	return i < CORES ? 0 : -ENOENT;
}

static int f_memory(struct hv *hv, unsigned int i, struct ix_hv_range *range)
{
	(void)hv;
	*range = (struct ix_hv_range){4 * MB, 2 * MB, "hypervisor"};
	return i < 1 ? 0 : -ENOENT;
}

static int f_pci(struct hv *hv, unsigned int i, struct ix_hv_pci *f)
{
	(void)hv;
	*f = (struct ix_hv_pci){0, 3 << 3, 0x8086, 0x100e, "linux", "physical", 1, {0}};
	return i < 1 ? 0 : -ENOENT;
}

static int f_exit(struct hv *hv, unsigned int i, struct ix_hv_exit *count)
{
	(void)hv;
	*count = (struct ix_hv_exit){1, 10, "CPUID", 5};
	return i < 1 ? 0 : -ENOENT;
}

static int f_domain(struct hv *hv, unsigned int i, struct ix_hv_domain *domain)
{
	(void)hv;
	for (unsigned int k = 0; k < 4; k++) {
		if (!fake.domain[k].handle || i--)
			continue;
		*domain = fake.domain[k];
		return 0;
	}
	return -ENOENT;
}

static int f_stats(struct hv *hv, uint64_t handle, uint64_t offset, void *bytes, size_t size)
{
	static struct {
		struct ix_stats s;
		struct ix_stats_core core[1];
	} area = {.s = {.magic = IX_STATS_MAGIC,
			.version = IX_STATS_VERSION,
			.ncores = 1,
			.ncounters = 1,
			.core_size = sizeof(struct ix_stats_core),
			.name = {"rx_packets"}},
		  .core = {{.value = {12}}}};

	(void)hv;
	by_handle(handle);
	if (offset >= sizeof(area))
		return 0;
	size = size < 100 ? size : 100;
	size = size < sizeof(area) - offset ? size : sizeof(area) - offset;
	memcpy(bytes, (char *)&area + offset, size);
	return (int)size;
}

static int f_text(uint64_t *at, char *text, size_t size)
{
	static const char all[] = "one\ntwo\n";
	size_t n = *at < 8 ? 8 - *at : 0;

	n = n < size ? n : size;
	memcpy(text, all + *at, n);
	*at += n;
	return (int)n;
}

static int f_log(struct hv *hv, uint64_t *at, char *text, size_t size)
{
	(void)hv;
	return f_text(at, text, size);
}

static int f_console(struct hv *hv, uint64_t handle, uint64_t *at, char *text, size_t size)
{
	(void)hv;
	by_handle(handle);
	return f_text(at, text, size);
}

static int f_event(struct hv *hv, uint64_t *at, struct ix_event *event)
{
	(void)hv;
	*event = (struct ix_event){*at, 1, "stopped", "kv", "by itself"};
	return (*at)++ < 1 ? 0 : -ENOENT;
}

static int f_give(struct hv *hv, uint32_t apic_id)
{
	int err = failing(hv, "give");

	if (err)
		return err;
	assert_true(apic_id / 2 < CORES);
	assert_int_equal(cpu_is_online(root, apic_id / 2), 0);
	fake.given[apic_id / 2] = true;
	return 0;
}

static int f_take(struct hv *hv, uint32_t apic_id)
{
	int err = failing(hv, "take");

	if (err)
		return err;
	fake.given[apic_id / 2] = false;
	return 0;
}

static int f_create(struct hv *hv, const char *name, uint64_t memory, uint32_t ncores,
		    const uint32_t *apic_id, uint64_t *handle)
{
	int err = failing(hv, "create");

	for (int i = 0; i < 4 && !err; i++) {
		struct ix_hv_domain *d = &fake.domain[i];

		if (d->handle)
			continue;
		*d = (struct ix_hv_domain){.handle = ++fake.next, .state = "stopped", .nmem = 1};
		strcpy(d->name, name);
		d->ncores = ncores;
		memcpy(d->apic_id, apic_id, ncores * sizeof(*apic_id));
		d->mem[0] = (struct ix_range){64 * MB, memory};
		*handle = d->handle;
		return 0;
	}
	return err;
}

static int f_assign(struct hv *hv, uint64_t handle, uint64_t function)
{
	char driver[PCI_DRIVER_SIZE], path[128];
	int err = failing(hv, "assign");

	if (err)
		return err;
	if (function != IX_ASSIGN_VF) {
		assert_int_equal(function, 3 << 3);
		/* Linux's driver has been told to let go. */
		assert_int_equal(pci_driver(root, "0000:00:03.0", driver), 0);
		assert_true(
		    sysfs_read(root, "/sys/bus/pci/drivers/e1000/unbind", path, sizeof(path)) > 0);
	}
	fake.assigned++;
	by_handle(handle)->ndevices++;
	by_handle(handle)->dma_open = true;
	return 0;
}

static int f_device(struct hv *hv, uint64_t handle, unsigned int i, struct ix_device *device)
{
	assert_true(i < by_handle(handle)->ndevices);
	memset(device, 0, sizeof(*device));
	return failing(hv, "device");
}

static int f_clear(struct hv *hv, uint64_t handle)
{
	by_handle(handle);
	fake.cleared++;
	return failing(hv, "clear");
}

static int f_write(struct hv *hv, uint64_t handle, uint64_t pa, const void *data, size_t size)
{
	const struct ix_range *mem = by_handle(handle)->mem;

	assert_true(pa >= mem->base && pa + size <= mem->base + mem->size);
	assert_non_null(data);
	fake.written += size;
	return failing(hv, "write");
}

static int f_start(struct hv *hv, uint64_t handle, uint64_t entry, uint64_t cr3, uint64_t bootinfo)
{
	struct ix_hv_domain *d = by_handle(handle);
	int err = failing(hv, "start");

	if (err)
		return err;
	for (uint32_t i = 0; i < d->ncores; i++)
		assert_true(fake.given[d->apic_id[i] / 2]);
	assert_true(entry >= IX_KERNEL_BASE && cr3 && bootinfo);
	strcpy(d->state, "running");
	return 0;
}

static int f_stop(struct hv *hv, uint64_t handle)
{
	strcpy(by_handle(handle)->state, "stopped");
	return failing(hv, "stop");
}

static int f_destroy(struct hv *hv, uint64_t handle)
{
	by_handle(handle)->handle = 0;
	return failing(hv, "destroy");
}

static const struct hv_ops fake_ops = {
    .info = f_info,
    .preflight = f_preflight,
    .core = f_core,
    .memory = f_memory,
    .pci = f_pci,
    .exit = f_exit,
    .domain = f_domain,
    .stats = f_stats,
    .log = f_log,
    .console = f_console,
    .event = f_event,
    .core_give = f_give,
    .core_take = f_take,
    .create = f_create,
    .assign = f_assign,
    .device = f_device,
    .clear = f_clear,
    .write = f_write,
    .start = f_start,
    .stop = f_stop,
    .destroy = f_destroy,
};

/* The stand-in server: what the client was told. */
struct client {
	char output[256], result[2048], error[1024], follow[64];
	unsigned long long position;
};

void client_output(struct client *client, const void *bytes, size_t size)
{
	strncat(client->output, bytes, size);
}

void client_result(struct client *client, struct json *json)
{
	snprintf(client->result, sizeof(client->result), "%s", json->text);
	free(json->text);
}

void client_error(struct client *client, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(client->error, sizeof(client->error), format, ap);
	va_end(ap);
}

void client_follow(struct client *client, const char *what, unsigned long long position)
{
	snprintf(client->follow, sizeof(client->follow), "%s", what);
	client->position = position;
}

const char *client_following(const struct client *client)
{
	return client->follow;
}

unsigned long long *client_position(struct client *client)
{
	return &client->position;
}

static struct hv hv = {.ops = &fake_ops};
static struct control control;
static struct client said;

static void sh(const char *command)
{
	char line[4096];

	snprintf(line, sizeof(line), "cd %s && %s", root, command);
	assert_int_equal(system(line), 0);
}

static int ask(const char *a, const char *b, const char *c)
{
	char *words[] = {(char *)a, (char *)b, (char *)c};

	memset(&said, 0, sizeof(said));
	control_server.request(&control, &said, 1 + !!b + !!c, words);
	return said.error[0] ? -1 : 0;
}

static const char *in_root(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* What must be true whenever no dataplane holds anything. */
static void assert_all_back(void)
{
	char text[64];

	for (unsigned int cpu = 0; cpu < CORES; cpu++) {
		assert_int_equal(cpu_is_online(root, cpu), 1);
		assert_false(fake.given[cpu]);
	}
	assert_true(sysfs_read(root, "/sys/bus/pci/devices/0000:00:03.0/driver_override", text,
			       sizeof(text)) >= 0);
	assert_string_not_equal(text, "ironix-dataplane");
}

/* The smallest file that the loader takes as a guest kernel. */
static void write_kernel(void)
{
	FILE *f = fopen(in_root("kernel.elf"), "w");
	uint64_t header[8] = {0x00010102464c457full, 0,  0x00000001003e0002ull,
			      IX_KERNEL_BASE,        64, 0,
			      0x0038004000000000ull, 1};
	uint64_t segment[7] = {0x0000000500000001ull, 0, IX_KERNEL_BASE, 0, 120, 4096, 4096};

	assert_non_null(f);
	fwrite(header, sizeof(header), 1, f);
	fwrite(segment, sizeof(segment), 1, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	strcpy(root, "/tmp/ctl_control.XXXXXX");
	if (!mkdtemp(root))
		return 1;
	sh("mkdir -p state proc sys/devices/system/cpu sys/bus/pci/drivers/e1000 "
	   "sys/bus/pci/devices/0000:00:03.0; cd sys/bus/pci; "
	   ": >drivers/e1000/bind; : >drivers/e1000/unbind; cd devices/0000:00:03.0; "
	   ": >driver_override; ln -s ../../drivers/e1000 driver");
	sh("cd sys/devices/system/cpu; echo 0-3 >present; mkdir cpu0; "
	   "for i in 1 2 3; do mkdir cpu$i; echo 1 >cpu$i/online; done");
	sh("for i in 0 1 2 3; do printf \"processor : $i\\napicid : $((2 * i))\\n\"; done "
	   ">proc/cpuinfo; echo app >app");
	sh("printf \"name = kv\\nmemory = 64M\\ncores = 2\\nnic = 00:03.0\\nnic = vf\\n"
	   "application = $PWD/app\\narguments = -x\\naddress = 10.0.0.2/24\\n\" >kv.conf");
	write_kernel();
	static char kernel[128], states[128];

	strcpy(kernel, in_root("kernel.elf"));
	strcpy(states, in_root("state"));
	return control_init(&control, &hv, root, kernel, states);
}

static int teardown(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf %s", root);
	return system(line);
}

static void test_life(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(ask("start", in_root("kv.conf"), NULL), 0);
		assert_string_equal(said.result, "\"kv: started\"");
		/* The last two CPUs are the dataplane's, and both devices. */
		assert_int_equal(cpu_is_online(root, 1), 1);
		assert_int_equal(cpu_is_online(root, 2), 0);
		assert_int_equal(cpu_is_online(root, 3), 0);
		assert_true(fake.given[3] && fake.given[2]);
		assert_int_equal(fake.assigned, 2 * (round + 1));
		assert_true(fake.written > 0);
		assert_int_equal(ask("list", NULL, NULL), 0);
		assert_non_null(strstr(said.result,
				       "\"name\":\"kv\",\"state\":\"running\",\"cores\":2,"
				       "\"cpus\":[3,2],\"mib\":64,\"devices\":2,"
				       "\"dma\":\"all memory\""));
		assert_int_equal(ask("start", "kv", NULL), -1);
		assert_non_null(strstr(said.error, "runs already"));
		assert_int_equal(ask("cpu", "take", "3"), -1);
		assert_non_null(strstr(said.error, "belongs to the dataplane 'kv'"));
		assert_int_equal(ask("stop", "kv", NULL), 0);
		assert_int_equal(cpu_is_online(root, 3), 1);
		assert_int_equal(ask("start", "kv", NULL), 0);
		assert_int_equal(cpu_is_online(root, 3), 0);
		assert_int_equal(fake.cleared, 2 * (round + 1));
		assert_int_equal(ask("destroy", "kv", NULL), 0);
		sh(": >sys/bus/pci/devices/0000:00:03.0/driver_override");
		assert_all_back();
		assert_int_equal(ask("list", NULL, NULL), 0);
		assert_string_equal(said.result, "[]");
		assert_int_equal(access(in_root("state/kv"), F_OK), -1);
	}
}

/* Whatever step fails, the error is told and Linux has everything again. */
static void test_failures(void **state)
{
	static const char *const calls[] = {"create", "assign", "info", "device",
					    "clear",  "write",  "give", "start"};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fake.fail = calls[i];
		assert_int_equal(ask("start", in_root("kv.conf"), NULL), -1);
		if (!strstr(said.error, "was refused"))
			fail_msg("%s: %s", calls[i], said.error);
		fake.fail = NULL;
		if (!ask("list", NULL, NULL) && strcmp(said.result, "[]"))
			assert_int_equal(ask("destroy", "kv", NULL), 0);
		sh("cd sys/bus/pci/devices/0000:00:03.0; "
		   "! grep -q ironix driver_override || exit 1");
		assert_all_back();
	}
}

static void test_crash(void **state)
{
	(void)state;
	assert_int_equal(ask("start", in_root("kv.conf"), NULL), 0);
	strcpy(fake.domain[0].state, "failed");
	strcpy(fake.domain[0].why, "triple fault");
	fake.domain[0].rip = 0xffffffff80001234;
	control_server.tick(&control);
	assert_int_equal(cpu_is_online(root, 2), 1);
	assert_int_equal(cpu_is_online(root, 3), 1);
	assert_int_equal(ask("list", NULL, NULL), 0);
	assert_non_null(
	    strstr(said.result, "\"why_stopped\":\"triple fault, rip 0xffffffff80001234\""));
	/* It can be started again as it is. */
	assert_int_equal(ask("start", "kv", NULL), 0);
	assert_true(fake.given[3]);
}

/* ixcpd ends and comes again while the dataplane runs: what Linux gave is known, and comes back. */
static void test_restart(void **state)
{
	static struct control fresh;

	(void)state;
	assert_int_equal(ask("start", in_root("kv.conf"), NULL), 0);
	sh("sed -i '/: [23]$/,+1d' proc/cpuinfo"); /* offline CPUs are not listed */
	assert_int_equal(control_init(&fresh, &hv, root, control.kernel, control.state), 0);
	control = fresh;
	assert_int_equal(control.apic_id[3], 6);
	assert_int_equal(ask("list", NULL, NULL), 0);
	assert_non_null(strstr(said.result, "\"cpus\":[3,2]"));
	assert_int_equal(ask("destroy", "kv", NULL), 0);
	assert_int_equal(cpu_is_online(root, 3), 1);
	assert_int_equal(cpu_is_online(root, 2), 1);
	assert_false(fake.given[3]);
}

static void assert_refused(const char *a, const char *b, const char *c, const char *says)
{
	if (!ask(a, b, c) || !strstr(said.error, says))
		fail_msg("%s %s: %s, not %s", a, b ? b : "", said.error, says);
}

static void test_mistakes(void **state)
{
	(void)state;
	assert_refused("start", "kv", NULL, "no dataplane 'kv'");
	assert_refused("stop", "kv", NULL, "no dataplane 'kv'");
	assert_refused("destroy", "kv", NULL, "no dataplane 'kv'");
	assert_refused("stats", "kv", NULL, "no dataplane 'kv'");
	assert_refused("dance", NULL, NULL, "no command");
	assert_refused("version", "x", NULL, "no command");
	assert_refused("list", "x", "y", "no command");
	assert_refused("create", "/nowhere.conf", NULL, "No such file");
	assert_refused("create", "/", NULL, "directory");
	assert_refused("cpu", "give", "9", "CPU of Linux");
	assert_refused("cpu", "sell", "1", "CPU of Linux");
	assert_refused("cpu", "give", "0", "cannot be taken offline");
	sh("sed 's/cores = 2/cores = 4/' kv.conf >many.conf");
	assert_refused("create", in_root("many.conf"), NULL, "3 only");
	sh("sed 's/cores = 2/cpus = 2,7/' kv.conf >seven.conf");
	assert_refused("create", in_root("seven.conf"), NULL, "no CPU 7");
	sh("sed 's/00:03.0/00:05.0/' kv.conf >five.conf");
	assert_refused("create", in_root("five.conf"), NULL, "0000:00:05.0: Linux has no such");
	sh("sed 's/memory/memroy/' kv.conf >typo.conf");
	assert_refused("create", in_root("typo.conf"), NULL, "typo.conf:2:1: there is no 'memroy'");
	sh("sed 's|/app|/none|' kv.conf >none.conf");
	assert_refused("create", in_root("none.conf"), NULL, "/none: No such file");
	sh("echo 'file = /dev/null=/x' | cat kv.conf - >null.conf");
	assert_refused("create", in_root("null.conf"), NULL, "not an ordinary file");
	assert_int_equal(ask("create", in_root("kv.conf"), NULL), 0);
	assert_refused("create", in_root("kv.conf"), NULL, "already");
	sh("sed -i 's/name = kv/name = other/' kv.conf");
	assert_refused("start", "kv", NULL, "now describes 'other'");
	assert_int_equal(ask("destroy", "kv", NULL), 0);
	sh(": >sys/bus/pci/devices/0000:00:03.0/driver_override");
	assert_all_back();
}

static void test_shows(void **state)
{
	static const char *const commands[] = {"version", "preflight", "cores", "memory",
					       "pci",     "exits",     "list"};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct json_value *v;

		assert_int_equal(ask(commands[i], NULL, NULL), 0);
		v = json_parse(said.result, strlen(said.result));
		assert_non_null(v);
		json_free(v);
	}
	assert_int_equal(ask("cores", NULL, NULL), 0);
	assert_non_null(strstr(said.result, "\"core\":3,\"apic_id\":6,\"linux_cpu\":\"3\""));
	assert_int_equal(ask("pci", NULL, NULL), 0);
	assert_non_null(strstr(said.result, "\"linux_driver\":\"e1000\",\"dma\":\"all memory\""));
	assert_int_equal(ask("log", NULL, NULL), 0);
	assert_string_equal(said.output, "one\ntwo\n");
	assert_int_equal(ask("events", NULL, NULL), 0);
	assert_string_equal(said.output, "0 kv stopped by itself\n");
	assert_int_equal(ask("log", "-f", NULL), 0);
	assert_string_equal(said.result, "");
	control_server.follow(&control, &said);
	assert_string_equal(said.output, "one\ntwo\n");
	assert_int_equal(ask("create", in_root("kv.conf"), NULL), 0);
	assert_int_equal(ask("console", "kv", NULL), 0);
	assert_string_equal(said.output, "one\ntwo\n");
	assert_int_equal(ask("stats", "kv", NULL), 0);
	assert_non_null(strstr(said.result, "\"counter\":\"rx_packets\",\"all\":12"));
	assert_int_equal(ask("check", in_root("kv.conf"), NULL), 0);
}

static void test_cpu(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(ask("cpu", "give", "1"), 0);
		assert_int_equal(cpu_is_online(root, 1), 0);
		assert_true(fake.given[1]);
		assert_int_equal(ask("cpu", "take", "1"), 0);
	}
	fake.fail = "give";
	assert_int_equal(ask("cpu", "give", "1"), -1);
	assert_all_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_life, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cpu, setup, teardown),
	};

	return cmocka_run_group_tests_name("ctl_control", tests, NULL, NULL);
}
