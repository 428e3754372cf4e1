#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux's own e1000 driver against the host, and what the hypervisor does meanwhile: VM exits of an idle
# second and of one with 1,000 pings. Needs a card wired to 10.9.0.1.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

up() {
	modprobe e1000 && ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0
}

reached() { # packets, options...
	packets=$1
	shift
	ping -c "$packets" -W 10 "$@" 10.9.0.1 >/tmp/ping 2>&1 && grep -q ' 0% packet loss' /tmp/ping
}

# Lines `core reason=count`.
snapshot() {
	ixctl --json exits | sed 's/},{/\n/g' |
		sed -n 's/.*"core":\([0-9]*\),"reason":"\([^"]*\)","count":\([0-9]*\).*/\1 \2=\3/p'
}

# Exits while a command runs, less those of looking.
exits() { # title, command...
	title=$1
	shift
	snapshot >/tmp/a
	snapshot >/tmp/b
	"$@"
	status=$?
	snapshot >/tmp/c
	awk -F= 'FILENAME == "/tmp/a" { a[$1] = $2 }
		FILENAME == "/tmp/b" { b[$1] = $2 }
		FILENAME == "/tmp/c" { n = $2 - b[$1] - (b[$1] - a[$1]); print $1 "=" (n > 0 ? n : 0) }' \
		/tmp/a /tmp/b /tmp/c | sed "s/^/exits $title: core /"
	return $status
}

check e1000-up up
check ping reached 3
check ping-large reached 3 -s 1400
exits idle sleep 1
exits pings reached 1000 -A
report pings-1000 $? "$(tail -n 3 /tmp/ping)"
grep -h 'packets\|round-trip' /tmp/ping | sed 's/^/pings: /'
ixctl exits | sed 's/^/exits so far: /'
kill %1
