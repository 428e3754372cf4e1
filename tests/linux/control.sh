#!/bin/sh
# SPDX-License-Identifier: MIT
# The control channel from inside Linux: every question, cores that move, memory that is not Linux's.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

for what in version preflight cores memory pci exits log events list; do
	ixctl "$what" >/tmp/out 2>&1
	report "ixctl-$what" $? "$(head -c 200 /tmp/out)"
	sed "s/^/$what: /" /tmp/out
	case $what in log) continue ;; esac
	# The host parses it.
	echo "json $what: $(ixctl --json "$what" | tr -d '\n')"
done
! ixctl --json log | grep -v '^\[*{"line":".*"}[],]*$'
report ixctl-log-json $?

# 100 round trips of a core.
for round in $(seq 100); do
	ixctl cpu give 1 >/dev/null || break
	[ "$(cat /sys/devices/system/cpu/cpu1/online)" = 0 ] || break
	ixctl cpu take 1 >/dev/null || break
	taskset 2 true || break
done
[ "$round" -eq 100 ]
report round-trips $? "stopped at $round"

# Memory of the hypervisor and of the pool reads as all ones and takes no write.
for base in $(ixctl --json memory | sed 's/},{/\n/g' |
	sed -n 's/.*"base":"\(0x[0-9a-f]*\)".*"owner":"\(hypervisor\|pool\)".*/\1/p'); do
	devmem "$base" 32 0x12345678
	[ "$(devmem "$base" 32)" = 0xFFFFFFFF ]
	report "hidden-$base" $? "$(devmem "$base" 32)"
done
ixctl cores | sed 's/^/cores: /'
kill %1
