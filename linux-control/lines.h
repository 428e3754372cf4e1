/* SPDX-License-Identifier: MIT
 *
 * Lines of the log, of events and of consoles, as JSON.
 */
#ifndef LINUX_CONTROL_LINES_H
#define LINUX_CONTROL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define LINES_MAX 4096 /* longer lines are cut in pieces */

struct lines {
	FILE *out;
	bool events; /* lines are "SEQUENCE DATAPLANE KIND TEXT" */
	bool follow; /* one object per line and no array around them, since there is no end */
	bool any;
	size_t size;
	char text[LINES_MAX];
};

/* Takes text as it comes; writes what is complete. */
void lines_add(struct lines *l, const char *text, size_t size);
void lines_end(struct lines *l);

#endif
