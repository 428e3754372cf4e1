#!/bin/sh
# SPDX-License-Identifier: MIT
# Ends by a reset instead of a power-off.
echo "test: rebooting"
stty sane # waits until the console has sent everything
reboot -f
