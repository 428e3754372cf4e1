#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linux's tools against echo: ping with all sizes, nc over TCP and UDP."""
from ixtest import hosted
from ixtest.hosted import IP, run
from ixtest.tap import Tap


def main():
    hosted.private_network()
    t = Tap()
    with hosted.scratch() as tmp, hosted.Hosted(["echo", "server"]) as app:
        with t.check("ping with every size of one packet, by steps, and up to 64 KB"):
            # 65,507 is the most: 65,535 less the headers of IP and ICMP.
            for size in [0, 1, 2, 8, 55, 56, 57, *range(100, 1472, 97), 1471, 1472, 1473, 1480,
                         2952, 2953, 4000, 9000, 16384, 32768, 65000, *range(65499, 65508)]:
                out = run(f"ping -c 1 -W 3 -s {size} {IP}")
                assert "1 received" in out, f"size {size}: {out}"
        with t.check("the largest ping in fragments of 548 bytes, and ten of them at once"):
            run("ip link set ix0 mtu 576")
            out = run(f"ping -c 1 -W 3 -s 65507 {IP}")
            assert "1 received" in out, out
            # However late we are run, the wire holds 450 fragments and those that follow.
            run("ip link set ix0 mtu 1500 txqueuelen 5000")
            out = run(f"ping -q -c 30 -l 10 -i 0.02 -W 3 -s 65507 {IP}")
            assert "30 received" in out, out
        with t.check("a flood of pings is answered"):
            out = run(f"ping -q -f -c 2000 -s 1400 {IP}")
            assert "2000 received" in out, out
        with t.check("nc over TCP, with half-close"):
            run(f"head -c 20000000 /dev/urandom > {tmp}/in")
            run(f"nc -N {IP} 7 < {tmp}/in > {tmp}/out && cmp {tmp}/in {tmp}/out")
        with t.check("16 clients from Linux at once, each message compared"):
            command = [hosted.ECHO_CLIENT, "tcp", IP, "7", "2000", "4000", "64"]
            clients = [hosted.Process(command) for _ in range(16)]
            assert [c.wait() for c in clients] == [0] * 16, clients[0].output
        with t.check("nc over UDP"):
            out = run(f"echo over UDP | timeout 5 nc -u -w 1 {IP} 7")
            assert out == "over UDP\n", out
        with t.check("a datagram of many fragments comes back"):
            out = run(["python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
data = bytes(range(256)) * 200
s.sendto(data, ("{IP}", 7))
print(s.recv(65536) == data)"""])
            assert out == "True\n", out
        with t.check("a closed port refuses, over TCP and UDP"):
            out = run(f"nc -v -w 3 {IP} 9", check=False)
            assert "refused" in out, out
            out = run(["python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("{IP}", 9))
s.send(b"x")
try:
    s.recv(9)
except ConnectionRefusedError:
    print("refused")"""])
            assert out == "refused\n", out
        t.equal(app.quiet(), {}, "no connection, reference or buffer is left")
        app.stop()
    with hosted.Hosted(["netpipe", "server"]) as app:
        with t.check("8 clients of netpipe from Linux at once"):
            command = [hosted.ECHO_CLIENT, "framed", IP, "5002", "500", "60000", "1"]
            clients = [hosted.Process(command) for _ in range(8)]
            assert [c.wait() for c in clients] == [0] * 8, clients[0].output
        t.equal(app.quiet(), {}, "netpipe: nothing is left")
        app.stop()
    t.done()


main()
