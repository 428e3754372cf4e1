#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of VM exits in docs/hypervisor.md equals what the code handles, and the tests that its
threat model names exist."""
import os
import re
import sys

sys.path.insert(0, "tests")
from ixtest import Tap  # noqa: E402

tap = Tap()


def body(path, function):
    """A function's text: up to the brace in the first column."""
    with open(path) as f:
        return re.search(rf"^\w[^\n]*\b{function}\([^;]*?^{{(.*?)^}}", f.read(), re.M | re.S).group(1)


with open("docs/hypervisor.md") as f:
    doc = f.read()
section = doc.split("## What exits", 1)[1].split("\n## ", 1)[0]
listed = set()
for line in section.splitlines():
    if line.startswith("| `"):
        listed |= set(re.findall(r"`([A-Z_]+)`", line.split("|")[1]))

common = re.findall(r"case EXIT_(\w+)", body("hv/vm/vcpu.c", "handle_exit"))
named = {}
for vm, path in (("linux", "hv/vm/linux_exit.c"), ("domain", "hv/vm/domain_exit.c")):
    text = body(path, f"{vm}_exit")
    named[vm] = set(common) | set(re.findall(r"EXIT_(?!REASON)(\w+)", text))
    tap.ok(re.search(r"default:.*vcpu_inject_ud\(v\);\s+return true;", text, re.S),
           f"{path}: any other reason is #UD")
tap.ok(len(named["linux"]) > 12, "reasons are found in the code", str(named["linux"]))
tap.equal(sorted((named["linux"] | named["domain"]) - listed), [], "every reason handled is listed")
tap.equal(sorted(listed - (named["linux"] | named["domain"])), [], "every reason listed is handled")

# What the controls switch on must be what the table says: no other bit of them causes exits.
controls = set(re.findall(r"\b(?:PIN|PROC2?)_\w+", body("hv/vm/vcpu.c", "set_controls")))
known = {"PIN_NMI_EXITING", "PIN_VIRTUAL_NMI", "PIN_CTLS", "PROC_CTLS", "PROC_IO_BITMAPS",
         "PROC_MSR_BITMAPS", "PROC_SECONDARY", "PROC2_CTLS", "PROC2_EPT", "PROC2_UNRESTRICTED",
         "PROC2_RDTSCP", "PROC2_INVPCID", "PROC2_XSAVES", "PROC2_USER_WAIT", "PROC2_VPID"}
tap.equal(sorted(controls - known), [], "no control causes exits that are not listed")

missing = [path for path in re.findall(r"`(tests/[\w/.]+)`", doc) if not os.path.exists(path)]
tap.equal(missing, [], "the tests that the threat model names exist")
tap.done()
