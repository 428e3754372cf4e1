#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Dataplane domains beside Linux (tests/linux/domains.sh): life cycle, walls, containment, restarts,
and no VM exit while one works."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*PANIC|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"
# What tests/linux/domains.sh must have reported, beside its probes of memory.
CHECKS = {"hello", "msrs", "ports", "icr", "calls", "spin", "restarts", "no-leak", "all-cpus-back",
          "no-exits", *(f"crash:{n}" for n in range(1, 13)),
          *(f"two-{state} ({order})" for state in ("run", "stopped") for order in ("a b", "b a"))}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("domains", linux.entry("cloud", test="domains", hv=HV, hv_args="ixmem=64M"))
with tap.check("the run ends with a power-off"):
    with vm_class(platform)("domains", iso=iso, cpus=3, mem=512) as m:
        m.expect(r"init: Linux .* 3 CPUs", limit=400, fail=PANIC)
        m.expect("init: domains ended with status 0", limit=1500, fail=PANIC)
        lines = list(m.console.lines)
        outcome = m.wait(limit=60)
        names = linux.report(tap, lines)
        missing = CHECKS - names
        if missing:
            raise RuntimeError(f"not all checks were made: {sorted(missing)}")
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
