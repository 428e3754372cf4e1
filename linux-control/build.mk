# The Linux side: Debian's kernels for tests and demonstrations, and an initramfs for each.

$(BUILD)/linux/.kernels: scripts/fetch-kernels | $(DEPS)
	scripts/fetch-kernels $(BUILD)/linux
	@touch $@

# Files of the initramfs, as FILE=PATH; other folders append to it.
INITRAMFS := linux-control/initramfs/init=init
INITRAMFS += $(foreach t,$(sort $(wildcard tests/linux/*.sh)),$(t)=tests/$(notdir $(t)))

initramfs_files = $(foreach i,$(INITRAMFS),$(firstword $(subst =, ,$(i))))

# Secondary expansion: folders read after this one may add files too.
.SECONDEXPANSION:
$(BUILD)/linux/%/initrd.cpio: $(BUILD)/linux/.kernels scripts/mkinitramfs $$(initramfs_files) \
		linux-control/build.mk tests/linux
	scripts/mkinitramfs -o $@ --tree $(BUILD)/linux/$*/root $(addprefix --add ,$(INITRAMFS))

ALL += $(BUILD)/linux/cloud/initrd.cpio $(BUILD)/linux/full/initrd.cpio

# ixcpd and ixctl: static programs, so that they run on any Linux.
CTL := linux-control
ctl = $(patsubst %,$(CTL)/%.c,$(1))
$(eval $(call unit_test,ctl_conf,tests/unit/ctl_conf.c $(call ctl,conf)))
$(eval $(call fuzz_target,ctl_conf,tests/fuzz/ctl_conf.c $(call ctl,conf)))
$(eval $(call unit_test,ctl_json,tests/unit/ctl_json.c $(call ctl,json show wire)))
$(eval $(call fuzz_target,ctl_json,tests/fuzz/ctl_json.c $(call ctl,json show)))
