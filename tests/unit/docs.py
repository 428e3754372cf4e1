#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What README.md and docs/ claim of this tree: every path named there exists, every test in the table of the
paper is run, and every command is executed by a test or stands in a section that says it needs hardware."""
import glob
import os
import re

from ixtest.tap import Tap

# A command as it is written -> the test that executes it, and text of that test which shows it. "...": the
# rest of the line does not matter. A command that comes to be written in a page needs a line here.
COMMANDS = {
    "make": (".ci/run", 'step make "$jobs"'),
    "make run": ("tests/system/run.py", '"make", "run"'),
    "make run INTERACTIVE=1": ("tests/system/run_interactive.py", '"make", "run", "INTERACTIVE=1"'),
    "make test": (".ci/run", 'make "$jobs" test'),
    "make test-unit": ("tests/hosted/docs.py", "make test-unit T=hv_ept"),
    "make test-unit T=hv_ept": ("tests/hosted/docs.py", "make test-unit T=hv_ept"),
    "make test-hosted": ("tests/hosted/docs.py", "make test-hosted T=install"),
    "make test-system": ("tests/hosted/docs.py", "make test-system T=guest_hello"),
    "make test-system T=guest_net": ("tests/hosted/docs.py", "make test-system T=guest_hello"),
    "make test-system T=name": ("tests/hosted/docs.py", "make test-system T=guest_hello"),
    "make fuzz T=hv_acpi TIME=60": ("tests/hosted/docs.py", "make fuzz T=hv_acpi TIME=1"),
    "make fuzz T=ctl_conf": (".ci/run", "fuzz-smoke"),
    "make fuzz T=app_kv": (".ci/run", "fuzz-smoke"),
    "make lint": (".ci/run", "make lint"),
    "make bench": ("tests/hosted/bench.py", "scripts/run-bench"),
    "make bench QUICK=1": ("tests/hosted/bench.py", 'QUICK="1"'),
    "scripts/run-bench ...": ("tests/hosted/bench.py", "scripts/run-bench"),
    "make coverage": ("tests/hosted/docs.py", "scripts/coverage"),
    "make install": ("tests/hosted/install.py", "make -s install"),
    "ix-cc --hosted ...": ("tests/hosted/install.py", "ix-cc --hosted"),
    "ix-cc ...": ("tests/hosted/tutorial.py", "docs/tutorial.md"),
    "ixhost --help": ("tests/hosted/docs.py", "ixhost --help"),
    "build/host/ixhost --help": ("tests/hosted/docs.py", "ixhost --help"),
    "ixhost --tap ...": ("tests/hosted/tutorial.py", "docs/tutorial.md"),
    "ixhost ... -- echo server": ("tests/hosted/tutorial.py", "docs/tutorial.md"),
    "build/host/nic-stress COUNT SEED": ("tests/hosted/docs.py", "nic-stress 2000 1"),
    "build/bench/bin/net_echo echo conns=N": ("tests/hosted/docs.py", "net_echo echo rpcs=2000"),
    "scripts/boot ...": ("tests/hosted/docs.py", "scripts/boot --platform qemu"),
    "ixctl start": ("linux-control/demo/demo.sh", "ixctl start"),
    "ixctl create": ("tests/linux/domains.sh", "ixctl create"),
    "ixctl list": ("linux-control/demo/demo.sh", "ixctl list"),
    "ixctl stats NAME": ("linux-control/demo/demo.sh", "ixctl stats"),
    "ixctl exits": ("linux-control/demo/demo.sh", "ixctl exits"),
    "ixctl pci": ("tests/linux/control.sh", "for what in version preflight cores memory pci"),
    "ixctl check FILE": ("tests/unit/ctl_control.c", '"check"'),
    "ixctl --json": ("linux-control/demo/demo.sh", "ixctl --json"),
}
PROGRAMS = {"make", "sudo", "ixctl", "ixhost", "ixcpd", "ix-cc", "systemctl", "update-grub", "gdb",
            "nc", "curl", "ping", "tcpdump", "apt-get", "git", "qemu-system-x86_64", "bochs"}
TOPS = ("boot", "hv", "guest", "net", "nic", "userlib", "linux-control", "tests", "scripts", "docs")
HARDWARE = "needs hardware"


def pages():
    for path in ["README.md", *sorted(glob.glob("docs/*.md"))]:
        with open(path) as f:
            yield path, f.read()


def sections(text):
    return re.split(r"^(?=## )", text, flags=re.M)


def is_command(text):
    words = text.split()
    first = words[0] if words else ""
    program = first in PROGRAMS or re.match(r"(build/host|build/bench/bin|scripts)/[a-z_-]+$", first)
    return bool(program) and "<" not in text and "--(" not in text and \
        (len(words) > 1 or first in ("make", "update-grub") or first.startswith("build/bench"))


def commands(text):
    """Commands of a section: in its code blocks, by the line, and in its text."""
    # A block that tests/hosted/tutorial.py runs, writes or compares is announced by a comment.
    text = re.sub(r"<!-- .*? -->\n```\w*\n.*?```\n", "", text, flags=re.S)
    for line in re.findall(r"^(?: {4,}|\t)(\S.*)$", text, re.M) + \
            [line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.splitlines()]:
        line = re.sub(r"\s+# .*", "", line).strip()
        if is_command(line):
            yield from line.split(" && ")
    for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S)):
        if is_command(" ".join(span.split())):
            yield from " ".join(span.split()).split(" && ")


def known(command):
    command = re.sub(r"^sudo ", "", command)
    return next((entry for entry in COMMANDS
                 if command == entry or (entry.endswith(" ...") and command.startswith(entry[:-3]))), None)


def expand(path):
    """Alternatives in braces, as a shell has them."""
    m = re.search(r"\{([^{}]*)\}", path)
    return [path] if not m else [p for part in m.group(1).split(",")
                                 for p in expand(path[:m.start()] + part + path[m.end():])]


def test_paths(tap):
    missing, seen = [], 0
    for page, text in pages():
        folder = os.path.dirname(page)
        for path in re.findall(r"`([\w./{},*-]+)`", text):
            if path.split("/")[0] in TOPS and "/" in path:
                seen += 1
                missing += [f"{page}: {p}" for p in expand(path) if not glob.glob(p.rstrip("/"))]
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            seen += 1
            if not os.path.exists(os.path.join(folder, link)):
                missing.append(f"{page}: {link}")
    tap.ok(seen > 100 and not missing, f"{seen} paths and links of the pages exist", "\n".join(missing))


def test_table(tap):
    """The table of the paper names files, and tests that `make test` runs."""
    with open("README.md") as f:
        section = next(s for s in sections(f.read()) if s.startswith("## The paper"))
    rows = [row.strip("|").split("|") for row in section.splitlines() if row.startswith("|")][2:]
    tap.ok(len(rows) >= 7, "the table of the paper has its rows")
    unit = ""
    for path in glob.glob("[!b]*/**/*.mk", recursive=True) + glob.glob("boot/*.mk"):
        with open(path) as f:
            unit += f.read()
    for what, where, shown in rows:
        tests = re.findall(r"`([^`]+)`", shown)
        for path in re.findall(r"`([^`]+)`", where) + tests:
            tap.ok(os.path.exists(path), f"{what.strip()}: {path}")
        for test in tests:
            name = os.path.splitext(os.path.basename(test))[0]
            tap.ok(re.search(rf"unit_test,\s*{name},", unit) if test.endswith(".c")
                   else re.match(r"tests/(unit|hosted|system)/", test) and os.access(test, os.X_OK),
                   f"{test} is run by make test")


def test_functions(tap):
    """Functions of tests that the pages name, such as test_send, exist."""
    named = {name for _, text in pages() for name in re.findall(r"\b(test_[a-z0-9_]+)\b(?!\.)", text)}
    source = ""
    for path in glob.glob("tests/unit/*.c"):
        with open(path) as f:
            source += f.read()
    missing = [name for name in named if not re.search(rf"\b{name}\(", source)]
    tap.ok(len(named) > 10 and not missing, f"{len(named)} functions of tests that the pages name exist",
           " ".join(missing))


def test_commands(tap):
    used, unknown, count = set(), [], 0
    for page, text in pages():
        for section in sections(text):
            hardware = HARDWARE in section
            for command in commands(section):
                count += 1
                entry = known(command)
                used.add(entry)
                if not entry and not hardware:
                    unknown.append(f"{page}: {command}")
    tap.ok(not unknown, f"all of {count} commands are run by a test or need hardware", "\n".join(unknown))
    tap.equal(sorted(set(COMMANDS) - used), [], "no command is listed here that the pages do not have")
    for command, (test, text) in COMMANDS.items():
        with open(test) as f:
            tap.ok(text in f.read(), f"{command}: executed by {test}")


tap = Tap()
test_paths(tap)
test_table(tap)
test_functions(tap)
test_commands(tap)
tap.done()
