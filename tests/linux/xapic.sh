#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux in xAPIC mode, dataplanes in x2APIC mode on the same cores in turn. Needs 2 CPUs.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

grep -q '^flags.* x2apic' /proc/cpuinfo
[ $? -eq 1 ]
report no-x2apic $? "Linux sees x2APIC"
# Interrupts to itself and the timer work without the page of the xAPIC, and the core comes back.
for role in icr poll:1000000 hello; do
	ixctl start "$(probe p $role 1 4M)" >/dev/null
	if [ $role = poll:1000000 ]; then
		for _ in $(seq 400); do
			ixctl console p | grep -q ', [1-9][0-9]* timer interrupts' && break
			usleep 20000
		done
		ixctl console p | grep -q ', [1-9][0-9]* timer interrupts'
	else
		# shellcheck disable=SC2154 # set by await
		await p stopped && [ "$why" = 'exit 7' ]
	fi
	report "x2apic-$role" $? "$(ixctl list | tail -n 1)"
	ixctl console p
	ixctl destroy p >/dev/null
	read -r cpus </sys/devices/system/cpu/online
	[ "$cpus" = 0-1 ] && taskset 2 true
	report "cpu-back-$role" $? "online: $cpus"
done
# Its timer ticks there, and interrupts between the CPUs arrive.
before=$(sed -n 's/^ *LOC: *[0-9]* *\([0-9]*\).*/\1/p' /proc/interrupts)
taskset 2 usleep 300000
after=$(sed -n 's/^ *LOC: *[0-9]* *\([0-9]*\).*/\1/p' /proc/interrupts)
[ "$after" -gt "$before" ]
report ticks $? "$before, then $after"
kill %1
