#!/bin/sh
# SPDX-License-Identifier: MIT
# The booted part of `make bench` (tests/bench/booted.py reads what it prints): the same client on CPU 0
# against dataplanes on a software VF and against Linux's TCP on CPU 1 over another VF of the same
# switch, in a network namespace of its own; then a dataplane with the machine's own e1000 against the
# host. Needs vfs=3, 3 CPUs and a card.
# shellcheck source=/dev/null
. /tests/lib.sh

DATAPLANE=10.8.0.2 LINUX=10.8.0.3
requests=$(sed -n 's/.*ixrequests=\([0-9]*\).*/\1/p' /proc/cmdline)
largest=$(sed -n 's/.*ixlargest=\([0-9]*\).*/\1/p' /proc/cmdline)

# All that is not a server stays on CPU 0.
taskset -p 1 $$ >/dev/null
control || exit 1

# What is counted before and after each run. The ping lets a dataplane that sleeps publish its counters.
cat >/tmp/mark <<'END'
#!/bin/sh
name=$(cat /tmp/serving)
if [ "$name" != linux ]; then
	usleep 100000
	ping -c 1 -W 5 10.8.0.2 >/dev/null
	usleep 100000
	echo "mark: stats $(ixctl --json stats "$name")"
fi
echo "mark: exits $(ixctl --json exits)"
echo "mark: cores $(ixctl --json cores)"
echo "mark: time $(cut -d ' ' -f 1 /proc/uptime) $(grep ^cpu1 /proc/stat)"
END
chmod +x /tmp/mark

dataplane() { # name, nic, address, application, arguments
	cat >"/tmp/$1.conf" <<END
name = $1
memory = 192M
cores = 1
nic = $2
address = $3/24
application = /apps/$4
arguments = $5
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

# run: name, what the client is to do...
run() {
	echo "run: $1 begins"
	shift
	rpc_client "$@" >/tmp/out 2>&1
	status=$?
	sed 's/^/result: /' /tmp/out
	echo "run: ends with status $status"
}

load() { # server's name, address, requests of one connection
	echo "$1" >/tmp/serving
	run "$1 echo" echo "$2" 7 16 "$requests" 64 /tmp/mark
	run "$1 unloaded" echo "$2" 7 1 "$3" 64 /tmp/mark
}

gets() { # server's name, address
	echo "$1" >/tmp/serving
	run "$1 get" get "$2" 11211 16 "$requests" 64 /tmp/mark
}

sizes() { # server's name, address, command before each size
	size=64
	while [ "$size" -le "$largest" ]; do
		$3 "$size"
		run "$1 size-$size" echo "$2" 7 1 20 "$size"
		size=$((size * 4))
	done
}

unshare -n sleep 100000 &
holder=$!
server=
serve() { # message size: an echo server in Linux
	if [ -n "$server" ]; then
		kill "$server"
		wait "$server"
	fi
	nsenter -t "$holder" -n taskset 2 rpc_server echo 7 "$1" >/tmp/server 2>&1 &
	server=$!
	for _ in $(seq 200); do
		grep -q ready /tmp/server && break
		usleep 10000
	done
}

check card-started dataplane card 0000:00:02.0 10.9.0.2 echo "server -p 7"
before=$(member card exits)
echo "test: host"
read -r answer
after=$(member card exits)
echo "card: exits $before before, $after after, host says $answer"
ixctl destroy card >/dev/null

check echo-started dataplane echo vf $DATAPLANE echo "server -p 7"
modprobe ixgbevf
ip link set eth0 up && ip addr add 10.8.0.1/24 dev eth0
ip link set eth1 netns "$holder"
nsenter -t "$holder" -n ip link set eth1 up
nsenter -t "$holder" -n ip addr add $LINUX/24 dev eth1
# Interrupts of Linux's server on its CPU.
grep -E 'eth[01]' /proc/interrupts | while read -r irq _ rest; do
	case $rest in *eth1*) mask=2 ;; *) mask=1 ;; esac
	echo $mask >"/proc/irq/${irq%:}/smp_affinity"
done
echo "mark: version $(ixctl --json version)"
ping -c 3 -i 0.1 -W 10 $DATAPLANE >/dev/null
report ping $?

serve 64
nsenter -t "$holder" -n taskset 2 rpc_server kv 11211 >/dev/null 2>&1 &
kv=$!
load echo $DATAPLANE $((requests / 4))
load linux $LINUX $((requests / 4))
gets linux $LINUX
grep -E 'eth[01]|CPU0' /proc/interrupts
sizes echo $DATAPLANE :
sizes linux $LINUX serve
ixctl stats echo
ixctl destroy echo >/dev/null
check kv-started dataplane kv vf $DATAPLANE kv "-p 11211 -m 16"
gets kv $DATAPLANE
ixctl destroy kv >/dev/null
kill "$server" "$kv" "$holder" %1
