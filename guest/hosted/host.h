/* SPDX-License-Identifier: MIT
 *
 * A dataplane as one Linux process: its cores are threads of the application, its NIC is a wire.
 */
#ifndef GUEST_HOSTED_HOST_H
#define GUEST_HOSTED_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/core/core.h"
#include "guest/hosted/link.h"
#include "guest/hosted/pcap.h"
#include "guest/hosted/wire.h"

struct host;

struct host_params {
	const struct core_config *cfg;
	uint32_t ncores; /* 1..IX host maximum, 16 */
	struct wire *wire;
	struct link_config rx_link, tx_link;
	struct pcap *pcap; /* NULL: no capture */
};

/* NULL: no memory, or the configuration asks for what cannot be (*err says which). */
struct host *host_new(const struct host_params *p, const char **err);

/* Set by signal handlers. */
struct host_signals {
	volatile int stop;   /* signal that ends the process: by exit(), in host_call() */
	volatile int report; /* print statistics */
};

/* Native calls of the calling thread; attach gives it a core. */
int64_t host_call(struct host *h, uint64_t nr, uint64_t a, uint64_t b, uint64_t c);
void host_watch(struct host *h, struct host_signals *signals, const char *who);

/* The end of the calling thread's core, as in the kernel: what was sent still leaves, the rest is reset. */
void host_end(struct host *h);

/* Counters that are not zero, to stderr. */
void host_print_stats(struct host *h);

/* Shared with embed.c: memory and a core of its own. */
struct core *host_build_core(const struct core_params *p, void **mem, void **shared);
void host_free_core(const struct core_config *cfg, void *mem, void *shared);
void *host_user(void *ctx, uint64_t addr, uint64_t len, bool write, uint64_t *run);

#endif
