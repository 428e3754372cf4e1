# The Linux side: Debian's kernels for tests and demonstrations, and an initramfs for each.

$(BUILD)/linux/.kernels: scripts/fetch-kernels | $(DEPS)
	scripts/fetch-kernels $(BUILD)/linux
	@touch $@

# Files of the initramfs, as FILE=PATH; other folders append to it.
INITRAMFS := linux-control/initramfs/init=init
INITRAMFS += $(foreach t,$(sort $(wildcard tests/linux/*.sh)),$(t)=tests/$(notdir $(t)))

INITRAMFS += $(foreach t,$(wildcard linux-control/demo/*.sh),$(t)=tests/$(notdir $(t)))
INITRAMFS += $(foreach t,$(wildcard linux-control/demo/*.conf linux-control/demo/*.html),$(t)=etc/ironix/$(notdir $(t)))
INITRAMFS += $(BUILD)/guest/kernel.elf=usr/local/lib/ironix/kernel.elf
INITRAMFS += $(foreach a,echo httpd kv,$(BUILD)/apps/$(a)=apps/$(a))

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
$(eval $(call unit_test,ctl_lines,tests/unit/ctl_lines.c $(call ctl,json lines)))
$(eval $(call fuzz_target,ctl_json,tests/fuzz/ctl_json.c $(call ctl,json show)))
$(eval $(call unit_test,ctl_server,tests/unit/ctl_server.c $(call ctl,server wire json)))
$(eval $(call unit_test,ctl_sysfs,tests/unit/ctl_sysfs.c $(call ctl,sysfs confine)))

# Kernel headers, behind musl's own.
CFLAGS_user_linux-control := -static -D_GNU_SOURCE -idirafter /usr/include \
	-idirafter /usr/include/x86_64-linux-gnu
CFLAGS_san_linux-control := -D_GNU_SOURCE
CFLAGS_fuzz_linux-control := -D_GNU_SOURCE

# $(eval $(call static_program,path under build,sources))
define static_program
ALL += $(BUILD)/$(1)
$(BUILD)/$(1): $(call objs,user,$(2))
	@mkdir -p $$(@D)
	$$(MUSL_CC) -static -s -o $$@ $$^
endef
$(eval $(call static_program,linux/ixctl,$(call ctl,ixctl json lines show)))
INITRAMFS += $(BUILD)/linux/ixctl=bin/ixctl
CONTROL_SRC := $(call ctl,commands domain holding image stats conf sysfs json) $(LOADER_SRC)
$(eval $(call unit_test,ctl_control,tests/unit/ctl_control.c $(CONTROL_SRC)))
$(eval $(call unit_test,ctl_channel,tests/unit/ctl_channel.c $(call ctl,channel sysfs)))
$(eval $(call unit_test,ctl_stats,tests/unit/ctl_stats.c $(call ctl,stats json)))
$(eval $(call fuzz_target,ctl_stats,tests/fuzz/ctl_stats.c $(call ctl,stats json)))
$(eval $(call static_program,linux/ixcpd,$(call ctl,ixcpd channel confine server wire) $(CONTROL_SRC)))
INITRAMFS += $(BUILD)/linux/ixcpd=bin/ixcpd
