/* SPDX-License-Identifier: MIT
 *
 * 82599 VF: registers of BAR0, mailbox messages, descriptors. Offsets and bits as in Linux 6.1
 * ixgbevf and the Intel X550 datasheet (333369-009), where that agrees with the 82599.
 */
#ifndef NIC_VF_REGS_H
#define NIC_VF_REGS_H

#define VF_CTRL         0x0000
#define VF_CTRL_RST     (1u << 26)
#define VF_STATUS       0x0008
#define VF_LINKS        0x0010
#define VF_LINKS_UP     (1u << 30)
#define VF_LINKS_SPEED  28 /* 2 bits: 1 = 100M, 2 = 1G, 3 = 10G */
#define VF_FRTIMER      0x0048
#define VF_EICR         0x0100
#define VF_EICS         0x0104
#define VF_EIMS         0x0108
#define VF_EIMC         0x010c
#define VF_EIAC         0x0110
#define VF_EIAM         0x0114
#define VF_IVAR(n)      (0x0120 + 4 * (n)) /* n = 0..3: queues 2n and 2n + 1 */
#define VF_IVAR_MISC    0x0140
#define VF_IVAR_VALID   0x80u
#define VF_PBACL        0x0148
#define VF_MBMEM(n)     (0x0200 + 4 * (n)) /* n = 0..15 */
#define VF_MBMEM_WORDS  16
#define VF_MAILBOX      0x02fc
#define VF_PSRTYPE      0x0300
#define VF_PSRTYPE_RQPL 29                 /* 3 bits: log2 of the number of RSS queues */
#define VF_EITR(n)      (0x0820 + 4 * (n)) /* n = 0, 1 */

#define VF_RDBAL(q)       (0x1000 + 0x40 * (q)) /* q = 0..7 */
#define VF_RDBAH(q)       (0x1004 + 0x40 * (q))
#define VF_RDLEN(q)       (0x1008 + 0x40 * (q))
#define VF_DCA_RXCTRL(q)  (0x100c + 0x40 * (q))
#define VF_RDH(q)         (0x1010 + 0x40 * (q))
#define VF_SRRCTL(q)      (0x1014 + 0x40 * (q))
#define VF_RDT(q)         (0x1018 + 0x40 * (q))
#define VF_RXDCTL(q)      (0x1028 + 0x40 * (q))
#define VF_RSCCTL(q)      (0x102c + 0x40 * (q))
#define VF_TDBAL(q)       (0x2000 + 0x40 * (q))
#define VF_TDBAH(q)       (0x2004 + 0x40 * (q))
#define VF_TDLEN(q)       (0x2008 + 0x40 * (q))
#define VF_DCA_TXCTRL(q)  (0x200c + 0x40 * (q))
#define VF_TDH(q)         (0x2010 + 0x40 * (q))
#define VF_TDT(q)         (0x2018 + 0x40 * (q))
#define VF_TXDCTL(q)      (0x2028 + 0x40 * (q))
#define VF_TDWBAL(q)      (0x2038 + 0x40 * (q))
#define VF_TDWBAH(q)      (0x203c + 0x40 * (q))
#define VF_DCTL_ENABLE    (1u << 25)
#define VF_RXDCTL_VME     (1u << 30)
#define VF_RXCTRL_DESC_RO (1u << 9)
#define VF_TXCTRL_DESC_RO (1u << 9)
#define VF_TXCTRL_DATA_RO (1u << 13)
#define VF_SRRCTL_ADV     (1u << 25) /* DESCTYPE 1: advanced, one buffer */
#define VF_SRRCTL_DROP    (1u << 28)

#define VF_GPRC     0x101c
#define VF_GORC_LSB 0x1020
#define VF_GORC_MSB 0x1024
#define VF_MPRC     0x1034
#define VF_GPTC     0x201c
#define VF_GOTC_LSB 0x2020
#define VF_GOTC_MSB 0x2024

/* VFMAILBOX; STS, ACK and RSTD are cleared by reading. */
#define VF_MB_REQ        (1u << 0)
#define VF_MB_ACK        (1u << 1)
#define VF_MB_VFU        (1u << 2)
#define VF_MB_PFU        (1u << 3)
#define VF_MB_PFSTS      (1u << 4)
#define VF_MB_PFACK      (1u << 5)
#define VF_MB_RSTI       (1u << 6)
#define VF_MB_RSTD       (1u << 7)
#define VF_MB_READ_CLEAR (VF_MB_PFSTS | VF_MB_PFACK | VF_MB_RSTD)

/* Word 0 of a message: opcode in 15:0, info in 23:16. */
#define VF_MSG_ACK           0x80000000u
#define VF_MSG_NACK          0x40000000u
#define VF_MSG_CTS           0x20000000u
#define VF_MSG_INFO          16
#define VF_OP_RESET          0x01
#define VF_OP_SET_MAC        0x02
#define VF_OP_SET_MULTICAST  0x03
#define VF_OP_SET_VLAN       0x04
#define VF_OP_SET_LPE        0x05
#define VF_OP_SET_MACVLAN    0x06
#define VF_OP_API_NEGOTIATE  0x08
#define VF_OP_GET_QUEUES     0x09
#define VF_OP_GET_RETA       0x0a
#define VF_OP_GET_RSS_KEY    0x0b
#define VF_OP_UPDATE_XCAST   0x0c
#define VF_OP_GET_LINK_STATE 0x10
#define VF_OP_PF_CONTROL     0x0100
#define VF_MC_HASHES_MAX     30
#define VF_XCAST_NONE        0
#define VF_XCAST_MULTI       1
#define VF_XCAST_ALLMULTI    2
#define VF_XCAST_PROMISC     3

/* API versions: an enumeration in order of invention, not arithmetic. */
#define VF_API_10 0
#define VF_API_20 1
#define VF_API_11 2
#define VF_API_12 3
#define VF_API_13 4
#define VF_API_14 5

/* Advanced RX descriptor, write-back form, as two 64-bit words. */
#define VF_RX_RSSTYPE_MASK 0xfull /* word 0 */
#define VF_RSSTYPE_TCP4    1
#define VF_RSSTYPE_IP4     2
#define VF_RSSTYPE_TCP6    3
#define VF_RSSTYPE_IP6     5
#define VF_RSSTYPE_TCP6EX  6
#define VF_RSSTYPE_UDP4    7
#define VF_RSSTYPE_UDP6    8
#define VF_RSSTYPE_UDP6EX  9
#define VF_RX_PTYPE_IP4    (1ull << 4)
#define VF_RX_PTYPE_IP4OPT (1ull << 5)
#define VF_RX_PTYPE_IP6    (1ull << 6)
#define VF_RX_PTYPE_IP6EXT (1ull << 7)
#define VF_RX_PTYPE_TCP    (1ull << 8)
#define VF_RX_PTYPE_UDP    (1ull << 9)
#define VF_RX_DD           (1ull << 0) /* word 1 */
#define VF_RX_EOP          (1ull << 1)
#define VF_RX_VP           (1ull << 3)
#define VF_RX_UDPCS        (1ull << 4)
#define VF_RX_L4CS         (1ull << 5)
#define VF_RX_IPCS         (1ull << 6)
#define VF_RX_PIF          (1ull << 7)
#define VF_RX_LB           (1ull << 18)
#define VF_RX_ERR_MAC      0x3b000000ull /* bits 24, 25, 27, 28, 29: the frame is not good */
#define VF_RX_ERR_L4       (1ull << 30)
#define VF_RX_ERR_IP       (1ull << 31)
#define VF_RX_LEN_SHIFT    32
#define VF_RX_VLAN_SHIFT   48

/* Advanced TX descriptors. Word 1 of both: bits 31:0 command, 63:32 offsets and status. */
#define VF_TX_CTX       (2ull << 20) /* DTYP */
#define VF_TX_DATA      (3ull << 20)
#define VF_TX_DEXT      (1ull << 29)
#define VF_TX_EOP       (1ull << 24)
#define VF_TX_IFCS      (1ull << 25)
#define VF_TX_RS        (1ull << 27)
#define VF_TX_VLE       (1ull << 30)
#define VF_TX_TSE       (1ull << 31)
#define VF_TX_DD        (1ull << 32)
#define VF_TX_IDX_SHIFT 36 /* data and context */
#define VF_TX_CC        (1ull << 39)
#define VF_TX_IXSM      (1ull << 40)
#define VF_TX_TXSM      (1ull << 41)
#define VF_TX_PAYLEN    46 /* 18 bits */
#define VF_PAYLEN_MAX   0x3ffffu
#define VF_FRAME_MAX    9728 /* bytes without CRC: what the internal switch passes */
/* Context, word 0: IPLEN 8:0, MACLEN 15:9, VLAN 31:16. */
#define VF_CTX_MACLEN 9
#define VF_CTX_VLAN   16
/* Context, word 1. */
#define VF_CTX_IPV4    (1ull << 10)
#define VF_CTX_L4T_TCP (1ull << 11)
#define VF_CTX_L4LEN   40 /* 8 bits */
#define VF_CTX_MSS     48 /* 16 bits */

#endif
