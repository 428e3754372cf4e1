#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A hostile application: each attack ends in a fault of the application or in an error code, and the
kernel's invariants hold afterwards."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import guestqemu  # noqa: E402
from ixtest import Tap  # noqa: E402

BATCHES = os.environ.get("IX_BATCHES", "50000")  # of random calls
tap = Tap()
NET = dict(memory=256, mem=("0x1000000,0xc000000",), config=guestqemu.CONFIG,
           devices=("8086:100e",), extra=("-device", "e1000"))

UNMAPPED = ["null", "low", "below-program", "brk", "window-end", "shared-gap", "stack-guard",
            "above-stack", "last-user-page", "last-user-byte", "non-canonical",
            "non-canonical-high", "direct-map", "direct-map-mmio", "mmio", "core-area",
            "core-guard", "kernel-text", "kernel-rodata", "kernel-data", "top", "unmapped"]
READ_ONLY = ["text", "rodata", "read-only-mapping", "events", "payload"]
NO_EXECUTE = ["rodata", "data", "stack", "heap", "mapping", "events", "payload"]
PRIVILEGED = ["cli", "sti", "hlt", "in", "out", "outs", "cr0", "cr3", "cr4", "cr8", "dr7", "rdmsr",
              "wrmsr", "lgdt", "lidt", "lldt", "ltr", "sgdt", "sidt", "smsw", "str", "invd",
              "wbinvd", "invlpg", "swapgs", "sysret", "iret", "far-return", "sysenter", "vmcall",
              "vmmcall", "int80", "int3", "icebp", "int14", "int-timer", "int-df", "ud2", "divide",
              "load-ds", "load-ss", "clac", "stac", "monitor", "mwait", "xsetbv", "trap-flag"]


def attack(*args, net=False, **kw):
    if net:
        kw = {**NET, **kw}
    return guestqemu.run(f"{guestqemu.APPS}/hostile", args=args, **kw)


def faults(*args, **kw):
    r = attack(*args, **kw)
    tap.ok(r.has("alive\n") and not r.has("survived") and r.has("application fault on core 0: ")
           and r.has("application ended: signal") and r.has("invariants hold") and
           not r.has("panic"), " ".join(args))


def lives(*args, done, **kw):
    r = attack(*args, **kw)
    tap.ok(r.has(done) and r.has("application ended: exit status 0") and r.has("invariants hold"),
           " ".join(args))


for place in UNMAPPED:
    for how in ("read", "write", "execute"):
        faults(how, place)
for place in READ_ONLY:
    faults("write", place, net=place in ("events", "payload"))
for place in NO_EXECUTE:
    faults("execute", place, net=place in ("events", "payload"))
for what in PRIVILEGED:
    faults("instruction", what)
faults("overflow")
# The same walls without SMEP, SMAP and UMIP (but for what UMIP alone forbids).
for args in (("read", "kernel-data"), ("write", "direct-map"), ("execute", "kernel-text"),
             ("instruction", "wrmsr")):
    faults(*args, cpu="Nehalem")
r = attack("abort")
tap.ok(r.has("application ended: signal 6") and r.has("invariants hold"), "abort")
for cpu, env in (("max", ("FSGSBASE=1",)), ("Nehalem", ())):
    lives("odd", done="odd things done\n", cpu=cpu, env=env)
for seed in ("1", "2", "3"):
    lives("pointers", "x", seed, done="pointers done\n")
    lives("memory", "x", seed, done="memory calls done\n")
lives("batches", BATCHES, done=f"{BATCHES} batches", net=True, limit=1500)
tap.done()
