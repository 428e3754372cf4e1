#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/tcp-conformance.md: a line for each MUST and SHOULD of RFC 9293 (appendix B), and the tests it names exist and run."""
import re
import sys

FILES = {
    "": "tests/unit/net_tcp.c",
    "ip": "tests/unit/net_ip.c",
    "stream": "tests/unit/net_tcp_stream.c",
    "group": "tests/unit/net_group.c",
}
# RFC 9293 appendix B numbers its requirements without gaps.
REQUIRED = {f"MUST-{n}" for n in range(1, 70)} | {f"SHLD-{n}" for n in range(1, 32)} | {"REC-1"}
# What the shown-by column may say instead of a test, if the state says that it is not done.
UNSHOWN = re.compile(r"^(no\b|\*\*not|not\b|one interface|no padding|yes, none of ours)", re.I)


def numbers(text):
    """MUST-4, 5, 6 or SHLD-9, 10: each of them."""
    found = set()
    for kind, first, rest in re.findall(r"\b(MUST|SHLD|REC)-(\d+)((?:, \d+)*)", text):
        found |= {f"{kind}-{n}" for n in [first, *re.findall(r"\d+", rest)]}
    return found


def rows(doc):
    for number, line in enumerate(doc.splitlines(), 1):
        if line.startswith("| ") and not line.startswith(("| requirement", "| RFC")):
            cells = [c.strip() for c in line.strip("|").split(" | ")]
            yield number, cells


def main():
    with open("docs/tcp-conformance.md", encoding="utf-8") as f:
        doc = f.read()
    code, running = {}, {}
    for prefix, path in FILES.items():
        with open(path, encoding="utf-8") as f:
            text = f.read()
        code[prefix] = set(re.findall(r"^static void (test_\w+)\(void \*\*state\)$", text, re.M))
        running[prefix] = set(re.findall(r"cmocka_unit_test\((test_\w+)\)", text))
    bad, seen, named = [], set(), 0
    for prefix in FILES:
        bad += [f"{FILES[prefix]}: {t} is not run" for t in code[prefix] - running[prefix]]
    for number, cells in rows(doc):
        seen |= numbers(cells[0])
        if len(cells) != 3:
            bad.append(f"line {number}: {len(cells)} columns")
            continue
        shown = re.findall(r"(?:\b(ip|stream|group) )?\b(test_\w+)", cells[2])
        for prefix, test in shown:
            named += 1
            if test not in running[prefix]:
                bad.append(f"line {number}: no test {test} in {FILES[prefix]}")
        if not shown and not re.search(r"\bstream\b|\btests/|by design|default", cells[2]) and \
                not UNSHOWN.search(cells[1]) and "as MUST" not in cells[1]:
            bad.append(f"line {number}: shown by nothing: {cells[0]}")
    for prefix, test in re.findall(r"(?:`?(ip|stream|group)`? )?\b(test_\w+)",
                                   doc[doc.rindex("Attacks:"):]):
        if test not in running[prefix]:
            bad.append(f"attacks: no test {test} in {FILES[prefix]}")
    bad += [f"no line for {n}" for n in sorted(REQUIRED - seen)]
    bad += [f"no such requirement: {n}" for n in sorted(seen - REQUIRED)]
    for b in bad:
        print("#", b)
    print("not ok" if bad else "ok", f"1 - conformance: {len(seen)} requirements, {named} tests named")
    print("1..1")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
