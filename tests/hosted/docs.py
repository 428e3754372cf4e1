#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Commands of README.md and docs/ that no other test executes (tests/unit/docs.py knows which), some of
them with a number that makes them short."""
import os
import re
import subprocess

from ixtest.tap import Tap

BUILD = os.environ.get("BUILD", "build")


def run(command, expected, limit=300):
    """As typed by somebody: nothing of the make that runs this test is passed on."""
    env = {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS|IX_|PYTHONPATH", k)}
    with tap.check(command):
        done = subprocess.run(command, shell=True, env=dict(env, BUILD=BUILD), timeout=limit, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"status {done.returncode}: {done.stdout[-2000:]}"
        assert re.search(expected, done.stdout, re.M), f"no {expected!r}: {done.stdout[-2000:]}"


tap = Tap()
run("make help", "^run$")
run("make test-unit T=hv_ept", r"^\d+ passed, 0 failed, 0 skipped$")
run("make test-hosted T=install", r"^\d+ passed, 0 failed, 0 skipped$")
run("make test-system T=guest_hello", r"^\d+ passed, 0 failed, 0 skipped$")
run("make fuzz T=hv_acpi TIME=1", "hv_acpi")
run(f"scripts/coverage {BUILD} linux-control", r"^coverage linux-control [\d.]+ %$")
run(f"{BUILD}/host/ixhost --help", "--tap")
run(f"{BUILD}/host/nic-stress 2000 1", "")
run(f"make -s {BUILD}/bench/bin/net_echo && {BUILD}/bench/bin/net_echo echo rpcs=2000", r"cycles [\d.]+$")
run(f"scripts/boot --platform qemu --until REFUSED {BUILD}/ironix.iso", "REFUSED: VT-x is missing")
tap.done()
