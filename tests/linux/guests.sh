#!/bin/sh
# SPDX-License-Identifier: MIT
# Applications of all manners as dataplanes beside Linux, built with plain musl-gcc: musl's basics and
# threads, and a hostile one beside a server that must not notice. Needs vfs=1, 3 CPUs.
# shellcheck source=/dev/null
. /tests/lib.sh
control || exit 1

printf 'first line\nlast\n' >/tmp/motd
yes 0123456789abcde | head -c 300000 >/tmp/big

# Runs a dataplane to its end; what it printed is in /tmp/out, and on the console.
run() { # cores, application, arguments
	cat >/tmp/g.conf <<END
name = g
memory = 64M
cores = $1
application = /apps/test/$2
arguments = $3
environment = COLOUR=blue HELLO=world SMALL=1
file = /tmp/motd=/etc/motd
file = /tmp/big=/big
self-check = on
END
	ixctl start /tmp/g.conf >/dev/null && await g stopped "${4:-400}"
	ended=$?
	ixctl console g >/tmp/out
	ixctl destroy g >/dev/null
	grep -v 'interrupts: \|good - ' /tmp/out | sed 's/^/g: /'
	return $ended
}

has() {
	for text in "$@"; do grep -qF "$text" /tmp/out || return 1; done
}

run 1 hello "one two" && has 'argv[2] = two' 'HELLO = world' 'exit status 7' 'invariants hold'
report hello $?
run 1 basics "" 2000 && has ' checks, 0 failures' 'exit status 0' 'invariants hold' \
	'system call 499 is not served'
report basics $?
grep BAD /tmp/out
run 2 threads "" 4000 && has ' checks, 0 failures' 'exit status 0' 'invariants hold'
report threads $?
grep BAD /tmp/out

# The server that must not notice.
cat >/tmp/good.conf <<END
name = good
memory = 64M
cores = 1
nic = vf
address = 10.8.0.2/24
connections = 100
rx-buffers = 2048
application = /apps/echo
arguments = server -p 7
END
ixctl start /tmp/good.conf
modprobe ixgbevf
ip link set eth0 up && ip addr add 10.8.0.1/24 dev eth0
ping -c 3 -i 0.1 -W 10 10.8.0.2 >/dev/null
report neighbour-serves $?
while :; do
	echo_client tcp 10.8.0.2 7 200 1000 4 || break
done >/tmp/neighbour 2>&1 &
neighbour=$!

fault() { # arguments
	run 1 hostile "$1" && has alive 'application fault on core 0' 'application ended: signal' \
		'invariants hold' && ! has survived
	report "hostile $1" $?
}

# One of each kind; guest_hostile makes them all.
for attack in "read kernel-data" "write kernel-text" "write direct-map" "read direct-map-mmio" \
	"execute direct-map" "instruction vmcall" "instruction wrmsr" "instruction cr3" "instruction hlt"; do
	fault "$attack"
done
run 1 hostile odd && has 'odd things done' 'exit status 0' 'invariants hold'
report "hostile odd" $?
run 1 hostile "pointers x 7" 2000 && has 'pointers done' 'exit status 0' 'invariants hold'
report "hostile pointers" $?

kill -0 $neighbour
report neighbour-unharmed $? "$(tail -n 2 /tmp/neighbour)"
echo "neighbour: $(grep -c . /tmp/neighbour) lines, $(tail -n 1 /tmp/neighbour)"
kill $neighbour
ixctl list | sed 's/^/list: /'
ixctl destroy -f good >/dev/null 2>&1 || ixctl stop good >/dev/null
[ "$(cat /sys/devices/system/cpu/online)" = 0-2 ]
report all-cpus-back $?
kill %1
