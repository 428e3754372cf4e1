/* SPDX-License-Identifier: MIT */
/* Checks the invariants of a stack: whatever has happened, these hold between cycles. */
#ifndef TESTS_LIB_NETCHECK_H
#define TESTS_LIB_NETCHECK_H

#include <ix/net.h>

/* Returns NULL or what is wrong. held: buffers that the stack has not released. */
const char *net_check(struct ixn *n, uint32_t *held);

#endif
