#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unmodified Debian kernels as the control VM, in Bochs: they reach userspace on all cores, complain
about nothing that they do not complain about on the bare machine, and work."""
import json
import os
import re

from ixtest import Netns, Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = r"hv: .*panic|hv: .*Linux has ended|Kernel panic|Oops:|BUG:"
CARD = {"backend": "null"}

tap = Tap()
platform, _ = choose_platform()
VM = vm_class(platform)


def machine(kind, cpus, script, hv_args="", **options):
    # The name becomes a folder's, and a comma ends a value in Bochs's configuration.
    name = f"{kind}-{cpus}-{script.replace(',', '+')}"
    iso = linux.image(f"guest-{name}", linux.entry(kind, test=script, hv=HV, hv_args=hv_args))
    return VM(name, iso=iso, cpus=cpus, mem=512, **options)


def boot(kind, cpus, script, limit, checks=frozenset(), **options):
    """Boots, follows to the power-off and returns the console's lines. checks: what it must report."""
    with machine(kind, cpus, script, **options) as m:
        m.expect(rf"init: Linux .* {cpus} CPUs", limit=limit, fail=PANIC)
        m.expect(rf"test: cpus {cpus}$", limit=60, fail=PANIC)
        tap.ok(True, f"{kind} kernel, {cpus} cores: userspace sees all of them")
        m.expect("init: powering off", limit=limit, fail=PANIC)
        tap.equal(m.wait(limit=60).how, "off", f"{kind} kernel, {cpus} cores: power-off works")
        missing = checks - linux.report(tap, m.console.lines)
        tap.equal(missing, set(), f"{kind} kernel, {cpus} cores: all checks were made")
        return m.console.lines


def compare(kind, cpus, lines, cards=()):
    """No complaint in the log that the bare machine does not make too."""
    reference = linux.reference_dmesg(kind, cpus=2, cards=cards) if platform == "bochs" else []
    if not reference:
        tap.skip(f"{kind} kernel, {cpus} cores: no new complaint", "no reference on this platform")
        return
    new = linux.new_complaints(linux.dmesg_block(lines), reference, level=4)
    tap.equal(new, [], f"{kind} kernel, {cpus} cores: no complaint that bare Linux does not make")


def listed_exits():
    """What `ixctl exits` calls the reasons that docs/hypervisor.md lists."""
    with open("hv/arch/vmx.c") as f:
        names = dict(re.findall(r'\[EXIT_(\w+)\]\s*=\s*"([^"]+)"', f.read()))
    with open("docs/hypervisor.md") as f:
        rows = [line.split("|")[1] for line in f if line.startswith("| `")]
    return {names[name] for row in rows for name in re.findall(r"`([A-Z_]+)`", row) if name in names}


def count_exits(lines):
    """Prints the exits that tests/linux/network.sh counted; none but the listed ones are there."""
    known, found = listed_exits(), set()
    for title in ("idle", "pings"):
        counts = {}
        for line in lines:
            m = re.match(rf".*exits {title}: core (\d+) (.+)=(\d+)$", line)
            if m:
                counts[m.group(2)] = counts.get(m.group(2), 0) + int(m.group(3))
        found |= {name for name, n in counts.items() if n}
        tap.note(f"VM exits, {title}: {', '.join(f'{k} {n}' for k, n in counts.items() if n)}")
        tap.ok(counts, f"exits were counted: {title}")
    tap.equal(found - known, set(), "no exit reason but those that docs/hypervisor.md lists")


def parse_json(lines):
    """What tests/linux/control.sh had from `ixctl --json` is JSON, with something in it."""
    found = {}
    for line in lines:
        m = re.match(r".*json (\w+): (.*)$", line)
        if m:
            found[m.group(1)] = json.loads(m.group(2))
    tap.equal(set(found), {"version", "preflight", "cores", "memory", "pci", "exits", "events",
                           "list"}, "ixctl --json: every command answers with JSON")
    tap.equal([name for name in found if not found[name] and name not in ("events", "list")], [],
              "ixctl --json: none is empty")
    tap.equal([core["owner"] for core in found["cores"]], ["linux", "linux"], "ixctl --json cores")


with tap.check("the cloud kernel works on 2 cores"):
    seen = boot("cloud", 2, "control_vm,control,bars,wild", limit=600, checks={
        "stress", "modules", "clock", "hotplug", "cpu1-runs", "round-trips", "bars-back",
        "ixctl-log-json", "wild", "still-serves"})
    compare("cloud", 2, seen)
    parse_json(seen)
with tap.check("the full kernel works on 2 cores, with its e1000 driver"), Netns() as netns:
    netns.tap("ix0", "10.9.0.1/24")
    kvm = {"machine": "pc"} if platform == "kvm" else {}
    seen = boot("full", 2, "dmesg,network", limit=500, netns=netns,
                cards=[{"backend": "tuntap", "dev": "ix0"}],
                checks={"e1000-up", "ping", "ping-large", "pings-1000"}, **kvm)
    compare("full", 2, seen, cards=[CARD])
    count_exits(seen)
with tap.check("the full kernel works on 1 core"):
    compare("full", 1, boot("full", 1, "dmesg", limit=400), cards=[CARD])
with tap.check("the cloud kernel works on 1 core, and resets the machine"):
    with machine("cloud", 1, "dmesg,reboot") as m:
        m.expect(r"init: Linux .* 1 CPUs", limit=200, fail=PANIC)
        m.expect("test: cpus 1$", limit=60, fail=PANIC)
        m.expect("test: dmesg end", limit=60, fail=PANIC)
        compare("cloud", 1, m.console.lines)
        m.expect("test: rebooting", limit=60, fail=PANIC)
        m.expect("hv: .* reset$", limit=60, fail=PANIC)
        m.expect("hv: .* Ironix hypervisor, started by", limit=60)
with tap.check("the cloud kernel works on 4 cores, with xAPICs"):
    compare("cloud", 4, boot("cloud", 4, "dmesg", limit=500, hv_args="nox2apic"))
tap.done()
