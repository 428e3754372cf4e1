# The loader of dataplane images; linux-control/ and the test boot of guest/ use it.
LOADER_SRC := $(addprefix linux-control/loader/,loader.c kernel_elf.c cpio.c)
