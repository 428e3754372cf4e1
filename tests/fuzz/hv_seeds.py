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


def acpi():
    def table(signature, body):
        return signature + struct.pack("<IBB6s8sI4sI", 36 + len(body), 1, 0, b"IX", b"IX", 1,
                                       b"IX", 1) + body

    madt = struct.pack("<II", 0xfee00000, 1) + bytes((
        0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0, 1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 4, 6, 255, 0, 0, 1,
        9, 16, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0))
    dmar = bytes((38, 1)) + bytes(10) + bytes((
        0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 2, 0,
        1, 0, 32, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0xff, 0xff, 16, 0, 0, 0, 0, 0,
        2, 8, 0, 0, 7, 1, 28, 0, 2, 0, 8, 0, 1, 0, 0, 0))
    mcfg = bytes(8) + struct.pack("<QHBBI", 0xb0000000, 0, 0, 255, 0)
    hpet = bytes(4) + struct.pack("<BBBBQ", 0, 64, 0, 0, 0xfed00000) + bytes(4)
    dsdt = b"....\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00"
    bodies = [(b"APIC", madt), (b"DMAR", dmar), (b"MCFG", mcfg), (b"HPET", hpet), (b"DSDT", dsdt)]
    for xsdt in (False, True):
        count = len(bodies)  # the DSDT is not in the root table, but the FADT is
        at = 64 + 36 + count * (8 if xsdt else 4)
        image, places = b"", []
        for signature, body in bodies:
            places.append(at + len(image))
            image += table(signature, body)
        fadt = bytearray(232)
        struct.pack_into("<I", fadt, 4, places[-1])
        places[-1] = at + len(image)
        image += table(b"FACP", bytes(fadt))
        root = table(b"XSDT" if xsdt else b"RSDT",
                     b"".join(struct.pack("<Q" if xsdt else "<I", p) for p in places))
        rsdp = b"RSD PTR \0IX    " + bytes((2 if xsdt else 0,)) + struct.pack(
            "<IIQI", 0 if xsdt else 64, 36, 64 if xsdt else 0, 0)
        write("hv_acpi", "xsdt" if xsdt else "rsdt", rsdp + bytes(64 - len(rsdp)) + root + image)


def bzimage():
    head = bytearray(1024)
    for at, form, value in (
            (0x1f1, "B", 19), (0x1f4, "I", 4096), (0x1fe, "H", 0xaa55), (0x200, "H", 0x6aeb),
            (0x202, "4s", b"HdrS"), (0x206, "H", 0x20f), (0x211, "B", 1), (0x22c, "I", 0x7fffffff),
            (0x230, "I", 0x200000), (0x234, "H", 0x1501), (0x236, "H", 0x7f), (0x238, "I", 2047),
            (0x248, "I", 716), (0x24c, "I", 60000), (0x258, "Q", 0x1000000), (0x260, "I", 0x3378000)):
        struct.pack_into("<" + form, head, at, value)
    for name, e820 in (("small", 4), ("many_ranges", 150)):
        write("hv_bzimage", name, struct.pack("<HHHH", 100, 1000, 512, e820) + head)


def mmio():
    for name, code in (("store", "0189870003000090"), ("immediate", "0141c7042478563412"),
                       ("load", "01448b4810"), ("movzx", "010fb65101"), ("moffs32", "00a30003e0fe"),
                       ("short_address", "0067890610200000"), ("sib", "016641c784240003000001029090")):
        write("hv_mmio", name, bytes.fromhex(code))


def pci():
    calls = b"".join(struct.pack("<IBBBB", *call, 0) for call in (  # address, kind, port, size
        (0x80002000, 1, 12, 4), (0x80002010, 3, 12, 4), (0x80001800, 1, 14, 2), (0x80002004, 3, 12, 2),
        (0x20000, 0, 0, 4), (0x20004, 2, 0, 2), (0x18000, 0, 0, 1), (0x20010, 0, 0, 4)))
    config = bytearray(0x200)
    for at, form, value in (
            (0, "I", 0x10ed8086), (6, "B", 0x10), (0x34, "B", 0x70), (0x10, "I", 0xfe000004),
            (0x1c, "I", 0xfe100004), (0x70, "I", 0x0002a011), (0x74, "I", 3), (0x78, "I", 0x2003),
            (0xa0, "I", 0x00020010), (0xa4, "I", 1 << 28), (0xe0, "I", 0xffffc004),
            (0xe4, "I", 0xffffffff), (0xec, "I", 0xffffc004), (0xf0, "I", 0xffffffff), (0x100, "I", 0x14010001), (0x140, "I", 0x10010)):
        struct.pack_into("<" + form, config, at, value)
    write("hv_pci", "vf", calls + config)


def hcall():
    def call(op, flags=0, place=0, body=b""):
        return struct.pack("<IBBBB", op, flags, place, 0, op & 7) + body + bytes(32 - len(body))

    life = (call(16, 8, 0, bytes((2,))), call(32, 0, 0, bytes((1, 2, 0, 3, 4))), call(33, 1),
            call(37, 1), call(38, 7), call(39, 1), call(40, 1))
    write("hv_hcall", "life", b"".join(life))
    write("hv_hcall", "two", life[1] + call(32, 0, 0, bytes((3, 1, 1, 5))) + life[4] + life[6])


multiboot2()
hcall()
pci()
mmio()
bzimage()
cmdline()
acpi()
