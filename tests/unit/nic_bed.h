/* SPDX-License-Identifier: MIT
 *
 * A test bed: bridge, functions' memory, and drivers on them, with a clock of its own.
 */
#ifndef TESTS_NIC_BED_H
#define TESTS_NIC_BED_H

#include <ix/nic.h>
#include <ix/vf82599.h>
#include "nic/nic_priv.h"
#include "nic/ring.h"
#include "nic/vf_regs.h"

#define BED_VFS      4
#define BED_MEM      (24u << 20)
#define BED_GPA(vf)  (0x100000000ull * ((vf) + 1)) /* each function's memory lies elsewhere */
#define BED_LOG      65536
#define BED_BUF_SIZE 2048
#define BED_WIRE_MAX 64

struct bed_access {
	bool write;
	uint8_t bar;
	uint32_t off, val;
};

struct bed;

/* A function with its driver, and what may be put between the two. */
struct bed_nic {
	struct bed *bed;
	unsigned vf;
	struct ix_nic_platform platform;
	struct ix_nic_mmio mmio;
	struct ix_nic_dev dev;
	struct ix_nic *nic;
	struct ix_nic_config cfg;
	/* Accesses, oldest first; stops when full. */
	struct bed_access *log;
	unsigned nlog;
	/* May change what a read returns, or swallow a write (by returning false). */
	uint32_t (*on_read)(struct bed_nic *n, uint32_t off, uint32_t val);
	bool (*on_write)(struct bed_nic *n, uint32_t off, uint32_t *val);
	unsigned hook_count;
	uint32_t hook_arg;
};

struct bed {
	struct veb *veb;
	uint64_t now_ns;
	uint8_t *mem[BED_VFS];
	size_t used[BED_VFS];
	unsigned nmsi;
	struct {
		unsigned vf;
		uint64_t addr;
		uint32_t data;
	} msi[256];
	unsigned nwire;
	struct {
		uint32_t len;
		uint8_t data[9732];
	} wire[BED_WIRE_MAX];
	struct bed_nic nic[BED_VFS];
};

extern const uint8_t bed_mac[BED_VFS][6];

/* A bridge with BED_VFS functions that have bed_mac[]; cfg may be NULL. */
struct bed *bed_new(const struct veb_config *cfg);
void bed_free(struct bed *b);
void *bed_alloc(struct bed *b, unsigned vf, size_t len, uint64_t *gpa);
void *bed_ptr(struct bed *b, unsigned vf, uint64_t gpa);

uint32_t bed_rd(struct bed *b, unsigned vf, uint32_t off);
void bed_wr(struct bed *b, unsigned vf, uint32_t off, uint32_t val);

/* A mailbox exchange by hand: n words in msg, the reply of 16 words in its place. */
void bed_mbx(struct bed *b, unsigned vf, uint32_t *msg, unsigned n);
/* RESET, API 1.3 and SET_LPE, so that the function may send and receive. */
void bed_hello(struct bed *b, unsigned vf);

/* Rings by hand. The RX ring has `size` descriptors, all but one with a buffer of 2 KiB. */
struct bed_ring {
	struct nic_desc *desc;
	uint64_t gpa;
	uint32_t size;
	uint8_t *buf; /* RX: slot i's is at buf + 2048 * i; TX: room for data */
	uint64_t buf_gpa;
};
void bed_rx_ring(struct bed *b, unsigned vf, unsigned q, uint32_t size, struct bed_ring *r);
void bed_tx_ring(struct bed *b, unsigned vf, unsigned q, uint32_t size, struct bed_ring *r);
/* Sends one frame from a TX ring with a context of MACLEN 14 at slot *tail. */
void bed_send(struct bed *b, unsigned vf, unsigned q, struct bed_ring *r, const void *frame,
	      uint32_t len);

/* The driver: default configuration, creation, start. */
void bed_nic_config(struct ix_nic_config *cfg);
struct bed_nic *bed_nic_new(struct bed *b, unsigned vf, const struct ix_nic_config *cfg);
struct bed_nic *bed_nic_up(struct bed *b, unsigned vf, const struct ix_nic_config *cfg);
/* Fills a queue with buffers. */
void bed_nic_fill(struct bed_nic *n, unsigned queue);
/* Runs control for `us` of the bed's time, in steps of `step`; returns the events. */
uint32_t bed_nic_run(struct bed_nic *n, uint32_t us, uint32_t step);

/* Frames */
uint32_t bed_eth(uint8_t *f, const uint8_t *dst, const uint8_t *src, uint16_t type, uint32_t len);
/* IPv4 with TCP (proto 6) or UDP (17), payload counting up from `seed`; checksums are right. */
uint32_t bed_ip4(uint8_t *f, const uint8_t *dst, const uint8_t *src, uint8_t proto, uint16_t sport,
		 uint16_t dport, uint32_t payload, uint8_t seed);
/* Of a whole frame, recomputed from nothing: are the IPv4 and TCP or UDP checksums right? */
bool bed_ip4_sum_ok(const uint8_t *f);
bool bed_l4_sum_ok(const uint8_t *f);

#endif
