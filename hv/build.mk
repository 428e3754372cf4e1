# The hypervisor: hv/lib is pure logic, also built for the host, where it is tested and fuzzed.
HV_LIB_SRCS := $(addprefix hv/lib/,memmap.c)

# Compiled for the hypervisor even where nothing uses a module yet.
$(eval $(call static_lib,hv/libhv.a,hv,$(HV_LIB_SRCS)))
ALL += $(BUILD)/hv/libhv.a

hv_lib = $(patsubst %,hv/lib/%.c,$(1))
$(eval $(call unit_test,hv_memmap,tests/unit/hv_memmap.c $(call hv_lib,memmap)))
