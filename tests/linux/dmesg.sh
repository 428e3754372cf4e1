#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows what the kernel said and what it found, for comparison with another run.
echo "test: cpus $(grep -c ^processor /proc/cpuinfo)"
echo "test: dmesg begin"
dmesg -r
echo "test: dmesg end"
