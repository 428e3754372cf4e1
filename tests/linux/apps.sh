#!/bin/sh
# SPDX-License-Identifier: MIT
# The applications, one after the other, in a dataplane on a software VF. Their clients are programs
# of Linux's in a network namespace of their own, behind a router (this Linux, by ixgbevf) that loses
# ixloss= percent of the packets of each direction in a second pass: of some clients, or with ixlong=1
# of all. Last, the program of docs/tutorial.md. Needs vfs=2, 2 CPUs and initrd-apps.
# shellcheck source=/dev/null
. /tests/lib.sh

IP=10.8.0.2
loss=$(sed -n 's/.*ixloss=\([0-9]*\).*/\1/p' /proc/cmdline)
long=$(sed -n 's/.*ixlong=\([0-9]*\).*/\1/p' /proc/cmdline)

# ---- the bed ----

far() {
	nsenter -t "$holder" -n "$@"
}

# client 10.7.0.2 - veth0 - near - router - eth0 - switch - dataplane 10.8.0.2. Packets cross the
# router one by one: a lost one is to be a packet, not a bundle.
network() {
	modprobe ixgbevf && modprobe veth && modprobe sch_netem || return 1
	ip link add near type veth && ip link set veth0 netns "$holder" || return 1
	ethtool -K eth0 gro off && far ethtool -K veth0 tso off gso off tx off || return 1
	ip addr add 10.8.0.1/24 dev eth0 && ip link set eth0 up || return 1
	ip addr add 10.7.0.1/24 dev near && ip link set near up || return 1
	far ip addr add 10.7.0.2/24 dev veth0 && far ip link set veth0 up || return 1
	far ip route add default via 10.7.0.1 && echo 1 >/proc/sys/net/ipv4/ip_forward
}

# Busybox has a tc of its own, without netem.
loss_on() {
	for link in eth0 near; do
		/bin/tc qdisc add dev "$link" root netem loss "$loss%" limit 5000 || return 1
	done
}

loss_off() {
	sum=0
	for link in eth0 near; do
		dropped=$(/bin/tc -s qdisc show dev "$link" | sed -n 's/.*dropped \([0-9]*\).*/\1/p')
		echo "loss: $dropped packets that were to leave by $link"
		sum=$((sum + dropped))
		/bin/tc qdisc del dev "$link" root || return 1
	done
	[ $sum -gt 0 ]
}

start() { # application, other lines of its description
	cat >/tmp/app.conf <<END
name = $1
memory = 160M
cores = 1
nic = vf
address = $IP/24
gateway = 10.8.0.1
application = /apps/$1
$2
END
	ixctl start /tmp/app.conf && serves "$1"
}

serves() { # application
	app=$1
	for _ in $(seq 600); do
		ixctl events | grep -q "$1 ready" && return 0
		[ "$(state "$1")" = running ] || break
		usleep 50000
	done
	ixctl console "$1"
	return 1
}

connections() { # application
	ixctl stats "$1" | awk '$1 == "conns" { n = $2 } END { print n + 0 }'
}

# The application still runs, and has no connection left but those in TIME-WAIT.
end() { # application
	for _ in $(seq 200); do
		[ "$(connections "$1")" = 0 ] && break
		usleep 50000
	done
	[ "$(state "$1")" = running ] && [ "$(connections "$1")" = 0 ]
	report "$1-ends" $? "$(ixctl console "$1")"
	ixctl stats "$1" | sed "s/^/$1: /"
	ixctl stop "$1" >/dev/null && ixctl destroy "$1" >/dev/null
	awk -v name="$1" '{ print "time: " name " until " $1 }' /proc/uptime
}

try() { # name, function...: what one of the functions below does, as the client
	name=$1
	shift
	far timeout 60 sh "$0" client "$@" >/tmp/out 2>&1
	report "$name" $? "$(tail -n 3 /tmp/out)"
	tail -n 2 /tmp/out | sed "s/^/$name: /"
}

try_more() { # the same, but not when the second pass is to be short
	if [ -z "$lossy" ] || [ -n "$long" ]; then try "$@"; fi
}

twice() { # command...: without loss, and with it
	lossy=
	"$@"
	check "$app-loss-on" loss_on
	lossy=-lossy
	"$@"
	check "$app-loss-off" loss_off
}

# ---- echo ----

echoed() { # protocol, largest, window
	echo_client "$1" $IP 7 200 "$2" "$3"
}

echo_clients() {
	try "echo-tcp$lossy" echoed tcp 4000 32
	try_more "echo-udp$lossy" echoed udp 1472 16
}

talked() {
	[ "$(echo hello | nc $IP 7)" = hello ]
}

pinged() {
	ping -c 3 -i 0.1 -W 10 $IP
}

many_echoes() {
	pids=
	for n in $(seq 8); do
		echo_client tcp $IP 7 100 2000 8 >"/tmp/many.$n" 2>&1 &
		pids="$pids $!"
	done
	status=0
	for pid in $pids; do wait "$pid" || status=1; done
	tail -n 1 /tmp/many.8
	return $status
}

# ---- httpd ----

same_file() {
	curl -sS -o /tmp/got "http://$IP/$1" && cmp "/tmp/$1" /tmp/got
}

no_such_file() {
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "http://$IP/none")" = 404 ]
}

browsed() { # connections, seconds
	wrk -t 1 -c "$1" -d "$2" --timeout 20 "http://$IP:80/small" >/tmp/wrk || return 1
	grep Requests/sec /tmp/wrk
	! grep 'Socket errors\|Non-2xx' /tmp/wrk && awk '/requests in/ { n = $1 } END { exit n < 100 }' /tmp/wrk
}

http_clients() {
	try "httpd-file$lossy" same_file large
	try_more "httpd-wrk$lossy" browsed 8 2
}

# ---- kv ----

stored() { # protocol
	flag=
	[ "$1" = ascii ] || flag=--binary
	memccp --servers=$IP $flag /tmp/large /tmp/small || return 1
	for key in large small; do
		# memccat ends a value with a line feed of its own.
		memccat --servers=$IP $flag $key >/tmp/got && echo | cat /tmp/$key - | cmp - /tmp/got || return 1
	done
}

slapped() {
	memcslap --servers=$IP --concurrency=4 --execute-number=50 --initial-load=50 --test="$1" >/tmp/slap 2>&1
	cat /tmp/slap
	! grep -i 'error\|fail' /tmp/slap
}

kv_clients() {
	try "kv-binary$lossy" stored binary
	try_more "kv-ascii$lossy" stored ascii
	try_more "kv-load$lossy" slapped get
}

# ---- netpipe ----

framed() {
	echo_client framed $IP 5002 40 60000 1
}

pipes() {
	try "netpipe$lossy" framed
}

# ---- the tutorial ----

# Its commands, each when the one before has had its effect; what they print is its output.
tutorial() {
	: >/tmp/got
	while read -r line; do
		far timeout 60 sh -c "$line" >>/tmp/got 2>&1 || return 1
		case $line in "ixctl start"*) serves lines || return 1 ;; esac
	done </root/commands
	cmp /root/output /tmp/got || { cat /tmp/got; return 1; }
}

if [ "$1" = client ]; then
	shift
	"$@"
	exit
fi

control || exit 1
unshare -n sleep 100000 &
holder=$!
check network network
head -c 600000 /dev/urandom >/tmp/large
head -c 500 /dev/urandom >/tmp/small

check echo-started start echo "arguments = server"
try ping pinged
twice echo_clients
try echo-many many_echoes
try echo-nc talked
end echo

check httpd-started start httpd "arguments = /www
file = /tmp/large=/www/large
file = /tmp/small=/www/small"
try httpd-none no_such_file
twice http_clients
end httpd

check kv-started start kv "arguments = -m 8"
twice kv_clients
end kv

check netpipe-started start netpipe "arguments = server"
twice pipes
end netpipe

(cd /root && check tutorial tutorial)
kill "$holder" %1
