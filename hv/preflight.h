/* SPDX-License-Identifier: MIT
 *
 * The preflight table: what this machine has of what Ironix uses, what is needed, and what follows
 * where it is absent. Printed at start, readable from Linux later.
 */
#ifndef HV_PREFLIGHT_H
#define HV_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/arch/vmx.h"
#include "hv/lib/acpi.h"

enum preflight_need {
	NEED_MUST,
	NEED_WANT
};

struct preflight_row {
	const char *feature;
	bool found;
	enum preflight_need need;
	const char *detail;      /* what was found, in a few words; may be "" */
	const char *consequence; /* what absence means, and what to do */
};

#define PREFLIGHT_ROWS 32
struct preflight {
	struct preflight_row row[PREFLIGHT_ROWS];
	uint32_t rows;
};
extern struct preflight preflight;

/* Examines this core and the tables; fills the table. caps may be all zero: no VMX. */
void preflight_check(const struct vmx_caps *caps, bool vmx, bool unlocked, const struct acpi *acpi);

void preflight_print(void);

/* Says in `text` what must be there and is not: the first with what to do, the others by name.
 * Returns the length, 0 when nothing is missing. */
size_t preflight_missing(char *text, size_t size);

/* For each other core: the first thing that the boot core has and this one lacks, or NULL. */
const char *preflight_core(const struct vmx_caps *caps, bool vmx, bool unlocked);

#endif
