#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""echo, httpd, kv and netpipe in a dataplane, against Linux's programs (tests/linux/apps.sh).
IX_LOSS: percent of packets that are lost, each way, in a second pass."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
LOSS = os.environ.get("IX_LOSS", "")
PANIC = r"hv: .*PANIC|hv: .*Linux has stopped|Kernel panic|Oops:|BUG:"
APPS = ("echo", "httpd", "kv", "netpipe")
STEPS = ("started", "ends", "loss-on", "loss-off")[:4 if LOSS else 2]
TWICE = ("echo-tcp", "echo-udp", "httpd-file", "httpd-wrk", "kv-ascii", "kv-binary", "kv-load", "netpipe")
CHECKS = {"network", "ping", "echo-many", "echo-nc", "httpd-none"} | {
    f"{app}-{step}" for app in APPS for step in STEPS} | {
    f"{check}{lossy}" for check in TWICE for lossy in ("", "-lossy")[:2 if LOSS else 1]}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("apps", linux.entry("cloud", test="apps", args=f"ixloss={LOSS}" if LOSS else "",
                                      hv=HV, hv_args="vfs=2 ixmem=256M", initrd="initrd-apps"))
with tap.check("the run ends with a power-off"):
    with vm_class(platform)("apps", iso=iso, cpus=2, mem=1024) as m:
        m.expect(r"init: Linux .* 2 CPUs", limit=400, fail=PANIC)
        m.expect("init: apps ended with status", limit=1500, fail=PANIC)
        missing = CHECKS - linux.report(tap, m.console.lines)
        tap.equal(missing, set(), "all checks were made")
        for line in m.console.lines:
            if "time: " in line or "-lossy: " in line or "loss: " in line:
                tap.note(line)
        outcome = m.wait(limit=60)
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
