#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""curl and wrk against httpd, on one core and on two."""
import os
import re
import socket

from ixtest import hosted
from ixtest.hosted import IP, run
from ixtest.tap import Tap


def raw(request, size=65536):
    """What the server answers until it closes."""
    with socket.create_connection((IP, 80), timeout=5) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while data := s.recv(size):
            answer += data
    return answer


def correctness(t, www):
    with t.check("curl gets an index and a type"):
        out = run(f"curl -sSi http://{IP}/")
        assert "200 OK" in out and "text/html" in out and out.endswith("<p>index\n"), out
    with t.check("curl gets a large file, unharmed, over one connection twice"):
        run(f"curl -sS http://{IP}/big -o {www}/../1 http://{IP}/big -o {www}/../2")
        run(f"cmp {www}/big {www}/../1 && cmp {www}/big {www}/../2")
    with t.check("an empty file"):
        assert "Content-Length: 0" in run(f"curl -sSi http://{IP}/empty")
    with t.check("HEAD has the length and no body"):
        out = run(f"curl -sSI http://{IP}/big")
        assert f"Content-Length: {os.path.getsize(www + '/big')}" in out, out
    with t.check("what is not there, not allowed, not HTTP"):
        assert " 404 " in run(f"curl -sSi http://{IP}/none")
        assert " 405 " in run(f"curl -sSi -X DELETE http://{IP}/")
        assert " 413 " in run(f"curl -sSi -d x=y http://{IP}/")
        assert raw(b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert raw(b"GET / HTTP/1.1\r\nX: " + b"y" * 20000).startswith(b"HTTP/1.1 431 ")
    with t.check("no way out of the directory"):
        for path in ("/../secret", "/%2e%2e/secret", "/sub/../../secret", "/..%2fsecret", "/.."):
            out = run(f"curl -sSi --path-as-is http://{IP}{path}")
            assert " 400 " in out, (path, out)
    with t.check("percent-encoding and a query"):
        assert run(f"curl -sS 'http://{IP}/%69ndex.html?x=1'") == "<p>index\n"
    with t.check("pipelined requests in one packet and byte by byte"):
        one = b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n"
        assert raw(one * 50).count(b"<p>index") == 50
        with socket.create_connection((IP, 80), timeout=5) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in one:
                s.send(bytes([b]))
            assert b"<p>index" in s.recv(4096)
    with t.check("HTTP/1.0 closes, and goes on if asked"):
        assert b"Connection: close" in raw(b"GET / HTTP/1.0\r\n\r\n")
        assert raw(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 3).count(b"200 OK") == 3
    with t.check("a client that does not read holds up nobody, and gets all when it does"):
        with socket.create_connection((IP, 80), timeout=10) as s:
            s.sendall(b"GET /big HTTP/1.1\r\n\r\n" * 20)
            assert run(f"curl -sS http://{IP}/") == "<p>index\n"
            want, got = 20 * os.path.getsize(www + "/big"), 0
            while got < want:
                got += len(s.recv(1 << 20))


def load(t, cores):
    with t.check(f"wrk with 64 connections on {cores} core(s): no error"):
        out = run(f"wrk -t 1 -c 64 -d 3 http://{IP}/")
        t.note(re.search(r"Requests/sec.*", out).group())
        assert "Socket errors" not in out and "Non-2xx" not in out, out
    with t.check(f"wrk with a new connection for each request on {cores} core(s)"):
        out = run(f"wrk -t 1 -c 16 -d 2 -H 'Connection: close' http://{IP}/")
        t.note(re.search(r"Requests/sec.*", out).group())
        assert "Non-2xx" not in out, out


def main():
    hosted.private_network()
    t = Tap()
    with hosted.scratch() as tmp:
        www = f"{tmp}/www"
        os.mkdir(www)
        os.mkdir(f"{www}/sub")
        run(f"echo '<p>index' > {www}/index.html; : > {www}/empty; echo no > {tmp}/secret;"
            f"head -c 3000000 /dev/urandom > {www}/big")
        for cores in (1, 2):
            with hosted.Hosted(["httpd", www], ["--cores", str(cores)],
                               ready=rf"core {cores - 1}") as app:
                correctness(t, www)
                load(t, cores)
                app.stop()
                if cores == 2:
                    per_core = re.findall(r"core(\d) tcp_passive (\d+)", app.output)
                    t.ok(len(per_core) == 2 and all(int(n) > 100 for _, n in per_core),
                         "both cores took connections", str(per_core))
    t.done()


main()
