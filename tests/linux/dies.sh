#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux ends, in the way that ixend= says, while two dataplanes count. Needs 3 CPUs.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

way=$(sed -n 's/.*ixend=\([a-z]*\).*/\1/p' /proc/cmdline)
for name in a b; do
	ixctl start "$(probe $name beat)" >/dev/null
	for _ in $(seq 400); do
		ixctl console $name | grep -q 'beat 3' && break
		usleep 20000
	done
	[ "$(state $name)" = running ] && ixctl console $name | grep -q 'beat 3'
	report "$name-counts" $?
done
echo "test: now $way"
stty sane # waits until the console has sent everything
case $way in
panic) echo c >/proc/sysrq-trigger ;;
triple) reboot -f ;; # with reboot=t
reboot) reboot -f ;;
poweroff) poweroff -f ;;
esac
