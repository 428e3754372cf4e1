/* SPDX-License-Identifier: MIT */
#include "hv/lib/msi.h"

/* SDM 3A figures 11-22 and 11-23 */
#define ADDRESS_BASE       0xfee00000ull
#define ADDRESS_BASE_MASK  0xfffffffffff00000ull
#define ADDRESS_LOGICAL    (1u << 2)
#define ADDRESS_REMAPPABLE (1u << 4) /* VT-d 5.1.2.2: interrupt format */
#define DATA_ASSERT        (1u << 14)
#define DATA_LEVEL         (1u << 15)

bool msi_decode(uint64_t address, uint32_t data, struct icr *icr)
{
	*icr = (struct icr){
	    .vector = data,
	    .mode = data >> 8 & 7,
	    .shorthand = ICR_DEST,
	    .logical = address & ADDRESS_LOGICAL,
	    .assert = data & DATA_ASSERT,
	    .level = data & DATA_LEVEL,
	    .dest = address >> 12 & 0xff,
	};
	return (address & ADDRESS_BASE_MASK) == ADDRESS_BASE && !(address & ADDRESS_REMAPPABLE);
}
