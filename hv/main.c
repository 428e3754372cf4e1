/* SPDX-License-Identifier: MIT
 *
 * Start-up: from what GRUB left to all cores in VMX root mode and Linux running.
 */
#include "hv/hv.h"

#include "hv/arch/cache.h"
#include "hv/arch/cpu.h"
#include "hv/arch/lapic.h"
#include "hv/arch/paging.h"
#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/faulttest.h"
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

/* Physical memory through the first page tables: they have what lies below 4 GB. */
static const void *map_boot(void *ctx, uint64_t pa, uint64_t len)
{
	(void)ctx;
	if (!pa || !range_ok(pa, len))
		return NULL;
	return pa + len <= LOW_LIMIT ? direct(pa) : paging_boot_map(pa, len);
}

static const struct physmem boot_memory = {map_boot, NULL};

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
	uint8_t s5a, s5b;
	const char *why;

	if (!rsdp && acpi_find_rsdp(&boot_memory, &rsdp, &size))
		refuse("no ACPI: neither the loader nor the BIOS area has a sound RSDP; Ironix "
		       "needs ACPI "
		       "tables to find the cores");
	if (acpi_open(&hv.acpi, &boot_memory, rsdp, size, &why))
		refuse("bad ACPI tables: %s; update the firmware", why);
	log_debug("ACPI: revision %u, %s with %u tables", hv.acpi.revision,
		  hv.acpi.xsdt ? "XSDT" : "RSDT", hv.acpi.count);
	for (uint32_t i = 0; i < hv.acpi.count; i++) {
		const struct acpi_table *t = &hv.acpi.table[i];

		if (t->problem)
			log_warn("ACPI table %s at %#lx is not used: %s", t->signature, t->pa,
				 t->problem);
		else
			log_debug("ACPI table %s at %#lx + %u", t->signature, t->pa, t->length);
	}
	fadt = acpi_find(&hv.acpi, "FACP", 0);
	if (!fadt || acpi_fadt(fadt, &hv.fadt))
		refuse("bad ACPI tables: no sound FADT ('FACP'); update the firmware");
	hv.s5 = acpi_sleep_type(&hv.acpi, '5', &s5a, &s5b) ? -1 : s5a;
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

static bool use_x2apic(void)
{
	return !hv.options.nox2apic && lapic_can_x2apic();
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
		if (cpu->apic_id >= X2APIC_ONLY && !use_x2apic())
			refuse("core with APIC ID %u needs x2APIC mode, which %s", cpu->apic_id,
			       hv.options.nox2apic ? "the option nox2apic turns off"
						   : "this processor does not have");
		cpus[ncpus++] = cpu;
	}
	log_info("cores: %u, the boot core has APIC ID %u", ncpus, boot_cpu.apic_id);
}

/* In xAPIC mode Linux's writes are filtered at one page. */
static void check_apic_address(const struct cpu *cpu, uint64_t address)
{
	if (address != APIC_DEFAULT_BASE && !use_x2apic())
		refuse("core %u: its local APIC is at %#lx, not at %#lx: needs x2APIC mode, or "
		       "firmware "
		       "that leaves it there",
		       cpu->index, address, APIC_DEFAULT_BASE);
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
	check_apic_address(cpu, rdmsr(MSR_APIC_BASE) & ~(PAGE_SIZE - 1));
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
	if (cache_load())
		log_warn("core %u: firmware left other MTRRs, PAT or IA32_MISC_ENABLE than on the "
			 "boot core; copied",
			 cpu->index);
	if (use_x2apic())
		lapic_enable_x2apic();
	enter_vmx(cpu);
	__atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
	fault_test_core(cpu);
	linux_ap(cpu);
}

static void check_features(void)
{
	bool vmx = vmx_read_caps(&hv.vmx);
	char missing[LOG_LINE];

	preflight_check(&hv.vmx, vmx, vmx && vmx_unlock(), &hv.acpi);
	preflight_print();
	if (preflight_missing(missing, sizeof(missing)))
		refuse("%s", missing);
}

/* A free page below 640 KB, where a core that leaves reset can run. */
static uint64_t trampoline_page(void)
{
	static struct memmap map;
	uint64_t pa;

	map = hv.linux_map;
	memmap_set(&map, hv.boot_info.base, hv.boot_info.size, MEM_RESERVED);
	for (uint32_t i = 0; i < hv.boot.nmodules; i++) {
		uint64_t base = hv.boot.module[i].base & ~(PAGE_SIZE - 1);

		memmap_set(&map, base, hv.boot.module[i].size + PAGE_SIZE, MEM_RESERVED);
	}
	if (memmap_find_highest(&map, MEM_RAM, PAGE_SIZE, PAGE_SIZE, 0x1000, 0xa0000, &pa))
		refuse("no free page below 640 KB to start the other cores from");
	return pa;
}

/* On the boot core's own stack, with the hypervisor's page tables. */
static noreturn void main_on_own_stack(void)
{
	uint32_t failed;

	idt_use_stacks();
	lapic_map();
	make_cpus(count_cpus());
	check_apic_address(&boot_cpu, acpi_lapic_address(acpi_find(&hv.acpi, "APIC", 0)));
	boot_cpu.online = 1;
	fault_test_boot();
	check_features();
	linux_mem_read_mtrr();
	cache_save();
	tsc_calibrate(hv.fadt.pm_timer.space == ACPI_SPACE_IO ? (uint16_t)hv.fadt.pm_timer.address
							      : 0);
	log_info("TSC %lu.%03lu MHz", tsc_khz() / 1000, tsc_khz() % 1000);
	hv.x2apic = use_x2apic();
	if (hv.x2apic)
		lapic_enable_x2apic();

	enter_vmx(&boot_cpu);
	failed = smp_start(trampoline_page());
	if (failed)
		panic("%u of %u cores did not start", failed, ncpus);
	log_info("%u of %u cores in VMX root mode", ncpus, ncpus);
	fault_test_core(&boot_cpu);
	if (hv.options.preflight) {
		failed = smp_stop_others();
		log_info("preflight only, as the command line says: %u of %u cores halted",
			 ncpus - failed, ncpus);
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
	hv.phys_bits = cpuid(0x80000008, 0).eax & 0xff;
	/* The software VFs copy packets to and from Linux's memory; without them nothing does. */
	paging_init(&hv.firmware_map, hv.options.vfs ? MAP_RW : MAP_RO, load_base, count_cpus());
	for (uint32_t i = 0; i < hv.acpi.count; i++)
		if (hv.acpi.table[i].data)
			paging_readable(hv.acpi.table[i].pa, hv.acpi.table[i].length);
	paging_activate();
	asm volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1"
		     :
		     : "r"(boot_cpu.main_stack), "r"(main_on_own_stack)
		     : "memory");
	__builtin_unreachable();
}
