#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goodput at 1 % loss and 20 ms round trip, beside Linux to Linux over the same wire.

For each seed a stream of ours and one of Linux's CUBIC run at the same time, each over a wire of its own
that throws the same dice: what the machine does meanwhile happens to both. Several seeds run at once, each in a
namespace of its own. IX_SEEDS says how many, IX_GOODPUT_BYTES how long each stream is."""
import concurrent.futures
import math
import os
import statistics
import subprocess
import sys

from ixtest import hosted
from ixtest.hosted import IP, PEER, STREAM, TAPWIRE, mbits, run
from ixtest.tap import Tap

PORT = "5001"
SEEDS = int(os.environ.get("IX_SEEDS", "24"))
SIZE = os.environ.get("IX_GOODPUT_BYTES", "6000000")
AT_ONCE = 8


def linux_to_linux(seed):
    """The sender in a namespace of its own, joined to ours by tapwire."""
    wire = ["delay", "10000", "loss", "1", "seed", seed]
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
    options = ["--delay", "10000", "--loss", "1", "--seed", seed]
    with hosted.Hosted([STREAM, "serve", PORT], options):
        return mbits(run([PEER, "get", IP, PORT, SIZE], timeout=200))


def one_seed(seed):
    """Run as a process of its own: prints ours and Linux's Mbit/s."""
    hosted.private_network()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = [pool.submit(ours_to_linux, seed), pool.submit(linux_to_linux, seed)]
        print(*(f.result() for f in both))


def measure(seed):
    out = run([sys.executable, __file__, str(seed)], timeout=300)
    return tuple(float(x) for x in out.split())


def main():
    t = Tap()
    if "cubic" not in run("cat /proc/sys/net/ipv4/tcp_available_congestion_control"):
        t.skip("goodput at 1 % loss and 20 ms", "Linux here has no CUBIC")
        t.done()
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            pairs = list(pool.map(measure, range(1, SEEDS + 1)))
        ours, linux = zip(*pairs)
        a, b = statistics.mean(ours), statistics.mean(linux)
        error = statistics.stdev(x - y for x, y in pairs) / math.sqrt(SEEDS)
        t.note(f"{SEEDS} streams of {SIZE} bytes, Mbit/s: ours mean {a:.3f} ({min(ours)} to {max(ours)}), "
               f"Linux {b:.3f} ({min(linux)} to {max(linux)}); ratio {a / b:.3f}, "
               f"difference {a - b:+.3f} +- {error:.3f}")
        t.ok(a >= b, "at 1 % loss and 20 ms we send as fast as Linux's CUBIC", f"{a} {b}")
    except (RuntimeError, subprocess.SubprocessError) as e:
        t.ok(False, "goodput could be measured", str(e))
    t.done()


if __name__ == "__main__":
    sys.exit(one_seed(sys.argv[1]) if len(sys.argv) > 1 else main())
