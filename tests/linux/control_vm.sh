#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux as the control VM: looks at it and works it. One line `test: NAME ok|FAILED` each.
# shellcheck source=/dev/null
. /tests/lib.sh

echo "test: cpus $(grep -c ^processor /proc/cpuinfo)"
echo "test: dmesg begin"
dmesg -r
echo "test: dmesg end"

# Processor, memory and fork under load, all CPUs at once.
sum() {
	dd if=/dev/zero bs=64k count=16 2>/dev/null | sha256sum | cut -c 1-8
}
want=$(sum)
for worker in 1 2 3 4; do
	(
		for round in 1 2 3; do
			[ "$(sum)" = "$want" ] || echo "wrong sum: worker $worker, round $round"
		done
	) &
done >/tmp/stress
wait
[ ! -s /tmp/stress ]
report stress $?

for round in $(seq 50); do
	if ! modprobe dummy || ! modprobe -r dummy; then break; fi
done
[ "$round" -eq 50 ] && ! grep -q '^dummy' /proc/modules
report modules $?

# Time goes on as the emulator's own clock says, and Linux trusts its clock source.
start=$(date +%s) hw=$(hwclock -r -u 2>/dev/null | wc -c)
sleep 1
end=$(date +%s)
[ $((end - start)) -ge 1 ] && [ $((end - start)) -le 3 ] && [ "$hw" -gt 0 ] &&
	! dmesg | grep -qi 'clocksource.*unstable\|clocksource.*skew'
report clock $?

# A processor goes offline and comes back: INIT and SIPI by Linux itself.
if [ -e /sys/devices/system/cpu/cpu1/online ]; then
	for round in $(seq 5); do
		echo 0 >/sys/devices/system/cpu/cpu1/online || break
		echo 1 >/sys/devices/system/cpu/cpu1/online || break
	done
	[ "$round" -eq 5 ] && [ "$(grep -c ^processor /proc/cpuinfo)" -ge 2 ]
	report hotplug $?
	taskset 2 true
	report cpu1-runs $?
fi
