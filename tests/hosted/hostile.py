#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The applications in trouble: peers that vanish at every step or do not read, no memory, no connections.
They are built with ASan, LSan and UBSan; each must go on serving, and leave nothing behind."""
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from ixtest import hosted
from ixtest.hosted import IP, run
from ixtest.tap import Tap

GONE = "10.0.0.99"  # an address of Linux's that is taken away
LIMITS = ["--set", "connections=64", "--set", "backlog=32", "--set", "tcp.user-timeout=1s",
          "--set", "tcp.time-wait=100ms", "--set", "tcp.fin-wait-2=1s", "--set", "arp-entries=16"]


def connect(port, source=None):
    s = socket.socket()
    s.settimeout(10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if source:
        s.bind((source, 0))
    s.connect((IP, port))
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def read(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            raise RuntimeError(f"ended after {len(got)} of {n} bytes")
        got += part
    return got


class App:
    """What a client says, in steps with the number of bytes answered to each; and how to tell that the
    application is well."""

    def __init__(self, name, args, port, steps, greedy):
        self.name, self.args, self.port, self.steps = name, args, port, steps
        self.greedy = greedy  # (request, length of its answer): more is answered than asked

    def converse(self, s, steps):
        for say, answer in self.steps[:steps]:
            s.sendall(say)
            read(s, answer)

    def well(self):
        """A whole conversation, as often as it takes until one is not refused."""
        end = time.monotonic() + 15
        while True:
            try:
                with connect(self.port) as s:
                    self.converse(s, len(self.steps))
                return
            except (OSError, RuntimeError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def pipe_message(n):
    return struct.pack("<Q", n) + bytes(n - 8)


def applications(www):
    value, big = b"v" * 3000, b"x" * 100000
    stored, got = len("STORED\r\n"), len("VALUE k 0 3000\r\n\r\nEND\r\n") + 3000
    head = len(run_head(100000))
    return [
        App("echo", ["server"], 7, [(b"abc", 3), (big, len(big)), (b"d", 1)], (big, len(big))),
        App("httpd", [www], 80, [(b"GET /big HT", 0), (b"TP/1.1\r\n\r\n", head + 100000),
                                 (b"GET /none HTTP/1.1\r\n\r\n", len(run_error()))],
            (b"GET /big HTTP/1.1\r\n\r\n", head + 100000)),
        App("kv", ["-m", "16"], 11211,
            [(b"set k 0 0 3000\r\n", 0), (value[:1000], 0), (value[1000:] + b"\r\n", stored),
             (b"get k\r\nge", got), (b"t k\r\n", got)], (b"get k\r\n", got)),
        App("netpipe", ["server"], 5002,
            [(pipe_message(100), 100), (pipe_message(60000)[:30000], 0),
             (pipe_message(60000)[30000:], 60000)], (pipe_message(100000), 100000)),
    ]


def run_head(length):
    return ("HTTP/1.1 200 OK\r\nServer: ix\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {length}\r\n\r\n")


def run_error():
    return ("HTTP/1.1 404 Not Found\r\nServer: ix\r\nContent-Type: text/plain\r\n"
            "Content-Length: 14\r\n\r\n404 Not Found\n")


def vanish(t, app):
    with t.check(f"{app.name}: peers reset, end and shut down at every step"):
        for step in range(len(app.steps) + 1):
            for how in (reset, socket.socket.close,
                        lambda s: (s.shutdown(socket.SHUT_WR), s.recv(1 << 20), s.close())):
                s = connect(app.port)
                app.converse(s, step)
                if step < len(app.steps):  # the next answer is not waited for
                    s.sendall(app.steps[step][0])
                how(s)
        app.well()
    with t.check(f"{app.name}: peers are gone without a word at every step"):
        run(f"ip addr add {GONE}/32 dev ix0")
        left = []
        for step in range(len(app.steps)):
            s = connect(app.port, GONE)
            app.converse(s, step)
            left.append(s)
        run("ip neigh flush dev ix0")
        for step, s in enumerate(left):
            s.sendall(app.steps[step][0])
        run(f"ip addr del {GONE}/32 dev ix0")
        app.well()
        run(f"ip addr add {GONE}/32 dev ix0")  # idle ones are for keep-alive to find: end them here
        for s in left:
            reset(s)
        run(f"ip addr del {GONE}/32 dev ix0")


def slow(t, app):
    """Peers that ask and do not read: their own matter. Later they get all of it."""
    request, answer = app.greedy
    with t.check(f"{app.name}: is faster than its peers"):
        slow = [connect(app.port) for _ in range(4)]
        sent = [0] * len(slow)
        for i, s in enumerate(slow):
            s.setblocking(False)
            try:
                while sent[i] < 100 * len(request):
                    at = sent[i] % len(request)
                    sent[i] += s.send(request[at:])
            except BlockingIOError:
                pass
        app.well()
        for i, s in enumerate(slow):
            s.settimeout(10)
            whole = sent[i] // len(request)
            read(s, whole * answer)
            reset(s)


def crowd(t, app):
    """Five times as many peers as there are connections."""
    refused = []

    def one():
        try:
            with connect(app.port) as s:
                app.converse(s, 1)
                time.sleep(0.3)
        except (OSError, RuntimeError) as e:
            refused.append(e)

    with t.check(f"{app.name}: has no connections left"):
        threads = [threading.Thread(target=one) for _ in range(320)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        assert len(refused) < 320, refused[:3]
        app.well()


def memory(t, app, process):
    """One of eight allocations fails, for a second."""
    end = time.monotonic() + 1

    def one():
        while time.monotonic() < end:
            try:
                with connect(app.port) as s:
                    s.settimeout(1)
                    app.converse(s, len(app.steps))
            except (OSError, RuntimeError):
                pass

    with t.check(f"{app.name}: has no memory left"):
        process.process.send_signal(signal.SIGUSR2)
        threads = [threading.Thread(target=one) for _ in range(8)]
        for x in threads:
            x.start()
        if app.name == "echo":
            udp_storm(end)
        for x in threads:
            x.join()
        process.process.send_signal(signal.SIGUSR2)
        app.well()


def udp_storm(end):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while time.monotonic() < end:
        s.sendto(b"x" * 1000, (IP, 7))
        time.sleep(0.001)
    s.close()


def main():
    hosted.private_network()
    t = Tap()
    preload = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    env = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"}
    with hosted.scratch() as www:
        run(f"head -c 100000 /dev/urandom > {www}/big")
        for app in applications(www):
            so = f"{hosted.BUILD}/test/apps/hostile-{app.name}.so"
            with hosted.Hosted([so, *app.args], LIMITS, env=env) as process:
                vanish(t, app)
                slow(t, app)
                crowd(t, app)
                memory(t, app, process)
                t.equal(process.quiet(), {}, f"{app.name}: no connection, reference or buffer is left")
                output = process.stop()
                failed = int(re.search(r"hostile: (\d+)", output).group(1))
                t.ok(failed > 10, f"{app.name}: allocations failed", f"{failed}")
                bad = re.search(r"(?s)(ERROR: \w+Sanitizer|runtime error).*", output)
                t.ok(not bad and process.process.returncode in (0, 143, -15),
                     f"{app.name}: no error, no leak, no exit",
                     f"{process.process.returncode} {bad.group()[:4000] if bad else ''}")
    t.done()


main()
