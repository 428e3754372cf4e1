/* SPDX-License-Identifier: MIT */
#include "hv/vm/linux.h"

#include "hv/arch/wait.h"
#include "hv/hv.h"
#include "hv/panic.h"

noreturn void linux_ap(struct cpu *cpu)
{
	for (;;)
		cpu_wait(cpu);
}

noreturn void linux_start(void)
{
	if (!hv.boot.nmodules)
		refuse("no Linux: GRUB gave no module; add 'module2 /path/to/vmlinuz' and an "
		       "initrd to the boot entry");
	halt_forever();
}
