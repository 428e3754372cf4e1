/* SPDX-License-Identifier: MIT */
#include "hv/preflight.h"

#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/lib/fmt.h"

struct preflight preflight;

/* The VMX controls and EPT capabilities that the hypervisor cannot do without. */
#define MUST_PIN   (PIN_NMI_EXITING | PIN_VIRTUAL_NMI)
#define MUST_PROC  (PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY)
#define MUST_EXIT  (EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define MUST_ENTRY (ENTRY_IA32E | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)
#define MUST_EPT   (EPT_CAP_WALK4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_INVEPT)

/* CPUID.1:EDX, SDM 2A table 3-11. */
#define CPUID_APIC BIT(9)
#define CPUID_MTRR BIT(12)
#define CPUID_PAT  BIT(16)

static void row(const char *feature, bool found, enum preflight_need need, const char *detail,
		const char *consequence)
{
	if (preflight.rows < PREFLIGHT_ROWS)
		preflight.row[preflight.rows++] =
		    (struct preflight_row){feature, found, need, detail, consequence};
}

static bool has(uint64_t value, uint64_t bits)
{
	return (value & bits) == bits;
}

static void vmx_rows(const struct vmx_caps *c, bool vmx, bool unlocked)
{
	row("VT-x", vmx, NEED_MUST, "CPUID.1:ECX.VMX",
	    "needs an Intel processor with VT-x; in a virtual machine, turn nested virtualization "
	    "on");
	if (!vmx)
		return;
	row("VT-x enabled by firmware", unlocked, NEED_MUST, "IA32_FEATURE_CONTROL",
	    "firmware has locked VT-x off: enable 'Intel Virtualization Technology' in its setup");
	row("EPT", c->proc2 & PROC2_EPT && has(c->ept_vpid, MUST_EPT), NEED_MUST,
	    "4 levels, WB, 2 MB pages, INVEPT",
	    "needs extended page tables: Intel processors from Nehalem (2008) on");
	row("unrestricted guest", c->proc2 & PROC2_UNRESTRICTED, NEED_MUST, "secondary controls",
	    "needs real mode in a guest: Intel processors from Westmere (2010) on");
	row("NMI exiting, virtual NMIs", has(c->pin, MUST_PIN), NEED_MUST, "pin-based controls",
	    "needed to reach a core that runs a guest");
	row("I/O and MSR bitmaps", has(c->proc, MUST_PROC), NEED_MUST, "processor-based controls",
	    "needed to confine guests without an exit per access");
	row("64-bit host, PAT and EFER switching",
	    has(c->exit, MUST_EXIT) && has(c->entry, MUST_ENTRY), NEED_MUST,
	    "VM-exit and VM-entry controls", "needed to run 64-bit guests");
	row("1 GB EPT pages", c->ept_vpid & EPT_CAP_1G, NEED_WANT, "",
	    "more TLB misses in Linux; 2 MB pages are used");
	row("VPID", c->proc2 & PROC2_VPID && c->ept_vpid & EPT_CAP_INVVPID, NEED_WANT, "",
	    "TLB flushed at each VM exit");
	row("preemption timer", c->pin & PIN_PREEMPTION_TIMER, NEED_WANT, "",
	    "a hang of Linux is not reported; software VFs wait for the next exit");
	row("RDTSCP in guests", c->proc2 & PROC2_RDTSCP, NEED_WANT, "", "hidden from guests");
	row("INVPCID in guests", c->proc2 & PROC2_INVPCID, NEED_WANT, "", "hidden from guests");
	row("XSAVES in guests", c->proc2 & PROC2_XSAVES, NEED_WANT, "", "hidden from guests");
}

void preflight_check(const struct vmx_caps *caps, bool vmx, bool unlocked, const struct acpi *acpi)
{
	preflight.rows = 0;
	row("local APIC, MTRRs, PAT", has(cpuid(1, 0).edx, CPUID_APIC | CPUID_MTRR | CPUID_PAT),
	    NEED_MUST, "CPUID.1:EDX", "needs a processor, or a virtual machine, that has them");
	vmx_rows(caps, vmx, unlocked);
	row("x2APIC", cpuid(1, 0).ecx & BIT(21), NEED_WANT, "CPUID.1:ECX.x2APIC",
	    "xAPIC: every EOI and timer write of Linux is a VM exit, and dataplanes do not run");
	row("invariant TSC", cpuid(0x80000007, 0).edx & BIT(8), NEED_WANT, "",
	    "time may drift with the power state");
	row("VT-d", acpi_find(acpi, "DMAR", 0), NEED_WANT, "ACPI DMAR",
	    "a device given to a dataplane can reach all memory by DMA: trust its driver");
	row("PCIe configuration space", acpi_find(acpi, "MCFG", 0), NEED_WANT, "ACPI MCFG",
	    "only the first 256 bytes of a function are reached");
}

void preflight_print(void)
{
	log_info("preflight  %-36s %-5s  %-7s  %s", "feature", "found", "needed", "if absent");
	for (uint32_t i = 0; i < preflight.rows; i++) {
		const struct preflight_row *r = &preflight.row[i];

		log_info("preflight  %-36s %-5s  %-7s  %s", r->feature, r->found ? "yes" : "NO",
			 r->need == NEED_MUST ? "must" : "wanted",
			 r->found ? r->detail : r->consequence);
	}
}

size_t preflight_missing(char *text, size_t size)
{
	size_t len = 0;
	unsigned int n = 0;

	for (uint32_t i = 0; i < preflight.rows && len < size; i++) {
		const struct preflight_row *r = &preflight.row[i];

		if (r->found || r->need != NEED_MUST)
			continue;
		if (!n)
			len += fmt(text, size, "%s is missing: %s", r->feature, r->consequence);
		else
			len += fmt(text + len, size - len, "%s%s",
				   n == 1 ? "; also missing: " : ", ", r->feature);
		n++;
	}
	return len;
}

const char *preflight_core(const struct vmx_caps *c, bool vmx, bool unlocked)
{
	if (!vmx)
		return "VT-x";
	if (!unlocked)
		return "VT-x enabled by firmware (IA32_FEATURE_CONTROL)";
	if (!has(c->pin, MUST_PIN) || !has(c->proc, MUST_PROC) || !has(c->exit, MUST_EXIT) ||
	    !has(c->entry, MUST_ENTRY))
		return "a VMX control";
	if (!(c->proc2 & PROC2_EPT) || !has(c->ept_vpid, MUST_EPT))
		return "EPT";
	if (!(c->proc2 & PROC2_UNRESTRICTED))
		return "unrestricted guest";
	return NULL;
}
