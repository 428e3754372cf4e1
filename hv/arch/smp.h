/* SPDX-License-Identifier: MIT
 *
 * All cores: starting them, stopping them, and asking something of one.
 */
#ifndef HV_ARCH_SMP_H
#define HV_ARCH_SMP_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "hv/arch/cpu.h"
#include "hv/arch/trap.h"

/* What a core can be asked to do (cpu->requests). */
#define REQ_STOP  (1u << 0) /* halt for ever: panic, power-off */
#define REQ_NMI   (1u << 1) /* an NMI for Linux: of another of its cores, or from outside */
#define REQ_INIT  (1u << 2) /* Linux sends its core an INIT */
#define REQ_SIPI  (1u << 3) /* Linux sends its core a SIPI, with vcpu->sipi_vector */
#define REQ_FLUSH (1u << 4) /* EPT translations are stale: drop them before the next VM entry */

#define REQ_GIVE (1u << 5) /* leave Linux: the core becomes the hypervisor's */
#define REQ_RUN  (1u << 6) /* cpu->owner has changed: look again */
#define REQ_HALT (1u << 7) /* stop the dataplane that runs here */

/* The cores, by index. Sized at start from the MADT. */
extern struct cpu **cpus;
extern uint32_t ncpus;

struct cpu *cpu_by_apic_id(uint32_t apic_id); /* NULL: none */

/* Starts all cores but this one by INIT-SIPI-SIPI through the trampoline page (below 1 MB, free to
 * use). Each runs ap_main(). Returns the number that did not come up, each named in the log. */
uint32_t smp_start(uint64_t trampoline_pa);

/* Adds requests to a core's mailbox and kicks it with an NMI. To itself it needs no kick. */
void cpu_request(struct cpu *cpu, uint32_t requests);

/* Empties this core's mailbox. REQ_STOP stays, and keeps the core out of guests and of sleep, until the
 * NMI that comes with it. */
uint32_t cpu_take_requests(struct cpu *cpu);

/* REQ_STOP for all other cores that are up. Safe in a panic. Returns how many have not halted. */
uint32_t smp_stop_others(void);

void nmi_handler(struct trap_frame *frame);

/* Where a started core goes, on its main stack; in hv/main.c. */
noreturn void ap_main(struct cpu *cpu);

#endif
