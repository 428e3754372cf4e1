/* SPDX-License-Identifier: MIT
 *
 * Decodes the instruction of a trapped memory access: MOV between memory and a register or an
 * immediate, and MOVZX and MOVSX from memory. Nothing else is accepted.
 *
 * Only what the trap does not tell is decoded: the addressing mode is skipped, since the address is
 * known from the exit.
 */
#ifndef HV_LIB_MMIO_H
#define HV_LIB_MMIO_H

#include <stdbool.h>
#include <stdint.h>

#define MMIO_INSN_MAX 15

enum mmio_mode { /* of the code segment; 16-bit code is not supported */
	MMIO_32,
	MMIO_64,
};

struct mmio_insn {
	uint8_t length;
	bool write;
	uint8_t size;       /* bytes in memory: 1, 2, 4, 8 */
	bool has_immediate; /* then `immediate` is written, else the register */
	uint64_t immediate;
	uint8_t reg;      /* 0 to 15 in the usual order: RAX, RCX, RDX, RBX, RSP, ... */
	bool high_byte;   /* AH, CH, DH, BH: second byte of `reg`, 0 to 3 */
	uint8_t reg_size; /* bytes of the register that a read sets; 4 clears the upper half */
	bool sign_extend; /* else zero-extended from size to reg_size */
};

/* Decodes at most `count` readable bytes. Returns 0, or -EINVAL (not an accepted instruction, or cut
 * off). */
int mmio_decode(const uint8_t *bytes, uint32_t count, enum mmio_mode mode, struct mmio_insn *insn);

/* What a write stores, taken from the general registers (indexed as `reg`). */
uint64_t mmio_write_value(const struct mmio_insn *insn, const uint64_t *regs);

/* Sets the register as a read that got `value` from memory does. */
void mmio_read_value(const struct mmio_insn *insn, uint64_t value, uint64_t *regs);

#endif
