#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ixctl's list of the guest's configuration keys equals the guest's own."""
import re
import sys

sys.path.insert(0, "tests")
from ixtest import Tap  # noqa: E402

tap = Tap()
with open("linux-control/conf_keys.h") as f:
    known = set(re.findall(r'"([a-z0-9.-]+)"', f.read().split("{", 1)[1]))
with open("guest/core/config.c") as f:
    text = f.read()
real = set(re.findall(r'eq\(key, "([^"]+)"\)', text)) | \
    set(re.findall(r'\{"([^"]+)", (?:NUMBER|TIME|SWITCH)', text))
with open("guest/kernel/dataplane.c") as f:
    real |= set(re.findall(r'strcmp\(key, "([^"]+)"\)', f.read()))
tap.ok(len(real) > 40, "the guest's keys are found in its source", f"only {len(real)}")
tap.equal(sorted(real - known), [], "every key of the guest is known to ixctl")
tap.equal(sorted(known - real), [], "every key that ixctl passes on is known to the guest")
tap.done()
