// SPDX-License-Identifier: MIT
/* The bridge as its users see it: life cycle, accesses, and what an administrator may do. */
#include <errno.h>
#include "nic/veb/veb.h"

#define DEFAULT_MBPS 10000

static void lock(struct veb *v)
{
	uint32_t mine = __atomic_fetch_add(&v->ticket, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&v->serving, __ATOMIC_ACQUIRE) != mine)
		__builtin_ia32_pause();
}

static void unlock(struct veb *v)
{
	__atomic_store_n(&v->serving, v->serving + 1, __ATOMIC_RELEASE);
}

/* A function by number; takes the lock if there is one. */
static struct veb_vf *get(struct veb *v, unsigned vf)
{
	if (vf >= v->nvfs)
		return NULL;
	lock(v);
	return &v->vf[vf];
}

size_t veb_size(unsigned nvfs)
{
	if (nvfs == 0 || nvfs > VEB_MAX_VFS)
		return 0;
	return sizeof(struct veb) + nvfs * sizeof(struct veb_vf);
}

static void set_rss(struct veb *v, const uint8_t *key, const uint8_t *reta)
{
	memcpy(v->rss.key, key, IX_RSS_KEY_LEN);
	memcpy(v->rss.reta, reta, IX_RSS_RETA_LEN);
	ix_toeplitz_init(&v->rss.toeplitz, key);
}

/* What FLR does, and power-on: only the PF's settings and the counters survive. */
static void function_reset(struct veb *v, struct veb_vf *f)
{
	veb_vf_reset(f);
	memset(f->rxq, 0, sizeof(f->rxq));
	memset(f->txq, 0, sizeof(f->txq));
	memset(f->mbmem, 0, sizeof(f->mbmem));
	memset(f->ivar, 0, sizeof(f->ivar));
	f->ivar_misc = f->eitr[0] = f->eitr[1] = f->psrtype = 0;
	f->mailbox &= VF_MB_RSTI;
	f->awaiting_ack = f->notice = f->cts = false;
	veb_mark(v, &v->active, f, false);
	veb_mark(v, &v->tx_pending, f, false);
	veb_mark(v, &v->irq_pending, f, false);
	veb_pf_forget(v, f);
	veb_cfg_reset(f);
}

struct veb *veb_init(void *mem, const struct veb_config *cfg, const struct veb_ops *ops)
{
	static const uint8_t zero[IX_RSS_KEY_LEN];
	struct veb *v = mem;
	uint8_t reta[IX_RSS_RETA_LEN];

	if (!veb_size(cfg->nvfs) || !ops->dma || !ops->msi ||
	    (cfg->max_frame && (cfg->max_frame < VEB_LPE_MIN || cfg->max_frame > VEB_FRAME_MAX)))
		return NULL;
	memset(mem, 0, veb_size(cfg->nvfs));
	v->nvfs = cfg->nvfs;
	v->flags = cfg->flags;
	v->max_frame = cfg->max_frame ? cfg->max_frame : VEB_FRAME_MAX;
	v->subsystem_vendor = cfg->subsystem_vendor;
	v->subsystem_device = cfg->subsystem_device;
	v->mbps = DEFAULT_MBPS;
	v->ops = *ops;
	for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
		reta[i] = i % VEB_VF_QUEUES; /* as a Linux PF with VFs */
	set_rss(v, memcmp(cfg->rss_key, zero, sizeof(zero)) ? cfg->rss_key : ix_rss_default_key,
		reta);
	for (unsigned i = 0; i < v->nvfs; i++) {
		struct veb_vf *f = &v->vf[i];

		f->spoof_check = f->rss_query = f->link_enabled = true;
		function_reset(v, f);
		f->stats.resets = 0;
	}
	return v;
}

uint32_t veb_mmio_read(struct veb *v, unsigned vf, unsigned bar, uint32_t off, uint64_t now)
{
	struct veb_vf *f;
	uint32_t val = 0;

	if (off >= VEB_BAR_LEN || off % 4 || !(f = get(v, vf)))
		return 0;
	if (bar == 0)
		val = veb_reg_read(v, f, off, now);
	else if (bar == 3)
		val = veb_msix_read(f, off);
	unlock(v);
	return val;
}

void veb_mmio_write(struct veb *v, unsigned vf, unsigned bar, uint32_t off, uint32_t val,
		    uint64_t now)
{
	struct veb_vf *f;

	if (off >= VEB_BAR_LEN || off % 4 || !(f = get(v, vf)))
		return;
	if (bar == 0)
		veb_reg_write(v, f, off, val, now);
	else if (bar == 3)
		veb_msix_write(v, f, off, val);
	unlock(v);
}

static bool cfg_access_ok(uint32_t off, uint32_t size)
{
	return (size == 1 || size == 2 || size == 4) && off % size == 0 && off < 4096;
}

uint32_t veb_cfg_read(struct veb *v, unsigned vf, uint32_t off, uint32_t size)
{
	struct veb_vf *f;
	uint32_t val;

	if (!cfg_access_ok(off, size) || !(f = get(v, vf)))
		return ~0u;
	val = veb_cfg_word(v, f, off, size);
	unlock(v);
	return val;
}

void veb_cfg_write(struct veb *v, unsigned vf, uint32_t off, uint32_t size, uint32_t val,
		   uint64_t now)
{
	struct veb_vf *f;

	(void)now;
	if (!cfg_access_ok(off, size) || !(f = get(v, vf)))
		return;
	if (veb_cfg_store(v, f, off, size, val))
		function_reset(v, f);
	unlock(v);
}

bool veb_bar(struct veb *v, unsigned vf, unsigned bar, uint64_t *base)
{
	struct veb_vf *f;
	bool decode;

	if ((bar != 0 && bar != 3) || !(f = get(v, vf)))
		return false;
	*base = (uint64_t)f->bar[bar + 1] << 32 | f->bar[bar];
	decode = f->command & 2;
	unlock(v);
	return decode;
}

void veb_set_bar(struct veb *v, unsigned vf, unsigned bar, uint64_t base, bool decode)
{
	struct veb_vf *f;

	if ((bar != 0 && bar != 3) || !(f = get(v, vf)))
		return;
	f->bar[bar] = base & ~(uint64_t)(VEB_BAR_LEN - 1);
	f->bar[bar + 1] = base >> 32;
	f->command = (f->command & ~2) | (decode ? 2 : 0);
	unlock(v);
}

void veb_flr(struct veb *v, unsigned vf)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return;
	function_reset(v, f);
	unlock(v);
}

static uint64_t next(const struct veb *v, uint64_t now)
{
	uint64_t first = v->tx_pending ? now : UINT64_MAX;

	for (unsigned i = 0; first > now && i < v->nvfs; i++) {
		uint64_t at = veb_irq_next(v, &v->vf[i], now);

		first = at < first ? at : first;
	}
	return first;
}

bool veb_busy(const struct veb *v)
{
	return __atomic_load_n(&v->tx_pending, __ATOMIC_RELAXED) |
	       __atomic_load_n(&v->irq_pending, __ATOMIC_RELAXED);
}

uint64_t veb_next(struct veb *v, uint64_t now)
{
	uint64_t at;

	lock(v);
	at = next(v, now);
	unlock(v);
	return at;
}

uint64_t veb_poll(struct veb *v, uint64_t now)
{
	/* One function per turn of the lock, so that others get theirs in between. */
	for (unsigned i = 0; i < v->nvfs; i++) {
		lock(v);
		if (v->tx_pending & 1ull << i)
			veb_transmit(v, &v->vf[i], VEB_ALL_QUEUES, now);
		veb_irq_evaluate(v, &v->vf[i], now);
		unlock(v);
	}
	return veb_next(v, now);
}

unsigned veb_wire_input(struct veb *v, const void *frame, size_t len, uint64_t now)
{
	struct veb_frame fr = {.data = frame, .len = len, .src = VEB_WIRE};
	unsigned receivers = 0;

	if (len < 14 || len > VEB_FRAME_MAX)
		return 0;
	lock(v);
	if (len + VEB_CRC_LEN <= v->max_frame) {
		veb_parse(v, &fr);
		veb_verify(&fr);
		veb_forward(v, &fr, now, &receivers);
	}
	unlock(v);
	return receivers;
}

/* The PF's side */

int veb_set_mac(struct veb *v, unsigned vf, const uint8_t mac[6], uint64_t now)
{
	static const uint8_t zero[6];
	struct veb_vf *f;

	if (mac[0] & 1)
		return -EINVAL;
	f = get(v, vf);
	if (!f)
		return -ENOENT;
	f->mac_assigned = !veb_mac_equal(mac, zero);
	memcpy(f->assigned_mac, mac, 6);
	if (veb_active(v, f)) {
		f->cts = false; /* the driver has to say VF_RESET to hear of it */
		veb_mbx_notice(v, f, now);
	}
	unlock(v);
	return 0;
}

static void notice_all(struct veb *v, uint64_t now)
{
	for (unsigned i = 0; i < v->nvfs; i++)
		if (veb_active(v, &v->vf[i]))
			veb_mbx_notice(v, &v->vf[i], now);
}

int veb_set_link(struct veb *v, unsigned mbps, uint64_t now)
{
	if (mbps != 0 && mbps != 100 && mbps != 1000 && mbps != 10000)
		return -EINVAL;
	lock(v);
	if (v->mbps != mbps) {
		v->mbps = mbps;
		notice_all(v, now);
	}
	unlock(v);
	return 0;
}

int veb_set_vf_link(struct veb *v, unsigned vf, bool up, uint64_t now)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	f->link_enabled = up;
	if (veb_active(v, f))
		veb_mbx_notice(v, f, now);
	unlock(v);
	return 0;
}

void veb_pf_reset_begin(struct veb *v, uint64_t now)
{
	(void)now;
	lock(v);
	v->in_reset = true;
	for (unsigned i = 0; i < v->nvfs; i++) {
		struct veb_vf *f = &v->vf[i];

		veb_vf_reset(f);
		veb_pf_forget(v, f);
		f->cts = f->awaiting_ack = f->notice = false;
		f->mailbox |= VF_MB_RSTI;
	}
	memset(v->mta, 0, sizeof(v->mta));
	v->active = 0;
	__atomic_store_n(&v->tx_pending, 0, __ATOMIC_RELAXED);
	unlock(v);
}

void veb_pf_reset_end(struct veb *v, uint64_t now)
{
	(void)now;
	lock(v);
	v->in_reset = false;
	for (unsigned i = 0; i < v->nvfs; i++) {
		v->vf[i].mailbox &= ~VF_MB_RSTI;
		v->vf[i].mailbox |= VF_MB_RSTD;
	}
	unlock(v);
}

int veb_revoke(struct veb *v, unsigned vf, uint64_t now)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	f->cts = false;
	veb_mbx_notice(v, f, now);
	unlock(v);
	return 0;
}

int veb_set_spoof(struct veb *v, unsigned vf, bool check)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	f->spoof_check = check;
	unlock(v);
	return 0;
}

int veb_set_trust(struct veb *v, unsigned vf, bool trusted)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	f->trusted = trusted;
	if (!trusted)
		f->mpe = false;
	unlock(v);
	return 0;
}

int veb_set_rss_query(struct veb *v, unsigned vf, bool allowed)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	f->rss_query = allowed;
	unlock(v);
	return 0;
}

int veb_set_rss(struct veb *v, const uint8_t key[IX_RSS_KEY_LEN],
		const uint8_t reta[IX_RSS_RETA_LEN])
{
	for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
		if (reta[i] >= VEB_VF_QUEUES)
			return -EINVAL;
	lock(v);
	set_rss(v, key, reta);
	unlock(v);
	return 0;
}

int veb_set_port_vlan(struct veb *v, unsigned vf, uint16_t vid, uint64_t now)
{
	struct veb_vf *f;

	if (vid > 4094)
		return -EINVAL;
	f = get(v, vf);
	if (!f)
		return -ENOENT;
	f->port_vlan = vid;
	memset(f->vlan, 0, sizeof(f->vlan));
	if (veb_active(v, f)) {
		f->cts = false;
		veb_mbx_notice(v, f, now);
	}
	unlock(v);
	return 0;
}

int veb_vf_stats(struct veb *v, unsigned vf, struct veb_vf_stats *out)
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	*out = f->stats;
	unlock(v);
	return 0;
}

int veb_vf_mac(struct veb *v, unsigned vf, uint8_t mac[6])
{
	struct veb_vf *f = get(v, vf);

	if (!f)
		return -ENOENT;
	memset(mac, 0, 6);
	if (f->nmacs)
		memcpy(mac, f->mac[0], 6);
	unlock(v);
	return 0;
}
