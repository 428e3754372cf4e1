#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The /etc/grub.d script on a folder that looks like /boot; GRUB's own parser checks its output."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests")
from ixtest import Tap  # noqa: E402

tap = Tap()


def run(boot, **env):
    done = subprocess.run(["linux-control/grub/09_ironix"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "IRONIX_BOOT_DIR": boot,
                               "GRUB_DEVICE": "/dev/vda1", **env})
    if done.returncode:
        tap.note(done.stderr)
    return done.stdout if done.returncode == 0 else None


def parses(text):
    checker = shutil.which("grub-script-check")
    if not checker:
        return True
    return subprocess.run([checker], input=text, text=True, capture_output=True).returncode == 0


with tempfile.TemporaryDirectory() as boot:
    for name in ("vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-13-amd64", "initrd.img-6.1.0-13-amd64",
                 "vmlinuz-6.1.0-14-amd64.dpkg-new"):
        open(f"{boot}/{name}", "w").close()
    tap.equal(run(boot), "", "without the hypervisor there is no entry")
    open(f"{boot}/ironix.elf", "w").close()
    tap.equal(run(boot, GRUB_IRONIX_DISABLE="true"), "", "entries can be switched off")
    text = run(boot, GRUB_IRONIX_CMDLINE="ixmem=4G", GRUB_CMDLINE_LINUX="net.ifnames=0",
               GRUB_CMDLINE_LINUX_DEFAULT="quiet", GRUB_DISABLE_RECOVERY="true")
    tap.equal(text.count("menuentry "), 2, "one entry for each kernel, none for leftovers")
    tap.ok(text.index("6.1.0-13") < text.index("6.1.0-9"), "the newest kernel comes first")
    tap.ok("\tmultiboot2 /boot/ironix.elf ixmem=4G\n"
           "\tmodule2 /boot/vmlinuz-6.1.0-13-amd64 root=/dev/vda1 ro net.ifnames=0 quiet\n"
           "\tmodule2 /boot/initrd.img-6.1.0-13-amd64\n}" in text,
           "hypervisor, kernel and initrd with their command lines", text)
    tap.ok("vmlinuz-6.1.0-9-amd64 root=/dev/vda1 ro net.ifnames=0 quiet\n}" in text,
           "a kernel without initrd has none")
    tap.ok(parses(text), "GRUB can parse the entries", text)
    text = run(boot)
    tap.equal(text.count("(recovery mode)"), 2, "recovery entries as Linux has them")
    tap.ok(parses(text) and "ro single\n" in text, "and GRUB can parse them", text)
tap.done()
