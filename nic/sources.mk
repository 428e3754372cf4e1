# The parts of nic/ that others build: `include nic/sources.mk`.
# NIC_DRIVER_SRC: the drivers, for the guest kernel. NIC_MODEL_SRC: the 82599 model, for the hypervisor.
NIC_DRIVER_SRC := nic/nic.c nic/rss.c nic/offload.c nic/vf.c nic/vf_mbx.c nic/vf_irq.c nic/vf_ring.c \
	nic/e1000.c nic/e1000_ring.c
NIC_MODEL_SRC := nic/rss.c $(wildcard nic/veb/*.c)
