#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Linux's stock ixgbevf with two of the hypervisor's software VFs (tests/linux/vf.sh)."""
import os

from ixtest import Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
HV_ARGS = os.environ.get("IX_HV_ARGS", "")
ROUNDS = int(os.environ.get("IX_ROUNDS", 20))
PANIC = r"hv: .*PANIC|hv: .*Linux has stopped|Kernel panic|Oops:|BUG:"
UDP = {f"{way}-{state}" for way in ("udp-there", "udp-back") for state in ("on", "off")}
OFFLOADS = UDP | {f"{check}-lossless" for check in UDP} | {
    f"{check}-{state}" for check in ("offload", "tcp-there", "tcp-back") for state in ("on", "off")}
QUEUES = {f"{check}-{queue}" for queue in (0, 1) for check in ("rx-queue", "tx-queue", "interrupts")}
CHECKS = OFFLOADS | QUEUES | {"probed", "info", "link", "mac", "registers", "rss-table", "ping",
                              "ping-large", "streams", "no-checksum-errors", "down-up",
                              "remove-insert"}

tap = Tap()
platform, _ = choose_platform()
iso = linux.image("vf-linux", linux.entry("cloud", test="vf", args=f"ixrounds={ROUNDS}", hv=HV,
                                          hv_args=f"vfs=2 {HV_ARGS}".strip(), initrd="initrd-net"))
with tap.check("the run ends with a power-off"):
    with vm_class(platform)("vf-linux", iso=iso, cpus=2, mem=512) as m:
        m.expect(r"init: Linux .* 2 CPUs", limit=400, fail=PANIC)
        m.expect("init: vf ended with status 0", limit=1500, fail=PANIC)
        lines = list(m.console.lines)
        missing = CHECKS - linux.report(tap, lines)
        tap.equal(missing, set(), "all checks were made")
        if platform == "bochs":
            reference = linux.reference_dmesg("cloud", cpus=2)
            new = linux.new_complaints(linux.dmesg_block(lines), reference)
            tap.equal(new, [], "the kernel complains about nothing that bare Linux does not")
        outcome = m.wait(limit=60)
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
