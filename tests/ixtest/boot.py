# SPDX-License-Identifier: MIT
"""The hypervisor's start: boot images without Linux, ACPI tables made to order, halted cores."""
import os
import re
import socket
import struct
import time

from . import linux
from .console import Stuck
from .host import build_dir

MONITOR = ("-monitor", "unix:monitor,server=on,wait=off")  # for Qemu(extra=...)


def image(name, args="", grub=(), uefi=False, module=None):
    """An image with the hypervisor alone (or one module), started with `args` after the GRUB
    commands."""
    entry = f"title={name}; hv={build_dir()}/hv/ironix.elf; hv.args={args}"
    if module:
        entry += f"; linux={module}"
    return linux.image(name, entry, grub=grub, uefi=uefi)


def monitor(machine, command):
    """The answer of a QEMU started with MONITOR to one command of its monitor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(30)
        while True:
            try:
                s.connect(os.path.join(machine._tmp, "monitor"))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if not machine.alive():
                    raise
                time.sleep(0.02)
        text = b""
        while not text.endswith(b"(qemu) "):
            text += s.recv(65536)
        s.sendall(command.encode() + b"\n")
        text = b""
        while not text.endswith(b"\n(qemu) "):
            text += s.recv(65536)
        return text.decode("utf-8", "replace")


def wait_halted(machine, limit=10):
    """Waits until every core of a QEMU started with MONITOR has executed HLT with interrupts off, or
    was never started."""
    start = machine.progress()
    while True:
        cores = re.findall(r"CPU#\d+.*?[RE]FL=([0-9a-f]+).*?HLT=(\d)",
                           monitor(machine, "info registers -a"), re.S)
        if len(cores) == machine.cpus and all(hlt == "1" and not int(fl, 16) & 0x200
                                              for fl, hlt in cores):
            return
        if machine.progress() - start > limit:
            raise Stuck(f"cores (flags, halted) after {limit} s: {cores}")


# ACPI tables: ACPI 6.5, 5.2.
def checksum(data, at):
    """The table with the byte at `at` set so that the sum of all bytes is 0."""
    data = bytearray(data)
    data[at] = 0
    data[at] = -sum(data) & 0xff
    return bytes(data)


def table(signature, body, revision=1):
    header = struct.pack("<4sIBB6s8sIII", signature, 36 + len(body), revision, 0, b"IXTEST",
                         b"IXTEST  ", 1, 1, 1)
    return checksum(header + body, 9)


def fadt(pm_timer=0x608):
    body = bytearray(116 - 36)
    struct.pack_into("<I", body, 76 - 36, pm_timer)
    body[91 - 36] = 4
    return table(b"FACP", bytes(body))


def madt(apic_ids=(), x2apic_ids=(), enabled=1, lapic=0xfee00000):
    entries = b"".join(struct.pack("<BBBBI", 0, 8, i, i, enabled) for i in apic_ids)
    entries += b"".join(struct.pack("<BBHIII", 9, 16, 0, i, enabled, i) for i in x2apic_ids)
    return table(b"APIC", struct.pack("<II", lapic, 1) + entries)


def spoiled(data):
    """The table with a byte changed, its checksum not."""
    return data[:20] + bytes([data[20] ^ 0x55]) + data[21:]


def acpi(base, tables, spoil_root=False, more=()):
    """Tables at physical address `base`: (bytes for there, XSDT first; GRUB commands that put an RSDP
    which points to them into the EBDA, where it is found before the firmware's). more: addresses that
    the XSDT lists as well."""
    addresses, at, blob = [], base + 0x1000, b""
    for t in tables:
        addresses.append(at + len(blob))
        blob += t + b"\0" * (-len(t) % 16)
    xsdt = table(b"XSDT", b"".join(struct.pack("<Q", a) for a in [*addresses, *more]))
    if spoil_root:
        xsdt = spoiled(xsdt)
    rsdp = struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, b"IXTEST", 2, 0, 36, base, 0)
    rsdp = checksum(rsdp[:20], 8) + rsdp[20:]
    rsdp = checksum(rsdp, 32)
    commands = [f"write_dword {0x9ffd0 + 4 * i:#x} {word:#x}"
                for i, word in enumerate(struct.unpack("<9I", rsdp))]
    return xsdt.ljust(0x1000, b"\0") + blob, commands
