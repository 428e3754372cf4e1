#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make run INTERACTIVE=1` as a person uses it: a terminal with Linux's shell, and the echo service reached
from another terminal with the command that it prints."""
import os
import pty
import re
import select
import shlex
import subprocess
import termios
import time

from ixtest import Tap
from ixtest.console import clean
from ixtest.host import TOP, die_with_parent

LIMIT = 1200  # seconds for the boot: an emulator, on a machine that may be busy
ANSWER = 300


class Terminal:
    """The program's terminal; what it printed is matched like a console."""

    def __init__(self, *command):
        env = {k: v for k, v in os.environ.items() if not re.match("MAKE|MFLAGS", k)}
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=TOP,
                                        env=env, preexec_fn=die_with_parent)
        self.text = self.all = ""

    def expect(self, pattern, limit):
        """Waits for a match and forgets what came before its end."""
        end = time.monotonic() + limit
        while True:
            m = re.search(pattern, self.text, re.M)
            if m:
                self.text = self.text[m.end():]
                return m
            ended = self.process.poll() is not None
            if not select.select([self.master], [], [], 0 if ended else 1)[0]:
                if ended:
                    raise RuntimeError(f"it ended before /{pattern}/\n{self.all[-2000:]}")
                if time.monotonic() > end:
                    raise RuntimeError(f"/{pattern}/ did not come in {limit} s\n{self.all[-2000:]}")
                continue
            data = os.read(self.master, 65536)
            for line in data.splitlines(keepends=True):
                text = clean(line) + ("\n" if line.endswith(b"\n") else "")
                self.text += text
                self.all += text

    def type(self, text):
        os.write(self.master, text.encode())

    def command(self, line, pattern):
        """Types a command of the shell; waits for what it must print, and for the prompt."""
        self.type(line + "\n")
        self.expect(re.escape(line[-20:]), ANSWER)  # the echo
        m = self.expect(pattern, ANSWER)
        self.expect(PROMPT, ANSWER)
        return m

    def close(self):
        self.process.terminate()  # make passes it on
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.master)
        os.close(self.slave)


PROMPT = r"^\S* # $"
tap = Tap()
terminal = Terminal("make", "run", "INTERACTIVE=1")
try:
    with tap.check("it says how the echo service is reached"):
        command = terminal.expect(r"is reached with\n +(.*)\n", LIMIT).group(1)
    with tap.check("there is a shell, and both dataplanes run"):
        terminal.expect(r"^echo +running", LIMIT)
        terminal.expect(r"^kv +running", ANSWER)
        terminal.expect(PROMPT, ANSWER)
    with tap.check("from another terminal, echo answers the command that was printed"):
        words = [word for word in shlex.split(command) if word != "sudo" or os.geteuid() != 0]
        nc = subprocess.run([*words[:-2], "-N", "-w", "120", *words[-2:]], input="from outside\n",
                            capture_output=True, text=True, timeout=ANSWER)
        assert nc.stdout == "from outside\n", (nc.stdout, nc.stderr)
    with tap.check("a command typed on the terminal is answered: ixctl stats echo"):
        terminal.command("ixctl stats echo", r"^tcp_established +1\r?$")
    with tap.check("kv is reached from the shell, as the text suggests"):
        terminal.command("echo version | nc -w 3 10.8.0.2 11211", r"^VERSION")
    with tap.check("leaving the shell powers off, and the program ends with status 0"):
        terminal.type("exit\n")
        terminal.expect("powering off", ANSWER)
        status = terminal.process.wait(ANSWER)
        assert status == 0, status
    with tap.check("the terminal is as it was"):
        assert termios.tcgetattr(terminal.slave) == terminal.before
except BaseException:
    tap.note(terminal.all[-4000:])
    raise
finally:
    terminal.close()
tap.done()
