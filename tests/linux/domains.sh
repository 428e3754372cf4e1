#!/bin/sh
# SPDX-License-Identifier: MIT
# Dataplanes made of the probe guest (tests/domains/probe.c): life cycle, walls, restarts. Needs 3
# CPUs, and vfs=1. From the kernel command line: ixcalls=, ixrestarts=, ixrounds= (two instructions
# each).
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

# option NAME DEFAULT
option() {
	read -r words </proc/cmdline
	for word in $words; do
		case $word in "$1"=*) echo "${word#*=}" && return ;; esac
	done
	echo "$2"
}
calls=$(option ixcalls 100000)
restarts=$(option ixrestarts 100)
rounds=$(option ixrounds 50000000)

# What a dataplane must not change, in one sum: a file in Linux's memory, configuration space of all
# PCI functions, the maps of memory and ports, MTRRs, and what CPUID says.
cat /bin/busybox /bin/ixcpd >/tmp/pattern
outside() {
	cat /tmp/pattern /sys/bus/pci/devices/*/config /proc/iomem /proc/ioports /proc/mtrr | cksum
	grep -h '^flags' /proc/cpuinfo | uniq | cksum
}
online() {
	read -r cpus </sys/devices/system/cpu/online
	[ "$cpus" = "$1" ]
}

# Beside all that follows, another dataplane watches over its own memory.
ixctl start "$(probe guard guard 1 4M)" >/dev/null
guarded() {
	ixctl console guard | sed -n 's/^probe: guard //p' | tail -n 1
}
for _ in $(seq 400); do
	[ -n "$(guarded)" ] && break
	usleep 50000
done
first=$(guarded)
before=$(outside)

# Runs a probe to its end and shows what it printed. Its state then must be as expected, and why.
run() { # name of the check, role, state, why (pattern)
	probe p "$2" 1 4M >/dev/null
	if [ "$status" = created ]; then ixctl start p >/dev/null; else ixctl start /tmp/p.conf >/dev/null; fi
	status=created
	await p "$3"
	ixctl console p
	# shellcheck disable=SC2154,SC2254 # set by await; a pattern
	case "$state: $why" in "$3: "$4) true ;; *) false ;; esac
	report "$1" $? "$state: $why"
}

run hello hello stopped 'exit 7'
run pending pending stopped 'exit 7'
run after-pending hello stopped 'exit 7'
n=0
for why in 'triple fault, *' 'triple fault, *' 'triple fault, *' 'triple fault, *' 'triple fault, *' \
	'* of memory that is not its own, at 0x100*' 'triple fault, *' 'triple fault, *' \
	'panic, with a bad reason, *' 'panic: the probe is tired, *' 'triple fault, *' 'triple fault, *'; do
	n=$((n + 1))
	run "crash:$n" "crash:$n" failed "$why"
done
ixctl stats p | sed 's/^/stats: /'
missing=
for word in rip cr2 cr3 rflags r15; do
	ixctl stats p | grep -q "^$word: *0x" || missing="$missing $word"
done
[ -z "$missing" ]
report registers $? "not shown:$missing"

# Memory of others, all over physical space.
memory=$(ixctl --json memory | sed 's/},{/\n/g')
base() { # owner, number of its range
	echo "$memory" | sed -n "s/.*\"base\":\"\(0x[0-9a-f]*\)\".*\"$1\".*/\1/p" | sed -n "${2:-1}p"
}
own=$(base p)
image=$(base hypervisor)
heap=$(base hypervisor 2)
for address in 0x0 0x7c00 0xb8000 0x1000000 "$image" "$heap" "$(base guard)" $((own - 8)) \
	$((own + 4194304)) 0xfec00000 0xfee00000 0xfffffff8 0x100000000 0xfffffffff8; do
	address=0x$(printf '%x' "$address")
	run "read:$address" "read:$address" failed "read of memory that is not its own, at $address, *"
	run "write:$address" "write:$address" failed "write of memory that is not its own, at $address, *"
done
run "exec:$image" "exec:$image" failed "execution of memory that is not its own, at $image, *"
run pae pae stopped 'exit 7'
run msrs msrs stopped 'exit 7'
run ports ports stopped 'exit 7'
run icr icr stopped 'exit 7'
run calls "calls:$calls" stopped 'exit 7'
# Messages: the table of Linux's function, and the configuration space of its own.
for f in /sys/bus/pci/devices/*; do
	read -r device <"$f/device"
	[ "$device" = 0x10ed ] && table=$(sed -n 4p "$f/resource") # BAR3
done
table=$(printf '%#x' "${table%% *}")
run msix-table "write:$table" failed "write of memory that is not its own, at $table, *"
ixctl destroy p >/dev/null
status=
probe p msix 1 4M >/dev/null
echo 'nic = vf' >>/tmp/p.conf
ixctl start /tmp/p.conf >/dev/null
await p stopped && [ "$why" = 'exit 7' ]
report msix $? "$state: $why"
ixctl console p
ixctl destroy p >/dev/null

# A bridge leads to what is not the dataplane's.
probe p hello 1 4M >/dev/null
echo 'nic = 0000:00:00.0' >>/tmp/p.conf
! ixctl create /tmp/p.conf >/tmp/out 2>&1 && grep -q 'a bridge cannot be given' /tmp/out && [ -z "$(member p state)" ]
report bridge-refused $? "$(cat /tmp/out)"

# An endless loop with interrupts off is stopped from outside.
ixctl start "$(probe p spin 1 4M)" >/dev/null
await p running && ixctl stop p && await p stopped
report spin $?
ixctl destroy p >/dev/null

after=$(outside)
[ "$before" = "$after" ]
report outside-unchanged $? "$before, now $after"
sleep 1 # four rounds of the guard
last=$(guarded)
echo "test: guard: $first, at last $last"
[ -n "$last" ] && [ "${first#* }" = "${last#* }" ] && [ "${last%% *}" -gt $((${first%% *} + 8)) ]
report guard-unchanged $? "$first, at last $last"
ixctl destroy guard >/dev/null

# Two beside Linux, started and stopped in every order.
for start in "a b" "b a"; do
	for stop in "a b" "b a"; do
		for name in $start; do ixctl start "$(probe "$name" beat 1 4M)" >/dev/null; done
		await a running && await b running
		report "two-run ($start, $stop)" $?
		for name in $stop; do ixctl stop "$name" >/dev/null; done
		await a stopped && await b stopped && online 0-2
		report "two-stopped ($start, $stop)" $?
		for name in $start; do ixctl destroy "$name" >/dev/null; done
	done
done

# Restarts lose nothing: neither of the pool, nor of the hypervisor's own memory.
free() {
	ixctl --json memory | sed -n 's/.*"hypervisor_free_kib":\([0-9]*\).*"pool_free_kib":\([0-9]*\).*/\1 \2/p'
}
before=$(free)
ixctl create "$(probe a hello 1 4M)" >/dev/null
ixctl create "$(probe b hello 1 4M)" >/dev/null
for round in $(seq $((restarts / 4))); do
	for order in "a b" "b a"; do
		for name in $order; do ixctl start "$name" >/dev/null || break 3; done
		for name in $order; do await "$name" stopped || break 3; done
	done
done
[ "$round" -eq $((restarts / 4)) ] && [ "$why" = 'exit 7' ]
report restarts $? "ended in round $round"
ixctl stats a | sed -n 's/^starts/test: starts/p'
ixctl destroy a >/dev/null
ixctl destroy b >/dev/null
after=$(free)
[ -n "$after" ] && [ "$after" = "$before" ]
report no-leak $? "KiB free: $after, before $before"
online 0-2
report all-cpus-back $?

# A polling core with its timer makes no VM exit.
ixctl start "$(probe quiet "poll:$rounds" 1 4M)" >/dev/null
seen() { # text
	for _ in $(seq 4000); do
		ixctl console quiet | grep -q "$1" && return
		usleep 200000
	done
	false
}
seen polling
first=$(member quiet exits)
seen 'it took'
ixctl console quiet
last=$(member quiet exits)
# The only ones are those of its two last lines.
[ -n "$last" ] && [ $((last - first)) -eq 2 ]
report no-exits $? "$first to $last"
echo "test: $((2 * rounds)) instructions, exits before $first, after $last"
ixctl exits | sed 's/^/exits: /'
ixctl destroy quiet >/dev/null
ixctl events | tail -n 5 | sed 's/^/event: /'
kill %1
