/* SPDX-License-Identifier: MIT
 *
 * Of something that may happen at any rate, so many at most in a period.
 */
#ifndef HV_LIB_LIMIT_H
#define HV_LIB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
	uint64_t begin; /* of the period, in the caller's unit; the clock may jump and wrap */
	uint32_t passed, dropped;
};

/* Whether this one passes. *dropped: how many did not in the period that has ended with it. */
static inline bool limit_pass(struct limit *l, uint64_t now, uint64_t period, uint32_t most,
			      uint32_t *dropped)
{
	*dropped = 0;
	if (now - l->begin >= period) {
		*dropped = l->dropped;
		*l = (struct limit){.begin = now};
	}
	if (l->passed < most) {
		l->passed++;
		return true;
	}
	l->dropped++;
	return false;
}

#endif
