// SPDX-License-Identifier: MIT
/*
 * A hostile driver against the device model: register writes, descriptors and buffers in its memory,
 * configuration space, the wire, and the PF's side, in any order. Function 0 is the attacker's,
 * function 1 receives as a well-behaved one does. Memory outside the owner's is poisoned by its
 * absence: each function's is a block of its own, so AddressSanitizer sees a step outside.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <ix/vf82599.h>
#include "nic/vf_regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEM      (64u << 10)
#define GPA      0x10000u
#define OPS      512
#define MAX_WORK 200000 /* DMA requests that one call may make: bounded, whatever is asked */

static uint8_t *mem[2];
static unsigned requests;

static void *dma(void *ctx, unsigned vf, uint64_t gpa, uint32_t len, bool write)
{
	(void)ctx;
	(void)write;
	assert(vf < 2 && len > 0 && len <= 16384);
	requests++;
	if (gpa < GPA || gpa - GPA > MEM - len)
		return NULL;
	return mem[vf] + (gpa - GPA);
}

static void msi(void *ctx, unsigned vf, uint64_t addr, uint32_t val)
{
	(void)ctx;
	(void)addr;
	(void)val;
	assert(vf < 2);
}

static void wire(void *ctx, const void *frame, size_t len)
{
	(void)ctx;
	assert(len >= 60 && len <= VEB_FRAME_MAX + 4);
	__asm__ volatile("" : : "r"(((const uint8_t *)frame)[len - 1])); /* readable to the end */
}

struct input {
	const uint8_t *p;
	size_t left;
};

static uint32_t take(struct input *in, unsigned bytes)
{
	uint32_t v = 0;

	for (; bytes && in->left; bytes--, in->left--)
		v = v << 8 | *in->p++;
	return v;
}

static void say(struct veb *v, unsigned vf, uint32_t w0, uint32_t w1, uint32_t w2)
{
	veb_mmio_write(v, vf, 0, VF_MBMEM(0), w0, 0);
	veb_mmio_write(v, vf, 0, VF_MBMEM(1), w1, 0);
	veb_mmio_write(v, vf, 0, VF_MBMEM(2), w2, 0);
	veb_mmio_write(v, vf, 0, VF_MAILBOX, VF_MB_REQ, 0);
	veb_mmio_write(v, vf, 0, VF_MAILBOX, VF_MB_ACK, 0);
}

static void ring(struct veb *v, unsigned vf, uint32_t base, uint32_t at, uint32_t len)
{
	veb_mmio_write(v, vf, 0, base, at, 0);
	veb_mmio_write(v, vf, 0, base + 8, len, 0);
	veb_mmio_write(v, vf, 0, base + 0x28, VF_DCTL_ENABLE, 0);
}

/* Both functions usable, so that mutation starts behind the handshake. */
static void begin(struct veb *v)
{
	for (unsigned vf = 0; vf < 2; vf++) {
		uint8_t mac[6] = {2, 0, 0, 0, 0, vf};

		veb_set_mac(v, vf, mac, 0);
		veb_cfg_write(v, vf, 4, 2, 6, 0);
		say(v, vf, VF_OP_RESET, 0, 0);
		say(v, vf, VF_OP_API_NEGOTIATE, VF_API_13, 0);
		say(v, vf, VF_OP_SET_LPE, 9000, 0);
		ring(v, vf, VF_RDBAL(0), GPA, 512);
		ring(v, vf, VF_TDBAL(0), GPA + 512, 512);
		for (uint64_t i = 0; i < 32; i++) {
			uint64_t buf = GPA + 8192 + 1024 * i;

			memcpy(mem[vf] + 16 * i, &buf, 8);
		}
		veb_mmio_write(v, vf, 0, VF_SRRCTL(0), VF_SRRCTL_ADV | 1, 0);
		veb_mmio_write(v, vf, 0, VF_RDT(0), 31, 0);
	}
}

/* A descriptor that is nearly right, at slot `slot` of the attacker's TX ring. */
static void descriptor(struct input *in)
{
	uint32_t slot = take(in, 1) % 32, kind = take(in, 1);
	uint64_t d[2] = {GPA + 4096 + take(in, 1), VF_TX_DEXT};
	uint32_t len = take(in, 2);

	if (kind & 1) {
		d[0] = take(in, 4);
		d[1] |= VF_TX_CTX | (uint64_t)take(in, 4) << 32 | (kind & 7) << 10;
	} else {
		d[1] |= VF_TX_DATA | VF_TX_IFCS | VF_TX_CC | (uint64_t)len << VF_TX_PAYLEN | len;
		d[1] |= (kind & 2 ? VF_TX_EOP | VF_TX_RS : 0) | (kind & 4 ? VF_TX_TSE : 0) |
			(kind & 8 ? VF_TX_IXSM : 0) | (kind & 16 ? VF_TX_TXSM : 0) |
			(kind & 32 ? VF_TX_VLE : 0) | (kind & 64 ? 1ull << VF_TX_IDX_SHIFT : 0);
		if (kind & 4)
			d[1] -= (uint64_t)(take(in, 1) & 127) << VF_TX_PAYLEN;
		if (kind & 128)
			d[0] = (uint64_t)take(in, 4) << 16 | take(in, 4);
	}
	memcpy(mem[0] + 512 + 16 * slot, d, 16);
}

/* A frame at the attacker's transmit buffer: good addresses, and what the input says from there. */
static void frame(struct input *in)
{
	uint8_t *p = mem[0] + 4096;
	uint32_t how = take(in, 1);

	memset(p, how & 1 ? 0xff : 0, 6);
	if (how & 2)
		p[0] = 2, p[5] = 1;
	memset(p + 6, 0, 6);
	p[6] = 2;
	for (uint32_t i = 0, n = take(in, 1) % 80; i < n; i++)
		p[12 + i] = take(in, 1);
}

static void operate(struct veb *v, struct input *in, uint64_t *now)
{
	uint32_t op = take(in, 1), off, val;
	uint8_t block[160];

	switch (op % 16) {
	case 0 ... 2: /* any register of BAR0, with a taste for the ones there are */
		off = take(in, 2) & 0x3ffc;
		veb_mmio_write(v, 0, 0, off, take(in, 4), *now);
		break;
	case 3:
		veb_mmio_read(v, 0, op & 0x80 ? 3 : 0, take(in, 2) & 0x3fff, *now);
		break;
	case 4 ... 5:
		veb_mmio_write(v, 0, 0, VF_TDT(take(in, 1) % 8), take(in, 1), *now);
		break;
	case 6 ... 7:
		descriptor(in);
		break;
	case 8:
		frame(in);
		break;
	case 9: /* memory, anywhere */
		off = take(in, 2);
		val = take(in, 4);
		memcpy(mem[0] + off % (MEM - 4), &val, 4);
		break;
	case 10:
		off = take(in, 2) & 0xfff;
		val = 1u << take(in, 1) % 3;
		veb_cfg_write(v, 0, off & ~(val - 1), val, take(in, 4), *now);
		veb_cfg_read(v, 0, off, val);
		break;
	case 11:
		veb_mmio_write(v, 0, 3, take(in, 2) & 0x3ffc, take(in, 4), *now);
		break;
	case 12:
		val = take(in, 2);
		say(v, op >> 7, (val & 0xff1f) | (val & 0xff00) << 8, take(in, 4), take(in, 4));
		break;
	case 13:
		for (val = 0; val < sizeof(block); val++)
			block[val] = take(in, 1);
		if (op & 0x10) /* to function 1, and IP */
			memcpy(block, (uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
		if (op & 0x20)
			memcpy(block + 12, op & 0x40 ? "\x86\xdd\x60" : "\x08\x00\x45", 3);
		veb_wire_input(v, block, take(in, 1) % sizeof(block), *now);
		break;
	case 14: /* the PF's side */
		switch (take(in, 1) % 10) {
		case 0:
			veb_set_link(v, op & 0x80 ? 10000 : 0, *now);
			break;
		case 1:
			veb_pf_reset_begin(v, *now);
			break;
		case 2:
			veb_pf_reset_end(v, *now);
			break;
		case 3:
			veb_revoke(v, 0, *now);
			break;
		case 4:
			veb_set_trust(v, 0, op & 0x80);
			break;
		case 5:
			veb_set_port_vlan(v, take(in, 1) % 2, take(in, 2), *now);
			break;
		case 6:
			veb_set_spoof(v, 0, op & 0x80);
			break;
		case 7:
			veb_flr(v, 0);
			veb_cfg_write(v, 0, 4, 2, 6, *now);
			break;
		case 8:
			veb_set_vf_link(v, 0, op & 0x80, *now);
			break;
		default:
			begin(v);
		}
		break;
	default:
		*now += take(in, 2);
		veb_poll(v, *now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct veb_config cfg = {.nvfs = 2};
	static const struct veb_ops ops = {dma, msi, wire, NULL};
	struct input in = {data, size};
	uint64_t now = 0;
	struct veb *v;

	for (int i = 0; i < 2; i++) {
		/* The address model demands keeping alignment; a block's end is its owner's end. */
		if (!mem[i])
			mem[i] = aligned_alloc(4096, MEM);
		memset(mem[i], 0, MEM);
	}
	v = veb_init(aligned_alloc(64, (veb_size(2) + 63) & ~(size_t)63), &cfg, &ops);
	assert(v);
	begin(v);
	for (unsigned i = 0; i < OPS && in.left; i++) {
		requests = 0;
		operate(v, &in, &now);
		assert(requests < MAX_WORK);
	}
	free(v);
	return 0;
}
