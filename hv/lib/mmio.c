/* SPDX-License-Identifier: MIT */
#include "hv/lib/mmio.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define REX_W 8u
#define REX_R 4u

struct decoder {
	const uint8_t *bytes;
	uint32_t count, at;
	enum mmio_mode mode;
	bool cut_off;
	bool operand_16, address_short; /* prefixes 66 and 67 */
	bool has_rex;
	uint8_t rex;
};

/* After the end everything reads as 0 and cut_off is set. */
static uint64_t fetch(struct decoder *d, uint32_t size)
{
	uint64_t value = 0;

	if (d->count - d->at < size) {
		d->cut_off = true;
		d->at = d->count;
		return 0;
	}
	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)d->bytes[d->at++] << 8 * i;
	return value;
}

/* Returns the first byte that is not a prefix. */
static uint8_t skip_prefixes(struct decoder *d)
{
	for (;;) {
		uint8_t byte = fetch(d, 1);

		switch (byte) {
		case 0x66:
			d->operand_16 = true;
			break;
		case 0x67:
			d->address_short = true;
			break;
		case 0x26: /* segment overrides: the address is known */
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
			break;
		default:
			if (d->mode != MMIO_64 || (byte & 0xf0) != 0x40)
				return byte;
			d->has_rex = true;
			d->rex = byte;
			return fetch(d, 1); /* REX comes last: SDM 2A 2.2.1 */
		}
	}
}

/* Skips the rest of an operand in memory; false for a register operand. */
static bool skip_modrm(struct decoder *d, uint8_t modrm)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return false;
	if (d->mode == MMIO_32 && d->address_short) { /* SDM 2A table 2-1 */
		if (mod == 1)
			fetch(d, 1);
		else if (mod == 2 || rm == 6)
			fetch(d, 2);
		return true;
	}
	if (rm == 4) { /* SIB, table 2-3 */
		uint8_t base = fetch(d, 1) & 7;

		if (mod == 0 && base == 5)
			mod = 2;
	} else if (mod == 0 && rm == 5) { /* displacement alone, or from RIP */
		mod = 2;
	}
	if (mod)
		fetch(d, mod == 1 ? 1 : 4);
	return true;
}

static uint8_t operand_size(const struct decoder *d)
{
	if (d->rex & REX_W)
		return 8;
	return d->operand_16 ? 2 : 4;
}

static void set_reg(const struct decoder *d, struct mmio_insn *insn, uint8_t modrm)
{
	insn->reg = (modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
	insn->reg_size = insn->size;
	/* Without REX the byte registers 4 to 7 are AH, CH, DH, BH: SDM 2A table 3-1 */
	if (insn->size == 1 && !d->has_rex && insn->reg >= 4) {
		insn->reg -= 4;
		insn->high_byte = true;
	}
}

static uint64_t get_immediate(struct decoder *d, uint8_t size)
{
	uint64_t value = fetch(d, size == 8 ? 4 : size);

	return size == 8 ? (uint64_t)(int64_t)(int32_t)value : value;
}

static bool decode_two_byte(struct decoder *d, struct mmio_insn *insn)
{
	uint8_t opcode = fetch(d, 1), modrm;

	if (opcode != 0xb6 && opcode != 0xb7 && opcode != 0xbe && opcode != 0xbf)
		return false;
	modrm = fetch(d, 1);
	insn->size = opcode & 1 ? 2 : 1;
	insn->sign_extend = opcode & 8;
	insn->reg = (modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
	insn->reg_size = operand_size(d);
	return skip_modrm(d, modrm);
}

static bool decode_opcode(struct decoder *d, uint8_t opcode, struct mmio_insn *insn)
{
	uint8_t modrm;

	switch (opcode) {
	case 0x88: /* MOV r/m8, r8 */
	case 0x89: /* MOV r/m, r */
	case 0x8a: /* MOV r8, r/m8 */
	case 0x8b: /* MOV r, r/m */
		modrm = fetch(d, 1);
		insn->write = !(opcode & 2);
		insn->size = opcode & 1 ? operand_size(d) : 1;
		set_reg(d, insn, modrm);
		return skip_modrm(d, modrm);
	case 0xa0: /* MOV AL, moffs8 */
	case 0xa1:
	case 0xa2: /* MOV moffs8, AL */
	case 0xa3:
		insn->write = opcode & 2;
		insn->size = opcode & 1 ? operand_size(d) : 1;
		insn->reg_size = insn->size;
		if (d->mode == MMIO_64)
			fetch(d, d->address_short ? 4 : 8);
		else
			fetch(d, d->address_short ? 2 : 4);
		return true;
	case 0xc6: /* MOV r/m8, imm8 */
	case 0xc7: /* MOV r/m, imm */
		modrm = fetch(d, 1);
		if (modrm >> 3 & 7 || !skip_modrm(d, modrm))
			return false;
		insn->write = true;
		insn->size = opcode & 1 ? operand_size(d) : 1;
		insn->has_immediate = true;
		insn->immediate = get_immediate(d, insn->size);
		return true;
	case 0x0f:
		return decode_two_byte(d, insn);
	default:
		return false;
	}
}

int mmio_decode(const uint8_t *bytes, uint32_t count, enum mmio_mode mode, struct mmio_insn *insn)
{
	struct decoder d = {
	    .bytes = bytes,
	    .count = count < MMIO_INSN_MAX ? count : MMIO_INSN_MAX,
	    .mode = mode,
	};

	memset(insn, 0, sizeof(*insn));
	if (!decode_opcode(&d, skip_prefixes(&d), insn) || d.cut_off)
		return -EINVAL;
	insn->length = d.at;
	return 0;
}

static uint64_t low_bytes(uint64_t value, uint8_t size)
{
	return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

uint64_t mmio_write_value(const struct mmio_insn *insn, const uint64_t *regs)
{
	if (insn->has_immediate)
		return low_bytes(insn->immediate, insn->size);
	return low_bytes(regs[insn->reg] >> (insn->high_byte ? 8 : 0), insn->size);
}

void mmio_read_value(const struct mmio_insn *insn, uint64_t value, uint64_t *regs)
{
	uint64_t *reg = &regs[insn->reg];

	value = low_bytes(value, insn->size);
	if (insn->sign_extend && value >> (8 * insn->size - 1))
		value |= -1ull << 8 * insn->size;
	switch (insn->reg_size) {
	case 8:
		*reg = value;
		break;
	case 4: /* SDM 1 3.4.1.1: the upper half becomes 0 */
		*reg = (uint32_t)value;
		break;
	case 2:
		*reg = (*reg & ~0xffffull) | (uint16_t)value;
		break;
	default:
		if (insn->high_byte)
			*reg = (*reg & ~0xff00ull) | (uint64_t)(uint8_t)value << 8;
		else
			*reg = (*reg & ~0xffull) | (uint8_t)value;
	}
}
