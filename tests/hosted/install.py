#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make install` into an empty folder: what is there, and that the manual speaks of all commands."""
import os
import re
import subprocess
import tempfile

from ixtest import Tap, build_dir

tap = Tap()
with tempfile.TemporaryDirectory() as tmp:
    done = subprocess.run(["scripts/install", build_dir(), tmp, "/opt/ironix"], text=True,
                          capture_output=True)
    tap.equal(done.returncode, 0, "everything is installed")
    tap.note(done.stderr)
    for path in ("/opt/ironix/bin/ixctl", "/opt/ironix/sbin/ixcpd", "/boot/ironix.elf",
                 "/opt/ironix/lib/ironix/kernel.elf", "/etc/grub.d/09_ironix",
                 "/opt/ironix/share/man/man1/ixctl.1", "/opt/ironix/share/man/man8/ixcpd.8",
                 "/opt/ironix/share/man/man5/ixctl.conf.5", "/lib/systemd/system/ixcpd.service"):
        tap.ok(os.path.exists(tmp + path), f"{path} is there")
    with open(f"{tmp}/lib/systemd/system/ixcpd.service") as f:
        unit = f.read()
    tap.ok("ExecStart=/opt/ironix/sbin/ixcpd --kernel /opt/ironix/lib/ironix/kernel.elf\n" in unit
           and "@" not in unit, "the unit file has the installed paths", unit)
    tap.ok(os.access(f"{tmp}/etc/grub.d/09_ironix", os.X_OK), "GRUB's script can be executed")
    ixctl = f"{tmp}/opt/ironix/bin/ixctl"
    usage = subprocess.run([ixctl, "--help"], text=True, capture_output=True).stdout
    commands = set(re.findall(r"^  ([a-z]+)", usage, re.M))
    with open(f"{tmp}/opt/ironix/share/man/man1/ixctl.1") as f:
        manual = f.read()
    tap.ok(len(commands) > 12, "the commands are found in the usage", usage)
    tap.equal([c for c in sorted(commands) if not re.search(rf"^\.B\S* \"?{c}\b", manual, re.M)], [],
              "the manual has every command")
    header = subprocess.run(["readelf", "-lW", ixctl], text=True, capture_output=True).stdout
    tap.ok(header and "INTERP" not in header, "ixctl needs no library")
    done = subprocess.run([ixctl, "--socket", f"{tmp}/none", "list"], text=True, capture_output=True)
    tap.ok(done.returncode == 1 and "is ixcpd running?" in done.stderr,
           "without ixcpd, ixctl says so", done.stderr)
    done = subprocess.run([f"{tmp}/opt/ironix/sbin/ixcpd", "--socket", f"{tmp}/s", "--state", tmp],
                          text=True, capture_output=True)
    tap.ok(done.returncode == 3 and "not run under Ironix" in done.stderr,
           "ixcpd ends with status 3 where there is no hypervisor", done.stderr)
tap.done()
