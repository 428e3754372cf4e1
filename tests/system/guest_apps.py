#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""echo, httpd, kv and netpipe in ring 3 on the dataplane kernel, on two cores, against the programs that
people use: nc, curl, wrk, libmemcached's. Contents are compared, and there is load."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import guestqemu  # noqa: E402
from guestqemu import ADDRESS as IP  # noqa: E402
from ixtest import Tap  # noqa: E402

CLIENT = f"{guestqemu.BUILD}/test/echo_client"


def served(app, args, clients, cores=2, ready=None, files=()):
    """Boots the application and runs (name, command) pairs against it. A command's output is checked for
    what load generators say of trouble."""
    with guestqemu.server(f"{guestqemu.BUILD}/apps/{app}", args=args, cores=cores, files=files) as g:
        lines = [ready] if ready else [f"core {i} serves" for i in range(cores)]
        if not tap.ok(all([g.expect(line) for line in lines]), f"{app} serves on {cores} core(s)"):
            return
        for name, command in clients:
            r = g.ns.run("timeout", "60", "bash", "-o", "pipefail", "-c", command, check=False)
            bad = re.search(r"Socket errors|Non-2xx|(?i:error|fail)", r.stdout + r.stderr)
            tap.ok(r.returncode == 0 and not bad, f"{app}: {name}", r.stdout + r.stderr)
            for line in re.findall(r".*(?:Requests/sec|Time total|echoed).*", r.stdout):
                tap.note(line.strip())


tap = Tap()
with tempfile.TemporaryDirectory(prefix="ix-www-") as www:
    for file, size in (("big", 300000), ("small", 500)):
        with open(f"{www}/{file}", "wb") as f:
            f.write(os.urandom(size))
    served("echo", ("server",), (
        ("nc, with half-close", f"nc -N {IP} 7 < {www}/big | cmp - {www}/big"),
        ("8 clients at once", f"pids=; for i in $(seq 8); do {CLIENT} tcp {IP} 7 300 4000 16 & "
         "pids=\"$pids $!\"; done; for p in $pids; do wait $p || exit 1; done"),
        ("datagrams", f"{CLIENT} udp {IP} 7 1000 1472 8")))
    served("httpd", ("/www",), (
        ("curl, one connection for two files",
         f"cd $(mktemp -d) && curl -sSO http://{IP}/big -O http://{IP}/small && "
         f"cmp big {www}/big && cmp small {www}/small"),
        ("curl is told of what is not there",
         f"[ $(curl -sS -o /dev/null -w '%{{http_code}}' http://{IP}/none) = 404 ]"),
        ("wrk, 32 connections", f"wrk -t 1 -c 32 -d 2 http://{IP}/small"),
        ("wrk, a connection per request",
         f"wrk -t 1 -c 8 -d 1 -H 'Connection: close' http://{IP}/small")),
        files=(f"/www/big={www}/big", f"/www/small={www}/small"))
    served("kv", ("-m", "16"), (
        ("memccp and memccat, text", f"cd {www} && memccp --servers={IP} big small && "
         f"memccat --servers={IP} big | head -c 300000 | cmp - big"),
        ("memccp and memccat, binary", f"cd {www} && memccp --servers={IP} --binary big small && "
         f"memccat --servers={IP} --binary small | head -c 500 | cmp - small"),
        ("memcslap, 8 clients", f"memcslap --servers={IP} --concurrency=8 --execute-number=200 "
         "--initial-load=100 --test=get")))
    served("netpipe", ("server",), (
        ("messages of all sizes", f"{CLIENT} framed {IP} 5002 300 60000 1"),), cores=1, ready="ready")
tap.done()
