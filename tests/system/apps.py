#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""echo, httpd, kv, netpipe and the tutorial's program in a dataplane, against Linux's programs (tests/linux/apps.sh).
IX_LOSS: percent of packets that are lost, each way, in a second pass; when it is given, one of all clients."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
LOSS = os.environ.get("IX_LOSS")
PANIC = r"hv: .*PANIC|hv: .*Linux has stopped|Kernel panic|Oops:|BUG:"
APPS = ("echo", "httpd", "kv", "netpipe")
STEPS = ("started", "loss-on", "loss-off", "ends")
SHORT = {"echo-tcp", "httpd-file", "kv-binary", "netpipe"}  # the second pass, unless it is of all
LONG = {"echo-udp", "httpd-wrk", "kv-ascii", "kv-load"}
CHECKS = {"network", "ping", "echo-many", "echo-nc", "httpd-none", "tutorial"} | SHORT | LONG | {
    f"{app}-{step}" for app in APPS for step in STEPS} | {
    f"{client}-lossy" for client in (SHORT | LONG if LOSS else SHORT)}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("apps", linux.entry("cloud", test="apps", args=f"ixloss={LOSS} ixlong=1" if LOSS else "ixloss=3",
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
