/* SPDX-License-Identifier: MIT
 *
 * The life cycle of dataplanes. The hypervisor knows what runs; ixcpd adds what Linux gave to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux-control/control.h"
#include "linux-control/image.h"

/* The words for a failure on the way of a command. */
struct trouble {
	char text[512];
};

__attribute__((format(printf, 3, 4))) static int say(struct trouble *t, int err, const char *format,
						     ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(t->text, sizeof(t->text), format, ap);
	va_end(ap);
	return err;
}

int domain_find(struct hv *hv, const char *name, struct ix_hv_domain *domain)
{
	int err;

	for (unsigned int i = 0; !(err = hv->ops->domain(hv, i, domain)); i++)
		if (!strcmp(domain->name, name))
			return 0;
	return err;
}

static bool runs(const struct ix_hv_domain *domain)
{
	return !strcmp(domain->state, "running");
}

static int read_conf(struct conf *conf, const char *path, struct trouble *t)
{
	static char text[CONF_SIZE_MAX + 1];
	struct conf_error e;
	ssize_t n;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return say(t, -errno, "%s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return say(t, err, "%s: %s", path, strerror(-err));
	err = conf_parse(conf, text, (size_t)n, &e);
	if (err == -EINVAL && e.line)
		return say(t, err, "%s:%u:%u: %s", path, e.line, e.column, e.text);
	if (err)
		return say(t, err, "%s: %s", path, err == -EINVAL ? e.text : strerror(-err));
	return 0;
}

/* Which Linux CPUs the dataplane gets: those that are asked for, or the last ones online. */
static int choose_cpus(struct control *c, struct conf *conf, struct trouble *t)
{
	unsigned int n = 0;

	for (unsigned int i = 0; conf->chosen && i < conf->ncores; i++) {
		unsigned int cpu = conf->cpu[i];

		if (cpu >= c->ncpus)
			return say(t, -EINVAL, "Linux has no CPU %u", cpu);
		if (cpu_is_online(c->root, cpu) != 1)
			return say(t, -EBUSY, "CPU %u is not online in Linux: see 'ixctl cores'",
				   cpu);
	}
	if (conf->chosen)
		return 0;
	for (unsigned int cpu = c->ncpus; cpu-- > 1 && n < conf->ncores;)
		if (cpu_is_online(c->root, cpu) == 1)
			conf->cpu[n++] = cpu;
	if (n < conf->ncores)
		return say(t, -EBUSY,
			   "%u cores are wanted, but Linux can give %u only (CPU 0 stays)",
			   conf->ncores, n);
	return 0;
}

static int take_cpus(struct control *c, struct holding *h, const struct ix_hv_domain *domain,
		     struct trouble *t)
{
	for (uint32_t i = 0; i < domain->ncores; i++) {
		unsigned int cpu = 0;
		int err;

		while (cpu < c->ncpus && c->apic_id[cpu] != domain->apic_id[i])
			cpu++;
		if (cpu == c->ncpus)
			return say(t, -ENODEV, "Linux does not know the CPU with APIC ID %u",
				   domain->apic_id[i]);
		/* Recorded first: whatever happens now, it is given back. */
		h->cpu[h->ncpus++] = cpu;
		err = holding_save(c, h);
		if (err)
			return say(t, err, "%s/%s: %s", c->state, h->name, strerror(-err));
		err = cpu_set_online(c->root, cpu, false);
		if (err)
			return say(t, err, "CPU %u cannot be taken offline: %s", cpu,
				   strerror(-err));
		err = c->hv->ops->core_give(c->hv, domain->apic_id[i]);
		if (err && err != -EALREADY)
			return say(t, err, "core of CPU %u: %s", cpu, control_error(c, err));
	}
	return 0;
}

/* Takes a PCI function from Linux and joins it to the domain. */
static int take_nic(struct control *c, struct holding *h, uint64_t handle,
		    const struct conf_nic *nic, struct trouble *t)
{
	char *address = h->pci[h->npci].address;
	int err;

	if (nic->virtual_function) {
		err = c->hv->ops->assign(c->hv, handle, IX_ASSIGN_VF);
		return err ? say(t, err, "nic = vf: %s", control_error(c, err)) : 0;
	}
	pci_format(address, nic->segment, nic->bdf);
	err = pci_driver(c->root, address, h->pci[h->npci].driver);
	if (err)
		return say(t, err, "nic = %s: %s", address,
			   err == -ENODEV ? "Linux has no such function; see 'ixctl pci'"
					  : strerror(-err));
	h->npci++;
	err = holding_save(c, h);
	if (err)
		return say(t, err, "%s/%s: %s", c->state, h->name, strerror(-err));
	err = pci_take(c->root, address);
	if (err)
		return say(t, err, "nic = %s: Linux's driver does not let go: %s", address,
			   strerror(-err));
	err = c->hv->ops->assign(c->hv, handle, (uint64_t)nic->segment << 16 | nic->bdf);
	return err ? say(t, err, "nic = %s: %s", address, control_error(c, err)) : 0;
}

/* Undoes what a create did so far. */
static void unmake(struct control *c, struct holding *h, uint64_t handle)
{
	if (handle)
		c->hv->ops->destroy(c->hv, handle);
	holding_give_back(c, h, true);
	holding_forget(c, h);
}

static int create(struct control *c, const char *path, char name[IX_NAME_LEN], struct trouble *t)
{
	uint32_t apic_id[CONF_CORES_MAX];
	struct ix_hv_domain domain;
	uint64_t handle = 0;
	struct holding *h;
	struct image image;
	struct conf conf;
	char why[256];
	int err = read_conf(&conf, path, t);

	if (err)
		return err;
	snprintf(name, IX_NAME_LEN, "%s", conf.name);
	if (!domain_find(c->hv, name, &domain)) {
		conf_free(&conf);
		return say(t, -EEXIST, "there is a dataplane '%s' already", name);
	}
	h = holding_find(c, name); /* of one that is gone */
	if (h) {
		holding_give_back(c, h, true);
		holding_forget(c, h);
	}
	/* Mistakes in the files are found before anything is taken from Linux. */
	err = image_read(&image, &conf, c->kernel, why);
	if (err)
		say(t, err, "%s", why);
	else
		image_free(&image);
	if (!err)
		err = choose_cpus(c, &conf, t);
	h = err ? NULL : holding_new(c, name);
	if (!err && !h)
		err = say(t, -ENOSPC, "there are %d dataplanes already", CONTROL_DOMAINS_MAX);
	if (!err) {
		snprintf(h->path, sizeof(h->path), "%s", path);
		for (unsigned int i = 0; i < conf.ncores; i++)
			apic_id[i] = c->apic_id[conf.cpu[i]];
		err = c->hv->ops->create(c->hv, name, conf.memory, conf.ncores, apic_id, &handle);
		if (err)
			say(t, err, "%s: %s", name, control_error(c, err));
		for (unsigned int i = 0; i < conf.nnics && !err; i++)
			err = take_nic(c, h, handle, &conf.nic[i], t);
		if (!err && (err = holding_save(c, h)))
			say(t, err, "%s/%s: %s", c->state, name, strerror(-err));
		if (err)
			unmake(c, h, handle);
	}
	conf_free(&conf);
	return err;
}

/* Builds the memory image and writes it into the domain. */
static int load(struct control *c, const struct ix_hv_domain *domain, const struct conf *conf,
		struct ix_load_image *image, struct image *files, struct trouble *t)
{
	struct ix_device device[IX_MAX_DEVICES];
	struct ix_hv_info info;
	const char *why;
	char text[256];
	int err = image_read(files, conf, c->kernel, text);

	if (err)
		return say(t, err, "%s", text);
	err = c->hv->ops->info(c->hv, &info);
	for (uint32_t i = 0; i < domain->ndevices && i < IX_MAX_DEVICES && !err; i++)
		err = c->hv->ops->device(c->hv, domain->handle, i, &device[i]);
	if (err) {
		say(t, err, "%s: %s", domain->name, control_error(c, err));
		image_free(files);
		return err;
	}
	struct ix_load_spec spec = {
	    .name = domain->name,
	    .flags = info.x2apic ? IX_BOOT_X2APIC : 0,
	    .tsc_khz = info.tsc_khz,
	    .apic_timer_hz = info.apic_timer_hz,
	    .mem = domain->mem,
	    .nmem = domain->nmem,
	    .apic_id = domain->apic_id,
	    .ncores = domain->ncores,
	    .device = device,
	    .ndevices = domain->ndevices,
	    .kernel = files->kernel,
	    .app = files->app,
	    .args = files->args,
	    .env = files->env,
	    .files = files->files,
	    .config = {conf->config, conf->config_size},
	};
	err = ix_load_build(&spec, image, &why);
	if (err) {
		say(t, err, "%s: %s", domain->name, why);
		image_free(files);
		return err;
	}
	err = c->hv->ops->clear(c->hv, domain->handle);
	for (unsigned int i = 0; i < image->npieces && !err; i++)
		err = c->hv->ops->write(c->hv, domain->handle, image->piece[i].pa,
					image->piece[i].data, image->piece[i].size);
	if (err)
		say(t, err, "loading %s: %s", domain->name, control_error(c, err));
	return err;
}

static int start(struct control *c, const char *name, struct trouble *t)
{
	struct ix_load_image image = {0};
	struct holding *h = holding_find(c, name);
	struct image files = {0};
	struct ix_hv_domain domain;
	struct conf conf;
	int err = domain_find(c->hv, name, &domain);

	if (err || !h)
		return say(t, -ENOENT, "there is no dataplane '%s' (see 'ixctl list')", name);
	if (runs(&domain))
		return say(t, -EALREADY, "'%s' runs already", name);
	err = read_conf(&conf, h->path, t);
	if (err)
		return err;
	if (strcmp(conf.name, name))
		err = say(t, -EINVAL, "%s now describes '%s'; destroy '%s' first", h->path,
			  conf.name, name);
	/* What it held when it ended is given back by now, or is taken again here. */
	h->ncpus = 0;
	if (!err)
		err = load(c, &domain, &conf, &image, &files, t);
	if (!err)
		err = take_cpus(c, h, &domain, t);
	if (!err) {
		err =
		    c->hv->ops->start(c->hv, domain.handle, image.entry, image.cr3, image.bootinfo);
		if (err)
			say(t, err, "%s: %s", name, control_error(c, err));
	}
	if (err)
		holding_give_back(c, h, false);
	if (image.npieces)
		ix_load_free(&image);
	image_free(&files);
	conf_free(&conf);
	return err;
}

static void answer(struct client *client, int err, const struct trouble *t, const char *name,
		   const char *done)
{
	struct json j = {0};

	if (err) {
		client_error(client, "%s", t->text);
		return;
	}
	json_format(&j, NULL, "%s: %s", name, done);
	client_result(client, &j);
}

void domain_create(struct control *control, struct client *client, const char *path)
{
	char name[IX_NAME_LEN] = "";
	struct trouble t = {""};
	int err = create(control, path, name, &t);

	answer(client, err, &t, name, "created");
}

void domain_start(struct control *control, struct client *client, const char *name_or_path)
{
	char name[IX_NAME_LEN] = "";
	struct trouble t = {""};
	struct ix_hv_domain domain;
	struct conf conf;
	int err = 0;

	if (!strchr(name_or_path, '/')) {
		snprintf(name, sizeof(name), "%s", name_or_path);
	} else {
		err = read_conf(&conf, name_or_path, &t);
		if (!err) {
			snprintf(name, sizeof(name), "%s", conf.name);
			conf_free(&conf);
			if (domain_find(control->hv, name, &domain))
				err = create(control, name_or_path, name, &t);
		}
	}
	if (!err)
		err = start(control, name, &t);
	answer(client, err, &t, name, "started");
}

static int stop(struct control *c, const char *name, struct ix_hv_domain *domain, struct trouble *t)
{
	struct holding *h = holding_find(c, name);
	int err = domain_find(c->hv, name, domain);

	if (err)
		return say(t, err, "there is no dataplane '%s' (see 'ixctl list')", name);
	if (runs(domain)) {
		err = c->hv->ops->stop(c->hv, domain->handle);
		if (err)
			return say(t, err, "%s: %s", name, control_error(c, err));
	}
	err = h ? holding_give_back(c, h, false) : 0;
	return err ? say(t, err, "%s is stopped, but a CPU did not come back: %s", name,
			 control_error(c, err))
		   : 0;
}

void domain_stop(struct control *control, struct client *client, const char *name)
{
	struct trouble t = {""};
	struct ix_hv_domain domain;
	int err = stop(control, name, &domain, &t);

	answer(client, err, &t, name, "stopped");
}

void domain_destroy(struct control *control, struct client *client, const char *name)
{
	struct holding *h = holding_find(control, name);
	struct trouble t = {""};
	struct ix_hv_domain domain;
	int err = stop(control, name, &domain, &t);

	if (!err) {
		err = control->hv->ops->destroy(control->hv, domain.handle);
		if (err)
			say(&t, err, "%s: %s", name, control_error(control, err));
	}
	if (!err && h) {
		err = holding_give_back(control, h, true);
		if (err)
			say(&t, err, "%s is gone, but a device did not come back: %s", name,
			    strerror(-err));
		holding_forget(control, h);
	}
	answer(client, err, &t, name, "destroyed");
}

void domain_check(struct client *client, const char *path)
{
	struct trouble t = {""};
	struct conf conf;
	int err = read_conf(&conf, path, &t);

	if (!err)
		conf_free(&conf);
	answer(client, err, &t, path, "no mistakes");
}

void domain_cpu(struct control *control, struct client *client, const char *verb,
		const char *number)
{
	struct trouble t = {""};
	char *end;
	unsigned long cpu = strtoul(number, &end, 10);
	bool give = !strcmp(verb, "give");
	int err;

	if (end == number || *end || cpu >= control->ncpus || (!give && strcmp(verb, "take"))) {
		client_error(client, "write 'cpu give N' or 'cpu take N' with a CPU of Linux");
		return;
	}
	for (int i = 0; i < CONTROL_DOMAINS_MAX; i++)
		for (unsigned int k = 0; k < control->holding[i].ncpus; k++)
			if (control->holding[i].used && control->holding[i].cpu[k] == cpu) {
				client_error(client, "CPU %lu belongs to the dataplane '%s'", cpu,
					     control->holding[i].name);
				return;
			}
	if (give) {
		err = cpu_set_online(control->root, (unsigned int)cpu, false);
		if (err)
			say(&t, err, "CPU %lu cannot be taken offline: %s", cpu, strerror(-err));
		else if ((err = control->hv->ops->core_give(control->hv, control->apic_id[cpu])))
			say(&t, err, "CPU %lu: %s", cpu, control_error(control, err));
		if (err)
			cpu_set_online(control->root, (unsigned int)cpu, true);
	} else {
		err = control->hv->ops->core_take(control->hv, control->apic_id[cpu]);
		if (err == -EALREADY)
			err = 0;
		if (err)
			say(&t, err, "CPU %lu: %s", cpu, control_error(control, err));
		else if ((err = cpu_set_online(control->root, (unsigned int)cpu, true)))
			say(&t, err, "CPU %lu does not come online: %s", cpu, strerror(-err));
	}
	answer(client, err, &t, number, give ? "is the hypervisor's" : "is online in Linux");
}

/*
 * A dataplane that ended by itself leaves its cores with the hypervisor until Linux takes them back;
 * one that is gone altogether leaves its devices too.
 */
void domain_reap(struct control *control)
{
	for (int i = 0; i < CONTROL_DOMAINS_MAX; i++) {
		struct holding *h = &control->holding[i];
		struct ix_hv_domain domain;
		int err;

		if (!h->used)
			continue;
		err = domain_find(control->hv, h->name, &domain);
		if (err == -ENOENT) {
			holding_give_back(control, h, true);
			holding_forget(control, h);
		} else if (!err && !runs(&domain) && h->ncpus) {
			holding_give_back(control, h, false);
		}
	}
}

void domain_list(struct control *control, struct json *j)
{
	struct ix_hv_domain d;

	json_array(j, NULL);
	for (unsigned int i = 0; !control->hv->ops->domain(control->hv, i, &d); i++) {
		struct holding *h = holding_find(control, d.name);
		uint64_t size = 0;

		for (uint32_t k = 0; k < d.nmem; k++)
			size += d.mem[k].size;
		json_object(j, NULL);
		json_string(j, "name", d.name);
		json_string(j, "state", d.state);
		json_number(j, "cores", d.ncores);
		json_array(j, "cpus");
		for (unsigned int k = 0; h && k < h->ncpus; k++)
			json_number(j, NULL, h->cpu[k]);
		json_end(j);
		json_number(j, "mib", size >> 20);
		json_number(j, "devices", d.ndevices);
		json_string(j, "dma", !d.ndevices ? "-" : d.dma_open ? "all memory" : "confined");
		json_number(j, "exits", d.exits);
		if (!strcmp(d.state, "failed"))
			json_format(j, "why_stopped", "%s, rip 0x%llx", d.why,
				    (unsigned long long)d.rip);
		else
			json_string(j, "why_stopped", d.why[0] ? d.why : "-");
		json_end(j);
	}
	json_end(j);
}

int control_init(struct control *control, struct hv *hv, const char *root, const char *kernel,
		 const char *state)
{
	struct ix_hv_core core;
	int n;

	memset(control, 0, sizeof(*control));
	control->hv = hv;
	control->root = root;
	control->kernel = kernel;
	control->state = state;
	n = cpu_apic_ids(root, control->apic_id, CONTROL_CPUS_MAX);
	if (n < 0)
		return n;
	control->ncpus = (unsigned int)n;
	/* A CPU that is offline is not in /proc/cpuinfo. Linux numbers CPUs as the hypervisor does. */
	for (unsigned int cpu = 0; cpu < control->ncpus; cpu++)
		if (control->apic_id[cpu] == UINT32_MAX && !hv->ops->core(hv, cpu, &core))
			control->apic_id[cpu] = core.apic_id;
	holding_load_all(control);
	return 0;
}
