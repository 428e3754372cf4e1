#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Dataplane domains beside Linux (tests/linux/domains.sh): life cycle, walls, containment, restarts,
and no VM exit while one works."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*PANIC|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"
# Calls of the fuzzing guest, restarts of a dataplane, instructions of the polling one: for CI, and in
# full by the environment (1000000, 100, 1000000000).
CALLS = int(os.environ.get("IX_CALLS", "100000"))
RESTARTS = int(os.environ.get("IX_RESTARTS", "40"))
INSTRUCTIONS = int(os.environ.get("IX_INSTRUCTIONS", "100000000"))
# What tests/linux/domains.sh must have reported, beside its probes of memory.
ORDERS = [f"{start}, {stop}" for start in ("a b", "b a") for stop in ("a b", "b a")]
CHECKS = {"hello", "registers", "pae", "msrs", "ports", "icr", "calls", "msix-table", "msix", "pending", "after-pending",
          "bridge-refused", "spin",
          "outside-unchanged", "guard-unchanged", "restarts", "no-leak", "all-cpus-back", "no-exits",
          *(f"crash:{n}" for n in range(1, 13)),
          *(f"two-{state} ({order})" for state in ("run", "stopped") for order in ORDERS)}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("domains", linux.entry(
    "cloud", test="domains", hv=HV, hv_args="ixmem=64M vfs=1",
    args=f"ixcalls={CALLS} ixrestarts={RESTARTS} ixrounds={INSTRUCTIONS // 2}"))
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
        if sum(name.startswith(("read:", "write:")) for name in names) < 28:
            raise RuntimeError(f"not all of memory was probed: {sorted(names)}")
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
