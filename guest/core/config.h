/* SPDX-License-Identifier: MIT
 *
 * The dataplane's configuration: text of lines `key = value` (docs/dataplane-config.md).
 */
#ifndef GUEST_CORE_CONFIG_H
#define GUEST_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ix/net.h>

#define CORE_MAX_ADDRS  8
#define CORE_MAX_ROUTES 15 /* and a default gateway */
#define CORE_MAX_ARPS   32
#define CORE_MAX_ACLS   256

struct core_prefix {
	struct ixn_addr addr;
	struct ixn_addr gw; /* routes; IXN_ANY: on link */
	uint8_t len;
};

struct core_arp {
	struct ixn_addr addr;
	uint8_t mac[6];
};

/* Values per core where nothing else is said. */
struct core_config {
	struct core_prefix addr[CORE_MAX_ADDRS];
	struct core_prefix route[CORE_MAX_ROUTES];
	struct core_arp arp[CORE_MAX_ARPS];
	struct ixn_acl acl[CORE_MAX_ACLS];
	uint32_t naddrs, nroutes, narps, nacls;
	struct ixn_addr gateway; /* IXN_ANY: none */

	uint32_t batch;      /* packets taken per queue and cycle: 1..CORE_MAX_BATCH */
	uint32_t rx_buffers; /* of CORE_RXBUF_SIZE bytes each */
	uint32_t rx_ring, tx_ring;
	uint32_t queues;  /* queue pairs of the NIC in use; 0: one per core */
	uint32_t events;  /* capacity of the event array */
	uint32_t timers;  /* of the application */
	uint32_t backlog; /* of a listener that does not say */
	bool idle_sleep;  /* an idle core sleeps; else it polls */
	struct ixn_config net;
};

/* A key that is not one of the dataplane core's. 0: taken, -1: unknown, else a bad value. */
typedef int (*core_config_extra)(void *ctx, const char *key, const char *value);

struct core_config_error {
	unsigned int line;
	const char *what; /* static text */
};

void core_config_default(struct core_config *cfg);

/*
 * Parses `len` bytes of text over *cfg. Lines are at most 255 bytes; `#` begins a comment. Keys that are
 * unknown here go to `extra` (may be NULL). 0, or -EINVAL with *err filled in; *cfg is then undefined.
 */
int core_config_parse(struct core_config *cfg, const char *text, size_t len,
		      core_config_extra extra, void *ctx, struct core_config_error *err);

/*
 * Halves the sizes that are as core_config_default() has them, down to a limit, until a core takes at most
 * `bytes` (core_mem_size() and core_shared_size()). True: they were changed. What does not fit even then is the
 * caller's to find out.
 */
bool core_config_fit(struct core_config *cfg, uint64_t bytes);

/* Building blocks, for options of the same form elsewhere. 0 or -EINVAL. */
int core_parse_ip(struct ixn_addr *ip, const char *s);
int core_parse_prefix(struct ixn_addr *ip, uint8_t *len, const char *s); /* A or A/P */
int core_parse_mac(uint8_t mac[6], const char *s);
int core_parse_number(uint64_t *v, const char *s); /* with K, M, G */
int core_parse_usec(uint64_t *v, const char *s);   /* with us, ms, s, min, h; plain: us */

#endif
