/* SPDX-License-Identifier: MIT
 *
 * The register accesses of Linux 6.1 ixgbevf on a machine with two CPUs, from probe to the first run
 * of its service task. Reads carry what the driver needs to find there.
 */
#ifndef TESTS_NIC_GOLDEN_H
#define TESTS_NIC_GOLDEN_H

struct golden {
	bool write;
	uint32_t off, val, mask;
};

#define R(off, val, mask)             \
	{                             \
		false, off, val, mask \
	}
#define W(off, val)               \
	{                         \
		true, off, val, 0 \
	}
#define EN VF_DCTL_ENABLE

/* Legacy mailbox: take VFU, send, poll for PFSTS, take VFU, read, acknowledge. */
#define LOCK          R(VF_MAILBOX, 0, 0), W(VF_MAILBOX, 4), R(VF_MAILBOX, 4, 4)
#define SEND          R(VF_MAILBOX, 0, 0), W(VF_MAILBOX, 1), R(VF_MAILBOX, 0x10, 0x10), LOCK
#define DONE          W(VF_MAILBOX, 2)
#define MSG1(a)       LOCK, W(VF_MBMEM(0), a)
#define MSG2(a, b)    MSG1(a), W(VF_MBMEM(1), b)
#define MSG3(a, b, c) MSG2(a, b), W(VF_MBMEM(2), c)
#define REPLY(word)   SEND, R(VF_MBMEM(0), word, ~0u)
#define OK(op)        (0xa0000000u | (op))
#define REFUSED(op)   (0x60000000u | (op))

#define RESET_HW                                                                             \
	R(VF_RXDCTL(0), 0, EN), R(VF_RXDCTL(1), 0, EN), R(VF_STATUS, 0, 0), W(VF_EIMC, 7),   \
	    R(VF_EICR, 0, 0), R(VF_TXDCTL(0), 0, EN), R(VF_TXDCTL(1), 0, EN),                \
	    W(VF_CTRL, 0x04000000), R(VF_STATUS, 0, 0), R(VF_MAILBOX, 0, 0xc0), MSG1(1),     \
	    REPLY(0x80000001), R(VF_MBMEM(1), 0x00000002, ~0u), R(VF_MBMEM(2), 0x1000, ~0u), \
	    R(VF_MBMEM(3), 0, ~0u), DONE
#define NEGOTIATE MSG3(8, 6, 0), REPLY(REFUSED(8)), DONE, MSG3(8, 5, 0), REPLY(OK(8)), DONE
#define GET_QUEUES                                                                                 \
	MSG3(9, 0, 0), W(VF_MBMEM(3), 0), W(VF_MBMEM(4), 0), REPLY(OK(9)), R(VF_MBMEM(1), 4, ~0u), \
	    R(VF_MBMEM(2), 4, ~0u), R(VF_MBMEM(3), 0, ~0u), R(VF_MBMEM(4), 0, ~0u), DONE
#define TX_QUEUE(q)                                                                                \
	W(VF_TXDCTL(q), 0x04000000), R(VF_STATUS, 0, 0), W(VF_TDBAL(q), 0x00100000 + 0x10000 * q), \
	    W(VF_TDBAH(q), 1), W(VF_TDLEN(q), 0x4000), W(VF_TDWBAH(q), 0), W(VF_TDWBAL(q), 0),     \
	    W(VF_DCA_TXCTRL(q), 0x2200), W(VF_TDH(q), 0), W(VF_TDT(q), 0),                         \
	    W(VF_TXDCTL(q), 0x02080120), R(VF_TXDCTL(q), EN, EN)
#define RX_QUEUE(q)                                                                              \
	R(VF_RXDCTL(q), 0, EN), W(VF_RXDCTL(q), 0), R(VF_RXDCTL(q), 0, EN),                      \
	    W(VF_RDBAL(q), 0x00200000 + 0x10000 * q), W(VF_RDBAH(q), 1), W(VF_RDLEN(q), 0x2000), \
	    W(VF_DCA_RXCTRL(q), 0x200), W(VF_RDH(q), 0), W(VF_RDT(q), 0),                        \
	    W(VF_SRRCTL(q), 0x12000402), W(VF_RXDCTL(q), 0x42000000),                            \
	    R(VF_RXDCTL(q), 0x42000000, 0x42000000), W(VF_RDT(q), 511)
#define COUNTERS                                                                                \
	R(VF_GPRC, 0, ~0u), R(VF_GPTC, 0, ~0u), R(VF_GORC_LSB, 0, ~0u), R(VF_GORC_MSB, 0, ~0u), \
	    R(VF_GOTC_LSB, 0, ~0u), R(VF_GOTC_MSB, 0, ~0u), R(VF_MPRC, 0, ~0u)
#define LINK_UP R(VF_LINKS, 0x70000000, ~0u)

static const struct golden golden[] = {
    /* probe */
    RESET_HW,
    NEGOTIATE,
    GET_QUEUES,
    COUNTERS,
    /* open */
    GET_QUEUES,
    MSG2(0x0c, 1),
    REPLY(OK(0x0c)),
    R(VF_MBMEM(1), 1, ~0u),
    DONE,
    MSG1(0x03),
    REPLY(OK(0x03)),
    DONE,
    MSG3(0x06, 0, 0),
    REPLY(OK(0x06)),
    DONE,
    MSG2(0x10004, 0),
    REPLY(OK(0x10004)),
    DONE,
    TX_QUEUE(0),
    TX_QUEUE(1),
    W(VF_PSRTYPE, 0x20001330),
    MSG2(0x05, 1518),
    REPLY(OK(0x05)),
    DONE,
    RX_QUEUE(0),
    RX_QUEUE(1),
    R(VF_IVAR(0), 0, ~0u),
    W(VF_IVAR(0), 0x80),
    R(VF_IVAR(0), 0x80, ~0u),
    W(VF_IVAR(0), 0x8080),
    R(VF_IVAR(0), 0x8080, ~0u),
    W(VF_IVAR(0), 0x818080),
    R(VF_IVAR(0), 0x818080, ~0u),
    W(VF_IVAR(0), 0x81818080),
    W(VF_EITR(0), 0x800000c8),
    W(VF_EITR(1), 0x800000c8),
    R(VF_IVAR_MISC, 0, ~0u),
    W(VF_IVAR_MISC, 0x82),
    MSG3(0x02, 0x00000002, 0x1000),
    REPLY(OK(0x02)),
    DONE,
    MSG2(0x10, 0),
    REPLY(OK(0x10)),
    R(VF_MBMEM(1), 1, ~0u),
    DONE,
    R(VF_EICR, 0, 0),
    W(VF_EIAM, 7),
    W(VF_EIAC, 7),
    W(VF_EIMS, 7),
    COUNTERS,
    /* service task: link, then CTS in the word that lies in the mailbox */
    R(VF_MAILBOX, 0, 0xc0),
    LINK_UP,
    LINK_UP,
    LINK_UP,
    LINK_UP,
    LINK_UP,
    LINK_UP,
    LOCK,
    R(VF_MBMEM(0), 0x20000000, 0x20000000),
    DONE,
    COUNTERS,
    W(VF_EICS, 3),
    /* down, and the reset that follows */
    W(VF_RXDCTL(0), 0x40000000),
    R(VF_RXDCTL(0), 0, EN),
    W(VF_RXDCTL(1), 0x40000000),
    R(VF_RXDCTL(1), 0, EN),
    W(VF_EIAM, 0),
    W(VF_EIMC, ~0u),
    W(VF_EIAC, 0),
    R(VF_STATUS, 0, 0),
    W(VF_TXDCTL(0), 0x04000000),
    W(VF_TXDCTL(1), 0x04000000),
    RESET_HW,
    NEGOTIATE,
};

#endif
