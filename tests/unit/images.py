#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unit tests of the image builders (mkiso, mkinitramfs) and of the comparison of kernel logs."""
import importlib.machinery
import importlib.util
import io
import os
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests")
from ixtest import Tap, linux  # noqa: E402

tap = Tap()


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, f"scripts/{name}")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
mkiso, mkinitramfs = script("mkiso"), script("mkinitramfs")


def refused(function, *args):
    try:
        function(*args)
    except ValueError as e:
        return str(e)
    return ""


def test_entries():
    e = mkiso.parse_entry("title=A b; hv=x.elf; hv.args=ixmem=64M; linux=k; linux.args=a=1 b;\n initrd=i")
    tap.equal(e, {"title": "A b", "hv": "x.elf", "hv.args": "ixmem=64M", "linux": "k",
                  "linux.args": "a=1 b", "initrd": "i"}, "an entry's parts are found")
    tap.ok("colour" in refused(mkiso.parse_entry, "title=x; colour=red"), "an unknown part is refused")
    tap.ok("two" in refused(mkiso.parse_entry, "title=x; hv=a; hv=b"), "a part given twice is refused")
    tap.ok("needs" in refused(mkiso.parse_entry, "title=x"), "an entry that boots nothing is refused")
    for bad in "\"'$`\\{":
        tap.ok("interpret" in refused(mkiso.parse_entry, f"title=x; hv=a; hv.args=q{bad}q"),
               f"{bad} is refused, since GRUB would interpret it")
    paths = {"x.elf": "/boot/x.elf", "k": "/boot/k", "i": "/boot/i"}
    text = mkiso.grub_cfg([e, {"title": "plain", "linux": "k"}], paths, 5, 115200, True)
    tap.ok("multiboot2 /boot/x.elf ixmem=64M\n\tmodule2 /boot/k a=1 b\n\tmodule2 /boot/i\n}"
           in text, "the hypervisor gets the kernel and the initrd as modules")
    tap.ok("menuentry 'plain' {\n\tlinux /boot/k\n}" in text, "Linux alone is started by GRUB")


def test_cpio():
    with tempfile.TemporaryDirectory() as tmp:
        os.makedirs(f"{tmp}/tree/sub")
        with open(f"{tmp}/tree/sub/data", "wb") as f:
            f.write(b"12345")
        os.symlink("data", f"{tmp}/tree/sub/link")
        out = []
        for _ in range(2):
            a = mkinitramfs.Archive()
            a.add_tree(f"{tmp}/tree")
            a.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
            buffer = io.BytesIO()
            a.write(buffer)
            out.append(buffer.getvalue())
            os.utime(f"{tmp}/tree/sub/data", (5, 5))
        tap.ok(out[0] == out[1] and len(out[0]) % 512 == 0, "the archive does not depend on times")
        names = subprocess.run(["cpio", "-t", "--quiet"], input=out[0], capture_output=True).stdout
        tap.equal(names.decode().split(), ["dev", "dev/console", "sub", "sub/data", "sub/link"],
                  "cpio reads the archive back, parents before children")
        listing = subprocess.run(["cpio", "-tv", "--quiet"], input=out[0], capture_output=True,
                                 env={"LC_ALL": "C", "PATH": os.environ["PATH"]}).stdout.decode()
        tap.ok("sub/link -> data" in listing and "5,   1" in listing.replace("5, 1", "5,   1"),
               "links and devices are kept")
        tap.ok(refused(a.add, "../x", 0), "a path outside the archive is refused")


def test_iso():
    with tempfile.TemporaryDirectory() as tmp:
        with open(f"{tmp}/k", "wb") as f:
            f.write(b"kernel" * 1000)
        images = []
        for n in range(2):
            os.utime(f"{tmp}/k", (n, n))
            mkiso.build(f"{tmp}/{n}.iso", [mkiso.parse_entry(f"title=t; linux={tmp}/k")])
            with open(f"{tmp}/{n}.iso", "rb") as f:
                images.append(f.read())
        tap.ok(images[0] == images[1], "the same input makes the same image")
        with open(f"{tmp}/k", "wb") as f:
            f.write(b"kernal" * 1000)
        mkiso.build(f"{tmp}/2.iso", [mkiso.parse_entry(f"title=t; linux={tmp}/k")])
        with open(f"{tmp}/2.iso", "rb") as f:
            tap.ok(f.read() != images[0], "another input makes another image")
        listing = subprocess.run(["xorriso", "-indev", f"{tmp}/2.iso", "-find", "/"], text=True,
                                 capture_output=True).stdout
        tap.ok("'/efi.img'" in listing and "'/boot/grub/i386-pc/multiboot2.mod'" in listing,
               "the image boots by UEFI and by BIOS")


def test_dmesg():
    log = ["noise", "test: dmesg begin", "<6>[    0.100000] fine", "<3>[    1.5] dev 3: bad at 0xff00",
           "<4>[    2.0] hm 12", "test: dmesg end", "more"]
    block = linux.dmesg_block(log)
    tap.equal(len(block), 3, "the log is found between its marks")
    tap.equal(linux.complaints(block), ["dev #: bad at #x#", "hm #"], "complaints are normalized")
    tap.equal(linux.complaints(block, 3), ["dev #: bad at #x#"], "the level counts")
    other = block + ["<3>[ 9.0] dev 4: bad at 0x1200", "<30>[ 9.0] daemon says", "<2>[ 9.1] new",
                     "<4>[ 9.2]  #2 #3"]
    tap.equal(linux.new_complaints(other, block), ["new"], "only new complaints are told")


test_entries()
test_cpio()
test_iso()
test_dmesg()
tap.done()
