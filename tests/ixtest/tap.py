# SPDX-License-Identifier: MIT
"""Test Anything Protocol output."""
import contextlib
import sys
import traceback


class Tap:
    """Counts and prints checks; done() prints the plan and ends the program."""

    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.count = 0
        self.failed = 0

    def _line(self, text):
        print(text, file=self.out, flush=True)

    def ok(self, condition, name, detail=""):
        """One check. `detail` is shown when it fails. Returns the condition as a bool."""
        self.count += 1
        if not condition:
            self.failed += 1
        self._line(f"{'ok' if condition else 'not ok'} {self.count} - {name}")
        if not condition and detail:
            self.note(detail)
        return bool(condition)

    def equal(self, got, want, name):
        return self.ok(got == want, name, f"got {got!r}, wanted {want!r}")

    def skip(self, name, why):
        self.count += 1
        self._line(f"ok {self.count} - {name} # SKIP {why}")

    def note(self, text):
        for line in str(text).splitlines():
            self._line(f"# {line}")

    @contextlib.contextmanager
    def check(self, name):
        """The block is one check: it passes unless it raises."""
        try:
            yield
        except Exception as e:  # a broken machine or test must show up as `not ok`
            self.ok(False, name, f"{type(e).__name__}: {e}")
            if not isinstance(e, (AssertionError, RuntimeError)):
                self.note(traceback.format_exc())
        else:
            self.ok(True, name)

    def done(self):
        self._line(f"1..{self.count}")
        sys.exit(1 if self.failed or not self.count else 0)
