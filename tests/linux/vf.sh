#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux's stock ixgbevf with two of the hypervisor's software VFs, one of them in a network namespace
# of its own, so that all packets go through the switch. Needs vfs=2, 2 CPUs and initrd-net.
# shellcheck source=/dev/null
. /tests/lib.sh

NEAR=10.7.0.1 FAR=10.7.0.2
rounds=$(sed -n 's/.*ixrounds=\([0-9]*\).*/\1/p' /proc/cmdline)
unshare -n sleep 100000 &
holder=$!

far() {
	nsenter -t "$holder" -n "$@"
}

# Both interfaces, from nothing to working.
up() {
	modprobe ixgbevf || return 1
	ip link set eth1 netns "$holder" || return 1
	ip link set eth0 up && ip addr add $NEAR/24 dev eth0 || return 1
	far ip link set eth1 up && far ip addr add $FAR/24 dev eth1 || return 1
	linked
}

linked() {
	for _ in $(seq 200); do
		[ "$(cat /sys/class/net/eth0/carrier 2>/dev/null)" = 1 ] &&
			[ "$(far ethtool eth1 | grep -c 'Link detected: yes')" = 1 ] && return 0
		usleep 20000
	done
	return 1
}

reached() { # packets
	ping -c "$1" -i 0.1 -W 10 $FAR >/tmp/ping 2>&1 && grep -q ' 0% packet loss' /tmp/ping
}

shown() { # title, command...
	title=$1
	shift
	"$@" 2>&1 | sed "s/^/$title: /"
}

statistic() { # name
	ethtool -S eth0 | sed -n "s/^ *$1: //p"
}

check probed up
far ip link set lo up
shown link ethtool eth0
shown info ethtool -i eth0
[ "$(ethtool -i eth0 | grep -c '^driver: ixgbevf$\|^supports-statistics: yes$')" = 2 ]
report info $?
[ "$(ethtool eth0 | grep -c 'Speed: 10000Mb/s\|Duplex: Full\|Link detected: yes')" = 3 ]
report link $?
[ "$(cat /sys/class/net/eth0/address)" = 02:49:58:00:00:00 ]
report mac $?
ethtool -d eth0 >/tmp/out 2>&1
report registers $? "$(tail -n 1 /tmp/out)"
ethtool -x eth0 >/tmp/out 2>&1
report rss-table $? "$(tail -n 1 /tmp/out)"
check ping reached 10
ping -c 3 -i 0.1 -W 10 -s 1472 $FAR >/dev/null
report ping-large $?

far iperf3 -s >/tmp/server 2>&1 &
for _ in $(seq 200); do
	far netstat -ltn | grep -q :5201 && break
	usleep 20000
done

throughput() { # name, options...
	name=$1
	shift
	iperf3 -c $FAR --connect-timeout 20000 "$@" >/tmp/out 2>&1
	status=$?
	grep receiver /tmp/out | tail -n 1 | sed "s/^/$name: /"
	report "$name" $status "$(tail -n 3 /tmp/out)"
}

lossless() { # name: of the UDP run before
	grep -q ' 0/[0-9]* (0%) *receiver' /tmp/out
	report "$1-lossless" $? "$(grep receiver /tmp/out)"
}

for offload in on off; do
	ethtool -K eth0 rx $offload tx $offload tso $offload gso $offload sg $offload
	status=$?
	far ethtool -K eth1 rx $offload tx $offload tso $offload gso $offload sg $offload || status=1
	features=$(ethtool -k eth0 | grep -c "^tcp-segm.*: $offload$\|^[rt]x-checksumming: $offload$")
	[ $status -eq 0 ] && [ "$features" = 3 ]
	report "offload-$offload" $?
	throughput "tcp-there-$offload" -n 2M
	throughput "tcp-back-$offload" -n 2M -R
	throughput "udp-there-$offload" -u -b 2M -n 200K -l 1400
	lossless "udp-there-$offload"
	throughput "udp-back-$offload" -u -b 2M -n 200K -l 1400 -R
	lossless "udp-back-$offload"
done

ethtool -K eth0 rx on tx on sg on tso on gso on
far ethtool -K eth1 rx on tx on sg on tso on gso on
throughput streams -P 8 -n 2M -R
shown statistics ethtool -S eth0
shown interrupts grep eth0 /proc/interrupts
for queue in 0 1; do
	[ "$(statistic "rx_queue_${queue}_packets")" -gt 100 ]
	report "rx-queue-$queue" $?
	[ "$(statistic "tx_queue_${queue}_packets")" -gt 0 ]
	report "tx-queue-$queue" $?
	[ "$(awk "/eth0-TxRx-$queue/ { print \$2 + \$3 }" /proc/interrupts)" -gt 10 ]
	report "interrupts-$queue" $?
done
[ "$(statistic rx_csum_offload_errors)" = 0 ]
report no-checksum-errors $?
kill %2

for round in $(seq "$rounds"); do
	ip link set eth0 down
	far ip link set eth1 down
	ip link set eth0 up
	far ip link set eth1 up
	if ! linked || ! reached 1; then break; fi
done
[ "$round" = "$rounds" ] && reached 1
report down-up $? "round $round"
for round in $(seq "$rounds"); do
	if ! rmmod ixgbevf || ! up || ! reached 1; then break; fi
done
[ "$round" = "$rounds" ] && reached 1
report remove-insert $? "round $round"
kill "$holder"

echo "test: dmesg begin"
dmesg -r
echo "test: dmesg end"
