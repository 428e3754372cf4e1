/* SPDX-License-Identifier: MIT */
/* Applications for netsim: byte streams whose content tells its position, so that each byte is
 * checked to arrive once and in order. */
#ifndef TESTS_LIB_STREAM_H
#define TESTS_LIB_STREAM_H

#include "tests/lib/netsim.h"

#define STREAM_PERIOD 65537u /* prime, so that a shift by any block size shows */

struct stream {
	struct sim_host *h;
	ixn_conn c;
	uint64_t id;      /* cookie */
	uint64_t to_send; /* bytes */
	uint64_t offered, acked, received;
	uint32_t chunk;          /* largest part given to ixn_sendv() */
	bool close_when_sent;    /* ixn_close() after the last byte was taken */
	bool shutdown_when_sent; /* ixn_shutdown_write() likewise */
	bool close_on_eof;
	bool lazy; /* does not release what it receives */
	bool echo; /* sends back what it receives (as many bytes as were received) */
	bool connected, eof, dead, closed;
	int result;   /* of CONNECTED or DEAD */
	bool corrupt; /* wrong content was seen */
	uint32_t recv_events, sent_events;
};

/* Byte number pos of every stream */
uint8_t stream_byte(uint64_t pos);
/* Handles events of the streams whose address is the cookie; install as on_event. */
void stream_event(struct sim_host *h, const struct ixn_event *ev);
/* Opens a connection from h to host number to, port. */
int stream_connect(struct stream *s, struct sim_host *h, uint32_t to, uint16_t port);
/* Listens with the next incoming connection given to s: the listener's cookie is s. */
int stream_listen(struct stream *s, struct sim_host *h, uint16_t port, uint32_t backlog);
void stream_pump(struct stream *s);

#endif
