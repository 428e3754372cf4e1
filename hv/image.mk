# The image. It is linked twice: the second time with the names of the functions of the first.
HV_SRCS := $(HV_LIB_SRCS) $(wildcard hv/lib/string.c hv/lib/fmt.c hv/*.c hv/arch/*.c hv/vm/*.c) \
	$(wildcard hv/arch/*.S boot/*.S)
HV_OBJS := $(call objs,hv,$(HV_SRCS))
HV_LD := ld -nostdlib -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=none \
	-T boot/hv.lds

HV_PARTS := $(HV_OBJS) $(BUILD)/nic/libveb-hv.a

$(BUILD)/hv/hv.pass1: $(HV_PARTS) boot/hv.lds
	@mkdir -p $(@D)
	$(HV_LD) -o $@ $(HV_PARTS)
$(BUILD)/hv/symbols.o: $(BUILD)/hv/hv.pass1 scripts/mksyms
	scripts/mksyms $< hv_text_start .symtab_hv > $(BUILD)/hv/symbols.S
	$(CC_hv) $(CFLAGS_hv) -c -o $@ $(BUILD)/hv/symbols.S
$(BUILD)/hv/ironix.debug: $(HV_PARTS) $(BUILD)/hv/symbols.o boot/hv.lds
	$(HV_LD) -o $@ $(HV_OBJS) $(BUILD)/hv/symbols.o $(BUILD)/nic/libveb-hv.a
# What is booted: GRUB would load the sections for debuggers, too, three quarters of the file; by UEFI it
# fails to once they are as large as now. For addr2line and gdb there is ironix.debug.
$(BUILD)/hv/ironix.elf: $(BUILD)/hv/ironix.debug hv/image.mk
	objcopy --strip-all $< $@
ALL += $(BUILD)/hv/ironix.elf
