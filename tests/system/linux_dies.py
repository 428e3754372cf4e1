#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Linux ends while two dataplanes count (tests/linux/dies.sh): by a panic, a triple fault, a power-off.
They count on, not one beat is lost, and the machine stays up."""
import os
import re

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
BEATS = 20  # a second of the dataplanes' time
# How, what the kernel is told, what it says last, what the hypervisor says.
WAYS = (
    ("panic", "panic=1", "Kernel panic", "reset"),
    ("triple", "reboot=t", None, "triple fault"),
    ("poweroff", "", None, "power-off"),
)

tap = Tap()
platform, _ = choose_platform()


def beats(lines, name):
    return [int(m.group(1)) for line in lines
            if (m := re.search(rf"ix\[{name}\]: probe: beat (\d+)", line))]


for way, args, last_words, why in WAYS:
    iso = linux.image(f"dies-{way}", linux.entry("cloud", test="dies", args=f"ixend={way} {args}",
                                                 hv=HV, hv_args="ixmem=32M"))
    with tap.check(f"{way}: only Linux ends"):
        with vm_class(platform)(way, iso=iso, cpus=3, mem=512) as m:
            m.expect(rf"test: now {way}", limit=400, fail="PANIC|Kernel panic")
            missing = {"a-counts", "b-counts"} - linux.report(tap, m.console.lines)
            tap.equal(missing, set(), f"{way}: two dataplanes count")
            if last_words:
                m.expect(last_words, limit=60, fail="PANIC")
            m.expect(rf"hv: .*Linux has ended: {why}; 2 dataplane\(s\) go on", limit=120,
                     fail="PANIC")
            died = {name: beats(m.console.lines, name)[-1] for name in "ab"}
            while any(beats(m.console.lines, name)[-1] < died[name] + BEATS for name in "ab"):
                m.expect(r"ix\[.\]: probe: beat \d+$", limit=60, fail="PANIC|stopped|failed")
            for name in "ab":
                seen = beats(m.console.lines, name)
                tap.equal(seen, list(range(1, len(seen) + 1)), f"{way}: dataplane {name} lost no beat")
            tap.ok(m.alive(), f"{way}: the machine is up")
tap.done()
