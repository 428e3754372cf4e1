/* SPDX-License-Identifier: MIT
 *
 * For applications that test the kernel under them: a line for each check, exit status 1 on failure.
 */
#ifndef GUEST_APPS_CHECK_H
#define GUEST_APPS_CHECK_H

#include <stdbool.h>
#include <stdio.h>

static unsigned checks, failures;

static inline bool check(bool good, const char *name)
{
	checks++;
	failures += !good;
	printf("%s - %s\n", good ? "good" : "BAD", name);
	return good;
}

static inline int checks_end(void)
{
	printf("%u checks, %u failures\n", checks, failures);
	return failures != 0;
}

#endif
