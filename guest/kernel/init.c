/* SPDX-License-Identifier: MIT
 *
 * Start of the kernel. Core 0 prepares everything on its boot stack and the first page tables, and lets
 * the others go; then each moves to its own stack and the final tables.
 */
#include <ix/bootinfo.h>

#include "guest/kernel/apic.h"
#include "guest/kernel/clock.h"
#include "guest/kernel/console.h"
#include "guest/kernel/cpu.h"
#include "guest/kernel/dataplane.h"
#include "guest/kernel/file.h"
#include "guest/kernel/memory.h"
#include "guest/kernel/process.h"
#include "guest/kernel/random.h"
#include "guest/kernel/uvm.h"

_Noreturn void boot_core(const struct ix_bootinfo *bi, uint32_t index);
_Noreturn void switch_stack(uint64_t top, void (*to)(void), uint64_t argument);

_Static_assert(MAX_CPUS == IX_MAX_CORES, "boot stacks in entry.S");

unsigned ncpus __ro_after_init;
static const struct ix_bootinfo *bootinfo __ro_after_init;
static uint64_t final_cr3 __ro_after_init;
static int tables_ready, all_ready; /* atomic */

/* In the tables and on the stack that stay. Core 0 only: what needs device mappings or user memory. */
static void prepare(const struct ix_bootinfo *bi)
{
	apic_setup(bi);
	clock_init();
	random_seed(bi, sizeof(*bi));
	uvm_init(bi->ncores);
	files_init(phys_to_virt(bi->files.base), bi->files.size);
	say("%u cores, %u MB free, TSC %lu MHz%s%s%s%s%s", bi->ncores,
	    pages_free() * (PAGE_SIZE >> 20), bi->tsc_khz / 1000, cpu_features.smep ? ", SMEP" : "",
	    cpu_features.smap ? ", SMAP" : "", cpu_features.umip ? ", UMIP" : "",
	    cpu_features.fsgsbase ? ", FSGSBASE" : "",
	    cpu_features.tsc_deadline ? ", TSC deadline" : "");
	dataplane_init(bi);
	process_load(bi);
}

static void core_main(void)
{
	struct cpu *c = this_cpu();

	if (c->index == 0) {
		prepare(bootinfo);
		__atomic_store_n(&all_ready, 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&all_ready, __ATOMIC_ACQUIRE))
		cpu_pause();
	memory_seal();
	apic_init();
	process_core_loop();
}

static void check(const struct ix_bootinfo *bi)
{
	if (bi->magic != IX_BOOTINFO_MAGIC || bi->version != IX_BOOTINFO_VERSION ||
	    bi->size < sizeof(*bi) || bi->ncores < 1 || bi->ncores > IX_MAX_CORES || bi->nmem < 1 ||
	    bi->nmem > IX_MAX_MEM || bi->ndevices > IX_MAX_DEVICES)
		refuse("the boot page is not one that this kernel knows");
}

void boot_core(const struct ix_bootinfo *bi, uint32_t index)
{
	if (index == 0) {
		console_init(bi);
		check(bi);
		bootinfo = bi;
		ncpus = bi->ncores;
		cpu_detect();
		final_cr3 = memory_init(bi);
		__atomic_store_n(&tables_ready, 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&tables_ready, __ATOMIC_ACQUIRE))
		cpu_pause();
	write_cr3(final_cr3);

	struct cpu *c = cpu_of(index);

	c->self = c;
	c->index = index;
	c->apic_id = bi->apic_id[index];
	c->kernel_rsp = (uint64_t)c - CPU_STRUCT + CPU_STACK_TOP;
	cpu_init(c);
	switch_stack(c->kernel_rsp, core_main, 0);
}
