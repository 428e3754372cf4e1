#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The booted experiments (tests/linux/bench.sh), in an emulator: prints one JSON object.

usage: booted.py [REQUESTS [LARGEST]]: requests of a loaded run; largest message of the sizes
       booted.py --log REQUESTS FILE: reads the console of such a run, boots nothing

Cycles are the emulated time-stamp counter's. Of Linux they are the time in which CPU 1 was not idle. Of the
dataplane they are what its core did not sleep, less the polls that found nothing, one after the other,
which it counts itself: one client cannot keep it busy. What the hypervisor does for a core (the
software VF's doorbells and switch) happens on that core, so it is in the figures of both servers alike;
hv_cycles says how much. Of polls that found nothing that part is what the pause between two runs shows."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from ixtest import Netns, build_dir, choose_platform, linux, vm_class  # noqa: E402

HV = os.path.join(build_dir(), "hv", "ironix.elf")
CLIENT = os.path.join(build_dir(), "test", "echo_client")
PANIC = r"hv: .*PANIC|hv: .*Linux has stopped|Kernel panic|Oops:|BUG:"
LOG = sys.argv[3] if sys.argv[1:2] == ["--log"] else None
ARGS = sys.argv[2:3] if LOG else sys.argv[1:]
REQUESTS = int(ARGS[0]) if ARGS else 2000
LARGEST = int(ARGS[1]) if len(ARGS) > 1 else 65536
CARD_MESSAGES = 200
CORE = {"dataplane": 2, "linux": 1}  # ixcpd gives the last core away; tests/linux/bench.sh pins Linux


def boot():
    platform, _ = choose_platform()
    args = f"ixrequests={REQUESTS} ixlargest={LARGEST}"
    iso = linux.image("bench", linux.entry("cloud", test="bench", args=args, hv=HV,
                                           hv_args="vfs=3 ixmem=448M"))
    options = {"machine": "pc"} if platform == "kvm" else {}
    with Netns() as netns:
        netns.tap("ix0", "10.9.0.1/24")
        with vm_class(platform)("bench", iso=iso, cpus=3, mem=1024, netns=netns,
                                cards=[{"backend": "tuntap", "dev": "ix0"}], **options) as m:
            m.expect(r"init: Linux .* 3 CPUs", limit=400, fail=PANIC)
            m.expect("test: host", limit=600, fail=PANIC)
            run = netns.run(CLIENT, "tcp", "10.9.0.2", "7", str(CARD_MESSAGES), "64", "1",
                            check=False)
            m.send("done\n" if run.returncode == 0 else "failed\n")
            m.expect("init: bench ended with status", limit=3000, fail=PANIC)
            return platform, list(m.console.lines)


def exits_of(core):
    return lambda mark: {r["reason"]: r["count"] for r in json.loads(mark) if r["core"] == core}


def hv_of(core):
    return lambda mark: {r["core"]: r["root_cycles"] for r in json.loads(mark) if r["core"] == core}


def counters_of(mark):
    return {c["counter"].lstrip("="): c["all"] for c in json.loads(mark).get("counters", [])}


def difference(marks, kind, read):
    found = [read(m[len(kind) + 1:]) for m in marks if m.startswith(kind + " ")]
    if len(found) < 2:
        return {}
    return {k: v - found[0].get(k, 0) for k, v in found[-1].items() if v != found[0].get(k, 0)}


def time_of(mark):
    """Seconds since boot, and seconds that CPU 1 was idle."""
    fields = mark.split()
    return {"seconds": float(fields[0]), "idle": (int(fields[5]) + int(fields[6])) / 100,
            "user": int(fields[2]) / 100}


def read_runs(lines):
    """Per run: what the client printed, and what was counted meanwhile."""
    runs, name, results, marks = {}, None, {}, []
    for line in lines:
        if m := re.search(r"run: (.+) begins$", line):
            name, results, marks = m.group(1), {}, []
        elif m := re.search(r"result: (\w+) ([\d.]+)$", line):
            results[m.group(1)] = float(m.group(2))
        elif m := re.search(r"mark: ((?:stats|exits|cores|time) .*)$", line):
            marks.append(m.group(1))
        elif m := re.search(r"run: ends with status (\d+)$", line):
            runs[name] = {"status": int(m.group(1)), "marks": marks, **results}
    return runs


def recorded():
    with open(LOG, errors="replace") as f:
        return "bochs", f.read().splitlines()


def poll_cost(runs):
    """Cycles of a poll that finds nothing, and how many of them in the hypervisor: what the echo dataplane
    did between two of its runs."""
    pause = runs["echo echo"]["marks"][-4:] + runs["echo unloaded"]["marks"][:4]
    n = difference(pause, "stats", counters_of)
    hv = sum(difference(pause, "cores", hv_of(CORE["dataplane"])).values())
    return n["core_tsc_empty"] / n["core_cycles_empty"], hv / n["core_cycles_empty"]


def main():
    platform, lines = recorded() if LOG else boot()
    text = "\n".join(lines)
    mhz = float(re.search(r'mark: version .*"tsc":"([\d.]+) MHz', text).group(1))
    out = {"platform": platform, "mhz": mhz, "requests": REQUESTS, "runs": {}}
    card = re.search(r"card: exits (\d+) before, (\d+) after, host says (\w+)", text)
    if card and card.group(3) == "done":
        out["card_exits_per_request"] = (int(card.group(2)) - int(card.group(1))) / CARD_MESSAGES
    runs = read_runs(lines)
    out["poll_cycles"], out["poll_hv_cycles"] = poll_cost(runs)
    for name, run in runs.items():
        if run["status"]:
            print(f"booted.py: {name}: the client failed", file=sys.stderr)
            continue
        server, what = name.split()
        count = REQUESTS // 4 if what == "unloaded" else REQUESTS
        marks = run.pop("marks")
        core = CORE["linux" if server == "linux" else "dataplane"]
        if marks:
            exits = difference(marks, "exits", exits_of(core))
            run["exits_per_request"] = {k: v / count for k, v in exits.items()}
            run["hv_cycles"] = sum(difference(marks, "cores", hv_of(core)).values()) / count
        if marks and server != "linux":
            n = difference(marks, "stats", counters_of)
            empty = n["core_tsc_empty"]
            run["server_cycles"] = (n["core_tsc_user"] + n["core_tsc_kernel"] - empty) / count
            run["empty_cycles"] = empty
            run["hv_cycles"] -= n["core_cycles_empty"] * out["poll_hv_cycles"] / count
            run["counters"] = n
        elif marks:
            t = difference(marks, "time", time_of)
            run["busy"] = t.get("seconds", 0) - t.get("idle", 0)
            run["server_cycles"] = run["busy"] * mhz * 1e6 / count
        out["runs"][name] = run
    json.dump(out, sys.stdout, indent=1)
    print()


main()
