#!/usr/bin/python3
"""Writes the seeds of the hypervisor's fuzzers: small valid inputs, tests/fuzz/<fuzzer>/<name>.

usage: tests/fuzz/hv_seeds.py, from the top of the tree; run it again after a change here.
"""
import os
import struct


def write(fuzzer, name, data):
    os.makedirs(f"tests/fuzz/{fuzzer}", exist_ok=True)
    with open(f"tests/fuzz/{fuzzer}/{name}", "wb") as f:
        f.write(data)


def multiboot2():
    def tag(kind, payload):
        data = struct.pack("<II", kind, 8 + len(payload)) + payload
        return data + bytes(-len(data) % 8)

    e820 = struct.pack("<II", 24, 0) + b"".join(
        struct.pack("<QQII", base, size, kind, 0)
        for base, size, kind in ((0, 0x9f000, 1), (0xf0000, 0x10000, 2), (0x100000, 0x1ff00000, 1)))
    body = b"".join((
        tag(1, b"ixmem=64M\0"), tag(2, b"GRUB 2.06\0"),
        tag(3, struct.pack("<II", 0x1000000, 0x1800000) + b"linux quiet\0"),
        tag(4, struct.pack("<II", 640, 523264)), tag(6, e820),
        tag(9, struct.pack("<III", 1, 64, 0) + bytes(64)),
        tag(12, struct.pack("<Q", 0x7fe4018)), tag(14, b"RSD PTR " + bytes(12)),
        tag(15, b"RSD PTR " + bytes(28)), tag(17, struct.pack("<II", 48, 1) + bytes(48)),
        tag(18, b""), tag(21, struct.pack("<I", 0x200000)), tag(0, b"")))
    write("hv_multiboot2", "all_tags", struct.pack("<II", 8 + len(body), 0) + body)


def cmdline():
    write("hv_cmdline", "all", b"console=com1,115200n8 ixmem=512M loglevel=7 preflight nox2apic")
    write("hv_cmdline", "quotes", b"\"ixmem=0x2G\" 'loglevel=3' console=none \\\"x")


multiboot2()
cmdline()
