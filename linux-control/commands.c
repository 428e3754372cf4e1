/* SPDX-License-Identifier: MIT
 *
 * Commands that show something, and the table of all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux-control/control.h"
#include "linux-control/stats.h"

#define FOLLOW_MS 50   /* between looks at the log while somebody watches */
#define IDLE_MS   1000 /* between looks for dataplanes that ended */

const char *control_error(const struct control *control, int err)
{
	return control->hv->problem[0] ? control->hv->problem : strerror(-err);
}

/* Lists: item(i) until -ENOENT, each shown by its own function. */
#define SHOW_ALL(c, j, type, op, show)                                                             \
	({                                                                                         \
		struct type item_;                                                                 \
		int err_;                                                                          \
		json_array(j, NULL);                                                               \
		for (unsigned int i_ = 0; !(err_ = (c)->hv->ops->op((c)->hv, i_, &item_)); i_++) { \
			json_object(j, NULL);                                                      \
			show(c, j, &item_);                                                        \
			json_end(j);                                                               \
		}                                                                                  \
		json_end(j);                                                                       \
		err_ == -ENOENT ? 0 : err_;                                                        \
	})

static int show_version(struct control *c, struct json *j)
{
	struct ix_hv_info info = {0};
	int err = c->hv->ops->info(c->hv, &info);

	json_object(j, NULL);
	json_string(j, "hypervisor", info.version);
	json_number(j, "interface", info.abi);
	json_number(j, "cores", info.ncores);
	json_format(j, "tsc", "%u.%03u MHz", (unsigned int)(info.tsc_khz / 1000),
		    (unsigned int)(info.tsc_khz % 1000));
	json_bool(j, "x2apic", info.x2apic);
	json_bool(j, "iommu", info.iommu);
	json_end(j);
	return err;
}

static void preflight_row(struct control *c, struct json *j, const struct ix_hv_preflight *row)
{
	(void)c;
	json_string(j, "feature", row->feature);
	json_string(j, "found", row->found);
	json_string(j, "needed", row->needed);
	json_string(j, "if_absent", row->consequence);
}

static int show_preflight(struct control *c, struct json *j)
{
	return SHOW_ALL(c, j, ix_hv_preflight, preflight, preflight_row);
}

static void core_row(struct control *c, struct json *j, const struct ix_hv_core *core)
{
	unsigned int cpu = 0;

	while (cpu < c->ncpus && c->apic_id[cpu] != core->apic_id)
		cpu++;
	json_number(j, "core", core->index);
	json_number(j, "apic_id", core->apic_id);
	if (cpu < c->ncpus)
		json_format(j, "linux_cpu", "%u", cpu);
	else
		json_string(j, "linux_cpu", "?");
	json_string(j, "owner", core->owner);
	json_string(j, "state", core->state);
	json_number(j, "exits", core->exits);
	json_number(j, "root_cycles", core->root_cycles);
}

static int show_cores(struct control *c, struct json *j)
{
	return SHOW_ALL(c, j, ix_hv_core, core, core_row);
}

static void memory_row(struct control *c, struct json *j, const struct ix_hv_range *r)
{
	(void)c;
	json_format(j, "base", "%#llx", (unsigned long long)r->base);
	json_number(j, "kib", r->size >> 10);
	json_string(j, "owner", r->owner);
}

static int show_memory(struct control *c, struct json *j)
{
	struct ix_hv_info info = {0};
	struct ix_hv_range range;
	int err = c->hv->ops->info(c->hv, &info);

	json_object(j, NULL);
	json_number(j, "hypervisor_kib", info.own_size >> 10);
	json_number(j, "hypervisor_free_kib", info.own_free >> 10);
	json_number(j, "pool_kib", info.pool_size >> 10);
	json_number(j, "pool_free_kib", info.pool_free >> 10);
	json_array(j, "ranges");
	for (unsigned int i = 0; !err && !(err = c->hv->ops->memory(c->hv, i, &range)); i++) {
		json_object(j, NULL);
		memory_row(c, j, &range);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	return err == -ENOENT ? 0 : err;
}

static void pci_row(struct control *c, struct json *j, const struct ix_hv_pci *f)
{
	char address[PCI_ADDRESS_SIZE], driver[PCI_DRIVER_SIZE];

	pci_format(address, f->segment, f->bdf);
	if (pci_driver(c->root, address, driver))
		driver[0] = '\0';
	json_string(j, "address", address);
	json_format(j, "id", "%04x:%04x", f->vendor, f->device);
	json_string(j, "kind", f->kind);
	json_string(j, "owner", f->owner);
	json_string(j, "linux_driver", driver[0] ? driver : "-");
	json_string(j, "dma", f->dma_open ? "all memory" : "confined");
}

static int show_pci(struct control *c, struct json *j)
{
	return SHOW_ALL(c, j, ix_hv_pci, pci, pci_row);
}

static void exit_row(struct control *c, struct json *j, const struct ix_hv_exit *e)
{
	(void)c;
	json_number(j, "core", e->core);
	json_string(j, "reason", e->name);
	json_number(j, "count", e->count);
}

static int show_exits(struct control *c, struct json *j)
{
	return SHOW_ALL(c, j, ix_hv_exit, exit, exit_row);
}

static int show_list(struct control *c, struct json *j)
{
	domain_list(c, j);
	return 0;
}

/* What follow() goes on with: "log", "events" or "console NAME". Sends what is there. */
static int flow_on(struct control *c, struct client *client)
{
	unsigned long long *position = client_position(client);
	const char *what = client_following(client);
	uint64_t at = *position;
	struct ix_hv_domain domain;
	struct ix_event event;
	char text[4096];
	int n, rounds = 256;

	c->hv->problem[0] = '\0';
	do {
		if (!strcmp(what, "log")) {
			n = c->hv->ops->log(c->hv, &at, text, sizeof(text));
		} else if (!strcmp(what, "events")) {
			n = c->hv->ops->event(c->hv, &at, &event);
			if (!n)
				n = snprintf(text, sizeof(text), "%llu %s %s %s\n",
					     (unsigned long long)event.sequence, event.domain,
					     event.kind, event.text);
			else if (n == -ENOENT)
				n = 0;
		} else {
			n = domain_find(c->hv, what + strlen("console "), &domain);
			if (!n)
				n = c->hv->ops->console(c->hv, domain.handle, &at, text,
							sizeof(text));
		}
		if (n > 0)
			client_output(client, text, (size_t)n);
	} while (n > 0 && --rounds);
	*position = at;
	return n < 0 ? n : 0;
}

static void flow(struct control *c, struct client *client, const char *what, bool on)
{
	struct json j = {0};
	int err;

	client_follow(client, what, 0);
	err = flow_on(c, client);
	if (err) {
		client_error(client, "%s: %s", what, control_error(c, err));
	} else if (!on) {
		json_array(&j, NULL);
		json_end(&j);
		client_result(client, &j);
	} else {
		c->busy = true;
	}
}

static void follow(void *ctx, struct client *client)
{
	struct control *c = ctx;
	int err = flow_on(c, client);

	if (err)
		client_error(client, "%s: %s", client_following(client), control_error(c, err));
	else
		c->busy = true;
}

/* VM exits of the cores of a dataplane, in its order, since its start; how many of them are its now. */
static uint32_t core_exits(struct control *c, const struct ix_hv_domain *d, uint64_t *exits)
{
	struct ix_hv_core core = {0};
	uint32_t n = 0;

	while (n < d->ncores && n < IX_MAX_CORES) {
		unsigned int i = 0;

		while (!c->hv->ops->core(c->hv, i, &core) && core.apic_id != d->apic_id[n])
			i++;
		if (core.apic_id != d->apic_id[n] || strcmp(core.owner, d->name) != 0)
			break;
		exits[n++] = core.exits;
	}
	return n;
}

/* Reads and shows the statistics area of a dataplane, if it has one. */
static int counters(struct control *c, struct json *j, const struct ix_hv_domain *d)
{
	size_t size = sizeof(struct ix_stats) + IX_MAX_CORES * sizeof(struct ix_stats_core);
	uint64_t exits[IX_MAX_CORES];
	char *area = malloc(size);
	size_t have = 0;
	int n, tries = 5;

	if (!area)
		return -ENOMEM;
	do {
		have = 0;
		while (have < size && (n = c->hv->ops->stats(c->hv, d->handle, have, area + have,
							     size - have)) > 0)
			have += (size_t)n;
	} while (stats_changing(area, have) && --tries);
	stats_show(j, area, have, exits, core_exits(c, d, exits));
	free(area);
	return 0;
}

/* How a dataplane failed: the core's state when it did what it must not. */
static void failure(struct json *j, const struct ix_hv_domain *d)
{
	static const char *const name[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
					     "rsi", "rdi", "r8",  "r9",  "r10", "r11",
					     "r12", "r13", "r14", "r15"};

	json_string(j, "why_stopped", d->why);
	json_number(j, "exit_reason", d->exit_reason & 0xffff);
	json_format(j, "qualification", "0x%llx", (unsigned long long)d->exit_qualification);
	json_format(j, "rip", "0x%llx", (unsigned long long)d->rip);
	json_format(j, "rflags", "0x%llx", (unsigned long long)d->rflags);
	json_format(j, "cr2", "0x%llx", (unsigned long long)d->cr2);
	json_format(j, "cr3", "0x%llx", (unsigned long long)d->cr3);
	for (unsigned int i = 0; i < 16; i++)
		json_format(j, name[i], "0x%llx", (unsigned long long)d->reg[i]);
}

static void stats(struct control *c, struct client *client, const char *name)
{
	struct ix_hv_domain domain;
	struct json j = {0};

	if (domain_find(c->hv, name, &domain)) {
		client_error(client, "there is no dataplane '%s' (see 'ixctl list')", name);
		return;
	}
	json_object(&j, NULL);
	json_string(&j, "name", domain.name);
	json_string(&j, "state", domain.state);
	json_number(&j, "starts", domain.starts);
	json_number(&j, "exits", domain.exits);
	json_number(&j, "root_cycles", domain.root_cycles);
	if (!strcmp(domain.state, "failed"))
		failure(&j, &domain);
	counters(c, &j, &domain);
	json_end(&j);
	client_result(client, &j);
}

static const struct {
	const char *name;
	int (*show)(struct control *c, struct json *j);
} shows[] = {
    {"version", show_version}, {"preflight", show_preflight},
    {"cores", show_cores},     {"memory", show_memory},
    {"pci", show_pci},         {"exits", show_exits},
    {"list", show_list},
};

/* Commands with a dataplane's name or a file. */
static bool named(struct control *c, struct client *client, const char *command, const char *name,
		  bool more)
{
	char what[sizeof("console ") + IX_NAME_LEN];

	if (!strcmp(command, "console") && conf_name_ok(name)) {
		snprintf(what, sizeof(what), "console %s", name);
		flow(c, client, what, more);
	} else if (!strcmp(command, "create")) {
		domain_create(c, client, name);
	} else if (!strcmp(command, "start")) {
		domain_start(c, client, name);
	} else if (!strcmp(command, "stop")) {
		domain_stop(c, client, name);
	} else if (!strcmp(command, "destroy")) {
		domain_destroy(c, client, name);
	} else if (!strcmp(command, "check")) {
		domain_check(client, name);
	} else if (!strcmp(command, "stats")) {
		stats(c, client, name);
	} else {
		return false;
	}
	return true;
}

static void request(void *ctx, struct client *client, int count, char **words)
{
	struct control *c = ctx;
	struct json j = {0};
	int err;

	c->hv->problem[0] = '\0';
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		if (strcmp(words[0], shows[i].name) || count != 1)
			continue;
		err = shows[i].show(c, &j);
		if (err) {
			free(j.text);
			client_error(client, "%s: %s", words[0], control_error(c, err));
		} else {
			client_result(client, &j);
		}
		return;
	}
	bool more = count > 1 && !strcmp(words[count - 1], "-f");
	if ((!strcmp(words[0], "log") || !strcmp(words[0], "events")) && count == 1 + more)
		flow(c, client, words[0], more);
	else if (!strcmp(words[0], "cpu") && count == 3)
		domain_cpu(c, client, words[1], words[2]);
	else if ((count != 2 && !(more && count == 3)) ||
		 !named(c, client, words[0], words[1], more))
		client_error(client, "'%s' is no command with %d arguments; see 'ixctl --help'",
			     words[0], count - 1);
}

static int tick(void *ctx)
{
	struct control *c = ctx;
	int wait = c->busy ? FOLLOW_MS : IDLE_MS;

	c->busy = false;
	domain_reap(c);
	return wait;
}

const struct server_ops control_server = {request, follow, tick};
