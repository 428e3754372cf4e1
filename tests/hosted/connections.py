#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many connections at once, and many one after the other. IX_CHURN sets how many of the latter."""
import os
import re
import resource
import time

from ixtest import hosted
from ixtest.hosted import IP, run
from ixtest.tap import Tap

CHURN = int(os.environ.get("IX_CHURN", "100000"))


def concurrent(t, app):
    with t.check("10,000 connections at once from Linux, each answered"):
        with hosted.Process(["wrk", "-t", "1", "-c", "10000", "-d", "6", "--timeout", "5",
                             f"http://{IP}/"]) as wrk:
            most, end = 0, time.monotonic() + 30
            while wrk.process.poll() is None and time.monotonic() < end:
                most = max(most, app.stats().get("=conns", 0))
                time.sleep(0.2)
            wrk.wait()
        t.note(f"at most {most} at once; " + re.search("Requests/sec.*", wrk.output).group())
        assert most >= 10000, most
        assert "Socket errors" not in wrk.output and "Non-2xx" not in wrk.output, wrk.output


def churn(t, app):
    with t.check(f"{CHURN} connections one after the other"):
        before, begin = app.stats().get("tcp_passive", 0), time.monotonic()
        bad = ""
        while app.stats().get("tcp_passive", 0) - before < CHURN and not bad:
            out = run(f"wrk -t 1 -c 64 -d 3 -H 'Connection: close' http://{IP}/")
            bad = re.search(r"Non-2xx.*|connect [1-9]\d*|timeout [1-9]\d*", out)
        took = time.monotonic() - begin
        t.note(f"{(app.stats()['tcp_passive'] - before) / took:.0f} connections/s")
        assert not bad, out


def ours(t):
    with t.check("10,000 connections between two of ours"):
        out = run([hosted.IXHOST, "--wire", "memory", "--", "echo", "server", "--peer", "echo", "client",
                   IP, "-c", "10000", "-n", "100000"], timeout=60)
        assert "100000 messages" in out and "failed" not in out, out
        t.note(re.search(r"100000 messages.*", out).group())


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    hosted.private_network()
    run("sysctl -qw net.ipv4.ip_local_port_range='10000 65000'")
    t = Tap()
    with hosted.scratch() as www:
        run(f"echo hello > {www}/index.html")
        # The wire must hold a burst of so many connections' first packets.
        run("ip tuntap add dev ix0 mode tap; ip addr add 10.0.0.254/24 dev ix0;"
            "ip link set ix0 txqueuelen 20000 up")
        with hosted.Hosted(["httpd", www], ["--set", "backlog=16384"]) as app:
            concurrent(t, app)
            churn(t, app)
            t.equal(app.quiet(), {}, "nothing is left")
            app.stop()
    ours(t)
    t.done()


main()
