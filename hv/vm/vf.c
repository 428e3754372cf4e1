/* SPDX-License-Identifier: MIT */
#include "hv/vm/vf.h"

#include <ix/vf82599.h>

#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/hv.h"
#include "hv/lib/errno.h"
#include "hv/lib/msi.h"
#include "hv/lib/string.h"
#include "hv/lib/ticks.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/vm/guest_mem.h"
#include "hv/vm/icr.h"
#include "hv/vm/linux_mem.h"
#include "hv/vm/pci.h"

#define DATAPLANE_VFS  8
#define BAR_REGISTERS  0
#define BAR_MSIX       3
#define REGISTER_SPACE 0x10000 /* between the functions of dataplanes in guest-physical space */
#define CONFIG_COMMAND 4

struct vf {
	unsigned int index;
	uint16_t bdf;         /* Linux's */
	struct domain *owner; /* NULL: Linux, or nobody */
	uint64_t bar[2];      /* where Linux has put BAR0 and BAR3; 0: nowhere */
};

static struct veb *veb;
static struct vf vfs[VEB_MAX_VFS];
static unsigned int nlinux, nvfs;

static uint64_t now_ns(void)
{
	return ticks_to_ns(rdtsc(), tsc_khz());
}

/* Memory of the owner: Linux's RAM, or the domain's. Both are writable in the direct map. */
static void *vf_dma(void *ctx, unsigned int vf, uint64_t gpa, uint32_t len, bool write)
{
	const struct domain *d = vf < nvfs ? vfs[vf].owner : NULL;
	bool has;

	(void)ctx;
	(void)write;
	if (d)
		has = domain_memory_has(d->mem, d->nmem, gpa, len);
	else
		has = vf < nlinux && memmap_contains(&hv.linux_map, gpa, len, MEM_RAM);
	return has ? direct(gpa) : NULL;
}

/* Linux's interrupts are plain IPIs to its own cores. Dataplanes poll: theirs go nowhere. */
static void vf_msi(void *ctx, unsigned int vf, uint64_t addr, uint32_t data)
{
	struct icr icr;

	(void)ctx;
	if (vf < nlinux && msi_decode(addr, data, &icr))
		icr_message(&icr);
}

static const struct veb_ops ops = {.dma = vf_dma, .msi = vf_msi};

/* The model leaves work over, bounded as each call is: a timer of this core goes on with it, in `pause`
 * ticks at the earliest. */
static void plan_work(struct vcpu *v, uint64_t pause)
{
	uint64_t now, next, ticks;

	if (!veb_busy(veb))
		return;
	now = now_ns();
	next = veb_next(veb, now);
	if (next == UINT64_MAX)
		return;
	ticks = next <= now ? 0 : (next - now) * tsc_khz() / 1000000;
	vcpu_set_timer(v, ticks > pause ? ticks : pause);
}

static void after_access(struct vcpu *v)
{
	plan_work(v, 0);
}

/* The guest then runs for as long as this took, or somebody else's function that never runs out of work
 * would keep it out. */
void vf_timer(struct vcpu *v)
{
	uint64_t begin = rdtsc();

	if (!veb)
		return;
	veb_poll(veb, now_ns());
	plan_work(v, rdtsc() - begin);
}

static uint64_t bar_read(struct vf *f, unsigned int bar, uint64_t offset, uint8_t size)
{
	if (size != 4 || offset & 3)
		return 0;
	return veb_mmio_read(veb, f->index, bar, (uint32_t)offset, now_ns());
}

static void bar_write(struct vf *f, unsigned int bar, uint64_t offset, uint8_t size, uint64_t value)
{
	if (size == 4 && !(offset & 3))
		veb_mmio_write(veb, f->index, bar, (uint32_t)offset, (uint32_t)value, now_ns());
}

static uint64_t registers_read(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size)
{
	uint64_t value = bar_read(ctx, BAR_REGISTERS, offset, size);

	after_access(v);
	return value;
}

static void registers_write(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size,
			    uint64_t value)
{
	bar_write(ctx, BAR_REGISTERS, offset, size, value);
	after_access(v);
}

static uint64_t msix_read(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size)
{
	(void)v;
	return bar_read(ctx, BAR_MSIX, offset, size);
}

static void msix_write(struct vcpu *v, void *ctx, uint64_t offset, uint8_t size, uint64_t value)
{
	bar_write(ctx, BAR_MSIX, offset, size, value);
	after_access(v);
}

/* Linux has written to a BAR or the command register: the trapped pages move with it. */
static void follow_bars(struct vf *f)
{
	static const unsigned int number[2] = {BAR_REGISTERS, BAR_MSIX};

	for (unsigned int i = 0; i < 2; i++) {
		struct mmio_region r = {
		    .range.size = VEB_BAR_LEN,
		    .read = i ? msix_read : registers_read,
		    .write = i ? msix_write : registers_write,
		    .ctx = f,
		};
		uint64_t base;

		if (!veb_bar(veb, f->index, number[i], &base))
			base = 0;
		if (base == f->bar[i])
			continue;
		if (f->bar[i])
			linux_mem_untrap(f->bar[i], VEB_BAR_LEN);
		r.range.base = base;
		f->bar[i] = base;
		if (base && linux_mem_trap(&r)) {
			log_guest("VF %u: BAR%u cannot be mapped at %#lx", f->index, number[i],
				  base);
			f->bar[i] = 0;
		}
	}
}

static uint32_t config_read(void *ctx, uint16_t offset, uint8_t size)
{
	const struct vf *f = ctx;

	return veb_cfg_read(veb, f->index, offset, size);
}

static void config_write(void *ctx, uint16_t offset, uint8_t size, uint32_t value)
{
	struct vf *f = ctx;

	veb_cfg_write(veb, f->index, offset, size, value, now_ns());
	follow_bars(f);
}

static void show_to_linux(struct vf *f)
{
	struct pci_rule rule = {
	    .policy = PCI_VIRTUAL,
	    .read = config_read,
	    .write = config_write,
	    .ctx = f,
	};

	if (pci_free_slot(&rule.bdf) || pci_add_rule(&rule))
		panic("no place for a software VF on PCI bus 0");
	f->bdf = rule.bdf;
	log_info("software 82599 VF %u at PCI 00:%02x.0", f->index, f->bdf >> 3);
}

void vf_init(void)
{
	struct veb_config cfg = {.flags = VEB_NO_THROTTLE};
	void *mem;

	nlinux = hv.options.vfs;
	if (!nlinux)
		return;
	nvfs = nlinux + DATAPLANE_VFS;
	cfg.nvfs = nvfs;
	mem = page_alloc((veb_size(nvfs) + PAGE_SIZE - 1) / PAGE_SIZE);
	veb = mem ? veb_init(mem, &cfg, &ops) : NULL;
	if (!veb)
		panic("no memory for %u software VFs", nvfs);
	veb_set_link(veb, 10000, now_ns());
	for (unsigned int i = 0; i < nvfs; i++) {
		/* Locally administered; "IX". */
		uint8_t mac[6] = {0x02, 0x49, 0x58, 0, 0, (uint8_t)i};

		vfs[i].index = i;
		veb_set_mac(veb, i, mac, now_ns());
	}
	/* Free slots are found from the highest down; Linux finds VF 0 first, as eth0. */
	for (unsigned int i = nlinux; i-- > 0;)
		show_to_linux(&vfs[i]);
}

/* Above all physical memory, within what the processor can address. */
static uint64_t register_base(const struct vf *f)
{
	return BIT(hv.phys_bits - 1) + f->index * REGISTER_SPACE;
}

int vf_assign(struct domain *d, struct domain_device *dev, const char **why)
{
	struct vf *f = NULL;

	for (unsigned int i = nlinux; i < nvfs && !f; i++)
		if (!vfs[i].owner)
			f = &vfs[i];
	*why = nvfs ? "all software VFs for dataplanes are in use"
		    : "there are no software VFs: the hypervisor was started without vfs=";
	if (!f)
		return -ENODEV;
	veb_flr(veb, f->index);
	f->owner = d;
	veb_set_bar(veb, f->index, BAR_REGISTERS, register_base(f), true);
	dev->used = true;
	dev->vf = (int)f->index;
	dev->dma_open = false;
	dev->device.vendor = VEB_VENDOR;
	dev->device.device = VEB_DEVICE;
	dev->device.bar[BAR_REGISTERS] =
	    (struct ix_bar){register_base(f), VEB_BAR_LEN, IX_BAR_PRESENT, 0};
	*why = "";
	log_info("dataplane %s: has software VF %u", d->vm.name, f->index);
	return 0;
}

void vf_release(struct domain *d, struct domain_device *dev)
{
	struct vf *f = &vfs[dev->vf];

	(void)d;
	veb_flr(veb, f->index);
	f->owner = NULL;
	memset(dev, 0, sizeof(*dev));
}

void vf_quiet(const struct domain_device *dev)
{
	veb_flr(veb, (unsigned int)dev->vf);
	veb_set_bar(veb, (unsigned int)dev->vf, BAR_REGISTERS, register_base(&vfs[dev->vf]), true);
}

uint32_t vf_config_read(const struct domain_device *dev, uint16_t offset, uint8_t size)
{
	return veb_cfg_read(veb, (unsigned int)dev->vf, offset, size);
}

void vf_config_write(const struct domain_device *dev, uint16_t offset, uint8_t size, uint32_t value)
{
	veb_cfg_write(veb, (unsigned int)dev->vf, offset, size, value, now_ns());
}

bool vf_access(struct vcpu *v, uint64_t gpa, bool write)
{
	const struct domain *d = (const struct domain *)v->vm;
	struct mmio_insn insn;

	for (unsigned int i = nlinux; i < nvfs; i++) {
		struct vf *f = &vfs[i];

		if (f->owner != d || !range_contains(register_base(f), VEB_BAR_LEN, gpa, 1))
			continue;
		if (guest_decode_mmio(v, &insn) || insn.write != write)
			return false;
		if (write)
			bar_write(f, BAR_REGISTERS, gpa - register_base(f), insn.size,
				  guest_mmio_stores(v, &insn));
		else
			guest_mmio_loads(
			    v, &insn,
			    bar_read(f, BAR_REGISTERS, gpa - register_base(f), insn.size));
		vcpu_skip_bytes(v, insn.length);
		after_access(v);
		return true;
	}
	return false;
}
