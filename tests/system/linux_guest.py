#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Debian's cloud kernel, unmodified, as the control VM: it reaches userspace on all cores, complains
about nothing that it does not complain about on the bare machine, and works."""
import json
import re

from ixtest import Tap, guest

tap = Tap()
guests = guest.Guests(tap)


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
    tap.equal([f["kind"] for f in found["pci"] if f["id"] == "4958:0001"], ["control"],
              "ixctl --json pci: the control function")
    tap.equal({f["dma"] for f in found["pci"] if f["kind"] == "physical"}, {"all memory"},
              "ixctl --json pci: nothing confines the machine's functions")
    tap.equal([core["owner"] for core in found["cores"]], ["linux", "linux"], "ixctl --json cores")


with tap.check("the cloud kernel works on 2 cores"):
    seen = guests.boot("cloud", 2, "control_vm,control,bars,wild", limit=600, checks={
        "stress", "modules", "clock", "hotplug", "cpu1-runs", "round-trips", "bars-back",
        "ixctl-log-json", "wild", "still-serves"})
    guests.compare("cloud", 2, seen)
    parse_json(seen)
with tap.check("the cloud kernel works on 1 core, and resets the machine"):
    with guests.machine("cloud", 1, "dmesg,reboot") as m:
        m.expect(r"init: Linux .* 1 CPUs", limit=200, fail=guest.PANIC)
        m.expect("test: cpus 1$", limit=60, fail=guest.PANIC)
        m.expect("test: dmesg end", limit=60, fail=guest.PANIC)
        guests.compare("cloud", 1, m.console.lines)
        m.expect("test: rebooting", limit=60, fail=guest.PANIC)
        m.expect("hv: .* reset$", limit=60, fail=guest.PANIC)
        m.expect("hv: .* Ironix hypervisor, started by", limit=60)
with tap.check("the cloud kernel works on 4 cores, with xAPICs"):
    guests.compare("cloud", 4, guests.boot("cloud", 4, "dmesg", limit=500, hv_args="nox2apic"))
tap.done()
