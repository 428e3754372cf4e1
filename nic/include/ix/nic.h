/* SPDX-License-Identifier: MIT
 *
 * The driver interface of the dataplane's NICs: 82599 VF and 82540EM (e1000).
 *
 * Life of a NIC:
 *	size = ix_nic_mem_size(&cfg);			memory: see ix_nic_init()
 *	nic = ix_nic_init(&dev, &cfg, mem, dma);	no register is touched
 *	ix_nic_start(nic, 3000000);			reset, mailbox, queues; bounded wait
 *	for each queue: ix_nic_rx_post(q, bufs, n);
 *	each core, own queue: rx_burst, rx_post, tx_burst, tx_done
 *	one core, each 1 to 100 ms: ix_nic_control(nic)
 *	ix_nic_stop(nic);
 *
 * Queues. A queue is a pair of an RX and a TX ring and belongs to one core; two queues share no
 * written cache line. The control functions (start, control, stop and those that change filters)
 * belong to one core, which may own a queue as well. No function takes a lock or allocates.
 *
 * Buffers belong to the caller. The driver holds an RX buffer from rx_post to the rx_burst that
 * returns it, and the pieces of a TX packet from tx_burst until tx_done returns its cookie. It
 * never looks into either.
 *
 * Reset notice. The PF may reset the NIC at any time. ix_nic_control() notices, stops the queues
 * and brings the device up again; until then bursts return 0. The owner of a queue rebuilds its
 * rings itself, inside its next burst call: posted RX buffers are posted again, unfinished TX
 * packets come back through tx_done and are counted in tx_aborted. Connections see packet loss, no
 * more.
 *
 * Errors are negative errno values.
 */
#ifndef IX_NIC_H
#define IX_NIC_H

#include <ix/nic_platform.h>
#include <ix/rss.h>

#define IX_NIC_MAX_QUEUES 4
#define IX_NIC_RX_STEP    32 /* RX tail is moved by at least so many descriptors, unless starved */
#define IX_NIC_MIN_RING   64
#define IX_NIC_MAX_RING   4096
#define IX_NIC_MAX_SEGS   32 /* pieces of a TX packet */
#define IX_NIC_MAX_MC     30 /* multicast addresses: one mailbox message */

enum ix_nic_kind {
	IX_NIC_NONE,
	IX_NIC_VF82599, /* 8086:10ed */
	IX_NIC_E1000,   /* 8086:100e */
};

/* ix_nic.caps */
#define IX_NIC_CAP_RX_CSUM  (1u << 0) /* IX_NIC_RX_L4_OK may be set */
#define IX_NIC_CAP_RX_HASH  (1u << 1) /* IX_NIC_RX_HASH may be set */
#define IX_NIC_CAP_TX_CSUM  (1u << 2) /* IX_NIC_TX_IP_CSUM, _TCP_CSUM, _UDP_CSUM */
#define IX_NIC_CAP_TSO      (1u << 3) /* IX_NIC_TX_TSO */
#define IX_NIC_CAP_IRQ      (1u << 4) /* ix_nic_irq_* */
#define IX_NIC_CAP_RSS_INFO (1u << 5) /* key and table are known: ix_nic_rss() */

/* ix_nic_config.flags */
#define IX_NIC_PROMISC  (1u << 0) /* asked of the PF, which may refuse */
#define IX_NIC_ALLMULTI (1u << 1)

struct ix_nic_config {
	uint16_t nqueues; /* pairs wanted: 1, 2 or 4; ix_nic.nqueues says how many there are */
	uint16_t rx_ring; /* descriptors: a power of two, IX_NIC_MIN_RING..IX_NIC_MAX_RING */
	uint16_t tx_ring; /* the same */
	uint16_t
	    rx_buf_size; /* bytes the device may write in each RX buffer: 2048, 4096, 8192, 16384 */
	uint16_t max_frame; /* longest frame, CRC included: 1518 for an MTU of 1500 */
	uint8_t mac[6];     /* wanted address, or zero: the one the device has */
	uint32_t flags;
	uint32_t nmc; /* multicast groups to receive */
	uint8_t mc[IX_NIC_MAX_MC][6];
	uint32_t seed; /* entropy for a local MAC address when neither side has one */
};

/* An RX buffer: DMA address even and not 0, rx_buf_size bytes. */
struct ix_nic_buf {
	void *va;
	uint64_t dma;
};

/* ix_nic_rx.flags. A checksum that is not reported good is to be verified by the caller. */
#define IX_NIC_RX_IP_OK (1u << 0) /* IPv4 header checksum is right */
#define IX_NIC_RX_L4_OK (1u << 1) /* TCP or UDP checksum is right (and IPv4's, if any) */
#define IX_NIC_RX_HASH  (1u << 2) /* hash is valid */
#define IX_NIC_RX_HASH4 (1u << 3) /* hash covers ports, else addresses only */
#define IX_NIC_RX_VLAN  (1u << 4) /* a tag was stripped: vlan */
#define IX_NIC_RX_LOCAL (1u << 5) /* from another function of the same NIC: no wire was involved */

/* A received frame, alone in its buffer, without CRC. */
struct ix_nic_rx {
	void *va;
	uint64_t dma;
	uint32_t hash; /* Toeplitz */
	uint16_t len;  /* bytes */
	uint16_t vlan; /* TCI */
	uint32_t flags;
	uint32_t reserved;
};

struct ix_nic_seg {
	void *va; /* for ix_nic_tx_prepare() only; the device reads from dma */
	uint64_t dma;
	uint32_t len; /* bytes, not 0 */
	uint32_t reserved;
};

/* ix_nic_tx.flags */
#define IX_NIC_TX_IP_CSUM  (1u << 0) /* insert the IPv4 header checksum; the field must hold 0 */
#define IX_NIC_TX_TCP_CSUM (1u << 1) /* insert; the field must hold the folded pseudo-header sum, */
#define IX_NIC_TX_UDP_CSUM (1u << 2) /* not complemented: ix_nic_tx_prepare() writes it */
#define IX_NIC_TX_IPV6     (1u << 3) /* layer 3 is IPv6 */
#define IX_NIC_TX_TSO      (1u << 4) /* with TCP_CSUM (and IP_CSUM for IPv4): cut into mss */
#define IX_NIC_TX_VLAN     (1u << 5) /* insert vlan */

/* A frame to send, without CRC; frames under 60 bytes are padded by the driver. */
struct ix_nic_tx {
	const struct ix_nic_seg *seg; /* nseg pieces; read during tx_burst only */
	uint16_t nseg;                /* 1..IX_NIC_MAX_SEGS */
	uint16_t flags;
	uint16_t mss;    /* TSO: bytes of payload in each segment */
	uint16_t vlan;   /* TCI */
	uint8_t l2_len;  /* bytes of Ethernet header (14); 0 means 14 */
	uint8_t l4_len;  /* bytes of TCP header with options, for TSO */
	uint16_t l3_len; /* bytes of IP header with options */
	uint64_t cookie; /* returned by ix_nic_tx_done() */
};

/* Counted by the driver, written by the owner of the queue only. */
struct ix_nic_queue_stats {
	uint64_t rx_packets, rx_bytes;
	uint64_t rx_errors;   /* frames dropped for a MAC error the device reported */
	uint64_t rx_chained;  /* frames dropped because they took more than one buffer */
	uint64_t rx_csum_bad; /* frames delivered that the device found wrong (no _OK flag) */
	uint64_t rx_aborted;  /* frames received but not yet fetched at a reset: lost */
	uint64_t tx_packets, tx_bytes; /* handed to the device, TSO counted once */
	uint64_t tx_invalid; /* refused by the driver's checks: dropped, cookie returned */
	uint64_t tx_aborted; /* unfinished at a reset: may or may not have been sent */
	uint64_t rx_doorbells, tx_doorbells;
};

/* Counted by the device, widened to 64 bits by ix_nic_control(), of a VF each
 * tenth of a second at most; a reset loses what it has not seen. Octets include the CRC. */
struct ix_nic_stats {
	uint64_t rx_packets, rx_octets, rx_multicast;
	uint64_t tx_packets, tx_octets;
	uint64_t rx_missed; /* no descriptor; 0 where the device does not tell (VF) */
	uint64_t resets;    /* times the device was brought up, the first included */
	uint64_t link_changes;
	uint64_t mbx_timeouts, mbx_nacks;
};

struct ix_nic_link {
	bool up;
	uint32_t mbps;
};

struct ix_nic;
struct ix_nic_queue;

/* What a PCI function is to us. */
enum ix_nic_kind ix_nic_probe(uint16_t vendor, uint16_t device);

/* Bytes of memory ix_nic_init() needs; 0 if the configuration is not valid. */
size_t ix_nic_mem_size(const struct ix_nic_config *cfg);

/*
 * Prepares a NIC in `mem` (4 KiB aligned, zero, of ix_nic_mem_size() bytes, at device address
 * `dma`). `dev` must outlive it. Returns NULL if the device is unknown, lacks its BAR or the
 * configuration is not valid.
 */
struct ix_nic *ix_nic_init(const struct ix_nic_dev *dev, const struct ix_nic_config *cfg, void *mem,
			   uint64_t dma);

/*
 * Runs ix_nic_control() until the queues run. -ETIMEDOUT: not yet, because the PF does not answer
 * or is in reset; calling ix_nic_control() goes on trying. -ENODEV: the device is gone.
 */
int ix_nic_start(struct ix_nic *nic, uint32_t timeout_us);

/* Events, from ix_nic_control(). */
#define IX_NIC_EV_LINK (1u << 0) /* ix_nic_link() changed */
#define IX_NIC_EV_DOWN (1u << 1) /* reset noticed: queues stop */
#define IX_NIC_EV_UP \
	(1u << 2) /* queues run (again); MAC address, number of queues and RSS may differ */
#define IX_NIC_EV_GONE (1u << 3) /* all registers read ones: the device is gone for good */

/*
 * Housekeeping: mailbox, reset notice and recovery, link, device counters. Never waits; costs a few
 * register reads. `IX_NIC_EV_` bits are returned.
 */
uint32_t ix_nic_control(struct ix_nic *nic);

/* Stops DMA and interrupts. Buffers still posted are given up: the caller owns them again. */
void ix_nic_stop(struct ix_nic *nic);

unsigned ix_nic_nqueues(const struct ix_nic *nic);
struct ix_nic_queue *ix_nic_queue(struct ix_nic *nic, unsigned i);
uint32_t ix_nic_caps(const struct ix_nic *nic); /* IX_NIC_CAP_ */
enum ix_nic_kind ix_nic_kind(const struct ix_nic *nic);
bool ix_nic_running(const struct ix_nic *nic);
void ix_nic_mac(const struct ix_nic *nic, uint8_t mac[6]);
struct ix_nic_link ix_nic_link(const struct ix_nic *nic);
void ix_nic_stats(const struct ix_nic *nic, struct ix_nic_stats *out);
const struct ix_nic_queue_stats *ix_nic_queue_stats(const struct ix_nic_queue *q);

/*
 * How the device spreads flows, or NULL when it does not say (one queue: everything goes to 0). The
 * queue of a packet with this hash is ix_rss_queue(rss, hash).
 */
const struct ix_rss *ix_nic_rss(const struct ix_nic *nic);

/* New multicast groups or IX_NIC_ flags; takes effect in later ix_nic_control() calls. */
int ix_nic_set_filter(struct ix_nic *nic, uint32_t flags, const uint8_t (*mc)[6], uint32_t nmc);

/*
 * The data path. All return a number of elements and never wait.
 *
 * rx_burst: up to `max` received frames, in order of arrival. Frames that are faulty or larger
 *	than one buffer are dropped, counted, and their buffers posted again.
 * rx_post: gives buffers to the device; takes at most rx_room(). The device hears of them
 *	IX_NIC_RX_STEP at a time.
 * tx_burst: hands over packets, in order; rings the doorbell once. A packet that breaks the rules
 *	is dropped, counted in tx_invalid, and counts as taken. Returns less than `n` when the ring
 *	is full.
 * tx_done: cookies of packets whose memory the device needs no more, in order of tx_burst.
 * rx_waiting: descriptors that the device has filled and rx_burst has not taken; for statistics.
 * rx_room, tx_room: descriptors free; a TX packet takes at most nseg + 2, and one more for each
 *	16 KiB of a piece.
 */
unsigned ix_nic_rx_burst(struct ix_nic_queue *q, struct ix_nic_rx *out, unsigned max);
unsigned ix_nic_rx_post(struct ix_nic_queue *q, const struct ix_nic_buf *bufs, unsigned n);
unsigned ix_nic_rx_room(const struct ix_nic_queue *q);
unsigned ix_nic_rx_waiting(const struct ix_nic_queue *q);
unsigned ix_nic_tx_burst(struct ix_nic_queue *q, const struct ix_nic_tx *pkts, unsigned n);
unsigned ix_nic_tx_done(struct ix_nic_queue *q, uint64_t *cookies, unsigned max);
unsigned ix_nic_tx_room(const struct ix_nic_queue *q);

/*
 * Makes the checksum fields of a packet what the hardware expects: IPv4 header checksum 0, TCP or
 * UDP checksum the pseudo-header sum; with TSO, lengths left out. All headers must lie in seg[0].
 */
int ix_nic_tx_prepare(const struct ix_nic_tx *pkt);

/*
 * Interrupts, for idle cores only. irq_setup gives the message of the queue (queues 0 and 2, and 1
 * and 3, share one); irq_arm asks for one when a frame arrives (or has arrived since the ring was
 * last seen empty): poll once more after arming, then sleep; irq_disarm before polling goes on.
 * -EOPNOTSUPP without IX_NIC_CAP_IRQ.
 */
int ix_nic_irq_setup(struct ix_nic_queue *q, uint64_t msi_addr, uint32_t msi_data);
int ix_nic_irq_arm(struct ix_nic_queue *q);
int ix_nic_irq_disarm(struct ix_nic_queue *q);

#endif
