/* SPDX-License-Identifier: MIT
 *
 * The VF's side of the mailbox: one request and its reply at a time, in steps that never wait.
 */
#ifndef NIC_VF_MBX_H
#define NIC_VF_MBX_H

#include "nic/nic_priv.h"

#define VF_MBX_TIMEOUT_US 1000000 /* a Linux PF answers in its interrupt handler: allow a second */

/* Reads VFMAILBOX without losing read-to-clear bits; they stay in mbx.seen until taken. */
uint32_t vf_mbx_status(struct ix_nic *nic);

/* Begins a request of `n` words. */
void vf_mbx_send(struct ix_nic *nic, uint64_t now, const uint32_t *msg, uint32_t n);

/*
 * Goes on. 1: the reply is in mbx.msg, CTS taken off word 0. 0: call again. -ETIMEDOUT;
 * -ECONNRESET: the PF is in reset, was reset, or no longer accepts this VF; -ENODEV.
 */
int vf_mbx_step(struct ix_nic *nic, uint64_t now);

/*
 * With no request under way: looks for a reset notice or a message of the PF's own. 1: a message
 * was read, its word is in mbx.msg[0]. Else as vf_mbx_step().
 */
int vf_mbx_listen(struct ix_nic *nic);

#endif
