/* SPDX-License-Identifier: MIT
 *
 * A software 82599: virtual functions (8086:10ed) as PCI functions, the PF behind their mailboxes,
 * and the virtual Ethernet bridge (VEB) between them and a wire.
 *
 * Users: the hypervisor (trapped accesses to BARs and configuration space) and host tests (calls).
 * Freestanding: no allocation, no libc but memcpy, memmove, memset and memcmp.
 *
 * Work is done in the call that causes it, and is bounded per call; what is left over goes on in
 * the next call for the same function or in veb_poll(). Nothing a driver writes makes a call fail
 * or take longer; faults are counted, and a queue that faults is stopped.
 *
 * Locking. One fair (ticket) lock for the whole bridge, taken inside each function below.
 * Callbacks run under it and must not call back. Functions may be called from any core at any
 * time.
 *
 * Time is given in nanoseconds, monotonic; it is used for interrupt throttling only.
 */
#ifndef IX_VF82599_H
#define IX_VF82599_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ix/rss.h>

#define VEB_MAX_VFS     63     /* a Linux PF's limit */
#define VEB_BAR_LEN     0x4000 /* BAR0: registers, BAR3: MSI-X; both 64-bit memory BARs */
#define VEB_NUM_VECTORS 3
#define VEB_VF_QUEUES   4    /* pairs per VF */
#define VEB_FRAME_MAX   9728 /* bytes, CRC not counted: loopback limit of the 82599 */
#define VEB_VENDOR      0x8086
#define VEB_DEVICE      0x10ed
#define VEB_MAX_MACS    8 /* unicast addresses of one VF, its own included */

/*
 * What the owner of a function provides; `ctx` and `vf` tell functions apart.
 *
 * dma	Host address of [gpa, gpa + len) of the memory that belongs to the function's owner, valid
 *	for reading, or writing, during the callback's caller; NULL if any byte is not the owner's.
 *	len is 1..16384. The owner's other cores may change the memory at any time: it is copied
 *	before it is looked at.
 * msi	Sends a message; called for unmasked vectors of functions with bus mastering on.
 * wire	A frame leaves through the wire (without CRC); NULL: nothing is connected.
 */
struct veb_ops {
	void *(*dma)(void *ctx, unsigned vf, uint64_t gpa, uint32_t len, bool write);
	void (*msi)(void *ctx, unsigned vf, uint64_t addr, uint32_t data);
	void (*wire)(void *ctx, const void *frame, size_t len);
	void *ctx;
};

/* veb_config.flags */
#define VEB_NO_THROTTLE (1u << 0) /* ignore VTEITR: interrupts fire at once */

struct veb_config {
	unsigned nvfs;                   /* 1..VEB_MAX_VFS */
	uint32_t flags;                  /* VEB_ */
	uint16_t max_frame;              /* PF's limit, CRC included: 1518..9728; 0: 9728 */
	uint8_t rss_key[IX_RSS_KEY_LEN]; /* all zero: ix_rss_default_key */
	uint16_t subsystem_vendor, subsystem_device;
};

/* Counters of one function, for the control plane. */
struct veb_vf_stats {
	uint64_t rx_packets, rx_octets, rx_multicast; /* octets with CRC, as the VF reads them */
	uint64_t tx_packets, tx_octets;
	uint64_t rx_no_desc;   /* frames dropped: ring empty or queue off */
	uint64_t tx_spoofed;   /* frames dropped: source address or VLAN not the function's */
	uint64_t tx_malformed; /* packets dropped: descriptors break the rules */
	uint64_t tx_too_long;  /* packets dropped: over the frame limit */
	uint64_t dma_faults; /* descriptors or buffers outside the owner's memory: queue stopped */
	uint64_t interrupts;
	uint64_t mbx_requests, mbx_nacks;
	uint64_t resets; /* VFCTRL.RST and FLR */
};

struct veb;

/* Bytes of memory that veb_init() needs, 64-byte aligned; 0 if the number of VFs is not valid. */
size_t veb_size(unsigned nvfs);

/* Builds a bridge in `mem`, of veb_size() bytes. NULL if the configuration is not valid. */
struct veb *veb_init(void *mem, const struct veb_config *cfg, const struct veb_ops *ops);

/*
 * The PCI function `vf`. Out-of-range functions and offsets read as zero (configuration space:
 * ones), writes are dropped. BAR accesses are aligned and 32 bits wide: the caller drops others.
 * `size` of configuration accesses is 1, 2 or 4, aligned.
 */
uint32_t veb_mmio_read(struct veb *v, unsigned vf, unsigned bar, uint32_t off, uint64_t now);
void veb_mmio_write(struct veb *v, unsigned vf, unsigned bar, uint32_t off, uint32_t val,
		    uint64_t now);
uint32_t veb_cfg_read(struct veb *v, unsigned vf, uint32_t off, uint32_t size);
void veb_cfg_write(struct veb *v, unsigned vf, uint32_t off, uint32_t size, uint32_t val,
		   uint64_t now);

/* Where software has put a BAR (0 or 3), and whether memory decoding is on. */
bool veb_bar(struct veb *v, unsigned vf, unsigned bar, uint64_t *base);
/* Puts a BAR somewhere, as firmware would, with decoding on or off. */
void veb_set_bar(struct veb *v, unsigned vf, unsigned bar, uint64_t base, bool decode);

/* Function-level reset from outside: when the function changes hands. */
void veb_flr(struct veb *v, unsigned vf);

/*
 * Goes on with work left over and fires interrupts whose throttle time has passed. Returns when it
 * wants to be called next: `now` if at once, UINT64_MAX if there is nothing to do. veb_next() only
 * says so.
 */
uint64_t veb_poll(struct veb *v, uint64_t now);
uint64_t veb_next(struct veb *v, uint64_t now);

/* Whether veb_next() may have an answer but UINT64_MAX. Without the lock: what this core's own calls have
 * left over is seen. */
bool veb_busy(const struct veb *v);

/* A frame from the wire, 14..VEB_FRAME_MAX bytes without CRC. Returns how many functions got it. */
unsigned veb_wire_input(struct veb *v, const void *frame, size_t len, uint64_t now);

/*
 * The PF's side: what an administrator does with `ip link set ... vf N`. All return 0, -EINVAL or
 * -ENOENT (no such function).
 *
 * set_mac	The address VF_RESET grants; the guest must reset to take it over (it gets a
 *		notice). All zero: none, the guest invents one.
 * set_link	The wire: speed 10000, 1000 or 100, 0 = down. All functions get a notice.
 * set_vf_link	Administrative link state of one function.
 * pf_reset	begin: RSTI is set, queues stop, mailboxes are silent; end: RSTD, functions must be
 *		initialised again.
 * revoke	Takes CTS from one function without touching its queues, with a notice, as a Linux
 *		PF does when settings change: the driver must reset.
 * set_spoof	Source address and VLAN checks of sent frames (on at first).
 * set_trust	May set promiscuous modes and change an assigned address (off at first).
 * set_rss_query May ask for key and table (on at first: the software PF has no secrets).
 * set_rss	Key and 128 redirection entries (0..3) of all functions.
 * set_port_vlan Tag forced on a function's frames and hidden from it; 0: none.
 */
int veb_set_mac(struct veb *v, unsigned vf, const uint8_t mac[6], uint64_t now);
int veb_set_link(struct veb *v, unsigned mbps, uint64_t now);
int veb_set_vf_link(struct veb *v, unsigned vf, bool up, uint64_t now);
void veb_pf_reset_begin(struct veb *v, uint64_t now);
void veb_pf_reset_end(struct veb *v, uint64_t now);
int veb_revoke(struct veb *v, unsigned vf, uint64_t now);
int veb_set_spoof(struct veb *v, unsigned vf, bool check);
int veb_set_trust(struct veb *v, unsigned vf, bool trusted);
int veb_set_rss_query(struct veb *v, unsigned vf, bool allowed);
int veb_set_rss(struct veb *v, const uint8_t key[IX_RSS_KEY_LEN],
		const uint8_t reta[IX_RSS_RETA_LEN]);
int veb_set_port_vlan(struct veb *v, unsigned vf, uint16_t vid, uint64_t now);

int veb_vf_stats(struct veb *v, unsigned vf, struct veb_vf_stats *out);
int veb_vf_mac(struct veb *v, unsigned vf, uint8_t mac[6]); /* the one in use */

#endif
