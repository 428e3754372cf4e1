#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Instructions per 64-byte echo on the booted dataplane kernel, RX to TX: e1000 driver, TCP, system calls,
application. Under QEMU with -icount the TSC counts instructions (each round of a REP counts as one).
Polls that find nothing are taken out, at the cost that a run which does little else shows."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests"))
import guestqemu  # noqa: E402

CLIENT = """
import socket, sys, time
rounds, conns = int(sys.argv[1]), int(sys.argv[2])
time.sleep(float(sys.argv[3]))
socks = [socket.create_connection((HOST, 7), timeout=60) for _ in range(conns)]
for s in socks:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for r in range(rounds):
    for s in socks:
        s.sendall(b"x" * 64)
    if r == rounds - 1:
        break                           # the server ends with these
    for s in socks:
        left = 64
        while left:
            left -= len(s.recv(left))
"""


def run(batch, conns, rounds, sleep=0):
    """TSC ticks in the kernel and in ring 3, and polls that found nothing, from start to end."""
    config = guestqemu.CONFIG + f"batch = {batch}\nwatchdog = 0\n"
    with guestqemu.server(f"{guestqemu.APPS}/benchecho", args=(str(conns * rounds * 64),),
                          config=config, extra=("-icount", "shift=0,sleep=off")) as g:
        if not g.expect("serving"):
            sys.exit("the server did not start")
        g.client(CLIENT, str(rounds), str(conns), str(sleep), limit=300)
        if not g.expect("invariants hold"):
            sys.exit("the server did not end")
        text = "\n".join(x for x in g.lines if x)
    return [int(re.search(rf"core_{what} (\d+)", text).group(1))
            for what in ("tsc_kernel", "tsc_user", "cycles_empty")]


def measure(batch, conns, rounds):
    """Differences of runs, so that start and end do not count."""
    short, long = run(batch, conns, rounds), run(batch, conns, 3 * rounds)
    kernel, user, empty = (b - a for a, b in zip(short, long))
    messages = conns * 2 * rounds
    print(f"bench guest_echo64_batch{batch}_kernel {(kernel - empty * poll) / messages:.0f} "
          "instructions", flush=True)
    print(f"bench guest_echo64_batch{batch}_user {user / messages:.0f} instructions", flush=True)


lazy, lazier = run(1, 1, 1, 1), run(1, 1, 1, 3)
poll = (lazier[0] - lazy[0]) / (lazier[2] - lazy[2])
print(f"bench guest_empty_poll {poll:.0f} instructions", flush=True)
measure(1, 1, 2000)
measure(64, 64, 100)
