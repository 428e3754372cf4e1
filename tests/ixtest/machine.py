# SPDX-License-Identifier: MIT
"""A machine that runs in a process of this host: start, console, progress, end."""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass

from .console import Console, MachineError, Stuck
from .host import build_dir, die_with_parent

_running = weakref.WeakSet()


@atexit.register
def _end_all():
    for machine in list(_running):
        machine.stop()


@dataclass
class Outcome:
    """How a machine ended: how is "pass", "fail", "off", "reset", "panic", "killed" or "unknown"."""
    how: str
    status: int
    detail: str = ""

    def __str__(self):
        return f"{self.how} (status {self.status}){': ' if self.detail else ''}{self.detail}"


class Machine:
    """Base of Bochs and QEMU. Use as a context manager; the emulator never outlives the block.

    name: of the run; its files go to build/log/system/<test>/<name>/. Keyword arguments common to
    all: iso, cpus, mem (MiB), on_line (called with each console line), netns (run inside it), log
    (folder, instead of the one above).
    """

    kind = "?"

    def __init__(self, name, iso, cpus=1, mem=512, on_line=None, netns=None, log=None):
        self.name, self.iso, self.cpus, self.mem = name, os.path.abspath(iso), cpus, mem
        self.netns = netns
        test = os.environ.get("IX_TEST", "by-hand")
        self.log = log or os.path.join(build_dir(), "log", "system", test, name)
        self.console = Console(on_line)
        self.process = None
        self.outcome = None
        self._serial = None
        self._reader = None
        self._tmp = None
        self._last_progress = 0.0

    # What a kind of machine defines.
    def command(self, serial_port):
        """The emulator's command line; its first serial port connects to 127.0.0.1:serial_port."""
        raise NotImplementedError

    def progress(self):
        """Seconds that the machine could have worked since it started."""
        raise NotImplementedError

    def judge(self, status):
        """The Outcome, from the emulator's exit status and files."""
        raise NotImplementedError

    def path(self, name):
        return os.path.join(self.log, name)

    def start(self):
        if not os.path.exists(self.iso):
            raise MachineError(f"{self.iso} does not exist (run make)")
        shutil.rmtree(self.log, ignore_errors=True)
        os.makedirs(self.log)
        self._tmp = tempfile.mkdtemp(prefix="ixtest-")
        # The emulator connects its serial port to us: nothing is lost, input is possible, and when
        # this process dies the emulator's next write ends it too.
        family, address = self.serial_address()
        with self._listen(family, address) as listener:
            listener.settimeout(0.2)
            command = self.command(listener.getsockname())
            if self.netns:
                command = self.netns.prefix() + command
            with open(self.path("stdout"), "wb") as out, open(self.path("command"), "w") as record:
                print(*command, file=record)
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                                stderr=subprocess.STDOUT, cwd=self._tmp,
                                                start_new_session=True,
                                                preexec_fn=die_with_parent)
            _running.add(self)
            while self._serial is None:
                try:
                    self._serial, _ = listener.accept()
                except TimeoutError:
                    if self.process.poll() is not None:
                        with open(self.path("stdout"), errors="replace") as f:
                            raise MachineError(f"{command[0]} ended at once: {f.read()}") from None
        self._serial.settimeout(None)
        log = open(self.path("serial.log"), "wb", buffering=0)  # there when start() returns
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()
        return self

    def serial_address(self):
        return socket.AF_INET, ("127.0.0.1", 0)

    def _listen(self, family, address):
        """A listening socket that the emulator can connect to: of the namespace it runs in."""
        if self.netns and family == socket.AF_INET:
            return self.netns.listen(address)
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen(1)
        return listener

    def _read(self, log):
        with log:
            while True:
                try:
                    data = self._serial.recv(65536)
                except OSError:
                    break
                if not data:
                    break
                log.write(data)
                self.console.feed(data)
        self.console.close()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def expect(self, pattern, limit, fail=None, prompt=False):
        """Waits for a console line; see Console.expect."""
        return self.console.expect(pattern, self.progress, limit, fail, prompt)

    def send(self, text):
        """Types text on the serial console."""
        self._serial.sendall(text.encode())

    def wait(self, limit):
        """Waits until the machine ends by itself, and says how."""
        start = self.progress()
        while self.alive():
            if self.progress() - start > limit:
                raise Stuck(f"the machine did not end within {limit} s of progress\n"
                            f"{self.console.tail()}")
            try:
                self.process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        self._reader.join()
        if self.outcome is None:
            self.outcome = self.judge(self.process.returncode)
        return self.outcome

    def stop(self):
        """Ends the emulator and all that it started, if it still runs."""
        if self.process is not None:
            if self.alive():
                self.outcome = self.outcome or Outcome("killed", -signal.SIGKILL)
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        if self._reader:
            self._reader.join()
        if self._serial:
            self._serial.close()
        if self._tmp:
            shutil.rmtree(self._tmp, ignore_errors=True)
        _running.discard(self)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


class WallProgress:
    """Progress of a machine whose virtual time is the host's: wall clock, less the time in which
    the host let it wait for a processor."""

    def __init__(self):
        self.start = time.monotonic()
        self.best = 0.0

    def now(self, delay):
        self.best = max(self.best, time.monotonic() - self.start - delay)
        return self.best
