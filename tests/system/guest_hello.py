#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The dataplane kernel boots and runs a static musl program in ring 3."""
import os
import subprocess
import sys
import tempfile

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
tap.ok(r.has("ix[test]: no application\n") and r.status == 125, "no application: said so")
r = guestqemu.run(f"{guestqemu.BUILD}/guest/kernel.elf")
tap.ok(r.has("ix[test]: application: a segment lies outside") and r.status == 125, "a wrong ELF file: said so")
r = guestqemu.run(f"{guestqemu.APPS}/hello", config="# sizes\nbatch = many\n")
tap.ok(r.has("ix[test]: configuration, line 2: ") and r.status == 125,
       "a wrong configuration: said so, with its line")
r = guestqemu.run(f"{guestqemu.APPS}/hello", mem=("0x1000000,0x1000000",))
tap.ok(r.has("not enough memory") and r.status == 125, "too little memory: said so")
# Programs of other makes: a static PIE, and one whose segments share a page.
with tempfile.TemporaryDirectory() as folder:
    for name, flags in (("static-pie", ["-static-pie", "-fPIE"]), ("plain", ["-static"])):
        subprocess.run(["gcc", "-O2", *flags, "-o", f"{folder}/{name}", "tests/guest-apps/hello.c"],
                       check=True)
        r = guestqemu.run(f"{folder}/{name}", args=("x",), env=("HELLO=world",))
        tap.ok(r.has("argv[1] = x\nHELLO = world\n") and r.status == 7, f"glibc, {name}")
        tap.ok(r.has("which is writable and executable"), f"{name}: the shared page is said")
tap.done()
