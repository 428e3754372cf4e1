# SPDX-License-Identifier: MIT
"""Boots a dataplane under QEMU TCG without the hypervisor (tests/guest-boot/)."""
import os
import subprocess
import tempfile

BUILD = os.environ.get("BUILD", "build")
APPS = f"{BUILD}/test/apps"


class Run:
    """What a run printed, and QEMU's exit status as the guest set it (None: time limit)."""

    def __init__(self, text, status):
        self.text, self.status = text, status

    def has(self, what):
        return what in self.text


def image(path, app, args=(), env=(), files=(), config=None, cores=1, mem=("0x1000000,0x4000000",),
          devices=()):
    cmd = [f"{BUILD}/test/mkguestimg", "-o", path, "-s", f"{BUILD}/test/shim.elf", "-k",
           f"{BUILD}/guest/kernel.elf", "-j", str(cores)]
    for letter, values in (("-e", env), ("-f", files), ("-m", mem), ("-d", devices)):
        for v in values:
            cmd += [letter, v]
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
    text = out.decode(errors="replace").replace("\r", "")
    print("\n".join("# " + line for line in text.splitlines()), flush=True)
    return Run(text, status)


class Tap:
    """Prints TAP lines; exit(tap.end())."""

    def __init__(self):
        self.n = self.bad = 0

    def ok(self, good, name):
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - {name}", flush=True)

    def end(self):
        print(f"1..{self.n}", flush=True)
        return 1 if self.bad else 0
