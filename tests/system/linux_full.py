#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Debian's full kernel, unmodified, as the control VM: as tests/system/linux_guest.py, and with a network
card of the machine (tests/linux/network.sh), with the VM exits counted."""
import re

from ixtest import Netns, Tap, guest

CARD = {"backend": "null"}

tap = Tap()
guests = guest.Guests(tap)


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


with tap.check("the full kernel works on 2 cores, with its e1000 driver"), Netns() as netns:
    netns.tap("ix0", "10.9.0.1/24")
    seen = guests.boot("full", 2, "dmesg,network", limit=500, netns=netns,
                       cards=[{"backend": "tuntap", "dev": "ix0"}],
                       checks={"e1000-up", "ping", "ping-large", "pings-1000"})
    guests.compare("full", 2, seen, cards=[CARD])
    count_exits(seen)
with tap.check("the full kernel works on 1 core"):
    guests.compare("full", 1, guests.boot("full", 1, "dmesg", limit=400), cards=[CARD])
tap.done()
