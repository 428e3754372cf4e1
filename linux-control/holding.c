/* SPDX-License-Identifier: MIT
 *
 * What Linux gave to dataplanes: which CPUs and PCI functions, and what they were before. A copy of
 * each record is in a file, so that ixcpd can be stopped and started while dataplanes run.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux-control/control.h"

struct holding *holding_find(struct control *control, const char *name)
{
	for (int i = 0; i < CONTROL_DOMAINS_MAX; i++)
		if (control->holding[i].used && !strcmp(control->holding[i].name, name))
			return &control->holding[i];
	return NULL;
}

struct holding *holding_new(struct control *control, const char *name)
{
	for (int i = 0; i < CONTROL_DOMAINS_MAX; i++) {
		struct holding *h = &control->holding[i];

		if (h->used)
			continue;
		memset(h, 0, sizeof(*h));
		h->used = true;
		snprintf(h->name, sizeof(h->name), "%s", name);
		return h;
	}
	return NULL;
}

static int state_path(char path[PATH_MAX], const struct control *control, const char *name,
		      const char *suffix)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", control->state, name, suffix);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int holding_save(const struct control *control, const struct holding *h)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	FILE *f;
	int err;

	if (!control->state)
		return 0;
	err = state_path(path, control, h->name, "") ?: state_path(fresh, control, h->name, "~");
	if (err)
		return err;
	f = fopen(fresh, "we");
	if (!f)
		return -errno;
	fprintf(f, "file %s\n", h->path);
	for (unsigned int i = 0; i < h->ncpus; i++)
		fprintf(f, "cpu %u\n", h->cpu[i]);
	for (unsigned int i = 0; i < h->npci; i++)
		fprintf(f, "pci %s %s\n", h->pci[i].address,
			h->pci[i].driver[0] ? h->pci[i].driver : "-");
	err = ferror(f) ? -EIO : 0;
	if (fclose(f) && !err)
		err = -errno;
	if (!err && rename(fresh, path))
		err = -errno;
	return err;
}

static void load(struct control *control, const char *name)
{
	char path[PATH_MAX], line[512];
	struct holding *h;
	FILE *f;

	if (!conf_name_ok(name) || state_path(path, control, name, ""))
		return;
	f = fopen(path, "re");
	h = f ? holding_new(control, name) : NULL;
	while (h && fgets(line, sizeof(line), f)) {
		unsigned int cpu;

		if (h->ncpus < CONF_CORES_MAX && sscanf(line, "cpu %u", &cpu) == 1) {
			h->cpu[h->ncpus++] = cpu;
		} else if (sscanf(line, "file %255[^\n]", h->path) == 1) {
			continue;
		} else if (h->npci < CONF_NICS_MAX &&
			   sscanf(line, "pci %15s %63s", h->pci[h->npci].address,
				  h->pci[h->npci].driver) == 2) {
			if (!strcmp(h->pci[h->npci].driver, "-"))
				h->pci[h->npci].driver[0] = '\0';
			h->npci++;
		}
	}
	if (f)
		fclose(f);
}

void holding_load_all(struct control *control)
{
	struct dirent *e;
	DIR *d = control->state ? opendir(control->state) : NULL;

	while (d && (e = readdir(d)))
		load(control, e->d_name);
	if (d)
		closedir(d);
}

int holding_give_back(struct control *control, struct holding *h, bool devices)
{
	int err, first = 0;

	for (unsigned int i = 0; i < h->ncpus; i++) {
		if (h->cpu[i] < control->ncpus) {
			err = control->hv->ops->core_take(control->hv, control->apic_id[h->cpu[i]]);
			/* -EALREADY: the hypervisor knew that it is Linux's again */
			first = first ?: err == -EALREADY ? 0 : err;
		}
		err = cpu_set_online(control->root, h->cpu[i], true);
		first = first ?: err;
	}
	h->ncpus = 0;
	for (unsigned int i = 0; devices && i < h->npci; i++) {
		err = pci_give_back(control->root, h->pci[i].address, h->pci[i].driver);
		first = first ?: err;
	}
	if (devices)
		h->npci = 0;
	err = holding_save(control, h);
	return first ?: err;
}

void holding_forget(struct control *control, struct holding *h)
{
	char path[PATH_MAX];

	if (control->state && !state_path(path, control, h->name, ""))
		unlink(path);
	h->used = false;
}
