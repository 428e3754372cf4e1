#!/bin/sh
# SPDX-License-Identifier: MIT
# Root rings the doorbell with wild calls, and executes VMCALL, from ring 3. ixruns=N times each.
# shellcheck source=/dev/null
. /tests/lib.sh

runs=$(sed -n 's/.*ixruns=\([0-9]*\).*/\1/p' /proc/cmdline)
id=$(grep -l 0x4958 /sys/bus/pci/devices/*/vendor | head -n 1)
echo 1 >"${id%vendor}enable"
wild "${id%/vendor}" "${runs:-2000}" >/tmp/out 2>&1
report wild $? "$(cat /tmp/out)"
sed 's/^/wild: /' /tmp/out
control
report still-serves $?
kill %1
