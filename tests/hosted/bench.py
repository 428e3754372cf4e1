#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every hosted experiment of `make bench`, small: each prints its figures, a table, a plot and its targets, and
the results page can be written."""
import json
import os
import re
import subprocess
import tempfile

from ixtest import build_dir
from ixtest.tap import Tap

# experiment -> figures that a run must print: sane ones, not just any.
FIGURES = {
    "connections": ["echo_64_ironix_server", "echo_64_lwip_server", "echo_64_linux_server"],
    "instruction_count": ["echo_64_ironix_instructions", "echo_64_lwip_instructions"],
    "batch": ["batch_1_rate", "batch_64_rate"],
    "sizes": ["size_8192_ironix_server", "size_8192_lwip_server", "size_8192_linux_server"],
    "churn": ["churn_ironix_server", "churn_lwip_server", "churn_linux_server"],
    "loss": ["loss_0.1_ironix_1024_rate", "loss_0.1_lwip_64_rate"],
    "netpipe": ["netpipe_64_ironix", "netpipe_4096_linux"],
    "micro": ["wheel_move_64", "packet_pool_256"],
}
PLOTS = ["connections_cycles", "connections_rate", "connections_instructions", "batch", "sizes_cycles",
         "sizes_goodput", "churn", "loss", "netpipe", "micro"]

t = Tap()
build = build_dir()
with tempfile.TemporaryDirectory() as folder:
    # Results of a real run must survive, so this one writes elsewhere.
    for name in ("host", "test"):
        os.symlink(os.path.abspath(os.path.join(build, name)), os.path.join(folder, name))
    os.makedirs(os.path.join(folder, "bench"))
    os.symlink(os.path.abspath(os.path.join(build, "bench", "bin")),
               os.path.join(folder, "bench", "bin"))
    run = subprocess.run(["scripts/run-bench", folder], env=dict(os.environ, QUICK="1", BOOTED="0"),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.ok(run.returncode == 0, "a quick run ends well", run.stdout[-2000:])
    printed = {m[0]: float(m[1]) for m in re.findall(r"^bench (\S+) (\S+) \S+$", run.stdout, re.M)}
    for name, figures in FIGURES.items():
        bad = [f for f in figures if not printed.get(f, 0) > 0]
        t.equal(bad, [], f"{name} prints its figures")
    lines = re.findall(r"^target .*: (?:met by|missed by|not measured).*$", run.stdout, re.M)
    t.ok(len(lines) >= 10, f"{len(lines)} targets are judged", run.stdout[-2000:])
    bad = [p for p in PLOTS for kind in ("txt", "svg")
           if not os.path.exists(os.path.join(folder, "bench", f"{p}.{kind}"))]
    t.equal(bad, [], "each experiment has a table and a plot")
    with t.check("results.json can be read"), open(os.path.join(folder, "bench", "results.json")) as f:
        assert json.load(f)["machine"]["quick"]
    page = subprocess.run(["scripts/bench-report", folder, folder], capture_output=True, text=True)
    t.ok(page.returncode == 0, "the results page is written", page.stderr)
    with t.check("it names every target"), open(os.path.join(folder, "results.md")) as f:
        text = f.read()
        assert all(line[7:].split(" is ")[0].split(", limit")[0] in text for line in lines)
t.done()
