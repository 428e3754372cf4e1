# The hypervisor. hv/lib is pure logic, also built for the host, where it is tested and fuzzed.
HV_LIB_SRCS := $(addprefix hv/lib/,memmap.c multiboot2.c cmdline.c acpi.c dmar.c \
	acpi_rewrite.c mtrr.c ept.c bzimage.c icr.c mmio.c \
	pci.c pci_filter.c cpuid.c msr.c creg.c vmentry.c \
	pool.c hcall.c msi.c)

include hv/image.mk

# Compiled for the hypervisor even where nothing uses a module yet.
$(eval $(call static_lib,hv/libhv.a,hv,$(HV_LIB_SRCS)))
ALL += $(BUILD)/hv/libhv.a

# $(call hv_lib_test,name,modules): tests/unit/hv_<name>.c; hv_lib_fuzz: tests/fuzz/hv_<name>.c
hv_lib_test = $(eval $(call unit_test,hv_$(1),tests/unit/hv_$(1).c $(2:%=hv/lib/%.c)))
hv_lib_fuzz = $(eval $(call fuzz_target,hv_$(1),tests/fuzz/hv_$(1).c $(2:%=hv/lib/%.c)))

$(eval $(call unit_test,hv_string,tests/unit/hv_string.c))
$(call hv_lib_test,memmap,memmap)
$(call hv_lib_test,multiboot2,multiboot2 memmap)
$(call hv_lib_fuzz,multiboot2,multiboot2 memmap)
$(call hv_lib_test,cmdline,cmdline)
$(eval $(call unit_test,hv_preflight,tests/unit/hv_preflight.c hv/preflight.c \
	$(addprefix hv/lib/,acpi.c dmar.c fmt.c)))
$(call hv_lib_fuzz,cmdline,cmdline)
$(call hv_lib_test,acpi,acpi dmar acpi_rewrite)
$(call hv_lib_fuzz,acpi,acpi dmar acpi_rewrite)
$(call hv_lib_test,mtrr,mtrr)
$(call hv_lib_test,ept,ept mtrr memmap)
$(call hv_lib_test,bzimage,bzimage memmap)
$(call hv_lib_fuzz,bzimage,bzimage memmap)
$(call hv_lib_test,icr,icr msi)
$(call hv_lib_test,mmio,mmio)
$(call hv_lib_fuzz,mmio,mmio)
$(call hv_lib_test,pci,pci pci_filter)
$(call hv_lib_fuzz,pci,pci pci_filter)
$(call hv_lib_test,policy,cpuid msr creg)
$(call hv_lib_test,vmentry,vmentry)
$(call hv_lib_test,ticks,)
$(call hv_lib_test,hcall,hcall pool memmap)
$(call hv_lib_fuzz,hcall,hcall pool memmap)
