/* SPDX-License-Identifier: MIT
 *
 * Joins a dataplane core to a queue of the NIC, or, where the NIC has only one, to the core that owns it.
 */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include <ix/nic.h>

#include "guest/core/core.h"
#include "guest/kernel/spread.h"

#define PORT_BURST 64

struct port {
	struct core *core;
	struct ix_nic *nic;
	struct ix_nic_queue *queue; /* NULL: the core is served by the owner of queue 0 */
	const struct ix_rss *rss;   /* NULL: every flow comes to this core */
	uint8_t *rx_base;           /* of receive buffer 0 */
	uint64_t dma_delta;         /* bus address minus kernel address */
	uint32_t id;
	bool control;          /* this core looks after the NIC */
	uint64_t next_control; /* microseconds */

	struct spread *spread; /* a core without a queue: its rings */
	struct port **peers;   /* the owner of queue 0: all ports, if it serves others */
	uint32_t npeers;
	void (*wake)(uint32_t id); /* tells a core that there is something in its rings */
};

/* After core_init(); fills in the functions of a core_port. */
void port_attach(struct port *p, struct core_port *out);

#endif
