#!/bin/sh
# SPDX-License-Identifier: MIT
# Echo dataplanes with our two NIC drivers: one with a software VF, against Linux's ixgbevf; one with
# the e1000 of the machine, against the host, which does its part when asked. Needs vfs=, 3 CPUs.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

messages=$(sed -n 's/.*ixmessages=\([0-9]*\).*/\1/p' /proc/cmdline)

dataplane() { # name, nic, address
	cat >"/tmp/$1.conf" <<END
name = $1
memory = 192M
cores = 1
nic = $2
address = $3/24
application = /apps/echo
arguments = server -p 7
END
	ixctl start "/tmp/$1.conf" || return 1
	for _ in $(seq 600); do
		ixctl events | grep -q "$1 ready" && return 0
		[ "$(state "$1")" = running ] || break
		usleep 50000
	done
	ixctl console "$1"
	return 1
}

echoed() { # protocol, largest, window
	echo_client "$1" 10.8.0.2 7 "$messages" "$2" "$3" >/tmp/out 2>&1
	report "vf-$1" $? "$(cat /tmp/out)"
	sed 's/^/vf: /' /tmp/out
}

check card-started dataplane card 0000:00:02.0 10.9.0.2
check vf-started dataplane vf vf 10.8.0.2
modprobe ixgbevf
ip link set eth0 up && ip addr add 10.8.0.1/24 dev eth0
ping -c 3 -i 0.1 -W 10 10.8.0.2 >/dev/null
report vf-ping $?
echoed udp 1472 16
echoed tcp 4000 32
ixctl stats vf | sed 's/^/vf: /'
ixctl stop vf >/dev/null

before=$(member card exits)
echo "test: host"
read -r answer
after=$(member card exits)
[ "$answer" = "done" ] && [ "$before" -gt 0 ] && [ "$before" = "$after" ]
report card-no-exits $? "$before to $after, host says $answer"
echo "card: exits $before before, $after after"
ixctl stats card | sed 's/^/card: /'
ixctl exits | sed 's/^/exits: /'
ixctl stop card >/dev/null
kill %1
