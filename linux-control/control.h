/* SPDX-License-Identifier: MIT
 *
 * What ixcpd does: the commands of ixctl(1), and the dataplanes it has made.
 */
#ifndef LINUX_CONTROL_CONTROL_H
#define LINUX_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "linux-control/conf.h"
#include "linux-control/hv.h"
#include "linux-control/server.h"
#include "linux-control/sysfs.h"

#define CONTROL_DOMAINS_MAX 16
#define CONTROL_CPUS_MAX    1024

/* What Linux gave to a dataplane, and gets back. Kept in the state folder too, for a restart. */
struct holding {
	bool used;
	char name[IX_NAME_LEN];
	char path[256];                          /* of the description */
	unsigned int ncpus, cpu[CONF_CORES_MAX]; /* taken from Linux while it runs */
	unsigned int npci;
	struct {
		char address[PCI_ADDRESS_SIZE];
		char driver[PCI_DRIVER_SIZE];
	} pci[CONF_NICS_MAX];
};

struct control {
	struct hv *hv;
	const char *root;   /* "" or, in tests, a folder with /sys and /proc */
	const char *kernel; /* guest kernel used where a description names none */
	const char *state;  /* folder for holdings, NULL: not kept */
	unsigned int ncpus;
	uint32_t apic_id[CONTROL_CPUS_MAX]; /* by Linux CPU; UINT32_MAX: not known */
	struct holding holding[CONTROL_DOMAINS_MAX];
	bool busy; /* somebody follows something: look often */
};

/* Learns the CPUs and reads the holdings of an earlier run. 0 or -errno. */
int control_init(struct control *control, struct hv *hv, const char *root, const char *kernel,
		 const char *state);

extern const struct server_ops control_server; /* its ctx is the struct control */

/* domain.c: the life cycle. Each answers the client. */
void domain_create(struct control *control, struct client *client, const char *path);
void domain_start(struct control *control, struct client *client, const char *name_or_path);
void domain_stop(struct control *control, struct client *client, const char *name);
void domain_destroy(struct control *control, struct client *client, const char *name);
void domain_check(struct client *client, const char *path);
void domain_cpu(struct control *control, struct client *client, const char *verb,
		const char *number);
/* Gives back to Linux what a dataplane that has ended held. */
void domain_reap(struct control *control);
/* 0 with *domain filled in, or -ENOENT. */
int domain_find(struct hv *hv, const char *name, struct ix_hv_domain *domain);
void domain_list(struct control *control, struct json *j);

/* holding.c */
struct holding *holding_find(struct control *control, const char *name);
struct holding *holding_new(struct control *control, const char *name); /* NULL: too many */
int holding_save(const struct control *control, const struct holding *h);
void holding_load_all(struct control *control);
/* Gives CPUs (and, if `devices`, PCI functions) back to Linux; 0 or the first error. */
int holding_give_back(struct control *control, struct holding *h, bool devices);
void holding_forget(struct control *control, struct holding *h);

/* Name of an error of the hypervisor for people: what it said, or errno's words. */
const char *control_error(const struct control *control, int err);

#endif
