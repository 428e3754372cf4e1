/* SPDX-License-Identifier: MIT
 *
 * The /sys functions on a folder that looks like /sys.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux-control/confine.h"
#include "linux-control/sysfs.h"

static char root[64];

/* Runs a shell command in the folder. */
static void sh(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && %s", root, command);
	assert_int_equal(system(line), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/ctl_sysfs.XXXXXX");
	if (!mkdtemp(root))
		return 1;
	sh("mkdir -p proc sys/devices/system/cpu/cpu0 sys/devices/system/cpu/cpu1 "
	   "sys/devices/system/cpu/cpu2 sys/bus/pci/devices/0000:00:03.0 "
	   "sys/bus/pci/devices/0000:00:04.0 sys/bus/pci/drivers/e1000");
	sh("cd sys/devices/system/cpu; echo 0-2 >present; echo 1 >cpu1/online; echo 0 "
	   ">cpu2/online");
	sh("printf 'processor\\t: 0\\napicid\\t\\t: 4\\ninitial apicid\\t: 9\\n\\nprocessor\\t: "
	   "1\\n"
	   "apicid\\t\\t: 6\\n' >proc/cpuinfo");
	sh("cd sys/bus/pci; for d in 3 4; do cd devices/0000:00:0$d.0; echo 0x8086 >vendor; "
	   "echo 0x100$d >device; : >driver_override; cd ../..; done; : >drivers/e1000/bind; "
	   ": >drivers/e1000/unbind; ln -s ../../drivers/e1000 devices/0000:00:03.0/driver");
	return 0;
}

static int teardown(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf %s", root);
	return system(line);
}

static void assert_file(const char *path, const char *want)
{
	char text[128];

	assert_true(sysfs_read(root, path, text, sizeof(text)) >= 0);
	assert_string_equal(text, want);
}

static void test_cpus(void **state)
{
	uint32_t id[8];

	(void)state;
	assert_int_equal(cpu_is_online(root, 0), 1);
	assert_int_equal(cpu_is_online(root, 1), 1);
	assert_int_equal(cpu_is_online(root, 2), 0);
	assert_int_equal(cpu_is_online(root, 3), -ENOENT);
	assert_int_equal(cpu_set_online(root, 1, false), 0);
	assert_file("/sys/devices/system/cpu/cpu1/online", "0");
	assert_int_equal(cpu_set_online(root, 0, true), 0);
	assert_int_equal(cpu_set_online(root, 0, false), -ENOENT);
	assert_int_equal(cpu_apic_ids(root, id, 8), 3);
	assert_int_equal(id[0], 4);
	assert_int_equal(id[1], 6);
	assert_int_equal(id[2], UINT32_MAX);
	assert_int_equal(cpu_apic_ids(root, id, 1), 1);
}

static void test_pci(void **state)
{
	char address[PCI_ADDRESS_SIZE], driver[PCI_DRIVER_SIZE];

	(void)state;
	pci_format(address, 0, 3 << 3);
	assert_string_equal(address, "0000:00:03.0");
	assert_int_equal(pci_driver(root, address, driver), 0);
	assert_string_equal(driver, "e1000");
	assert_int_equal(pci_driver(root, "0000:00:04.0", driver), 0);
	assert_string_equal(driver, "");
	assert_int_equal(pci_driver(root, "0000:00:05.0", driver), -ENODEV);
	assert_int_equal(pci_take(root, address), 0);
	assert_file("/sys/bus/pci/devices/0000:00:03.0/driver_override", "ironix-dataplane");
	assert_file("/sys/bus/pci/drivers/e1000/unbind", "0000:00:03.0");
	sh(": >sys/bus/pci/devices/0000:00:03.0/driver_override");
	assert_int_equal(pci_give_back(root, address, "e1000"), 0);
	assert_file("/sys/bus/pci/devices/0000:00:03.0/driver_override", "");
	assert_file("/sys/bus/pci/drivers/e1000/bind", "0000:00:03.0");
	assert_int_equal(pci_find(root, 0x8086, 0x1004, address), 0);
	assert_string_equal(address, "0000:00:04.0");
	assert_int_equal(pci_find(root, 0x8086, 0x1005, address), -ENODEV);
}

/* Ends with status 0 if it is confined as it should be. ASan's hooks at exit would be stopped too. */
__attribute__((no_sanitize("address"))) static void confined_child(void)
{
	char *none[] = {NULL};
	const char *what;
	long status = 0;
	int fd;

	if (confine(&what))
		status = geteuid() ? 77 : 1;
	else if (!execv("/bin/true", none) || errno != EPERM)
		status = 2;
	else if (syscall(SYS_fork) != -1 || errno != EPERM)
		status = 3;
	else if (socket(AF_INET, SOCK_DGRAM, 0) != -1)
		status = 4;
	else if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		 MAP_FAILED)
		status = 5;
	else if ((fd = open("/proc/self/status", O_RDONLY)) < 0 || close(fd))
		status = 6;
	syscall(SYS_exit_group, status);
}

static void test_confine(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (!child)
		confined_child();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpus),
	    cmocka_unit_test(test_pci),
	    cmocka_unit_test(test_confine),
	};

	return cmocka_run_group_tests_name("ctl_sysfs", tests, setup, teardown);
}
