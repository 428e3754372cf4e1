#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goodput at 1 % loss and 20 ms round trip, beside Linux to Linux over the same wire."""
import statistics
import subprocess
import sys

from ixtest import hosted
from ixtest.hosted import IP, PEER, STREAM, TAPWIRE, mbits, run
from ixtest.tap import Tap

PORT = "5001"
SIZE = "6000000"
RUNS = 3


def linux_to_linux(seed):
    """The sender in a namespace of its own, joined to ours by tapwire."""
    wire = ["delay", "10000", "loss", "1", "seed", str(seed)]
    for tap in ("wa", "wb"):
        run(f"ip tuntap add dev {tap} mode tap")
    run("ip addr add 10.1.0.1/24 dev wa")
    with hosted.Process([TAPWIRE, "wa", "wb", *wire], "ready"), \
         hosted.Process(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"],
                        "ready") as space:
        enter = ["nsenter", "--net", "-t", str(space.process.pid)]
        run(f"ip link set wb netns {space.process.pid}")
        run([*enter, "ip", "link", "set", "lo", "up"])
        run([*enter, "ip", "addr", "add", "10.1.0.2/24", "dev", "wb"])
        run([*enter, "ip", "link", "set", "wb", "up"])
        with hosted.Process([*enter, PEER, "serve", PORT, "cubic"], "ready"):
            got = mbits(run([PEER, "get", "10.1.0.2", PORT, SIZE], timeout=200))
        run([*enter, "ip", "link", "del", "wb"])
    run("ip link del wa", check=False)
    return got


def ours_to_linux(seed):
    options = ["--delay", "10000", "--loss", "1", "--seed", str(seed)]
    with hosted.Hosted([STREAM, "serve", PORT], options):
        return mbits(run([PEER, "get", IP, PORT, SIZE], timeout=200))


def main():
    hosted.private_network()
    t = Tap()
    if "cubic" not in run("cat /proc/sys/net/ipv4/tcp_available_congestion_control"):
        t.skip("goodput at 1 % loss and 20 ms", "Linux here has no CUBIC")
        t.done()
    try:
        ours, linux = [], []
        for seed in range(1, RUNS + 1):
            ours.append(ours_to_linux(seed))
            linux.append(linux_to_linux(seed))
        a, b = statistics.mean(ours), statistics.mean(linux)
        t.note(f"Mbit/s ours {ours} mean {a:.2f}; Linux {linux} mean {b:.2f}")
        # Both are random walks around the same law; a tenth of slack keeps chance out of it.
        t.ok(a >= 0.9 * b, "at 1 % loss and 20 ms we send as fast as Linux's CUBIC", f"{a} {b}")
    except (RuntimeError, subprocess.SubprocessError) as e:
        t.ok(False, "goodput could be measured", str(e))
    t.done()


if __name__ == "__main__":
    sys.exit(main())
