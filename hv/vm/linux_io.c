/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux_io.h"

#include "hv/arch/trap.h"

void linux_io_bitmap(uint8_t *bitmap)
{
	(void)bitmap;
}

bool linux_io(struct vcpu *v)
{
	vcpu_inject_gp(v);
	return true;
}
