#!/bin/sh
# SPDX-License-Identifier: MIT
# Dataplanes made of the probe guest: life cycle, walls, restarts. Needs 3 CPUs.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

free() {
	ixctl --json memory | sed -n 's/.*"pool_free_kib":\([0-9]*\).*/\1/p'
}
before=$(free)

# Runs a probe to its end and shows what it printed. Its state then must be as expected.
run() { # role, state, why (pattern)
	ixctl start "$(probe p "$1")" >/dev/null
	await p "$2"
	status=$?
	ixctl console p
	ixctl list | grep -q "$3" || status=1
	[ $status -eq 0 ]
	report "$1" $? "$(ixctl list | tail -n 1)"
	ixctl destroy p >/dev/null
}

run hello stopped 'exit 7'
for way in 1 2 3 4 5 6 7 8 9 10 11 12; do
	run "crash:$way" failed .
done
# Memory of others: Linux, hypervisor, pool, APIC pages, BIOS, what is not there.
hv=$(ixctl --json memory | sed 's/},{/\n/g' | sed -n 's/.*"base":"\(0x[0-9a-f]*\)".*"hypervisor".*/\1/p' | head -n 1)
for address in 0x0 0x7c00 0x1000000 "$hv" 0xfec00000 0xfee00000 0xfffff000 0x100000000 0xff00000000; do
	run "read:$address" failed 'not its own'
	run "write:$address" failed 'not its own'
done
run "exec:$hv" failed 'not its own'
run msrs stopped 'exit 7'
run ports stopped 'exit 7'
run icr stopped 'exit 7'
run calls stopped 'exit 7'

# An endless loop with interrupts off is stopped from outside.
ixctl start "$(probe p spin)" >/dev/null
await p running && ixctl stop p && [ "$(state p)" = stopped ]
report spin $?
ixctl destroy p >/dev/null

# Two beside Linux, stopped in either order.
for order in "a b" "b a"; do
	ixctl start "$(probe a beat)" >/dev/null && ixctl start "$(probe b beat)" >/dev/null
	report "two-run ($order)" $?
	for name in $order; do ixctl stop "$name" >/dev/null; done
	[ "$(cat /sys/devices/system/cpu/online)" = 0-2 ]
	report "two-stopped ($order)" $?
	for name in $order; do ixctl destroy "$name" >/dev/null; done
done

# Restarts lose nothing.
ixctl create "$(probe r hello 2)" >/dev/null
for round in $(seq 100); do
	ixctl start r >/dev/null || break
	await r stopped 200 || break
	ixctl stop r >/dev/null || break
done
[ "$round" -eq 100 ]
report restarts $? "stopped at $round"
ixctl destroy r >/dev/null
[ "$(free)" = "$before" ]
report no-leak $? "$(free) KiB free, $before before"
[ "$(cat /sys/devices/system/cpu/online)" = 0-2 ]
report all-cpus-back $?

# A polling core with its timer makes no VM exit.
ixctl start "$(probe quiet poll:500000000)" >/dev/null
for _ in $(seq 400); do
	ixctl console quiet | grep -q polling && break
	usleep 20000
done
first=$(member quiet exits)
for _ in $(seq 4000); do
	ixctl console quiet | grep -q polled && break
	usleep 100000
done
ixctl console quiet
last=$(member quiet exits)
echo "test: exits before $first, after $last"
# The only ones are those of its three console lines.
[ $((last - first)) -le 2 ]
report no-exits $? "$first to $last"
ixctl exits | sed 's/^/exits: /'
ixctl destroy quiet >/dev/null
ixctl events | tail -n 5 | sed 's/^/event: /'
kill %1
