/* SPDX-License-Identifier: MIT
 *
 * 82540EM: registers and descriptors that the driver uses. Names as in Linux 6.1 e1000_hw.h.
 */
#ifndef NIC_E1000_REGS_H
#define NIC_E1000_REGS_H

#define E1000_CTRL   0x0000
#define E1000_STATUS 0x0008
#define E1000_EERD   0x0014
#define E1000_ICR    0x00c0
#define E1000_IMC    0x00d8
#define E1000_RCTL   0x0100
#define E1000_TCTL   0x0400
#define E1000_TIPG   0x0410
#define E1000_RDBAL  0x2800
#define E1000_RDBAH  0x2804
#define E1000_RDLEN  0x2808
#define E1000_RDH    0x2810
#define E1000_RDT    0x2818
#define E1000_RDTR   0x2820
#define E1000_TDBAL  0x3800
#define E1000_TDBAH  0x3804
#define E1000_TDLEN  0x3808
#define E1000_TDH    0x3810
#define E1000_TDT    0x3818
#define E1000_TIDV   0x3820
#define E1000_TXDCTL 0x3828
#define E1000_MPC    0x4010
#define E1000_TPR    0x40d0
#define E1000_TPT    0x40d4
#define E1000_TORL   0x40c0
#define E1000_TORH   0x40c4
#define E1000_TOTL   0x40c8
#define E1000_TOTH   0x40cc
#define E1000_MPRC   0x407c
#define E1000_GPRC   0x4074
#define E1000_GPTC   0x4080
#define E1000_MTA    0x5200 /* 128 words */
#define E1000_RAL0   0x5400
#define E1000_RAH0   0x5404

#define E1000_CTRL_LRST    (1u << 3)
#define E1000_CTRL_ASDE    (1u << 5)
#define E1000_CTRL_SLU     (1u << 6)
#define E1000_CTRL_ILOS    (1u << 7)
#define E1000_CTRL_RST     (1u << 26)
#define E1000_CTRL_VME     (1u << 30)
#define E1000_CTRL_PHY_RST (1u << 31)
#define E1000_STATUS_LU    (1u << 1)
#define E1000_STATUS_SPEED 6 /* 2 bits: 10, 100, 1000, 1000 */
#define E1000_EERD_START   (1u << 0)
#define E1000_EERD_DONE    (1u << 4)
#define E1000_RCTL_EN      (1u << 1)
#define E1000_RCTL_UPE     (1u << 3)
#define E1000_RCTL_MPE     (1u << 4)
#define E1000_RCTL_LPE     (1u << 5)
#define E1000_RCTL_BAM     (1u << 15)
#define E1000_RCTL_BSIZE   16 /* 2 bits */
#define E1000_RCTL_BSEX    (1u << 25)
#define E1000_RCTL_SECRC   (1u << 26)
#define E1000_TCTL_EN      (1u << 1)
#define E1000_TCTL_PSP     (1u << 3)
#define E1000_TCTL_CT      (15u << 4)
#define E1000_TCTL_COLD    (63u << 12)
#define E1000_TIPG_COPPER  0x00602008u
#define E1000_RAH_AV       (1u << 31)

/* Legacy RX descriptor, word 1: length 15:0, checksum 31:16, status 39:32, errors 47:40. */
#define E1000_RX_DD      (1ull << 32)
#define E1000_RX_EOP     (1ull << 33)
#define E1000_RX_ERR_MAC (0x97ull << 40) /* CE, SE, SEQ, CXE, RXE */

/* TX descriptors, word 1. */
#define E1000_TX_EOP  (1ull << 24)
#define E1000_TX_IFCS (1ull << 25)
#define E1000_TX_TSE  (1ull << 26) /* context: TSE; data: TSE */
#define E1000_TX_DEXT (1ull << 29)
#define E1000_TX_VLE  (1ull << 30)
#define E1000_TX_DATA (1ull << 20) /* DTYP 1 */
#define E1000_TX_IXSM (1ull << 40)
#define E1000_TX_TXSM (1ull << 41)
#define E1000_TX_VLAN 48
/* Context: word 0 is ipcss, ipcso, ipcse (16), tucss, tucso, tucse (16). */
#define E1000_CTX_TCP    (1ull << 24)
#define E1000_CTX_IPV4   (1ull << 25)
#define E1000_CTX_HDRLEN 40
#define E1000_CTX_MSS    48

#endif
