#!/bin/sh
# SPDX-License-Identifier: MIT
# The part of `make run` that happens in Linux. Lines `demo: ...` are read by scripts/run-demo.
# shellcheck source=/dev/null
. /tests/lib.sh

say() {
	echo "demo: $*"
}

show() { # title, command...
	title=$1
	shift
	say "show $title"
	"$@" 2>&1 | sed 's/^/  | /'
	say "shown"
}

# The host does its part, then types a line.
host() {
	say "host $1"
	read -r answer
	[ "$answer" = "go on" ] || say "fail the host answered '$answer'"
}

one() { # check that a command succeeds
	title=$1
	shift
	if "$@" >/tmp/out 2>&1; then say "pass $title"; else
		say "fail $title"
		sed 's/^/  | /' /tmp/out
	fi
}

value() { # key: of the memcached server
	printf 'get %s\r\nquit\r\n' "$1" | nc -w 5 10.8.0.2 11211
}

one "ixcpd serves" control
show "what this machine has" ixctl preflight
show "whose cores there are" ixctl cores

say "step starting the dataplanes echo and kv"
one "echo is started" ixctl start /etc/ironix/echo.conf
one "kv is started" ixctl start /etc/ironix/kv.conf
one "echo serves" ready echo
one "kv serves" ready kv
show "the dataplanes" ixctl list
show "exits before the clients come" ixctl exits

host "clients of echo, over the wire"

say "step clients of kv, from Linux over ixgbevf and the switch in the hypervisor"
modprobe ixgbevf
ip link set eth0 up && ip addr add 10.8.0.1/24 dev eth0
one "ping reaches kv" ping -c 5 -W 10 10.8.0.2
say "note ping from Linux: $(tail -n 1 /tmp/out)"
printf 'set greeting 0 0 5\r\nhello\r\nquit\r\n' | nc -w 5 10.8.0.2 11211 >/tmp/set
one "kv stores a value" grep -q STORED /tmp/set
value greeting >/tmp/get
one "kv gives it back" grep -q hello /tmp/get
{
	yes "get greeting" | head -n 50 | sed 's/$/\r/'
	printf 'quit\r\n'
} | nc -w 5 10.8.0.2 11211 | grep -c hello >/tmp/count
one "kv answers 50 requests that come at once" test "$(cat /tmp/count)" -eq 50
say "served kv 52"
show "what kv counted" ixctl stats kv
show "what echo counted" ixctl stats echo
show "exits now" ixctl exits

say "step the walls"
base=$(ixctl --json memory | sed 's/},{/\n/g' | sed -n 's/.*"base":"\(0x[0-9a-f]*\)".*"owner":"kv".*/\1/p')
say "note kv's memory begins at $base; Linux reads there: $(devmem "$base" 64)"
one "Linux cannot read it" test "$(devmem "$base" 64)" = 0xFFFFFFFFFFFFFFFF
one "echo is killed" ixctl stop echo
value greeting >/tmp/get
one "kv does not notice" grep -q hello /tmp/get
one "echo starts again" ixctl start echo
one "echo serves again" ready echo
host "clients of echo again"

say "step another application on the same card and core"
one "echo is destroyed" ixctl destroy echo
one "httpd is started" ixctl start /etc/ironix/httpd.conf
one "httpd serves" ready httpd
host "clients of httpd"

say "step giving everything back"
one "kv is destroyed" ixctl destroy kv
one "httpd is destroyed" ixctl destroy httpd
show "whose cores there are" ixctl cores
[ "$(cat /sys/devices/system/cpu/online)" = "$(cat /sys/devices/system/cpu/present)" ]
one "Linux has all its CPUs" test $? -eq 0
say "end"
