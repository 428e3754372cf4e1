/* SPDX-License-Identifier: MIT */
#include "hv/vm/power.h"

#include "hv/arch/smp.h"
#include "hv/arch/tsc.h"
#include "hv/arch/vmx.h"
#include "hv/arch/x86.h"
#include "hv/console.h"
#include "hv/panic.h"
#include "hv/vm/domain.h"
#include "hv/vm/linux.h"

/* The reset control register of Intel's chipsets. A reset of the system happens as RST_CPU goes from
 * 0 to 1 with SYS_RST set. */
#define PORT_RESET_CONTROL 0xcf9
#define SYS_RST            BIT(1)
#define RST_CPU            BIT(2)

/* INIT, with which many chipsets reset cores, is blocked in VMX operation (SDM 3C 24.8): every core
 * leaves it first. */
static void leave_vmx(void)
{
	smp_stop_others();
	delay_us(10000);
	vmx_off();
}

/* While dataplanes run only Linux ends, on all its cores. */
static bool dataplanes_go_on(const char *what)
{
	if (!domains_running())
		return false;
	linux_end(what);
	return true;
}

bool power_off(uint16_t port, uint16_t value)
{
	if (dataplanes_go_on("power-off"))
		return false;
	log_info("power-off");
	leave_vmx();
	outw(port, value);
	halt_forever();
}

bool power_reset(uint16_t port, uint8_t value)
{
	if (dataplanes_go_on("reset"))
		return false;
	log_info("reset");
	leave_vmx();
	/* The keyboard controller and port 0x92 only pulse INIT. Devices stay as they are, and so does
	 * IA32_FEATURE_CONTROL, which is locked: not every firmware starts from there (Bochs's faults as
	 * it writes the register). Their way is for machines without the other. */
	outb(PORT_RESET_CONTROL, SYS_RST);
	outb(PORT_RESET_CONTROL, SYS_RST | RST_CPU);
	delay_us(50000);
	outb(port, value);
	halt_forever();
}
