// SPDX-License-Identifier: MIT
/* Interrupt causes, auto-mask, throttling, and MSI-X (X550 7.3.1, 7.3.2). */
#include "nic/veb/veb.h"

#define MSIX_ENABLE   0x8000u
#define MSIX_MASK_ALL 0x4000u
#define MSIX_MASKED   1u
#define PBA_OFFSET    0x2000
#define ITR_MASK      0xff8u
#define ITR_UNIT_NS   256 /* bits 11:3 count 2.048 us, so the field as it stands counts 256 ns */

static bool deliverable(const struct veb_vf *f, unsigned v)
{
	return (f->msix_ctrl & (MSIX_ENABLE | MSIX_MASK_ALL)) == MSIX_ENABLE &&
	       !(f->msix[v].ctrl & MSIX_MASKED) && (f->command & 4);
}

static void send_msix(struct veb *v, struct veb_vf *f, unsigned n)
{
	const struct veb_msix *m = &f->msix[n];

	if (!deliverable(f, n)) {
		f->pba |= 1u << n;
		return;
	}
	f->pba &= ~(1u << n);
	f->stats.interrupts++;
	v->ops.msi(v->ops.ctx, veb_index(v, f), (uint64_t)m->addr_hi << 32 | m->addr_lo, m->data);
}

void veb_msix_unmasked(struct veb *v, struct veb_vf *f)
{
	for (unsigned n = 0; n < VEB_NUM_VECTORS; n++)
		if ((f->pba & 1u << n) && deliverable(f, n))
			send_msix(v, f, n);
}

static uint64_t throttle_ns(const struct veb *v, const struct veb_vf *f, unsigned n)
{
	if (n >= 2 || (v->flags & VEB_NO_THROTTLE))
		return 0;
	return (uint64_t)(f->eitr[n] & ITR_MASK) * ITR_UNIT_NS;
}

void veb_irq_evaluate(struct veb *v, struct veb_vf *f, uint64_t now)
{
	uint32_t ready = f->eicr & f->eims;

	for (unsigned n = 0; ready && n < VEB_NUM_VECTORS; n++) {
		uint32_t bit = 1u << n;

		if (!(ready & bit) || (throttle_ns(v, f, n) && now < f->not_before[n]))
			continue;
		f->eicr &= ~bit; /* always auto-cleared for a VF */
		if (f->eiam & bit)
			f->eims &= ~bit;
		if (n < 2)
			f->not_before[n] = now + throttle_ns(v, f, n);
		send_msix(v, f, n);
	}
	veb_mark(v, &v->irq_pending, f, f->eicr & f->eims);
}

uint64_t veb_irq_next(const struct veb *v, const struct veb_vf *f, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (unsigned n = 0; n < VEB_NUM_VECTORS; n++) {
		uint64_t at = throttle_ns(v, f, n) ? f->not_before[n] : now;

		if ((f->eicr & f->eims & 1u << n) && at < next)
			next = at > now ? at : now;
	}
	return next;
}

void veb_irq_cause(struct veb *v, struct veb_vf *f, uint32_t ivar_byte, uint64_t now)
{
	unsigned n = ivar_byte & 3;

	if (!(ivar_byte & VF_IVAR_VALID) || n >= VEB_NUM_VECTORS)
		return;
	f->eicr |= 1u << n;
	veb_irq_evaluate(v, f, now);
}

uint32_t veb_msix_read(const struct veb_vf *f, uint32_t off)
{
	const struct veb_msix *m;

	if (off == PBA_OFFSET)
		return f->pba;
	if (off / 16 >= VEB_NUM_VECTORS)
		return 0;
	m = &f->msix[off / 16];
	switch (off % 16) {
	case 0:
		return m->addr_lo;
	case 4:
		return m->addr_hi;
	case 8:
		return m->data;
	default:
		return m->ctrl;
	}
}

void veb_msix_write(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val)
{
	struct veb_msix *m;

	if (off / 16 >= VEB_NUM_VECTORS)
		return;
	m = &f->msix[off / 16];
	switch (off % 16) {
	case 0:
		m->addr_lo = val & ~3u;
		break;
	case 4:
		m->addr_hi = val;
		break;
	case 8:
		m->data = val;
		break;
	default:
		m->ctrl = val & MSIX_MASKED;
		veb_msix_unmasked(v, f);
	}
}
