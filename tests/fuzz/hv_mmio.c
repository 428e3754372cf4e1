/* SPDX-License-Identifier: MIT
 * Input: a byte whose lowest bit chooses the mode, then code.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t regs[16] = {0};
	struct mmio_insn insn, shorter;
	enum mmio_mode mode;

	if (!size)
		return 0;
	mode = data[0] & 1 ? MMIO_64 : MMIO_32;
	if (mmio_decode(data + 1, size - 1, mode, &insn))
		return 0;
	if (!insn.length || insn.length > MMIO_INSN_MAX || insn.length > size - 1 ||
	    insn.reg > 15 ||
	    !(insn.size == 1 || insn.size == 2 || insn.size == 4 || insn.size == 8))
		abort();
	/* The length is exact: the same bytes alone decode, one less does not. */
	if (mmio_decode(data + 1, insn.length, mode, &shorter) ||
	    memcmp(&insn, &shorter, sizeof(insn)) != 0 ||
	    !mmio_decode(data + 1, insn.length - 1, mode, &shorter))
		abort();
	mmio_read_value(&insn, data[0] * 0x0101010101010101ull, regs);
	if (insn.write)
		mmio_write_value(&insn, regs);
	return 0;
}
