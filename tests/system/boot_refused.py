#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Machines that Ironix cannot run on, in QEMU: each says why in exactly one line, and halts."""
import os
import re
import time

from ixtest import Qemu, Tap, boot

tap = Tap()


def refuse(what, why, args="", grub=(), expect=(), early=False, iso=None, **machine):
    """Boots, and checks the one line. expect: patterns of lines that come before it, in any order;
    early: refused by the first instructions, before there is a log. Returns the console's lines."""
    name = re.sub(r"\W+", "-", what.lower()).strip("-")
    machine = {"cpus": 2, "extra": (), **machine}
    machine["extra"] = (*machine["extra"], *boot.MONITOR)
    iso = iso or boot.image(f"refused-{name}", args, grub, uefi=machine.get("uefi", False))
    lines = []
    with tap.check(f"{what}: {why}"):
        with Qemu(name, iso=iso, **machine) as m:
            lines = m.console.lines
            m.expect(r"REFUSED: .*" + why, limit=60, fail="PANIC")
            for pattern in expect:
                if not m.console.find(pattern):
                    raise RuntimeError(f"no line /{pattern}/:\n{m.console.tail()}")
            if not early:
                m.expect("all cores halted$", limit=10)
            boot.wait_halted(m)
            if not m.alive():
                raise RuntimeError("the machine did not stay halted: triple fault or reset")
            if m.console.count("REFUSED") != 1 or m.console.count("PANIC"):
                raise RuntimeError(f"not exactly one line:\n{m.console.tail()}")
    return lines


NO_VTX = "VT-x is missing: needs an Intel processor with VT-x"

# Firmware and platform kinds.
lines = refuse("BIOS, q35 with VT-d", NO_VTX, "loglevel=7 colour=blue ixmem=3 console=com9 preflight=1",
               iommu=True, expect=[
                   r"character 12: 'colour=blue': unknown option",
                   r"'ixmem=3': not a multiple of 2M",
                   r"'console=com9': not com1",
                   r"'preflight=1': takes no value",
                   r"preflight  VT-x +NO +must",
                   r"preflight  VT-d +yes +wanted",
                   r"preflight  PCIe configuration space +yes +wanted",
                   r"debug: ACPI table DMAR at",
                   r"cores: 2, the boot core has APIC ID 0"])
tap.ok(lines and all(re.match(r"hv: \[\d+\] ", line) for line in lines if line),
       "every line of the log names its core", "\n".join(lines))
refuse("UEFI, q35", NO_VTX, uefi=True, mem=1024, expect=[
    r"started by GRUB", r"preflight  PCIe configuration space +yes"])
refuse("BIOS, i440fx", NO_VTX, machine="pc", expect=[
    r"preflight  VT-d +NO", r"preflight  PCIe configuration space +NO +wanted +only the first 256"])
refuse("an AMD processor with SVM", NO_VTX, cpu="EPYC,svm=on")
refuse("8 cores, 8 GB", NO_VTX, cpus=8, mem=8192, expect=[r"memory: 819\d MB", r"cores: 8,"])

# Processors too old to run the 64-bit part.
refuse("no 64-bit mode", "this CPU has no 64-bit mode", cpu="qemu64,-lm", early=True)
refuse("no execute-disable", "no execute-disable .NX. pages; turn 'Execute Disable' on",
       cpu="qemu64,-nx", early=True)
refuse("no PAT", "local APIC, MTRRs, PAT is missing: .*; also missing: VT-x", cpu="qemu64,-pat")

# Memory.
refuse("ixmem of 64 GB in 512 MB", r"ixmem=65536M does not fit: the machine has 511 MB",
       "ixmem=64G")
refuse("ixmem near 2^64", r"ixmem=\d+M does not fit", "ixmem=16777215T")
refuse("hardly any memory", r"(MB|free memory|does not fit)", mem=24)


# ACPI.
def tables(name, base, content, **how):
    """Arguments for refuse(): these tables in memory, and an RSDP that points to them."""
    blob, grub = boot.acpi(base, content, **how)
    path = os.path.join(boot.build_dir(), "test", f"acpi-{name}.bin")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(blob)
    return {"grub": grub, "extra": ("-device", f"loader,file={path},addr={base:#x},force-raw=on")}


LOW, HIGH = 0x8000000, 0x150000000
good = [boot.fadt(), boot.madt([0, 1])]
refuse("tables above 4 GB, x2APIC entries", NO_VTX, "loglevel=7", mem=6144, expect=[
    r"ACPI: revision 2, XSDT with 2 tables", r"ACPI table APIC at 0x15000", r"cores: 2,"],
    **tables("high", HIGH, [boot.fadt(), boot.madt([], [0, 1])]))
refuse("x2APIC and xAPIC entries of the same cores, more that is bad", NO_VTX, expect=[
    r"warning: ACPI table HPET at 0x\w+ is not used: wrong checksum",
    r"warning: ACPI table \?\?\?\? at 0x1000000000000000 is not used: not readable",
    r"cores: 2,"],
    **tables("mixed", LOW, [*good[:1], boot.madt([0, 1], [0, 1]),
                            boot.spoiled(boot.table(b"HPET", bytes(20)))], more=[1 << 60]))
refuse("spoiled XSDT", "bad ACPI tables: XSDT: wrong checksum; update the firmware",
       **tables("xsdt", LOW, good, spoil_root=True))
refuse("spoiled MADT", "bad ACPI tables: no sound MADT", expect=[
    r"ACPI table APIC at \w+ is not used: wrong checksum"],
    **tables("madt", LOW, [good[0], boot.spoiled(good[1])]))
refuse("MADT entry of length 0", "bad ACPI tables: no sound MADT", expect=[
    r"ACPI table APIC at \w+ is not used: malformed entry"],
    **tables("madt-entry", LOW, [good[0], boot.table(b"APIC", bytes(16))]))
refuse("spoiled FADT", "bad ACPI tables: no sound FADT",
       **tables("fadt", LOW, [boot.spoiled(good[0]), good[1]]))
refuse("no enabled processor", "bad ACPI tables: the MADT lists no enabled processor",
       **tables("off", LOW, [good[0], boot.madt([0, 1], enabled=0)]))
refuse("APIC ID 300 in xAPIC mode",
       "core with APIC ID 300 needs x2APIC mode, which the option nox2apic turns off", "nox2apic",
       **tables("id", LOW, [good[0], boot.madt([0], [300])]))
refuse("local APICs elsewhere", "core 0: its local APIC is at 0xfed40000, not at 0xfee00000: needs x2APIC",
       "nox2apic", **tables("lapic", LOW, [good[0], boot.madt([0, 1], lapic=0xfed40000)]))


# Without an RSDP: found where the firmware put it, and overwritten there by GRUB, which first makes
# the segment writable (PAM0 of the 82G33 host bridge, register 0x90).
def find_rsdp():
    iso = boot.image("refused-find")
    dump = os.path.join(boot.build_dir(), "test", "bios-area.bin")
    with Qemu("find-rsdp", iso=iso, extra=boot.MONITOR) as m:
        m.expect("REFUSED", limit=60)
        boot.monitor(m, f'pmemsave 0xf0000 0x10000 "{dump}"')
    with open(dump, "rb") as f:
        return 0xf0000 + f.read().index(b"RSD PTR ")


with tap.check("the firmware's RSDP is found"):
    refuse("no RSDP", "no ACPI: neither the loader nor the BIOS area has a sound RSDP",
           grub=["setpci -s 0:0.0 90.b=30", f"write_byte {find_rsdp():#x} 0"])

# The console: second port, other speed, nothing on the first.
with tap.check("console=com2,57600n8: the log goes there"):
    other = os.path.join(boot.build_dir(), "test", "com2.txt")
    with Qemu("com2", iso=boot.image("refused-com2", "console=com2,57600n8"),
              extra=("-serial", f"file:{other}", *boot.MONITOR)) as m:
        text = ""
        while "all cores halted" not in text and m.alive() and m.progress() < 60:
            time.sleep(0.05)
            with open(other, errors="replace") as f:
                text = f.read()
        boot.wait_halted(m)
        if text.count("REFUSED") != 1 or m.console.count("hv:"):
            raise RuntimeError(f"com2: {text}\ncom1: {m.console.tail()}")
tap.done()
