#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unit tests of the test bed's pure parts, and of one real process's end."""
import io
import os
import signal
import sys
import threading

sys.path.insert(0, "tests")
from ixtest import Console, Ended, Failed, Machine, Stuck, Tap  # noqa: E402
from ixtest import bochs, console, host, machine, platform  # noqa: E402
from ixtest import tap as tapmod  # noqa: E402

tap = Tap()


def raises(kind, function, *args, **kw):
    try:
        function(*args, **kw)
    except kind as e:
        return str(e) or kind.__name__
    return ""


def test_console():
    lines = []
    c = Console(on_line=lines.append)
    c.feed(b"\x1b[2J\x1b[=3hhel")
    c.feed(b"lo\r\nsecond\r\nthi")
    tap.equal(lines, ["hello", "second"], "lines are split and cleaned of control sequences")
    tap.equal(c.partial, "thi", "an unfinished line is kept")
    tap.equal(console.clean(b"a\xff\tb\x00"), "a\ufffd\tb", "odd bytes do no harm")
    now = [0.0]

    def progress():
        now[0] += 1.0
        return now[0]

    m = c.expect("sec(ond)", progress, 10)
    tap.ok(m and m.group(1) == "ond" and c.cursor == 2, "expect consumes up to its match")
    tap.ok("/hello/" in raises(Stuck, c.expect, "hello", progress, 3),
           "what was consumed is not found again, and progress runs out")
    tap.ok(c.expect("^thi$", progress, 3, prompt=True), "a prompt is found without a newline")
    c.feed(b"s\nPANIC: bad\nmore\n")
    tap.ok("PANIC: bad" in raises(Failed, c.expect, "more", progress, 10, fail="PANIC"),
           "a line that means failure ends the wait")
    tap.ok(c.find("hel+o") and c.find("nothing") is None, "find looks at all lines")
    tap.equal(c.count("o"), 3, "count counts lines")
    threading.Timer(0.05, lambda: (c.feed(b"late\nend"), c.close())).start()
    tap.ok(c.expect("late", lambda: 0, 1), "expect wakes for a line that comes later")
    tap.ok(c.expect("^end$", lambda: 0, 1), "the end completes the last line")
    tap.ok("ended" in raises(Ended, c.expect, "never", lambda: 0, 1), "an ended machine is told")


def test_tap():
    out = io.StringIO()
    t = tapmod.Tap(out)
    t.ok(True, "a")
    t.ok(False, "b", "why\nmore")
    t.skip("c", "no device")
    with t.check("d"):
        raise RuntimeError("broke")
    try:
        t.done()
    except SystemExit as e:
        status = e.code
    tap.equal(out.getvalue(), "ok 1 - a\nnot ok 2 - b\n# why\n# more\nok 3 - c # SKIP no device\n"
              "not ok 4 - d\n# RuntimeError: broke\n1..4\n", "TAP lines are as they should be")
    tap.equal(status, 1, "a failed check fails the program")


def test_bochs():
    text = bochs.bochsrc("/x.iso", 2, 4096, "broadwell_ult", 1000000,
                         [{"backend": "socket", "dev": 4500, "mac": "52:54:00:00:00:01"}],
                         "127.0.0.1:99", "/log")
    tap.ok("slot1=e1000\n" in text and "ethmod=socket, ethdev=4500" in text and "e1000=1" in text,
           "a card is put into a slot and connected")
    tap.ok("memory: guest=4096, host=2048" in text and "count=2, ips=1000000" in text,
           "memory and CPUs are configured")
    tap.ok("e1000" not in bochs.bochsrc("/x.iso", 1, 64, "m", 1, [], "s", "l"), "no card, no e1000")
    tap.ok(raises(ValueError, bochs.bochsrc, "/x", 9, 64, "m", 1, [], "s", "l"), "9 CPUs are refused")
    tap.ok(raises(ValueError, bochs.bochsrc, "/x", 1, 64, "m", 1, [{}] * 5, "s", "l"),
           "5 cards are refused")
    power_off = "[ACPI  ] ACPI control: soft power off\n"
    fatal = "00012p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"
    other = "00012p[MEM   ] >>PANIC<< no memory\n"
    ends = [(0, "", "pass"), (1, power_off, "off"), (1, fatal, "panic"), (1, other, "panic"),
            (1, "", "unknown"), (-9, "", "killed")]
    tap.equal([bochs.judge(s, log).how for s, log, _ in ends], [how for _, _, how in ends],
              "the end of a run is told from status and log")


def test_platform():
    tap.ok(platform.cpuinfo_has_vmx("processor : 0\nflags\t\t: fpu vme vmx ssse3\n"),
           "vmx is seen in cpuinfo")
    tap.ok(not platform.cpuinfo_has_vmx("flags : fpu\nvmx flags : ept\nmodel name : vmx"),
           "vmx elsewhere does not count")
    os.environ["IX_PLATFORM"] = "bochs"
    tap.equal(platform.choose_platform()[0], "bochs", "IX_PLATFORM decides")
    os.environ["IX_PLATFORM"] = "vmware"
    tap.ok("vmware" in raises(ValueError, platform.choose_platform), "an odd IX_PLATFORM is refused")
    del os.environ["IX_PLATFORM"]


class Shell(Machine):
    """A stand-in for an emulator: a Python script that connects its "serial port"."""

    def __init__(self, script, folder, **common):
        super().__init__("shell", iso=__file__, log=folder, **common)
        self.script = script

    def command(self, serial_port):
        return [sys.executable, "-c", "import socket, os, sys, time\n"
                f"s = socket.create_connection(('127.0.0.1', {serial_port[1]}))\n" + self.script]

    def progress(self):
        return host.cpu_seconds(self.process.pid)

    def judge(self, status):
        return machine.Outcome("off" if status == 0 else "fail", status)


def test_process():
    folder = os.path.join(host.build_dir(), "log", "unit", "runner")
    with Shell("s.sendall(b'up\\n'); s.sendall(s.recv(9)); sys.exit(3)", folder) as m:
        m.expect("up", limit=20)
        m.send("echo\n")
        m.expect("^echo$", limit=20)
        tap.equal(m.wait(limit=20).status, 3, "the console works both ways and the status arrives")
    with Shell("s.sendall(b'x\\n')\nwhile True: pass", folder) as m:
        m.expect("x", limit=20)
        pid = m.process.pid
        tap.ok(raises(Stuck, m.wait, limit=0.1), "a machine that spins runs out of progress")
    tap.equal((m.outcome.how, m.process.returncode), ("killed", -signal.SIGKILL),
              "leaving the block ends the machine")
    tap.ok(raises(ProcessLookupError, os.killpg, pid, 0), "nothing of it is left")
    with host.Netns() as netns, Shell("s.sendall(b'inside\\n')", folder, netns=netns) as m:
        m.expect("inside", limit=20)
        tap.ok(True, "a machine in a network namespace has its console, too")
    broken = Shell("", folder)
    broken.command = lambda _: [sys.executable, "-c", "import sys; sys.exit('boom')"]
    tap.ok("boom" in raises(console.MachineError, broken.__enter__),
           "an emulator that ends at once is told, with its words")


test_console()
test_tap()
test_bochs()
test_platform()
test_process()
tap.done()
