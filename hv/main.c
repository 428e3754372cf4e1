/* SPDX-License-Identifier: MIT
 *
 * Start-up: from what GRUB left to all cores in VMX root mode and Linux running.
 */
#include "hv/hv.h"

#include "hv/arch/cpu.h"
#include "hv/arch/lapic.h"
#include "hv/arch/paging.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/string.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/preflight.h"
#include "hv/reserve.h"
#include "hv/vm/linux.h"
#include "hv/vm/linux_mem.h"

#define LOW_LIMIT   0x100000000ul /* what the boot page tables map */
#define X2APIC_ONLY 255           /* APIC IDs from here on do not fit an xAPIC */

struct hv hv;
uint64_t image_base;
extern const char hv_image_start[], hv_image_end[];

noreturn void hv_main(uint32_t info_pa, uint32_t load_base);
static struct cpu boot_cpu;

/* Physical memory through the first page tables: what lies below 4 GB. */
static const void *map_low(void *ctx, uint64_t pa, uint64_t len)
{
	(void)ctx;
	if (!pa || !range_ok(pa, len) || pa + len > LOW_LIMIT)
		return NULL;
	return direct(pa);
}

static const struct physmem low_memory = {map_low, NULL};

static void read_boot_information(uint32_t info_pa)
{
	const uint32_t *info = direct(info_pa);
	struct cmdline_errors errors;
	const char *why;
	int status = mb2_parse(info, *info, &hv.boot, &why);
	int options = cmdline_parse(status ? "" : hv.boot.cmdline, &hv.options, &errors);

	console_level(hv.options.loglevel);
	console_init(hv.options.console_port, hv.options.console_baud);
	log_info("Ironix hypervisor, started by %s", status ? "?" : hv.boot.loader);
	if (status)
		refuse("boot information from the loader is malformed: %s", why);
	log_info("command line: %s", hv.boot.cmdline);
	if (options) {
		for (uint32_t i = 0; i < errors.count && i < CMDLINE_ERRORS_MAX; i++)
			log_warn("command line, character %zu: '%.*s': %s", errors.error[i].at + 1,
				 (int)errors.error[i].length, hv.boot.cmdline + errors.error[i].at,
				 errors.error[i].why);
	}
	hv.boot_info = (struct range){info_pa & ~(uint32_t)(PAGE_SIZE - 1),
				      (*info + 2 * PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)};
	hv.firmware_map = hv.boot.memmap;
}

static void read_acpi(void)
{
	const void *rsdp = hv.boot.rsdp;
	uint32_t size = hv.boot.rsdp_size;
	const struct acpi_table *fadt;
	const char *why;

	if (!rsdp && acpi_find_rsdp(&low_memory, &rsdp, &size))
		refuse("no ACPI: neither the loader nor the BIOS area has a sound RSDP; Ironix "
		       "needs ACPI "
		       "tables to find the cores");
	if (acpi_open(&hv.acpi, &low_memory, rsdp, size, &why))
		refuse("bad ACPI tables: %s; update the firmware", why);
	for (uint32_t i = 0; i < hv.acpi.count; i++)
		if (hv.acpi.table[i].problem)
			log_warn("ACPI table %s at %#lx is not used: %s",
				 hv.acpi.table[i].signature, hv.acpi.table[i].pa,
				 hv.acpi.table[i].problem);
	fadt = acpi_find(&hv.acpi, "FACP", 0);
	if (!fadt || acpi_fadt(fadt, &hv.fadt))
		refuse("bad ACPI tables: no sound FADT ('FACP'); update the firmware");
	if (!acpi_find(&hv.acpi, "APIC", 0))
		refuse(
		    "bad ACPI tables: no sound MADT ('APIC'), so the cores cannot be found; update "
		    "the firmware");
}

/* Number of enabled processors. */
static uint32_t count_cpus(void)
{
	const struct acpi_table *madt = acpi_find(&hv.acpi, "APIC", 0);
	struct acpi_madt_entry e;
	uint32_t at = 0, n = 0;

	while (acpi_madt_next(madt, &at, &e) == 1)
		if ((e.type == ACPI_MADT_LAPIC || e.type == ACPI_MADT_X2APIC) && e.cpu.enabled)
			n++;
	if (!n)
		refuse("bad ACPI tables: the MADT lists no enabled processor");
	return n;
}

/* One struct cpu for each enabled processor of the MADT, this core first. */
static void make_cpus(uint32_t most)
{
	const struct acpi_table *madt = acpi_find(&hv.acpi, "APIC", 0);
	struct acpi_madt_entry e;
	uint32_t at = 0;
	uint64_t bytes = most * sizeof(*cpus);

	cpus = page_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	if (!cpus)
		panic("no memory for %u cores", most);
	boot_cpu.apic_id = lapic_id();
	cpus[ncpus++] = &boot_cpu;
	while (acpi_madt_next(madt, &at, &e) == 1 && ncpus < most) {
		struct cpu *cpu;

		if ((e.type != ACPI_MADT_LAPIC && e.type != ACPI_MADT_X2APIC) || !e.cpu.enabled ||
		    cpu_by_apic_id(e.cpu.apic_id))
			continue;
		cpu = page_alloc((sizeof(*cpu) + PAGE_SIZE - 1) / PAGE_SIZE);
		if (!cpu)
			panic("no memory for core %u", ncpus);
		cpu->index = ncpus;
		cpu->main_stack = STACK_TOP(ncpus, STACK_MAIN);
		cpu->apic_id = e.cpu.apic_id;
		cpus[ncpus++] = cpu;
	}
}

/* This core into VMX root mode; refuses the machine where that is impossible. */
static void enter_vmx(struct cpu *cpu)
{
	struct vmx_caps caps;
	bool vmx = vmx_read_caps(&caps);
	const char *lack = preflight_core(&caps, vmx, vmx && vmx_unlock());

	if (lack)
		refuse("core %u (APIC ID %u) lacks %s, that the boot core has", cpu->index,
		       cpu->apic_id, lack);
	vmx_merge_caps(&hv.vmx, &caps);
	cpu->vmxon_region = page_alloc(1);
	if (!cpu->vmxon_region || vmx_on(cpu->vmxon_region, caps.revision))
		panic("core %u: VMXON failed", cpu->index);
	cpu->vmx_on = true;
	log_info("core %u (APIC ID %u) in VMX root mode, %s", cpu->index, cpu->apic_id,
		 lapic_x2apic() ? "x2APIC" : "xAPIC");
}

noreturn void ap_main(struct cpu *cpu)
{
	cpu_init(cpu);
	if (hv.options.nox2apic == false && (cpuid(1, 0).ecx & BIT(21)))
		lapic_enable_x2apic();
	enter_vmx(cpu);
	__atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
	linux_ap(cpu);
}

static void check_features(void)
{
	bool vmx = vmx_read_caps(&hv.vmx);
	const struct preflight_row *missing;

	preflight_check(&hv.vmx, vmx, vmx && vmx_unlock(), &hv.acpi);
	preflight_print();
	missing = preflight_missing();
	if (missing)
		refuse("%s is missing: %s", missing->feature, missing->consequence);
}

/* On the boot core's own stack, with the hypervisor's page tables. */
static noreturn void main_on_own_stack(void)
{
	uint32_t failed;
	uint64_t trampoline;

	idt_use_stacks();
	lapic_map();
	tsc_calibrate((uint16_t)hv.fadt.pm_timer.address);
	log_info("TSC %lu.%03lu MHz", tsc_khz() / 1000, tsc_khz() % 1000);
	if (!hv.options.nox2apic && (cpuid(1, 0).ecx & BIT(21)))
		lapic_enable_x2apic();
	make_cpus(count_cpus());
	boot_cpu.online = 1;

	enter_vmx(&boot_cpu);
	if (memmap_find_highest(&hv.linux_map, MEM_RAM, PAGE_SIZE, PAGE_SIZE, 0x1000, 0xa0000,
				&trampoline))
		refuse("no free page below 640 KB to start the other cores from");
	failed = smp_start(trampoline);
	if (failed)
		panic("%u of %u cores did not start", failed, ncpus);
	log_info("%u of %u cores in VMX root mode", ncpus, ncpus);
	if (hv.options.preflight) {
		log_info("preflight only, as the command line says: all cores halted");
		smp_stop_others();
		halt_forever();
	}
	linux_start();
}

noreturn void hv_main(uint32_t info_pa, uint32_t load_base)
{
	image_base = load_base;
	boot_cpu.main_stack = STACK_TOP(0, STACK_MAIN);
	idt_init();
	cpu_init(&boot_cpu);
	read_boot_information(info_pa);
	read_acpi();
	hv.image = (struct range){load_base, (uint64_t)(hv_image_end - hv_image_start)};
	reserve_memory(count_cpus());
	mem_init(hv.own.base, hv.own.size);
	check_features();
	hv.phys_bits = cpuid(0x80000008, 0).eax & 0xff;
	linux_mem_read_mtrr();
	paging_init(&hv.firmware_map, load_base, count_cpus());
	paging_activate();
	asm volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1"
		     :
		     : "r"(boot_cpu.main_stack), "r"(main_on_own_stack)
		     : "memory");
	__builtin_unreachable();
}
