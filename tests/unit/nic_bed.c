// SPDX-License-Identifier: MIT
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/unit/nic_bed.h"

const uint8_t bed_mac[BED_VFS][6] = {
    {0x02, 0, 0, 0, 0, 0x10},
    {0x02, 0, 0, 0, 0, 0x11},
    {0x02, 0, 0, 0, 0, 0x12},
    {0x02, 0, 0, 0, 0, 0x13},
};

/* What the bridge asks of its owner */

static void *dma(void *ctx, unsigned vf, uint64_t gpa, uint32_t len, bool write)
{
	struct bed *b = ctx;

	(void)write;
	assert(vf < BED_VFS && len >= 1 && len <= 16384 && gpa + len > gpa);
	if (gpa < BED_GPA(vf) || gpa - BED_GPA(vf) > BED_MEM - len)
		return NULL;
	return b->mem[vf] + (gpa - BED_GPA(vf));
}

static void msi(void *ctx, unsigned vf, uint64_t addr, uint32_t data)
{
	struct bed *b = ctx;

	if (b->nmsi < 256) {
		b->msi[b->nmsi].vf = vf;
		b->msi[b->nmsi].addr = addr;
		b->msi[b->nmsi].data = data;
	}
	b->nmsi++;
}

static void wire(void *ctx, const void *frame, size_t len)
{
	struct bed *b = ctx;

	if (b->nwire < BED_WIRE_MAX) {
		memcpy(b->wire[b->nwire].data, frame, len);
		b->wire[b->nwire].len = len;
	}
	b->nwire++;
}

struct bed *bed_new(const struct veb_config *cfg)
{
	static const struct veb_config standard = {.nvfs = BED_VFS};
	struct bed *b = calloc(1, sizeof(*b));
	struct veb_ops ops = {.dma = dma, .msi = msi, .wire = wire, .ctx = b};
	size_t size = (veb_size(BED_VFS) + 63) & ~(size_t)63;

	if (!cfg)
		cfg = &standard;
	b->now_ns = 1000000;
	b->veb = veb_init(aligned_alloc(64, size), cfg, &ops);
	assert(b->veb);
	for (unsigned i = 0; i < BED_VFS; i++) {
		b->mem[i] =
		    mmap(NULL, BED_MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert(b->mem[i] != MAP_FAILED);
		b->used[i] = 4096; /* address 0 of a function is not used */
		if (i < cfg->nvfs) {
			veb_set_mac(b->veb, i, bed_mac[i], b->now_ns);
			veb_cfg_write(b->veb, i, 4, 2, 6, b->now_ns); /* memory, bus master */
		}
	}
	return b;
}

void bed_free(struct bed *b)
{
	for (unsigned i = 0; i < BED_VFS; i++) {
		munmap(b->mem[i], BED_MEM);
		free(b->nic[i].log);
	}
	free(b->veb);
	free(b);
}

void *bed_alloc(struct bed *b, unsigned vf, size_t len, uint64_t *gpa)
{
	size_t at = (b->used[vf] + 4095) & ~(size_t)4095;

	assert(at + len <= BED_MEM);
	b->used[vf] = at + len;
	if (gpa)
		*gpa = BED_GPA(vf) + at;
	return b->mem[vf] + at;
}

void *bed_ptr(struct bed *b, unsigned vf, uint64_t gpa)
{
	return b->mem[vf] + (gpa - BED_GPA(vf));
}

uint32_t bed_rd(struct bed *b, unsigned vf, uint32_t off)
{
	return veb_mmio_read(b->veb, vf, 0, off, b->now_ns);
}

void bed_wr(struct bed *b, unsigned vf, uint32_t off, uint32_t val)
{
	veb_mmio_write(b->veb, vf, 0, off, val, b->now_ns);
}

void bed_mbx(struct bed *b, unsigned vf, uint32_t *msg, unsigned n)
{
	bed_wr(b, vf, VF_MAILBOX, VF_MB_VFU);
	for (unsigned i = 0; i < n; i++)
		bed_wr(b, vf, VF_MBMEM(i), msg[i]);
	bed_wr(b, vf, VF_MAILBOX, VF_MB_REQ);
	bed_rd(b, vf, VF_MAILBOX);
	for (unsigned i = 0; i < VF_MBMEM_WORDS; i++)
		msg[i] = bed_rd(b, vf, VF_MBMEM(i));
	bed_wr(b, vf, VF_MAILBOX, VF_MB_ACK);
}

void bed_hello(struct bed *b, unsigned vf)
{
	uint32_t reset[16] = {VF_OP_RESET}, api[16] = {VF_OP_API_NEGOTIATE, VF_API_13};
	uint32_t lpe[16] = {VF_OP_SET_LPE, 1518};

	bed_mbx(b, vf, reset, 1);
	bed_mbx(b, vf, api, 3);
	bed_mbx(b, vf, lpe, 2);
}

void bed_rx_ring(struct bed *b, unsigned vf, unsigned q, uint32_t size, struct bed_ring *r)
{
	r->size = size;
	r->desc = bed_alloc(b, vf, 16 * size, &r->gpa);
	r->buf = bed_alloc(b, vf, BED_BUF_SIZE * size, &r->buf_gpa);
	for (uint32_t i = 0; i < size; i++)
		r->desc[i].q[0] = r->buf_gpa + BED_BUF_SIZE * i;
	bed_wr(b, vf, VF_RDBAL(q), (uint32_t)r->gpa);
	bed_wr(b, vf, VF_RDBAH(q), r->gpa >> 32);
	bed_wr(b, vf, VF_RDLEN(q), 16 * size);
	bed_wr(b, vf, VF_RDH(q), 0);
	bed_wr(b, vf, VF_RDT(q), 0);
	bed_wr(b, vf, VF_SRRCTL(q), VF_SRRCTL_DROP | VF_SRRCTL_ADV | 2);
	bed_wr(b, vf, VF_RXDCTL(q), VF_DCTL_ENABLE);
	bed_wr(b, vf, VF_RDT(q), size - 1);
}

void bed_tx_ring(struct bed *b, unsigned vf, unsigned q, uint32_t size, struct bed_ring *r)
{
	r->size = size;
	r->desc = bed_alloc(b, vf, 16 * size, &r->gpa);
	r->buf = bed_alloc(b, vf, 512 << 10, &r->buf_gpa);
	bed_wr(b, vf, VF_TDBAL(q), (uint32_t)r->gpa);
	bed_wr(b, vf, VF_TDBAH(q), r->gpa >> 32);
	bed_wr(b, vf, VF_TDLEN(q), 16 * size);
	bed_wr(b, vf, VF_TDH(q), 0);
	bed_wr(b, vf, VF_TDT(q), 0);
	bed_wr(b, vf, VF_TXDCTL(q), VF_DCTL_ENABLE);
}

void bed_send(struct bed *b, unsigned vf, unsigned q, struct bed_ring *r, const void *frame,
	      uint32_t len)
{
	uint32_t tail = bed_rd(b, vf, VF_TDT(q));

	memcpy(r->buf, frame, len);
	r->desc[tail].q[0] = 14 << VF_CTX_MACLEN;
	r->desc[tail].q[1] = VF_TX_DEXT | VF_TX_CTX;
	tail = (tail + 1) % r->size;
	r->desc[tail].q[0] = r->buf_gpa;
	r->desc[tail].q[1] = VF_TX_DEXT | VF_TX_DATA | VF_TX_EOP | VF_TX_IFCS | VF_TX_RS |
			     VF_TX_CC | (uint64_t)len << VF_TX_PAYLEN | len;
	bed_wr(b, vf, VF_TDT(q), (tail + 1) % r->size);
}

/* What the driver asks of its place */

static uint64_t now_us(void *ctx)
{
	struct bed_nic *n = ctx;

	__atomic_fetch_add(&n->bed->now_ns, 200, __ATOMIC_RELAXED);
	return n->bed->now_ns / 1000;
}

static void udelay(void *ctx, uint32_t us)
{
	struct bed_nic *n = ctx;

	__atomic_fetch_add(&n->bed->now_ns, 1000ull * us, __ATOMIC_RELAXED);
}

static uint32_t pci_read(void *ctx, uint32_t off, uint32_t size)
{
	struct bed_nic *n = ctx;

	return veb_cfg_read(n->bed->veb, n->vf, off, size);
}

static void pci_write(void *ctx, uint32_t off, uint32_t size, uint32_t val)
{
	struct bed_nic *n = ctx;

	veb_cfg_write(n->bed->veb, n->vf, off, size, val, n->bed->now_ns);
}

static void note(struct bed_nic *n, bool write, unsigned bar, uint32_t off, uint32_t val)
{
	if (n->nlog < BED_LOG)
		n->log[n->nlog++] = (struct bed_access){write, bar, off, val};
}

static uint32_t mmio_read(void *ctx, unsigned bar, uint32_t off)
{
	struct bed_nic *n = ctx;
	uint32_t val;

	__atomic_fetch_add(&n->bed->now_ns, 500, __ATOMIC_RELAXED);
	val = veb_mmio_read(n->bed->veb, n->vf, bar, off, n->bed->now_ns);
	if (n->on_read && bar == 0)
		val = n->on_read(n, off, val);
	note(n, false, bar, off, val);
	return val;
}

static void mmio_write(void *ctx, unsigned bar, uint32_t off, uint32_t val)
{
	struct bed_nic *n = ctx;

	__atomic_fetch_add(&n->bed->now_ns, 100, __ATOMIC_RELAXED);
	note(n, true, bar, off, val);
	if (n->on_write && bar == 0 && !n->on_write(n, off, &val))
		return;
	veb_mmio_write(n->bed->veb, n->vf, bar, off, val, n->bed->now_ns);
}

void bed_nic_config(struct ix_nic_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->nqueues = 1;
	cfg->rx_ring = 256;
	cfg->tx_ring = 256;
	cfg->rx_buf_size = BED_BUF_SIZE;
	cfg->max_frame = 1518;
}

struct bed_nic *bed_nic_new(struct bed *b, unsigned vf, const struct ix_nic_config *cfg)
{
	struct bed_nic *n = &b->nic[vf];
	size_t size;
	uint64_t gpa;
	void *mem;

	n->bed = b;
	n->vf = vf;
	if (cfg)
		n->cfg = *cfg;
	else
		bed_nic_config(&n->cfg);
	n->platform = (struct ix_nic_platform){n, now_us, udelay, pci_read, pci_write};
	n->mmio = (struct ix_nic_mmio){mmio_read, mmio_write};
	n->dev = (struct ix_nic_dev){.vendor = 0x8086,
				     .device = 0x10ed,
				     .bar_len = {VEB_BAR_LEN, 0, 0, VEB_BAR_LEN},
				     .platform = &n->platform,
				     .mmio = &n->mmio,
				     .mmio_ctx = n};
	if (!n->log)
		n->log = calloc(BED_LOG, sizeof(*n->log));
	size = ix_nic_mem_size(&n->cfg);
	assert(size);
	mem = bed_alloc(b, vf, size, &gpa);
	n->nic = ix_nic_init(&n->dev, &n->cfg, mem, gpa);
	assert(n->nic);
	return n;
}

struct bed_nic *bed_nic_up(struct bed *b, unsigned vf, const struct ix_nic_config *cfg)
{
	struct bed_nic *n = bed_nic_new(b, vf, cfg);
	int ret = ix_nic_start(n->nic, 3000000);

	assert(ret == 0);
	for (unsigned q = 0; q < ix_nic_nqueues(n->nic); q++)
		bed_nic_fill(n, q);
	return n;
}

void bed_nic_fill(struct bed_nic *n, unsigned queue)
{
	struct ix_nic_queue *q = ix_nic_queue(n->nic, queue);
	unsigned room = ix_nic_rx_room(q), done = 0;
	uint64_t gpa;
	uint8_t *mem = bed_alloc(n->bed, n->vf, (size_t)room * n->cfg.rx_buf_size, &gpa);

	for (unsigned i = 0; i < room; i++) {
		struct ix_nic_buf buf = {mem + (size_t)i * n->cfg.rx_buf_size,
					 gpa + (uint64_t)i * n->cfg.rx_buf_size};

		done += ix_nic_rx_post(q, &buf, 1);
	}
	assert(done == room);
}

uint32_t bed_nic_run(struct bed_nic *n, uint32_t us, uint32_t step)
{
	uint32_t events = 0;

	for (uint32_t t = 0; t < us; t += step) {
		events |= ix_nic_control(n->nic);
		n->bed->now_ns += 1000ull * step;
	}
	return events;
}

/* Frames */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* Deliberately not the model's: one byte at a time. */
static uint32_t slow_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint32_t bed_eth(uint8_t *f, const uint8_t *dst, const uint8_t *src, uint16_t type, uint32_t len)
{
	memcpy(f, dst, 6);
	memcpy(f + 6, src, 6);
	put16(f + 12, type);
	for (uint32_t i = 14; i < len; i++)
		f[i] = i;
	return len;
}

static uint32_t pseudo(const uint8_t *ip, uint32_t len)
{
	return slow_sum(ip + 12, 8, ip[9] + len);
}

uint32_t bed_ip4(uint8_t *f, const uint8_t *dst, const uint8_t *src, uint8_t proto, uint16_t sport,
		 uint16_t dport, uint32_t payload, uint8_t seed)
{
	uint32_t l4 = proto == 6 ? 20 : 8, len = 14 + 20 + l4 + payload, sum;
	uint8_t *ip = f + 14, *p = f + 34;

	memset(f, 0, 34 + l4);
	bed_eth(f, dst, src, 0x0800, 14);
	ip[0] = 0x45;
	put16(ip + 2, 20 + l4 + payload);
	put16(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, (uint8_t[]){10, 0, 0, src[5]}, 4);
	memcpy(ip + 16, (uint8_t[]){10, 0, 0, dst[5]}, 4);
	put16(ip + 10, ~slow_sum(ip, 20, 0));
	put16(p, sport);
	put16(p + 2, dport);
	for (uint32_t i = 0; i < payload; i++)
		p[l4 + i] = seed + i;
	if (proto == 6) {
		put16(p + 4, 0x0102);
		put16(p + 6, 0xfff0); /* sequence numbers wrap in their low half */
		p[12] = 0x50;
		p[13] = 0x99; /* CWR, ACK, PSH, FIN */
		put16(p + 14, 0x2000);
	} else {
		put16(p + 4, 8 + payload);
	}
	sum = slow_sum(p, l4 + payload, pseudo(ip, l4 + payload));
	put16(p + (proto == 6 ? 16 : 6), sum == 0xffff && proto == 17 ? 0xffff : ~sum);
	return len;
}

bool bed_ip4_sum_ok(const uint8_t *f)
{
	return slow_sum(f + 14, 4 * (f[14] & 15), 0) == 0xffff;
}

bool bed_l4_sum_ok(const uint8_t *f)
{
	const uint8_t *ip = f + 14;
	uint32_t hlen = 4 * (ip[0] & 15), len = get16(ip + 2) - hlen;

	return slow_sum(ip + hlen, len, pseudo(ip, len)) == 0xffff;
}
