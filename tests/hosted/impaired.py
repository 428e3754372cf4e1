#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Streams over a wire that loses, reorders, doubles, corrupts and delays: every byte once, in order.

What Linux and we sent is captured, and tshark's expert analysis must find no protocol error of ours."""
import collections
import os
import re
import socket

from ixtest import hosted
from ixtest.hosted import ECHO_CLIENT, IP, LINUX, PEER, STREAM, run
from ixtest.tap import Tap

PORT = "5001"
HARM = {
    "loss 0.1 %": ["--loss", "0.1"],
    "loss 1 %": ["--loss", "1"],
    "loss 5 %": ["--loss", "5"],
    "reorder 5 %": ["--reorder", "5"],
    "duplication 5 %": ["--dup", "5"],
    "corruption 1 %": ["--corrupt", "1"],
    "delay 100 ms": ["--delay", "50000"],
    "all of it": ["--loss", "1", "--reorder", "1", "--dup", "1", "--corrupt", "0.5", "--delay",
                  "2000", "--jitter", "1000"],
}
SIZE = {"loss 5 %": 2_000_000, "all of it": 3_000_000, "delay 100 ms": 10_000_000}

# tshark's own words for what is wrong with a packet, rather than with the way it came. A corrupted
# packet of the peer can look like anything, so only our packets are asked about.
WRONG = "|".join([
    "Malformed", "Bad checksum", "checksum.*incorrect", "ACKed segment that wasn't captured",
    "window.*violat", "Window specified by the receiver is now completely full.*ours",
    "Illegal", "must be", "should be", "bogus", "unreassembled"])


def expert(t, pcap, name):
    """Errors and protocol notes that tshark attaches to packets of ours."""
    # What we send is no application's protocol, whatever tshark might guess from its looks.
    out = run(f"tshark -r {pcap} -d tcp.port=={PORT},echo"
              " -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE"
              f" -Y 'ip.src=={IP} && _ws.expert' -T fields -e _ws.expert.severity"
              " -e _ws.expert.group -e _ws.expert.message 2>/dev/null", timeout=120)
    found = collections.Counter()
    for line in out.splitlines():
        severity, _, message = line.split("\t", 2)
        worst = max(int(s, 0) for s in severity.split(","))
        # 0x00800000: error. Warnings and below tell of the wire's harm, which we caused.
        if worst >= 0x800000 or re.search(WRONG, message, re.I):
            found[message] += 1
    t.ok(not found, f"tshark finds no error of ours: {name}", str(found.most_common(5)))


def against_linux(t, tmp, name, harm, capture):
    size = str(SIZE.get(name, 20_000_000))
    pcap = f"{tmp}/{re.sub('[^a-z0-9]+', '-', name)}.pcap"
    options = [*harm, "--seed", "7"] + (["--pcap", pcap] if capture else [])
    with hosted.Hosted([STREAM, "serve", PORT], options) as app:
        for direction in ("put", "get"):
            with t.check(f"{name}: Linux {direction}s {size} bytes"):
                out = run([PEER, direction, IP, PORT, size], timeout=120)
                t.note(out.strip())
        t.equal(app.quiet(), {}, f"{name}: nothing is left")
        app.stop()
    if capture:
        expert(t, pcap, name)


def between_ours(t, harm):
    with t.check("two of ours over all harm, 8 connections, both ways"):
        for direction in ("put", "get"):
            out = run([hosted.IXHOST, "--wire", "memory", "--seed", "3", *harm, "--", STREAM, "serve",
                       PORT, "--peer", STREAM, direction, IP, PORT, "1000000", "8"], timeout=120)
            assert "8 of 8 right" in out, out
            t.note(out.strip().splitlines()[-1])


def applications(t, tmp):
    """The applications people know, under loss: slower, never wrong."""
    harm = ["--loss", "2", "--reorder", "1", "--seed", "11"]
    run(f"mkdir {tmp}/www && head -c 1000000 /dev/urandom > {tmp}/www/big")
    with hosted.Hosted(["httpd", f"{tmp}/www"], harm):
        with t.check("httpd under loss"):
            for _ in range(3):
                run(f"curl -sS http://{IP}/big -o {tmp}/got && cmp {tmp}/got {tmp}/www/big")
            out = run(f"wrk -t 1 -c 16 -d 2 --timeout 5 http://{IP}/none")
            assert "Socket errors" not in out, out
    with hosted.Hosted(["kv"], harm):
        with t.check("kv under loss"):
            data = os.urandom(300000)
            with socket.create_connection((IP, 11211), timeout=30) as s, s.makefile("rb") as f:
                for n in range(5):
                    s.sendall(b"set k 0 0 %d\r\n%s\r\nget k\r\n" % (len(data), data))
                    assert f.readline() == b"STORED\r\n"
                    f.readline()
                    assert f.read(len(data)) == data, n
                    assert f.readline() + f.readline() == b"\r\nEND\r\n"
        with t.check("memcslap under loss"):
            out = run(f"memcslap --servers={IP} --concurrency=4 --execute-number=100 --test=set")
            assert not re.search("error|fail", out, re.I), out
    for app, protocol, port, size, window in (("echo", "tcp", 7, 4000, 32), ("echo", "udp", 7, 1472, 16),
                                              ("netpipe", "framed", 5002, 60000, 1)):
        with hosted.Hosted([app, "server"], harm), t.check(f"{app} under loss, {protocol}, from Linux"):
            t.note(run([ECHO_CLIENT, protocol, IP, str(port), "300", str(size), str(window)]).strip())
    with t.check("netpipe and echo over UDP under loss, between two of ours"):
        for peer in (["netpipe", "client", IP, "-l", "65536", "-r", "5"],
                     ["echo", "client", IP, "-u", "-n", "500", "-c", "8"]):
            app = [peer[0], "server"]
            run([hosted.IXHOST, "--wire", "memory", "--loss", "1", "--seed", "2", "--", *app,
                 "--peer", *peer], timeout=100)


def main():
    hosted.private_network()
    t = Tap()
    with hosted.scratch() as tmp:
        for name, harm in HARM.items():
            against_linux(t, tmp, name, harm, capture=name != "delay 100 ms")
        with t.check("we connect out: to Linux, both ways, over loss"):
            with hosted.Process([PEER, "serve", PORT], "ready"):
                for direction in ("put", "get"):
                    with hosted.Hosted([STREAM, direction, LINUX, PORT, "5000000"],
                                       ["--loss", "1", "--seed", "5"], ready=None) as app:
                        assert app.wait(60) == 0 and "1 of 1 right" in app.output, app.output
        between_ours(t, HARM["all of it"])
        applications(t, tmp)
    t.done()


main()
