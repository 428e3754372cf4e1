/* SPDX-License-Identifier: MIT
 *
 * How ixctl shows an answer to people: tables for lists of objects, `key: value` lines for an object.
 */
#ifndef LINUX_CONTROL_SHOW_H
#define LINUX_CONTROL_SHOW_H

#include <stdio.h>

#include "linux-control/json.h"

void show(FILE *out, const struct json_value *value);

#endif
