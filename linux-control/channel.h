/* SPDX-License-Identifier: MIT
 *
 * The control channel: struct hv over the BARs of the hypervisor's PCI function.
 */
#ifndef LINUX_CONTROL_CHANNEL_H
#define LINUX_CONTROL_CHANNEL_H

#include "linux-control/hv.h"

/*
 * Finds and maps the function. 0, or -ENODEV: this machine does not run under Ironix, -EPROTO: its
 * interface has another version, or -errno.
 */
int channel_open(struct hv *hv);

#endif
