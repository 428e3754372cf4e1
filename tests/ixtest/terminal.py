# SPDX-License-Identifier: MIT
"""The terminal of a person, connected to a machine's serial console."""
import os
import select
import sys
import termios
import tty

ESCAPE = b"\x1d"  # Ctrl-]


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
