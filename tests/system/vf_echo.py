#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Our NIC drivers in dataplanes (tests/linux/vf_echo.sh): the 82599 VF driver against Linux's ixgbevf over
the switch, the e1000 driver against this host on a TAP. IX_MESSAGES: how many go each way."""
import os

from ixtest import Netns, Tap, build_dir, choose_platform, linux, vm_class

HV = os.path.join(build_dir(), "hv", "ironix.elf")
CLIENT = os.path.join(build_dir(), "test", "echo_client")
MESSAGES = int(os.environ.get("IX_MESSAGES", 2000))
PANIC = r"hv: .*PANIC|hv: .*Linux has stopped|Kernel panic|Oops:|BUG:"
CHECKS = {"card-started", "vf-started", "vf-ping", "vf-udp", "vf-tcp", "card-no-exits"}


def host_part(netns):
    """What the host sends to the dataplane with the e1000."""
    # Bochs' card receives a frame per millisecond of its time: few at once, or some are lost.
    for protocol, largest, window in (("udp", 1472, 4), ("tcp", 1460, 4)):
        run = netns.run(CLIENT, protocol, "10.9.0.2", "7", str(MESSAGES), str(largest), str(window),
                        check=False)
        tap.note(run.stdout)
        tap.ok(run.returncode == 0, f"e1000: {MESSAGES} messages echoed over {protocol}",
               run.stdout + run.stderr)


tap = Tap()
platform, _ = choose_platform()
iso = linux.image("vf-echo", linux.entry("cloud", test="vf_echo", args=f"ixmessages={MESSAGES}",
                                         hv=HV, hv_args="vfs=2 ixmem=448M"))
with tap.check("the run ends with a power-off"), Netns() as netns:
    netns.tap("ix0", "10.9.0.1/24")
    options = {"machine": "pc"} if platform == "kvm" else {}
    with vm_class(platform)("vf-echo", iso=iso, cpus=3, mem=1024, netns=netns,
                            cards=[{"backend": "tuntap", "dev": "ix0"}], **options) as m:
        m.expect(r"init: Linux .* 3 CPUs", limit=400, fail=PANIC)
        m.expect("test: host", limit=1500, fail=PANIC)
        host_part(netns)
        m.send("done\n")
        m.expect("init: vf_echo ended with status", limit=300, fail=PANIC)
        missing = CHECKS - linux.report(tap, m.console.lines)
        tap.equal(missing, set(), "all checks were made")
        for line in m.console.lines:
            if "card: exits" in line:
                tap.note(line)
        outcome = m.wait(limit=60)
        if outcome.how != "off":
            raise RuntimeError(str(outcome))
tap.done()
