#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unmodified Debian kernels as the control VM, in Bochs: they reach userspace on all cores, complain
about nothing that they do not complain about on the bare machine, and work."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*panic|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"

tap = Tap()
platform, _ = choose_platform()
VM = vm_class(platform)


def boot(kind, cpus, script, limit):
    """Boots, follows to the power-off and returns the console's lines."""
    iso = linux.image(f"guest-{kind}-{script.replace(',', '+')}", linux.entry(kind, test=script, hv=HV))
    # The name becomes a folder's, and a comma ends a value in Bochs's configuration.
    with VM(f"{kind}-{cpus}-{script.replace(',', '+')}", iso=iso, cpus=cpus, mem=512) as m:
        m.expect(rf"init: Linux .* {cpus} CPUs", limit=limit, fail=PANIC)
        tap.ok(True, f"{kind} kernel, {cpus} cores: userspace sees all of them")
        m.expect("init: powering off", limit=limit, fail=PANIC)
        tap.equal(m.wait(limit=60).how, "off", f"{kind} kernel, {cpus} cores: power-off works")
        return m.console.lines


def compare(kind, cpus, lines):
    """No complaint in the log that the bare machine does not make too."""
    reference = linux.reference_dmesg(kind, cpus=2) if platform == "bochs" else []
    if not reference:
        tap.skip(f"{kind} kernel, {cpus} cores: no new complaint", "no reference on this platform")
        return
    new = linux.new_complaints(linux.dmesg_block(lines), reference, level=4)
    tap.equal(new, [], f"{kind} kernel, {cpus} cores: no complaint that bare Linux does not make")


with tap.check("the cloud kernel works on 2 cores"):
    lines = boot("cloud", 2, "control_vm,control,bars", limit=600)
    missing = {"stress", "modules", "clock", "hotplug", "cpu1-runs", "round-trips",
               "bars-back"} - linux.report(tap, lines)
    if missing:
        raise RuntimeError(f"not all checks were made: {missing}")
    compare("cloud", 2, lines)
with tap.check("the full kernel works on 2 cores"):
    compare("full", 2, boot("full", 2, "dmesg", limit=300))
with tap.check("the cloud kernel works on 1 core"):
    compare("cloud", 1, boot("cloud", 1, "dmesg", limit=200))
with tap.check("the cloud kernel works on 4 cores"):
    compare("cloud", 4, boot("cloud", 4, "dmesg", limit=500))
tap.done()
