# SPDX-License-Identifier: MIT
"""Boots a dataplane under QEMU TCG without the hypervisor (tests/guest-boot/)."""
import contextlib
import os
import subprocess
import sys
import tempfile
import threading

from ixtest import Netns, build_dir

BUILD = build_dir()
APPS = f"{BUILD}/test/apps"
ADDRESS, PEER = "10.0.0.2", "10.0.0.1"
MAC = "52:54:00:12:34:56"
# Sizes that fit a small machine.
CONFIG = f"""address = {ADDRESS}/24
arp-announce = off
connections = 1000
timewait = 1000
rx-buffers = 2048
"""


class Run:
    """What a run printed, and the exit status that the guest gave QEMU (None: time limit)."""

    def __init__(self, text, status):
        self.text, self.status = text, status

    def has(self, what):
        return what in self.text


def image(path, app, args=(), env=(), files=(), config=None, cores=1, mem=("0x1000000,0x4000000",),
          devices=(), storm=None):
    cmd = [f"{BUILD}/test/mkguestimg", "-o", path, "-s", f"{BUILD}/test/shim.elf", "-k",
           f"{BUILD}/guest/kernel.elf", "-j", str(cores)]
    for letter, values in (("-e", env), ("-f", files), ("-m", mem), ("-d", devices)):
        for v in values:
            cmd += [letter, v]
    if storm:
        cmd += ["-S", str(storm)]
    if config:
        with open(path + ".conf", "w") as f:
            f.write(config)
        cmd += ["-c", path + ".conf"]
    subprocess.run(cmd + ["--", app, *args], check=True)


def qemu(path, cores=1, cpu="max", memory=128, extra=()):
    return ["qemu-system-x86_64", "-machine", "q35", "-cpu", cpu, "-m", str(memory), "-smp",
            str(cores), "-accel", "tcg", "-display", "none", "-nodefaults", "-no-reboot",
            "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", path,
            *extra]


def clean(out):
    text = out.decode(errors="replace").replace("\r", "")
    print("\n".join("# " + line for line in text.splitlines()), flush=True)
    return text


def run(app, limit=60, cpu="max", memory=128, extra=(), **kw):
    """Runs an application to its end. `limit` in seconds is the last resort against a hang."""
    with tempfile.TemporaryDirectory(prefix="ix-guest-") as folder:
        path = f"{folder}/image"
        image(path, app, **kw)
        try:
            p = subprocess.run(qemu(path, kw.get("cores", 1), cpu, memory, extra),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=limit)
            out, status = p.stdout, p.returncode >> 1
        except subprocess.TimeoutExpired as e:
            out, status = e.stdout or b"", None
    return Run(clean(out), status)


class Server:
    """A dataplane with an e1000 on a TAP device in a network namespace of its own."""

    def __init__(self, ns, process):
        self.ns, self.process = ns, process
        self.lines, self.news = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.decode(errors="replace").rstrip())
                self.news.notify_all()
            # In one piece: the test prints, too.
            sys.stdout.write(f"# {self.lines[-1]}\n")
            sys.stdout.flush()
        with self.news:
            self.lines.append(None)
            self.news.notify_all()

    def expect(self, what, limit=60):
        """The first line that contains `what`, or None at the end of the machine or of patience."""
        def found():
            return next((x for x in self.lines if x is None or what in x), "")
        with self.news:
            self.news.wait_for(lambda: found() != "", limit)
            return found() or None

    def wait(self, limit=60):
        return self.process.wait(limit) >> 1

    def client(self, program, *args, limit=60):
        """A Python program in the namespace; it has the guest's address as HOST."""
        return self.ns.run("timeout", str(limit), "python3", "-c", f"HOST = {ADDRESS!r}\n" + program,
                           *args, check=False)


@contextlib.contextmanager
def server(app, config=CONFIG, cores=1, cpu="max", extra=(), mem=192, **kw):
    with tempfile.TemporaryDirectory(prefix="ix-guest-") as folder, Netns() as ns:
        path = f"{folder}/image"
        ns.tap("tap0", f"{PEER}/24")
        image(path, app, config=config, cores=cores, mem=(f"0x1000000,{mem << 20:#x}",),
              devices=("8086:100e",), **kw)
        nic = ("-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no", "-device",
               f"e1000,netdev=n,mac={MAC}", *extra)
        p = ns.popen(*qemu(path, cores, cpu, 256, nic), stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            yield Server(ns, p)
        finally:
            p.kill()
            p.wait()
