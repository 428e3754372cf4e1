/* SPDX-License-Identifier: MIT
 *
 * Message-signalled interrupts (SDM 3A 11.11) as interrupt commands.
 *
 * What a guest programmed into a function of the hypervisor's is decoded, and sent through the same
 * icr_action() and icr_expand() as its own interrupt commands: it cannot reach a core that way which
 * it could not reach otherwise.
 */
#ifndef HV_LIB_MSI_H
#define HV_LIB_MSI_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/lib/icr.h"

/* False when the message is no interrupt (another address) or in the remappable format. */
bool msi_decode(uint64_t address, uint32_t data, struct icr *icr);

#endif
