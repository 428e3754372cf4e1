/* SPDX-License-Identifier: MIT
 *
 * The usual server, on ixev: requests and answers over TCP, on all cores.
 *
 * The program says how one request is answered. This takes connections, gathers requests however they
 * arrive, stops reading while a peer does not take its answers, and ends connections.
 */
#ifndef IX_SERVER_H
#define IX_SERVER_H

#include <ix/ixev.h>

struct ix_server {
	uint16_t port;
	size_t
	    conn_size; /* of a connection's structure; it begins with struct ixev_ctx. 0: just that */

	/* On each core, before it serves. 0, or a negative errno value that ends the server. May be NULL. */
	int (*start)(const struct ix_server *s, struct ixev *base);

	/*
	 * Answers the request at `data`, of which `len` > 0 bytes are there, and returns how many it takes up
	 * (those that are not there yet are dropped when they come); or 0, and *want (len + 1 unless it says
	 * more) is how many must be there before it is asked again: to bound that is its affair. It is asked
	 * only while less than the pending limit waits to be sent, and then all it sends is taken, as far as
	 * there is memory.
	 *
	 * ixev_shutdown() makes it the last request: what the peer still sends is dropped until it ends
	 * too. ixev_close() and ixev_abort() end the connection at once.
	 */
	size_t (*request)(struct ixev_ctx *ctx, const char *data, size_t len, size_t *want);

	/* A connection is over; its structure is freed next. May be NULL. */
	void (*closed)(struct ixev_ctx *ctx);
};

/* Serves on all cores of the dataplane: an error of ixev_run_cores(), ixev_listen() or `start`. */
long ix_serve(const struct ix_server *s);

/* Words of a line that ends with "\n", "\r\n" or NUL; *p moves behind the word. Its length; 0: no more. */
size_t ix_word(const char **p, const char **word);
bool ix_word_is(const char *word, size_t len, const char *text);

#endif
