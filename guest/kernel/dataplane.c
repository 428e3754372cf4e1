/* SPDX-License-Identifier: MIT
 *
 * Set-up of the dataplane, and its environment in the kernel.
 */
#include <errno.h>

#include "guest/core/core.h"
#include "guest/kernel/apic.h"
#include "guest/kernel/clock.h"
#include "guest/kernel/console.h"
#include "guest/kernel/dataplane.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/port.h"
#include "guest/kernel/process.h"
#include "guest/kernel/random.h"
#include "guest/kernel/string.h"
#include "guest/kernel/uvm.h"

#define NIC_START_US 3000000
#define SLEEP_US     50     /* longest sleep of a core whose NIC cannot wake it */
#define CONTROL_US   50000  /* the NIC wants to be looked after */
#define DRAIN_US     200000 /* the end of an application: how long its last words may take */
#define RESET_US     100000 /* and the resets of the connections that it has not closed */
#define MSI_ADDRESS  0xfee00000
#define WATCHDOG_US  10000
#define SPIN_US      50 /* how long a core looks for packets before it sleeps */

/* A page of the application that was looked up; good until any page is removed or its rights narrowed. */
struct seen_page {
	uint64_t number;     /* user address >> PAGE_BITS */
	uint64_t generation; /* uvm_generation(); 0: none */
	uint8_t *kernel;     /* where the kernel sees it */
	bool write;
};
#define SEEN_PAGES 8 /* a power of two */

/* One core's part; what another core reads is not in it. */
struct plane {
	struct seen_page seen[SEEN_PAGES];
	struct core *core; /* NULL: this CPU core has no queue */
	struct port port;
	bool irq;            /* the NIC can wake this core */
	bool armed;          /* and has been asked to */
	uint64_t idle_since; /* microseconds; 0: not since the last run_io() */
	bool over;           /* the application has ended, and nothing of it is left here; atomic */
};

static struct plane planes[MAX_CPUS];
static struct port *ports[MAX_CPUS];
static struct core_config config;
static struct ix_nic_dev nic_dev;
static const struct ix_device *device;
static unsigned nplanes;
static bool ready; /* the first run_io() was told */
static const struct ix_stats *stats_area;
static struct ix_rss software_rss; /* for a NIC with one queue and more cores */

/* ---- the NIC's platform ---- */

static uint64_t now_us(void *ctx)
{
	(void)ctx;
	return clock_ns() / 1000;
}

static void udelay(void *ctx, uint32_t us)
{
	uint64_t end = now_us(ctx) + us;

	while (now_us(ctx) <= end)
		cpu_pause();
}

static uint32_t nic_pci_read(void *ctx, uint32_t off, uint32_t size)
{
	return pci_read(ctx, off, size);
}

static void nic_pci_write(void *ctx, uint32_t off, uint32_t size, uint32_t value)
{
	pci_write(ctx, off, size, value);
}

/* ---- a core's environment ---- */

/* Apart, or user() would save registers for it that it does not need. */
static __attribute__((noinline)) void *look_up(struct seen_page *s, uint64_t addr, bool write)
{
	/* Read before the tables: what is removed meanwhile makes the entry stale. */
	uint64_t generation = uvm_generation();
	uint8_t *p = uvm_kernel_address(addr, write);

	if (p)
		*s = (struct seen_page){
		    .number = addr >> PAGE_BITS,
		    .generation = generation,
		    .kernel = p - (addr & (PAGE_SIZE - 1)),
		    .write = write,
		};
	return p;
}

static void *user(void *ctx, uint64_t addr, uint64_t len, bool write, uint64_t *run)
{
	struct plane *pl = ctx;
	struct seen_page *s = &pl->seen[(addr >> PAGE_BITS) % SEEN_PAGES];
	uint64_t offset = addr & (PAGE_SIZE - 1), room = PAGE_SIZE - offset;

	*run = len < room ? len : room;
	if (s->number == addr >> PAGE_BITS && s->generation == uvm_generation() &&
	    s->write >= write)
		return s->kernel + offset;
	return look_up(s, addr, write);
}

static bool self_check;
static uint64_t watchdog_us = WATCHDOG_US, watchdog_stop_us, wall_us, spin_us = SPIN_US;

/*
 * Nothing to do before `until`. First a while of looking again, as much is answered soon. Then sleep: a
 * NIC that can wake the core is asked to, and looked at once more before the core sleeps; for one that
 * cannot, sleeps are short.
 */
static bool idle(void *ctx, uint64_t until)
{
	static const int never = 0;
	struct plane *pl = ctx;
	const struct spread *s = pl->port.spread;
	uint64_t now = now_us(NULL);

	if (pl->idle_since == 0)
		pl->idle_since = now;
	if (!config.idle_sleep || now - pl->idle_since < spin_us) {
		process_check();
		cpu_pause();
		return true;
	}
	if (pl->irq && !pl->armed && until > now) {
		pl->armed = ix_nic_irq_arm(pl->port.queue) == 0;
		if (pl->armed)
			return true;
	}
	uint64_t most = now + (pl->armed || s ? CONTROL_US : SLEEP_US);

	until = until < most ? until : most;
	if (s) /* core 0 wakes it */
		process_wait_bare((const int *)&s->full.head, (int)s->full.tail,
				  clock_tsc(until * 1000));
	else
		process_wait_bare(&never, 0, clock_tsc(until * 1000));
	if (pl->armed) {
		ix_nic_irq_disarm(pl->port.queue);
		pl->armed = false;
	}
	return true;
}

/* ---- set-up ---- */

static int own_key(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (strcmp(key, "watchdog") == 0)
		return core_parse_usec(&watchdog_us, value);
	if (strcmp(key, "watchdog-stop") == 0)
		return core_parse_usec(&watchdog_stop_us, value);
	if (strcmp(key, "idle-spin") == 0)
		return core_parse_usec(&spin_us, value);
	if (strcmp(key, "wall-clock") == 0)
		return core_parse_usec(&wall_us, value);
	if (strcmp(key, "self-check") == 0) {
		self_check = strcmp(value, "on") == 0;
		return self_check || strcmp(value, "off") == 0 ? 0 : -EINVAL;
	}
	return -1;
}

static void configure(const struct ix_bootinfo *bi)
{
	struct core_config_error err = {0};

	core_config_default(&config);
	random_bytes(config.net.secret, sizeof(config.net.secret));
	if (bi->config.size && core_config_parse(&config, phys_to_virt(bi->config.base),
						 bi->config.size, own_key, NULL, &err))
		refuse("configuration, line %u: %s", err.line, err.what);
	clock_set_wall(wall_us * 1000);
	process_set_limits(watchdog_us, watchdog_stop_us);
	process_set_self_check(self_check || is_bare());
}

static struct ix_nic *start_nic(const struct ix_bootinfo *bi, unsigned nqueues)
{
	static struct ix_nic_platform platform = {.now_us = now_us,
						  .udelay = udelay,
						  .pci_read = nic_pci_read,
						  .pci_write = nic_pci_write};
	unsigned d = 0;

	while (d < bi->ndevices &&
	       ix_nic_probe(bi->device[d].vendor, bi->device[d].device) == IX_NIC_NONE)
		d++;
	if (d == bi->ndevices)
		return NULL;
	device = &bi->device[d];
	platform.ctx = (void *)(uintptr_t)device;
	nic_dev = (struct ix_nic_dev){
	    .vendor = device->vendor, .device = device->device, .platform = &platform};
	for (unsigned i = 0; i < IX_MAX_BARS; i++) {
		const struct ix_bar *bar = &device->bar[i];

		if (!(bar->flags & IX_BAR_PRESENT) || bar->size == 0 || bar->size > UINT32_MAX)
			continue;
		nic_dev.bar[i] = map_mmio(bar->base, bar->size);
		nic_dev.bar_len[i] = (uint32_t)bar->size;
		if (!nic_dev.bar[i])
			refuse("not enough memory for the NIC's registers");
	}

	struct ix_nic_config nc = {
	    .nqueues = nqueues >= 4   ? 4
		       : nqueues >= 2 ? 2
				      : 1,
	    .rx_ring = (uint16_t)config.rx_ring,
	    .tx_ring = (uint16_t)config.tx_ring,
	    .rx_buf_size = CORE_RXBUF_SIZE,
	    .max_frame = (uint16_t)(config.net.mtu + 18),
	};

	memcpy(nc.mac, config.net.mac, sizeof(nc.mac));
	random_bytes(&nc.seed, sizeof(nc.seed));
	size_t size = ix_nic_mem_size(&nc);
	uint64_t pa = page_alloc_run((unsigned)((size + PAGE_SIZE - 1) >> PAGE_BITS));

	if (!size || !pa)
		refuse("network: %s", size ? "not enough memory for the NIC's rings"
					   : "ring sizes are powers of two");
	struct ix_nic *nic = ix_nic_init(&nic_dev, &nc, phys_to_virt(pa), pa);

	if (!nic)
		refuse("network: the NIC at %02x:%02x.%u cannot be used", device->bdf >> 8,
		       device->bdf >> 3 & 31, device->bdf & 7);
	int err = ix_nic_start(nic, NIC_START_US);

	if (err == -ENODEV)
		refuse("network: the NIC does not answer");
	if (err)
		say("network: the NIC is not up yet; it is tried again");
	return nic;
}

static void wake(uint32_t id)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&cpu_of(id)->sleeping, __ATOMIC_RELAXED))
		apic_kick(cpu_of(id));
}

/* Core 0 spreads flows over n cores, as the 82599's redirection table would. */
static void spread_over(unsigned n)
{
	memcpy(software_rss.key, ix_rss_default_key, sizeof(software_rss.key));
	ix_toeplitz_init(&software_rss.toeplitz, software_rss.key);
	for (unsigned i = 0; i < IX_RSS_RETA_LEN; i++)
		software_rss.reta[i] = (uint8_t)(i % n);
	software_rss.queue_mask = UINT8_MAX;
}

static uint64_t pages_for(uint64_t bytes, const char *what)
{
	uint64_t pa = page_alloc_run((unsigned)((bytes + PAGE_SIZE - 1) >> PAGE_BITS));

	if (!pa)
		refuse("not enough memory for %s: %lu MB are wanted, %u are free", what,
		       (bytes + PAGE_SIZE - 1) >> 20, pages_free() * (PAGE_SIZE >> 20));
	return pa;
}

static void start_core(struct plane *pl, unsigned i, struct ix_nic *nic, struct ix_stats *stats,
		       struct ixn_arp *arp)
{
	size_t shared_size = core_shared_size(&config);
	uint64_t mem = pages_for(core_mem_size(&config), "the network's state");
	uint64_t shared = pages_for(shared_size, "receive buffers");
	uint64_t window = USER_SHARED + i * USER_WINDOW;
	struct core_env env = {
	    .ctx = pl,
	    .now_us = now_us,
	    .user = user,
	    .idle = idle,
	    .dma_delta = 0 - IX_DIRECT_BASE,
	    .user_delta = window - (uint64_t)phys_to_virt(shared),
	};
	struct core_params params = {
	    .cfg = &config, .env = &env, .stats = stats, .arp = arp, .id = i, .ncores = nplanes};
	struct core_port port;

	if (shared_size > USER_WINDOW ||
	    uvm_map_shared(window, shared, (unsigned)((shared_size + PAGE_SIZE - 1) >> PAGE_BITS)))
		refuse("not enough address space for receive buffers");
	pl->core = core_init(phys_to_virt(mem), phys_to_virt(shared), &params);
	ASSERT(pl->core);
	pl->port = (struct port){
	    .core = pl->core,
	    .nic = nic,
	    .queue = i < ix_nic_nqueues(nic) ? ix_nic_queue(nic, i) : NULL,
	    .dma_delta = env.dma_delta,
	    .id = i,
	    .control = i == 0,
	    .wake = wake,
	};
	if (nplanes > 1)
		pl->port.rss = nplanes > ix_nic_nqueues(nic) ? &software_rss : ix_nic_rss(nic);
	if (!pl->port.queue)
		pl->port.spread =
		    phys_to_virt(pages_for(sizeof(struct spread), "rings between cores"));
	port_attach(&pl->port, &port);
	core_set_port(pl->core, &port);
	int err = core_start(pl->core, &config);

	if (err)
		refuse("configuration: addresses or routes cannot be used (error %d)", -err);
	pl->irq = pl->port.queue && (ix_nic_caps(nic) & IX_NIC_CAP_IRQ) &&
		  ix_nic_irq_setup(pl->port.queue, MSI_ADDRESS | (uint64_t)cpu_of(i)->apic_id << 12,
				   VEC_NIC) == 0;
}

void dataplane_init(const struct ix_bootinfo *bi)
{
	configure(bi);

	unsigned want = config.queues ? config.queues : bi->ncores;
	struct ix_nic *nic = start_nic(bi, want < bi->ncores ? want : bi->ncores);

	if (!nic) {
		say("no network: the domain has no NIC");
		return;
	}
	uint32_t caps = ix_nic_caps(nic);

	ix_nic_mac(nic, config.net.mac);
	config.net.caps =
	    (caps & IX_NIC_CAP_TX_CSUM ? IXN_CAP_TX_IP_CSUM | IXN_CAP_TX_L4_CSUM : 0) |
	    (caps & IX_NIC_CAP_RX_CSUM ? IXN_CAP_RX_CSUM : 0);
	if (core_mem_size(&config) == 0)
		refuse("configuration: sizes do not fit together");
	/* Either each core has a queue, or core 0 has the one queue and serves the others. */
	nplanes = ix_nic_nqueues(nic) == 1 ? bi->ncores : ix_nic_nqueues(nic);
	if (nplanes > bi->ncores)
		nplanes = bi->ncores;
	if (nplanes > ix_nic_nqueues(nic))
		spread_over(nplanes);
	else if (nplanes > 1 && !ix_nic_rss(nic))
		say("network: the NIC does not tell how it spreads flows: answers to connections "
		    "from here may reach another core; queues = 1 avoids that");
	/* At most half of the memory is the network's, but for who asks for more. */
	if (core_config_fit(&config, (uint64_t)pages_free() * PAGE_SIZE / 2 / nplanes))
		say("network: %u connections and %u receive buffers per core, as memory is short",
		    config.net.max_conns, config.rx_buffers);

	uint64_t stats_pa = pages_for(core_stats_size(nplanes), "statistics");
	struct ix_stats *stats = phys_to_virt(stats_pa);
	struct ixn_arp *arp = NULL;

	core_stats_init(stats, nplanes, tsc_khz);
	stats_area = stats;
	tell_stats(stats_pa, core_stats_size(nplanes));
	if (nplanes > 1)
		arp = ixn_arp_init(
		    phys_to_virt(pages_for(ixn_arp_size(config.net.arp_entries), "ARP")),
		    config.net.arp_entries);
	for (unsigned i = 0; i < nplanes; i++)
		start_core(&planes[i], i, nic, stats, arp);
	if (nplanes > ix_nic_nqueues(nic)) {
		for (unsigned i = 0; i < nplanes; i++)
			ports[i] = &planes[i].port;
		planes[0].port.peers = ports;
		planes[0].port.npeers = nplanes;
	}

	const uint8_t *m = config.net.mac;

	say("network: %u core%s, %u queue%s, MAC %02x:%02x:%02x:%02x:%02x:%02x, link %s", nplanes,
	    nplanes > 1 ? "s" : "", ix_nic_nqueues(nic), ix_nic_nqueues(nic) > 1 ? "s" : "", m[0],
	    m[1], m[2], m[3], m[4], m[5], ix_nic_link(nic).up ? "up" : "down");
}

/* ---- use ---- */

bool dataplane_active(const struct cpu *c)
{
	return planes[c->index].core;
}

int64_t dataplane_call(struct cpu *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t d)
{
	struct core *core = planes[c->index].core;

	if (!core)
		return nr == IX_SYS_ATTACH ? -EAGAIN : -ENOSYS;
	/* Told before the call: it returns with the first event, and a server's first client may wait
	 * for this. */
	if (nr == IX_SYS_RUN_IO && c->thread.attached && !ready &&
	    !__atomic_exchange_n(&ready, true, __ATOMIC_RELAXED))
		tell(IX_GEVENT_READY, 0);

	planes[c->index].idle_since = 0;
	int64_t ret = core_syscall(core, nr, a, b, d);

	if (nr == IX_SYS_ATTACH && ret == 0)
		c->thread.attached = true;
	/* Only a cycle counts: other calls, or a refused one, leave the network waiting. */
	if (c->thread.attached && nr == IX_SYS_RUN_IO && ret >= 0) {
		c->thread.serving = true;
		process_watchdog_reset(c);
	}
	return ret;
}

void dataplane_background(struct cpu *c)
{
	if (planes[c->index].core)
		core_background(planes[c->index].core);
}

void dataplane_say_stats(void)
{
	for (unsigned i = 0; i < nplanes; i++)
		for (unsigned k = 0; k < stats_area->ncounters; k++)
			if (stats_area->core[i].value[k])
				say("stat %u %s %lu", i, stats_area->name[k],
				    stats_area->core[i].value[k]);
}

static void end_stage(struct core *core, enum core_end how, uint64_t us)
{
	uint64_t end = now_us(NULL) + us;

	while (core_end(core, how) && now_us(NULL) < end)
		cpu_pause();
}

static bool all_over(void)
{
	for (unsigned i = 0; i < nplanes; i++)
		if (!__atomic_load_n(&planes[i].over, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

void dataplane_end(struct cpu *c, bool last)
{
	struct plane *pl = &planes[c->index];

	if (!pl->core)
		return;
	if (c->thread.attached) {
		end_stage(pl->core, CORE_DRAIN, DRAIN_US);
		end_stage(pl->core, CORE_RESET, RESET_US);
		core_end(pl->core, CORE_DROP);
		c->thread.attached = c->thread.serving = false;
	}
	if (!last)
		return;
	__atomic_store_n(&pl->over, true, __ATOMIC_RELEASE);
	/* Cores without a queue send through this one. */
	uint64_t end = now_us(NULL) + DRAIN_US + RESET_US;

	while (pl->port.npeers && !all_over() && now_us(NULL) < end)
		core_background(pl->core);
}
