#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does what docs/tutorial.md says: writes its files, runs its commands, compares their output."""
import os
import re
import subprocess

from ixtest import hosted
from ixtest.tap import Tap


def blocks(text):
    """(kind, argument, content) of each block that is announced by a comment."""
    for m in re.finditer(r"<!-- (\w+)(?:: (\S+))? -->\n```\w*\n(.*?)```\n", text, re.S):
        yield m.groups()


def main():
    hosted.private_network()
    top = os.getcwd()
    t = Tap()
    env = dict(os.environ, BUILD=hosted.BUILD,
               PATH=f"{hosted.BUILD}/host:{top}/userlib:{os.environ['PATH']}")
    with open("docs/tutorial.md") as f:
        found = list(blocks(f.read()))
    t.ok(len(found) > 10, "the tutorial has steps")
    with hosted.scratch() as tmp:
        os.chdir(tmp)
        os.environ.update(env)
        running, output = None, ""
        for kind, argument, content in found:
            if kind == "file":
                with open(argument, "w") as f:
                    f.write(content)
            elif kind == "run":
                if running and "ixhost" in content:
                    running.stop()
                    running = None
                done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", content], timeout=60,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
                output = done.stdout
                t.ok(done.returncode == 0, "runs: " + content.strip().splitlines()[-1], output)
            elif kind == "start":
                if running:
                    running.stop()
                running = hosted.Process(["bash", "-c", "exec " + content], "ready")
            elif kind == "output":
                t.equal(output, content, "prints: " + content.splitlines()[0])
        if running:
            running.stop()
    t.done()


main()
