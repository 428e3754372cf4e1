/* SPDX-License-Identifier: MIT
 *
 * Which model-specific registers a guest may touch, and how.
 */
#ifndef HV_LIB_MSR_H
#define HV_LIB_MSR_H

#include <stdbool.h>
#include <stdint.h>

enum msr_action {
	MSR_PASS,    /* straight to the processor; an unknown MSR is its #GP */
	MSR_DENY,    /* #GP */
	MSR_EMULATE, /* handled by the hypervisor */
};

/* The control VM passes by default: it drives the machine. What could break out is taken back. */
enum msr_action msr_root(uint32_t msr, bool write);

/* A dataplane is denied by default: its own system registers, time and timer are let through. */
enum msr_action msr_dataplane(uint32_t msr, bool write);

#define MSR_BITMAP_SIZE 4096

/* Fills a VMX MSR bitmap (SDM 3C 25.6.9): all that does not pass exits. */
void msr_bitmap_fill(uint8_t bitmap[MSR_BITMAP_SIZE],
		     enum msr_action (*policy)(uint32_t msr, bool write));

/* Whether an access exits, by the bitmap; MSRs outside its two ranges always do. */
bool msr_bitmap_exits(const uint8_t bitmap[MSR_BITMAP_SIZE], uint32_t msr, bool write);

#endif
