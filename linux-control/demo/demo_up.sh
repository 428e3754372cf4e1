#!/bin/sh
# SPDX-License-Identifier: MIT
# `make run INTERACTIVE=1`: both dataplanes are started, then there is a shell.
# shellcheck source=/dev/null
. /tests/lib.sh
control
ixctl start /etc/ironix/echo.conf
ixctl start /etc/ironix/kv.conf
modprobe ixgbevf
ip link set eth0 up && ip addr add 10.8.0.1/24 dev eth0
ready echo
ready kv
ixctl list
echo "Try: ixctl --help; ixctl stats echo; nc 10.8.0.2 11211. Leaving the shell powers off."
setsid cttyhack sh
# With dataplanes that go on, the machine would go on too.
ixctl list | awk 'NR > 1 { print $1 }' | while read -r name; do
	ixctl destroy "$name"
done
