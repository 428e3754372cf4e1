#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Debian's kernels and our initramfs on the bare emulators, without the hypervisor: the reference
that Linux under Ironix is compared with (kept in build/linux/reference/)."""
from ixtest import Qemu, Tap, linux

tap = Tap()


def qemu(kind, uefi):
    iso = linux.image(f"bare-{kind}-qemu", linux.entry(kind, test="dmesg"), uefi=uefi)
    with Qemu(f"{kind}{'-uefi' if uefi else ''}", iso=iso, cpus=2, mem=1024, uefi=uefi) as m:
        m.expect(r"init: Linux .* 2 CPUs", limit=120, fail="Kernel panic")
        m.expect(r"test: cpus 2$", limit=30)
        m.expect("init: powering off", limit=60)
        outcome = m.wait(limit=30)
        if outcome.how != "off":
            raise RuntimeError(str(outcome))


with tap.check("QEMU, UEFI: the cloud kernel reaches userspace with 2 CPUs and powers off"):
    qemu("cloud", uefi=True)
with tap.check("QEMU, BIOS: the full kernel reaches userspace with 2 CPUs and powers off"):
    qemu("full", uefi=False)
for kind in ("cloud", "full"):
    with tap.check(f"Bochs: the {kind} kernel reaches userspace with 2 CPUs; its log is kept"):
        # As tests/system/linux_full.py has it: with a network card.
        cards = [{"backend": "null"}] if kind == "full" else []
        lines = linux.reference_dmesg(kind, cpus=2, cards=cards)
        if not any("smp: Brought up 1 node, 2 CPUs" in line for line in lines):
            raise RuntimeError("the log does not show 2 CPUs")
        tap.note(f"{kind}: {len(lines)} lines, complaints: {linux.complaints(lines, 3)}")
tap.done()
