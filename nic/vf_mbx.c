// SPDX-License-Identifier: MIT
#include <string.h>
#include "nic/vf_mbx.h"
#include "nic/vf_regs.h"

static uint32_t rd(const struct ix_nic *nic, uint32_t off)
{
	return nic_read32(nic->dev, off);
}

static void wr(const struct ix_nic *nic, uint32_t off, uint32_t val)
{
	nic_write32(nic->dev, off, val);
}

uint32_t vf_mbx_status(struct ix_nic *nic)
{
	uint32_t now = rd(nic, VF_MAILBOX);

	nic->vf.mbx.seen |= now & VF_MB_READ_CLEAR;
	return now | nic->vf.mbx.seen;
}

/* No register of a live VF has all bits set; VFSTATUS decides. */
static bool is_gone(const struct ix_nic *nic, uint32_t val)
{
	return val == ~0u && rd(nic, VF_STATUS) == ~0u;
}

/* Takes the right to use the message memory; without it nothing is written there. */
static bool lock(struct ix_nic *nic)
{
	wr(nic, VF_MAILBOX, VF_MB_VFU);
	return vf_mbx_status(nic) & VF_MB_VFU;
}

void vf_mbx_send(struct ix_nic *nic, uint64_t now, const uint32_t *msg, uint32_t n)
{
	struct vf_mbx *m = &nic->vf.mbx;

	memset(m->msg, 0, sizeof(m->msg));
	memcpy(m->msg, msg, n * sizeof(*msg));
	m->len = n;
	m->state = MBX_SEND;
	m->deadline = now + VF_MBX_TIMEOUT_US;
}

static bool send(struct ix_nic *nic)
{
	struct vf_mbx *m = &nic->vf.mbx;

	if (!lock(nic))
		return false;
	/* What the PF said before is not the answer to this. */
	m->seen &= ~(VF_MB_PFSTS | VF_MB_PFACK);
	for (uint32_t i = 0; i < m->len; i++)
		wr(nic, VF_MBMEM(i), m->msg[i]);
	wr(nic, VF_MAILBOX, VF_MB_REQ); /* gives up VFU as well */
	return true;
}

/* Reads a message into `msg`; false if the PF is at work in the memory. */
static bool receive(struct ix_nic *nic, uint32_t msg[VF_MBMEM_WORDS])
{
	struct vf_mbx *m = &nic->vf.mbx;

	if (!lock(nic))
		return false;
	m->seen &= ~VF_MB_PFSTS;
	for (uint32_t i = 0; i < VF_MBMEM_WORDS; i++)
		msg[i] = rd(nic, VF_MBMEM(i));
	wr(nic, VF_MAILBOX, VF_MB_ACK); /* gives up VFU as well */
	nic->vf.cts = msg[0] & VF_MSG_CTS;
	return true;
}

/* Is this the answer to the request, and not something that the PF said in between? */
static bool answers(uint32_t reply, uint32_t request)
{
	return (reply & (VF_MSG_ACK | VF_MSG_NACK)) && (uint16_t)reply == (uint16_t)request;
}

int vf_mbx_step(struct ix_nic *nic, uint64_t now)
{
	struct vf_mbx *m = &nic->vf.mbx;
	uint32_t status, msg[VF_MBMEM_WORDS];

	if (m->state == MBX_IDLE)
		return -EINVAL;
	if (m->state == MBX_SEND && send(nic))
		m->state = MBX_WAIT;
	status = vf_mbx_status(nic);
	if (is_gone(nic, status))
		return -ENODEV;
	if (status & (VF_MB_RSTI | VF_MB_RSTD)) {
		m->state = MBX_IDLE;
		return -ECONNRESET;
	}
	if (m->state == MBX_WAIT && (status & VF_MB_PFSTS) && receive(nic, msg)) {
		if (answers(msg[0], m->msg[0])) {
			memcpy(m->msg, msg, sizeof(msg));
			m->msg[0] &= ~VF_MSG_CTS;
			m->state = MBX_IDLE;
			return 1;
		}
		/* "Not clear to send": the PF has forgotten us. */
		if (msg[0] == VF_MSG_NACK || !(msg[0] & VF_MSG_CTS)) {
			m->state = MBX_IDLE;
			return -ECONNRESET;
		}
		nic->vf.todo |= VF_TODO_LINK; /* a notice came first */
	}
	if (now < m->deadline)
		return 0;
	m->state = MBX_IDLE;
	nic->stats.mbx_timeouts++;
	return -ETIMEDOUT;
}

int vf_mbx_listen(struct ix_nic *nic)
{
	uint32_t status = vf_mbx_status(nic);

	if (is_gone(nic, status))
		return -ENODEV;
	if (status & (VF_MB_RSTI | VF_MB_RSTD))
		return -ECONNRESET;
	if (!(status & VF_MB_PFSTS) || !receive(nic, nic->vf.mbx.msg))
		return 0;
	return 1;
}
