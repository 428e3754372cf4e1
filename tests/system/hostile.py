#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A hostile control VM (tests/hostile/) in Linux's place attacks the hypervisor and a dataplane, from ring 0
and ring 3. IX_RUNS: how often each attack is made."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
KERNEL = os.path.join(build_dir(), "test", "hostile.bin")
RUNS = int(os.environ.get("IX_RUNS", 20000))
CHECKS = {"dataplane-started", "vmcall-ring-0", "vmcall-ring-3", "vmcall", "absent-memory",
          "absent-memory-not-executed", "absent-memory-fault", "absent-memory-refused",
          "absent-memory-steps", "wrap-at-4g", "hidden-function", "hidden-function-writes",
          "hidden-registers", "control-function-back", "control-function-moved",
          "vmx-instructions", "vmxe-smxe", "forbidden-msrs", "processor", "ports", "doorbell-ring-0",
          "doorbell-ring-3", "doorbell-odd", "calls-work", "info", "apic-stays"}

tap = Tap()
platform, _ = choose_platform()


def attack(name, hv_args, runs, checks, last):
    """last: how it ends, and what the hypervisor says then."""
    iso = linux.image(name, f"title=hostile; hv={HV}; hv.args=ixmem=16M {hv_args}; linux={KERNEL}; "
                            f"linux.args=runs={runs}")
    # In a slow machine's time a line on the console takes fewer instructions, and so does waiting.
    options = {"machine": "pc"} if platform == "kvm" else {"ips": 10_000_000}
    with vm_class(platform)(name, iso=iso, cpus=2, mem=256, cards=[{"backend": "null"}],
                            **options) as m:
        m.expect("hostile: runs", limit=60, fail="PANIC|REFUSED")
        # A hypervisor that is silent for so long hangs.
        m.expect(f"hostile: {last[0]}", limit=30 + runs / 400, fail="PANIC|has ended|unexpected")
        m.expect(rf"hv: .*{last[1]}; 1 dataplane\(s\) go on", limit=60, fail="PANIC")
        names = linux.report(tap, m.console.lines)
        for line in m.console.lines:
            if "hostile:" in line:
                tap.note(line)
        tap.equal((CHECKS | checks) - names, set(), f"{name}: all checks were made")


with tap.check("x2APIC mode: the hypervisor and the dataplane outlive it"):
    attack("x2apic", "", RUNS, {"icr-x2apic", "icr-reserved"},
           ("triple fault", "Linux has ended: triple fault"))
with tap.check("xAPIC mode: the hypervisor and the dataplane outlive it"):
    attack("xapic", "nox2apic", min(RUNS, 20000), {"icr-xapic", "icr-msr"},
           ("hang", "Linux, core 0: interrupts off for 10 s, at 0x1[0-9a-f]+: it hangs"))
tap.done()
