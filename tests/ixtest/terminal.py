# SPDX-License-Identifier: MIT
"""The terminal of a person: a status line below the text, a machine's serial console."""
import os
import select
import shutil
import sys
import termios
import threading
import time
import tty

ESCAPE = b"\x1d"  # Ctrl-]


class Status:
    """The line below the text, with the time since the start; on a terminal only."""

    def __init__(self):
        self.on = sys.stderr.isatty()
        self.start = time.monotonic()
        self.lock = threading.Lock()

    def line(self, text):
        with self.lock:
            if self.on:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            print(text, flush=True)

    def show(self, text):
        if self.on:
            text = f"[{time.monotonic() - self.start:.0f} s] {text}"
            with self.lock:
                sys.stderr.write("\r\x1b[K" + text[:shutil.get_terminal_size().columns - 1])
                sys.stderr.flush()

    def clear(self):
        if self.on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def interact(machine):
    """Raw terminal: bytes both ways until Ctrl-] or the machine's end."""
    fd = sys.stdin.fileno()
    saved = termios.tcgetattr(fd)
    shown = 0
    tty.setraw(fd)
    try:
        with open(machine.path("serial.log"), "rb") as log:
            while True:
                ready, _, _ = select.select([fd], [], [], 0.05)
                if ready:
                    data = os.read(fd, 1024)
                    if ESCAPE in data or not data:
                        return
                    machine.send(data.decode("utf-8", "replace"))
                fresh = log.read()
                shown += len(fresh)
                os.write(1, fresh)
                if not machine.alive() and not fresh:
                    return
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, saved)
