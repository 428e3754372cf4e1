/* SPDX-License-Identifier: MIT
 *
 * Joins a queue of the NIC and a dataplane core.
 */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include <ix/nic.h>

#include "guest/core/core.h"

#define PORT_BURST 64

struct port {
	struct core *core;
	struct ix_nic *nic;
	struct ix_nic_queue *queue;
	const struct ix_rss *rss; /* NULL: every flow comes to this queue */
	uint8_t *rx_base;         /* of receive buffer 0 */
	uint64_t dma_delta;       /* bus address minus kernel address */
	uint32_t id;
	bool control;          /* this core looks after the NIC */
	uint64_t next_control; /* microseconds */
};

/* After core_init(); fills in the functions of a core_port. */
void port_attach(struct port *p, struct core_port *out);
/* Gives the NIC receive buffers. */
void port_refill(struct port *p);

#endif
