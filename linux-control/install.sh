# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The hypervisor, the guest kernel and what Linux needs to run them; sourced by scripts/install.
: "${build:?}" "${destdir?}" "${prefix:?}"

put 755 "$build/linux/ixctl" "$prefix/bin/ixctl"
put 755 "$build/linux/ixcpd" "$prefix/sbin/ixcpd"
put 644 "$build/hv/ironix.elf" "/boot/ironix.elf"
put 644 "$build/guest/kernel.elf" "$prefix/lib/ironix/kernel.elf"
put 755 linux-control/grub/09_ironix /etc/grub.d/09_ironix
put 644 linux-control/man/ixctl.1 "$prefix/share/man/man1/ixctl.1"
put 644 linux-control/man/ixctl.conf.5 "$prefix/share/man/man5/ixctl.conf.5"
put 644 linux-control/man/ixcpd.8 "$prefix/share/man/man8/ixcpd.8"
unit=$(mktemp)
sed "s|@PREFIX@|$prefix|g" linux-control/systemd/ixcpd.service >"$unit"
put 644 "$unit" /lib/systemd/system/ixcpd.service
rm -f "$unit"
