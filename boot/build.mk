# The boot image: GRUB, the hypervisor, Debian's cloud kernel and our initramfs. By BIOS and UEFI.
ISO_LINUX := linux=$(BUILD)/linux/cloud/vmlinuz; linux.args=console=tty0 console=ttyS0,115200
ISO_LINUX += ; initrd=$(BUILD)/linux/cloud/initrd.cpio
ALL += $(BUILD)/ironix.iso
$(BUILD)/ironix.iso: $(BUILD)/hv/ironix.elf $(BUILD)/linux/cloud/initrd.cpio scripts/mkiso boot/build.mk
	scripts/mkiso -o $@ --timeout 3 'title=Linux under Ironix; hv=$<; $(ISO_LINUX)' \
		'title=Linux without Ironix; $(ISO_LINUX)'
