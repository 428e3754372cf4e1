#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The dataplane kernel boots and runs a static musl program in ring 3."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import guestqemu  # noqa: E402
from ixtest import Tap  # noqa: E402

tap = Tap()
for cpu in ("max", "Haswell-noTSX", "qemu64"):
    r = guestqemu.run(f"{guestqemu.APPS}/hello", cpu=cpu, args=("one", "two three"),
                      env=("HELLO=world",))
    tap.ok(r.has("argv[2] = two three\nHELLO = world\n"), f"{cpu}: arguments and environment")
    tap.ok(r.has("ix[test]: application ended: exit status 7\n") and r.status == 7,
           f"{cpu}: exit status")
r = guestqemu.run(f"{guestqemu.APPS}/hello", cores=4, memory=1024,
                  mem=("0x1000000,0x8000000", "0x20000000,0x4000000"))
tap.ok(r.has("4 cores") and r.status == 7, "4 cores, two memory ranges")
r = guestqemu.run("/dev/null")
tap.ok(r.has("kernel panic: no application"), "no application: said so")
r = guestqemu.run(f"{guestqemu.BUILD}/guest/kernel.elf")
tap.ok(r.has("kernel panic: application: a segment lies outside"), "a wrong ELF file: said so")
tap.done()
