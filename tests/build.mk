include tests/hosted.mk

# The program with which the test bed finds out whether nested VT-x works.
ALL += $(BUILD)/test/vmx-probe.iso
$(BUILD)/test/vmx-probe.iso: tests/ixtest/vmx_probe.S tests/build.mk | $(DEPS)
	@mkdir -p $(BUILD)/test/vmx-probe/boot/grub
	$(CC) -m32 -c -o $(BUILD)/test/vmx-probe.o $<
	ld -m elf_i386 -N --no-warn-rwx-segments -Ttext=0x100000 \
		-o $(BUILD)/test/vmx-probe/boot/vmx-probe $(BUILD)/test/vmx-probe.o
	printf 'multiboot /boot/vmx-probe\nboot\n' >$(BUILD)/test/vmx-probe/boot/grub/grub.cfg
	grub-mkrescue -o $@ -d /usr/lib/grub/i386-pc --install-modules="multiboot normal iso9660 biosdisk" \
		--locales= --themes= --fonts= $(BUILD)/test/vmx-probe >$(BUILD)/test/vmx-probe.log 2>&1

# The guest that tests the walls around a domain (tests/linux/domains.sh).
PROBE_OBJ := $(call objs,guest,tests/domains/start.S tests/domains/probe.c)
ALL += $(BUILD)/test/probe.elf
$(BUILD)/test/probe.elf: $(PROBE_OBJ) tests/domains/probe.lds
	@mkdir -p $(@D)
	ld -nostdlib -z max-page-size=4096 --no-warn-rwx-segments --build-id=none \
		-T tests/domains/probe.lds -o $@ $(PROBE_OBJ)
INITRAMFS += $(BUILD)/test/probe.elf=tests/probe.elf

# A control VM that attacks the hypervisor, in place of Linux (tests/system/hostile.py).
HOSTILE_OBJ := $(call objs,guest,tests/hostile/start.S tests/hostile/hostile.c)
ALL += $(BUILD)/test/hostile.bin
$(BUILD)/test/hostile.bin: $(HOSTILE_OBJ) tests/hostile/hostile.lds
	@mkdir -p $(@D)
	ld -nostdlib -z max-page-size=4096 --no-warn-rwx-segments --build-id=none \
		-T tests/hostile/hostile.lds -o $(@:.bin=.elf) $(HOSTILE_OBJ)
	objcopy -O binary $(@:.bin=.elf) $@

# Programs on Linux's own TCP, for Linux in the machine and for the host: messages counted and compared
# (echo_client), the services of our examples and their load (rpc_server, rpc_client); and a root process
# that rings the hypervisor's doorbell as it likes (wild).
define linux_tool
ALL += $(BUILD)/test/$(1)
$(BUILD)/test/$(1): $(call objs,user,tests/tools/$(1).c $(2))
	@mkdir -p $$(@D)
	$(MUSL_CC) -static -s -o $$@ $$^
INITRAMFS += $(BUILD)/test/$(1)=bin/$(1)
endef
$(foreach tool,echo_client rpc_client wild,$(eval $(call linux_tool,$(tool))))
$(eval $(call linux_tool,rpc_server,$(addprefix userlib/lib/,cache.c native.c raw.c text.c)))

# Initramfses with Debian's own programs as well: initrd-net for the tests of ixgbevf, initrd-apps for
# those of the applications.
NET_PROGRAMS := /usr/sbin/ethtool /usr/bin/iperf3
APPS_PROGRAMS := /usr/sbin/ethtool /usr/sbin/tc /usr/bin/curl /usr/bin/wrk /usr/bin/memcslap \
	/usr/bin/memccp /usr/bin/memccat
ALL += $(BUILD)/linux/cloud/initrd-net.cpio $(BUILD)/linux/cloud/initrd-apps.cpio
define initrd_with
$(BUILD)/linux/%/initrd-$(1).cpio: $(BUILD)/linux/%/initrd.cpio | $(DEPS)
	scripts/mkinitramfs -o $$@ --tree $(BUILD)/linux/$$*/root \
		$$(addprefix --add ,$$(INITRAMFS) $(3)) $$(addprefix --program ,$(2))
endef
$(eval $(call initrd_with,net,$(NET_PROGRAMS)))
APPS_FILES := $(BUILD)/apps/netpipe=apps/netpipe \
	$(foreach f,lines lines.conf commands output,$(BUILD)/test/tutorial/$(f)=root/$(f))
$(eval $(call initrd_with,apps,$(APPS_PROGRAMS),$(APPS_FILES)))
$(BUILD)/linux/cloud/initrd-apps.cpio: $(foreach f,$(APPS_FILES),$(firstword $(subst =, ,$(f))))

# Files that docs/tutorial.md shows, and its program as it says to build it.
TUTORIAL := $(BUILD)/test/tutorial
$(TUTORIAL)/lines: $(TUTORIAL)/lines.c userlib/ix-cc $(BUILD)/userlib/libix.a
	BUILD=$(abspath $(BUILD)) userlib/ix-cc $(WARN) $(REPRO) $< -o $@
$(TUTORIAL)/lines.c $(TUTORIAL)/lines.conf $(TUTORIAL)/commands $(TUTORIAL)/output: $(TUTORIAL)/%: \
		docs/tutorial.md tests/build.mk
	@mkdir -p $(@D)
	awk '/^<!-- file: $* -->$$/ { f = 1; next } f && /^```/ { if (f++ == 2) exit; next } f' $< >$@

# The guest kernel's applications once more, as anybody links a program with musl, for dataplanes
# beside Linux (tests/linux/guests.sh).
GUEST_PLAIN := $(foreach a,basics ends hello hostile threads,$(BUILD)/test/plain/$(a))
ALL += $(GUEST_PLAIN)
$(BUILD)/test/plain/%: tests/guest-apps/%.c $(wildcard tests/guest-apps/*.h userlib/include/ix/*.h) \
		$(BUILD)/userlib/libix.a | $(DEPS)
	@mkdir -p $(@D)
	$(MUSL_CC) -static -O2 -s -std=gnu17 -D_GNU_SOURCE $(WARN) $(REPRO) -Iuserlib/include -o $@ $< \
		$(BUILD)/userlib/libix.a
INITRAMFS += $(foreach a,$(GUEST_PLAIN),$(a)=apps/test/$(notdir $(a)))
