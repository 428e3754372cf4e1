/* SPDX-License-Identifier: MIT
 *
 * The software 82599 from inside. All functions run under the bridge's lock.
 */
#ifndef NIC_VEB_VEB_H
#define NIC_VEB_VEB_H

#include <string.h>
#include <ix/vf82599.h>
#include "nic/vf_regs.h"

#define VEB_HW_QUEUES  8  /* pairs that have registers */
#define VEB_TX_PKT_MAX 40 /* descriptors of one packet, X550 7.2.1.1 */
#define VEB_HDR_MAX    512
#define VEB_CRC_LEN    4
#define VEB_MIN_FRAME  60
#define VEB_TAG_LEN    4
#define VEB_LPE_MIN    1518        /* standard frame with CRC */
#define VEB_WIRE       VEB_MAX_VFS /* "function" that stands for the wire */

/*
 * Work per call, so that no driver can keep the lock: a unit is a descriptor, a frame, a copy of a
 * frame to a receiver, or 512 bytes of any of these. One frame may overrun it.
 */
#define VEB_BUDGET 1024

struct veb_rxq {
	uint32_t bal, bah, len, dca, head, srrctl, tail, ctl, rsc;
	bool dead; /* faulted: off until enabled anew */
};

struct veb_txq {
	uint32_t bal, bah, len, dca, head, tail, ctl, wbal, wbah;
	uint64_t ctx[2][2]; /* context descriptors, as the driver wrote them; word 1 is 0: none */
	uint32_t tso_done;  /* payload of the TSO packet at head that is sent already */
	bool dead;
};

struct veb_msix {
	uint32_t addr_lo, addr_hi, data, ctrl;
};

struct veb_vf {
	/* Configuration space */
	uint16_t command, msix_ctrl, devctl;
	uint32_t bar[6]; /* 0, 1: registers; 3, 4: MSI-X */
	struct veb_msix msix[VEB_NUM_VECTORS];
	uint32_t pba;

	/* Interrupts */
	uint32_t eicr, eims, eiam, eiac, ivar[4], ivar_misc, eitr[2], psrtype;
	uint64_t not_before[2]; /* throttling */

	/* Mailbox */
	uint32_t mbmem[VF_MBMEM_WORDS];
	uint32_t mailbox;  /* VFU, PFSTS, PFACK, RSTI, RSTD as they read */
	bool awaiting_ack; /* a message lies there unread: no notice may overwrite it */
	bool notice;       /* is to be sent */

	/* What the PF knows of the VF */
	bool cts, trusted, spoof_check, rss_query, link_enabled, mac_assigned;
	bool rx_allowed; /* VFRE, which on an 82599 depends on SET_LPE, too */
	bool rompe, mpe; /* groups by hash; all groups */
	uint32_t api;
	uint8_t assigned_mac[6];
	unsigned nmacs; /* mac[0] is the function's own */
	uint8_t mac[VEB_MAX_MACS][6];
	uint16_t port_vlan;
	uint64_t vlan[4096 / 64];

	struct veb_rxq rxq[VEB_HW_QUEUES];
	struct veb_txq txq[VEB_HW_QUEUES];
	struct veb_vf_stats stats;
} __attribute__((aligned(64)));

struct veb {
	uint32_t ticket, serving; /* lock */
	unsigned nvfs;
	uint32_t flags;
	uint16_t max_frame;
	uint16_t subsystem_vendor, subsystem_device;
	bool in_reset;
	unsigned mbps; /* of the wire; 0: down */
	struct veb_ops ops;
	struct ix_rss rss;
	uint64_t active;         /* functions that have said VF_RESET since the PF's reset: VFTE */
	uint64_t tx_pending;     /* functions with TX work left over, one bit each */
	uint64_t irq_pending;    /* functions that may have an interrupt that is throttled */
	uint32_t mta[4096 / 32]; /* multicast hashes of all functions */
	/* One packet at a time: the lock is held. Room for a tag in front. */
	uint64_t desc[VEB_TX_PKT_MAX][2];
	uint8_t hdr[VEB_HDR_MAX];
	uint8_t frame[VEB_TAG_LEN + VEB_FRAME_MAX + 64] __attribute__((aligned(64)));
	struct veb_vf vf[];
};

/* What there is to know about a frame before it is delivered. */
struct veb_frame {
	const uint8_t *data;
	uint32_t len;
	unsigned src; /* function, or VEB_WIRE */
	bool tagged;
	uint16_t tci;
	bool ip4, ip6, frag, tcp, udp;
	bool ip_ok, ip_bad; /* IPv4 header checksum was verified or inserted */
	bool l4_ok, l4_bad;
	uint32_t ptype; /* VF_RX_PTYPE_ */
	uint32_t rss_type, hash;
	uint32_t l3, l4; /* offsets; l4 is 0 if there is no whole TCP or UDP header */
	uint32_t l4_end; /* where the IP packet ends; padding may follow */
};

static inline unsigned veb_index(const struct veb *v, const struct veb_vf *f)
{
	return f - v->vf;
}

static inline bool veb_active(const struct veb *v, const struct veb_vf *f)
{
	return v->active >> veb_index(v, f) & 1;
}

/* Puts a function into a mask of functions, or takes it out. veb_busy() looks at masks without the lock. */
static inline void veb_mark(const struct veb *v, uint64_t *mask, const struct veb_vf *f, bool in)
{
	uint64_t bit = 1ull << veb_index(v, f);

	__atomic_store_n(mask, in ? *mask | bit : *mask & ~bit, __ATOMIC_RELAXED);
}

/* Owner's memory, while the function may access memory at all. */
static inline void *veb_dma(struct veb *v, struct veb_vf *f, uint64_t gpa, uint32_t len, bool write)
{
	if (!(f->command & 4 /* bus master */) || gpa + len < gpa)
		return NULL;
	return v->ops.dma(v->ops.ctx, veb_index(v, f), gpa, len, write);
}

static inline bool veb_mac_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 6) == 0;
}

/* cfg.c */
void veb_cfg_reset(struct veb_vf *f);
uint32_t veb_cfg_word(const struct veb *v, const struct veb_vf *f, uint32_t off, uint32_t size);
/* Returns whether a function-level reset was asked for. */
bool veb_cfg_store(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t size, uint32_t val);

/* irq.c */
void veb_irq_cause(struct veb *v, struct veb_vf *f, uint32_t ivar_byte, uint64_t now);
void veb_irq_evaluate(struct veb *v, struct veb_vf *f, uint64_t now);
uint64_t veb_irq_next(const struct veb *v, const struct veb_vf *f, uint64_t now);
void veb_msix_unmasked(struct veb *v, struct veb_vf *f); /* sends what was held back */
uint32_t veb_msix_read(const struct veb_vf *f, uint32_t off);
void veb_msix_write(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val);

/* mbx.c */
void veb_mbx_write(struct veb *v, struct veb_vf *f, uint32_t val, uint64_t now);
uint32_t veb_mbx_read(struct veb_vf *f);
void veb_mbx_notice(struct veb *v, struct veb_vf *f, uint64_t now);
/* Forgets what the VF asked for: filters back to what a reset leaves. */
void veb_pf_forget(struct veb *v, struct veb_vf *f);

/* regs.c */
void veb_vf_reset(struct veb_vf *f); /* VFCTRL.RST */
uint32_t veb_reg_read(struct veb *v, struct veb_vf *f, uint32_t off, uint64_t now);
void veb_reg_write(struct veb *v, struct veb_vf *f, uint32_t off, uint32_t val, uint64_t now);

/* parse.c */
void veb_parse(const struct veb *v, struct veb_frame *fr);
void veb_verify(struct veb_frame *fr); /* checksums of a frame from the wire */
uint32_t veb_sum(const void *data, size_t len, uint32_t sum); /* big-endian words, not folded */
uint16_t veb_fold(uint32_t sum);
uint32_t veb_crc32c(const void *data, size_t len);

/* switch.c: returns what it cost. */
uint32_t veb_forward(struct veb *v, struct veb_frame *fr, uint64_t now, unsigned *receivers);

/* rx.c: whether it was delivered. */
bool veb_deliver(struct veb *v, struct veb_vf *f, const struct veb_frame *fr, uint64_t now);

/* tx.c: goes on with a function's rings, within one budget: those of the mask, and all if some had work
 * left over. */
#define VEB_ALL_QUEUES ((1u << VEB_HW_QUEUES) - 1)
void veb_transmit(struct veb *v, struct veb_vf *f, uint32_t queues, uint64_t now);

#endif
