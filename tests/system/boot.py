#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""From GRUB to VMX root mode on 1, 2, 4 and 8 cores; and each machine that must be refused: one clear
line, no silence, no triple fault."""
import os

from ixtest import Bochs, Qemu, Tap, build_dir, linux

HV = os.path.join(build_dir(), "hv", "ironix.elf")
PANIC = "PANIC"

tap = Tap()


def image(name, grub=(), uefi=False, entry=f"title=hv; hv={HV}"):
    return linux.image(f"boot-{name}", entry, grub=grub, uefi=uefi)


def refused(name, machine, pattern, limit=60, row=None):
    """The hypervisor says why it does not start, and stays where it is. row: a line before that."""
    with tap.check(f"{name} is refused by name"):
        with machine as m:
            if row:
                m.expect(row, limit=limit, fail=PANIC)
            m.expect(r"hv: .*REFUSED: .*(?:" + pattern + ")", limit=limit, fail=PANIC)
            if not m.alive():
                raise RuntimeError(f"the machine ended: {m.wait(limit=5)}")


# Without a Linux the start ends after the cores are up, so these boots are short.
plain = image("plain")
for cores in (1, 2, 4, 8):
    with tap.check(f"{cores} cores enter VMX root mode"):
        with Bochs(f"cores-{cores}", iso=plain, cpus=cores, mem=256) as m:
            for core in range(cores):
                m.expect(rf"hv: .*core {core} \(APIC ID \d+\) in VMX root mode", limit=120,
                         fail=PANIC)
            m.expect(rf"hv: .*{cores} of {cores} cores in VMX root mode", limit=60, fail=PANIC)
            m.expect("REFUSED: no Linux", limit=60, fail=PANIC)
            if cores == 1:
                rows = m.console.count("hv: .*preflight  ")
                tap.ok(rows > 8, "the preflight table is printed", f"{rows} rows")
with tap.check("an older processor (no 1 GB EPT pages, no x2APIC) enters VMX root mode"):
    with Bochs("sandy-bridge", iso=plain, cpus=2, mem=256, model="corei7_sandy_bridge_2600k") as m:
        m.expect(r"hv: .*preflight  x2APIC +NO", limit=60, fail=PANIC)
        m.expect(r"hv: .*2 of 2 cores in VMX root mode", limit=60, fail=PANIC)

# That processor lacks more than EPT; the first row that is a must is named.
refused("a processor without EPT", Bochs("no-ept", iso=plain, cpus=1, mem=256,
                                         model="core2_penryn_t9600"),
        "is missing", row=r"hv: .*preflight  EPT +NO +must")
refused("a machine without VT-x, started by BIOS",
        Qemu("no-vtx", iso=plain, cpus=2, mem=256), "VT-x")
refused("a machine without VT-x, started by UEFI",
        Qemu("no-vtx-uefi", iso=image("uefi", uefi=True), cpus=2, mem=256, uefi=True), "VT-x")
# With 256 MB Bochs' BIOS puts its tables at the last 64 KB: RSDT first, MADT behind.
refused("an RSDT with a wrong checksum",
        Bochs("bad-rsdt", iso=image("bad-rsdt", ["write_byte 0xfff0010 0x55"]), cpus=1, mem=256),
        "bad ACPI|no ACPI")
refused("a MADT with a wrong checksum",
        Bochs("bad-madt", iso=image("bad-madt", ["write_byte 0xfff0f8c 0x55"]), cpus=1, mem=256),
        "MADT")
refused("a file that is no kernel",
        Bochs("no-kernel", cpus=1, mem=256,
              iso=image("no-kernel", entry=f"title=x; hv={HV}; linux={linux.kernel_dir('cloud')}/version")),
        "not a Linux kernel")
tap.done()
