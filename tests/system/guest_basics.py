#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""musl's own basics and POSIX threads on the dataplane kernel."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import guestqemu  # noqa: E402
from ixtest import Tap  # noqa: E402

tap = Tap()


def checks(run, name):
    """Each check of the application is one of ours."""
    lines = [line for line in run.text.splitlines() if line.startswith(("good - ", "BAD - "))]
    for line in lines:
        tap.ok(line.startswith("good"), f"{name}: {line.split(' - ', 1)[1]}")
    tap.ok(run.status == 0 and run.has(f"{len(lines)} checks, 0 failures\n") and lines,
           f"{name}: ends well")


with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/motd", "w") as f:
        f.write("first line\nlast\n")
    big = bytes(i * i % 251 for i in range(300000))
    with open(f"{folder}/big", "wb") as f:
        f.write(big)
    sum31 = 0
    for c in big:
        sum31 = (sum31 * 31 + c) & (1 << 64) - 1
    for cpu in ("max", "Nehalem"):
        r = guestqemu.run(f"{guestqemu.APPS}/basics", cpu=cpu, env=("COLOUR=blue",),
                          files=("etc", f"etc/motd={folder}/motd", f"big={folder}/big"))
        checks(r, f"basics ({cpu})")
        tap.ok(r.has(f"sum of /big: {sum31:x}\n"), f"basics ({cpu}): a file of many pages")
        tap.ok(r.text.count("system call 499 is not served") == 1,
               f"basics ({cpu}): an unknown call is logged once")
for cores in (2, 4):
    checks(guestqemu.run(f"{guestqemu.APPS}/threads", cores=cores), f"threads ({cores} cores)")
# Interrupts that somebody aims at core 0 by mistake, with vectors of exceptions among them.
for vector in (0x55, 0x10, 0x11, 0x12, 0x1e, 0xff, 0x40):
    r = guestqemu.run(f"{guestqemu.APPS}/threads", cores=2, storm=vector)
    checks(r, f"threads, stray interrupts with vector {vector:#x}")
    kind = {0xff: "spurious", 0x40: "timer"}.get(vector, "unexpected")
    m = re.search(rf"core 0: .* (\d+) {kind}", r.text)
    tap.ok(m and int(m.group(1)) > 20, f"stray interrupts with vector {vector:#x} are counted")
tap.done()
