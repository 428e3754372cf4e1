# The parts of nic/ that others build: `include nic/sources.mk`.
# NIC_DRIVER_SRC: the drivers, for the guest kernel. NIC_MODEL_SRC: the 82599 model, for the hypervisor.
NIC_DRIVER_SRC := nic/rss.c
NIC_MODEL_SRC := nic/rss.c
