#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make run`: its exit status, what it shows, and what went over the wire while programs that know
nothing of Ironix (ping, nc, curl) used it, in the eyes of another: tshark."""
import os
import re
import subprocess
import sys
from collections import Counter

from ixtest import Tap, build_dir
from ixtest.host import TOP, die_with_parent

LIMIT = 1500  # seconds; every step inside has a limit of the emulator's progress
STEPS = ["booting on", "Linux, unmodified, as the control VM", "starting the dataplanes echo and kv",
         "clients of echo, over the wire",
         "clients of kv, from Linux over ixgbevf and the switch in the hypervisor", "the walls",
         "clients of echo again", "another application on the same card and core",
         "clients of httpd", "giving everything back", "power-off"]
CHECKS = ["ping from the host loses nothing", "nc gets back what it sent", "curl from the host gets a page",
          "100 round trips over TCP, contents compared", "ping reaches kv", "kv gives it back",
          "Linux cannot read it", "echo is killed", "kv does not notice", "echo starts again",
          "echo serves again", "Linux has all its CPUs", "the machine powers itself off"]


def summary(lines):
    """{name: value} of the table at the end."""
    start = lines.index("Summary")
    return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines[start + 1:] if "  " in line.strip())


def rows(lines, title):
    """The cells of each row of a table that was shown under a title, the first row being its head."""
    start = next(i for i, line in enumerate(lines) if line.strip() == title + ":")
    found = []
    for line in lines[start + 1:]:
        if not line.startswith("           "):
            break
        found.append(line.split())
    return found


def table_of_cores(lines, title):
    """The first row of the table by core in `ixctl stats`, by column."""
    all_rows = rows(lines, title)
    head = next(i for i, row in enumerate(all_rows) if row and row[0] == "CORE")
    text = " ".join(all_rows[head]).replace("PACKETS IN", "IN").replace("PACKETS OUT", "OUT")
    return dict(zip(text.split(), all_rows[head + 1]))


def check_stats(tap, lines):
    for name in ("kv", "echo"):
        with tap.check(f"ixctl stats {name}: packets, batch, queue, exits, shares that add up"):
            core = table_of_cores(lines, f"what {name} counted")
            tap.note(core)
            assert int(core["IN"]) > 0 and int(core["OUT"]) > 0 and int(core["DROPS"]) == 0
            assert float(core["BATCH"]) >= 1 and float(core["QUEUE"]) >= float(core["BATCH"])
            assert int(core["RETRANSMITS"]) >= 0 and int(core["EXITS"]) >= 0
            shares = [float(core[way].rstrip("%")) for way in ("USER", "KERNEL", "IDLE")]
            assert all(0 <= share <= 100 for share in shares) and 99 < sum(shares) < 101
            # Waiting for clients is what they did most of the time.
            assert shares[2] > 0


def check_wire(tap, path):
    """Every frame is well formed, and the conversations are there."""
    fields = ["frame.number", "_ws.malformed", "ip.checksum.status", "tcp.checksum.status",
              "icmp.checksum.status", "ip.src", "arp.opcode", "icmp.type", "tcp.flags", "tcp.srcport",
              "tcp.dstport", "http.response.code", "_ws.expert.severity", "_ws.expert.message"]
    # Checksums of frames that this host sends are left to a network card that is not there.
    out = subprocess.run(["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE",
                          "-o", "tcp.check_checksum:TRUE", "-T", "fields",
                          *(word for f in fields for word in ("-e", f))],
                         check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    frames = [dict(zip(fields, line.split("\t"))) for line in out.splitlines()]
    ours = [f for f in frames if f["ip.src"] == "10.9.0.2"]
    bad = [f for f in frames if f["_ws.malformed"]]
    tap.ok(frames and not bad, f"tshark: none of {len(frames)} frames is malformed", bad[:3])
    # tshark: 1 good, 0 bad.
    for layer, least in (("ip", 100), ("tcp", 100), ("icmp", 10)):
        status = Counter(f[f"{layer}.checksum.status"] for f in ours)
        tap.ok(status["0"] == 0 and status["1"] >= least,
               f"tshark: {layer} checksums of the dataplane are good", status)
    warned = [f for f in ours if re.search(r"\b(8388608|6291456)\b", f["_ws.expert.severity"])]
    tap.ok(not warned, "tshark: no warning about what the dataplane sent",
           [f["_ws.expert.message"] for f in warned][:5])
    types = Counter(f["icmp.type"] for f in frames)
    tap.equal((types["8"], types["0"]), (10, 10), "as many echo replies as requests of ping")
    tap.ok(any(f["arp.opcode"] == "2" for f in frames), "ARP is answered")
    for port in ("7", "80"):
        flags = Counter(int(f["tcp.flags"], 16) & 7 for f in ours if f["tcp.srcport"] == port)
        tap.ok(flags[2] and flags[1], f"connections to port {port} begin and end in order", flags)
        tap.equal(flags[4], 0, f"no connection to port {port} is reset")
    tap.ok(any(f["http.response.code"] == "200" for f in ours), "an HTTP answer of the dataplane")


def shape(line):
    """A line without what differs from run to run: numbers, spaces."""
    return " ".join(re.sub(r"(0x)?\d[\d.]*", "#", line).split())


def check_readme(tap, lines):
    """README.md shows what is printed, in this order."""
    with open(os.path.join(TOP, "README.md")) as f:
        example = re.search(r"<!-- output of make run -->\n```text\n(.*?)```", f.read(), re.S).group(1)
    rest = iter(lines)
    for line in example.splitlines():
        if not any(shape(line) == shape(other) for other in rest):
            tap.ok(False, "README.md shows what is printed", line)
            return
    tap.ok(True, "README.md shows what is printed")


tap = Tap()
env = {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS|INTERACTIVE", k)}
run = subprocess.run(["make", "run"], cwd=TOP, env=env, capture_output=True, text=True,
                     stdin=subprocess.DEVNULL, timeout=LIMIT, preexec_fn=die_with_parent)
lines = run.stdout.splitlines()
tap.note(run.stdout)
if not tap.equal(run.returncode, 0, "make run ends with status 0"):
    tap.note(run.stderr)
    tap.done()
for line in lines:
    m = re.match(r" +(ok|FAILED)  (.*)", line)
    if m:
        tap.ok(m.group(1) == "ok", f"run: {m.group(2)}")
for want in CHECKS:
    tap.ok(any(line.strip() == f"ok  {want}" for line in lines), f"it says: {want}")
steps = [re.match(r"\[ *(\d+\.\d) s\] (.*)", line) for line in lines]
steps = [(float(m.group(1)), m.group(2)) for m in steps if m]
tap.ok(len(steps) == len(STEPS) and all(got.startswith(want) for (_, got), want in zip(steps, STEPS)),
       "named steps", steps)
tap.equal([t for t, _ in steps], sorted(t for t, _ in steps), "with the time since the start")
with tap.check("the summary: cores, features, requests, exits, latencies"):
    table = summary(lines)
    assert table["cores in VMX root mode"] == "3", table
    assert re.fullmatch(r"\d+ of \d+ found", table["features"]), table
    assert re.fullmatch(r"echo 122, kv 52, httpd 1", table["requests served"]), table
    assert re.fullmatch(r"median .* ms, 90% .* ms, 99% .* ms", table["echo round trip from the host"])
    passed = re.fullmatch(r"(\d+) of (\d+) passed", table["checks"])
    assert passed.group(1) == passed.group(2), table
with tap.check("the core of echo had no VM exit while it served"):
    assert table["VM exits of core 2 (echo) during the load"] == "0", table
with tap.check("ixctl list shows both dataplanes"):
    names = {row[0]: row[1] for row in rows(lines, "the dataplanes")[1:] if len(row) > 1}
    assert names == {"echo": "running", "kv": "running"}, names
if any("booting on bochs" in line for line in lines):
    check_readme(tap, lines)
check_stats(tap, lines)
check_wire(tap, os.path.join(build_dir(), "log", "system", "run", "demo", "wire.pcap"))
tap.done()
