/* SPDX-License-Identifier: MIT
 *
 * What ixctl and ixcpd say to each other on the Unix socket: frames of a header and `size` bytes.
 *
 * A request is one WIRE_REQUEST frame: the command's words, each ended by a NUL. The answer is any
 * number of WIRE_OUTPUT frames, then one WIRE_RESULT (JSON) or WIRE_ERROR (text for people). Then
 * ixcpd closes the connection.
 */
#ifndef LINUX_CONTROL_WIRE_H
#define LINUX_CONTROL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_SOCKET      "/run/ixcpd.sock"
#define WIRE_REQUEST_MAX (64u << 10)
#define WIRE_ANSWER_MAX  (16u << 20)
#define WIRE_WORDS_MAX   64

enum wire_kind {
	WIRE_REQUEST = 1,
	WIRE_OUTPUT,
	WIRE_RESULT,
	WIRE_ERROR
};

struct wire_header {
	uint32_t size; /* bytes behind the header; both sides run on the same machine */
	uint32_t kind; /* enum wire_kind */
};

/*
 * Splits a request into words, which point into `text`. Returns their number, or -EINVAL when the
 * last has no NUL, there is none or there are too many.
 */
int wire_words(char *text, size_t size, char *words[WIRE_WORDS_MAX]);

#endif
