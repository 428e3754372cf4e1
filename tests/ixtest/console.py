# SPDX-License-Identifier: MIT
"""The serial console of a machine as a list of lines that tests wait on."""
import re
import threading


class MachineError(RuntimeError):
    """A machine did not do what the test expected; the message holds the console's last lines."""


class Stuck(MachineError):
    """The machine made its allowance of progress without printing what was expected."""


class Ended(MachineError):
    """The machine ended before it printed what was expected."""


class Failed(MachineError):
    """The machine printed a line that means failure."""


# Terminal control sequences (GRUB, Linux's shell): cursor, colours, charset.
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?=]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHM])")


def clean(raw):
    """A console line without control sequences and carriage returns."""
    text = _ESCAPE.sub("", raw.decode("utf-8", "replace"))
    return "".join(c for c in text if c >= " " or c == "\t")


class Console:
    """Bytes go in by feed(), from any thread; complete lines come out.

    `cursor` is the first line that expect() has not consumed.
    """

    def __init__(self, on_line=None):
        self.lines = []
        self.cursor = 0
        self.closed = False
        self.bytes = 0
        self._partial = b""
        self._on_line = on_line
        self.changed = threading.Condition()

    def feed(self, data):
        with self.changed:
            self.bytes += len(data)
            parts = (self._partial + data).split(b"\n")
            self._partial = parts.pop()
            fresh = [clean(p) for p in parts]
            self.lines += fresh
            self.changed.notify_all()
        if self._on_line:
            for line in fresh:
                self._on_line(line)

    def close(self):
        """No more bytes will come: an unfinished last line counts as a line."""
        with self.changed:
            if self._partial:
                self.lines.append(clean(self._partial))
                self._partial = b""
            self.closed = True
            self.changed.notify_all()

    @property
    def partial(self):
        """The unfinished last line (a prompt)."""
        return clean(self._partial)

    def tail(self, count=25):
        return "\n".join(self.lines[-count:] + ([self.partial] if self._partial else []))

    def find(self, pattern):
        """First match in any line printed so far, consumed or not; None if there is none."""
        rx = re.compile(pattern)
        return next((m for m in map(rx.search, list(self.lines)) if m), None)

    def count(self, pattern):
        rx = re.compile(pattern)
        return sum(1 for line in list(self.lines) if rx.search(line))

    def expect(self, pattern, progress, limit, fail=None, prompt=False):
        """Waits for a line that matches, consumes up to it and returns the match.

        progress: function that says how far the machine is, in seconds; it may go `limit` beyond
        what it is now. fail: a line that matches this raises Failed. prompt: the unfinished last
        line may match too.
        """
        rx = re.compile(pattern)
        bad = re.compile(fail) if fail else None
        start = progress()
        with self.changed:
            while True:
                while self.cursor < len(self.lines):
                    line = self.lines[self.cursor]
                    self.cursor += 1
                    m = rx.search(line)
                    if m:
                        return m
                    if bad and bad.search(line):
                        raise Failed(f"waiting for /{pattern}/, the machine printed: {line}\n"
                                     f"{self.tail()}")
                if prompt and rx.search(self.partial):
                    return rx.search(self.partial)
                if self.closed:
                    raise Ended(f"the machine ended; /{pattern}/ did not come\n{self.tail()}")
                if progress() - start > limit:
                    raise Stuck(f"/{pattern}/ did not come within {limit} s of progress\n"
                                f"{self.tail()}")
                self.changed.wait(0.2)
