include nic/sources.mk
include linux-control/loader/sources.mk

# The dataplane kernel: build/guest/kernel.elf. Linked twice: the second time with its own symbol table.
GK_SRC := $(addprefix guest/kernel/,entry.S usercopy.S apic.c clock.c console.c cpio.c cpu.c \
	dataplane.c elf.c file.c format.c futex.c init.c invariants.c load.c pages.c paging.c port.c process.c random.c spread.c string.c symbols.c \
	syscall.c trap.c uvm.c)
GK_SRC += $(CORE_SRC) $(NIC_DRIVER_SRC) $(sort $(wildcard net/core/*.c net/tcp/*.c))
GK_OBJ := $(call objs,guest,$(GK_SRC))
GK_LINK := $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,-T,guest/kernel/kernel.ld

ALL += $(BUILD)/guest/kernel.elf
$(BUILD)/guest/kernel.1: $(GK_OBJ) guest/kernel/kernel.ld
	@mkdir -p $(@D)
	$(GK_LINK) -o $@ $(GK_OBJ)
$(BUILD)/guest/ksyms.S: $(BUILD)/guest/kernel.1 guest/kernel/mksyms
	nm -n $< | guest/kernel/mksyms > $@
$(BUILD)/guest/ksyms.o: $(BUILD)/guest/ksyms.S
	$(CC) -c -o $@ $<
$(BUILD)/guest/kernel.elf: $(BUILD)/guest/ksyms.o $(GK_OBJ) guest/kernel/kernel.ld
	$(GK_LINK) -o $@ $(GK_OBJ) $<

# Test boot under QEMU without the hypervisor: tests/guest-boot/.
SHIM_OBJ := $(call objs,guest,tests/guest-boot/start.S tests/guest-boot/shim.c)
ALL += $(BUILD)/test/shim.elf $(BUILD)/test/mkguestimg
$(BUILD)/test/shim.elf: $(SHIM_OBJ) tests/guest-boot/shim.ld
	@mkdir -p $(@D)
	$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest-boot/shim.ld -o $@ $(SHIM_OBJ)
$(eval $(call host_program,test/mkguestimg,tests/guest-boot/mkguestimg.c $(LOADER_SRC)))

# Applications for it, built as anybody would build them.
GUEST_APPS := $(patsubst tests/guest-apps/%.c,$(BUILD)/test/apps/%,$(wildcard tests/guest-apps/*.c))
ALL += $(GUEST_APPS)
$(BUILD)/test/apps/%: tests/guest-apps/%.c $(wildcard tests/guest-apps/*.h userlib/include/ix/*.h) \
		$(BUILD)/userlib/libix.a | $(DEPS)
	@mkdir -p $(@D)
	$(MUSL_CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARN) $(REPRO) -Iuserlib/include -static -pthread \
		-Wl,-z,max-page-size=0x200000 -o $@ $< $(BUILD)/userlib/libix.a

$(eval $(call unit_test,lctl_loader,tests/unit/lctl_loader.c $(LOADER_SRC) guest/kernel/cpio.c))
$(eval $(call fuzz_target,lctl_kernel_elf,tests/fuzz/lctl_kernel_elf.c linux-control/loader/kernel_elf.c))
$(eval $(call fuzz_target,guest_app_elf,tests/fuzz/guest_app_elf.c guest/kernel/elf.c))
$(eval $(call fuzz_target,guest_cpio,tests/fuzz/guest_cpio.c guest/kernel/cpio.c))
$(eval $(call fuzz_target,guest_spread,tests/fuzz/guest_spread.c guest/kernel/spread.c nic/rss.c))

BENCHES += $(BUILD)/bench/bin/guest_echo
$(BUILD)/bench/bin/guest_echo: tests/bench/guest_echo.py
	@mkdir -p $(@D)
	install -m 755 $< $@
