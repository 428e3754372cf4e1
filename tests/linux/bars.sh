#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux puts the BARs of the control function where they must not be: they are refused, and what is
# there stays as it was.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

id=$(grep -l 0x4958 /sys/bus/pci/devices/*/vendor | head -n 1)
config=${id%vendor}config

byte() {
	printf %b "\\0$(printf %03o $(($1 & 255)))"
}
write_bar() { # number, address
	for shift in 0 8 16 24; do byte $(($2 >> shift)); done >/tmp/hostile
	dd if=/tmp/hostile of="$config" bs=4 seek=$((4 + $1)) count=1 conv=notrunc 2>/dev/null
}
for n in 0 1; do
	dd if="$config" of="/tmp/bar$n" bs=4 skip=$((4 + n)) count=1 2>/dev/null
done
pool=$(ixctl --json memory | sed 's/},{/\n/g' |
	sed -n 's/.*"base":"\(0x[0-9a-f]*\)".*"pool".*/\1/p' | head -n 1)
own=$(ixctl --json memory | sed 's/},{/\n/g' |
	sed -n 's/.*"base":"\(0x[0-9a-f]*\)".*"hypervisor".*/\1/p' | head -n 1)
# RAM, the hypervisor, the pool, the local APIC: each is tried, then left again.
for address in 0x1000000 "$own" "$pool" 0xfee00000; do
	for n in 0 1; do
		write_bar $n "$address"
		dd if=/tmp/bar$n of="$config" bs=4 seek=$((4 + n)) count=1 conv=notrunc 2>/dev/null
	done
	ixctl memory >/dev/null # the log is brought up to date by a call
	ixctl log | grep -q "BAR1 cannot be mapped at $(printf '%#x' $((address & ~0xfff)))"
	report "bar-$address" $?
done
for base in "$own" "$pool"; do
	devmem "$base" 32 0x12345678
	[ "$(devmem "$base" 32)" = 0xFFFFFFFF ]
	report "still-hidden-$base" $? "$(devmem "$base" 32)"
done
ixctl version >/dev/null
report bars-back $?
kill %1
