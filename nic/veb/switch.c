// SPDX-License-Identifier: MIT
/* The virtual Ethernet bridge: who gets a frame (X550 7.8.3.4, with replication on). */
#include "nic/veb/veb.h"

static bool broadcast(const uint8_t *mac)
{
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

static bool has_mac(const struct veb_vf *f, const uint8_t *mac)
{
	for (unsigned i = 0; i < f->nmacs; i++)
		if (veb_mac_equal(f->mac[i], mac))
			return true;
	return false;
}

static bool group_wanted(const struct veb *v, const struct veb_vf *f, const uint8_t *mac)
{
	/* Filter type 0: bits 47:36 of the address. The table is common to all functions. */
	uint32_t hash = mac[4] >> 4 | (uint32_t)mac[5] << 4;

	return f->mpe || (f->rompe && (v->mta[hash >> 5] & 1u << (hash & 31)));
}

static bool vlan_member(const struct veb_vf *f, const struct veb_frame *fr)
{
	uint32_t vid = fr->tci & 0xfff;

	if (f->port_vlan)
		return fr->tagged && vid == f->port_vlan;
	if (!fr->tagged)
		return true; /* AUPE is set for every function */
	return f->vlan[vid / 64] & 1ull << vid % 64;
}

static bool takes(const struct veb *v, const struct veb_vf *f, const struct veb_frame *fr)
{
	const uint8_t *da = fr->data;

	if (!f->rx_allowed || !vlan_member(f, fr))
		return false;
	if (!(da[0] & 1))
		return has_mac(f, da);
	return broadcast(da) || group_wanted(v, f, da);
}

uint32_t veb_forward(struct veb *v, struct veb_frame *fr, uint64_t now, unsigned *receivers)
{
	bool unicast = !(fr->data[0] & 1), local = false;
	uint32_t cost = 1;

	*receivers = 0;
	if (!v->mbps || v->in_reset)
		return cost; /* without a link nothing is looped back either */
	for (uint64_t left = v->active; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (i == fr->src || !takes(v, &v->vf[i], fr))
			continue;
		local = true;
		cost += 1 + fr->len / 512;
		if (veb_deliver(v, &v->vf[i], fr, now))
			++*receivers;
	}
	if (fr->src != VEB_WIRE && v->ops.wire && !(unicast && local))
		v->ops.wire(v->ops.ctx, fr->data, fr->len);
	return cost;
}
