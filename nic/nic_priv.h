/* SPDX-License-Identifier: MIT
 *
 * What the drivers share: a NIC, its queues, and their life across resets.
 *
 * Stopping. Only the owner of a queue touches its rings, so the control core asks: it writes
 * `want`, the owner answers with `have`.
 *	even: stop. The owner rebuilds its rings, from slot 0 on, and answers.
 *	odd:  run. Asked only after the answer to "stop"; the owner rings the RX doorbell, answers.
 * The device has stopped its DMA before it is asked, and is programmed again after the answer.
 */
#ifndef NIC_PRIV_H
#define NIC_PRIV_H

#include <errno.h>
#include <ix/nic.h>

#define CACHE_LINE 64

/* A packet between tx_burst and tx_done. */
struct tx_pkt {
	uint64_t cookie;
	uint32_t end; /* ring position after its last descriptor */
	uint32_t reserved;
};

/* A descriptor of any kind: 16 bytes, little-endian. */
struct nic_desc {
	uint64_t q[2];
};

/* Positions run freely; `& mask` gives the slot. */
struct ix_nic_queue {
	/* Read by the owner, written before the queue runs. */
	const struct ix_nic_dev *dev;
	enum ix_nic_kind kind;
	uint16_t index;
	uint16_t rx_buf_size;
	struct nic_desc *rx_desc;
	struct nic_desc *tx_desc;
	struct ix_nic_buf *rx_buf; /* of each slot */
	struct tx_pkt *tx_pkt;     /* packets in flight, a ring of its own */
	uint32_t *tx_rs;           /* positions where the device reports, another one */
	uint32_t rx_mask, tx_mask;
	uint32_t rdt, tdt; /* register offsets */
	uint64_t rx_dd;    /* done bit of an RX descriptor, in q[1] */

	/* RX: next <= told <= posted <= next + ring - 1 */
	uint32_t rx_next;    /* first descriptor not seen yet */
	uint32_t rx_told;    /* end of what the device knows of */
	uint32_t rx_posted;  /* end of what has a buffer */
	bool rx_skip;        /* amid a frame that is being dropped */
	uint8_t tx_ctx_last; /* offload context used last, of 2 */
	uint32_t rx_enable;  /* e1000: RCTL to write after the first tail; 0: done */

	/* TX: clean <= tail <= clean + ring - 1 */
	uint32_t tx_tail;  /* end of what the device knows of, outside tx_burst */
	uint32_t tx_clean; /* end of what the device is known to be done with */
	uint32_t pkt_head, pkt_tail;
	uint32_t rs_head, rs_tail;
	uint32_t tx_since_rs;  /* descriptors since the last report was asked for */
	uint64_t tx_ctx[2][2]; /* what the device's contexts hold; 0: nothing */
	uint64_t pad_dma;      /* 64 zero bytes, to pad short frames with */

	uint32_t have;      /* answer to `want`: written by the owner, rarely */
	uint8_t irq_vector; /* control path */
	bool irq_on;
	struct ix_nic_queue_stats stats;

	/* Written by the control core, rarely. */
	uint32_t want __attribute__((aligned(CACHE_LINE)));
	uint64_t rx_dma, tx_dma;
} __attribute__((aligned(CACHE_LINE)));

/* A mailbox exchange, in steps that never wait. */
struct vf_mbx {
	enum {
		MBX_IDLE,
		MBX_SEND,
		MBX_WAIT
	} state;
	uint32_t seen; /* read-to-clear bits of VFMAILBOX read and not yet used */
	uint32_t len;
	uint32_t msg[16]; /* request, then reply */
	uint64_t deadline;
};

/* vf_state.todo */
#define VF_TODO_LINK  (1u << 0)
#define VF_TODO_XCAST (1u << 1)
#define VF_TODO_MC    (1u << 2)

struct vf_state {
	struct vf_mbx mbx;
	uint32_t api;     /* index into the ladder while negotiating */
	uint32_t mc_type; /* which bits of an address hash */
	bool mac_granted;
	bool cts;        /* the PF's last word had CTS */
	bool admin_down; /* GET_LINK_STATE said so */
	bool have_key, have_reta;
	uint32_t todo;     /* requests to make while running: VF_TODO_ */
	uint32_t request;  /* the one under way */
	uint32_t up_reads; /* times VFLINKS said up without a break */
	uint64_t up_since;
	bool small_frame;    /* SET_LPE was refused: ask for a standard frame */
	uint64_t counter[5]; /* as last read */
	uint64_t counters_due;
};

struct ix_nic {
	const struct ix_nic_dev *dev;
	struct ix_nic_config cfg;
	enum ix_nic_kind kind;
	uint32_t caps;
	unsigned nqueues; /* in use */
	unsigned step;    /* of bringing the device up */
	uint64_t step_time;
	uint64_t retry_at, retry_us; /* after a failure */
	bool running, gone, stopped;
	bool filter_changed;
	uint32_t events; /* not yet reported */
	uint8_t mac[6];
	struct ix_nic_link link;
	struct ix_nic_stats stats;
	struct ix_rss rss;
	bool rss_known;
	struct vf_state vf;
	struct ix_nic_queue *queue[IX_NIC_MAX_QUEUES];
};

/* One step of bringing a device up: 1 = go on to the next, 0 = call again, or a negative errno. */
typedef int nic_step(struct ix_nic *nic, uint64_t now);

extern nic_step *const vf_steps[], *const e1000_steps[];
extern const unsigned vf_nsteps, e1000_nsteps;

/* Housekeeping of a running device. A negative errno: it has to be brought up again. */
int vf_housekeep(struct ix_nic *nic, uint64_t now);
int e1000_housekeep(struct ix_nic *nic, uint64_t now);

/* Stops DMA and interrupts, at once and for good. */
void vf_halt(struct ix_nic *nic);
void e1000_halt(struct ix_nic *nic);

unsigned vf_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max);
unsigned vf_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n);
unsigned e1000_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max);
unsigned e1000_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n);

int vf_irq_setup(struct ix_nic_queue *q, uint64_t addr, uint32_t data);

/* Asks all owners to stop; true once all have. */
void nic_queues_stop(struct ix_nic *nic);
bool nic_queues_stopped(const struct ix_nic *nic);
void nic_queues_run(struct ix_nic *nic);

/* Owner's side, out of line: the answer to `want`. Returns whether the queue runs. */
bool nic_queue_sync(struct ix_nic_queue *q);

static inline uint64_t nic_now(const struct ix_nic *nic)
{
	return nic->dev->platform->now_us(nic->dev->platform->ctx);
}

#endif
