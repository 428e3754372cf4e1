# The hypervisor: hv/lib is pure logic, also built for the host, where it is tested and fuzzed.
HV_LIB_SRCS := $(addprefix hv/lib/,memmap.c multiboot2.c cmdline.c acpi.c dmar.c \
	acpi_rewrite.c)

include hv/image.mk

# Compiled for the hypervisor even where nothing uses a module yet.
$(eval $(call static_lib,hv/libhv.a,hv,$(HV_LIB_SRCS)))
ALL += $(BUILD)/hv/libhv.a

hv_lib = $(patsubst %,hv/lib/%.c,$(1))
$(eval $(call unit_test,hv_memmap,tests/unit/hv_memmap.c $(call hv_lib,memmap)))
$(eval $(call unit_test,hv_multiboot2,tests/unit/hv_multiboot2.c $(call hv_lib,multiboot2 memmap)))
$(eval $(call unit_test,hv_cmdline,tests/unit/hv_cmdline.c $(call hv_lib,cmdline)))
$(eval $(call fuzz_target,hv_multiboot2,tests/fuzz/hv_multiboot2.c \
	$(call hv_lib,multiboot2 memmap)))
$(eval $(call fuzz_target,hv_cmdline,tests/fuzz/hv_cmdline.c $(call hv_lib,cmdline)))
$(eval $(call unit_test,hv_acpi,tests/unit/hv_acpi.c $(call hv_lib,acpi dmar acpi_rewrite)))
$(eval $(call fuzz_target,hv_acpi,tests/fuzz/hv_acpi.c $(call hv_lib,acpi dmar acpi_rewrite)))
