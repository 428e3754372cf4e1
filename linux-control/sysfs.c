/* SPDX-License-Identifier: MIT */
#include "linux-control/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No driver has this name, so no driver takes a function with this override. */
#define NOBODY "ironix-dataplane"

static int full_path(char out[PATH_MAX], const char *root, const char *path)
{
	return snprintf(out, PATH_MAX, "%s%s", root, path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int sysfs_read(const char *root, const char *path, char *text, size_t size)
{
	char full[PATH_MAX];
	ssize_t n;
	int fd, err = full_path(full, root, path);

	if (err)
		return err;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
	return (int)n;
}

int sysfs_write(const char *root, const char *path, const char *text)
{
	char full[PATH_MAX];
	size_t size = strlen(text);
	int fd, err = full_path(full, root, path);

	if (err)
		return err;
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* One write: the kernel takes the value from it alone. */
	err = write(fd, text, size) == (ssize_t)size ? 0 : errno ? -errno : -EIO;
	close(fd);
	return err;
}

int cpu_is_online(const char *root, unsigned int cpu)
{
	char path[64], text[8];
	int n;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", cpu);
	if (cpu == 0) {
		n = 1;
	} else {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
		n = sysfs_read(root, path, text, sizeof(text));
		if (n >= 0)
			n = text[0] == '1';
	}
	return n;
}

int cpu_set_online(const char *root, unsigned int cpu, bool online)
{
	char path[64];
	int now = cpu_is_online(root, cpu);

	if (now < 0 || now == online)
		return now < 0 ? now : 0;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return sysfs_write(root, path, online ? "1" : "0");
}

/* "0-3,5" gives 6. */
static int list_end(const char *text)
{
	unsigned long end = 0;
	char *after;

	while (*text) {
		end = strtoul(text, &after, 10) + 1;
		if (after == text)
			return -EINVAL;
		text = after + (*after == '-' || *after == ',');
	}
	return end > INT_MAX ? -EINVAL : (int)end;
}

int cpu_apic_ids(const char *root, uint32_t *apic_id, unsigned int size)
{
	char full[PATH_MAX], line[1024];
	int n, cpu = -1, err = full_path(full, root, "/proc/cpuinfo");
	FILE *f;

	if (err)
		return err;
	n = sysfs_read(root, "/sys/devices/system/cpu/present", line, sizeof(line));
	if (n >= 0)
		n = list_end(line);
	if (n < 0)
		return n;
	if ((unsigned int)n > size)
		n = (int)size;
	for (int i = 0; i < n; i++)
		apic_id[i] = UINT32_MAX;
	f = fopen(full, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (!colon)
			continue;
		if (!strncmp(line, "processor", 9))
			cpu = (int)strtol(colon + 1, NULL, 10);
		else if (!strncmp(line, "apicid", 6) && cpu >= 0 && cpu < n)
			apic_id[cpu] = (uint32_t)strtoul(colon + 1, NULL, 10);
	}
	fclose(f);
	return n;
}

void pci_format(char address[PCI_ADDRESS_SIZE], uint16_t segment, uint16_t bdf)
{
	snprintf(address, PCI_ADDRESS_SIZE, "%04x:%02x:%02x.%x", segment, bdf >> 8, bdf >> 3 & 31,
		 bdf & 7);
}

static void device_path(char path[128], const char *address, const char *file)
{
	snprintf(path, 128, "/sys/bus/pci/devices/%s%s%s", address, *file ? "/" : "", file);
}

int pci_driver(const char *root, const char *address, char driver[PCI_DRIVER_SIZE])
{
	char path[128], full[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;
	int err;

	device_path(path, address, "");
	err = full_path(full, root, path);
	if (err)
		return err;
	if (access(full, F_OK))
		return -ENODEV;
	device_path(path, address, "driver");
	err = full_path(full, root, path);
	if (err)
		return err;
	driver[0] = '\0';
	n = readlink(full, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= PCI_DRIVER_SIZE)
		return -ENAMETOOLONG;
	memcpy(driver, name, strlen(name) + 1);
	return 0;
}

int pci_take(const char *root, const char *address)
{
	char path[128], driver[PCI_DRIVER_SIZE];
	int err = pci_driver(root, address, driver);

	if (err)
		return err;
	device_path(path, address, "driver_override");
	err = sysfs_write(root, path, NOBODY);
	if (err || !driver[0])
		return err;
	device_path(path, address, "driver/unbind");
	return sysfs_write(root, path, address);
}

int pci_give_back(const char *root, const char *address, const char *driver)
{
	char path[128];
	int err;

	device_path(path, address, "driver_override");
	err = sysfs_write(root, path, "\n");
	if (err || !*driver)
		return err;
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
	return sysfs_write(root, path, address);
}

static bool has_id(const char *root, const char *address, const char *file, uint16_t id)
{
	char path[128], text[16];

	device_path(path, address, file);
	return sysfs_read(root, path, text, sizeof(text)) > 0 && strtoul(text, NULL, 16) == id;
}

int pci_find(const char *root, uint16_t vendor, uint16_t device, char address[PCI_ADDRESS_SIZE])
{
	char full[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int err = full_path(full, root, "/sys/bus/pci/devices");

	if (err)
		return err;
	d = opendir(full);
	if (!d)
		return -errno;
	err = -ENODEV;
	while (err && (e = readdir(d))) {
		if (strlen(e->d_name) >= PCI_ADDRESS_SIZE || e->d_name[0] == '.')
			continue;
		if (has_id(root, e->d_name, "vendor", vendor) &&
		    has_id(root, e->d_name, "device", device)) {
			memcpy(address, e->d_name, strlen(e->d_name) + 1);
			err = 0;
		}
	}
	closedir(d);
	return err;
}
