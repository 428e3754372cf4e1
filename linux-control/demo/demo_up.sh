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
ixctl list
echo "Try: ixctl --help; ixctl stats echo; nc 10.8.0.2 11211. Leaving the shell powers off."
setsid cttyhack sh
