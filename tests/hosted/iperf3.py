#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""iperf3 against a server of its protocol on ixev: both ways, one stream and many."""
import json

from ixtest import hosted
from ixtest.hosted import IP, run
from ixtest.tap import Tap


def main():
    hosted.private_network()
    t = Tap()
    app = f"{hosted.BUILD}/test/apps/iperf.so"
    with hosted.Hosted([app], ready="ready") as server:
        for name, args in (("to us", ""), ("from us", "-R"), ("to us, 8 streams", "-P 8"),
                           ("from us, 8 streams", "-R -P 8")):
            with t.check(f"iperf3 {name}"):
                out = json.loads(run(f"iperf3 -J -c {IP} -t 2 {args}", timeout=30))
                sent, got = out["end"]["sum_sent"], out["end"]["sum_received"]
                t.note(f"{got['bits_per_second'] / 1e6:.0f} Mbit/s")
                assert got["bytes"] > 10_000_000, got
                assert got["bytes"] <= sent["bytes"] or args.startswith("-R"), (sent, got)
        t.equal(server.quiet(), {}, "nothing is left")
        server.stop()
    t.done()


main()
