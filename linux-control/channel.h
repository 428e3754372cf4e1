/* SPDX-License-Identifier: MIT
 *
 * The control channel (<ix/hypercall.h>): struct hv over the BARs of the hypervisor's PCI function.
 */
#ifndef LINUX_CONTROL_CHANNEL_H
#define LINUX_CONTROL_CHANNEL_H

#include "linux-control/hv.h"

struct channel {
	volatile uint8_t *shared; /* BAR0 */
	/* Makes the hypervisor execute the call in slot 0. */
	void (*ring)(struct channel *channel);
	volatile uint32_t *doorbell; /* BAR1 */
};

/*
 * Finds and maps the function. 0, or -ENODEV: this machine does not run under Ironix, -EPROTO: its
 * interface has another version, or another -errno; hv->problem may say more.
 */
int channel_open(struct hv *hv, struct channel *channel, const char *root);

/* Checks the header and connects `hv` to a channel that is mapped. */
int channel_attach(struct hv *hv, struct channel *channel);

#endif
