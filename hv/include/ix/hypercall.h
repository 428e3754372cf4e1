/* SPDX-License-Identifier: MIT
 *
 * The control channel: how Linux asks the hypervisor, and what it is told.
 *
 * The hypervisor shows Linux a PCI function (IX_PCI_VENDOR, IX_PCI_CONTROL) with two memory BARs.
 * BAR0 is memory shared with the hypervisor, laid out below. BAR1 is the doorbell page: a 32-bit
 * write of a slot's number to its first word makes the hypervisor execute the call in that slot; the
 * call is complete when the write instruction is. No kernel module is needed: a root process maps
 * both through sysfs (resource0, resource1), after "1" was written to `enable`.
 *
 * A call: fill slot->op and slot->arg[], and for some calls `slot->data` (or the bulk area), write
 * the doorbell, read slot->status and slot->data. The hypervisor copies the call before it looks at
 * it. Any number of slots may be used at a time, one call each.
 *
 * Status: 0 or a positive value, or a negative errno with one meaning each:
 *   -ENOSYS   no such call               -EINVAL   an argument is out of range
 *   -ENOENT   behind the end of a list   -EBADF    no such domain, or an old handle
 *   -EBUSY    wrong state for the call   -EEXIST   the name is taken
 *   -ENOMEM   not enough pool memory     -ENOSPC   too many domains, cores or devices
 *   -ENODEV   no such core or function   -EPERM    not this domain's (or Linux's) to use
 *   -EFAULT   memory outside the domain  -ETIMEDOUT  a core did not react
 * slot->why says in words what was wrong, or is "".
 *
 * All integers are little-endian. Structures only grow at their end, within IX_SLOT_DATA; a change
 * of meaning raises IX_ABI_VERSION.
 */
#ifndef IX_HYPERCALL_H
#define IX_HYPERCALL_H

#include <stdint.h>

#include <ix/bootinfo.h>

#define IX_ABI_VERSION 1

#define IX_PCI_VENDOR  0x4958 /* "XI"; not assigned by the PCI-SIG */
#define IX_PCI_CONTROL 0x0001
#define IX_PCI_CLASS   0xff0000

#define IX_BAR0_SIZE 0x100000
#define IX_BAR1_SIZE 0x1000

/* BAR0. Offsets in bytes. */
#define IX_SHARED_MAGIC  0x304c52544358ull /* "XCTRL0" */
#define IX_HEADER_OFFSET 0x0
#define IX_SLOTS_OFFSET  0x1000
#define IX_SLOTS         16
#define IX_SLOT_SIZE     0x1000
#define IX_EVENTS_OFFSET 0x20000
#define IX_EVENTS        256
#define IX_LOG_OFFSET    0x40000
#define IX_LOG_SIZE      0x10000
#define IX_BULK_OFFSET   0x80000
#define IX_BULK_SIZE     0x80000

/* Read-only for Linux: the hypervisor never reads it back. */
struct ix_shared_header {
	uint64_t magic;      /* IX_SHARED_MAGIC */
	uint32_t abi;        /* IX_ABI_VERSION */
	uint32_t slots;      /* IX_SLOTS */
	uint64_t event_head; /* number of events ever written; the last IX_EVENTS are in the ring */
	uint64_t log_head;   /* number of bytes ever logged; the last IX_LOG_SIZE are in the ring */
};

#define IX_SLOT_DATA 3840
struct ix_slot {
	uint32_t op; /* IX_CALL_ */
	int32_t status;
	uint64_t arg[8];
	char why[128];
	uint8_t reserved[56];
	uint8_t data[IX_SLOT_DATA]; /* at offset 256 */
};

#define IX_TEXT 96

struct ix_event {
	uint64_t sequence; /* from 0; entry sequence % IX_EVENTS */
	uint64_t handle;   /* of a domain, or 0 */
	char kind[24];     /* "started", "stopped", "crashed", "unresponsive", ... */
	char domain[IX_NAME_LEN];
	char text[IX_TEXT];
};

/* Calls. `->` says what is in slot->data afterwards; lists are read item by item, arg[0] = index,
 * until -ENOENT. */
#define IX_CALL_INFO      1 /* -> struct ix_hv_info */
#define IX_CALL_PREFLIGHT 2 /* arg[0] = index -> struct ix_hv_preflight */
#define IX_CALL_CORE      3 /* arg[0] = index -> struct ix_hv_core */
#define IX_CALL_MEMORY    4 /* arg[0] = index -> struct ix_hv_range */
#define IX_CALL_PCI       5 /* arg[0] = index -> struct ix_hv_pci */
#define IX_CALL_EXIT      6 /* arg[0] = index -> struct ix_hv_exit; only counts that are not 0 */
#define IX_CALL_DOMAIN    7 /* arg[0] = index -> struct ix_hv_domain */

/* A core that Linux has taken offline becomes the hypervisor's; a core of no domain is Linux's again
 * and waits for its INIT-SIPI-SIPI. arg[0] = APIC ID. */
#define IX_CALL_CORE_GIVE 16
#define IX_CALL_CORE_TAKE 17

/* data = struct ix_create -> uint64_t handle. The memory is zeroed; cores need not be there yet. */
#define IX_CALL_CREATE 32
/* arg[0] = handle, arg[1] = segment << 16 | bdf, or IX_ASSIGN_VF: a new software 82599 VF.
 * -> struct ix_device. State: stopped. */
#define IX_CALL_ASSIGN 33
#define IX_ASSIGN_VF   0xffffffffull
/* arg[0] = handle, arg[1] = segment << 16 | bdf: reset, and given back to Linux. State: stopped. */
#define IX_CALL_RELEASE 34
/* arg[0] = handle, arg[1] = index -> struct ix_device */
#define IX_CALL_DEVICE 35
/* arg[0] = handle: all its memory becomes zero. State: stopped. */
#define IX_CALL_CLEAR 36
/* arg[0] = handle, arg[1] = physical address, arg[2] = offset in the bulk area, arg[3] = length.
 * State: stopped. */
#define IX_CALL_WRITE 37
/* arg[0] = handle, arg[1] = entry (virtual), arg[2] = CR3, arg[3] = boot page (physical). All its
 * cores must be the hypervisor's. State: stopped -> running. */
#define IX_CALL_START 38
/* arg[0] = handle. State: running -> stopped. Its cores stay the hypervisor's. */
#define IX_CALL_STOP 39
/* arg[0] = handle. Devices reset, memory zeroed and returned. State: stopped. */
#define IX_CALL_DESTROY 40
/* arg[0] = handle, arg[1] = position, arg[2] = bytes wanted -> text; status = their number, and
 * arg[1] = position of the first, later than asked for when it was overwritten. */
#define IX_CALL_CONSOLE 41
/* arg[0] = handle, arg[1] = offset, arg[2] = bytes wanted -> copy from its statistics; status =
 * their number; -ENOENT while it has none. */
#define IX_CALL_STATS 42

struct ix_hv_info {
	char version[64];
	uint32_t abi;
	uint32_t ncores;
	uint64_t tsc_khz;
	uint64_t apic_timer_hz;        /* 0: unknown */
	uint64_t pool_size, pool_free; /* bytes */
	uint64_t own_size;             /* memory of the hypervisor */
	uint64_t absent_accesses;      /* of Linux, to memory that is not its */
	uint8_t x2apic;                /* of dataplanes */
	uint8_t iommu;
	uint8_t reserved[6];
	uint64_t own_free; /* of own_size: what is left for new domains and devices */
};

struct ix_hv_preflight {
	char feature[48], found[16], needed[16], consequence[IX_TEXT];
};

struct ix_hv_core {
	uint32_t index, apic_id;
	char owner[IX_NAME_LEN]; /* "linux", "hypervisor" or a dataplane */
	char state[16];          /* "running", "waiting" */
	uint64_t exits;
	uint64_t root_cycles; /* time-stamp counter ticks spent in the hypervisor */
};

struct ix_hv_range {
	uint64_t base, size;
	char owner[IX_NAME_LEN]; /* "hypervisor", "pool" (free) or a dataplane */
};

struct ix_hv_pci {
	uint16_t segment, bdf, vendor, device;
	char owner[IX_NAME_LEN];
	char kind[24];    /* "physical", "control", "vf" */
	uint8_t dma_open; /* 1: it can reach all memory, since no IOMMU confines it */
	uint8_t reserved[7];
};

struct ix_hv_exit {
	uint32_t core;
	uint32_t reason; /* SDM 3D appendix C */
	char name[32];
	uint64_t count;
};

struct ix_hv_domain {
	uint64_t handle;
	char name[IX_NAME_LEN];
	char state[16];    /* "stopped", "running", "failed" */
	char why[IX_TEXT]; /* why it stopped; "" while it is well */
	uint32_t ncores, nmem, ndevices, reserved;
	uint32_t apic_id[IX_MAX_CORES];
	struct ix_range mem[IX_MAX_MEM];
	uint64_t exits;       /* of its cores, since it was started */
	uint64_t root_cycles; /* likewise */
	uint64_t starts;
	uint8_t dma_open, reserved2[7];
	/* The core that failed, when state is "failed": RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI,
	 * R8-R15. */
	uint64_t reg[16], rip, rflags, cr2, cr3, exit_reason, exit_qualification;
};

struct ix_create {
	char name[IX_NAME_LEN]; /* letters, digits, '-', '_', '.'; not "linux" or "hypervisor" */
	uint64_t memory;        /* bytes, multiple of 2 MB */
	uint32_t ncores;
	uint32_t apic_id[IX_MAX_CORES];
};

#endif
