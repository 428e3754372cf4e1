#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Applications built with plain musl-gcc as dataplanes beside Linux (tests/linux/guests.sh): musl's basics,
threads, and a hostile one that must end alone."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*PANIC|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"
CHECKS = {"hello", "basics", "threads", "neighbour-serves", "neighbour-unharmed", "hostile odd",
          "hostile pointers", "all-cpus-back"}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("guests", linux.entry("cloud", test="guests", hv=HV, hv_args="vfs=2 ixmem=192M"))
with tap.check("the run ends with a power-off"):
    with vm_class(platform)("guests", iso=iso, cpus=3, mem=640) as m:
        m.expect(r"init: Linux .* 3 CPUs", limit=400, fail=PANIC)
        m.expect("init: guests ended with status", limit=2000, fail=PANIC)
        names = linux.report(tap, m.console.lines)
        tap.equal(CHECKS - names, set(), "all checks were made")
        tap.ok(len([n for n in names if n.startswith("hostile ")]) == 11, "attacks were made")
        outcome = m.wait(limit=60)
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
