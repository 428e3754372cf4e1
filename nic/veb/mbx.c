// SPDX-License-Identifier: MIT
/*
 * The PF behind the mailboxes: answers as Linux 6.1's ixgbe does, at once, so PFACK and PFSTS are
 * set before the write of REQ returns. Differences, both to the safe side: an address that another
 * function has is refused, and additional addresses do not turn the spoof check off.
 */
#include "nic/veb/veb.h"

#define MAX_XCAST 1 /* what an untrusted function may ask for: VF_XCAST_MULTI */

static void raise_mailbox(struct veb *v, struct veb_vf *f, uint64_t now)
{
	veb_irq_cause(v, f, f->ivar_misc & 0xff, now);
}

/* A word of the PF's own accord; waits while the memory is in use or a reply is unread. */
static void send_notice(struct veb *v, struct veb_vf *f, uint64_t now)
{
	if (!f->notice || v->in_reset || f->awaiting_ack || (f->mailbox & VF_MB_VFU))
		return;
	f->notice = false;
	f->awaiting_ack = true;
	f->mbmem[0] = VF_OP_PF_CONTROL | (f->cts ? VF_MSG_CTS : 0);
	f->mailbox |= VF_MB_PFSTS;
	raise_mailbox(v, f, now);
}

void veb_mbx_notice(struct veb *v, struct veb_vf *f, uint64_t now)
{
	f->notice = true;
	send_notice(v, f, now);
}

void veb_pf_forget(struct veb *v, struct veb_vf *f)
{
	f->api = VF_API_10;
	f->rompe = f->mpe = false;
	f->nmacs = 0;
	memset(f->vlan, 0, sizeof(f->vlan));
	if (f->mac_assigned) {
		memcpy(f->mac[0], f->assigned_mac, 6);
		f->nmacs = 1;
	}
	/* 82599: with jumbo frames on, a function gets nothing until it says it can take them. */
	f->rx_allowed = v->max_frame <= VEB_LPE_MIN;
}

static bool unicast(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && !veb_mac_equal(mac, zero);
}

static bool in_use(const struct veb *v, const struct veb_vf *but, const uint8_t mac[6])
{
	for (unsigned i = 0; i < v->nvfs; i++) {
		const struct veb_vf *f = &v->vf[i];

		if (f == but)
			continue;
		if (f->mac_assigned && veb_mac_equal(f->assigned_mac, mac))
			return true;
		for (unsigned k = 0; k < f->nmacs; k++)
			if (veb_mac_equal(f->mac[k], mac))
				return true;
	}
	return false;
}

/* Each returns whether the request is granted; the reply is made in msg. */

static bool set_mac(struct veb *v, struct veb_vf *f, const uint32_t *msg)
{
	uint8_t mac[6];

	memcpy(mac, &msg[1], 6);
	if (!unicast(mac) || in_use(v, f, mac))
		return false;
	if (f->mac_assigned && !f->trusted && !veb_mac_equal(mac, f->assigned_mac))
		return false;
	memcpy(f->mac[0], mac, 6);
	if (f->nmacs == 0)
		f->nmacs = 1;
	return true;
}

/* Index 0 clears the list of additional addresses, 1 begins a new one, others go on. */
static bool set_macvlan(struct veb *v, struct veb_vf *f, const uint32_t *msg)
{
	uint32_t index = msg[0] >> VF_MSG_INFO & 0xff;
	uint8_t mac[6];

	if (index && f->mac_assigned && !f->trusted)
		return false;
	if (index <= 1 && f->nmacs > 1)
		f->nmacs = 1;
	if (index == 0)
		return true;
	memcpy(mac, &msg[1], 6);
	if (!unicast(mac) || in_use(v, f, mac) || f->nmacs == 0 || f->nmacs == VEB_MAX_MACS)
		return false;
	memcpy(f->mac[f->nmacs++], mac, 6);
	return true;
}

/* Bits of the shared table are never cleared: as in the hardware's only user. */
static bool set_multicast(struct veb *v, struct veb_vf *f, const uint32_t *msg)
{
	uint32_t n = msg[0] >> VF_MSG_INFO & 0xff;

	if (n > VF_MC_HASHES_MAX)
		n = VF_MC_HASHES_MAX;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t hash = msg[1 + i / 2] >> 16 * (i % 2) & 0xfff;

		v->mta[hash >> 5] |= 1u << (hash & 31);
	}
	f->rompe = n > 0;
	return true;
}

static bool set_vlan(struct veb_vf *f, const uint32_t *msg)
{
	uint32_t add = msg[0] >> VF_MSG_INFO & 0xff, vid = msg[1];

	if (vid > 4095)
		return false;
	if (f->port_vlan)
		return !add && vid == 0; /* VLAN 0 comes and goes by itself in a Linux guest */
	if (add)
		f->vlan[vid / 64] |= 1ull << vid % 64;
	else
		f->vlan[vid / 64] &= ~(1ull << vid % 64);
	return true;
}

static bool set_lpe(struct veb *v, struct veb_vf *f, const uint32_t *msg)
{
	if (msg[1] < VEB_MIN_FRAME + VEB_CRC_LEN || msg[1] > v->max_frame) {
		if (v->max_frame <= VEB_LPE_MIN)
			f->rx_allowed = false;
		return false;
	}
	f->rx_allowed = true;
	return true;
}

static bool api_negotiate(struct veb_vf *f, const uint32_t *msg)
{
	switch (msg[1]) {
	case VF_API_10:
	case VF_API_11:
	case VF_API_12:
	case VF_API_13:
	case VF_API_14:
		f->api = msg[1];
		return true;
	default:
		return false;
	}
}

static bool get_queues(const struct veb_vf *f, uint32_t *msg)
{
	if (f->api == VF_API_10)
		return false;
	msg[1] = VEB_VF_QUEUES;
	msg[2] = VEB_VF_QUEUES;
	msg[3] = f->port_vlan != 0;
	msg[4] = 0;
	return true;
}

static bool get_reta(const struct veb *v, const struct veb_vf *f, uint32_t *msg)
{
	if (f->api < VF_API_12 || !f->rss_query)
		return false;
	memset(&msg[1], 0, 8 * sizeof(*msg));
	for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
		msg[1 + i / 16] |= (uint32_t)(v->rss.reta[i] & 3) << 2 * (i % 16);
	return true;
}

static bool get_rss_key(const struct veb *v, const struct veb_vf *f, uint32_t *msg)
{
	if (f->api < VF_API_12 || !f->rss_query)
		return false;
	memcpy(&msg[1], v->rss.key, IX_RSS_KEY_LEN);
	return true;
}

static bool update_xcast(struct veb_vf *f, uint32_t *msg)
{
	uint32_t mode = msg[1];

	if (f->api < VF_API_12 || mode > VF_XCAST_PROMISC)
		return false;
	if (mode > MAX_XCAST && !f->trusted)
		mode = MAX_XCAST;
	if (mode == VF_XCAST_PROMISC)
		return false; /* the 82599 cannot */
	f->mpe = mode == VF_XCAST_ALLMULTI;
	msg[1] = mode;
	return true;
}

static bool get_link_state(const struct veb_vf *f, uint32_t *msg)
{
	if (f->api < VF_API_12)
		return false;
	msg[1] = f->link_enabled;
	return true;
}

/* VF_RESET: the only request that is answered without CTS, and that grants it. */
static void hello(struct veb *v, struct veb_vf *f)
{
	veb_pf_forget(v, f);
	f->cts = true;
	veb_mark(v, &v->active, f, true);
	f->mbmem[0] = VF_OP_RESET | (f->mac_assigned ? VF_MSG_ACK : VF_MSG_NACK);
	f->mbmem[1] = f->mbmem[2] = f->mbmem[3] = 0;
	if (f->mac_assigned)
		memcpy(&f->mbmem[1], f->assigned_mac, 6);
}

static bool answer(struct veb *v, struct veb_vf *f, uint32_t *msg)
{
	switch (msg[0] & 0xffff) {
	case VF_OP_SET_MAC:
		return set_mac(v, f, msg);
	case VF_OP_SET_MULTICAST:
		return set_multicast(v, f, msg);
	case VF_OP_SET_VLAN:
		return set_vlan(f, msg);
	case VF_OP_SET_LPE:
		return set_lpe(v, f, msg);
	case VF_OP_SET_MACVLAN:
		return set_macvlan(v, f, msg);
	case VF_OP_API_NEGOTIATE:
		return api_negotiate(f, msg);
	case VF_OP_GET_QUEUES:
		return get_queues(f, msg);
	case VF_OP_GET_RETA:
		return get_reta(v, f, msg);
	case VF_OP_GET_RSS_KEY:
		return get_rss_key(v, f, msg);
	case VF_OP_UPDATE_XCAST:
		return update_xcast(f, msg);
	case VF_OP_GET_LINK_STATE:
		return get_link_state(f, msg);
	default:
		return false;
	}
}

static void request(struct veb *v, struct veb_vf *f, uint64_t now)
{
	uint32_t *msg = f->mbmem;

	f->stats.mbx_requests++;
	f->mailbox |= VF_MB_PFACK;
	if (msg[0] & (VF_MSG_ACK | VF_MSG_NACK)) {
		raise_mailbox(v, f, now); /* not a request: taken, not answered */
		return;
	}
	if ((msg[0] & 0xffff) == VF_OP_RESET) {
		hello(v, f);
	} else if (!f->cts) {
		msg[0] |= VF_MSG_NACK;
		f->stats.mbx_nacks++;
	} else if (answer(v, f, msg)) {
		msg[0] |= VF_MSG_ACK | VF_MSG_CTS;
	} else {
		msg[0] |= VF_MSG_NACK | VF_MSG_CTS;
		f->stats.mbx_nacks++;
	}
	f->mailbox |= VF_MB_PFSTS;
	f->awaiting_ack = true;
	raise_mailbox(v, f, now);
}

void veb_mbx_write(struct veb *v, struct veb_vf *f, uint32_t val, uint64_t now)
{
	/* PFU is never seen set: the PF's side is done within the write that asks for it. */
	f->mailbox = (f->mailbox & ~VF_MB_VFU) | (val & VF_MB_VFU);
	if (v->in_reset)
		return;
	if (val & VF_MB_REQ)
		request(v, f, now);
	if (val & VF_MB_ACK) {
		f->awaiting_ack = false;
		if (!f->cts) {
			f->mbmem[0] = VF_MSG_NACK;
			f->mailbox |= VF_MB_PFSTS;
			raise_mailbox(v, f, now);
		}
	}
	send_notice(v, f, now);
}

uint32_t veb_mbx_read(struct veb_vf *f)
{
	uint32_t val = f->mailbox;

	f->mailbox &= ~VF_MB_READ_CLEAR;
	return val;
}
