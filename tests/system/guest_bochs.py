#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The dataplane kernel in Bochs: x2APIC, the TSC-deadline timer, Bochs' e1000; a Linux peer."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import guestqemu  # noqa: E402
from ixtest import Bochs, Tap  # noqa: E402

# Bochs' serial port and its TAP device must be in one network namespace: ours, a private one.
if "--inside" not in sys.argv:
    user = [] if os.geteuid() == 0 else ["-r"]
    os.execvp("unshare", ["unshare", *user, "-n", sys.executable, __file__, "--inside"])
for command in ("link set lo up", "tuntap add dev tap0 mode tap",
                f"addr add {guestqemu.PEER}/24 dev tap0", "link set tap0 up"):
    subprocess.run(["ip", *command.split()], check=True)
tap = Tap()

ECHO = f"""
import os, socket
s = socket.create_connection(("{guestqemu.ADDRESS}", 7), timeout=300)
good = True
for n in (1, 64, 1000, 1400, 20000):
    data, got = os.urandom(n), b""
    s.sendall(data)
    while len(got) < n:
        part = s.recv(65536)
        if not part:
            break
        got += part
    good = good and got == data
s.shutdown(socket.SHUT_WR)
print("echo", good and s.recv(1) == b"")
"""

SPIN = f"""
import socket
s = socket.create_connection(("{guestqemu.ADDRESS}", 7), timeout=200)
s.sendall(b"spin 50")
print("answer", s.recv(100) == b"spin 50")
"""


def iso(folder, app, **kw):
    os.makedirs(f"{folder}/root/boot/grub", exist_ok=True)
    guestqemu.image(f"{folder}/root/image", app, mem=("0x1000000,0xc000000",), **kw)
    with open(f"{folder}/root/boot/grub/grub.cfg", "w") as f:
        f.write("set timeout=0\nmenuentry x { multiboot /image }\n")
    subprocess.run(["grub-mkrescue", "-o", f"{folder}/iso", "-d", "/usr/lib/grub/i386-pc",
                    "--install-modules=multiboot normal iso9660 biosdisk", "--locales=",
                    "--themes=", "--fonts=", f"{folder}/root"], check=True, capture_output=True)
    return f"{folder}/iso"


with tempfile.TemporaryDirectory(prefix="ix-guest-") as folder:
    path = iso(folder, f"{guestqemu.BUILD}/apps/echo", args=("server",), cores=2,
               config=guestqemu.CONFIG + "watchdog = 100ms\n",
               devices=("8086:100e",))
    with Bochs("echo", iso=path, cpus=2, mem=256, ips=4_000_000,
               cards=[{"backend": "tuntap", "dev": "tap0"}]) as m:
        with tap.check("it boots and serves on both cores"):
            m.expect(r"ix\[test\]: 2 cores.*TSC deadline", limit=120)
            m.expect(r"echo: core \d serves", limit=60)
            m.expect(r"link is up", limit=60)
        r = subprocess.run(["timeout", "240", "python3", "-c", ECHO], capture_output=True,
                           text=True, check=False)
        tap.ok("echo True" in r.stdout, "TCP echo of 1 to 20000 bytes", r.stdout + r.stderr)
    # Exact timers: one that is set for the past fires before the next instruction, which QEMU's does not.
    path = iso(folder, f"{guestqemu.APPS}/spin", config=guestqemu.CONFIG, devices=("8086:100e",))
    with Bochs("spin", iso=path, cpus=1, mem=256, ips=4_000_000,
               cards=[{"backend": "tuntap", "dev": "tap0"}]) as m:
        with tap.check("an application that has been unresponsive goes on"):
            m.expect("spin: serving", limit=60)
            m.expect(r"link is up", limit=60)
            r = subprocess.run(["timeout", "240", "python3", "-c", SPIN], capture_output=True,
                               text=True, check=False)
            m.expect("the application is unresponsive", limit=60)
            m.expect("the application responds again", limit=60)
            tap.ok("answer True" in r.stdout, "and answers", r.stdout + r.stderr)
tap.done()
